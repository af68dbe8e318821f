package screen

import "tcpstate/tracker"

var bars = []rune(" ▁▂▃▄▅▆▇█")

// spark draws the latest counts of a state, one column each, up to w of them. The
// highest of these is as high as a line; anything above 0 is seen.
func spark(history [][tracker.NumStates]uint64, s tracker.State, w int) string {
	h := history[max(len(history)-max(w, 0), 0):]
	most := uint64(0)
	for i := range h {
		most = max(most, h[i][s])
	}
	out := make([]rune, len(h))
	top := float64(len(bars) - 1)
	for i := range h {
		level := 0
		if n := h[i][s]; n > 0 {
			level = max(int(float64(n)/float64(most)*top+0.5), 1)
		}
		out[i] = bars[min(level, len(bars)-1)]
	}
	return string(out)
}
