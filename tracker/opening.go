package tracker

import (
	"tcpstate/capture"
	"tcpstate/reassembly"
)

// syn: x sent a SYN without ACK.
func (c *Conn) syn(k *sink, s *capture.Segment, x, y uint8) {
	xe, ye := c.at(x), c.at(y)
	iss := reassembly.Seq(s.Seq)
	same := xe.sp.HasISS && xe.sp.ISS == iss
	c.role(x, RoleSyn)
	switch st := xe.state(); {
	case same && xe.is(sentSyn) && st != Closed && k.now-xe.synAt <= xe.rtt+slack:
		// The network's copy of the SYN proves nothing.
	case st == SynSent && same:
		// A retransmission. If the SYN was doubted, it is real.
		c.enter(k, x, SynSent, Confirmed, RuleSynAgain)
		xe.has &^= oldSyn
		xe.again(k)
	case same && st == SynReceived && !xe.is(sentSynAck):
		// It repeats the SYN instead of sending SYN,ACK: the peer's did not arrive.
		if k.now-ye.synAt > xe.reach() {
			c.revoke(k, x, SynSent, RuleSynAgain)
		}
		xe.again(k)
	case same && st == Established && !xe.is(spoke):
		// The SYN,ACK seen on its way did not arrive.
		if k.now-ye.synAt > xe.reach() && c.revoke(k, x, SynSent, RuleSynAgain) {
			xe.again(k)
		}
	case same && st == Closed && !xe.is(sentRst):
		// Refused, or silent past its time, and still trying.
		if xe.is(gotRst) && k.now-xe.closedAt <= xe.reach() {
			break // a duplicate of the SYN that was refused
		}
		if c.revoke(k, x, SynSent, RuleSynAfterRefusal) {
			xe.has &^= gotRst
			ye.has &^= sentRst
			c.notes.reopen()
			xe.again(k)
		} else if xe.depth == 0 {
			c.activeOpen(k, s, x, Confirmed)
		}
	case same && (st != Closed && st != TimeWait):
		// A duplicate, or the network's copy of an old SYN.
	case st.Synchronised() && st != TimeWait && xe.sp.Known && iss.Less(xe.sp.Nxt):
		// Stale or forged: the receiver answers with a challenge ACK (RFC 5961 section 4).
	case st == SynSent || st == SynReceived && !xe.is(spoke):
		c.activeOpen(k, s, x, Confirmed)
	case xe.sp.Known && iss.Less(xe.sp.Nxt):
		c.activeOpen(k, s, x, Presumed)
	default:
		c.activeOpen(k, s, x, Confirmed)
	}
	if xe.sp.HasISS && xe.sp.ISS == iss && ye != xe {
		ye.has |= provoked
		ye.await(iss.Add(1+s.Len), k.now)
	}
	// Delivery: only an endpoint that sent a SYN itself moves (RFC 9293
	// section 3.5, figure 7). The other may drop it; its answer tells.
	if xe.state() == SynSent && ye.state() == SynSent && xe.sp.ISS == iss {
		c.receive(k, x, recvSynCrossed)
		if ye != xe {
			c.receive(k, y, recvSynCrossed)
		}
	}
}

// activeOpen begins a life of x with its SYN (RFC 9293 section 3.10.1).
func (c *Conn) activeOpen(k *sink, s *capture.Segment, x uint8, cert Certainty) {
	xe, ye := c.at(x), c.at(x^1)
	if cert == Presumed {
		// It may be a forged or old SYN: what was known stays underneath.
		xe.has |= oldSyn
		xe.sp.Open(reassembly.Seq(s.Seq), s.Len)
		c.enter(k, x, SynSent, Presumed, RuleSynOld)
	} else {
		xe.fresh()
		xe.sp.Open(reassembly.Seq(s.Seq), s.Len)
		c.begin(k, x, SynSent, Confirmed, RuleSyn)
	}
	c.learn(xe, s)
	xe.has |= sentSyn
	if s.Len > 0 {
		xe.has |= dataSyn
	}
	xe.has &^= sentRst | gotRst | ackedFin | finHeard | finTaken | finCarried
	if ye != xe {
		ye.has &^= ackedFin
	}
	xe.synAt, xe.gap = k.now, second
	more(&xe.count.syns)
	xe.arm(timerSyn, k.now+late(xe.gap))
}

// again notes a repeated SYN: the next is due after at most twice the interval.
func (e *Endpoint) again(k *sink) {
	if d := k.now - e.synAt; d > 0 {
		e.gap = twice(d)
	}
	e.synAt = k.now
	more(&e.count.syns)
	if s := e.state(); s == SynSent {
		e.arm(timerSyn, k.now+late(e.gap))
	}
}

