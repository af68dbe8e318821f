package tracker

import (
	"tcpstate/reassembly"
)

// pathLen bounds the states that can be taken back. A life passes at most
// seven: SYN-SENT, SYN-RECEIVED, ESTABLISHED, FIN-WAIT-1, CLOSING, TIME-WAIT, CLOSED.
const pathLen = 8

// Endpoint is one TCP as seen from outside. What every segment touches stands
// first, together.
type Endpoint struct {
	sp reassembly.Space // what it sends

	// path holds the states it went through in this life, each with its
	// certainty, the best estimate last. Taking a presumption back pops;
	// nothing confirmed is ever popped.
	path  [pathLen]step8
	depth uint8

	timer timerKind
	wnd   uint16
	has   fact

	due    int64  // when timer fires, ns; 0 none
	lastAt int64  // its latest segment that was no copy
	lastSg uint64 // what makes a copy of it a copy (signature)

	rtt    int64 // smallest time from a segment towards it to its acknowledgment, ns; 0 unknown
	pendAt int64 // when the segment whose acknowledgment is awaited for rtt was (last) sent to it

	// The acknowledgments of its latest segments, newest first, with the time
	// of the latest segment that carried each: a bare RST names the segment
	// that it answers by its acknowledgment (RFC 9293 section 3.10.7.1).
	ackAt [2]int64
	acks  [2]reassembly.Seq

	pendEnd reassembly.Seq
	scale   uint8
	ttl     uint8
	mss     uint16

	count counters

	firstData int64  // its first payload in this life
	synAt     int64  // latest SYN or SYN,ACK
	synAckAt  int64  // when the peer's acknowledgment of its SYN was first seen, 0 not
	gap       int64  // the next interval expected between repeats of SYN, SYN,ACK or FIN, ns
	finAt     int64  // first FIN
	finLast   int64  // latest FIN
	finAckAt  int64  // when the peer's acknowledgment of its FIN was first seen since finAckHeard was last cleared
	closedAt  int64  // when its own or the peer's RST closed it
	twSince   int64  // entered TIME-WAIT, or the latest acceptable FIN in it
	finSig    uint64 // of the latest FIN, see finSig
	rstSeq    reassembly.Seq
	deaf      uint8 // how often it went on long after a RST of the peer
}

// counters of one endpoint in one life.
type counters struct {
	packets, bytes                                   uint64
	retransmissions, outOfOrder, keepalives, zeroWnd uint32
	syns, synAcks                                    uint16 // saturating
}

// fact is what was seen of an endpoint in this life.
type fact uint32

const (
	sentSyn     fact = 1 << iota // bare SYN
	sentSynAck                   //
	spoke                        // a segment that is neither SYN nor RST: it is synchronised
	sentData                     // payload
	ackedFin                     // acknowledged the peer's FIN
	finHeard                     // the peer acknowledged its FIN, and that is presumed to have arrived
	finTaken                     // its FIN is presumed to have been delivered in order
	finCarried                   // its FIN carried the acknowledgment of the peer's FIN
	finVirtual                   // its FIN was not seen; a later segment's number shows it
	sentRst                      // a RST of its own closed it
	gotRst                       // the peer's RST closed it
	stuck                        // in SYN-RECEIVED until it proves itself: full accept queue
	demoted                      // was taken back to SYN-RECEIVED once
	repeated                     // sent a SYN,ACK that no SYN provoked
	provoked                     // a SYN came since its last SYN,ACK
	fastOpen                     // payload in the SYN towards it was accepted
	cookie                       // was revoked to CLOSED as a SYN cookie
	oldSyn                       // its SYN is older than its previous life: presumed until repeated
	dataSyn                      // its SYN carried payload
	scaled                       // sent a window scale
	finRepeated                  // it repeated its FIN although the acknowledgment had been seen
	finAlone                     // all that it sent before its FIN had been acknowledged
	timedOut                     // a timer ended it
)

func (e *Endpoint) is(f fact) bool { return e.has.any(f) }

