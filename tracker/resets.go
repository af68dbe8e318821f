package tracker

import (
	"tcpstate/capture"
	"tcpstate/reassembly"
)

// rst: x sent a RST.
func (c *Conn) rst(k *sink, s *capture.Segment, x, y uint8) {
	xe, ye := c.at(x), c.at(y)
	seq := reassembly.Seq(s.Seq)
	before := xe.state()
	if xe.is(oldSyn) && xe.state() != Closed {
		// The RST shows that the doubted SYN was not its own: what stood
		// before it stands.
		if c.cutBelow(k, x, SynSent, RuleSynOldRefused) {
			xe.has &^= oldSyn
		}
	}
	genuine := c.rstSent(k, s, xe, ye, x)
	took := c.rstDelivered(k, s, xe, ye, y)
	c.noteReset(k, s, x, y, before, genuine, took)
	if genuine {
		xe.has |= sentRst
		xe.closedAt = k.now
		xe.rstSeq = seq
	}
	if took {
		ye.has |= gotRst
		ye.closedAt = k.now
	}
	if !took && ye.is(gotRst) && ye.state() == Closed && c.answers(k, s, xe, ye) {
		ye.closedAt = k.now // one more, for what was still on its way
	}
}

// rstSent is what a RST proves of its sender. It reports whether the RST is
// the sender's own, as far as can be told.
func (c *Conn) rstSent(k *sink, s *capture.Segment, xe, ye *Endpoint, x uint8) bool {
	seq := reassembly.Seq(s.Seq)
	st := xe.state()
	if st == Closed && xe.depth == 0 {
		return true // it has no state, and says so
	}
	if st == Closed {
		// A second RST, or one in answer to what was still on its way.
		if xe.certainty() != Confirmed && xe.is(gotRst) {
			return c.answers(k, s, xe, ye)
		}
		return xe.is(sentRst) || c.answers(k, s, xe, ye) || seq == xe.sp.Nxt
	}
	answers := c.answers(k, s, xe, ye)
	switch {
	case s.Flags&capture.ACK != 0 && c.skipped(xe, ye, seq):
		c.notes.doneAt = k.now
		c.enter(k, x, Closed, Presumed, RuleRstSent)
		return true
	case s.Flags&capture.ACK != 0 && xe.sp.Known && seq == xe.sp.Nxt:
		// An abort: close() with data unread, SO_LINGER 0, a timeout (RFC 9293
		// section 3.10.5). It tells RCV.NXT: a FIN beyond that had not come.
		// The answer to a segment would be bare.
		answers = false
		if ye.is(finTaken) && !xe.is(ackedFin) && reassembly.Seq(s.Ack).LessEq(ye.sp.Fin) {
			c.unhear(k, x, ye, RuleRstShort)
		}
		if xe.is(finHeard) && xe.rtt != 0 && k.now-xe.finAckAt < xe.rtt && xe.passed(FinWait2) {
			// Sooner than a round trip after the acknowledgment of its FIN:
			// that had not come.
			if c.revoke(k, x, FinWait1, RuleRstShort) {
				xe.has &^= finHeard
			}
		}
	case xe.sp.HasISS && (st == SynSent || !xe.is(spoke) && xe.is(sentSyn|sentSynAck)) && seq != xe.sp.ISS+1:
		// It answers a stale segment of the peer; its own SYN goes on (RFC
		// 9293 section 3.10.7.3, first check, and 3.10.7.4, fifth).
		return false
	case answers:
		c.takeBack(k, s, xe, ye, x)
		if st == FinWait2 && xe.state() == FinWait2 && k.now-xe.finAckAt >= int64(k.cfg.FinTimeout) {
			c.enter(k, x, Closed, Confirmed, RuleFinWait2Elapsed)
			return true
		}
	case s.Flags&capture.ACK == 0 && xe.sp.Known && (seq == xe.sp.Nxt || xe.is(finVirtual) && seq == xe.sp.Fin) && st.Synchronised():
		c.enter(k, x, Closed, Presumed, RuleRstBare)
		return true
	default:
		return false // forged, or from another life
	}
	cert := Confirmed
	if foreign(xe.ttl, s.TTL) {
		cert = Presumed // somebody else may have sent it
	}
	if answers {
		c.enter(k, x, Closed, cert, RuleRstAnswers)
	} else {
		c.send(k, x, sendRst, cert)
	}
	return true
}

// skipped reports that seq lies beyond what x sent, within what y would take,
// on a connection of which neither end was seen to send anything but SYN, FIN
// and RST: a filter kept no more, and SND.NXT is not known to the octet.
func (c *Conn) skipped(xe, ye *Endpoint, seq reassembly.Seq) bool {
	return xe.sp.Known && xe.sp.Nxt.Less(seq) && seq.LessEq(c.right(xe)) && !xe.is(spoke) && !ye.is(spoke) && ye.is(sentSyn|sentSynAck)
}

