package tracker

import (
	"cmp"
	"math"
	"net/netip"
	"slices"

	"tcpstate/capture"
)

// ZeekRow is one row of a conn.log, for TCP.
type ZeekRow struct {
	Start, End int64 // ts, and ts + duration; ns
	Orig, Resp netip.AddrPort
	// Payload by sequence numbers. A row with End == Start has none in
	// conn.log (conn/main.zeek leaves duration and both unset).
	OrigBytes, RespBytes  uint64
	State                 string // conn_state
	History               string // "" is "-"
	MissedBytes           uint64
	OrigPkts, OrigIPBytes uint64
	RespPkts, RespIPBytes uint64
	VLAN                  uint16 // of the first segment; capture.NoVLAN if untagged
	FirstFrame            uint64
}

// Zeek makes the rows of a conn.log: its own records, split and timed out as
// Zeek does in packet time, independent of tcp.stream and of the Tracker. It
// is for one goroutine.
//
// Rows come in the order in which Zeek would remove the connections: by the
// time of removal (a timer's, or the segment's that starts a new record), then
// by start. What is left at the end comes by start; Zeek's own order there is
// that of a hash table.
type Zeek struct {
	emit    func(*ZeekRow)
	records map[capture.Key]*zeekRecord
	timers  zeekTimers
	spill   zeekSpill
	now     int64
	created uint64
	evicted uint64
	most    int // records at one time
}

// zeekMaxRecords bounds the table: at some 600 octets a record it stays below
// a gigabyte. Zeek has no such bound.
const zeekMaxRecords = 1 << 20

// Evicted is how many records were logged early because the table was full.
func (k *Zeek) Evicted() uint64 {
	return k.evicted
}

// NewZeek makes a Zeek that hands each row to emit. The row is the receiver's
// to keep.
func NewZeek(emit func(*ZeekRow)) *Zeek {
	return &Zeek{emit: emit, records: map[capture.Key]*zeekRecord{}, most: zeekMaxRecords, now: math.MinInt64}
}

// zeekRecord is one Connection of Zeek's session table.
type zeekRecord struct {
	key         capture.Key
	conn        zeekConn
	wide        zeekWide
	start, last int64 // start_time and last_time
	created     uint64
	frame       uint64
	pkts, bytes [2]uint64 // by side
	vlan        uint16
	zeekClock
}

// Process applies the segments of b in order. Segments left out by a filter
// and those quoted in ICMP errors are not looked at.
func (k *Zeek) Process(b *capture.Batch) {
	for i := range b.Segments {
		seg := &b.Segments[i]
		k.advance(seg.Time)
		if seg.Mark&(capture.Unselected|capture.Quoted) == 0 {
			k.segment(seg)
		}
	}
	k.advance(b.Now)
}

// Finish emits what is still in the table. The Zeek is then spent.
func (k *Zeek) Finish() {
	left := make([]*zeekRecord, 0, len(k.records))
	for _, r := range k.records {
		left = append(left, r)
	}
	slices.SortFunc(left, func(a, b *zeekRecord) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.created, b.created))
	})
	for _, r := range left {
		k.remove(r)
	}
}

// segment is IPBasedAnalyzer::AnalyzePacket: find or make the record, then
// Process of its adapter.
func (k *Zeek) segment(seg *capture.Segment) {
	r := k.records[seg.Key]
	if r != nil && r.reused(seg) {
		k.remove(r)
		r = nil
	}
	if r == nil {
		if len(k.records) >= k.most {
			k.evicted++
			k.remove(k.timers[0]) // the one that would go first
		}
		k.created++
		r = &zeekRecord{key: seg.Key, wide: newZeekWide(), start: seg.Time, last: seg.Time,
			created: k.created, frame: seg.Frame, vlan: seg.VLAN}
		r.zeekClock.begin(seg.Time)
		k.records[seg.Key] = r
	}
	r.process(seg, &k.spill)
	k.schedule(r)
}

