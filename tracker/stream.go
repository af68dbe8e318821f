package tracker

import "tcpstate/capture"

// StreamBase is what Wireshark remembers of a conversation to decide whether a
// segment begins a new tcp.stream: for each end the sequence number that it
// calls the base. One is held per newest stream of a 4-tuple. The zero value
// knows no base; it is the state before the first segment of an unknown pair.
//
// The rules are those of dissect_tcp in Wireshark 4.0 (epan/dissectors/
// packet-tcp.c), found again by experiment with tshark 4.0.17. Addresses and
// ports alone make the pair: a VLAN, a tunnel around it or the direction of
// the first segment do not matter.
type StreamBase struct {
	base  [2]uint32 // by side of the Key
	known uint8     // bit 0: base[0] is set, bit 1: base[1]
}

// OpenStream is the StreamBase of a stream that begins with seg because the
// pair of seg has no stream yet.
func OpenStream(seg *capture.Segment) StreamBase {
	var b StreamBase
	b.learn(seg)
	return b
}

// Starts reports whether seg begins another stream although its pair has one,
// the newest of which has the bases b. It is to be asked once for every
// segment of the pair after the first, in capture order: b learns from seg,
// and starts afresh with it when the answer is yes.
//
// Only a SYN without ACK begins a stream, and only if its sequence number is
// not its sender's base; FIN, RST and idle time never do (that rule came with
// Wireshark 4.2). A SYN with the base's number is a retransmission even after
// a close. A sender without a base joins.
func (b *StreamBase) Starts(seg *capture.Segment) bool {
	switch side := seg.Side & 1; {
	case b.known>>side&1 == 0 || b.base[side] == seg.Seq:
	case seg.Flags&(capture.SYN|capture.ACK) == capture.SYN:
		*b = OpenStream(seg)
		return true
	case seg.Has(capture.SYN | capture.ACK):
		// dissect_tcp stays in the stream but takes the number over, quoted
		// or not: the SYN of this life may follow or be missing.
		b.base[side] = seg.Seq
	}
	b.learn(seg)
	return false
}

// learn sets bases that are still unknown. dissect_tcp does so behind the test
// that it has a whole segment, so a header quoted by an ICMP error sets none.
func (b *StreamBase) learn(seg *capture.Segment) {
	if seg.Mark&capture.Quoted != 0 {
		return
	}
	side := seg.Side & 1
	if b.known>>side&1 == 0 {
		b.base[side] = seg.Seq
		if seg.Flags&capture.SYN == 0 {
			b.base[side]-- // as if a SYN had gone before
		}
		b.known |= 1 << side
	}
	// The other end's ISN, as this end has acknowledged it. Right for the
	// SYN,ACK and the ACK after it, a guess for all others: a SYN that comes
	// after its SYN,ACK must match it to join.
	if other := side ^ 1; b.known>>other&1 == 0 && seg.Flags&capture.ACK != 0 {
		b.base[other] = seg.Ack - 1
		b.known |= 1 << other
	}
}

// Streamless reports whether Wireshark gives no number to a quoted header: it
// reads the header up to the window before it looks for the conversation and
// gives up when an ICMP error quotes less (RFC 792 asks for 8 octets only).
func Streamless(seg *capture.Segment) bool {
	return seg.Mark&(capture.Quoted|capture.ShortQuote) == capture.Quoted|capture.ShortQuote
}
