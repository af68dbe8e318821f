package tracker

import (
	"tcpstate/capture"
	"tcpstate/reassembly"
)

// sheet is what every Account has in it, in the making.
type sheet struct {
	Segments      uint64
	DataSegments  uint64
	FirstDataAt   int64
	LastDataAt    int64
	LastDataFrame uint64
	LastAt        int64
	LastFrame     uint64
	Oversized     uint64
	Joined        uint64
	SpokeAt       int64
	SpokeFrame    uint64
	Turns         uint32
	MaxTSVal      uint32
	SynTSVal      uint32
	SynOpts       uint8
	opened        bool // it sent a SYN or SYN,ACK
	ttls          [3]ttlCount
	newestID      uint16 // IP identification of the payload that it sent last, as far as can be told
	HasTS         bool
}

// rare is the rest of an Account in the making: nothing, with most connections.
type rare struct {
	Account
	probeAt   int64 // latest probe, while nothing but probes and their answers follows
	probeOpen bool  // it is not answered yet
	zeroAt    int64 // offers a window of zero since then
	zeroFrame uint64
	zeroProbe uint64 // the peer's first probe since then, or what else shows that it has more to send
	openedAt  int64  // opened the window then, and whether the peer was waiting is not known yet
	openedAs  uint64
	gapAt     int64  // sent a segment beyond a hole, the latest time
	gapTS     uint32 // with this timestamp
	pushed    uint32 // payload repeated against a window of zero
	twice     uint32 // of the rest of what it repeated, the peer said that it had it (RFC 2883)
	finAgain  uint32 // repeats of its FIN that the peer has not said so of
}

// course is what a life's segments come to, one after the other.
type course struct {
	acct       [2]sheet
	lastAt     int64
	lastFrame  uint64
	idle       int64
	idleFrames [2]uint64
	speaker    int8 // who sent the latest payload: side+1, 0 nobody
}

// ledger is both parts of an account in hand.
type ledger struct {
	*sheet
	*rare
}

// ttlCount counts the segments that came with one TTL.
type ttlCount struct {
	ttl uint8
	n   uint32
}

// oversized is how much payload no path carries in one segment: beyond the MSS
// that was offered, and beyond any Ethernet but jumbo frames.
const oversized = 1500

// atOnce is how soon after a window opened the peer that was waiting for it
// goes on, beside the round trip.
const atOnce = 50 * ms

// plain reports a segment that shows nothing but that it was sent: plainly books
// it, as long as nothing else has to be waited for.
func (e *Event) plain(was *prior) bool {
	if was.unseen > 0 || e.What&Odd != 0 || e.Opts&capture.OptDSACK != 0 {
		return false
	}
	if e.Flags&capture.RST != 0 {
		return true
	}
	switch e.Class {
	case reassembly.Retransmission, reassembly.Spurious:
		return e.Flags&capture.SYN != 0 && e.Len == 0
	case reassembly.Keepalive, reassembly.ZeroWindowProbe:
		return false
	}
	if e.Window == 0 && e.Flags&capture.SYN == 0 {
		return false
	}
	return e.Len == 0 || e.Class == reassembly.New && e.What&AcksFin == 0
}

// joins reports payload that no path to ye carries in one segment, and how many
// more it is on the wire.
func (e *Event) joins(ye *Endpoint) (more uint64, is bool) {
	if e.Len <= 1460 || !e.carries() {
		return 0, false
	}
	limit := uint32(oversized)
	if ye.mss != 0 {
		limit = uint32(ye.mss)
	}
	return uint64((e.Len - 1) / limit), e.Len > limit
}

// plainly books a plain segment.
func (o *course) plainly(e *Event) {
	a := &o.acct[e.From]
	a.segment(e)
	if e.carries() {
		a.data(e)
		a.newestID = e.IPID
		o.turn(a, e.From)
	}
}

// since books the time since the segment before. It returns how long that was,
// and whether it is longer than any before.
func (o *course) since(e *Event) (gap int64, longer bool) {
	gap = e.Time - o.lastAt
	if longer = o.lastAt != 0 && gap > o.idle; longer {
		o.idle, o.idleFrames = gap, [2]uint64{o.lastFrame, e.Frame}
	}
	o.lastAt, o.lastFrame = max(o.lastAt, e.Time), e.Frame
	return gap, longer
}

