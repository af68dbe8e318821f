package tracker

import (
	"tcpstate/capture"
	"tcpstate/reassembly"
)

// outcome gathers, while a life goes on, what its end is told from.
type outcome struct {
	idleSince           int64     // last payload of either end
	doneAt              int64     // when the handshake's ACK was seen
	answeredAt          int64     // when the first SYN,ACK was seen
	firstFin, secondFin int64     // times; 0 none
	unanswered          [2]uint16 // repeats and probes in a row since the peer's last segment, by side
	finSide, rstSide    uint8
	class               ResetClass
	lastClass           ResetClass
	finFrame            uint64 // of the first
	rstAt               int64
	rstFrame            uint64
	rtt                 int64 // of the handshake; 0 unknown
	lastWhat            What  // of the latest RST
	crossed, gave       bool
}

// reopen forgets a RST that turned out not to have ended anything.
func (o *outcome) reopen() {
	o.rstAt, o.rstFrame, o.class, o.gave = 0, 0, NoReset, false
}

// follow notes what the segment means for the end, after it was applied.
func (c *Conn) follow(k *sink, s *capture.Segment, class reassembly.Class) {
	o := &c.notes
	x := s.Side & 1
	xe, ye := c.at(x), c.at(x^1)
	if s.Flags&capture.FIN != 0 && s.Flags&capture.RST == 0 {
		switch {
		case o.firstFin == 0:
			o.firstFin, o.finFrame, o.finSide = k.now, k.frame, x
		case o.secondFin == 0 && o.finSide != x:
			o.secondFin = k.now
			o.crossed = !(ye.sp.HasFin && ye.sp.Fin.Less(reassembly.Seq(s.Ack)))
		}
	}
	if o.answeredAt == 0 && s.Has(capture.SYN|capture.ACK) && s.Flags&capture.RST == 0 && xe.is(sentSynAck) {
		o.answeredAt = k.now
	}
	if o.doneAt == 0 && s.Flags&(capture.SYN|capture.RST) == 0 && ye.is(sentSynAck) && ye.sp.SynAcked() {
		o.doneAt, k.moved = k.now, true
		if xe.is(sentSyn) {
			o.rtt = k.now - xe.synAt
		}
	}
	if s.Len > 0 && s.Flags&capture.RST == 0 {
		o.idleSince = k.now
	}
	switch class {
	case reassembly.Retransmission, reassembly.Spurious, reassembly.Keepalive, reassembly.ZeroWindowProbe:
		if o.unanswered[x] < 1<<15 {
			o.unanswered[x]++
		}
		if ye.timer == timerCookie && class == reassembly.Retransmission && k.now >= ye.synAt+cookieAfterSyn {
			ye.due = k.now
		}
	default:
		if s.Flags&capture.RST == 0 && s.Len > 0 {
			o.unanswered[x] = 0
		}
	}
	o.unanswered[x^1] = 0
}

// noteReset classifies a RST of x (first match wins) and notes the first one
// that ended the connection. before is x's state before it, own whether it is
// x's own, took whether y is CLOSED by it.
func (c *Conn) noteReset(k *sink, s *capture.Segment, x, y uint8, before State, own, took bool) {
	o := &c.notes
	xe, ye := c.at(x), c.at(y)
	class := c.resetClass(k, s, xe, ye, before, own, took)
	o.lastClass, o.lastWhat = class, resetWhat(c.answers(k, s, xe, ye), own, took)
	if o.class == NoReset {
		o.class = class
	}
	if o.rstAt != 0 || !own && !took || o.firstFin != 0 && o.secondFin != 0 {
		return
	}
	if before == SynSent && xe.state() == SynSent {
		return // it refused something stale; its own SYN goes on
	}
	o.rstAt, o.rstFrame, o.rstSide, o.class = k.now, k.frame, x, class
	o.gave = s.Flags&capture.ACK != 0 && o.unanswered[x] >= 2
}

// resetWhat is what the trail says of a RST.
func resetWhat(answers, own, took bool) (w What) {
	if answers {
		w |= Answers
	}
	if own {
		w |= Own
	}
	if took {
		w |= Took
	}
	return w
}

