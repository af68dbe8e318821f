package detect

import (
	"math/rand/v2"
	"testing"
)

// What is counted often or was counted lately is there at the end, and never more
// than was counted.
func TestTally(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	x := tally{kept: table[[2]uint32]{most: 10}}
	counts := map[uint64][2]uint64{}
	add := func(key, a, b uint64) {
		x.add(key, a, b)
		n := counts[key]
		counts[key] = [2]uint64{n[0] + a, n[1] + b}
	}
	const often, seldom, keys = 1, 2, 200_000
	x.keep(seldom)
	for i := range uint64(keys) {
		add(100+i, 1, 2)
		add(often, uint64(r.IntN(2)), 1)
		if i%10_000 == 0 {
			add(seldom, 3, 0)
		}
	}
	if len(x.log) != maxLogged {
		t.Errorf("%d in the log", len(x.log))
	}
	for _, key := range []uint64{often, seldom, 100 + keys - 1, 100 + keys - maxLogged/2} {
		if got := x.of(key); got != counts[key] {
			t.Errorf("%d: %v, not %v", key, got, counts[key])
		}
	}
	for key, n := range counts {
		if got := x.of(key); got != n && got != [2]uint64{} {
			t.Fatalf("%d: %v, not %v", key, got, n)
		}
	}
}

// With few keys it counts exactly.
func TestTallyOfFew(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	var x tally
	counts := map[uint64]uint64{}
	for range maxLogged {
		key := r.Uint64N(20_000)
		x.add(key, 1, 0)
		counts[key]++
	}
	for key, n := range counts {
		if got := x.of(key)[0]; got != n {
			t.Fatalf("%d: %d, not %d", key, got, n)
		}
	}
}

// A ring keeps the latest, under numbers that stay theirs.
func TestRing(t *testing.T) {
	r := ring[uint64]{most: 128}
	r.last = 1<<32 - 512 // where the last 32 bits begin anew
	r.last -= r.last % 128
	for range 1024 {
		v := r.last + 1
		if n := r.add(v); n != v {
			t.Fatalf("number %d, not %d", n, v)
		}
		for back := range uint64(200) {
			n := r.last - back
			there := back < uint64(len(r.all))
			if !there && len(r.all) < 128 {
				continue // it was never added
			}
			if got := r.at(n); (got != nil) != there || there && *got != n {
				t.Fatalf("%d after %d: %v", n, r.last, got)
			}
			if got := r.near(uint32(n)); uint32(n) != 0 && ((got != nil) != there || there && *got != n) {
				t.Fatalf("near %d after %d: %v", n, r.last, got)
			}
		}
	}
	by := r.byKey(func(v *uint64) uint64 { return *v % 2 })
	for key := range uint64(2) {
		l := by.of(key)
		if len(l) != 64 || l[0].n >= l[1].n || l[0].n%2 != key {
			t.Errorf("%d: %v", key, l)
		}
	}
	if l := by.of(2); len(l) != 0 {
		t.Errorf("%v", l)
	}
}