// segment books what every segment has.
func (a *sheet) segment(e *Event) {
	a.Segments++
	a.LastAt, a.LastFrame = e.Time, e.Frame
	if e.Flags&capture.RST != 0 || e.What&Odd != 0 {
		return
	}
	switch {
	case e.Flags&capture.SYN == 0:
		if a.SpokeFrame == 0 {
			a.SpokeAt, a.SpokeFrame = e.Time, e.Frame
		}
	case !a.opened:
		a.opened, a.SynOpts, a.SynTSVal = true, e.Opts, e.TSVal
	}
	a.countTTL(e.TTL)
	if e.Opts&capture.OptTS != 0 && (!a.HasTS || reassembly.Seq(a.MaxTSVal).Less(reassembly.Seq(e.TSVal))) {
		a.MaxTSVal, a.HasTS = e.TSVal, true
	}
}

// data books payload.
func (a *sheet) data(e *Event) {
	a.DataSegments++
	if a.FirstDataAt == 0 {
		a.FirstDataAt = e.Time
	}
	a.LastDataAt, a.LastDataFrame = e.Time, e.Frame
}

// joined books segmentation offload.
func (a *sheet) joined(e *Event, ye *Endpoint) {
	if more, is := e.joins(ye); is {
		a.Oversized++
		a.Joined += more
	}
}

// turn books who sends payload.
func (o *course) turn(a *sheet, side uint8) {
	if who := int8(side) + 1; o.speaker != who {
		o.speaker = who
		a.Turns++
	}
}

// account books the segment e of xe, whose account is a. It reports whether it
// is notable, and what it shows.
func (d *dossier) account(e *Event, a, b ledger, xe, ye *Endpoint, was *prior) (notable bool, shown Sign) {
	a.segment(e)
	if e.What&Odd != 0 {
		return false, 0
	}
	if was.unseen > 0 {
		if b.Unseen == 0 {
			b.UnseenFrame = e.Frame
		}
		b.Unseen += uint64(was.unseen)
		shown = SignUnseen
	}
	if e.Opts&capture.OptDSACK != 0 {
		b.duplicate()
	}
	if e.carries() {
		var late Sign
		notable, late = d.payload(e, a, b, xe, ye)
		shown |= late
	} else if e.Flags&capture.FIN != 0 && e.Again() {
		a.finAgain++
	}
	d.probes(e, a, b)
	if e.Window == 0 && e.Flags&(capture.RST|capture.SYN) == 0 {
		shown |= SignZero
	}
	return windows(e, a, b, xe, ye, was) || notable, shown
}

func (a *sheet) countTTL(ttl uint8) {
	for i := range a.ttls {
		t := &a.ttls[i]
		if t.n == 0 || t.ttl == ttl {
			t.ttl = ttl
			t.n++
			return
		}
	}
}

// payload books what carries some. It reports whether the segment is notable
// though its class does not say so, and what it shows.
func (d *dossier) payload(e *Event, a, b ledger, xe, ye *Endpoint) (notable bool, shown Sign) {
	if e.Probe() {
		return false, 0 // an octet of garbage
	}
	a.data(e)
	a.joined(e, ye)
	if e.Class == reassembly.New {
		a.newestID = e.IPID
	} else {
		notable = a.disorder(e, xe, ye, b)
		if e.Again() {
			return notable, 0
		}
	}
	d.turn(a.sheet, e.From)
	if ye.sp.HasFin && e.What&AcksFin != 0 {
		if a.LateFrom == 0 {
			a.LateFrom, a.LateFrames[0] = e.Time, e.Frame
		}
		a.LateOctets += uint64(e.Len)
		a.LateTo, a.LateFrames[1] = e.Time, e.Frame
		shown = SignLate
	}
	return notable, shown
}

// probes books keepalive probes and their answers.
func (d *dossier) probes(e *Event, a, b ledger) {
	if b.probeOpen {
		b.probeOpen = false
		if e.Flags&capture.RST == 0 {
			b.Answered++
		}
	}
	switch {
	case e.Class == reassembly.Keepalive:
		if a.probeAt == 0 {
			a.ProbeIdle, a.ProbeInterval, a.ProbeFrames[0] = e.Time-d.lastAt, 0, e.Frame
		} else {
			a.ProbeInterval = e.Time - a.probeAt
		}
		a.Probes++
		a.probeAt, a.probeOpen, a.ProbeFrames[1] = e.Time, true, e.Frame
	case e.Len > 0 || e.Flags&(capture.SYN|capture.FIN|capture.RST) != 0:
		a.probeAt, a.probeOpen = 0, false
		b.probeAt = 0
	}
}