// foreign reports a TTL so far from the sender's usual one that the segment
// came another way: more than 2 hops, for paths do change a little.
func foreign(usual, ttl uint8) bool {
	d := int(usual) - int(ttl)
	return usual != 0 && (d > 2 || d < -2)
}

// unmeasuredRTT bounds the round trip within which a RST may answer a segment
// where none was measured: most paths are shorter.
const unmeasuredRTT = 200 * ms

// answers reports whether a RST of x is the answer to a segment of y: its
// sequence number is that segment's acknowledgment (RFC 9293 section 3.10.7.1),
// and the segment came after x's last one or within 1.5 round trips.
func (c *Conn) answers(k *sink, s *capture.Segment, xe, ye *Endpoint) bool {
	seq := reassembly.Seq(s.Seq)
	for i, a := range ye.acks {
		at := ye.ackAt[i]
		if at == 0 || a != seq {
			continue
		}
		rtt := xe.rtt
		if rtt == 0 {
			rtt = unmeasuredRTT
		}
		if at >= xe.lastAt || k.now-at <= rtt+rtt/2+slack {
			return true
		}
	}
	return false
}

// takeBack revokes what a RST in answer to y's segment contradicts: x had no
// connection when that segment came.
func (c *Conn) takeBack(k *sink, s *capture.Segment, xe, ye *Endpoint, x uint8) {
	if !xe.is(spoke) && (c.mode&midstream != 0 || !xe.is(sentSyn|sentSynAck)) {
		// Nothing of its own was seen before: all of it was presumed.
		c.cut(k, x, 0, RuleRstAnswers)
		return
	}
	since := ye.lastAt // the latest segment that drew it
	if reassembly.Seq(s.Seq) == ye.acks[0] {
		since = min(since, ye.ackAt[0])
	}
	switch xe.state() {
	case CloseWait, Closing, TimeWait:
		// The FIN that the presumption stands on is the segment, or came after it.
		if ye.is(finTaken) && !xe.is(ackedFin) && ye.finLast >= since {
			c.unhear(k, x, ye, RuleRstAnswers)
		}
	}
	if xe.sp.HasFin && reassembly.Seq(s.Seq).LessEq(xe.sp.Fin) && xe.is(finHeard) && xe.finAckAt >= since {
		c.revoke(k, x, FinWait1, RuleRstAnswers)
		xe.has &^= finHeard
	}
	if xe.presumed(Established) && !xe.is(spoke) {
		c.cut(k, x, xe.depth-1, RuleRstAnswers) // one step: to SYN-RECEIVED or SYN-SENT
	}
}

// rstDelivered presumes what a RST does to y. It reports whether y is CLOSED by it.
func (c *Conn) rstDelivered(k *sink, s *capture.Segment, xe, ye *Endpoint, y uint8) bool {
	if ye == xe {
		return false
	}
	seq, ack := reassembly.Seq(s.Seq), reassembly.Seq(s.Ack)
	last, heard := ye.lastAck()
	// RCV.NXT as y told it: its highest acknowledgment; its last one where x
	// has begun anew, which y knows nothing of.
	exact := xe.sp.Known && (xe.sp.HasUna && seq == xe.sp.Una || seq == xe.sp.Edge) || !xe.sp.HasUna && heard && seq == last
	if isle, ok := xe.sp.RightmostIsle(); ok && seq == isle {
		exact = true
	}
	if s.Flags&capture.ACK != 0 && c.skipped(xe, ye, seq) {
		exact = true
	}
	st := ye.state()
	if st == Closed || st == Listen {
		return false
	}
	if ye.deaf >= 2 && st != TimeWait {
		return false // it went on after two of them: they do not reach it, or are not taken
	}
	switch st {
	case SynSent:
		if s.Flags&capture.ACK == 0 || !ye.sp.ISS.Less(ack) || !ack.LessEq(ye.sp.Nxt) {
			return false
		}
	case SynReceived:
		if !exact && !(heard && seq == last) && xe.sp.Known && !seq.In(xe.sp.Una, c.right(xe)) {
			return false
		}
	case CloseWait, LastAck, Closing:
		// Linux also takes RCV.NXT-1 there: a FIN counted by one side only
		// (tcp_reset_check).
		if !exact && !(xe.sp.Known && seq == xe.sp.Edge-1) && !(xe.sp.HasUna && seq == xe.sp.Una-1) {
			return false
		}
	default:
		if !exact {
			return false // in window a challenge ACK, outside nothing (RFC 5961 section 3.2)
		}
	}
	return c.receive(k, y, recvRst)
}

// right is the right edge of what the receiver of e's segments takes.
func (c *Conn) right(e *Endpoint) reassembly.Seq {
	if e.sp.HasWnd {
		return e.sp.Wnd
	}
	return e.sp.Una.Add(1 << 16)
}
