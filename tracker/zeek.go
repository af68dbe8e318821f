package tracker

import "tcpstate/capture"

// Zeek's view of a connection, as its conn.log tells it. What is here follows
// Zeek's code (master, 2026), not its manual: TCPSessionAdapter and TCP_Endpoint
// for states and letters, conn/main.zeek for conn_state. Zeek moves an endpoint
// on every segment that it sends; sequence numbers never veto a move.

// zeekState is TCP_Endpoint's state. The words are Zeek's, not the RFC's.
type zeekState uint8

const (
	zeekInactive    zeekState = iota // nothing sent yet
	zeekSynSent                      // bare SYN of the originator
	zeekSynAckSent                   // originator whose first segment is a SYN,ACK
	zeekPartial                      // first segment without SYN, FIN and RST
	zeekEstablished                  // also the originator of a SYN that was answered
	zeekClosed                       // it sent FIN
	zeekReset                        // it sent RST
)

// zeekTooFar is TOO_LARGE_SEQ_DELTA: a SYN, a RST or an ACK of 0 that is
// farther away than this does not move the sequence space.
const zeekTooFar = 1 << 20

// zeekEnd is one TCP_Endpoint, squeezed: what only tells of repetitions is
// kept folded or saturated.
type zeekEnd struct {
	start, last uint32 // StartSeq (the ISN, or one below the first number seen) and LastSeq
	edge, above uint32 // approximate reassembly, see zeekgaps.go
	syn, fin    uint16 // hist_last_SYN and so on, relative, folded to 16 bits
	rst         uint16
	rxmt, win0  uint16 // how many t and w, saturated
	gaps, bad   uint8  // how many g and c, saturated
	acked       uint8  // AckSeq relative to start, saturated: only "nothing" matters
	state, prev zeekState
	finSeen     bool // FIN_cnt > 0
}

func (e *zeekEnd) set(s zeekState) {
	if s != e.state {
		e.prev, e.state = e.state, s
	}
}

// handshaking is is_handshake of TCP_Endpoint.cc.
func (s zeekState) handshaking() bool { return s <= zeekSynAckSent }

// away is "inactive" as conn_state of conn/main.zeek means it.
func (s zeekState) away() bool { return s == zeekInactive || s == zeekPartial }

// clean is is_clean of TCP_Reassembler.cc.
func (e *zeekEnd) clean() bool {
	return e.state == zeekEstablished || e.state == zeekClosed && e.prev == zeekEstablished
}

// size0 reports whether TCP_Endpoint::Size() is 0.
func (e *zeekEnd) size0() bool {
	n := max(int32(e.last-e.start), int32(e.acked))
	if n != 0 {
		n-- // the SYN, real or assumed
	}
	if e.finSeen && n != 0 {
		n--
	}
	return n == 0
}

// zeekConn is one connection as Zeek sees it: a value of fixed size without
// pointers, fed segment by segment. The zero value waits for the first one.
type zeekConn struct {
	end  [2]zeekEnd // by side of the Key
	seen [2]uint8   // letters seen once, by role: a flip of roles leaves them
	bits uint8      // zeekBegun ...
	n    uint8      // letters of the history, or zeekSpilled
	text [12]byte   // 19 letters of 5 bits, or where the spill has them
}

const (
	zeekBegun     uint8 = 1 << iota // a segment has been applied
	zeekOrigHi                      // the originator is side 1
	zeekIsPartial                   // is_partial
	zeekSawOrig                     // first_packet_seen
	zeekSawResp
	zeekBeyondFIN // last is not the end of the latest FIN of side 0; shifted by one, of side 1
)

// orig is the side of the originator.
func (z *zeekConn) orig() uint8 {
	if z.bits&zeekOrigHi != 0 {
		return 1
	}
	return 0
}

// role is 0 for the originator's side and 1 for the responder's.
func (z *zeekConn) role(side uint8) uint8 { return side ^ z.orig() }

// apply feeds one segment of the connection. Segments quoted in ICMP errors
// are none.
func (z *zeekConn) apply(seg *capture.Segment, spill *zeekSpill) {
	side, ok := z.step(seg, nil, spill)
	if ok {
		z.approximateGaps(seg, side, spill)
	}
}

// state is conn_state of conn/main.zeek; the first that fits wins.
func (z *zeekConn) state(spill *zeekSpill) string {
	o, r := &z.end[z.orig()], &z.end[z.orig()^1]
	return zeekConnState(o.state, r.state,
		func() bool { return o.size0() && r.size0() },
		func() string { return z.hist(spill) })
}

// zeekConnState is function conn_state of conn/main.zeek.
func zeekConnState(o, r zeekState, noPayload func() bool, history func() string) string {
	switch {
	case r == zeekReset:
		switch {
		case o == zeekSynSent, o == zeekSynAckSent, o == zeekReset && noPayload():
			return "REJ"
		case o.away():
			return "RSTRH"
		}
		return "RSTR"
	case o == zeekReset:
		switch {
		case !r.away():
			return "RSTO"
		case zeekSynThenReset(history()):
			return "RSTOS0"
		}
		return "OTH"
	case o == zeekClosed && r == zeekClosed:
		return "SF"
	case o == zeekClosed:
		if r.away() {
			return "SH"
		}
		return "S2"
	case r == zeekClosed:
		if o.away() {
			return "SHR"
		}
		return "S3"
	case o == zeekSynSent && r == zeekInactive:
		return "S0"
	case o == zeekEstablished && r == zeekEstablished:
		return "S1"
	}
	return "OTH"
}

// zeekSynThenReset is the pattern /\^?S[^HAFGIQ]*R.*/ of conn_state: the
// originator sent SYN and RST and nothing that counts in between.
func zeekSynThenReset(history string) bool {
	if history != "" && history[0] == '^' {
		history = history[1:]
	}
	if history == "" || history[0] != 'S' {
		return false
	}
	for i := 1; i < len(history); i++ {
		switch history[i] {
		case 'R':
			return true
		case 'H', 'A', 'F', 'G', 'I', 'Q':
			return false
		}
	}
	return false
}
