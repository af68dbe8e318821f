package tracker

import (
	"tcpstate/capture"
	"tcpstate/reassembly"
)

// Conn is one life of a 4-tuple: two endpoints, and what is said of both. Its
// zero value is ready: set Key (from the first segment) and Apply segments in
// order.
type Conn struct {
	Key    capture.Key
	vlan   uint16
	client uint8
	roles  RoleReason
	mode   connFact

	id        uint64
	last      int64
	lastFrame uint64
	notes     outcome

	ends [2]Endpoint // by side of Key; a connection to itself uses the first alone

	start       int64
	firstFrame  uint64
	continues   int64
	incarnation uint32
	was         toldOf // of what it resumes
}

// toldOf is what was told of a life that turned out to go on.
type toldOf struct {
	kind CloseKind
	ends [2]State // client, server
}

// connFact is what was seen of a connection as a whole.
type connFact uint16

const (
	begun      connFact = 1 << iota // a selected segment was applied
	midstream                       // no SYN was seen before the first data
	loneAck                         // so far a single ACK without payload, which opens nothing
	rolesFixed                      // a SYN told the roles
	ended                           // both ends are CLOSED
	carried                         // states came over from the number before
	reported                        // the observer was told of this life
	folded                          // it was folded after it was told
	unfinished                      // it was folded, and nobody had closed it
	resumes                         // it goes on with such a one
	halfBefore                      // one end is presumed to have sent its FIN before the capture began
)

// at returns the endpoint of a side; a connection to itself has one.
func (c *Conn) at(side uint8) *Endpoint {
	if c.Key.Self() {
		return &c.ends[0]
	}
	return &c.ends[side&1]
}

// sink collects what happens while one segment or timer is applied.
type sink struct {
	now     int64
	frame   uint64
	changes []Transition // only with keep
	keep    bool
	moved   bool // a state changed, or a handshake completed
	joined  uint64
	census  *census
	cfg     *Config
	// sparse: the capture holds nothing but SYN, FIN and RST so far (states.md,
	// per direction): what needs plain ACKs is withheld.
	sparse bool
}

func (c *Conn) emit(k *sink, side uint8, from, to State, cert Certainty, r Rule) {
	k.moved = true
	if k.keep {
		k.changes = append(k.changes, Transition{Time: k.now, Frame: k.frame, ID: c.id, Key: c.Key, Side: side,
			Client: side == c.client || c.Key.Self(), From: from, To: to, Certainty: cert, Rule: r})
	}
}

// enter makes s the best estimate of the endpoint, or confirms it.
func (c *Conn) enter(k *sink, side uint8, s State, cert Certainty, r Rule) {
	e := c.at(side)
	from, fc := e.state(), e.certainty()
	if from == s && e.depth > 0 {
		if cert != Confirmed || fc == Confirmed {
			return
		}
		e.path[e.depth-1] = mk(s, Confirmed)
	} else {
		e.push(s, cert)
	}
	if k.census != nil {
		k.census.move(from, fc, s, e.certainty(), k.now)
	}
	c.emit(k, side, from, s, cert, r)
	e.settle(k, from, s)
}

// settle keeps the endpoint's timer in step with its state.
func (e *Endpoint) settle(k *sink, from, to State) {
	if to == TimeWait {
		if from != to { // 2MSL counts from the FIN, not from the ACK that confirms it
			e.twSince = k.now
			e.arm(timerTimeWait, k.now+int64(k.cfg.TimeWait))
		}
		return
	}
	switch e.timer {
	case timerSyn:
		if to != SynSent {
			e.disarm()
		}
	case timerSynAck:
		if to != SynReceived {
			e.disarm()
		}
	case timerFin:
		if to != FinWait1 && to != LastAck && to != Closing {
			e.disarm()
		}
	case timerCookie:
		if to == Closed {
			e.disarm()
		}
	case timerTimeWait:
		e.disarm()
	}
}

