package tracker

import (
	"tcpstate/capture"
	"tcpstate/reassembly"
)

// plain: x sent a segment that is neither SYN nor RST.
func (c *Conn) plain(k *sink, s *capture.Segment, x, y uint8) {
	xe, ye := c.at(x), c.at(y)
	if !c.pickUp(k, s, x, y) {
		return
	}
	seq, ack := reassembly.Seq(s.Seq), reassembly.Seq(s.Ack)
	fin := s.Flags&capture.FIN != 0
	end := seq.Add(s.SeqLen())

	if !c.ackValid(ye, ack) || xe.sp.HasISS && xe.sp.BeforeISS(seq) {
		// Of an earlier life, or a challenge ACK that names one: it knows
		// nothing of a SYN that was doubted.
		if xe.is(oldSyn) && c.cutBelow(k, x, SynSent, RuleSynOldRefused) {
			xe.has &^= oldSyn
		}
		return
	}
	c.beganUnseen(k, xe, ye, y)
	c.notClosedBefore(k, s, x)
	again := c.speaks(k, s, xe, ye, x)

	// What x acknowledges of y's FIN, and whether the FIN is its first.
	covers := ye.sp.HasFin && ye.sp.Fin.Less(ack)
	firstCover := covers && !xe.is(ackedFin)
	finAgain := fin && xe.sp.HasFin && xe.sp.Fin == end-1 && !xe.is(finVirtual)
	firstFin := fin && !finAgain
	if sig := finSig(s); finAgain && sig == xe.finSig && sig != 0 {
		finAgain = false // the network's copy of the FIN, not its sender's
	} else if fin {
		xe.finSig = sig
	}

	c.proven(k, s, xe, ye, x, firstCover || firstFin)
	if ye.is(finTaken) && !covers && !xe.is(ackedFin) && k.now-ye.finLast > xe.reach() {
		// It must have arrived by now and did not.
		c.unhear(k, x, ye, RuleAckShort)
	}
	if !fin && s.Len == 0 && !xe.sp.HasFin && xe.lastAt != 0 && seq == xe.sp.Nxt+1 && (xe.state() == Established || xe.state() == CloseWait) {
		c.finLost(k, x, y, covers, firstCover)
		firstCover = false
	}
	if xe.is(finVirtual) && s.Len > 0 && seq.LessEq(xe.sp.Fin) && xe.sp.Fin.Less(end) {
		// What was taken for a lost FIN was an octet of data.
		xe.has &^= finVirtual
		xe.sp.HasFin = false
		c.revoke(k, x, CloseWait, RuleFinLostNot)
		c.revoke(k, x, Established, RuleFinLostNot)
		if covers {
			c.enter(k, x, CloseWait, Confirmed, RuleAckFin)
		}
	}
	// settled: nothing of x is under way or waits for window, so that a FIN of
	// its would have been seen.
	settled := s.Len == 0 && seq == xe.sp.Nxt && xe.sp.Una == xe.sp.Nxt && ye.wnd != 0
	if xe.sp.HasFin {
		settled = true
	}
	if covers && !firstCover && !fin && settled && xe.presumed(CloseWait) && c.mode&midstream == 0 {
		c.enter(k, x, CloseWait, Confirmed, RuleAckFin)
	}
	if finAgain {
		c.finAgain(k, xe, ye, x)
	}
	if firstCover && !firstFin && c.closedBefore(k, xe, ye) {
		c.closeBefore(k, x)
	} else if firstCover {
		c.coversFin(k, xe, ye, x, firstFin, settled)
	}
	if firstFin {
		inTime := !firstCover || k.now-ye.finAt <= xe.reach()+unheardAfter
		c.sendsFin(k, xe, ye, x, covers, inTime && xe.sp.Una == seq)
	}
	if firstFin && s.Len == 0 && xe.sp.HasUna && xe.sp.Una == seq {
		xe.has |= finAlone
	}
	if firstFin || finAgain {
		xe.finSeen(k.now, finAgain)
	}
	if xe.sp.Send(seq, end, fin) {
		k.joined++
	}
	c.deliver(k, s, x, y, end, fin, finAgain, covers)
	if fin && !xe.is(finHeard) && xe.is(finRepeated) && ye.ackAt[0] != 0 && k.now-ye.ackAt[0] <= xe.reach() && xe.sp.Fin.Less(ye.acks[0]) {
		// A later acknowledgment of its FIN was already on its way.
		c.hearFin(k, xe, x, ye.ackAt[0])
	}
	if again && xe.state() != Closed {
		// Its segment was already on its way when the RST came.
		c.enter(k, x, Closed, Presumed, RuleRstDelivered)
	}
}

