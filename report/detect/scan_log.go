package detect

import (
	"iter"
	"net/netip"

	"tcpstate/tracker"
)

// Bounds of a tryLog.
const (
	// fewTries is where those of sources with few targets begin to go: a flood does not
	// take more.
	fewTries = 3 << 14
	// maxTries is how many there may be where they are of sources with many.
	maxTries = 3 << 16
	maxKeyed = maxTries / 2 // of one source
)

// tryLog keeps attempts that came to nothing, by source. Its memory is bounded:
// when it is full, the sources with the fewest targets go, a flood's spoofed ones with
// one each before all others, but none that has enough of them.
type tryLog struct {
	enough int           // targets that are a scan; 0 where nobody wants to know
	told   [waiting]bool // which of the lives that wait together were noted
	by     table[chain]
	all    []keptTry
	moved  []uint32 // where they go when others do
	v6     [][16]byte
	room   int // attempts that have some
	full   bool
	// touched keeps what is fetched from being optimised away.
	touched uint64
}

// keptTry is a try as it is kept.
type keptTry struct {
	Ref
	at, end int64
	syn     uint64
	later   [2]uint32 // the other frames, from there on; 0 none
	server  uint32    // index plus one of its service
	next    uint32    // index plus one
	from    uint16
	kind    failure
	again   bool
	young   bool
	loaded  bool // it carried payload
}

// chain are the attempts of one source, the latest first.
type chain struct {
	head uint32 // index plus one
	n    uint32
	more uint32 // that had no room
	v6   uint32 // index plus one of its address, where that is not IPv4
}

// want asks for scans of so many targets.
func (l *tryLog) want(targets int) {
	if l.enough == 0 || targets < l.enough {
		l.enough = targets
	}
	l.by.most, l.room = maxTries, fewTries
}

// note notes a life that came to nothing, once.
func (l *tryLog) note(c *tracker.Case, s *shared) {
	if l.told[s.nth] {
		return
	}
	l.told[s.nth] = true
	t, ok := failed(c)
	if !ok {
		return
	}
	k := keptTry{Ref: t.Ref, at: t.at, end: t.end, syn: t.frames[0], server: s.server, from: t.from, kind: t.kind, again: t.again, young: t.young,
		loaded: c.Ends[tracker.Client].DataSegments+c.Ends[tracker.Server].DataSegments > 0}
	for i := range k.later {
		if t.frames[i+1] != 0 {
			k.later[i] = uint32(t.frames[i+1] - t.frames[0])
		}
	}
	l.add(s.host[tracker.Client], c.Addr(tracker.Client).Addr(), k)
}

// add keeps an attempt of a source, by the key of its address.
func (l *tryLog) add(source uint64, a netip.Addr, t keptTry) {
	if len(l.all) >= l.room && !l.full {
		l.clear()
		switch {
		case 4*len(l.all) < 3*l.room:
		case l.room < maxTries:
			l.room *= 2
		default:
			l.full = true
		}
	}
	if l.full && l.by.find(source) == nil {
		return
	}
	c := l.by.at(source)
	switch {
	case c == nil:
	case l.full, c.n >= maxKeyed, t.server == 0:
		c.more++
	default:
		if c.n == 0 && !a.Is4() {
			l.v6 = append(l.v6, a.As16())
			c.v6 = uint32(len(l.v6))
		}
		t.next = c.head
		l.all = append(roomy(l.all, l.room), t)
		c.head, c.n = uint32(len(l.all)), c.n+1
	}
}

// of calls f with the attempts of a chain.
func (l *tryLog) of(c chain, f func(*keptTry)) {
	for i := c.head; i != 0; {
		t := &l.all[i-1]
		i = t.next
		f(t)
	}
}

// sources are all sources with what they did.
func (l *tryLog) sources() iter.Seq2[netip.Addr, chain] {
	return func(yield func(netip.Addr, chain) bool) {
		for i := range l.by.slots {
			s := &l.by.slots[i]
			if !s.used || s.v.n == 0 {
				continue
			}
			a := netip.AddrFrom4([4]byte{byte(s.key >> 24), byte(s.key >> 16), byte(s.key >> 8), byte(s.key)})
			if s.v.v6 != 0 {
				a = netip.AddrFrom16(l.v6[s.v.v6-1])
			}
			if !yield(a, s.v) {
				return
			}
		}
	}
}

// targets counts the endpoints that a source tried, up to enough of them.
func (l *tryLog) targets(c *chain, seen []uint32) int {
	if c.n < 2 {
		return int(c.n)
	}
	seen = seen[:0]
next:
	for i := c.head; i != 0 && len(seen) < l.enough; i = l.all[i-1].next {
		for _, s := range seen {
			if s == l.all[i-1].server {
				continue next
			}
		}
		seen = append(seen, l.all[i-1].server)
	}
	return len(seen)
}

// clear drops sources with few targets until half of the room is free.
func (l *tryLog) clear() {
	few := make([]uint32, 0, min(l.enough, 1<<10))
	room := make([]int, l.enough+1) // attempts of sources with so many targets
	for i := range l.by.slots {
		if s := &l.by.slots[i]; s.used {
			room[l.targets(&s.v, few)] += int(s.v.n)
		}
	}
	left, drop := len(l.all), 0
	for n := 1; n < l.enough && left > l.room/2; n++ {
		left -= room[n]
		drop = n
	}
	l.moved = append(l.moved[:0], make([]uint32, len(l.all))...)
	l.by.drop(func(c *chain) bool {
		if l.targets(c, few) <= drop {
			return true
		}
		for i := c.head; i != 0; i = l.all[i-1].next {
			l.moved[i-1] = 1
		}
		return false
	})
	kept := l.all[:0]
	for i, stays := range l.moved {
		if stays == 0 {
			continue
		}
		t := l.all[i]
		if t.next != 0 {
			t.next = l.moved[t.next-1] // it was told of before, and so has moved
		}
		kept = append(kept, t)
		l.moved[i] = uint32(len(kept))
	}
	l.all = kept
	var v6 [][16]byte
	for i := range l.by.slots {
		if s := &l.by.slots[i]; s.used {
			if s.v.head != 0 {
				s.v.head = l.moved[s.v.head-1]
			}
			if s.v.v6 != 0 {
				v6 = append(v6, l.v6[s.v.v6-1])
				s.v.v6 = uint32(len(v6))
			}
		}
	}
	l.v6 = v6
}

// tryOf is an attempt as it is looked at.
func tryOf[T comparable](k *keptTry, target T, port uint16) try[T] {
	t := try[T]{Ref: k.Ref, at: k.at, end: k.end, target: target, port: port, from: k.from, kind: k.kind, again: k.again, young: k.young,
		frames: [3]uint64{k.syn}}
	for i, n := range k.later {
		if n != 0 {
			t.frames[i+1] = k.syn + uint64(n)
		}
	}
	return t
}
