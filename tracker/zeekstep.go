package tracker

import "tcpstate/capture"

// zeekNote is what a step tells those who keep Zeek's timers and records.
type zeekNote uint8

const (
	zeekDoClose   zeekNote = 1 << iota // the segment closes its sender's side (do_close)
	zeekQuiet                          // the connection is no longer active: connection_reset
	zeekOpened                         // the originator's first SYN: the attempt timer starts
	zeekUp                             // connection_established
	zeekHandshook                      // the handshake is over: the longer idle time holds
)

// step is TCPSessionAdapter::Process up to and including the state machine. It
// returns the side of the sender, and false when Zeek ignores the segment but
// for a letter. With w, 64-bit sequence spaces and notes are kept too.
func (z *zeekConn) step(seg *capture.Segment, w *zeekWide, spill *zeekSpill) (uint8, bool) {
	side := seg.Side & 1
	if z.bits&zeekBegun == 0 {
		z.begin(seg, side, spill)
	}
	if seg.Key.Self() {
		// IPBasedAnalyzer::AnalyzePacket takes who has the originator's
		// address and port for the originator.
		side = z.orig()
	}
	me, peer := &z.end[side], &z.end[side^1]
	if seg.Mark&capture.BadChecksum != 0 {
		z.scaled8(&me.bad, zeekC, side, spill)
		return side, false
	}
	if seg.Mark&capture.Cut != 0 {
		return side, false // ExtractTCP_Header; the record is made all the same
	}
	// Process keeps this answer although a flip may change it below.
	isOrig := z.role(side) == 0
	z.notePartial(seg, isOrig)

	after := seg.Seq + zeekSegLen(seg)
	if me.restart(seg, after) && w != nil {
		w.end[side].restart(me.start)
	}
	z.letters(seg, side, spill)
	if seg.Window == 0 && !seg.Has(capture.RST) && peer.state != zeekClosed && me.state != zeekReset {
		z.scaled16(&me.win0, zeekW, side, spill) // update_window
	}
	if w != nil {
		w.before(seg, side, me, peer)
	}
	me.finSeen = me.finSeen || seg.Has(capture.FIN)
	if seg.Has(capture.ACK) {
		switch {
		case peer.state == zeekInactive:
			// init_peer: as if the other end's SYN had been seen.
			*peer = peer.begin(seg.Ack-1, seg.Ack-1)
			if w != nil {
				w.end[side^1].restart(seg.Ack - 1)
			}
		case !seg.Has(capture.RST):
			peer.ackedUpTo(seg.Ack)
		}
	}
	rxmt, moved := me.advance(seg, after)
	if moved && w != nil {
		w.end[side].advance(me.last, after)
	}
	if moved {
		me.last = after
	}
	if me.finSeen {
		switch fin := seg.Has(capture.FIN); {
		case fin && after == me.last:
			z.bits &^= zeekBeyondFIN << side
		case fin || moved:
			z.bits |= zeekBeyondFIN << side
		}
	}
	if rxmt {
		z.scaled16(&me.rxmt, zeekT, side, spill)
	}
	early := me.state.handshaking() && peer.state.handshaking()
	note := z.move(seg, side, isOrig, spill)
	if early && !(me.state.handshaking() && peer.state.handshaking()) {
		note |= zeekHandshook // TCP_Endpoint::SetState
	}
	if w != nil {
		w.note = note
	}
	if isOrig {
		z.bits |= zeekSawOrig // CheckPIA_FirstPacket
	} else {
		z.bits |= zeekSawResp
	}
	return side, true
}

// zeekSegLen is get_segment_len: payload on a RST is no part of the stream.
func zeekSegLen(seg *capture.Segment) uint32 {
	n := seg.SeqLen()
	if seg.Has(capture.RST) {
		n -= seg.Len
	}
	return n
}

// notePartial is SetPartialStatus: a connection is partial unless the first
// segment of each end was a SYN, the originator's without ACK.
func (z *zeekConn) notePartial(seg *capture.Segment, isOrig bool) {
	partial := z.bits&zeekIsPartial != 0
	switch syn := seg.Has(capture.SYN); {
	case isOrig && z.bits&zeekSawOrig == 0:
		partial = !syn || seg.Has(capture.ACK)
	case !isOrig && z.bits&zeekSawResp == 0 && !partial:
		partial = !syn
	}
	z.bits &^= zeekIsPartial
	if partial {
		z.bits |= zeekIsPartial
	}
}

// begin is a fresh sequence space; counters, state and letters stay.
func (e zeekEnd) begin(start, last uint32) zeekEnd {
	e.start, e.last, e.acked = start, last, 0
	e.edge, e.above = start+1, start+1
	return e
}

// restart is init_endpoint: it reports whether the sender's sequence space
// begins with this segment.
func (e *zeekEnd) restart(seg *capture.Segment, after uint32) bool {
	syn := seg.Has(capture.SYN)
	switch e.state {
	case zeekInactive:
		if syn {
			*e = e.begin(seg.Seq, after)
		} else {
			*e = e.begin(seg.Seq-1, seg.Seq) // last: so that it is no retransmission
		}
		return true
	case zeekSynSent, zeekSynAckSent:
		if !syn || seg.Seq == e.start {
			return false
		}
	case zeekEstablished, zeekPartial:
		if !syn {
			return false
		}
	case zeekReset:
		// A RST that came first may have been forged.
		if !syn || e.prev != zeekInactive {
			return false
		}
	default:
		return false
	}
	*e = e.begin(seg.Seq, after)
	return true
}