func (h fact) any(f fact) bool { return h&f != 0 }

// step8 is a State and its Certainty in one octet.
type step8 uint8

func mk(s State, c Certainty) step8  { return step8(s) | step8(c)<<4 }
func (p step8) state() State         { return State(p & 15) }
func (p step8) certainty() Certainty { return Certainty(p >> 4) }

// state is the best estimate. An endpoint without a path has none: CLOSED, or
// LISTEN, which no packet tells apart.
func (e *Endpoint) state() State {
	if e.depth == 0 {
		return Closed
	}
	return e.path[e.depth-1].state()
}

func (e *Endpoint) certainty() Certainty {
	if e.depth == 0 {
		return Presumed
	}
	return e.path[e.depth-1].certainty()
}

// presumed reports whether the best estimate is s and may be taken back.
func (e *Endpoint) presumed(s State) bool {
	return e.depth > 0 && e.path[e.depth-1].state() == s && e.certainty() != Confirmed
}

func (e *Endpoint) push(s State, c Certainty) {
	if e.depth == pathLen {
		copy(e.path[:], e.path[1:])
		e.depth--
	}
	e.path[e.depth] = mk(s, c)
	e.depth++
}

// prove marks the newest entry of s on the path confirmed without a transition:
// a segment sent before the later, presumed states proves it.
func (e *Endpoint) prove(s State) {
	for i := int(e.depth) - 1; i >= 0; i-- {
		if e.path[i].state() == s {
			e.path[i] = mk(s, Confirmed)
			return
		}
	}
}

// passed reports whether s is on the path.
func (e *Endpoint) passed(s State) bool {
	for _, p := range e.path[:e.depth] {
		if p.state() == s {
			return true
		}
	}
	return false
}

const (
	ms         = int64(1e6)
	second     = int64(1e9)
	unknownRTT = 30 * ms // states.md: before anything was measured
	slack      = 5 * ms  // beyond RTT, what is sent must have arrived
)

// reach is how long after a segment towards e was seen it must have arrived
// and e's next segment must show it.
func (e *Endpoint) reach() int64 { return reach(e.rtt) }

// reach is that of an endpoint with this rtt; 0 is unknown.
func reach(rtt int64) int64 {
	if rtt == 0 {
		return unknownRTT + slack
	}
	return rtt + slack
}

// sample takes note that e acknowledges up to ack at time t.
func (e *Endpoint) sample(ack reassembly.Seq, t int64) {
	if e.pendAt != 0 && e.pendEnd.LessEq(ack) {
		if d := t - e.pendAt; d > 0 && (e.rtt == 0 || d < e.rtt) {
			e.rtt = d
		}
		e.pendAt = 0
	}
}

// await takes note that a segment ending at end is on its way to e at t.
// Of a repeated segment the latest copy counts.
func (e *Endpoint) await(end reassembly.Seq, t int64) {
	if e.pendAt == 0 || end == e.pendEnd {
		e.pendAt, e.pendEnd = t, end
	}
}

// noteAck remembers the acknowledgment that its segment at t carries.
func (e *Endpoint) noteAck(ack reassembly.Seq, t int64) {
	if e.acks[0] != ack || e.ackAt[0] == 0 {
		e.acks[1], e.ackAt[1] = e.acks[0], e.ackAt[0]
		e.acks[0] = ack
	}
	e.ackAt[0] = t
}

// lastAck is its latest acknowledgment: its own RCV.NXT as it told it.
func (e *Endpoint) lastAck() (reassembly.Seq, bool) { return e.acks[0], e.ackAt[0] != 0 }

// fresh begins a new life: everything but the address's manners is forgotten.
// The path stays, for the transition that begins the new life starts from it.
func (e *Endpoint) fresh() {
	*e = Endpoint{path: e.path, depth: e.depth, rtt: e.rtt, count: e.count, ttl: e.ttl, lastAt: e.lastAt, lastSg: e.lastSg, acks: e.acks, ackAt: e.ackAt}
}
