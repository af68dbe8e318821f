package detect

import (
	"cmp"
	"encoding/binary"
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
	kept     uint32 // index plus one of Bag.kept, of few
	proven   bool   // its proof may be shown
}

// kept is what only some connections have.
type kept struct {
	proof  []Proof
	quoted []uint64 // the frames of ICMP errors
}

// proof is a connection's proof, nil where none is kept.
func (g *Group[K, V]) proof(it *Item[V]) []Proof {
	switch {
	case it.kept != 0 && g.bag.kept[it.kept-1].proof != nil:
		return g.bag.kept[it.kept-1].proof
	case it.proven && g.bag.words != nil:
		return g.bag.words(g.Key, it)
	}
	return nil
}

// keeps is what is kept of it beyond itself.
func (b *Bag[K, V]) keeps(it *Item[V]) *kept {
	if it.kept == 0 {
		b.kept = append(b.kept, kept{})
		it.kept = uint32(len(b.kept))
	}
	return &b.kept[it.kept-1]
}

// Group is what was found of one subject.
type Group[K comparable, V any] struct {
	Key   K
	Items []Item[V] // in order of their cases
	// More counts connections beyond what is kept; their V is lost.
	More  int
	made  int // groups made before
	waits int // its connections that wait as octets
	bag   *Bag[K, V]
}

// Bag groups what a detector finds by subject. Its memory is bounded: beyond
// maxItems connections and maxGroups subjects it only counts, or forgets.
type Bag[K comparable, V any] struct {
	all    []*Group[K, V]
	groups map[K]*Group[K, V] // of those that were not added by a place
	places []*Group[K, V]     // of the others, by that
	kept   []kept
	n      int
	most   int // connections; 0 for maxItems
	// Lost counts what belonged to subjects that had no room; CaptureQuality tells of it.
	Lost int
	// words makes the proof of a connection at the end, where its V says enough.
	words func(key K, it *Item[V]) []Proof
	// note names the fields of a V. Where there is one, connections wait as octets
	// until Groups, and groups have no Items before.
	note   func(*shorthand, *V)
	octets stack
	last   neighbour // the connection that was written last, or read
	pen    shorthand // these two are here, for what note is given would be made anew each time
	it     Item[V]
	told   *Bag[K, V] // what untold wants of it
	desk   []byte     // where what untold keeps is written
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
	b.AddAt(0, key, c, at, last, v, proof)
}

// AddAt is Add for a subject that has a place among all, see met.side: it is found
// sooner by that. 0 is no place.
func (b *Bag[K, V]) AddAt(place uint32, key K, c *tracker.Case, at, last int64, v V, proof func() []Proof) {
	g := b.room(place, key)
	if g == nil {
		return
	}
	it := &b.it
	*it = Item[V]{Ref: RefOf(c), At: at, Last: max(at, last), V: v, begins: c.Life.FirstFrame, proven: provenOf(len(g.Items) + g.waits)}
	if q := quoted(c); q != nil {
		b.keeps(it).quoted = q
	}
	if proof != nil && it.proven {
		b.keeps(it).proof = proof()
	}
	b.put(g, it)
}

// put keeps a connection in its group.
func (b *Bag[K, V]) put(g *Group[K, V], it *Item[V]) {
	if b.note == nil {
		g.Items = append(g.Items, *it)
		return
	}
	g.waits++
	s := &b.pen
	s.b = binary.AppendUvarint(b.octets.open(), uint64(g.made))
	jot(s, &b.last, b.note, it)
	b.octets.close(s.b)
}

