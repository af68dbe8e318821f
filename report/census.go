package report

import "tcpstate/tracker"

// census counts the endpoints of a selection by state. For the whole capture
// the tracker counts itself, at less cost.
//
// The counts at the end are those of the lives; the peaks come from the
// transitions, so that CLOSED, where every endpoint begins, has its peak at
// the end.
type census struct {
	now    [tracker.NumStates]uint64
	counts [tracker.NumStates]tracker.StateCount
}

func (c *census) transition(t *tracker.Transition) {
	if t.From == t.To {
		return
	}
	if t.From != tracker.Closed && c.now[t.From] > 0 {
		c.now[t.From]--
	}
	c.now[t.To]++
	if n := &c.counts[t.To]; c.now[t.To] > n.Peak {
		n.Peak, n.PeakTime = c.now[t.To], t.Time
	}
}

func (c *census) life(l *tracker.Life) {
	for i := range l.Ends {
		n := &c.counts[l.Ends[i].State]
		switch l.Ends[i].Certainty {
		case tracker.Confirmed:
			n.Confirmed++
		case tracker.Elapsed:
			n.Elapsed++
		default:
			n.Presumed++
		}
	}
}

// stateCensus names the counts.
func stateCensus(n [tracker.NumStates]tracker.StateCount) []StateCensus {
	l := make([]StateCensus, 0, len(n))
	for s, c := range n {
		x := StateCensus{State: tracker.State(s).String(), Confirmed: c.Confirmed, Presumed: c.Presumed, Elapsed: c.Elapsed, Peak: c.Peak}
		if c.Peak > 0 {
			x.PeakTime = instant(c.PeakTime)
		}
		l = append(l, x)
	}
	return l
}
