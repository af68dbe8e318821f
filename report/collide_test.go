package report

import (
	"hash/maphash"
	"testing"
)

// Services whose keys share a slot under one seed are spread by another, and are told apart
// all the same.
func TestServicesOfOneSlot(t *testing.T) {
	const n, mask = 300, 1<<12 - 1
	one := serviceIndex{seed: [2]uint64{0x1234567890abcdef, 0xfedcba0987654321}}
	var keys []serviceKey
	for i := uint32(0); len(keys) < n; i++ {
		k := serviceKey{ip: [16]byte{10, byte(i >> 24), byte(i >> 16)}, port: uint16(i)}
		if one.hash(&k)&mask == 9 {
			keys = append(keys, k)
		}
	}
	for range 10 {
		s := maphash.MakeSeed()
		other := serviceIndex{seed: [2]uint64{maphash.String(s, "a"), maphash.String(s, "b")}}
		at, most := map[uint64]int{}, 0
		for i := range keys {
			h := other.hash(&keys[i]) & mask
			at[h]++
			most = max(most, at[h])
		}
		if most > 8 {
			t.Errorf("%d of %d keys share a slot", most, n)
		}
	}
}
