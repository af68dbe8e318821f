package tracker

import (
	"slices"

	"tcpstate/capture"
)

// zeekWide is what a Zeek record needs beyond zeekConn: sequence numbers of 64
// bits, what is missing of the payload, and when a side counts as closed.
type zeekWide struct {
	end     [2]zeekFlow // by side of the Key
	rel     uint64      // of the last segment: its sequence number relative to its sender's start
	relAck  uint64      // ... its acknowledgement relative to the receiver's start, 0 if useless
	below   bool        // ... rel lies before the start (seq_underflow)
	note    zeekNote
	waiting bool // close_deferred: a FIN or RST waits for payload
	missed  uint64
}

// zeekFlow is one end's TCP_Reassembler and the wide half of its TCP_Endpoint.
// No payload is kept, only where it lies; numbers are relative to start.
type zeekFlow struct {
	start              uint32
	ackSeq             uint32
	seqWraps, ackWraps uint32
	finSeq             uint64 // FIN_seq: after the last FIN
	fins               bool
	reassembled        uint64     // last_reassem_seq
	trimmed            uint64     // trim_seq: acknowledged and done with
	spans              []zeekSpan // seen and not acknowledged: sorted, disjoint
	skip               bool       // skip_deliveries: given up
	eof                bool       // did_EOF
	closed             bool       // did_close
}

type zeekSpan struct{ from, to uint64 }

// zeekMaxSpans bounds the holes that are remembered of one end; Zeek bounds
// the payload that it keeps.
const zeekMaxSpans = 1024

// Limits of init-bare.zeek on data that nobody acknowledges, after which Zeek
// takes the other direction for invisible.
const (
	zeekMaxInitialWindow = 16384    // tcp_max_initial_window
	zeekMaxAboveHole     = 16384    // tcp_max_above_hole_without_any_acks
	zeekMaxUnacked       = 10 << 20 // tcp_excessive_data_without_further_acks
)

func newZeekWide() zeekWide {
	var w zeekWide
	for i := range w.end {
		w.end[i].reassembled, w.end[i].trimmed = 1, 1
	}
	return w
}

func (f *zeekFlow) restart(start uint32) { f.start, f.ackSeq = start, start }

// relative is get_relative_seq.
func (f *zeekFlow) relative(n, last, wraps uint32) (rel uint64, below bool) {
	switch d := int32(n - last); {
	case d < 0 && wraps > 0 && n > last:
		wraps--
	case d > 0 && n < last:
		wraps++
	}
	if wraps == 0 {
		d := int32(n - f.start)
		return uint64(int64(d)), d < 0
	}
	return f.full(n, wraps), false
}

// full is ToRelativeSeqSpace.
func (f *zeekFlow) full(n, wraps uint32) uint64 {
	return uint64(wraps)<<32 + uint64(n) - uint64(f.start)
}

func (f *zeekFlow) advance(last, after uint32) {
	if after < last {
		f.seqWraps++
	}
}

// before is the part of Process that needs the numbers as they stood before
// the segment moves them.
func (w *zeekWide) before(seg *capture.Segment, side uint8, me, peer *zeekEnd) {
	f, g := &w.end[side], &w.end[side^1]
	w.rel, w.below = f.relative(seg.Seq, me.last, f.seqWraps)
	if seg.Has(capture.FIN) {
		f.fins, f.finSeq = true, w.rel+uint64(zeekSegLen(seg))
	}
	w.relAck = 0
	switch {
	case !seg.Has(capture.ACK):
	case peer.state == zeekInactive:
		w.relAck = 1
	default:
		rel, below := g.relative(seg.Ack, g.ackSeq, g.ackWraps)
		if below {
			break
		}
		w.relAck = rel
		d := int32(seg.Ack - g.ackSeq)
		if seg.Has(capture.RST) || d <= 0 || seg.Ack == 0 && d > zeekTooFar {
			break // update_ack_seq; acknowledgements of a RST are not trusted
		}
		if seg.Ack < g.ackSeq {
			g.ackWraps++
		}
		g.ackSeq = seg.Ack
	}
}

// size is TCP_Endpoint::Size: payload octets by sequence numbers.
func (w *zeekWide) size(z *zeekConn, side uint8) uint64 {
	e, f := &z.end[side], &w.end[side]
	if e.prev == zeekSynSent && e.state == zeekReset && z.end[side^1].state == zeekInactive && !f.nothingAcked() {
		return 0 // a half-open connection was found out
	}
	n := max(uint64(f.seqWraps)<<32+uint64(e.last), uint64(f.ackWraps)<<32+uint64(f.ackSeq)) - uint64(f.start)
	if n != 0 {
		n--
	}
	if f.fins && n != 0 {
		n--
	}
	return n
}

