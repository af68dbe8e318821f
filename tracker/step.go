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
	st.Scale = windowScale(xe, ye, &st.Segment)
	for i := range st.After {
		st.After[i] = c.shown(c.at(uint8(i)), c.at(uint8(i)^1))
	}
	for i := range changes {
		if n := len(st.Rules); n == 0 || st.Rules[n-1] != changes[i].Rule {
			st.Rules = append(st.Rules, changes[i].Rule)
		}
	}
}

// windowScale is by how many bits the window of a segment from x to y is shifted, -1 where
// nobody saw what the two agreed on. One SYN that offers nothing is enough to know that
// there is nothing; but where x has sent none, it may speak of a connection before.
func windowScale(xe, ye *Endpoint, s *capture.Segment) int8 {
	syn := func(e *Endpoint) bool { return e.is(sentSyn | sentSynAck) }
	switch {
	case s.Flags&capture.SYN != 0:
		return 0
	case !syn(xe):
		return -1
	case !xe.is(scaled), syn(ye) && !ye.is(scaled):
		return 0
	case xe.is(scaled) && ye.is(scaled):
		return int8(xe.scale)
	}
	return -1
}

// shown is the state of an endpoint as people are shown it: one that a SYN is
// on its way to and that has not answered is presumed to LISTEN.
func (c *Conn) shown(e, peer *Endpoint) EndState {
	if e.depth == 0 && e != peer && peer.state() == SynSent && !e.is(cookie) {
		return EndState{Listen, Presumed}
	}
	return EndState{e.state(), e.certainty()}
}

// Apply takes note of one segment and tells what it did. It makes a Conn
// usable by itself: timers run out first, in packet time, as the segment's
// time says. The caller gives segments of one 4-tuple, in order; a segment of
// another one is a mistake of the caller's and is applied all the same.
//
// The slices of the Step are the caller's to keep.
func (c *Conn) Apply(s *capture.Segment) Step {
	cfg := DefaultConfig()
	k := sink{keep: true, cfg: &cfg}
	if c.mode&begun == 0 && c.Key == (capture.Key{}) {
		c.Key, c.continues = s.Key, -1
		if s.Flags&capture.SYN == 0 || odd(s.Flags) {
			c.guessRoles(s, false, false)
		}
	}
	c.expire(&k, s.Time)
	st := c.before(s)
	st.Timers = k.changes
	k.changes = nil
	class := c.apply(&k, s)
	c.done(&st, class, k.changes)
	return st
}

// Expire lets timers run out up to now, ns, and returns what they did.
func (c *Conn) Expire(now int64) []Transition {
	cfg := DefaultConfig()
	k := sink{keep: true, cfg: &cfg}
	c.expire(&k, now)
	return k.changes
}

// End is the best estimate of one end, by side of Key.
func (c *Conn) End(side uint8) EndState {
	return c.shown(c.at(side), c.at(side^1))
}

// Life says everything of the connection so far. What needs the whole capture
// (numbers, Zeek's and Wireshark's summaries) is left empty.
func (c *Conn) Life() Life {
	cfg := DefaultConfig()
	return c.life(&cfg)
}