// synAck: x sent SYN,ACK.
func (c *Conn) synAck(k *sink, s *capture.Segment, x, y uint8) {
	xe, ye := c.at(x), c.at(y)
	iss, ack := reassembly.Seq(s.Seq), reassembly.Seq(s.Ack)
	same := xe.sp.HasISS && xe.sp.ISS == iss
	c.role(y, RoleSynAck)
	if !ye.sp.Known {
		// The SYN was before the capture, or on another path.
		ye.sp.Open(ack-1, 0)
		c.begin(k, y, SynSent, Presumed, RuleSynUnseen)
	}
	fast := ye.is(dataSyn) && ack.Diff(ye.sp.ISS) > 1
	switch st := xe.state(); {
	case same && xe.is(sentSynAck) && k.now-xe.synAt <= xe.rtt+slack:
		// The network's copy proves nothing.
	case same && xe.is(sentSyn) && (st == SynSent || st == SynReceived):
		// The SYN again, now with the acknowledgment of the peer's (RFC 9293 section 3.5, figure 7).
		c.send(k, x, sendSynCrossed, Confirmed)
		xe.has |= sentSynAck
	case same && st == SynReceived:
		c.synAckAgain(k, xe, x)
	case same && (st == Established || st == CloseWait) && !xe.is(spoke):
		if xe.synAckAt != 0 && k.now-xe.synAckAt > xe.reach() {
			// It would not repeat the SYN,ACK had it taken the ACK.
			if xe.is(demoted) || ye.is(sentData) {
				xe.has |= stuck
			}
			xe.has |= demoted
			c.revoke(k, x, SynReceived, RuleSynAckDemote)
			c.enter(k, x, SynReceived, Confirmed, RuleSynAckDemote)
			xe.has &^= finHeard
			if ye.is(finTaken) && !xe.is(ackedFin) {
				ye.has &^= finTaken
			}
			c.synAckAgain(k, xe, x)
		}
	case same && st == Closed && !xe.is(sentRst|gotRst) && xe.is(sentSynAck):
		// Silent past its time, or taken for a cookie, and still trying.
		if xe.depth > 0 {
			c.revoke(k, x, SynReceived, RuleSynAckAgain)
		}
		c.enter(k, x, SynReceived, Confirmed, RuleSynAckAgain)
		xe.has &^= cookie
		c.synAckAgain(k, xe, x)
	case same:
	case st.Synchronised() && st != SynReceived && st != TimeWait && ye.state() != SynSent:
		// Nobody asked: a stray.
	default:
		cert := Presumed
		if fast {
			cert = Confirmed
		}
		again := st == SynReceived
		xe.fresh()
		xe.sp.Open(iss, s.Len)
		c.learn(xe, s)
		if again {
			// Another ISN for the same SYN: a cookie, or a second server.
			c.enter(k, x, SynReceived, cert, RuleSynAck)
		} else {
			c.begin(k, x, SynReceived, cert, RuleSynAck)
		}
		xe.has |= sentSynAck
		if fast {
			xe.has |= fastOpen
		}
		ye.has &^= ackedFin
		xe.synAt, xe.gap = k.now, second
		more(&xe.count.synAcks)
		xe.arm(timerSynAck, k.now+late(xe.gap))
	}
	// Delivery, if it acknowledges y's SYN (RFC 9293 section 3.10.7.3, first check).
	valid := ye.sp.HasISS && ye.sp.ISS.Less(ack) && ack.LessEq(ye.sp.Nxt)
	if valid {
		xe.sample(ack, k.now)
		ye.sp.Acked(ack)
		c.offer(xe, ye, s)
	}
	if ye != xe {
		ye.await(iss.Add(1), k.now)
	}
	if valid && (ye.state() == SynSent || ye.state() == SynReceived && ye.is(sentSyn)) {
		c.receive(k, y, recvSynAck)
		ye.synAckAt = k.now
	}
}

// synAckAgain notes a repeated SYN,ACK. One that no SYN provoked comes from a
// timer: there is state behind it, no cookie (RFC 4987 section 3.6).
func (c *Conn) synAckAgain(k *sink, xe *Endpoint, x uint8) {
	if xe.is(provoked) {
		// An answer to a repeated SYN; Linux rewinds its timer with it (inet_rtx_syn_ack in
		// tcp_check_req). Where that SYN came later than the timer was due, the timer may have run
		// out as well: then the next repeat is due after twice the interval.
		if k.now-xe.synAt > xe.gap {
			xe.gap = twice(xe.gap)
		}
		xe.synAt = k.now
	} else {
		if d := k.now - xe.synAt; d > 0 {
			xe.gap = twice(d)
		}
		xe.synAt = k.now
		xe.has |= repeated
		if xe.state() == SynReceived {
			c.enter(k, x, SynReceived, Confirmed, RuleSynAckAgain)
		}
	}
	xe.has &^= provoked
	more(&xe.count.synAcks)
	if xe.state() == SynReceived {
		xe.arm(timerSynAck, k.now+late(xe.gap))
	}
}

// role takes x for the client, if nothing better is known.
func (c *Conn) role(x uint8, why RoleReason) {
	if c.mode&rolesFixed != 0 || c.roles >= why && c.roles != RoleGuess && why != RoleSyn {
		return
	}
	c.client, c.roles = x, why
	if why == RoleSyn {
		c.mode |= rolesFixed
	}
}

// more counts one more, as far as it goes.
func more(n *uint16) {
	if *n < 1<<16-1 {
		*n++
	}
}
