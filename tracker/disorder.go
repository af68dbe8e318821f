package tracker

import (
	"tcpstate/capture"
	"tcpstate/reassembly"
)

// What the account makes of payload that comes out of order. A segment's class
// follows Wireshark's rules, which go by time alone; here what is lost on the way is
// told from what is overtaken or doubled there, and from what was sent again without need.

// disorder books payload that does not follow on what was sent before, and
// reports whether it shows a loss that its class does not tell of.
func (a ledger) disorder(e *Event, xe, ye *Endpoint, b ledger) (lost bool) {
	switch {
	case e.Class == reassembly.Gap:
		a.gapAt, a.gapTS, a.newestID = e.Time, e.TSVal, e.IPID
	case e.Again() && a.overtaken(e):
		a.OutOfOrder++
	case e.Again():
		a.again(e, b)
	case e.Class == reassembly.OutOfOrder && a.sentAgain(e, xe, ye):
		a.again(e, b)
		lost = true
	case e.Class == reassembly.OutOfOrder:
		a.OutOfOrder++
	}
	if int16(e.IPID-a.newestID) > 0 {
		a.newestID = e.IPID
	}
	return lost
}

// again books payload that was sent before. b is the peer.
func (a ledger) again(e *Event, b ledger) {
	a.Repeated++
	switch {
	case e.Class == reassembly.Spurious:
		a.Spurious++
	case b.zeroAt != 0 && b.openedAt == 0:
		a.pushed++ // it probes the closed window, or the receiver had no room: nothing was lost on the way
	}
}

// overtaken reports that an octet range that was seen, or passed over, was
// sent before its sender's latest segments and came late: its IP identification is older
// than the newest, or its timestamp is, or it has that of the segment which left the
// hole, long after that (clocks tick once a millisecond on Linux, the BSDs and
// macOS). A repeat has newer ones.
func (a ledger) overtaken(e *Event) bool {
	switch d := a.order(e); {
	case d < 0 && d >= -idNear:
		return true
	case e.Opts&capture.OptTS == 0 || !a.HasTS:
		return false
	}
	return reassembly.Seq(e.TSVal).Less(reassembly.Seq(a.MaxTSVal)) ||
		a.gapAt != 0 && e.TSVal == a.gapTS && e.Time-a.gapAt >= soonest
}

// sentAgain reports that what fills a hole so soon after the segment before it
// that it may have been overtaken by it was in fact sent after that: its IP identification
// is the newer, or its timestamp is newer than that of what left the hole, or,
// where there are no timestamps, the peer's duplicate acknowledgment has had the
// time to reach its sender. Then the first copy was lost before it came here.
func (a ledger) sentAgain(e *Event, xe, ye *Endpoint) bool {
	switch d := a.order(e); {
	case a.gapAt == 0 || d <= 0 && d >= -idNear:
		return false
	case d > 0 && d <= idNear:
		return true
	case e.Opts&capture.OptTS != 0:
		return reassembly.Seq(a.gapTS).Less(reassembly.Seq(e.TSVal))
	}
	return xe.rtt != 0 && ye.rtt != 0 && e.Time-a.gapAt >= max(xe.rtt+ye.rtt, soonest)
}

// idNear is how far the IP identifications of neighbours lie apart where they
// are counted: one a segment (Linux ip_select_ident_segs), or some more where all
// of a host's packets share a counter. Random ones come so near once in 500.
const idNear = 64

// order is how much later than its sender's newest payload the segment was sent,
// counted in IP identifications; noOrder where there are none.
func (a ledger) order(e *Event) int {
	if e.IPID == 0 || a.newestID == 0 {
		return noOrder
	}
	return int(int16(e.IPID - a.newestID))
}

const noOrder = 1 << 20

// soonest is within what a path may reorder neighbours (Wireshark's bound for
// out-of-order, too).
const soonest = 3 * ms

// duplicate takes note that the peer says that it had got a segment twice
// (RFC 2883): one that a had no need to repeat, such as Linux's tail loss probe
// (RFC 8985 section 7) when the acknowledgment was on its way.
func (a ledger) duplicate() {
	switch {
	case a.finAgain > 0:
		a.finAgain--
	case uint64(a.twice+a.pushed) < a.Repeated:
		a.twice++
	}
}