// nothingAcked is NoDataAcked.
func (f *zeekFlow) nothingAcked() bool {
	n := f.full(f.ackSeq, f.ackWraps)
	return n == 0 || n == 1
}

// pending is DataPending: whether the end's closing has to wait for payload of
// its own that is missing, or the other's that it has not acknowledged.
func (w *zeekWide) pending(z *zeekConn, side uint8) bool {
	e, f := &z.end[side], &w.end[side]
	if f.skip {
		return false
	}
	delivered := uint64(f.start) + f.reassembled
	last := uint64(f.seqWraps)<<32 + uint64(e.last)
	if last < delivered {
		return false
	}
	if delivered != last-1 && delivered != last {
		return true
	}
	return e.state != zeekReset && len(w.end[side^1].spans) > 0
}

// dataSent is TCP_Reassembler::DataSent and what follows from it. Zeek does
// not see payload that the snap length cut off; we take it for seen.
func (w *zeekWide) dataSent(z *zeekConn, side uint8, from, n uint64) {
	f := &w.end[side]
	if f.skip || n == 0 {
		return
	}
	to := from + n
	if to < from {
		return
	}
	if from = max(from, f.trimmed); from < to {
		f.insert(from, to)
		f.deliver()
		if f.nothingAcked() && w.size(z, side) > zeekMaxInitialWindow {
			f.trim(f.reassembled) // nobody acknowledges, so do not wait for it
		}
	}
	held := uint64(0)
	for _, s := range f.spans {
		held += s.to - s.from
	}
	above := uint64(0)
	if k := len(f.spans); k > 0 {
		above = f.spans[k-1].to - f.reassembled
	}
	if f.nothingAcked() && above > zeekMaxAboveHole || held > zeekMaxUnacked || len(f.spans) > zeekMaxSpans {
		f.spans, f.skip = nil, true
	}
}

// insert adds a span and merges what touches it.
func (f *zeekFlow) insert(from, to uint64) {
	lo, _ := slices.BinarySearchFunc(f.spans, from, func(s zeekSpan, n uint64) int {
		if s.to < n {
			return -1
		}
		return 1
	})
	hi := lo
	for hi < len(f.spans) && f.spans[hi].from <= to {
		from, to = min(from, f.spans[hi].from), max(to, f.spans[hi].to)
		hi++
	}
	f.spans = slices.Replace(f.spans, lo, hi, zeekSpan{from, to})
}

// deliver moves the delivered edge through what lies at it (BlockInserted).
func (f *zeekFlow) deliver() {
	for _, s := range f.spans {
		if s.from > f.reassembled {
			return
		}
		f.reassembled = max(f.reassembled, s.to)
	}
}

// trim forgets what lies wholly before to.
func (f *zeekFlow) trim(to uint64) {
	for len(f.spans) > 0 && f.spans[0].to <= to {
		f.spans = f.spans[1:]
	}
	f.trimmed = to
}

// ackReceived is TCP_Reassembler::AckReceived with Undelivered: payload that
// is acknowledged and was not seen is a gap. It reports whether anything moved.
func (w *zeekWide) ackReceived(z *zeekConn, side uint8, ack uint64, spill *zeekSpill) bool {
	f := &w.end[side]
	if f.fins && ack >= f.finSeq {
		ack = f.finSeq - 1
	}
	if ack <= f.trimmed {
		return false
	}
	if ack > f.reassembled && (ack > 2 || z.bits&zeekIsPartial == 0) {
		for i := 0; !f.skip && i < len(f.spans); i++ {
			s := f.spans[i]
			if s.from < f.reassembled {
				continue
			}
			if s.from >= ack {
				break
			}
			w.gap(z, side, s.from-f.reassembled, spill)
			f.reassembled = s.from
			f.deliver()
		}
		if ack > f.reassembled {
			if !f.skip {
				w.gap(z, side, ack-f.reassembled, spill)
			}
			f.reassembled = ack
		}
	}
	f.trim(ack)
	f.deliver()
	return true
}

// gap is TCP_Reassembler::Gap and event content_gap: counted in connections
// that are in order only, for elsewhere numbers mislead.
func (w *zeekWide) gap(z *zeekConn, side uint8, n uint64, spill *zeekSpill) {
	if n == 0 || !z.end[side].clean() || !z.end[side^1].clean() {
		return
	}
	z.scaled8(&z.end[side].gaps, zeekG, side, spill)
	w.missed += n
}
