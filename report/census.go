package report

import (
	"tcpstate/capture"
	"tcpstate/tracker"
)

// census counts the endpoints of a selection by state. For the whole capture
// the tracker counts itself, at less cost.
//
// The counts at the end are those of the lives; the peaks come from the
// transitions, and from where 4-tuples begin, with both ends in CLOSED. In a report
// window the peaks are those inside it, of everything that came into a state before
// it or in it.
type census struct {
	now    [tracker.NumStates]uint64
	counts [tracker.NumStates]tracker.StateCount
	inside bool // the window has begun
	// ends are the endpoints of each 4-tuple as its last life left them: one
	// that goes on under another number is still one endpoint.
	ends map[capture.Key][2]endState
	most int // how many of these are remembered; 0 for all
	// series is told of what changes inside; nil if nobody wants one.
	series *series
}

// censusMost bounds what is remembered of a live capture, which may go on for ever: at
// some 100 octets each.
const censusMost = 1 << 16

type endState struct {
	state tracker.State
	cert  tracker.Certainty
}

func (c *census) transition(t *tracker.Transition, w window) {
	if t.From != t.To {
		c.move(t.From, t.To, t.Time, w)
	}
}

// opened counts the ends of a 4-tuple that is new; it has one if it talks to itself.
func (c *census) opened(at int64, self bool, w window) {
	c.move(tracker.NumStates, tracker.Closed, at, w)
	if !self {
		c.move(tracker.NumStates, tracker.Closed, at, w)
	}
}

// move takes an endpoint from one state to another; from is tracker.NumStates for one
// that is new.
func (c *census) move(from, to tracker.State, at int64, w window) {
	if at > w.until {
		return
	}
	if !c.inside && at >= w.since {
		c.enter(w.since)
	}
	if from < tracker.NumStates {
		if c.now[from] > 0 {
			c.now[from]--
		} else {
			from = tracker.NumStates // it came there before the window, or under a number that is not selected
		}
	}
	c.now[to]++
	if !c.inside {
		return
	}
	if n := &c.counts[to]; c.now[to] > n.Peak {
		n.Peak, n.PeakTime = c.now[to], at
	}
	if c.series != nil {
		c.series.move(from, to, at)
	}
}

// enter begins the window: what stands then is the first peak. CLOSED is left
// out, for most of those lives were over before.
func (c *census) enter(at int64) {
	c.inside = true
	c.now[tracker.Closed] = 0
	for s, n := range c.now {
		if n > 0 {
			c.counts[s].Peak, c.counts[s].PeakTime = n, at
		}
	}
	if c.series != nil {
		c.series.begin(at, &c.now)
	}
}

func (c *census) life(l *tracker.Life) {
	if c.ends == nil {
		c.ends = map[capture.Key][2]endState{}
	}
	var e [2]endState
	for i := range l.Ends {
		e[i] = endState{l.Ends[i].State, l.Ends[i].Certainty}
	}
	c.ends[l.Key] = e
	if c.most > 0 && len(c.ends) > c.most {
		c.forget()
	}
}

// forget counts for good the endpoints of what is over, which the tracker of a live
// capture forgets, too; and all others where these are few.
func (c *census) forget() {
	for k, ends := range c.ends {
		if ends[0].state == tracker.Closed && ends[1].state == tracker.Closed {
			c.tuple(k, ends)
			delete(c.ends, k)
		}
	}
	if len(c.ends) > c.most/2 {
		for k, ends := range c.ends {
			c.tuple(k, ends)
		}
		clear(c.ends)
	}
}

// final are the counts of a capture whose last frame was at last.
func (c *census) final(w window, last int64) [tracker.NumStates]tracker.StateCount {
	if !c.inside {
		c.enter(w.since)
	}
	for k, ends := range c.ends {
		c.tuple(k, ends)
	}
	// In a window there may be more that were CLOSED before it.
	x := &c.counts[tracker.Closed]
	if n := x.Confirmed + x.Presumed + x.Elapsed; n > x.Peak {
		x.Peak, x.PeakTime = n, last
	}
	return c.counts
}

// tuple counts the endpoints of a 4-tuple.
func (c *census) tuple(k capture.Key, ends [2]endState) {
	n := len(ends)
	if k.Self() {
		n = 1 // it talks to itself
	}
	for _, e := range ends[:n] {
		c.count(e)
	}
}

func (c *census) count(e endState) {
	n := &c.counts[e.state]
	switch e.cert {
	case tracker.Confirmed:
		n.Confirmed++
	case tracker.Elapsed:
		n.Elapsed++
	default:
		n.Presumed++
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
