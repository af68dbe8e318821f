package report

import (
	"tcpstate/report/detect"
	"tcpstate/report/page"
	"tcpstate/tracker"
)

// Where the capture cannot be read a second time, ladders are drawn from the trails of
// cases: those segments that tell how a connection opened, what was odd of it, and how it
// closed. They are kept while the detectors look at them.

// keeper is an output that draws ladders from cases where Options.Draw is nil. keep is
// called for each case that is reported; it is valid during the call.
type keeper interface{ keep(c *tracker.Case) }

// trailKeep keeps cases of which a finding may make its evidence: the first few of each
// server that are alike, see pick.
type trailKeep struct {
	alike  alike
	cases  map[detect.Ref]*keptCase
	events int
	full   bool // something had no room
}

const (
	trailCases  = 1 << 13
	trailEvents = 1 << 17 // of all cases, some 80 octets each
)

func newTrailKeep() *trailKeep { return &trailKeep{cases: map[detect.Ref]*keptCase{}} }

func (t *trailKeep) add(c *tracker.Case) {
	n := len(c.Trail.Events)
	if n == 0 || !t.alike.first(&c.Life.Key, c.Life.Client, c.Signs, c.Life.Close) {
		return
	}
	if len(t.cases) >= trailCases || t.events+n > trailEvents {
		t.full = true
		return
	}
	t.events += n
	k := &keptCase{c: *c, life: *c.Life}
	k.events = append(k.events, c.Trail.Events...)
	k.quotes = append(k.quotes, c.Trail.Quotes...)
	k.c.Life, k.c.Trail.Events, k.c.Trail.Quotes = &k.life, k.events, k.quotes
	t.cases[detect.RefOf(c)] = k
}

// trailLadder draws the trail of a case.
func (w *pageWriter) trailLadder(c *tracker.Case) (l page.Ladder, bars [2][]page.Span) {
	x := c.Life
	l = page.Ladder{ID: recordName(detect.RefOf(c)), Left: x.Ends[0].Addr.String(), Right: x.Ends[1].Addr.String(), Note: lifeNote(x)}
	b := barPen{start: c.Trail.Events[0].Time}
	for _, r := range TrailRungs(c) {
		row := page.Row{Frame: r.Frame, Time: ladderTime(int64(r.Time)), States: pageStates(r.States), Text: r.Text, Class: r.Why}
		switch {
		case r.Gap && r.Text == timerText:
			row.Kind = page.Timer
		case r.Gap:
			row.Kind = page.Folded
		case (r.From == tracker.Client) == r.Back:
			row.Kind = page.ToLeft
		}
		if r.Window != "" {
			row.Text += " " + r.Window
		}
		row.Marks = pageMarksOf(w.marks[r.Frame])
		b.at(int64(r.Time), r.States)
		l.Rows = append(l.Rows, row)
	}
	sameDigits(l.Rows)
	return l, b.spans(w.until(x.End))
}

// lone reports whether the life was one SYN: of most such, no case is told, see silence.
func (r *pageRow) lone() bool {
	return r.packets == 1 && r.roles == tracker.RoleSyn && !r.midstream
}

// loneLadder draws it.
func (w *pageWriter) loneLadder(r *pageRow) (l page.Ladder, bars [2][]page.Span) {
	life := r.life()
	var now [2]LadderState
	for i := range now {
		now[i].EndState = tracker.EndState{State: r.ends[i].state, Certainty: r.ends[i].certainty}
	}
	sent := [2]LadderState{{EndState: tracker.EndState{State: tracker.SynSent}}, {EndState: tracker.EndState{State: tracker.Listen, Certainty: tracker.Presumed}}}
	l = page.Ladder{ID: recordName(r.ref()), Left: life.Ends[0].Addr.String(), Right: life.Ends[1].Addr.String(), Note: lifeNote(life)}
	l.Rows = []page.Row{{Frame: r.first, Time: ladderTime(0), States: pageStates(sent), Text: "SYN 0", Marks: pageMarksOf(w.marks[r.first])}}
	if now[0] != sent[0] { // it gave up, at a time that is not told: there is no bar
		l.Rows = append(l.Rows, page.Row{Kind: page.Folded, States: pageStates(now), Text: between})
		return l, bars
	}
	b := barPen{start: r.start}
	b.at(0, sent)
	return l, b.spans(w.until(life.End))
}
