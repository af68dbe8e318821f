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
	pair        uint64 // key of both hosts
	at          int64
	syn, speaks uint64 // frames
}

// freshSlot is the slice of time in which only the first and the last fresh
// connection of a pair are kept. Any question about more than two slices has an exact answer.
const freshSlot = int64(15e9)

// maxFresh bounds the fresh connections: the latest that were told of. So many
// are those of a hundred pairs in an hour, or of some seconds of a capture of
// very many pairs that each meet once, and hardly leave a flow idle.
const maxFresh = 1 << 15

// revivals are the fresh connections of all pairs.
type revivals struct {
	ring ring[fresh]
	// latest are the pairs' latest slices, with the numbers of their fresh connections. A
	// slice that had to go from here may get more than two.
	latest [][4]metSlot // metSets of them
	pairs  keyed        // nil until they are asked for
}

const metSets = 1 << 10

type metSlot struct {
	key  uint64    // of the pair and the slice
	kept [2]uint32 // see ring.near
}

// freshOf returns the life as a fresh connection, if it is one.
func freshOf(c *tracker.Case, pair uint64) (f fresh, ok bool) {
	l := c.Life
	a := &c.Ends[tracker.Server]
	if !c.Has(tracker.SignDone) || !c.Has(tracker.SignSyn) || c.Has(tracker.SignSelf) || l.SynRetransmits > 0 || a.SpokeFrame == 0 {
		return f, false
	}
	return fresh{Ref: RefOf(c), pair: pair, at: l.Start, syn: l.FirstFrame, speaks: a.SpokeFrame}, true
}

func (r *revivals) add(f fresh) {
	m := r.slot(slotKey(f.pair, f.at))
	first, last := r.ring.near(m.kept[0]), r.ring.near(m.kept[1])
	switch {
	case first == nil:
		m.kept[0] = uint32(r.ring.add(f))
	case last == nil && f.at < first.at:
		m.kept[0], m.kept[1] = uint32(r.ring.add(f)), m.kept[0]
	case f.at < first.at:
		*first = f
	case last == nil && f.at > first.at:
		m.kept[1] = uint32(r.ring.add(f))
	case last != nil && f.at > last.at:
		*last = f
	}
}

// slotKey is the key of a pair and a slice of time.
func slotKey(pair uint64, at int64) uint64 { return mix(pair, uint64(floor(at, freshSlot))) }

// slot returns what was met of a pair in a slice of time.
func (r *revivals) slot(key uint64) *metSlot {
	if r.latest == nil {
		r.latest = make([][4]metSlot, metSets)
	}
	set := &r.latest[key%metSets]
	oldest := &set[0]
	for i := range set {
		m := &set[i]
		if m.key == key {
			return m
		}
		if max(m.kept[0], m.kept[1]) < max(oldest.kept[0], oldest.kept[1]) {
			oldest = m
		}
	}
	*oldest = metSlot{key: key}
	return oldest
}

// between returns the first fresh connection of two hosts that began from a to b.
func (r *revivals) between(x, y netip.Addr, a, b int64) (found fresh, ok bool) {
	if r.pairs == nil {
		r.pairs = r.ring.byKey(func(f *fresh) uint64 { return f.pair })
	}
	k, _ := pairKey(hostKey(x), hostKey(y))
	for _, p := range r.pairs.of(k) {
		if f := r.ring.at(p.n); f.at >= a && f.at <= b && (!ok || f.at < found.at) {
			found, ok = *f, true
		}
	}
	return found, ok
}

// deaths gathers both.
type deaths struct {
	*shared
	idle, within int64
	repeats      int
	bag          Bag[direction, death]
	revivals
}

func newDeaths(s *Setup) deaths {
	return deaths{idle: s.Span("idle"), within: s.Span("within"), repeats: s.Count("retransmissions"),
		shared: s.shared, revivals: revivals{ring: ring[fresh]{most: maxFresh}}}
}

func (w *deaths) note(c *tracker.Case) {
	if f, ok := freshOf(c, w.pair); ok {
		w.revivals.add(f)
	}
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
	if d := x.engine.shared.deaths; d != nil {
		return d.confirmed(x)
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
