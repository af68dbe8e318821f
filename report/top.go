package report

import (
	"cmp"
	"math/bits"
	"net/netip"
	"slices"

	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// best keeps the first n of an order, however many are offered. Most of what comes
// late is not among them, which one comparison of ranks tells.
type best[T any] struct {
	n   int
	cmp func(a, b *T) int
	// rank goes before cmp: of two that differ in it, the one with the higher comes
	// first. nil: all have the same.
	rank func(x *T) uint64
	all  []T     // what is kept, in no order
	heap []place // of all, the last of them on top
}

// place is one of best.all.
type place struct {
	rank uint64
	at   uint32
}

// beyond reports whether what has a rank is certainly not among the first n so far.
func (h *best[T]) beyond(rank uint64) bool {
	return len(h.heap) >= h.n && (h.n == 0 || rank < h.heap[0].rank)
}

// past reports whether x is not among the first n so far.
func (h *best[T]) past(x *T) bool {
	if len(h.heap) < h.n {
		return false
	}
	if h.n == 0 {
		return true
	}
	rank, last := h.rank(x), h.heap[0]
	return rank < last.rank || rank == last.rank && h.cmp(x, &h.all[last.at]) >= 0
}

// offer copies x if it is among the first n so far.
func (h *best[T]) offer(x *T) {
	p := place{at: uint32(len(h.all))}
	if h.rank != nil {
		p.rank = h.rank(x)
	}
	if len(h.all) < h.n {
		h.all = append(h.all, *x)
		h.heap = append(h.heap, p)
		i := len(h.heap) - 1
		for ; i > 0 && h.before(h.heap[(i-1)/2], p); i = (i - 1) / 2 {
			h.heap[i] = h.heap[(i-1)/2]
		}
		h.heap[i] = p
		return
	}
	if h.beyond(p.rank) {
		return
	}
	last := h.heap[0]
	if p.rank == last.rank && h.cmp(x, &h.all[last.at]) >= 0 {
		return
	}
	p.at = last.at
	h.all[p.at] = *x
	h.sink(p)
}

// before reports whether one comes before another in the order.
func (h *best[T]) before(a, b place) bool {
	if a.rank != b.rank {
		return a.rank > b.rank
	}
	return h.cmp(&h.all[a.at], &h.all[b.at]) < 0
}

// sink puts p where it belongs, for the one on top.
func (h *best[T]) sink(p place) {
	i := 0
	for {
		child := 2*i + 1
		if child >= len(h.heap) {
			break
		}
		if child+1 < len(h.heap) && h.before(h.heap[child], h.heap[child+1]) {
			child++
		}
		if !h.before(p, h.heap[child]) {
			break
		}
		h.heap[i] = h.heap[child]
		i = child
	}
	h.heap[i] = p
}

// sorted returns what was kept, in order. Nothing may be offered after that.
func (h *best[T]) sorted() []T {
	slices.SortFunc(h.all, func(a, b T) int { return h.cmp(&a, &b) })
	h.heap = nil
	return h.all
}

// row is what a table says of a connection. It holds no pointer: thousands of
// them wait for the end.
type row struct {
	id          uint64
	start       int64
	duration    int64
	incarnation uint32
	ends        [2]rowEnd
	close       tracker.CloseKind
	by          tracker.Who
	reset       tracker.ResetClass
	odd         uint8 // signs that healthy connections do not show
}

type rowEnd struct {
	ip        [16]byte
	port      uint16
	state     tracker.State
	certainty tracker.Certainty
	v4        bool
}

// healthy are the signs of a connection that opens and closes as it should.
const healthy = tracker.SignLife | tracker.SignSyn | tracker.SignDone | tracker.SignFin

// place fills in what the orders look at, fill the rest, too.
func (r *row) place(c *Conn) {
	r.id, r.incarnation, r.duration, r.close = c.ID, c.Incarnation, max(c.End-c.Start, 0), c.Close
	r.odd = oddOf(c.Signs)
}

// oddOf counts the signs that healthy connections do not show.
func oddOf(s tracker.Sign) uint8 { return uint8(bits.OnesCount32(uint32(s &^ healthy))) }

func (r *row) fill(c *Conn) {
	r.place(c)
	r.start, r.by, r.reset = c.Start, c.ClosedBy, c.ResetAs
	for i := range r.ends {
		e, x := &r.ends[i], &c.Ends[i]
		a := x.Addr.Addr()
		*e = rowEnd{a.As16(), x.Addr.Port(), x.State, x.Certainty, a.Is4()}
	}
}

// addr is the endpoint.
func (e *rowEnd) addr() netip.AddrPort {
	a := netip.AddrFrom16(e.ip)
	if e.v4 {
		a = a.Unmap()
	}
	return netip.AddrPortFrom(a, e.port)
}

func (r *row) ref() detect.Ref { return detect.Ref{ID: r.id, Incarnation: r.incarnation} }

// byID is the order of connection numbers.
func byID(a, b *row) int {
	return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.incarnation, b.incarnation))
}