// begin starts a new life of the endpoint in s. A former life that was not seen
// to end was over before: CLOSED is passed.
func (c *Conn) begin(k *sink, side uint8, s State, cert Certainty, r Rule) {
	e := c.at(side)
	if e.state() != Closed {
		c.enter(k, side, Closed, Presumed, RuleNewLife)
	}
	from, fc := e.state(), e.certainty()
	e.depth = 0
	e.push(s, cert)
	if k.census != nil {
		k.census.move(from, fc, s, cert, k.now)
	}
	c.emit(k, side, from, s, cert, r)
	e.settle(k, from, s)
}

// revoke takes presumptions back until s is the best estimate, at most down to
// the last confirmed state. It reports whether anything was taken back.
func (c *Conn) revoke(k *sink, side uint8, s State, r Rule) bool {
	e := c.at(side)
	d := e.depth
	for d > 0 && e.path[d-1].state() != s && e.path[d-1].certainty() != Confirmed {
		d--
	}
	return c.cut(k, side, d, r)
}

// cutBelow takes back the newest entry of s and all above it.
func (c *Conn) cutBelow(k *sink, side uint8, s State, r Rule) bool {
	e := c.at(side)
	for d := e.depth; d > 0; d-- {
		if e.path[d-1].state() == s {
			return c.cut(k, side, d-1, r)
		}
	}
	return false
}

// cut takes back what lies above depth d.
func (c *Conn) cut(k *sink, side uint8, d uint8, r Rule) bool {
	e := c.at(side)
	for i := int(e.depth) - 1; i >= int(d); i-- {
		if e.path[i].certainty() == Confirmed {
			d = uint8(i + 1)
			break
		}
	}
	if d >= e.depth {
		return false
	}
	from, fc := e.state(), e.certainty()
	e.depth = d
	if k.census != nil {
		k.census.move(from, fc, e.state(), e.certainty(), k.now)
	}
	c.emit(k, side, from, e.state(), Revoked, r)
	if e.state() == TimeWait {
		// It never left TIME-WAIT, which runs on.
		e.arm(timerTimeWait, max(k.now, e.twSince+int64(k.cfg.TimeWait)))
	} else {
		e.settle(k, from, e.state())
	}
	return true
}

// apply takes note of one segment, in the order of RFC 9293 section 3.10.7:
// what sending it proves of its sender first, then what its delivery presumes
// of the receiver.
func (c *Conn) apply(k *sink, s *capture.Segment) reassembly.Class {
	x, y := s.Side, s.Side^1
	xe, ye := c.at(x), c.at(y)
	k.now, k.frame = s.Time, s.Frame
	if c.mode&begun == 0 {
		c.open(s)
	}
	c.last, c.lastFrame = max(c.last, s.Time), s.Frame // time may run backwards
	xe.count.packets++
	xe.count.bytes += uint64(s.Len)
	if xe.ttl == 0 {
		xe.ttl = s.TTL
	}
	if xe.copyOf(s) {
		return reassembly.Duplicate
	}
	if odd(s.Flags) {
		return reassembly.ClassNone
	}
	class := c.classify(xe, ye, s)
	switch class {
	case reassembly.Retransmission, reassembly.Spurious:
		xe.count.retransmissions++
	case reassembly.OutOfOrder:
		xe.count.outOfOrder++
	case reassembly.Keepalive, reassembly.ZeroWindowProbe:
		xe.count.keepalives++
	}
	c.learn(xe, s)
	switch {
	case s.Flags&capture.RST != 0:
		c.rst(k, s, x, y)
	case s.Has(capture.SYN | capture.ACK):
		c.synAck(k, s, x, y)
	case s.Flags&capture.SYN != 0:
		c.syn(k, s, x, y)
	default:
		c.plain(k, s, x, y)
	}
	if s.Flags&capture.ACK != 0 {
		xe.noteAck(reassembly.Seq(s.Ack), s.Time)
	}
	xe.lastAt = s.Time
	c.follow(k, s, class)
	return class
}

