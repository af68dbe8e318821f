package detect

import (
	"slices"

	"tcpstate/tracker"
)

// Of tens of thousands of findings some twenty are read. What a detector's words can say
// of connections at any time is left as octets until somebody asks for it.

// neighbour is the connection that was written before: the next is near it.
type neighbour struct {
	id, begins uint64
	at         int64
}

// jot writes a connection, or reads it. last is the one before.
func jot[V any](s *shorthand, last *neighbour, note func(*shorthand, *V), it *Item[V]) {
	s.near(&it.ID, last.id)
	s.count(&it.Incarnation)
	s.count(&it.kept)
	s.nearTime(&it.At, last.at)
	s.nearTime(&it.Last, it.At)
	s.near(&it.begins, last.begins)
	*last = neighbour{it.ID, it.begins, it.At}
	s.begins, s.at = it.begins, it.At
	note(s, &it.V)
}

// missing is by connection how many events its trail had no room for. It has room for as
// many connections as there are subjects; each has sent some hundred notable segments.
type missing map[Ref]uint64

func (m *missing) add(c *tracker.Case) {
	if *m == nil {
		*m = missing{}
	}
	if len(*m) < maxGroups {
		(*m)[RefOf(c)] = c.Trail.Missing
	}
}

// mark says so of the connections of an evidence.
func (m missing) mark(shown []Proven) {
	for i := range shown {
		shown[i].Untold = m[shown[i].ref()]
	}
}

// later is evidence that waits to be put into words.
type later interface {
	// words returns it, and the frames that the stream numbers do not select.
	words() (shown []Proven, beyond []uint64)
}

// untold is the evidence of a group.
type untold[K comparable, V any] struct {
	of     *Bag[K, V] // its words and note alone
	key    K
	octets []byte
}

// later is the group's evidence, nil where it cannot wait: there are no words for it,
// or more than words is kept.
func (g *Group[K, V]) later() later {
	b := g.bag
	if b.note == nil || b.words == nil {
		return nil
	}
	s, last := &b.pen, neighbour{}
	s.b, s.reading = b.desk[:0], false
	for i, n := 0, 0; i < len(g.Items) && n < maxShown; i++ {
		switch it := &g.Items[i]; {
		case it.kept != 0:
			return nil
		case it.proven:
			jot(s, &last, b.note, it)
			n++
		}
	}
	if b.desk = s.b; len(s.b) == 0 {
		return nil
	}
	if b.told == nil {
		b.told = &Bag[K, V]{words: b.words, note: b.note}
	}
	return &untold[K, V]{b.told, g.Key, append(make([]byte, 0, len(s.b)), s.b...)}
}

func (u *untold[K, V]) words() (shown []Proven, beyond []uint64) {
	s, last := shorthand{b: u.octets, reading: true}, neighbour{}
	for len(s.b) > 0 {
		var it Item[V]
		jot(&s, &last, u.of.note, &it)
		p := u.of.words(u.key, &it)
		shown = append(shown, Proven{ID: it.ID, Incarnation: it.Incarnation, Frames: p})
		for i := range p {
			if p[i].Frame < it.begins {
				beyond = append(beyond, p[i].Frame)
			}
		}
	}
	return shown, beyond
}

// Worded returns the finding with all its evidence in words: f itself, where nothing
// was left.
func (f *Finding) Worded() *Finding {
	if f.later == nil && (f.untold == nil || len(f.Evidence.Connections) == 0) {
		return f
	}
	g := *f
	if f.later == nil {
		g.Evidence.Connections = slices.Clone(f.Evidence.Connections)
		f.untold.mark(g.Evidence.Connections)
		return &g
	}
	g.Evidence.Connections, g.beyond = f.later.words()
	g.later = nil
	f.untold.mark(g.Evidence.Connections)
	g.Wireshark = filter(g.Evidence.Connections, g.beyond)
	return &g
}

// Alone is the finding in words and without the list of all its connections, which may be
// long: Refs has none.
func (f *Finding) Alone() Finding {
	g := *f.Worded()
	g.refs, g.inPlace, g.beyond = nil, nil, nil
	return g
}

// Of is the finding with those connections.
func (f Finding) Of(refs []Ref) Finding {
	f.refs = refs
	return f
}
