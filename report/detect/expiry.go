package detect

import (
	"cmp"
	"net/netip"
	"slices"

	"tcpstate/tracker"
)

// What middlebox-state-expired finds and keepalive-too-slow asks for: flows that
// died while they were idle, and fresh connections that show that the hosts still
// reach each other.

// death is a flow that was forgotten while it was idle.
type death struct {
	from       netip.Addr // who sent the payload that nobody answered
	to         netip.Addr
	server     netip.AddrPort
	idle       int64 // ns before that payload
	at, last   int64 // of that payload, and of its latest repeat or the RST
	repeats    int
	before     uint64 // frame of the last segment before the silence, or 0
	payload    uint64 // frames
	again      [2]uint64
	rst        uint64 // from somebody else in the peer's name; 0 none
	ttl, usual uint8  // of the RST, and of the peer
}

// otherPath is how far a TTL differs at most that came the usual way: paths do
// change by a hop or two (Weaver, Sommer, Paxson 2009).
const otherPath = 2

// hops is how far apart two TTLs are.
func hops(a, b uint8) int { return abs(int(a) - int(b)) }

// otherTTL reports a TTL that is not that of an end's segments.
func otherTTL(ttl, usual uint8) bool { return hops(ttl, usual) > otherPath }

// foreign reports a RST whose TTL is not the peer's: of a box next to the peer it
// differs by one, which counts where all other segments came with the same.
func foreign(c *tracker.Case, r *tracker.Event) bool {
	peer := &c.Ends[r.From]
	d := hops(r.TTL, peer.TTL)
	if peer.TTLSeen < 3 || d == 0 {
		return false
	}
	others := peer.Segments
	for i := range c.Trail.Events {
		if e := &c.Trail.Events[i]; own(e) && e.From == r.From && e.Rst() {
			others--
		}
	}
	return d > otherPath || uint64(peer.TTLSeen) >= others
}

// deathOf looks for payload that comes after a long silence on an open
// connection both of whose sides had sent payload, and that nobody answers although it
// is repeated, or that somebody else's RST answers.
func deathOf(c *tracker.Case, idle int64, repeats int) (d death, ok bool) {
	a, b := &c.Ends[tracker.Client], &c.Ends[tracker.Server]
	if a.FirstDataAt == 0 || b.FirstDataAt == 0 || c.Has(tracker.SignSelf|tracker.SignOneSided) {
		return d, false
	}
	ev := c.Trail.Events
	for i := range ev {
		e := &ev[i]
		if !own(e) {
			continue
		}
		if e.Fin() || e.Rst() {
			break // what follows is about its end
		}
		if int64(e.Idle)*1e6 >= idle && newPayload(e) && a.FirstDataAt < e.Time && b.FirstDataAt < e.Time {
			if d, ok = deathAt(c, i, repeats); ok {
				return d, true
			}
		}
	}
	return d, false
}

// deathAt follows what became of the payload of event i.
func deathAt(c *tracker.Case, i, repeats int) (d death, ok bool) {
	ev := c.Trail.Events
	p := &ev[i]
	x := int(p.From)
	d = death{from: c.Addr(x).Addr(), to: c.Addr(x ^ 1).Addr(), server: c.Addr(tracker.Server),
		idle: int64(p.Idle) * 1e6, at: p.Time, last: p.Time, payload: p.Frame}
	if i > 0 && own(&ev[i-1]) {
		d.before = ev[i-1].Frame
	}
	for j := i + 1; j < len(ev); j++ {
		e := &ev[j]
		switch {
		case e.Is(tracker.Holed | tracker.Quoted):
			return d, false // an answer may be missing; or the network says itself what happened
		case !own(e):
		case int(e.From) == x && e.Seq == p.Seq && e.Again() && e.Len > 0:
			if d.repeats < len(d.again) {
				d.again[d.repeats] = e.Frame
			}
			d.repeats++
			d.last = e.Time
		case int(e.From) == x:
		case e.Rst() && foreign(c, e):
			d.rst, d.ttl, d.usual, d.last = e.Frame, e.TTL, c.Ends[e.From].TTL, e.Time
			return d, true
		default:
			return d, false // it answers
		}
	}
	return d, d.repeats >= repeats
}

func abs[N int | int64](n N) N { return max(n, -n) }

// fresh is a connection that opened at the first attempt and whose server spoke.
type fresh struct {
	Ref
	at          int64
	syn, speaks uint64 // frames
}