// process is TCPSessionAdapter::Process and the packet counters of ConnSize.
func (r *zeekRecord) process(seg *capture.Segment, spill *zeekSpill) {
	w := &r.wide
	side, ok := r.conn.step(seg, w, spill)
	if !ok {
		return
	}
	r.pkts[side]++
	r.bytes[side] += zeekIPBytes(seg)
	if !w.end[0].closed || !w.end[1].closed {
		r.last = seg.Time
	}
	r.note(&r.conn, w.note, seg.Time, r.key)
	if seg.Has(capture.ACK) && w.ackReceived(&r.conn, side^1, w.relAck, spill) {
		r.checkEOF(side ^ 1)
	}
	if seg.Len > 0 && !seg.Has(capture.RST) && !w.below {
		from := w.rel
		if seg.Has(capture.SYN) {
			from++
		}
		w.dataSent(&r.conn, side, from, uint64(seg.Len))
	}
	r.checkEOF(side)
	if w.note&zeekDoClose != 0 {
		r.close(side)
	}
}

// checkEOF is TCP_Reassembler::CheckEOF: payload for which a closing had to
// wait is complete.
func (r *zeekRecord) checkEOF(side uint8) {
	w, e := &r.wide, &r.conn.end[side]
	f := &w.end[side]
	if f.eof || !f.fins && e.state != zeekClosed && e.state != zeekReset || w.pending(&r.conn, side) {
		return
	}
	f.eof = true
	if w.waiting {
		r.close(side)
		w.waiting = false
	}
}

// close is ConnectionClosed. What it does to is_active shows nowhere, for it
// cancels the timers that ask.
func (r *zeekRecord) close(side uint8) {
	w := &r.wide
	if w.pending(&r.conn, side) {
		w.waiting = true
		return
	}
	w.waiting = false
	if w.end[side].closed {
		return
	}
	w.end[side].closed = true
	me, peer := &r.conn.end[side], &r.conn.end[side^1]
	switch {
	case me.state == zeekReset, w.end[side^1].closed, peer.state == zeekInactive:
		r.closedAt(r.last)
	case me.prev != zeekInactive:
		r.halfClosedAt(r.last)
	}
}

// reused is IsReuse: whether the segment belongs to a new connection of the
// same addresses and ports.
func (r *zeekRecord) reused(seg *capture.Segment) bool {
	if !seg.Has(capture.SYN) {
		return false
	}
	z := &r.conn
	o := z.orig()
	base := o
	if seg.Has(capture.ACK) {
		if z.end[o].state != zeekInactive {
			return false // only of half a connection
		}
		base = o ^ 1
	}
	if r.wide.end[0].closed || r.wide.end[1].closed {
		return true
	}
	if seg.Seq == z.end[base].start {
		return false
	}
	// A SYN after its SYN,ACK is none.
	return seg.Has(capture.ACK) || z.end[base].state != zeekSynAckSent ||
		z.end[o^1].state != zeekInactive || seg.Seq != z.end[o^1].start
}

func (k *Zeek) remove(r *zeekRecord) {
	delete(k.records, r.key)
	k.timers.drop(r)
	o := r.conn.orig()
	row := &ZeekRow{
		Start: r.start, End: r.last, Orig: r.key.End(o), Resp: r.key.End(o ^ 1),
		OrigBytes: r.wide.size(&r.conn, o), RespBytes: r.wide.size(&r.conn, o^1),
		History: r.conn.hist(&k.spill), MissedBytes: r.wide.missed,
		OrigPkts: r.pkts[o], OrigIPBytes: r.bytes[o], RespPkts: r.pkts[o^1], RespIPBytes: r.bytes[o^1],
		VLAN: r.vlan, FirstFrame: r.frame,
	}
	row.State = zeekConnState(r.conn.end[o].state, r.conn.end[o^1].state,
		func() bool { return row.OrigBytes == 0 && row.RespBytes == 0 },
		func() string { return row.History })
	r.conn.release(&k.spill)
	k.emit(row)
}