// unfold gives the groups their connections, without those that are gone.
func (b *Bag[K, V]) unfold(gone *refSet) {
	n := 0
	for _, g := range b.all {
		n += g.waits
	}
	if n == 0 {
		return
	}
	room := make([]Item[V], n)
	for _, g := range b.all {
		g.Items, room, g.waits = room[:0:g.waits], room[g.waits:], 0
	}
	b.last = neighbour{}
	s := &b.pen
	s.reading = true
	for i, p := range b.octets.pieces {
		for s.b = p; len(s.b) > 0; {
			g := b.all[s.next()]
			b.it = Item[V]{}
			jot(s, &b.last, b.note, &b.it)
			b.it.proven = provenOf(g.waits)
			g.waits++
			if !gone.has(b.it.Ref) {
				g.Items = append(g.Items, b.it)
			}
		}
		b.octets.pieces[i] = nil
	}
	b.octets.pieces, s.b = nil, nil
}

// room returns the group of a subject if one more connection has room there.
func (b *Bag[K, V]) room(place uint32, key K) *Group[K, V] {
	var g *Group[K, V]
	switch {
	case place == 0:
		g = b.groups[key]
	case int(place) < len(b.places):
		g = b.places[place]
	}
	if g == nil {
		if g = b.group(place, key); g == nil {
			return nil
		}
	}
	if b.n >= maxItems || b.most != 0 && b.n >= b.most {
		g.More++
		return nil
	}
	b.n++
	return g
}

// group makes the group of a subject, where there is room for it.
func (b *Bag[K, V]) group(place uint32, key K) *Group[K, V] {
	if len(b.all) >= maxGroups {
		b.Lost++
		return nil
	}
	g := &Group[K, V]{Key: key, made: len(b.all), bag: b}
	b.all = append(b.all, g)
	if place == 0 {
		if b.groups == nil {
			b.groups = map[K]*Group[K, V]{}
		}
		b.groups[key] = g
		return g
	}
	for int(place) >= len(b.places) {
		b.places = append(b.places, nil)
	}
	b.places[place] = g
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
func (g *Group[K, V]) beyond(it *Item[V], proof []Proof) (frames []uint64) {
	var quoted []uint64
	if it.kept != 0 {
		quoted = g.bag.kept[it.kept-1].quoted
	}
	for _, p := range proof {
		if p.Frame < it.begins || slices.Contains(quoted, p.Frame) {
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
	gone := x.swallows[x.current.ID]
	x.crowded(b.Lost)
	b.Lost = 0
	if b.note != nil {
		b.unfold(gone)
	}
	type dated struct {
		*Group[K, V]
		first int64
	}
	left := make([]dated, 0, len(b.all))
	for _, g := range b.all {
		if b.note == nil && gone != nil {
			g.Items = slices.DeleteFunc(g.Items, func(it Item[V]) bool { return gone.has(it.Ref) })
		}
		if len(g.Items) > 0 {
			left = append(left, dated{g, g.First()})
		}
	}
	slices.SortFunc(left, func(a, c dated) int {
		return cmp.Or(cmp.Compare(a.first, c.first), a.Items[0].Ref.compare(c.Items[0].Ref), cmp.Compare(a.made, c.made))
	})
	out := make([]*Group[K, V], len(left))
	for i := range left {
		out[i] = left[i].Group
	}
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
	f.Evidence.Total = f.Count
	f.refs = make([]Ref, len(g.Items))
	for i := range g.Items {
		f.refs[i] = g.Items[i].Ref
	}
	if f.later = g.later(); f.later != nil {
		return f
	}
	var shown []Proven
	for i := range g.Items {
		it := &g.Items[i]
		if len(shown) == maxShown {
			break
		}
		if p := g.proof(it); p != nil {
			shown = append(shown, Proven{ID: it.ID, Incarnation: it.Incarnation, Frames: p})
			f.beyond = append(f.beyond, g.beyond(it, p)...)
		}
	}
	if len(shown) == 0 {
		// Others tell of all those that the proof was kept of.
		it := &g.Items[0]
		shown = []Proven{{ID: it.ID, Incarnation: it.Incarnation, Frames: []Proof{{it.begins, "the connection's first frame; its proof was not kept, for there are too many"}}}}
	}
	f.Evidence.Connections = shown
	return f
}
