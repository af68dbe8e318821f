package detect

import (
	"math/rand/v2"
	"testing"
)

// Whatever the slots' width has become, nothing is lost or counted twice.
func TestAttemptEnds(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	a := attemptEnds{width: 1e9}
	type one struct {
		server uint32
		at     int64
		n      attemptCount
	}
	var all []one
	for i := range 5000 {
		x := one{uint32(1 + r.IntN(3)), r.Int64N(1000e9) - 500e9,
			attemptCount{1, uint32(r.IntN(2)), uint32(r.IntN(2))}}
		all = append(all, x)
		a.add(x.server, x.at, x.n.completed == 1, x.n.open == 1)
		if i == 2000 || i == 4000 {
			a.double()
		}
	}
	if a.width != 4e9 {
		t.Fatalf("width %d", a.width)
	}
	for range 200 {
		server := all[r.IntN(len(all))].server
		from := r.Int64N(1000e9) - 500e9
		to := from + r.Int64N(100e9)
		var want attemptCount
		for _, x := range all {
			if s := floor(x.at, a.width); x.server == server && s >= floor(from, a.width) && s <= floor(to, a.width) {
				want.add(x.n)
			}
		}
		if got := a.between(server, from, to); got != want {
			t.Fatalf("from %d to %d: %+v, want %+v", from, to, got, want)
		}
	}
}

// A scan of very many listeners takes no more memory than others do.
func TestAttemptEndsAreBounded(t *testing.T) {
	a := attemptEnds{width: 1e9}
	for i := range uint32(maxSlots + 1000) {
		a.add(1+i, int64(i)*1e6, false, false)
	}
	n := 0
	for _, l := range a.by {
		n += len(l.before) + one(l.some())
	}
	if n > maxSlots || n != a.n {
		t.Errorf("%d slots, counted as %d", n, a.n)
	}
	a.add(1, 0, true, false)
	if n := a.between(1, 0, 0); n.began != 2 || n.completed != 1 {
		t.Errorf("one that was there before: %+v", n)
	}
}