// beganUnseen: x leaves SYN-SENT by an acknowledgment, which only a SYN,ACK lets
// it send (RFC 9293 section 3.10.7.3). If y's last SYN is older than x's, the
// capture missed that SYN,ACK, and what is known of y belongs to a life before:
// its FIN must not be taken for one of this life.
func (c *Conn) beganUnseen(k *sink, xe, ye *Endpoint, y uint8) {
	if xe == ye || xe.state() != SynSent || !ye.sp.Known || ye.synAt >= xe.synAt {
		return
	}
	switch ye.state() {
	case Closed:
	case TimeWait:
		c.enter(k, y, Closed, Presumed, RuleNewLife)
	default:
		return
	}
	ye.fresh()
}

// finSig tells a repeated FIN from the network's copy of it: the sender's has
// another timestamp and IP identification. 0 if neither is there to tell.
func finSig(s *capture.Segment) uint64 {
	sig := uint64(s.IPID)
	if s.Opts&capture.OptTS != 0 {
		sig |= uint64(s.TSVal) << 16
	}
	return sig
}

// pickUp begins a connection in mid-stream. It reports whether the segment is
// to be looked at further.
func (c *Conn) pickUp(k *sink, s *capture.Segment, x, y uint8) bool {
	xe, ye := c.at(x), c.at(y)
	if xe.sp.HasISS || ye.sp.HasISS || c.mode&midstream != 0 || xe.depth > 0 || ye.depth > 0 {
		return true
	}
	if s.Len == 0 && s.Flags&capture.FIN == 0 && c.mode&loneAck == 0 {
		// A lone ACK opens nothing (states.md): a scan, or the tail of a
		// connection that closed before the capture.
		c.mode |= loneAck
		xe.sp.Send(reassembly.Seq(s.Seq), reassembly.Seq(s.Seq), false)
		ye.sp.AdoptAck(reassembly.Seq(s.Ack))
		return false
	}
	c.mode &^= loneAck
	c.mode |= midstream
	c.notes.reopen() // a RST before it ended something else
	c.enter(k, x, Established, Presumed, RuleMidstream)
	if ye != xe {
		c.enter(k, y, Established, Presumed, RuleMidstream)
	}
	if !xe.sp.Known {
		xe.sp.Adopt(reassembly.Seq(s.Seq))
	}
	if !ye.sp.Known {
		ye.sp.AdoptAck(reassembly.Seq(s.Ack))
	}
	return true
}

// speaks revokes a CLOSED that x contradicts by sending. It reports whether
// the peer's RST is to close it again after this segment.
func (c *Conn) speaks(k *sink, s *capture.Segment, xe, ye *Endpoint, x uint8) (again bool) {
	if xe.state() != Closed || xe.depth == 0 {
		return false
	}
	switch {
	case xe.is(sentRst):
		// Segments from before the RST may have been overtaken by it. After a
		// round trip what goes beyond its number was sent later; what does
		// not may still be a copy that the network held up.
		wait := xe.reach()
		if xe.certainty() == Confirmed {
			wait = max(3*xe.rtt, 100*ms)
		}
		if xe.certainty() == Confirmed && reassembly.Seq(s.Seq).Add(s.SeqLen()).LessEq(xe.rstSeq) {
			wait = max(second, 4*xe.rtt)
		}
		if k.now-xe.closedAt <= wait {
			return false
		}
		if xe.certainty() == Confirmed {
			c.disown(k, x)
		} else {
			c.cut(k, x, xe.depth-1, RuleTalksAfterOwnRst)
		}
		xe.has &^= sentRst
		c.notes.reopen()
	case xe.is(gotRst):
		again = k.now-xe.closedAt <= xe.reach()
		if c.cut(k, x, xe.depth-1, RuleTalksAfterRst) && !again {
			xe.has &^= gotRst
			if xe.deaf < 255 {
				xe.deaf++
			}
			if !ye.is(sentRst) {
				c.notes.reopen() // nobody is CLOSED by it; else its sender still is
			}
		}
	case xe.is(timedOut):
		if c.cut(k, x, xe.depth-1, RuleTalksAfterTimer) {
			xe.has &^= timedOut
		}
	}
	return again
}

