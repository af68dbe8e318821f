package report

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
)

// serviceIndex finds a service by its key: a table of numbers from 1 with open
// addressing, at most half full. The services themselves lie elsewhere.
type serviceIndex struct {
	slots []uint32
	n     uint32 // services
	seed  [2]uint64
}

// hash is seeded: who scans us must not know which keys share a slot.
func (x *serviceIndex) hash(k *serviceKey) uint64 {
	hi, lo := bits.Mul64(binary.LittleEndian.Uint64(k.ip[:])^x.seed[0], binary.LittleEndian.Uint64(k.ip[8:])^x.seed[1])
	hi, lo = bits.Mul64(hi^lo^uint64(k.port), x.seed[0]|1)
	return hi ^ lo
}

// find returns the number of the service, from 0.
func (x *serviceIndex) find(s *services, k *serviceKey) (uint32, bool) {
	if x.slots == nil {
		return 0, false
	}
	mask := uint64(len(x.slots) - 1)
	for h := x.hash(k) & mask; x.slots[h] != 0; h = (h + 1) & mask {
		if i := x.slots[h] - 1; s.at(i).key == *k {
			return i, true
		}
	}
	return 0, false
}

// add gives the key, which must be new, the next number.
func (x *serviceIndex) add(s *services, k *serviceKey) {
	if 2*int(x.n) >= len(x.slots) {
		if x.slots == nil {
			s := maphash.MakeSeed()
			x.seed = [2]uint64{maphash.String(s, "0"), maphash.String(s, "1")}
		}
		x.slots = make([]uint32, max(64, 2*len(x.slots)))
		for i := range x.n {
			x.put(&s.at(i).key, i)
		}
	}
	x.put(k, x.n)
	x.n++
}

func (x *serviceIndex) put(k *serviceKey, i uint32) {
	mask := uint64(len(x.slots) - 1)
	h := x.hash(k) & mask
	for x.slots[h] != 0 {
		h = (h + 1) & mask
	}
	x.slots[h] = i + 1
}
