package tracker

import (
	"math"

	"tcpstate/capture"
)

// maxGroups bounds the pairs, and the services, that are counted.
const maxGroups = 1 << 17

// noRoom is the index of a group that there was no room for.
const noRoom = ^uint32(0)

// groupKey names a pair or a service as a Key, for its hash: Lo is the client
// host, or zero, Hi the server.
func groupKey(k *capture.Key, client uint8, pair bool) capture.Key {
	g := capture.Key{Hi: k.Hi, HiPort: k.HiPort, V6: k.V6}
	if pair {
		g.Lo = k.Lo
	}
	if client != 0 {
		g.Hi, g.HiPort = k.Lo, k.LoPort
		if pair {
			g.Lo = k.Hi
		}
	}
	return g
}

// group holds the counts of a pair or a service.
type group struct {
	key               capture.Key
	tally             [tallies]tally
	opened            uint32
	lowPort, highPort uint16
	first, last       int64
}

// opens notes a handshake of a pair that completed.
func (g *group) opens(now int64, c *Conn) {
	port := c.Key.LoPort
	if c.client != 0 {
		port = c.Key.HiPort
	}
	if g.opened == 0 {
		g.first, g.last, g.lowPort, g.highPort = now, now, port, port
	}
	if g.opened < math.MaxUint32 {
		g.opened++
	}
	g.last = max(g.last, now)
	g.lowPort, g.highPort = min(g.lowPort, port), max(g.highPort, port)
}

// groups finds groups by their key, as table does connections. A map of Go's
// would touch twice as many lines of the cache, and this is asked for each connection.
type groups struct {
	cells []bucket // length a power of two
	slab  slab[group]
}

// at returns the group with that index plus one.
func (s *groups) at(i uint32) *group { return s.slab.at(i) }

// find returns a group's index plus one, and makes it if it is not there.
func (s *groups) find(k capture.Key) uint32 {
	if s.slab.n*4 >= uint32(len(s.cells))*3 {
		s.grow()
	}
	hash := k.Hash()
	mask := uint32(len(s.cells) - 1)
	i := hash & mask
	for ; s.cells[i].slot != 0; i = (i + 1) & mask {
		if c := s.cells[i]; c.hash == hash && s.at(c.slot).key == k {
			return c.slot
		}
	}
	if s.slab.n >= maxGroups {
		return noRoom
	}
	n := s.slab.add()
	s.at(n).key = k
	s.cells[i] = bucket{hash, n}
	return n
}

func (s *groups) grow() {
	old := s.cells
	s.cells = make([]bucket, max(64, 2*len(old)))
	mask := uint32(len(s.cells) - 1)
	for _, c := range old {
		if c.slot == 0 {
			continue
		}
		i := c.hash & mask
		for s.cells[i].slot != 0 {
			i = (i + 1) & mask
		}
		s.cells[i] = c
	}
}

// slab holds things without pointers, so that the garbage collector has
// nothing to walk. They are named by their index plus one.
type slab[T any] struct {
	parts [][]T
	n     uint32
}

// slabPart is how many things are made at once.
const slabPart = 64

func (s *slab[T]) at(i uint32) *T { return &s.parts[(i-1)/slabPart][(i-1)%slabPart] }

func (s *slab[T]) add() uint32 {
	if int(s.n/slabPart) == len(s.parts) {
		s.parts = append(s.parts, make([]T, slabPart))
	}
	s.n++
	return s.n
}
