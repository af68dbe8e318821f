package tracker

import (
	"tcpstate/capture"
	"tcpstate/reassembly"
)

// before takes both ends' states as they are before the segment.
func (c *Conn) before(s *capture.Segment) Step {
	st := Step{Segment: *s, ID: c.id}
	for i := range st.Before {
		e := c.at(uint8(i))
		st.Before[i] = c.shown(e, c.at(uint8(i)^1))
	}
	return st
}

// done fills in what the segment did.
func (c *Conn) done(st *Step, class reassembly.Class, changes []Transition) {
	st.Class = class
	st.Client = c.client
	st.Changes = changes
	xe, ye := c.at(st.Segment.Side), c.at(st.Segment.Side^1)
	st.RelSeq = st.Segment.Seq - uint32(xe.sp.ISS)
	if st.Segment.Flags&capture.ACK != 0 {
		st.RelAck = st.Segment.Ack - uint32(ye.sp.ISS)
	}
	for i := range st.After {
		st.After[i] = c.shown(c.at(uint8(i)), c.at(uint8(i)^1))
	}
	for i := range changes {
		if n := len(st.Rules); n == 0 || st.Rules[n-1] != changes[i].Rule {
			st.Rules = append(st.Rules, changes[i].Rule)
		}
	}
}

// shown is the state of an endpoint as people are shown it: one that a SYN is
// on its way to and that has not answered is presumed to LISTEN.
func (c *Conn) shown(e, peer *Endpoint) EndState {
	if e.depth == 0 && e != peer && peer.state() == SynSent && !e.is(cookie) {
		return EndState{Listen, Presumed}
	}
	return EndState{e.state(), e.certainty()}
}
