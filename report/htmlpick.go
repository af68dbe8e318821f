package report

import (
	"cmp"
	"encoding/binary"
	"slices"

	"tcpstate/capture"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// pageRow is what the page says of a connection, and what its ladder is drawn by. Like
// a row it holds no pointer.
type pageRow struct {
	row
	first, last    uint64 // frames
	packets, bytes uint64
	continues      int64
	client         uint8 // side of the key
	roles          tracker.RoleReason
	midstream      bool
}

func (r *pageRow) fill(c *Conn) {
	r.row.fill(c)
	r.first, r.last, r.client = c.FirstFrame, c.LastFrame, c.Client
	r.continues, r.roles, r.midstream = c.Continues, c.Roles, c.Midstream
	r.packets = c.Ends[0].Packets + c.Ends[1].Packets
	r.bytes = c.Ends[0].Bytes + c.Ends[1].Bytes
}

// life is the life as far as it is needed to draw its ladder.
func (r *pageRow) life() *tracker.Life {
	l := &tracker.Life{ID: r.id, Incarnation: r.incarnation, Continues: r.continues, Client: r.client, Roles: r.roles, Midstream: r.midstream,
		Start: r.start, End: r.start + r.duration, FirstFrame: r.first, LastFrame: r.last, Close: r.close, ClosedBy: r.by, ResetAs: r.reset, VLAN: capture.NoVLAN, HandshakeRTT: -1}
	for i := range r.ends {
		e := &r.ends[i]
		l.Ends[i] = tracker.End{Addr: e.addr(), State: e.state, Certainty: e.certainty, WScale: -1}
	}
	l.Key, _ = (&Ladder{Left: l.Ends[0].Addr, Right: l.Ends[1].Addr}).key()
	return l
}

// pageRanked is a pageRow whose findings are known.
type pageRanked struct {
	pageRow
	worst, count uint8
}

func byPageFindings(a, b *pageRanked) int {
	return byFindings(&ranked{a.row, a.worst, a.count}, &ranked{b.row, b.worst, b.count})
}

// pick finds the connections to be on the page, as top finds those of a table: findings
// are known at the end only. plain and early are those of top.
//
// Besides, those that a finding names as its evidence have to be there. Detectors name the
// first of each subject. So the first few are kept of each server that came to the same
// end with the same signs, as long as there is room: shelf.
type pick struct {
	list  best[pageRanked]
	plain best[pageRow]
	early [tracker.NumCloseKinds]best[pageRow]
	shelf []pageRow
	alike alike
	x     pageRanked // the one that is offered; reused
}

const (
	pickEarly = 1 << 12 // of each kind of close
	pickShelf = 1 << 15
)

func newPick(n int) *pick {
	p := &pick{
		list: best[pageRanked]{n: n, cmp: byPageFindings,
			rank: func(x *pageRanked) uint64 { return findingsRank(&ranked{x.row, x.worst, x.count}) }},
		plain: best[pageRow]{n: n, cmp: func(a, b *pageRow) int { return byInterest(&a.row, &b.row) },
			rank: func(x *pageRow) uint64 { return interestRank(&x.row) }},
	}
	for i := range p.early {
		p.early[i] = best[pageRow]{n: pickEarly, cmp: func(a, b *pageRow) int { return bySigns(&a.row, &b.row) },
			rank: func(x *pageRow) uint64 { return signsRank(&x.row) }}
	}
	return p
}

func (p *pick) offer(c *Conn) {
	x := &p.x
	x.place(c)
	if c.Known {
		x.worst, x.count = c.Worst, uint8(min(len(c.Findings), 255))
		first := len(p.shelf) < pickShelf && p.alike.first(&c.Key, c.Client, likeFindings(x.worst, x.count), c.Close)
		listed := !p.list.past(x)
		if !listed && !first {
			return
		}
		x.fill(c)
		if listed {
			p.list.offer(x)
		} else {
			p.shelf = append(p.shelf, x.pageRow)
		}
		return
	}
	first := len(p.shelf) < pickShelf && p.alike.first(&c.Key, c.Client, c.Signs, c.Close)
	early := &p.early[x.close]
	pl, e := !p.plain.past(&x.pageRow), !early.past(&x.pageRow)
	if !pl && !e && !first {
		return
	}
	x.fill(c)
	if pl {
		p.plain.offer(&x.pageRow)
	}
	if e {
		early.offer(&x.pageRow)
	}
	if first {
		p.shelf = append(p.shelf, x.pageRow)
	}
}

// passes reports whether a silent life is not among those that are kept so far.
func (p *pick) passes(s *tracker.Silent, signs tracker.Sign, known bool) bool {
	x := &p.x
	x.id, x.incarnation, x.duration, x.close, x.odd = s.ID, 0, 0, s.Alike.Close, oddOf(signs)
	if known {
		signs = 0
	}
	if len(p.shelf) < pickShelf && p.alike.wants(&s.Key, s.Client, signs, x.close) {
		return false
	}
	if known {
		x.worst, x.count = 0, 0
		return p.list.past(x)
	}
	return p.plain.past(&x.pageRow) && p.early[x.close].past(&x.pageRow)
}

// sorted returns the rows of the page as byFindings has them, with the findings as they
// are at the end. Those that evident names are among them before any other.
func (p *pick) sorted(f *Final, evident map[detect.Ref]bool) []pageRow {
	var all []pageRow
	add := func(rows []pageRow) {
		all = append(all, rows...)
	}
	add(p.plain.all)
	for i := range p.early {
		add(p.early[i].all)
		p.early[i].all = nil
	}
	add(p.shelf)
	p.plain.all, p.shelf = nil, nil
	ranks := make([]pageRanked, 0, len(all)+len(p.list.all))
	ranks = append(ranks, p.list.all...)
	worst := worstByID(f.Findings)
	for i := range all {
		ids := f.Of(all[i].ref())
		ranks = append(ranks, pageRanked{all[i], worst.of(ids), uint8(min(len(ids), 255))})
	}
	all = nil
	slices.SortFunc(ranks, func(a, b pageRanked) int { return cmp.Or(byID(&a.row, &b.row), cmp.Compare(a.last, b.last)) })
	ranks = slices.CompactFunc(ranks, func(a, b pageRanked) bool { return a.ref() == b.ref() })
	slices.SortFunc(ranks, func(a, b pageRanked) int {
		if x, y := evident[a.ref()], evident[b.ref()]; x != y {
			return b2i(y) - b2i(x)
		}
		return byPageFindings(&a, &b)
	})
	ranks = ranks[:min(len(ranks), p.list.n)]
	slices.SortFunc(ranks, func(a, b pageRanked) int { return byPageFindings(&a, &b) })
	rows := make([]pageRow, len(ranks))
	for i := range rows {
		rows[i] = ranks[i].pageRow
	}
	return rows
}

// likeFindings stands for the signs of a life whose findings are known.
func likeFindings(worst, count uint8) tracker.Sign {
	return tracker.Sign(worst)<<8 | tracker.Sign(count)
}

// alike counts lives that are the same to a finding: of one server, with the same signs and
// the same end. It may take some for others; then fewer of both are first.
type alike struct{ seen []uint8 }

const (
	alikeSlots = 1 << 16
	alikeMost  = 8 // maxProven of detect is more, but five are shown
)

func (a *alike) slot(k *capture.Key, client uint8, signs tracker.Sign, kind tracker.CloseKind) *uint8 {
	if a.seen == nil {
		a.seen = make([]uint8, alikeSlots)
	}
	var s serviceKey
	s.server(k, client)
	h := binary.LittleEndian.Uint64(s.ip[:8])*0x9e3779b97f4a7c15 ^ binary.LittleEndian.Uint64(s.ip[8:])
	h = (h ^ uint64(s.port)<<40 ^ uint64(signs)<<4 ^ uint64(kind)) * 0xff51afd7ed558ccd
	h = (h ^ h>>32) * 0xc4ceb9fe1a85ec53
	return &a.seen[h>>48]
}

// first reports whether a life is among the first of its like, and counts it.
func (a *alike) first(k *capture.Key, client uint8, signs tracker.Sign, kind tracker.CloseKind) bool {
	n := a.slot(k, client, signs, kind)
	if *n >= alikeMost {
		return false
	}
	*n++
	return true
}

// wants is first without counting.
func (a *alike) wants(k *capture.Key, client uint8, signs tracker.Sign, kind tracker.CloseKind) bool {
	return *a.slot(k, client, signs, kind) < alikeMost
}
