package tracker

import (
	"net/netip"

	"tcpstate/capture"
)

// maxGroups bounds the services, and the pairs of which everything is kept. Of
// services, as many again may be opened that no attempt was counted of before.
const maxGroups = 1 << 17

// listener names a service: the address as it stands in a Key.
type listener struct {
	addr [16]byte
	port uint16
	v6   bool
}

// listenerOf is the end of the Key that is not the client.
func listenerOf(k *capture.Key, client uint8) listener {
	if client != 0 {
		return listener{k.Lo, k.LoPort, k.V6}
	}
	return listener{k.Hi, k.HiPort, k.V6}
}

func (l *listener) key() capture.Key {
	return capture.Key{Hi: l.addr, HiPort: l.port, V6: l.v6}
}

func (l *listener) hash() uint32 {
	k := l.key()
	return k.Hash()
}

func (l *listener) end() netip.AddrPort {
	k := l.key()
	return k.End(1)
}

// hostHash is the hash of an IPv6 host.
func hostHash(host *[16]byte) uint32 {
	return (&capture.Key{Lo: *host, V6: true}).Hash()
}

// service holds the counts of one.
type service struct {
	held, attempts, answered tally
	used                     bool // any of them ever counted
}

// group holds the counts of a pair.
type group struct {
	client            uint32 // as heldBrief has it, but by the numbers of Usage
	who               standing
	used, wait        tally
	opened            uint32
	lowPort, highPort uint16
	first, last       int64
}

// opens notes a handshake of a pair that completed.
func (g *group) opens(now int64, port uint16) {
	if g.opened == 0 {
		g.first, g.last, g.lowPort, g.highPort = now, now, port, port
	}
	if g.opened < 1<<32-1 {
		g.opened++
	}
	g.last = max(g.last, now)
	g.lowPort, g.highPort = min(g.lowPort, port), max(g.highPort, port)
}

// index numbers keys in the order in which they come, from one on. A map of
// Go's would touch twice as many lines of the cache.
type index[K comparable] struct {
	cells []indexCell[K] // length a power of two
	n     uint32
	// Where keys are given up again (usageforget.go):
	free []uint32 // their numbers, which others get
	kept bool     // names is to be kept
	name []K      // by number, less one
}

// indexCell has the key itself: whoever looks for one mostly finds it in the first
// cell that is looked at, and that is all that has to be fetched.
type indexCell[K comparable] struct {
	key  K
	hash uint32
	i    uint32 // 0 is free
}

// find returns a key's number, and makes it if it is not there, as long as
// there are fewer than limit; 0 otherwise.
func (x *index[K]) find(k K, hash, limit uint32) (i uint32, fresh bool) {
	if (x.n-uint32(len(x.free)))*4 >= uint32(len(x.cells))*3 {
		x.grow(max(64, 2*len(x.cells)))
	}
	mask := uint32(len(x.cells) - 1)
	at := hash & mask
	for ; x.cells[at].i != 0; at = (at + 1) & mask {
		if c := &x.cells[at]; c.hash == hash && c.key == k {
			return c.i, false
		}
	}
	if x.n-uint32(len(x.free)) >= limit {
		return 0, false
	}
	if last := len(x.free) - 1; last >= 0 {
		i, x.free = x.free[last], x.free[:last]
	} else {
		x.n++
		i = x.n
	}
	x.cells[at] = indexCell[K]{k, hash, i}
	if x.kept {
		if int(i) > len(x.name) {
			x.name = append(x.name, k)
		}
		x.name[i-1] = k
	}
	return i, true
}

// grow moves the keys to so many cells.
func (x *index[K]) grow(n int) {
	old := x.cells
	x.cells = large[indexCell[K]](n)
	mask := uint32(len(x.cells) - 1)
	for i := range old {
		c := &old[i]
		if c.i == 0 {
			continue
		}
		at := c.hash & mask
		for x.cells[at].i != 0 {
			at = (at + 1) & mask
		}
		x.cells[at] = *c
	}
}

// keys are all of them, in the order of their numbers.
func (x *index[K]) keys() []K {
	all := make([]K, x.n)
	for i := range x.cells {
		if c := &x.cells[i]; c.i != 0 {
			all[c.i-1] = c.key
		}
	}
	return all
}

// slab holds things without pointers, so that the garbage collector has
// nothing to walk. They are named by their index plus one.
type slab[T any] struct {
	parts []*[slabPart]T
	n     uint32
	free  []uint32 // given back
}

// slabPart is how many things are made at once.
const slabPart = 64

func (s *slab[T]) at(i uint32) *T { return &s.parts[(i-1)/slabPart][(i-1)%slabPart] }

func (s *slab[T]) add() uint32 {
	if k := len(s.free) - 1; k >= 0 {
		i := s.free[k]
		s.free = s.free[:k]
		return i
	}
	if int(s.n/slabPart) == len(s.parts) {
		s.parts = append(s.parts, new([slabPart]T))
	}
	s.n++
	return s.n
}

// put gives one back.
func (s *slab[T]) put(i uint32) {
	*s.at(i) = *new(T)
	s.free = append(s.free, i)
}

// inUse is how many there are.
func (s *slab[T]) inUse() int { return int(s.n) - len(s.free) }
