package report

import (
	"tcpstate/report/page"
	"tcpstate/tracker"
)

// barPen makes of the rows of a ladder what each end's state was over time.
type barPen struct {
	start int64 // ns, of the ladder
	bars  [2][]page.Span
	now   [2]tracker.EndState
	begun bool
}

// at says that both ends are in these states from a time after start on.
func (b *barPen) at(after int64, states [2]LadderState) {
	t := b.start + after
	for i := range states {
		s := states[i].EndState
		if b.begun && s == b.now[i] {
			continue
		}
		if n := len(b.bars[i]); n > 0 {
			t = max(t, b.bars[i][n-1].From) // where the capture's time runs back
			b.bars[i][n-1].To = t
		}
		b.bars[i] = append(b.bars[i], page.Span{From: t, To: t, State: pageState(s)})
		b.now[i] = s
	}
	b.begun = true
}

// spans are the bars of both ends up to a time, without what took no time, and without
// the CLOSED that comes after all.
func (b *barPen) spans(until int64) (bars [2][]page.Span) {
	for i, l := range b.bars {
		for j, s := range l {
			last := j == len(l)-1
			if last && (j == 0 || b.now[i].State != tracker.Closed) {
				s.To = max(until, s.From)
			}
			if s.To > s.From {
				bars[i] = append(bars[i], s)
			}
		}
	}
	return bars
}

func pageState(s tracker.EndState) page.State {
	return page.State{Name: s.State.String(), Certainty: s.Certainty.String()}
}

func pageStates(s [2]LadderState) [2]page.State {
	return [2]page.State{pageState(s[0].EndState), pageState(s[1].EndState)}
}
