package tracker

import "tcpstate/capture"

// approximateGaps writes the letter g with 8 octets of memory: edge is the
// number up to which the end's payload was seen without a hole, above the
// lowest number seen beyond the first hole (or edge). A second hole is taken
// for filled, so that a g may be missing but never is one too many. Zeek's
// rows keep exact lists instead (zeekwide.go).
func (z *zeekConn) approximateGaps(seg *capture.Segment, side uint8, spill *zeekSpill) {
	me, peer := &z.end[side], &z.end[side^1]
	if seg.Has(capture.ACK) {
		ack := seg.Ack
		switch {
		case peer.finSeen && z.bits&(zeekBeyondFIN<<(side^1)) != 0:
			// Where the stream ended is forgotten.
			if int32(ack-peer.edge) > 0 {
				peer.edge, peer.above = ack, ack
			}
		case peer.finSeen && int32(ack-peer.last) >= 0:
			z.ackGap(peer, side^1, peer.last-1, spill) // the FIN is not missing
		default:
			z.ackGap(peer, side^1, ack, spill)
		}
	}
	if seg.Len == 0 || seg.Has(capture.RST) {
		return
	}
	from := seg.Seq
	if seg.Has(capture.SYN) {
		from++
	}
	to := from + seg.Len
	switch {
	case int32(to-me.edge) <= 0:
	case int32(from-me.edge) > 0:
		if me.above == me.edge || int32(from-me.above) < 0 {
			me.above = from
		}
	default:
		if me.above != me.edge && int32(to-me.above) >= 0 {
			to = me.last // the hole is filled
		}
		if me.above == me.edge || int32(to-me.above) >= 0 {
			me.above = to
		}
		me.edge = to
	}
}

// ackGap is TCP_Reassembler::AckReceived for the end on side: what is
// acknowledged and was not seen is a gap, if the connection is in order.
func (z *zeekConn) ackGap(e *zeekEnd, side uint8, ack uint32, spill *zeekSpill) {
	if e.state == zeekInactive || int32(ack-e.edge) <= 0 {
		return
	}
	if ack-e.start <= 2 && z.bits&zeekIsPartial != 0 {
		return // Undelivered: the SYN assumed, or a keep-alive before it
	}
	if e.clean() && z.end[side^1].clean() {
		z.scaled8(&e.gaps, zeekG, side, spill)
	}
	if e.above != e.edge && int32(ack-e.above) >= 0 && int32(e.last-ack) > 0 {
		ack = e.last
	}
	e.edge, e.above = ack, ack
}
