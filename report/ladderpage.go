package report

import (
	"strings"

	"tcpstate/report/detect"
	"tcpstate/report/page"
	"tcpstate/tracker"
)

// page is the ladder as an HTML page shows it. Its ID and what it leaves out are for who
// makes the page to say.
func (l *Ladder) page() page.Ladder {
	p := page.Ladder{
		ID:   recordName(l.ref()),
		Left: l.Left.String(), Right: l.Right.String(), Note: Printable(l.Note),
		Rows: make([]page.Row, len(l.Rows)),
	}
	for i := range l.Rows {
		r := &l.Rows[i]
		x := page.Row{
			Frame: r.Segment.Frame, Time: ladderTime(r.Segment.Time), Revoked: r.Revoked,
			Text: l.rowText(r), Class: r.Class, Why: strings.Join(r.whyInFull(), "; "), Marks: r.Marks,
		}
		switch {
		case r.Folded != nil:
			x.Kind, x.Frame = page.Folded, 0
		case r.Timer():
			x.Kind = page.Timer
		case l.toLeft(r):
			x.Kind = page.ToLeft
		}
		for side, s := range r.States {
			x.States[side] = page.State{Name: s.State.String(), Certainty: s.Certainty.String()}
			if s.Certainty == tracker.Revoked {
				x.States[side].Certainty = tracker.Presumed.String()
			}
		}
		p.Rows[i] = x
	}
	return p
}

func (l *Ladder) ref() detect.Ref { return detect.Ref{ID: l.Stream, Incarnation: l.Incarnation} }
