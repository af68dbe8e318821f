package report

import (
	"net/netip"
	"slices"
	"time"

	"tcpstate/report/detect"
	"tcpstate/report/page"
	"tcpstate/tracker"
)

// The ladders and bars of the page. Drawn are, as far as there is room, the evidence of
// findings, the first of each before the second of any; then the others with findings; then
// a few of those without. Bars come from the same rows.

// drawPackets bounds what is drawn for its bar alone, of one connection and of all.
const (
	drawPackets    = 2000
	drawAllPackets = 200_000
)

// pageLadder is a ladder that may be on the page.
type pageLadder struct {
	ref     detect.Ref
	ladder  page.Ladder
	bars    [2][]page.Span
	evident bool
}

func (w *pageWriter) ladders() {
	order := w.order()
	var drawn []pageLadder
	if w.f.Draw != nil {
		drawn = w.draw(order)
	} else {
		drawn = w.drawTrails(order)
	}
	have := map[detect.Ref]*pageLadder{}
	for i := range drawn {
		have[drawn[i].ref] = &drawn[i]
	}
	w.bars(have)
	plain, n := 0, 0
	for i := range drawn {
		x := &drawn[i]
		if !w.concerned[x.ref] {
			if plain++; plain > pagePlain {
				continue
			}
		}
		if n++; n > pageLadders {
			break
		}
		w.drawn = append(w.drawn, x)
	}
	w.narrow()
}

// order lists the connections that are worth a ladder, the most interesting first.
func (w *pageWriter) order() (order []detect.Ref) {
	w.concerned = map[detect.Ref]bool{}
	seen := map[detect.Ref]bool{}
	add := func(r detect.Ref) {
		if !seen[r] {
			seen[r] = true
			order = append(order, r)
		}
	}
	for n, more := 0, true; more; n++ {
		more = false
		for _, f := range w.shown {
			if n < len(f.Evidence.Connections) {
				more = true
				r := provenRef(&f.Evidence.Connections[n])
				w.concerned[r] = true
				add(r)
			}
		}
	}
	for _, r := range w.before() {
		add(r)
	}
	w.evidents = len(order)
	for i := range w.rows {
		if r := w.rows[i].ref(); len(w.f.Of(r)) > 0 {
			w.concerned[r] = true
			add(r)
		}
	}
	for i := range w.rows {
		add(w.rows[i].ref())
	}
	return order
}

// before are the connections whose frames are evidence for a later one on the same addresses
// and ports, as far as they are among the rows.
func (w *pageWriter) before() (refs []detect.Ref) {
	type pair [2]netip.AddrPort
	at := map[detect.Ref]*pageRow{}
	of := map[pair][]*pageRow{}
	pairOf := func(r *pageRow) pair {
		a, b := r.ends[0].addr(), r.ends[1].addr()
		if a.Compare(b) > 0 {
			a, b = b, a
		}
		return pair{a, b}
	}
	for i := range w.rows {
		r := &w.rows[i]
		at[r.ref()] = r
		of[pairOf(r)] = append(of[pairOf(r)], r)
	}
	for _, f := range w.shown {
		for i := range f.Evidence.Connections {
			c := &f.Evidence.Connections[i]
			row := at[provenRef(c)]
			if row == nil {
				continue
			}
			for _, x := range c.Frames {
				if x.Frame >= row.first {
					continue
				}
				for _, r := range of[pairOf(row)] {
					if r != row && r.first <= x.Frame && x.Frame <= r.last {
						refs = append(refs, r.ref())
					}
				}
			}
		}
	}
	return refs
}

// draw reads the capture again for those connections, or as many as bounds allow.
func (w *pageWriter) draw(order []detect.Ref) (drawn []pageLadder) {
	at := map[detect.Ref]*pageRow{}
	for i := range w.rows {
		at[w.rows[i].ref()] = &w.rows[i]
	}
	var lives []*tracker.Life
	packets := uint64(0)
	for i, r := range order {
		row := at[r]
		if row == nil || len(lives) >= pageLadders+pageBars {
			continue
		}
		if i >= w.evidents {
			if row.packets > drawPackets || packets+row.packets > drawAllPackets {
				continue
			}
			packets += row.packets
		}
		lives = append(lives, row.life())
	}
	ladders := w.f.Draw(lives)
	for _, l := range lives {
		ref := detect.Ref{ID: l.ID, Incarnation: l.Incarnation}
		if x := ladders[ref]; x != nil && len(x.Rows) > 0 {
			drawn = append(drawn, w.drawing(ref, x, l))
		}
	}
	return drawn
}