// resetClass tells what a RST was, by the table of RFC 9293 section 3.10.7.1
// (who answers how) and what came before.
func (c *Conn) resetClass(k *sink, s *capture.Segment, xe, ye *Endpoint, before State, own, took bool) ResetClass {
	ack := s.Flags&capture.ACK != 0
	seq := reassembly.Seq(s.Seq)
	answers := c.answers(k, s, xe, ye)
	bothFins := c.notes.firstFin != 0 && c.notes.secondFin != 0
	rtt := xe.rtt
	if rtt == 0 {
		rtt = unknownRTT
	}
	justGot := ye.is(sentData) && k.now-c.notes.idleSince <= rtt+50*ms
	switch {
	case ack && took && ye.is(sentSyn) && !xe.is(sentSynAck) && (before == Closed || before == Listen):
		return ResetRefused
	case !ack && xe.is(sentSyn) && ye.is(sentSynAck) && !xe.is(spoke) && answers:
		if seq == xe.sp.ISS+1 {
			return ResetAbandoned
		}
		return ResetStaleSyn
	case !ack && before == SynSent && answers:
		return ResetStaleSyn
	case xe.is(sentSynAck) && own && !xe.is(sentData) && c.notes.firstFin == 0 && c.notes.doneAt != 0 && k.now-c.notes.doneAt <= max(3*rtt, 200*ms):
		return ResetAfterAccept
	case ack && own && !xe.sp.HasFin && justGot && c.lastData(ye) && !spokeFirst(xe, ye):
		return ResetUnreadData
	case ack && own && !xe.sp.HasFin && before.Synchronised():
		if known := idleTimeout(k.now - c.notes.idleSince); c.notes.idleSince != 0 && known {
			return ResetIdleTimeout
		}
		return ResetAbort
	case bothFins:
		return ResetAfterClose
	case xe.sp.HasFin && own:
		return ResetLateData
	case !ack && answers, ack && seq == 0 && !xe.sp.HasISS && before == Closed:
		return ResetNoConnection
	case own && before != Closed:
		return ResetAbort
	case xe.sp.Known && seq.In(xe.sp.Una, c.right(xe)):
		return ResetInexact
	case xe.sp.Known && ye.lastAt != 0 && ye.depth > 0:
		return ResetOutOfWindow
	}
	return ResetStray
}

// spokeFirst reports whether x sent the connection's first payload: what it
// is sent is an answer then, and not left unread by the nature of the protocol.
func spokeFirst(xe, ye *Endpoint) bool {
	return xe.firstData != 0 && (ye.firstData == 0 || xe.firstData < ye.firstData)
}

// lastData reports whether the peer's payload was the last thing said.
func (c *Conn) lastData(ye *Endpoint) bool { return ye.is(sentData) && ye.lastAt >= c.notes.idleSince }

// idleTimeout reports whether an idle time is the default of a known server or
// middlebox, within 2 % (load balancers 60 s, nginx 75 s, NAT gateways 350 s,
// firewalls 3600 s). Shorter ones are hit by chance too often to tell from one
// connection.
func idleTimeout(d int64) bool {
	for _, s := range [...]int64{60, 75, 90, 240, 300, 350, 600, 3600} {
		if t := s * second; d >= t-t/50 && d <= t+t/50 {
			return true
		}
	}
	return false
}

