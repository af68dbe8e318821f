package tracker

import "tcpstate/capture"

// The bits of Wireshark's tcp.completeness (TCP_COMPLETENESS_* in
// epan/dissectors/packet-tcp.h): what a stream has shown, in no order and from
// no particular end.
const (
	completeSyn    uint8 = 1 << iota // a SYN without ACK opened the stream
	completeSynAck                   // any SYN,ACK
	completeAck                      // ACK without SYN and payload, FIN,ACK and RST,ACK among them
	completeData                     // ACK without SYN, with payload; or payload on the opening SYN
	completeFin                      // FIN with ACK
	completeRst                      // any RST
)

// Completeness collects tcp.completeness of one stream. Begin it with
// OpenCompleteness or ReopenCompleteness, whichever began the stream, and give
// it every further segment with Apply, quoted ones included.
//
// The value is that of `tshark -2`. There the second pass shows each packet what
// the first pass found in all packets, with one exception that comes from the
// dissector's order of work: the first pass takes nothing but the SYN from the
// packet that creates the conversation, the second pass shows a packet the
// value before it adds its own bits. So the other bits of the first packet of
// a stream count only if a second packet follows.
type Completeness struct {
	bits uint8 // as Value gives them
	held uint8 // of the first packet, waiting for a second one
}

// OpenCompleteness begins a stream with seg because its pair had none.
func OpenCompleteness(seg *capture.Segment) Completeness {
	var c Completeness
	if seg.Flags&(capture.SYN|capture.ACK) == capture.SYN {
		c.bits = completeSyn
		if payload(seg) {
			c.bits |= completeData // fast open (RFC 7413)
		}
	}
	c.held = completenessOf(seg)
	return c
}

// ReopenCompleteness begins a stream with seg, a SYN for which
// StreamBase.Starts said yes. dissect_tcp sets the value to 1 there and does
// not take the conversation for a new one: payload of that SYN is overlooked,
// and what else it carries counts at once.
func ReopenCompleteness(seg *capture.Segment) Completeness {
	return Completeness{bits: completeSyn | completenessOf(seg)}
}

// Apply adds a segment that did not begin the stream.
func (c *Completeness) Apply(seg *capture.Segment) {
	c.bits |= c.held | completenessOf(seg)
	c.held = 0
}

// Value is tcp.completeness: 31 is a whole connection with data that ended
// with FIN, 47 one that ended with RST, 63 one that saw both.
func (c Completeness) Value() uint8 { return c.bits }

// completenessOf is what a segment adds wherever it stands in its stream.
func completenessOf(seg *capture.Segment) uint8 {
	var bits uint8
	switch seg.Flags & (capture.SYN | capture.ACK) {
	case capture.SYN | capture.ACK:
		bits = completeSynAck
	case capture.ACK:
		bits = completeAck
		if payload(seg) {
			bits = completeData
		}
	}
	if seg.Has(capture.FIN | capture.ACK) {
		bits |= completeFin
	}
	if seg.Has(capture.RST) {
		bits |= completeRst
	}
	return bits
}

// payload reports whether dissect_tcp knows a payload: of a header quoted in
// an ICMP error it does not know the length (and Len is something else there).
func payload(seg *capture.Segment) bool {
	return seg.Len > 0 && seg.Mark&capture.Quoted == 0
}