// freshSlot is the slice of time in which only the first and the last fresh
// connection of a pair are kept. Any question about more than two slices has an exact answer.
const freshSlot = int64(15e9)

// maxFresh bounds the fresh connections: the latest that were told of. So many
// are those of all pairs of many minutes, or of some seconds of a capture of
// thousands of pairs that each meet once and hardly leave a flow idle.
const maxFresh = 1 << 15

// looksBack is how many of a pair's fresh connections are asked for their slice
// of time: those of old slices are told of with the lives that last long.
const looksBack = 64

// revivals are the fresh connections of all pairs.
type revivals struct {
	*shared
	ring ring[fresh]
}

func (r *revivals) add(c *tracker.Case) {
	l := c.Life
	a := &c.Ends[tracker.Server]
	if !c.Has(tracker.SignDone) || !c.Has(tracker.SignSyn) || c.Has(tracker.SignSelf) || l.SynRetransmits > 0 || a.SpokeFrame == 0 {
		return
	}
	p := r.hosts()
	if p == nil {
		return
	}
	f := fresh{RefOf(c), l.Start, l.FirstFrame, a.SpokeFrame}
	slot := floor(f.at, freshSlot)
	var in [2]*fresh // those of the slot
	k := 0
	v, before := r.ring.at(p.fresh)
	for n := 0; v != nil && k < len(in) && n < looksBack; n++ {
		if floor(v.at, freshSlot) == slot {
			in[k] = v
			k++
		}
		v, before = r.ring.at(before)
	}
	if k == 1 && in[0].at == f.at {
		return
	}
	if k < len(in) {
		p.fresh = r.ring.add(f, p.fresh)
		return
	}
	first, last := in[0], in[1]
	if first.at > last.at {
		first, last = last, first
	}
	switch {
	case f.at < first.at:
		*first = f
	case f.at > last.at:
		*last = f
	}
}

// between returns the first fresh connection of two hosts that began from a to b.
func (r *revivals) between(x, y netip.Addr, a, b int64) (found fresh, ok bool) {
	k, _ := pairKey(hostKey(x), hostKey(y))
	p := r.pairs.find(k)
	if p == nil {
		return found, false
	}
	for v, before := r.ring.at(p.fresh); v != nil; v, before = r.ring.at(before) {
		if v.at >= a && v.at <= b && (!ok || v.at <= found.at) {
			found, ok = *v, true
		}
	}
	return found, ok
}

// deaths gathers both.
type deaths struct {
	idle, within int64
	repeats      int
	bag          Bag[direction, death]
	revivals
}

func newDeaths(s *Setup) deaths {
	return deaths{idle: s.Span("idle"), within: s.Span("within"), repeats: s.Count("retransmissions"),
		revivals: revivals{shared: s.shared, ring: ring[fresh]{most: maxFresh}}}
}

func (w *deaths) note(c *tracker.Case) {
	w.revivals.add(c)
	if !c.Has(tracker.SignIdle) && w.idle >= idleSign {
		return
	}
	if d, ok := deathOf(c, w.idle, w.repeats); ok {
		w.bag.Add(direction{d.from, d.to}, c, d.at, d.last, d, nil)
	}
}

// revived returns the fresh connection that proves that the hosts of a flow
// that died still reach each other.
func (w *deaths) revived(d *death) (fresh, bool) {
	return w.between(d.from, d.to, d.at, d.last+w.within)
}

// deaths returns what the watcher of middlebox-state-expired knows to have died;
// nothing where that is disabled.
func (x *Context) deaths() []*Group[direction, death] {
	for i := range x.engine.at {
		if w, ok := x.engine.at[i].w.(*middleboxStateExpired); ok {
			return w.confirmed(x)
		}
	}
	return nil
}

// confirmed returns the groups with the deaths that are proven, each group in
// the order of time.
func (w *deaths) confirmed(x *Context) []*Group[direction, death] {
	return slices.DeleteFunc(w.bag.Groups(x), func(g *Group[direction, death]) bool {
		g.Keep(func(it *Item[death]) bool { _, ok := w.revived(&it.V); return ok })
		g.More = 0
		slices.SortFunc(g.Items, func(a, b Item[death]) int {
			return cmp.Or(cmp.Compare(a.At, b.At), a.Ref.compare(b.Ref))
		})
		return len(g.Items) == 0
	})
}