// disown takes back a CLOSED that x's own RST confirmed: x talks on, so the
// RST was not its own (RuleTalksAfterOwnRst). This is the one way in which a
// confirmed state falls, by forgery.
func (c *Conn) disown(k *sink, x uint8) {
	e := c.at(x)
	e.path[e.depth-1] = mk(Closed, Presumed)
	if k.census != nil {
		k.census.move(Closed, Confirmed, Closed, Presumed, k.now)
	}
	c.cut(k, x, e.depth-1, RuleTalksAfterOwnRst)
}

// proven: a segment that is neither SYN nor RST shows that x is synchronised.
// more says that the same segment proves a later state, which then is the
// confirmed one.
func (c *Conn) proven(k *sink, s *capture.Segment, xe, ye *Endpoint, x uint8, more bool) {
	if xe.is(fastOpen) && !xe.sp.SynAcked() && ye != xe {
		return // a fast-open server may send before the handshake's ACK (RFC 7413 section 4.2)
	}
	if s.SeqLen() == 0 && xe.state() == SynReceived && xe.sp.HasISS && !xe.sp.SynAcked() && !more {
		return // a bare ACK answers an unacceptable segment even before the handshake's ACK came (Linux tcp_check_req)
	}
	cert := Confirmed
	if more || c.mode&midstream != 0 {
		cert = Presumed
	}
	switch st := xe.state(); {
	case st == Established && xe.certainty() == Confirmed:
		// Nearly every segment: nothing that the table would not know.
	case st == SynSent, st == SynReceived, st == Established:
		c.send(k, x, sendAny, cert)
	case st == Closed:
		if xe.is(cookie) {
			c.send(k, x, sendAny, cert)
			xe.has &^= cookie
		}
	default:
		if !more && c.mode&midstream == 0 {
			xe.prove(Established)
		}
	}
	xe.has |= spoke
	xe.has &^= stuck | oldSyn
	if xe.timer == timerCookie {
		xe.disarm()
	}
}

// unhear takes back that y's FIN was delivered to x.
func (c *Conn) unhear(k *sink, x uint8, ye *Endpoint, r Rule) {
	e := c.at(x)
	var done bool
	switch e.state() {
	case CloseWait:
		done = c.revoke(k, x, Established, r)
	case Closing:
		done = c.revoke(k, x, FinWait1, r)
	case TimeWait:
		if e.is(finHeard) && e.finAckAt < ye.finAt {
			done = c.revoke(k, x, FinWait2, r)
			if done && e.state() != FinWait2 {
				// By way of CLOSING, which falls with the FIN.
				c.revoke(k, x, FinWait1, r)
				c.enter(k, x, FinWait2, Presumed, RuleAckOfFin)
			}
			break
		}
		// The acknowledgment came with the FIN, or after it.
		done = c.revoke(k, x, FinWait1, r)
		if done && e.is(finHeard) && e.finAckAt > ye.finAt {
			c.enter(k, x, FinWait2, Presumed, RuleAckOfFin)
		} else if done {
			e.has &^= finHeard
		}
	}
	if done {
		ye.has &^= finTaken
	}
}

// coversFin: x acknowledges y's FIN for the first time.
func (c *Conn) coversFin(k *sink, xe, ye *Endpoint, x uint8, firstFin, settled bool) {
	xe.has |= ackedFin
	ye.has |= finTaken
	cert := Confirmed
	if firstFin || c.mode&midstream != 0 && !xe.is(sentData) || !settled {
		// In mid-stream an earlier FIN of x would look the same; so would
		// one that waits behind data which the peer has yet to take.
		cert = Presumed
	}
	ev := sendAckOfFin
	switch xe.state() {
	case FinWait1, Closing:
		switch {
		case xe.is(finHeard):
			ev, cert = sendAckOfFin2, Presumed
		case !xe.sp.FinAcked():
		case xe.is(finRepeated) || xe.state() == Closing:
			cert = Presumed
		default:
			// Its acknowledgment was seen, and only doubted.
			xe.has |= finHeard
			ev, cert = sendAckOfFin2, Presumed
		}
	case FinWait2, TimeWait:
		if !ye.is(finCarried) {
			cert = Presumed
		}
	}
	c.send(k, x, ev, cert)
}

