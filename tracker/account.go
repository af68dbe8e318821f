package tracker

import (
	"tcpstate/capture"
	"tcpstate/reassembly"
)

// ledger is an Account in the making.
type ledger struct {
	Account
	ttls      [3]ttlCount
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
	opened    bool   // it sent a SYN or SYN,ACK
	newestID  uint16 // IP identification of the payload that it sent last, as far as can be told
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

// account books the segment e of xe, and reports whether it is notable.
func (n *notebook) account(e *Event, xe, ye *Endpoint, was *prior) bool {
	x := e.From
	a, b := &n.acct[x], &n.acct[x^1]
	a.Segments++
	a.LastAt, a.LastFrame = e.Time, e.Frame
	rst := e.Flags&capture.RST != 0
	if e.What&Odd != 0 {
		return false
	}
	if was.unseen > 0 {
		if b.Unseen == 0 {
			b.UnseenFrame = e.Frame
		}
		b.Unseen += uint64(was.unseen)
		n.signs |= SignUnseen
	}
	switch {
	case rst:
	case e.Flags&capture.SYN == 0:
		if a.SpokeFrame == 0 {
			a.SpokeAt, a.SpokeFrame = e.Time, e.Frame
		}
	case !a.opened:
		a.opened, a.SynOpts, a.SynTSVal = true, e.Opts, e.TSVal
	}
	if !rst {
		a.countTTL(e.TTL)
		if e.Opts&capture.OptTS != 0 && (!a.HasTS || reassembly.Seq(a.MaxTSVal).Less(reassembly.Seq(e.TSVal))) {
			a.MaxTSVal, a.HasTS = e.TSVal, true
		}
	}
	if e.Opts&capture.OptDSACK != 0 {
		b.duplicate()
	}
	notable := false
	if e.Len > 0 && !rst {
		notable = a.payload(n, e, xe, ye, b)
	} else if e.Flags&capture.FIN != 0 && e.Again() {
		a.finAgain++
	}
	n.probes(e, a, b)
	return n.windows(e, a, b, xe, ye, was) || notable
}

func (a *ledger) countTTL(ttl uint8) {
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
// though its class does not say so.
func (a *ledger) payload(n *notebook, e *Event, xe, ye *Endpoint, b *ledger) bool {
	if e.Probe() {
		return false // an octet of garbage
	}
	a.DataSegments++
	if a.FirstDataAt == 0 {
		a.FirstDataAt = e.Time
	}
	a.LastDataAt, a.LastDataFrame = e.Time, e.Frame
	limit := uint32(oversized)
	if ye.mss != 0 {
		limit = uint32(ye.mss)
	}
	if e.Len > limit && e.Len > 1460 {
		a.Oversized++
		a.Joined += uint64((e.Len - 1) / limit)
	}
	notable := false
	if e.Class == reassembly.New {
		a.newestID = e.IPID
	} else {
		notable = a.disorder(e, xe, ye, b)
		if e.Again() {
			return notable
		}
	}
	if who := int8(e.From) + 1; n.speaker != who {
		n.speaker = who
		a.Turns++
	}
	if ye.sp.HasFin && e.What&AcksFin != 0 {
		if a.LateFrom == 0 {
			a.LateFrom, a.LateFrames[0] = e.Time, e.Frame
		}
		a.LateOctets += uint64(e.Len)
		a.LateTo, a.LateFrames[1] = e.Time, e.Frame
		n.signs |= SignLate
	}
	return notable
}

// probes books keepalive probes and their answers.
func (n *notebook) probes(e *Event, a, b *ledger) {
	if b.probeOpen {
		b.probeOpen = false
		if e.Flags&capture.RST == 0 {
			b.Answered++
		}
	}
	switch {
	case e.Class == reassembly.Keepalive:
		if a.probeAt == 0 {
			a.ProbeIdle, a.ProbeInterval, a.ProbeFrames[0] = e.Time-n.lastAt, 0, e.Frame
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
func (n *notebook) windows(e *Event, a, b *ledger, xe, ye *Endpoint, was *prior) bool {
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
		n.signs |= SignZero
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
func (a *ledger) stall(t int64, frame uint64) {
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

// final is the account at the end of the life, whose last segment came at
// last.
func (a *ledger) final(e *Endpoint, last int64) Account {
	l := *a
	if l.zeroAt != 0 && l.openedAt == 0 && l.zeroProbe != 0 {
		l.stall(last, 0)
		l.StallOpen = true
	}
	for _, t := range l.ttls {
		if t.n > l.TTLSeen {
			l.TTL, l.TTLSeen = t.ttl, t.n
		}
	}
	// A repeat that was acknowledged before was needless, and so was what the
	// peer had twice; the peer says so of both.
	l.Spurious = max(l.Spurious, min(uint64(l.twice), l.Repeated-uint64(l.pushed)))
	l.Lost = l.Repeated - min(l.Repeated, l.Spurious+uint64(l.pushed))
	l.RTT, l.Spoke = e.rtt, e.is(spoke)
	return l.Account
}
