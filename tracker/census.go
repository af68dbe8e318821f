package tracker

// census counts endpoints by state as they change.
type census struct {
	t    *Tracker // which leaves the counting to the merger; else nil
	n    [NumStates][3]uint64
	peak [NumStates]uint64
	when [NumStates]int64
	told func(from, to State, at int64) // Observer.Moved
}

// move counts one endpoint's change.
func (c *census) move(from State, fc Certainty, to State, tc Certainty, now int64) {
	if c.t != nil {
		c.note(mk(from, fc), mk(to, tc), now)
		return
	}
	c.n[from][fc]--
	c.count(to, tc, now)
	if c.told != nil {
		c.told(from, to, now)
	}
}

// add counts an endpoint that is new.
func (c *census) add(s State, cert Certainty, now int64) {
	if c.t != nil {
		c.note(noState, mk(s, cert), now)
		return
	}
	c.count(s, cert, now)
	if c.told != nil {
		c.told(NumStates, s, now)
	}
}

// note leaves a move to the merger. One that a segment's arrival makes is of that
// segment's time.
func (c *census) note(from, to step8, now int64) {
	m := &c.t.instant
	if m.phase != arriving {
		c.t.log.rung = append(c.t.log.rung, rung{*m, now})
	}
	c.t.log.moves = append(c.t.log.moves, move{m.pos, from, to, m.phase != arriving})
}

func (c *census) count(s State, cert Certainty, now int64) {
	if c.enter(s, cert) {
		c.when[s] = now
	}
}

// enter counts an endpoint that comes to a state, and reports whether there are as
// many there as never before.
func (c *census) enter(s State, cert Certainty) bool {
	n := &c.n[s]
	n[cert]++
	sum := n[0] + n[1] + n[2]
	if sum <= c.peak[s] {
		return false
	}
	c.peak[s] = sum
	return true
}

// StateCount is one line of the census.
type StateCount struct {
	Confirmed, Presumed, Elapsed uint64 // endpoints now in the state
	Peak                         uint64 // the most at one time
	PeakTime                     int64  // when first reached, ns
}

func (c *census) counts() (out [NumStates]StateCount) {
	for s := range out {
		out[s] = StateCount{Confirmed: c.n[s][Confirmed], Presumed: c.n[s][Presumed], Elapsed: c.n[s][Elapsed], Peak: c.peak[s], PeakTime: c.when[s]}
	}
	return out
}