// odd reports flags that no TCP sends: neither SYN, RST nor ACK, a FIN or data
// without ACK, SYN with FIN or RST. The kernel drops them in silence (oracle 38_weird_flags).
func odd(f uint8) bool {
	return f&(capture.SYN|capture.RST|capture.ACK) == 0 ||
		f&capture.SYN != 0 && f&(capture.FIN|capture.RST) != 0 ||
		f&capture.FIN != 0 && f&(capture.ACK|capture.RST) == 0
}

// open notes the first segment.
func (c *Conn) open(s *capture.Segment) {
	c.mode |= begun
	c.start, c.last, c.firstFrame, c.vlan = s.Time, s.Time, s.Frame, s.VLAN
}

// copyWithin is how soon a segment that looks the same is the same frame once
// more (states.md, per direction).
const copyWithin = 5 * ms

// copyOf reports whether s is a copy of the endpoint's latest segment, and
// otherwise remembers it. TTL may differ: a router forwarded it.
func (e *Endpoint) copyOf(s *capture.Segment) bool {
	h := uint64(s.Seq) | uint64(s.Ack)<<32
	h ^= (uint64(s.Len)<<40 | uint64(s.Window)<<16 | uint64(s.Flags)<<8 | 1) * 0x9e3779b97f4a7c15
	h ^= (uint64(s.TSVal)<<32 | uint64(s.TSEcr)) * 0xd6e8feb86659fd93
	h ^= (uint64(s.IPID) + 1) * 0xa0761d6478bd642f
	if h == e.lastSg && s.Time-e.lastAt <= copyWithin && e.lastAt != 0 {
		return true
	}
	e.lastSg = h
	return false
}

// learn takes the options and the window.
func (c *Conn) learn(e *Endpoint, s *capture.Segment) {
	if s.Flags&capture.SYN != 0 {
		if s.Opts&capture.OptMSS != 0 {
			e.mss = s.MSS
		}
		e.has &^= scaled
		if s.Opts&capture.OptWScale != 0 {
			e.has |= scaled
			e.scale = min(s.WScale, 14) // RFC 7323 section 2.3
		}
	}
	if s.Flags&capture.RST == 0 {
		if s.Window == 0 && e.wnd != 0 {
			e.count.zeroWnd++
		}
		e.wnd = s.Window
	}
	if s.Len > 0 {
		e.has |= sentData
		if e.firstData == 0 {
			e.firstData = s.Time
		}
	}
}

// classify says what the segment is to its space.
func (c *Conn) classify(xe, ye *Endpoint, s *capture.Segment) reassembly.Class {
	if s.Flags&capture.RST != 0 {
		return reassembly.ClassNone
	}
	return reassembly.Classify(&xe.sp, &ye.sp, reassembly.Probe{
		Seq: reassembly.Seq(s.Seq), Len: s.Len, Ack: reassembly.Seq(s.Ack),
		Syn: s.Flags&capture.SYN != 0, Fin: s.Flags&capture.FIN != 0, HasAck: s.Flags&capture.ACK != 0,
		SameAck: xe.ackAt[0] != 0 && uint32(xe.acks[0]) == s.Ack, SameWnd: xe.wnd == s.Window,
		ZeroWnd: ye.wnd == 0 && ye.lastAt != 0,
		Soon:    s.Time-xe.lastAt < 3*ms || ye.rtt != 0 && s.Time-xe.lastAt < ye.rtt/2,
	})
}

// offer notes the right edge of the window that x offers, in y's space.
func (c *Conn) offer(xe, ye *Endpoint, s *capture.Segment) {
	if s.Flags&capture.ACK == 0 || ye.sp.Known && !xe.sp.HasISS {
		return // in mid-stream the scale is unknown
	}
	w := uint32(s.Window)
	if s.Flags&capture.SYN == 0 && xe.is(scaled) && ye.is(scaled) {
		w <<= xe.scale
	}
	edge := reassembly.Seq(s.Ack).Add(w)
	if !ye.sp.HasWnd || ye.sp.Wnd.Less(edge) {
		ye.sp.Wnd, ye.sp.HasWnd = edge, true
	}
}