// closing tells how the life ended, who closed first and where.
func (c *Conn) closing() (CloseKind, Who, uint64) {
	o := &c.notes
	cl, sv := c.at(c.client), c.at(c.client^1)
	synchronised := o.doneAt != 0 || c.mode&midstream != 0 || cl.is(spoke) || sv.is(spoke)
	switch {
	case o.firstFin != 0 && (o.secondFin != 0 || c.Key.Self()):
		by := c.who(o.finSide)
		if o.crossed {
			by = ByBoth
		}
		return Graceful, by, o.finFrame
	case !synchronised && !(cl.has | sv.has).any(sentSyn|sentSynAck):
		return Open, Nobody, 0 // strays, scans: no connection was opened
	case o.rstAt != 0 && !synchronised && !sv.is(sentSynAck) && !cl.is(sentSynAck):
		if c.who(o.rstSide) == ByServer {
			return Refused, ByServer, o.rstFrame
		}
		return Unanswered, c.who(o.rstSide), o.rstFrame
	case o.rstAt != 0 && !synchronised:
		return AbortedHandshake, c.who(o.rstSide), o.rstFrame
	case o.rstAt != 0 && o.gave && o.firstFin == 0:
		return TimedOut, c.who(o.rstSide), o.rstFrame
	case o.rstAt != 0:
		return Reset, c.who(o.rstSide), o.rstFrame
	case o.firstFin != 0:
		return HalfClosed, c.who(o.finSide), o.finFrame
	case c.mode&midstream == 0 && sv.count.packets == 0 && cl.is(sentSyn):
		return Unanswered, Nobody, 0
	case !synchronised && (sv.is(sentSynAck) || cl.is(sentSyn)):
		return AbortedHandshake, Nobody, 0
	}
	for side := uint8(0); side < 2; side++ {
		if o.unanswered[side] >= 3 && c.at(side^1).lastAt < c.at(side).lastAt {
			return TimedOut, c.who(side), c.lastFrame
		}
	}
	return Open, Nobody, 0
}

func (c *Conn) who(side uint8) Who {
	if side == c.client || c.Key.Self() {
		return ByClient
	}
	return ByServer
}

// life says everything of the connection.
func (c *Conn) life(cfg *Config) Life {
	o := &c.notes
	l := Life{
		ID: c.id, Incarnation: c.incarnation, Continues: c.continues, Key: c.Key, Client: c.client, Roles: c.roles,
		AnsweredAt: o.answeredAt, DoneAt: o.doneAt,
		Start: c.start, End: c.last, FirstFrame: c.firstFrame, LastFrame: c.lastFrame, VLAN: c.vlan,
		ResetAs: o.class, Midstream: c.mode&midstream != 0, Ended: c.mode&ended != 0, HandshakeRTT: -1,
	}
	l.Close, l.ClosedBy, l.CloseAt = c.closing()
	l.Resumes, l.Was, l.WasIn = c.mode&resumes != 0, c.was.kind, c.was.ends
	for i := range l.Ends {
		side := c.client ^ uint8(i)
		e := c.at(side)
		d := End{
			Addr: c.Key.End(side), State: e.state(), Certainty: e.certainty(),
			Packets: e.count.packets, Bytes: e.count.bytes,
			Retransmissions: e.count.retransmissions, OutOfOrder: e.count.outOfOrder,
			Keepalives: e.count.keepalives, ZeroWindows: e.count.zeroWnd,
			MSS: e.mss, WScale: -1, TTL: e.ttl,
		}
		if e.is(scaled) {
			d.WScale = int8(e.scale)
		}
		if c.Key.Self() && i == 1 {
			// One endpoint: everything was sent by it, and is counted once.
			d.Packets, d.Bytes, d.Retransmissions, d.OutOfOrder, d.Keepalives, d.ZeroWindows = 0, 0, 0, 0, 0, 0
		}
		l.Ends[i] = d
		if e.passed(TimeWait) && (i == 0 || !c.Key.Self()) {
			l.TimeWaitBy |= Who(1 << i)
			l.TimeWaitSince = max(l.TimeWaitSince, e.twSince)
			until := e.twSince + int64(cfg.TimeWait)
			if e.state() == Closed && e.is(gotRst) && e.closedAt > e.twSince && e.closedAt < until {
				until = e.closedAt
			}
			l.TimeWaitUntil = max(l.TimeWaitUntil, until)
		}
	}
	if o.rtt > 0 {
		l.HandshakeRTT = o.rtt
	}
	if n := c.at(c.client).count.syns; n > 0 {
		l.SynRetransmits = uint32(n) - 1
	}
	if n := c.at(c.client ^ 1).count.synAcks; n > 0 {
		l.SynAckRetransmits = uint32(n) - 1
	}
	if o.firstFin != 0 {
		switch {
		case o.secondFin != 0:
			l.HalfClosedFor = o.secondFin - o.firstFin
		case o.rstAt >= o.firstFin:
			l.HalfClosedFor = o.rstAt - o.firstFin
		default:
			l.HalfClosedFor = c.last - o.firstFin
		}
		l.HalfClosedFor = max(l.HalfClosedFor, 0) // time may run backwards
	}
	return l
}