// drawing is a ladder as the page has it.
func (w *pageWriter) drawing(ref detect.Ref, l *Ladder, life *tracker.Life) pageLadder {
	b := barPen{start: l.Start}
	for i := range l.Rows {
		r := &l.Rows[i]
		b.at(r.Segment.Time, r.States)
		for _, m := range w.marks[r.Segment.Frame] {
			if r.Segment.Frame != 0 && !slices.Contains(r.Marks, m) {
				r.Marks = append(r.Marks, m)
			}
		}
	}
	x := pageLadder{ref: ref, bars: b.spans(w.until(life.End)), evident: w.evident[ref], ladder: l.page()}
	x.ladder.ID = recordName(ref)
	return x
}

// until is when the bar of a connection ends: with the capture, if its ends do not.
func (w *pageWriter) until(end int64) int64 {
	if q := w.f.Summary.Quality.End; q != nil {
		return max(end, time.Time(*q).UnixNano())
	}
	return end
}

// drawTrails draws them from what was kept of them.
func (w *pageWriter) drawTrails(order []detect.Ref) (drawn []pageLadder) {
	at := map[detect.Ref]*pageRow{}
	for i := range w.rows {
		at[w.rows[i].ref()] = &w.rows[i]
	}
	for _, r := range order {
		if len(drawn) >= pageLadders+pageBars {
			break
		}
		x := pageLadder{ref: r, evident: w.evident[r]}
		row := at[r]
		if w.trails != nil && w.trails.cases[r] != nil {
			x.ladder, x.bars = w.trailLadder(&w.trails.cases[r].c)
		} else if row != nil && row.lone() {
			x.ladder, x.bars = w.loneLadder(row)
		} else {
			continue
		}
		drawn = append(drawn, x)
	}
	return drawn
}

// bars gives the rows of the table their bars.
func (w *pageWriter) bars(have map[detect.Ref]*pageLadder) {
	n := 0
	for i := range w.p.Connections {
		x := have[w.rows[i].ref()]
		if x == nil {
			continue
		}
		if n++; n > pageBars {
			return
		}
		w.p.Connections[i].Bar = x.bars
	}
}

// narrow leaves rows out of the middle of ladders, and ladders out, until what is left has
// room, and puts them on the page.
func (w *pageWriter) narrow() {
	room := shareLadders
	size := func(most int) (n int) {
		for _, x := range w.drawn {
			n += ladderOctets(&x.ladder, most)
		}
		return n
	}
	most := ladderCaps[0]
	for _, c := range ladderCaps {
		if most = c; size(c) <= room {
			break
		}
	}
	for len(w.drawn) > 0 && size(most) > room {
		w.drawn = w.drawn[:len(w.drawn)-1]
	}
	for _, x := range w.drawn {
		x.ladder.Rows = cutRows(x.ladder.Rows, most)
	}
}

// ladderCaps are how many rows a ladder has at most, the fewer the more there are to show.
var ladderCaps = [...]int{400, 200, 100, 50}

// cutRows leaves out rows in the middle, but none that proves something.
func cutRows(rows []page.Row, most int) []page.Row {
	if len(rows) <= most {
		return rows
	}
	edge := most / 2
	out := slices.Clone(rows[:edge])
	gone := 0
	flush := func(next *page.Row) {
		if gone > 0 {
			out = append(out, page.Row{Kind: page.Folded, Time: next.Time, States: next.States, Text: "… " + plural(uint64(gone), "row") + " left out"})
			gone = 0
		}
	}
	for i := edge; i < len(rows)-edge; i++ {
		if len(rows[i].Marks) == 0 {
			gone++
			continue
		}
		flush(&rows[i-1])
		out = append(out, rows[i])
	}
	flush(&rows[len(rows)-edge-1])
	return append(out, rows[len(rows)-edge:]...)
}

// ladderOctets is about what a ladder of at most so many rows takes on the page.
func ladderOctets(l *page.Ladder, most int) int {
	n, rows := 800, 0
	for i := range l.Rows {
		r := &l.Rows[i]
		if rows++; rows > most && len(r.Marks) == 0 {
			continue
		}
		n += rowOctets + len(r.Text) + len(r.Class)
		for _, m := range r.Marks {
			n += 60 + len(m.Finding) + len(m.Text)
		}
		for _, name := range r.Rules {
			n += ruleOctets + 2*len(name)
		}
	}
	return n
}

// placed puts the ladders on the page that there is room for.
func (w *pageWriter) placed() {
	w.p.Ladders = w.p.Ladders[:0]
	on := map[string]bool{}
	for _, x := range w.drawn {
		w.p.Ladders = append(w.p.Ladders, x.ladder)
		on[x.ladder.ID] = true
	}
	w.p.Rules = pageRules(w.p.Ladders)
	for i := range w.p.Findings {
		for j := range w.p.Findings[i].Evidence {
			e := &w.p.Findings[i].Evidence[j]
			e.Ladder = on[e.Connection]
		}
	}
	for i := range w.p.Connections {
		w.p.Connections[i].Ladder = on[w.p.Connections[i].ID]
	}
}
