package screen

import (
	"cmp"
	"fmt"
	"strings"

	"tcpstate/capture"
	"tcpstate/report"
	"tcpstate/tracker"
)

// header is what is captured, since when, and what was lost.
func (m *model) header() []line {
	s := m.snap
	var a line
	a.add(strong, "tcpstate").add(plain, "  "+cmp.Or(s.Source, "-"))
	switch s.Link.State {
	case capture.LinkDown:
		a.add(plain, "  ").add(bad, "is down")
	case capture.LinkNoCarrier:
		a.add(plain, "  ").add(bad, "has no carrier")
	}
	if m.paused {
		a.add(plain, "  ").add(picked, m.pausedWord())
	}
	if s.Began.IsZero() {
		a.add(faint, "  no packet yet")
	} else {
		a.add(plain, "  up "+report.ShowSpan(s.Now.Sub(s.Began))+"  "+m.clock())
	}
	if s.Filter != "" {
		a.add(faint, "  filter ").add(plain, s.Filter)
	}
	lines := []line{a}
	most := 2
	if m.h > leastHeight+5 {
		most = 3
	}
	for _, c := range m.counts() {
		if last := &lines[len(lines)-1]; len(lines) > 1 && (last.w+2+c.w <= m.w || len(lines) == most) {
			last.add(plain, "  ")
			last.spans = append(last.spans, c.spans...)
			last.w += c.w
			continue
		}
		lines = append(lines, c)
	}
	return lines
}

// pageHeader is the header of a page that needs the room: its first line, where there
// is little.
func (m *model) pageHeader() []line {
	h := m.header()
	if m.h <= leastHeight+5 {
		return h[:1]
	}
	return h
}

// counts are what was seen and what was lost, the most important first.
func (m *model) counts() (parts []line) {
	s := m.snap
	packets, dropped, ok := m.rate.per()
	text := report.ShowCount(s.Packets) + " packets"
	if ok {
		text += " (" + small(uint64(packets+0.5)) + "/s)"
	}
	parts = append(parts, textLine(plain, text))
	lost := plain
	text = report.ShowCount(s.Dropped+s.IfDropped) + " dropped"
	if s.Dropped+s.IfDropped > 0 {
		lost = bad
		if ok && dropped >= 0.5 {
			text += " (" + small(uint64(dropped+0.5)) + "/s)"
		}
		if s.IfDropped > 0 {
			text += ", " + report.ShowCount(s.IfDropped) + " by the interface"
		}
	}
	parts = append(parts, textLine(lost, text))
	skipped := uint64(0)
	for _, k := range s.Skipped {
		skipped += k.N
	}
	for _, x := range []struct {
		n    uint64
		look look
		text string
	}{
		{s.Lost.Lines, warning, "output lines lost"}, {s.Lost.Packets, warning, "packets not written"},
		{s.Evicted, warning, "evicted"}, {s.Folded, plain, "folded"}, {s.Segments, plain, "segments"}, {skipped, faint, "not analysed"},
	} {
		if x.n > 0 {
			parts = append(parts, textLine(x.look, report.ShowCount(x.n)+" "+x.text))
		}
	}
	return parts
}

func (m *model) pausedWord() string {
	if m.once {
		return "PAUSED …"
	}
	return "PAUSED"
}

// clock is packet time, to the second but for what is relative to the beginning.
func (m *model) clock() string {
	return m.time(m.snap.Now)
}

// totals are counts since the beginning, in at most most lines.
func (m *model) totals(w, most int) []line {
	s := m.snap
	parts := []string{"open " + report.ShowCount(s.Open), "opened " + report.ShowCount(s.Opened)}
	var closed, resets []string
	for k, n := range s.Closed {
		if n > 0 {
			closed = append(closed, fmt.Sprintf("%s %s", tracker.CloseKind(k), report.ShowCount(n)))
		}
	}
	for c, n := range s.Resets {
		if n > 0 && tracker.ResetClass(c) != tracker.NoReset {
			resets = append(resets, fmt.Sprintf("%s %s", tracker.ResetClass(c), report.ShowCount(n)))
		}
	}
	text := strings.Join(parts, ", ") + "; closed: " + cmp.Or(strings.Join(closed, ", "), "none")
	lines := wrapped("", text, w, max(most-1, 1))
	if len(resets) == 0 {
		return lines
	}
	return append(lines, wrapped("resets: ", strings.Join(resets, ", "), w, max(most-len(lines), 1))...)
}

// wrapped is text in at most most lines of w columns.
func wrapped(first, text string, w, most int) []line {
	var lines []line
	all := wrap(first+text, w)
	for i, t := range all {
		if i == most-1 && i < len(all)-1 {
			t = strings.Join(all[i:], " ") // and be cut
		}
		lines = append(lines, *new(line).add(plain, t))
		lines[i].cut(w)
		if i == most-1 {
			break
		}
	}
	return lines
}
