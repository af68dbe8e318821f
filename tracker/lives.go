package tracker

import (
	"tcpstate/capture"
)

// number returns the number of the stream that s begins. One of several trackers does not
// know it, and names the stream by the frame.
func (t *Tracker) number(s *capture.Segment) uint64 {
	t.totals.Streams++
	if t.of > 1 {
		t.log.opened = append(t.log.opened, s.Frame)
		return s.Frame
	}
	return t.totals.Streams - 1
}

// enlist counts the endpoints of a life that begins.
func (t *Tracker) enlist(c *Conn, s *capture.Segment) {
	if c.mode&carried == 0 {
		n := 2
		if c.Key.Self() {
			n = 1
		}
		for i := 0; i < n; i++ {
			t.census.add(Closed, Presumed, s.Time)
		}
		if t.obs.Opened != nil {
			t.obs.Opened(&Transition{Time: s.Time, Frame: s.Frame, ID: c.id, Key: c.Key})
		}
	}
	if (s.Flags&capture.SYN == 0 || odd(s.Flags)) && c.mode&rolesFixed == 0 && c.roles == RoleGuess {
		c.guessRoles(s, t.ports.has(&s.Key, 0), t.ports.has(&s.Key, 1))
	}
}

// renumber begins another stream number on the same 4-tuple. States belong to
// the 4-tuple: they carry over, and the segment that began the number says
// what becomes of them.
func (t *Tracker) renumber(e *entry, slot uint32, s *capture.Segment) {
	old := e.conn
	t.report(e, slot)
	n := Conn{Key: old.Key, continues: -1, id: t.number(s), ends: old.ends}
	for i := range n.ends {
		n.ends[i].count = counters{}
		n.ends[i].ttl = 0
	}
	if old.mode&begun != 0 {
		n.mode |= carried
		if !old.settled() {
			n.continues = int64(old.id)
			n.client, n.roles = old.client, old.roles
			n.mode |= old.mode & (midstream | rolesFixed | loneAck)
		}
	} else if old.mode&carried != 0 {
		n.mode |= carried
		n.continues = old.continues
	}
	e.conn = n // with its timers: the alarm that stands for them goes on
	e.zeek.release(&t.spill)
	e.zeek = zeekConn{}
}

// settled reports that nothing of the life goes on: each end is CLOSED or in
// TIME-WAIT.
func (c *Conn) settled() bool {
	for i := range c.ends {
		if s := c.ends[i].state(); s != Closed && s != TimeWait {
			return false
		}
	}
	return true
}

// livesAgain reports a SYN with the ISN of a life that is over: Wireshark
// keeps its number.
func (c *Conn) livesAgain(s *capture.Segment) bool {
	if s.Flags&(capture.SYN|capture.ACK|capture.RST|capture.FIN) != capture.SYN || s.Mark&(capture.Quoted|capture.Unselected) != 0 {
		return false
	}
	x := c.at(s.Side)
	if !x.sp.HasISS || uint32(x.sp.ISS) != s.Seq || !c.settled() || s.Time-c.last <= copyWithin {
		return false
	}
	return x.is(sentRst) && x.certainty() == Confirmed || x.passed(LastAck) || x.passed(TimeWait)
}

// again begins another incarnation under the same number.
//
// fresh: it lives again, with the same ISN. Otherwise it is what came after
// the life was reported: states and spaces go on.
func (t *Tracker) again(e *entry, slot uint32, fresh bool) {
	old := e.conn
	t.report(e, slot)
	n := Conn{Key: old.Key, continues: -1, id: old.id, incarnation: old.incarnation + 1, ends: old.ends, mode: carried}
	if !fresh {
		n.client, n.roles = old.client, old.roles
		n.mode |= old.mode & (midstream | rolesFixed)
		if old.mode&unfinished != 0 {
			n.mode |= resumes
			n.was = old.was
		}
	}
	for i := range n.ends {
		n.ends[i].count = counters{}
		if fresh {
			n.ends[i].sp.HasISS = false
		}
	}
	e.conn = n // with its timers: the alarm that stands for them goes on
	e.zeek.release(&t.spill)
	e.zeek = zeekConn{}
}

// report tells of a life that is over. What is written down of it is forgotten,
// but for what may become context, unless the life is about to be folded.
func (t *Tracker) report(e *entry, slot uint32) {
	if e.conn.mode&begun != 0 && e.conn.mode&reported == 0 {
		e.conn.mode |= reported
		if t.obs.Case != nil || t.obs.Life != nil {
			t.last = t.life(e)
			t.tell(&t.last, e, slot)
			if t.obs.Life != nil {
				t.obs.Life(&t.last)
			}
		}
	}
	if t.obs.Case != nil && e.conn.mode&folded == 0 {
		t.books.at(slot).clear(&t.trails)
	}
}

// life says everything of the connection.
func (t *Tracker) life(e *entry) Life {
	l := e.conn.life(&t.cfg)
	l.Completeness = e.whole.Value()
	if t.obs.Zeek {
		l.ZeekState, l.ZeekHistory = e.zeek.state(&t.spill), e.zeek.hist(&t.spill)
	}
	return l
}
