package detect

import (
	"cmp"
	"slices"
)

// ring keeps the latest values, at most a bounded number. Its values are numbered
// from 1.
type ring[V any] struct {
	most int // a power of two
	all  []V
	last uint64 // number of the latest
}

// add keeps v, in place of the oldest where there are as many as may be, and
// returns its number.
func (r *ring[V]) add(v V) uint64 {
	if len(r.all) < r.most {
		r.all = append(roomy(r.all, r.most), v)
	} else {
		r.all[r.last&uint64(r.most-1)] = v
	}
	r.last++
	return r.last
}

// roomy makes room for one more of at most values, and for not more than those.
func roomy[V any](all []V, most int) []V {
	if len(all) < cap(all) {
		return all
	}
	return append(make([]V, 0, min(most, max(64, 2*len(all)))), all...)
}

// at returns a value by its number, nil where there is none or it had to go.
func (r *ring[V]) at(n uint64) *V {
	if n == 0 || n > r.last || r.last-n >= uint64(r.most) {
		return nil
	}
	return &r.all[(n-1)&uint64(r.most-1)]
}

// near returns a value by the last 32 bits of its number; 0 is none.
func (r *ring[V]) near(n uint32) *V {
	if n == 0 {
		return nil
	}
	return r.at(r.last - uint64(uint32(r.last)-n))
}

// keyed are the numbers of what a ring keeps, by key and number.
type keyed []keyedNumber

type keyedNumber struct{ key, n uint64 }

// byKey lists the numbers of what is kept by its key, the oldest first.
func (r *ring[V]) byKey(key func(*V) uint64) keyed {
	by := make(keyed, 0, len(r.all))
	for n := r.last + 1 - uint64(len(r.all)); n <= r.last; n++ {
		by = append(by, keyedNumber{key(r.at(n)), n})
	}
	slices.SortFunc(by, func(a, b keyedNumber) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.n, b.n)) })
	return by
}

// of are those of one key.
func (all keyed) of(key uint64) keyed {
	i, _ := slices.BinarySearchFunc(all, key, func(a keyedNumber, k uint64) int { return cmp.Compare(a.key, k) })
	j := i
	for j < len(all) && all[j].key == key {
		j++
	}
	return all[i:j]
}