// ackedUpTo is update_ack_seq behind the test for underflow.
func (e *zeekEnd) ackedUpTo(ack uint32) {
	d := int32(ack - e.start)
	if d <= int32(e.acked) || ack == 0 && d-int32(e.acked) > zeekTooFar {
		return
	}
	e.acked = uint8(min(d, 255))
}

// advance is update_last_seq: whether the segment is a retransmission, and
// whether it moves the end of what was sent.
func (e *zeekEnd) advance(seg *capture.Segment, after uint32) (rxmt, moved bool) {
	d := int32(after - e.last)
	switch {
	case seg.Flags&(capture.SYN|capture.RST) != 0 && (d > zeekTooFar || d < -zeekTooFar):
	case seg.Has(capture.FIN) && e.last == e.start+1:
		// Only SYN and FIN were seen; there may be 2 GB in between.
		return false, true
	case e.state == zeekReset:
	case d > 0:
		return false, true
	case seg.Len > 0:
		return true, false
	}
	return false, false
}

// move is UpdateStateMachine for the sender.
func (z *zeekConn) move(seg *capture.Segment, side uint8, isOrig bool, spill *zeekSpill) zeekNote {
	me, peer := &z.end[side], &z.end[side^1]
	switch me.state {
	case zeekInactive:
		return z.moveInactive(seg, side, isOrig, spill)
	case zeekSynSent, zeekSynAckSent:
		// UpdateSYN_SentState
		var note zeekNote
		if seg.Has(capture.FIN) {
			me.set(zeekClosed)
			note |= zeekDoClose
		}
		if seg.Has(capture.RST) {
			me.set(zeekReset)
			note |= zeekDoClose | zeekQuiet
		}
		return note
	case zeekEstablished, zeekPartial:
		return moveEstablished(seg, me, peer)
	case zeekClosed:
		// UpdateClosedState: after both FINs a RST means nothing any more.
		if seg.Has(capture.RST) && peer.state != zeekClosed {
			me.set(zeekReset)
			return zeekDoClose
		}
	}
	return 0 // UpdateResetState: final
}

// moveInactive is UpdateInactiveState: the first segment of an end.
func (z *zeekConn) moveInactive(seg *capture.Segment, side uint8, isOrig bool, spill *zeekSpill) zeekNote {
	var note zeekNote
	me, peer := &z.end[side], &z.end[side^1]
	ack := seg.Has(capture.ACK)
	switch {
	case !seg.Has(capture.SYN):
	case isOrig:
		note |= zeekOpened
		if ack {
			me.set(zeekSynAckSent)
		} else {
			me.set(zeekSynSent)
		}
	default:
		if !ack && peer.state == zeekSynAckSent && seg.Seq == me.start {
			// The SYN comes after its SYN,ACK.
			z.flip(spill)
			z.bits &^= zeekIsPartial
			peer.set(zeekEstablished)
			z.bits |= zeekSawOrig
		}
		if peer.state == zeekSynSent {
			peer.set(zeekEstablished) // the third ACK is not waited for
		}
		me.set(zeekEstablished)
		if peer.state != zeekPartial {
			note |= zeekUp
		}
	}
	if seg.Has(capture.FIN) {
		me.set(zeekClosed)
		note |= zeekDoClose
	}
	if seg.Has(capture.RST) {
		me.set(zeekReset)
		note |= zeekDoClose
	}
	if me.state != zeekInactive {
		return note
	}
	switch {
	case !isOrig && seg.Len == 0 && z.end[z.orig()].state == zeekSynSent:
		// Some acknowledge a SYN before they answer it.
	case ack && peer.state == zeekEstablished:
		me.set(zeekEstablished) // its SYN was missed
		z.bits &^= zeekIsPartial
		if isOrig {
			z.bits |= zeekSawOrig
		} else {
			z.bits |= zeekSawResp
		}
	default:
		me.set(zeekPartial)
	}
	return note
}

// moveEstablished is UpdateEstablishedState.
func moveEstablished(seg *capture.Segment, me, peer *zeekEnd) zeekNote {
	var note zeekNote
	if seg.Flags&(capture.SYN|capture.ACK) == capture.SYN && me.state == zeekPartial && peer.state == zeekInactive {
		me.set(zeekSynSent)
	}
	rst := seg.Has(capture.RST)
	if seg.Has(capture.FIN) && !rst {
		me.set(zeekClosed)
		if peer.state == zeekReset && peer.prev == zeekClosed {
			peer.set(zeekClosed) // FIN, RST, FIN: an orderly end after all
		}
		note |= zeekDoClose
	}
	if rst {
		me.set(zeekReset)
		note |= zeekDoClose
		if peer.state != zeekReset || peer.prev != zeekEstablished {
			note |= zeekQuiet
		}
	}
	return note
}
