package tracker

import (
	"tcpstate/capture"
	"tcpstate/reassembly"
)

// unheardAfter is how much longer than a round trip a FIN may go unacknowledged
// before its repetition shows that it was lost: a delayed acknowledgment takes
// 40 ms (oracle 02_server_close), an RTO at least 200 ms on Linux.
const unheardAfter = 150 * ms

// deliver presumes what a segment of x that is neither SYN nor RST does to y,
// if y would accept it: acknowledgment first, then FIN (RFC 9293 section
// 3.10.7.4, fifth and eighth step).
func (c *Conn) deliver(k *sink, s *capture.Segment, x, y uint8, end reassembly.Seq, fin, finAgain, covers bool) {
	xe, ye := c.at(x), c.at(y)
	ack := reassembly.Seq(s.Ack)
	xe.sample(ack, k.now)
	if c.ackValid(ye, ack) {
		ye.sp.Acked(ack)
		c.offer(xe, ye, s)
	}
	if s.SeqLen() > 0 && ye != xe {
		ye.await(end, k.now)
	}
	if finAgain && ye != xe {
		c.redeliver(k, xe, ye, y)
	}
	if ye.state() == SynReceived && ye.sp.HasISS && ye.sp.ISS.Less(ack) && ack.LessEq(ye.sp.Nxt) {
		if ye.synAckAt == 0 {
			ye.synAckAt = k.now
		}
		if !ye.is(stuck) {
			c.receive(k, y, recvAckOfSyn)
		}
	}
	if ye.sp.HasFin && ye.sp.Fin.Less(ack) {
		c.hearFin(k, ye, y, k.now)
	}
	if fin && covers {
		xe.has |= finCarried
	}
	if xe.sp.FinInOrder() && !xe.is(finTaken) && !xe.is(finVirtual) {
		c.takeFin(k, xe, ye, y)
	}
	if s.Len > 0 || fin {
		c.expectAnswer(k, ye)
	}
}

// ackValid reports whether an acknowledgment can be one of e's present
// sequence space: a challenge ACK to a new SYN still names the old one.
func (c *Conn) ackValid(e *Endpoint, ack reassembly.Seq) bool {
	if !e.sp.HasISS {
		return true
	}
	if e.state() == SynSent {
		return e.sp.ISS.Less(ack) && ack.LessEq(e.sp.Nxt)
	}
	return e.sp.AfterISS(ack) && ack.Diff(e.sp.Nxt) < 1<<28
}

// hearFin: an acknowledgment of y's FIN, seen at the time at, reaches y.
func (c *Conn) hearFin(k *sink, ye *Endpoint, y uint8, at int64) {
	if !ye.is(finHeard) {
		ye.has |= finHeard
		ye.finAckAt = at
	}
	c.receive(k, y, recvAckOfFin)
}

// takeFin: x's FIN, in order, reaches y.
func (c *Conn) takeFin(k *sink, xe, ye *Endpoint, y uint8) {
	if ye.state() == SynReceived && ye.is(stuck) {
		return
	}
	if c.receive(k, y, recvFin) {
		xe.has |= finTaken
	}
}

// redeliver: x repeats its FIN. One that y never acknowledged was lost, so
// that the repeat is delivered anew; one that reaches TIME-WAIT restarts it.
func (c *Conn) redeliver(k *sink, xe, ye *Endpoint, y uint8) {
	if ye.state() == TimeWait && ye.is(ackedFin) {
		ye.twSince = k.now
		ye.arm(timerTimeWait, k.now+int64(k.cfg.TimeWait))
		return
	}
	if k.sparse {
		return // the acknowledgment may have been filtered out
	}
	if xe.is(finTaken) && !ye.is(ackedFin) && k.now-xe.finAt > ye.reach()-slack+unheardAfter {
		c.unhear(k, y, xe, RuleFinUnheard)
	}
}

// How long after its SYN,ACK, and after what asks for an answer, one is owed.
const (
	cookieAfterSyn = 1100 * ms
	cookieAfter    = 600 * ms
)

// expectAnswer arms the cookie rule: a server that never repeated its SYN,ACK
// and sent nothing else owes an answer to data or a FIN (states.md, elapsed).
func (c *Conn) expectAnswer(k *sink, ye *Endpoint) {
	if !ye.is(sentSynAck) || ye.is(spoke|repeated|cookie) || ye.state() == Closed {
		return
	}
	due := max(ye.synAt+cookieAfterSyn, k.now+cookieAfter)
	if ye.timer != timerCookie {
		ye.arm(timerCookie, due)
	}
}
