package detect

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// What is counted of hosts and endpoints is kept in tables without pointers, by
// keys of 64 bits. An IPv4 address, an endpoint and a pair of addresses are their
// own key; what has an IPv6 address in it goes by a hash of 64 bits. Two of a
// million share one in no capture that anybody will see.

// hostKey is the key of an address.
func hostKey(a netip.Addr) uint64 {
	if a.Is4() {
		b := a.As4()
		return uint64(binary.BigEndian.Uint32(b[:]))
	}
	b := a.As16()
	return mix(binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])) | hashed
}

// hashed marks the key of what is not IPv4.
const hashed = 1 << 63

// withPort is the key of a host's port.
func withPort(host uint64, port uint16) uint64 {
	if host&hashed == 0 {
		return host<<16 | uint64(port)
	}
	return mix(host, uint64(port)) | hashed
}

// endKey is the key of an endpoint.
func endKey(a netip.AddrPort) uint64 { return withPort(hostKey(a.Addr()), a.Port()) }

// together is the key of two hosts, in that order.
func together(a, b uint64) uint64 {
	if (a|b)&hashed == 0 {
		return a<<32 | b
	}
	return mix(a, b)
}

// mix hashes two numbers to one (the multiplication of wyhash).
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0xa0761d6478bd642f, b^0xe7037ed1a0b428db)
	return hi ^ lo
}

// table keeps a bounded number of values by key. When it is full, those go that
// were not looked up for the longest time, as far as that is known: by the quarters
// of most that came meanwhile. Lives are told of as they end, at most some minutes
// of packet time late; who is not told of while most/2 others come is, in a capture
// so large, no part of anything that goes on.
type table[V any] struct {
	most  int             // values
	stays func(v *V) bool // it does not go, while those that do not are few
	slots []slot[V]       // a power of two of them
	n     int
	age   uint32 // of the table, in quarters of most; from 1
	fresh int    // came since the table grew older
	wait  int    // so many more come before it is worth while to look for room again
	Lost  int    // values that went or had no room
}

// slot is the place of a value.
type slot[V any] struct {
	key  uint64
	used uint32 // when it was looked up last; 0 for a free slot
	v    V
}

// place is the slot where the search for a key begins.
func place(key uint64, slots int) int {
	key ^= key >> 29
	return int(key * 0x9e3779b97f4a7c15 >> (64 - bits.TrailingZeros(uint(slots))))
}

// find returns the value of a key, or nil.
func (t *table[V]) find(key uint64) *V {
	if t.n == 0 {
		return nil
	}
	for i := place(key, len(t.slots)); ; i = (i + 1) & (len(t.slots) - 1) {
		switch s := &t.slots[i]; {
		case s.used == 0:
			return nil
		case s.key == key:
			return &s.v
		}
	}
}

// at returns the value of a key, a new one where there is none, valid until
// the next call. It is nil where there is no room for it.
func (t *table[V]) at(key uint64) *V {
	if len(t.slots) == 0 {
		t.slots, t.age = make([]slot[V], 64), 1
	}
	for i := place(key, len(t.slots)); ; i = (i + 1) & (len(t.slots) - 1) {
		s := &t.slots[i]
		if s.used == 0 {
			break
		}
		if s.key == key {
			s.used = t.age
			return &s.v
		}
	}
	if t.fresh++; t.fresh > t.most/4 {
		t.fresh = 0
		t.age++
	}
	if t.n >= t.most && !t.clear() {
		t.Lost++
		return nil
	}
	if 4*t.n >= 3*len(t.slots) {
		t.resize(2 * len(t.slots))
	}
	t.n++
	return t.put(slot[V]{key: key, used: t.age})
}

func (t *table[V]) put(s slot[V]) *V {
	i := place(s.key, len(t.slots))
	for t.slots[i].used != 0 {
		i = (i + 1) & (len(t.slots) - 1)
	}
	t.slots[i] = s
	return &t.slots[i].v
}

func (t *table[V]) resize(n int) {
	old := t.slots
	t.slots = make([]slot[V], n)
	for i := range old {
		if old[i].used != 0 {
			t.put(old[i])
		}
	}
}

// clear makes room: of what may go the oldest does, until half of the table is
// free, but nothing that was looked up since it grew older twice. It reports whether
// there is room now. Where little may go it does not try again at once.
func (t *table[V]) clear() bool {
	if t.wait > 0 {
		t.wait--
		return false
	}
	staying := 0
	for i := range t.slots {
		if s := &t.slots[i]; s.used != 0 && t.stays != nil && t.stays(&s.v) {
			staying++
		}
	}
	goes := func(s *slot[V]) bool {
		return s.used != 0 && (staying > t.most/4 || t.stays == nil || !t.stays(&s.v))
	}
	var ages [4]int // of what may go: looked up in this quarter, in the one before, ...
	for i := range t.slots {
		if s := &t.slots[i]; goes(s) {
			ages[min(t.age-s.used, 3)]++
		}
	}
	gone, back := 0, uint32(len(ages))
	for back > 2 && gone < t.most/2 {
		back--
		gone += ages[back]
	}
	if gone < t.most/8 {
		t.wait = t.most / 8
		return false
	}
	for i := range t.slots {
		for s := &t.slots[i]; goes(s) && t.age-s.used >= back; {
			t.remove(i)
		}
	}
	t.n -= gone
	t.Lost += gone
	return true
}

// remove frees a slot and moves those up that the search would not find any more.
func (t *table[V]) remove(i int) {
	all := len(t.slots) - 1
	for j := (i + 1) & all; t.slots[j].used != 0; j = (j + 1) & all {
		if from := place(t.slots[j].key, len(t.slots)); (j-from)&all >= (j-i)&all {
			t.slots[i] = t.slots[j]
			i = j
		}
	}
	t.slots[i] = slot[V]{}
}
