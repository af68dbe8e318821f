package tracker

// census counts endpoints by state as they change.
type census struct {
	t    *Tracker // a worker, which leaves the counting to the merger; else nil
	n    [NumStates][3]uint64
	peak [NumStates]uint64
	when [NumStates]int64
}

// move counts one endpoint's change.
func (c *census) move(from State, fc Certainty, to State, tc Certainty, now int64) {
	if c.t != nil {
		c.t.log.moves = append(c.t.log.moves, move{c.t.instant, now, mk(from, fc), mk(to, tc)})
		return
	}
	c.n[from][fc]--
	c.count(to, tc, now)
}

// add counts an endpoint that is new.
func (c *census) add(s State, cert Certainty, now int64) {
	if c.t != nil {
		c.t.log.moves = append(c.t.log.moves, move{c.t.instant, now, noState, mk(s, cert)})
		return
	}
	c.count(s, cert, now)
}

func (c *census) count(s State, cert Certainty, now int64) {
	n := &c.n[s]
	n[cert]++
	if sum := n[0] + n[1] + n[2]; sum > c.peak[s] {
		c.peak[s], c.when[s] = sum, now
	}
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