// interest ranks the ways to end by how much they ask to be looked at.
var interest = [tracker.NumCloseKinds]uint8{tracker.TimedOut: 0, tracker.HalfClosed: 1, tracker.Reset: 2, tracker.AbortedHandshake: 3,
	tracker.Refused: 4, tracker.Unanswered: 5, tracker.Open: 6, tracker.Graceful: 7}

// byInterest orders by kind of close (timed-out, half-closed, reset,
// aborted-handshake, refused, unanswered, open, graceful), then the longest
// first.
func byInterest(a, b *row) int {
	switch {
	case a.close != b.close:
		return int(interest[a.close]) - int(interest[b.close])
	case a.duration != b.duration:
		return cmp.Compare(b.duration, a.duration)
	}
	return byID(a, b)
}

// Ranks have what an order looks at first in their upper bits, and below as much of
// the duration as there is room for: longer ones are all the same to them.

func rankOf(first uint64, width int, duration int64) uint64 {
	return first<<(64-width) | min(uint64(duration), 1<<(64-width)-1)
}

// interestRank is that of byInterest.
func interestRank(r *row) uint64 {
	return rankOf(uint64(len(interest))-1-uint64(interest[r.close]), 3, r.duration)
}

// signsRank is that of bySigns.
func signsRank(r *row) uint64 { return rankOf(uint64(r.odd), 5, r.duration) }

// bySigns orders rows of the same kind of close by how many signs of trouble they
// show, then as byInterest.
func bySigns(a, b *row) int {
	if a.odd != b.odd {
		return int(b.odd) - int(a.odd)
	}
	return byInterest(a, b)
}

// ranked is a row whose findings are known.
type ranked struct {
	row
	worst uint8 // severity of the worst finding, from 1
	count uint8 // how many
}

// byFindings is the order of the connections to look at first: those with the most
// severe finding, then those with the most of them, then by interest.
func byFindings(a, b *ranked) int {
	switch {
	case a.worst != b.worst:
		return int(b.worst) - int(a.worst)
	case a.count != b.count:
		return int(b.count) - int(a.count)
	}
	return byInterest(&a.row, &b.row)
}

// findingsRank is that of byFindings.
func findingsRank(x *ranked) uint64 {
	return rankOf(uint64(x.worst)<<8|uint64(x.count), 12, 0) | interestRank(&x.row)>>12
}

// top finds the connections to look at first.
//
// Findings are known at the end only, and connections are told of before that.
// Of those, plain keeps the first by interest: without any finding the list is
// made of these. Any other may turn out to be part of a finding. early keeps the
// first earlyKept of each kind of close by signs of trouble. So the list is right
// as long as no kind of close has more connections before the findings are known;
// beyond that, connections with the fewest signs of trouble may be missing from
// it, the shortest first. All this takes less than 7 MB.
type top struct {
	list  best[ranked]
	plain best[row]
	early [tracker.NumCloseKinds]best[row]
	x     ranked // the one that is offered; reused, for what an order is handed lies on the heap
}

// earlyKept is how many connections of each kind of close wait for the findings.
const earlyKept = 1 << 13

func newTop(n int) *top {
	t := &top{list: best[ranked]{n: n, cmp: byFindings, rank: findingsRank}, plain: best[row]{n: n, cmp: byInterest, rank: interestRank}}
	for i := range t.early {
		t.early[i] = best[row]{n: earlyKept, cmp: bySigns, rank: signsRank}
	}
	return t
}

func (t *top) offer(c *Conn) {
	x := &t.x
	x.place(c)
	if c.Known {
		x.worst, x.count = c.Worst, uint8(min(len(c.Findings), 255))
		if !t.list.past(x) {
			x.fill(c)
			t.list.offer(x)
		}
		return
	}
	early := &t.early[x.close]
	p, e := !t.plain.past(&x.row), !early.past(&x.row)
	if !p && !e {
		return
	}
	x.fill(c)
	if p {
		t.plain.offer(&x.row)
	}
	if e {
		early.offer(&x.row)
	}
}

// sorted returns the list, with the findings as they are at the end.
func (t *top) sorted(f *Final) []row {
	if waiting := t.plain.all; len(waiting) > 0 {
		for i := range t.early {
			waiting = append(waiting, t.early[i].all...)
			t.early[i].all = nil
		}
		slices.SortFunc(waiting, func(a, b row) int { return cmp.Or(byID(&a, &b), byInterest(&a, &b)) })
		waiting = slices.Compact(waiting)
		worst := worstByID(f.Findings)
		for i := range waiting {
			ids := f.Of(waiting[i].ref())
			t.list.offer(&ranked{waiting[i], worst.of(ids), uint8(min(len(ids), 255))})
		}
	}
	rows := make([]row, len(t.list.all))
	for i, x := range t.list.sorted() {
		rows[i] = x.row
	}
	return rows
}
