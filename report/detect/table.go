package detect

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"net/netip"
	"strconv"
)

// What is counted of hosts and endpoints is kept in tables without pointers, by
// keys of 64 bits. An IPv4 address, an endpoint and a pair of addresses are their
// own key; what has an IPv6 address in it goes by a hash of 64 bits. Two of a
// million share one in no capture that anybody will see.

// hostKey is the key of an address.
func hostKey(a netip.Addr) uint64 {
	b := a.As16()
	return octetsKey(&b, a.Is4())
}

// octetsKey is the key of an address by its octets; those of an IPv4 address are the
// last four.
func octetsKey(b *[16]byte, v4 bool) uint64 {
	if v4 {
		return uint64(binary.BigEndian.Uint32(b[12:]))
	}
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

// table keeps a bounded number of values by key.
type table[V any] struct {
	most  int
	slots []slot[V] // a power of two of them, at least a quarter free
	n     int
}

// slot is the place of a value.
type slot[V any] struct {
	key  uint64
	used bool
	v    V
}

// seeds make the slots of keys others in each process, so that nobody can prepare
// addresses and ports that fall on one.
var seeds = randomSeeds()

func randomSeeds() (s [4]uint64) {
	seed := maphash.MakeSeed()
	for i := range s {
		s[i] = maphash.String(seed, strconv.Itoa(i)) | 1
	}
	return s
}

// seat is the slot where the search for a key begins, of a power of two.
func seat(key uint64, slots int) int {
	hi, lo := bits.Mul64(key^seeds[0], seeds[1])
	hi, lo = bits.Mul64(hi^lo^seeds[2], seeds[3])
	return int((hi ^ lo) >> (64 - bits.TrailingZeros(uint(slots))))
}

// place is where a key belongs, of a power of two, in what does not grow and has so
// many places for each: whoever fills one only pushes out what he counted himself. It is the
// same in each process, for what is pushed out is missing in the report.
func place(key uint64, slots int) int {
	key ^= key >> 29
	return int(key * 0x9e3779b97f4a7c15 >> (64 - bits.TrailingZeros(uint(slots))))
}

// find returns the value of a key, or nil.
func (t *table[V]) find(key uint64) *V {
	if t.n == 0 {
		return nil
	}
	if s := t.look(key); s.used {
		return &s.v
	}
	return nil
}

// look returns the slot that a key has or would have.
func (t *table[V]) look(key uint64) *slot[V] {
	for i := seat(key, len(t.slots)); ; i = (i + 1) & (len(t.slots) - 1) {
		if s := &t.slots[i]; !s.used || s.key == key {
			return s
		}
	}
}

// at returns the value of a key, a new one where there is none, valid until
// the next call. It is nil where there is no room for it.
func (t *table[V]) at(key uint64) *V {
	if len(t.slots) == 0 {
		t.slots = make([]slot[V], 64)
	}
	s := t.look(key)
	if s.used {
		return &s.v
	}
	if t.n >= t.most {
		return nil
	}
	if 4*t.n >= 3*len(t.slots) {
		old := t.slots
		t.slots = make([]slot[V], 2*len(old))
		for i := range old {
			if old[i].used {
				*t.look(old[i].key) = old[i]
			}
		}
		s = t.look(key)
	}
	t.n++
	s.key, s.used = key, true
	return &s.v
}

// drop gives up the values that goes says true of. It asks once of each.
func (t *table[V]) drop(goes func(v *V) bool) {
	var kept []slot[V]
	for i := range t.slots {
		if s := &t.slots[i]; s.used && !goes(&s.v) {
			kept = append(kept, *s)
		}
	}
	clear(t.slots)
	t.n = len(kept)
	for i := range kept {
		*t.look(kept[i].key) = kept[i]
	}
}
