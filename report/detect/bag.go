package detect

import (
	"cmp"
	"math/bits"
	"slices"

	"tcpstate/tracker"
)

// Ref names a life.
type Ref struct {
	ID          uint64
	Incarnation uint32
}

// compare puts lives in order.
func (r Ref) compare(o Ref) int {
	return cmp.Or(cmp.Compare(r.ID, o.ID), cmp.Compare(r.Incarnation, o.Incarnation))
}

// RefOf names the life of a case.
func RefOf(c *tracker.Case) Ref { return Ref{c.Life.ID, c.Life.Incarnation} }

// Item is one connection that a detector found something in.
type Item[V any] struct {
	Ref
	At, Last int64  // packet times, ns: of the first and the last thing found
	V        V      // what the detector wants to know of it later
	begins   uint64 // its first frame
	kept     *kept  // of few
}

// kept is what only some connections have.
type kept struct {
	proof  []Proof
	quoted []uint64 // the frames of ICMP errors
}

// proof is the connection's proof, nil where none is kept.
func (it *Item[V]) proof() []Proof {
	if it.kept == nil {
		return nil
	}
	return it.kept.proof
}

// prove gives it a proof.
func (it *Item[V]) prove(p []Proof) {
	if it.kept == nil {
		it.kept = &kept{}
	}
	it.kept.proof = p
}

// Group is what was found of one subject.
type Group[K comparable, V any] struct {
	Key   K
	Items []Item[V] // in order of their cases
	// More counts connections beyond what is kept; their V is lost.
	More int
	made int // groups made before
}

// Bag groups what a detector finds by subject. Its memory is bounded: beyond
// maxItems connections and maxGroups subjects it only counts, or forgets.
type Bag[K comparable, V any] struct {
	groups map[K]*Group[K, V]
	n      int
	most   int // connections; 0 for maxItems
	// Lost counts what belonged to subjects that had no room.
	Lost int
}

const (
	// maxShown is how many connections a finding shows as evidence.
	maxShown = 5
	// maxProven is for how many connections of a subject the proof is kept, and
	// again for as many of each doubling of their number: other findings may swallow
	// all of the first.
	maxProven = 16
	maxItems  = 1 << 18
	maxGroups = 1 << 16
)

// Add notes a connection for a subject. proof lists its frames; it is called
// only where the evidence is kept, during the call.
func (b *Bag[K, V]) Add(key K, c *tracker.Case, at, last int64, v V, proof func() []Proof) {
	it := Item[V]{Ref: RefOf(c), At: at, Last: max(at, last), V: v, begins: c.Life.FirstFrame}
	g := b.room(key)
	if g == nil {
		return
	}
	if q := quoted(c); q != nil {
		it.kept = &kept{quoted: q}
	}
	if proof != nil && provenOf(len(g.Items)) {
		it.prove(proof())
	}
	g.Items = append(g.Items, it)
}

// room returns the group of a subject if one more connection has room there.
func (b *Bag[K, V]) room(key K) *Group[K, V] {
	g := b.groups[key]
	if g == nil {
		if len(b.groups) >= maxGroups {
			b.Lost++
			return nil
		}
		if b.groups == nil {
			b.groups = map[K]*Group[K, V]{}
		}
		g = &Group[K, V]{Key: key, made: len(b.groups)}
		b.groups[key] = g
	}
	if b.n >= maxItems || b.most != 0 && b.n >= b.most {
		g.More++
		return nil
	}
	b.n++
	return g
}

// quoted lists the frames of ICMP errors: they may quote too little of a segment
// to have a stream number.
func quoted(c *tracker.Case) (frames []uint64) {
	if !c.Has(tracker.SignQuote) {
		return nil
	}
	for i := range c.Trail.Events {
		if e := &c.Trail.Events[i]; e.Is(tracker.Quoted) {
			frames = append(frames, e.Frame)
		}
	}
	return frames
}

// beyond lists the frames of the proof that a display filter on the connection's
// stream number does not select: those of the stream before, and ICMP errors.
func (it *Item[V]) beyond() (frames []uint64) {
	for _, p := range it.proof() {
		if p.Frame < it.begins || slices.Contains(it.kept.quoted, p.Frame) {
			frames = append(frames, p.Frame)
		}
	}
	return frames
}

// provenOf reports whether the proof of a subject's connection n, from 0, is kept:
// of the first maxProven, and of the first maxProven from each doubling of
// that on.
func provenOf(n int) bool {
	if n < maxProven {
		return true
	}
	doubled := maxProven << (bits.Len(uint(n/maxProven)) - 1)
	return n-doubled < maxProven
}

// Groups returns the subjects without the connections that another finding
// swallowed, in the order of what happened first. Those of which nothing is left
// are left out.
func (b *Bag[K, V]) Groups(x *Context) []*Group[K, V] {
	out := make([]*Group[K, V], 0, len(b.groups))
	for _, g := range b.groups {
		g.Items = slices.DeleteFunc(g.Items, func(it Item[V]) bool { return x.Swallowed(it.Ref) })
		if len(g.Items) > 0 {
			out = append(out, g)
		}
	}
	slices.SortFunc(out, func(a, c *Group[K, V]) int {
		return cmp.Or(cmp.Compare(a.First(), c.First()), a.Items[0].Ref.compare(c.Items[0].Ref), cmp.Compare(a.made, c.made))
	})
	return out
}

// Count is how many connections the subject has.
func (g *Group[K, V]) Count() int { return len(g.Items) + g.More }

// First and Last are the times of the first and the last thing found.
func (g *Group[K, V]) First() int64 {
	t := g.Items[0].At
	for i := range g.Items {
		t = min(t, g.Items[i].At)
	}
	return t
}

// Last is the counterpart of First.
func (g *Group[K, V]) Last() int64 {
	t := g.Items[0].Last
	for i := range g.Items {
		t = max(t, g.Items[i].Last)
	}
	return t
}

// Keep drops the items that ok does not hold for.
func (g *Group[K, V]) Keep(ok func(*Item[V]) bool) {
	g.Items = slices.DeleteFunc(g.Items, func(it Item[V]) bool { return !ok(&it) })
}

// Finding begins a finding on the group: count, times, evidence and filter are
// filled in, and its connections will be known as the finding's.
func (g *Group[K, V]) Finding(subject string) Finding {
	f := Finding{Subject: subject, Count: g.Count(), First: instant(g.First()), Last: instant(g.Last())}
	f.refs = make([]Ref, len(g.Items))
	var shown []Proven
	for i := range g.Items {
		it := &g.Items[i]
		f.refs[i] = it.Ref
		if p := it.proof(); p != nil && len(shown) < maxShown {
			shown = append(shown, Proven{it.ID, it.Incarnation, p})
			f.beyond = append(f.beyond, it.beyond()...)
		}
	}
	if len(shown) == 0 {
		// Others tell of all those that the proof was kept of.
		it := &g.Items[0]
		shown = []Proven{{it.ID, it.Incarnation, []Proof{{it.begins, "the connection's first frame; its proof was not kept, for there are too many"}}}}
	}
	f.Evidence = Evidence{Total: g.Count(), Connections: shown}
	return f
}
