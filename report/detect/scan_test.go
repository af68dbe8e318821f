package detect

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// windows finds the dense attempts the plain way: all pairs of a first and a
// last one.
func windows(l []try[int], window int64, enough int) (ids []uint64) {
	in := map[uint64]bool{}
	for _, first := range l {
		seen := map[int]bool{}
		var here []uint64
		for _, t := range l {
			if t.at >= first.at && t.at-first.at <= window {
				seen[t.target] = true
				here = append(here, t.ID)
			}
		}
		if len(seen) >= enough {
			for _, id := range here {
				in[id] = true
			}
		}
	}
	for _, t := range l {
		if in[t.ID] {
			ids = append(ids, t.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// A window of time slides over the attempts' own times, in whatever order they
// were told of.
func TestDense(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var l []try[int]
		for i := range r.IntN(40) {
			l = append(l, try[int]{Ref: Ref{ID: uint64(i)}, at: int64(r.IntN(60)), target: r.IntN(8)})
		}
		window, enough := int64(r.IntN(20)), 1+r.IntN(5)
		want := windows(l, window, enough)
		var got []uint64
		for _, x := range dense(slices.Clone(l), window, enough) {
			got = append(got, x.ID)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("window %d, %d targets: kept %v, want %v of %v", window, enough, got, want, l)
		}
	}
}

// A flood from millions of sources with one attempt each does not grow the
// book, nor hide the scanner amid it; and nothing of it is found.
func TestTryBookUnderFlood(t *testing.T) {
	const enough = 15
	b := tryBook[int, uint16]{enough: enough}
	const scanner = -1
	for i := range 2_000_000 {
		b.add(i, try[uint16]{Ref: Ref{ID: uint64(i)}, at: int64(i), target: 80})
		if i%10_000 == 5000 {
			b.add(scanner, try[uint16]{Ref: Ref{ID: uint64(i)}, at: int64(i), target: uint16(i / 10_000)})
		}
		if len(b.all) > maxTries || len(b.by) > maxTries {
			t.Fatalf("%d attempts under %d keys after %d", len(b.all), len(b.by), i)
		}
	}
	found := b.find(1e9, func(int, *try[uint16]) bool { return true })
	if len(found) != 1 || found[0].key != scanner || found[0].targets != 200 {
		t.Errorf("found %d keys", len(found))
	}
}

// One source with any number of attempts does not grow it either: of a key
// some are kept, the rest is counted.
func TestTryBookOneKey(t *testing.T) {
	b := tryBook[int, uint16]{enough: 15}
	const n = 400_000
	for i := range n {
		b.add(1, try[uint16]{Ref: Ref{ID: uint64(i)}, at: int64(i), target: uint16(i)})
	}
	if len(b.all) != maxKeyed {
		t.Errorf("%d kept", len(b.all))
	}
	found := b.find(1e9, func(int, *try[uint16]) bool { return true })
	if len(found) != 1 || len(found[0].tries)+found[0].more != n {
		t.Fatalf("found %+v keys", len(found))
	}
}

// When only scanners are left there is no room for more keys; those that are
// there stay.
func TestTryBookFull(t *testing.T) {
	b := tryBook[int, uint16]{enough: 2}
	for i := range 2 * maxTries {
		b.add(i/8, try[uint16]{Ref: Ref{ID: uint64(i)}, at: int64(i), target: uint16(i)})
	}
	if !b.full || len(b.all) != maxTries {
		t.Errorf("full %v with %d", b.full, len(b.all))
	}
	if n := len(b.find(1e9, func(int, *try[uint16]) bool { return true })); n != maxTries/8 {
		t.Errorf("%d keys", n)
	}
}