// sendsFin: x sends its first FIN. covers: the segment acknowledges y's FIN.
// settled: y had acknowledged all that x sent before, so that the FIN did not
// wait behind it, and y's FIN did not go unanswered for so long that an earlier
// copy of x's may have been missed.
func (c *Conn) sendsFin(k *sink, xe, ye *Endpoint, x uint8, covers, settled bool) {
	cert := Confirmed
	if c.mode&midstream != 0 && !ye.is(sentData) && !xe.is(ackedFin) {
		cert = Presumed // the peer may have sent its FIN before the capture began
	}
	virtual := xe.is(finVirtual)
	xe.has &^= finVirtual | finHeard
	if virtual && !covers {
		// The FIN that was missed, late, and from before the peer's came.
		c.revoke(k, x, Established, RuleFinShort)
		c.enter(k, x, FinWait1, cert, RuleFin)
		if xe.is(ackedFin) {
			c.enter(k, x, Closing, Presumed, RuleAckFinClosing)
		}
		return
	}
	if xe.state() != CloseWait {
		c.send(k, x, sendFin, cert)
		return
	}
	if xe.is(ackedFin) {
		if !settled {
			cert = Presumed // it may have closed before the peer's FIN came: CLOSING
		}
		c.send(k, x, sendFinAfter, cert)
		return
	}
	// It sent its FIN before the peer's came.
	if c.revoke(k, x, Established, RuleFinShort) || xe.state() == Established {
		c.send(k, x, sendFin, cert)
		if ye.is(finTaken) {
			c.receive(k, x, recvFin)
		}
	}
}

// finSeen notes the time of a FIN, and when the next repeat is due.
func (e *Endpoint) finSeen(now int64, again bool) {
	if !again || e.finAt == 0 {
		e.finAt, e.finLast, e.gap = now, now, 0
		return
	}
	d := now - e.finLast
	if e.gap > 0 && d >= 150*ms && d >= e.gap+e.gap/2 {
		// Two repeats that back off: the next is due (RFC 6298 section 5.5).
		switch e.state() {
		case FinWait1, Closing, LastAck:
			e.arm(timerFin, now+late(twice(d)))
		}
	} else if e.timer == timerFin {
		e.disarm()
	}
	e.gap, e.finLast = d, now
}

// finAgain: x repeats its FIN.
func (c *Conn) finAgain(k *sink, xe, ye *Endpoint, x uint8) {
	if !xe.is(finHeard) || k.now-xe.finAckAt <= xe.reach() {
		return
	}
	xe.has |= finRepeated
	// It would not, had y's acknowledgment arrived.
	switch xe.state() {
	case FinWait2:
		if c.revoke(k, x, FinWait1, RuleFinAgain) {
			xe.has &^= finHeard
		}
	case TimeWait:
		to := FinWait1
		if xe.passed(Closing) {
			to = Closing
		}
		if c.revoke(k, x, to, RuleFinAgain) {
			xe.has &^= finHeard
			if to == FinWait1 && ye.is(finTaken) {
				cert := Presumed
				if xe.is(ackedFin) {
					cert = Confirmed
				}
				c.enter(k, x, Closing, cert, RuleFinAgain)
			}
		}
	case Closed:
		if xe.passed(LastAck) && c.revoke(k, x, LastAck, RuleFinAgain) {
			xe.has &^= finHeard
		}
	}
}

// finLost: x sends a pure ACK one past what was seen: its FIN was lost before
// the vantage point. Nothing of it is confirmed.
func (c *Conn) finLost(k *sink, x, y uint8, covers, firstCover bool) {
	xe, ye := c.at(x), c.at(y)
	xe.sp.Send(xe.sp.Nxt, xe.sp.Nxt+1, true)
	xe.has |= finVirtual
	xe.finAt, xe.finLast = k.now, k.now
	switch {
	case !covers:
		c.revoke(k, x, Established, RuleFinLost)
		c.enter(k, x, FinWait1, Presumed, RuleFinLost)
	case firstCover && k.now-ye.finAt <= xe.reach():
		c.revoke(k, x, Established, RuleFinLost)
		c.enter(k, x, FinWait1, Presumed, RuleFinLost)
		c.enter(k, x, Closing, Presumed, RuleFinLost)
		xe.has |= ackedFin
	default:
		c.enter(k, x, CloseWait, Presumed, RuleAckFin)
		c.enter(k, x, LastAck, Presumed, RuleFinLost)
		xe.has |= ackedFin
	}
	if covers {
		ye.has |= finTaken
	}
}