// windows books windows of zero, and reports whether the segment closes or
// opens one.
func windows(e *Event, a, b ledger, xe, ye *Endpoint, was *prior) bool {
	notable := false
	// The peer of the one whose window is closed, or has just been opened: what
	// it sends shows whether it waits.
	switch {
	case b.openedAt != 0:
		if e.Len > 0 {
			if e.Time-b.openedAt <= xe.rtt+ye.rtt+atOnce {
				b.stall(b.openedAt, b.openedAs)
			}
			b.openedAt, b.zeroAt = 0, 0
		}
	case b.zeroAt != 0 && b.zeroProbe == 0 && presses(e, was):
		b.zeroProbe = e.Frame
		notable = true
	}
	if e.Flags&(capture.RST|capture.SYN) != 0 {
		return notable
	}
	switch {
	case e.Window == 0:
		notable = notable || a.zeroAt == 0
		if a.zeroAt == 0 || a.openedAt != 0 {
			a.zeroAt, a.zeroFrame, a.zeroProbe, a.openedAt = e.Time, e.Frame, 0, 0
		}
		if a.zeroProbe == 0 && e.Flags&capture.ACK != 0 && ye.sp.HasUna && ye.leaves(reassembly.Seq(e.Ack)) {
			a.zeroProbe = e.Frame // it leaves octets unacknowledged that have come
		}
	case a.zeroAt != 0 && a.openedAt == 0:
		notable = true
		switch {
		case a.zeroProbe != 0:
			a.stall(e.Time, e.Frame)
			a.zeroAt = 0
		case e.Len > 0:
			a.zeroAt = 0
		default:
			a.openedAt, a.openedAs = e.Time, e.Frame
		}
	case e.Len > 0 && a.openedAt != 0:
		a.zeroAt, a.openedAt = 0, 0 // what the peer sends next may be the answer
	}
	return notable
}

// presses reports that a segment towards a closed window shows that its sender
// has more to send: a probe (RFC 9293 section 3.8.6.1; Linux sends SND.UNA-1
// without payload, tcp_xmit_probe_skb), or payload.
func presses(e *Event, was *prior) bool {
	switch {
	case e.Class == reassembly.ZeroWindowProbe:
		return true
	case e.Len > 0:
		return e.Class != reassembly.Spurious
	}
	return e.Flags&(capture.SYN|capture.FIN|capture.RST) == 0 && was.known && reassembly.Seq(e.Seq).Less(was.nxt)
}

// leaves reports that an acknowledgment leaves octets of e's payload out that
// were seen.
func (e *Endpoint) leaves(ack reassembly.Seq) bool {
	return e.sp.Known && ack.Less(e.sp.Nxt) && !(e.sp.HasFin && ack == e.sp.Fin)
}

// stall books a stall that ended at t with the frame that opened the window,
// or 0.
func (a *rare) stall(t int64, frame uint64) {
	d := t - a.zeroAt
	if d <= 0 {
		return
	}
	a.Stalls++
	a.Stalled += d
	if d > a.LongestStall {
		a.LongestStall, a.StallFrames = d, [3]uint64{a.zeroFrame, a.zeroProbe, frame}
	}
}

// final is the account of a side at the end of the life; r is its rare part, or
// nil.
func (o *course) final(a *Account, side uint8, r *rare, e *Endpoint) {
	if r != nil {
		*a = r.final(o.lastAt)
	} else {
		*a = Account{}
	}
	s := &o.acct[side]
	a.Segments, a.DataSegments, a.Turns = s.Segments, s.DataSegments, s.Turns
	a.FirstDataAt, a.LastDataAt, a.LastDataFrame = s.FirstDataAt, s.LastDataAt, s.LastDataFrame
	a.Oversized, a.Joined = s.Oversized, s.Joined
	a.LastAt, a.LastFrame, a.MaxTSVal, a.HasTS = s.LastAt, s.LastFrame, s.MaxTSVal, s.HasTS
	a.SpokeAt, a.SpokeFrame, a.SynOpts, a.SynTSVal = s.SpokeAt, s.SpokeFrame, s.SynOpts, s.SynTSVal
	for i := range s.ttls {
		if t := &s.ttls[i]; t.n > a.TTLSeen {
			a.TTL, a.TTLSeen = t.ttl, t.n
		}
	}
	a.RTT, a.Spoke = e.rtt, e.is(spoke)
}

// final is its part of the account at the end of the life, whose last segment
// came at last.
func (a *rare) final(last int64) Account {
	l := *a
	if l.zeroAt != 0 && l.openedAt == 0 && l.zeroProbe != 0 {
		l.stall(last, 0)
		l.StallOpen = true
	}
	// A repeat that was acknowledged before was needless, and so was what the
	// peer had twice; the peer says so of both.
	l.Spurious = max(l.Spurious, min(uint64(l.twice), l.Repeated-uint64(l.pushed)))
	l.Lost = l.Repeated - min(l.Repeated, l.Spurious+uint64(l.pushed))
	return l.Account
}
