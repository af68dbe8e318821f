package detect

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"tcpstate/capture"
)

// sharing are so many keys of IPv4 endpoints that all have the same seat.
func sharing(n, slots int) (keys []uint64) {
	r := rand.New(rand.NewPCG(1, 2))
	want := -1
	for len(keys) < n {
		k := withPort(uint64(r.Uint32()), uint16(r.Uint32()))
		if at := seat(k, slots); want < 0 || at == want {
			want, keys = at, append(keys, k)
		}
	}
	return keys
}

// Keys that were made to fall on one slot of a table do so in no other process.
func TestSeatsAreSeeded(t *testing.T) {
	old := seeds
	defer func() { seeds = old }()
	const n, slots = 200, 1 << 13
	keys := sharing(n, slots)
	for range 20 {
		seeds = randomSeeds()
		most, at := 0, map[int]int{}
		for _, k := range keys {
			i := seat(k, slots)
			at[i]++
			most = max(most, at[i])
		}
		if most > 6 {
			t.Fatalf("%d of %d keys share a slot under another seed", most, n)
		}
	}
}

// Endpoints that share a place, which anybody can work out, are spread over the slots.
func TestPlacesDoNotMakeSeats(t *testing.T) {
	const n, slots = 300, 1 << 13
	var keys []uint64
	for k := uint64(0x0a000000) << 16; len(keys) < n; k++ {
		if place(k, slots) == 17 {
			keys = append(keys, k)
		}
	}
	at := map[int]bool{}
	for _, k := range keys {
		at[seat(k, slots)] = true
	}
	if len(at) < n*9/10 {
		t.Errorf("%d keys have %d slots", n, len(at))
	}
}

// Whoever knew the seed would make a table slow, and nothing else: it stays a map.
func TestTableOfOneSlot(t *testing.T) {
	const n = 1500
	keys := sharing(n, 1<<11)
	tab := table[int]{most: n}
	for round := 1; round <= 3; round++ {
		for i, k := range keys {
			v := tab.at(k)
			if v == nil || *v != 0 && *v != (round-1)*(i+1) {
				t.Fatalf("round %d, key %d: %v", round, i, v)
			}
			*v += i + 1
		}
	}
	tab.drop(func(v *int) bool { return *v%2 == 0 })
	for i, k := range keys {
		if v := tab.find(k); (v != nil) != (3*(i+1)%2 == 1) || v != nil && *v != 3*(i+1) {
			t.Fatalf("key %d: %v", i, v)
		}
	}
}

// What has no room is told of with the capture's quality.
func TestCrowdedIsSaid(t *testing.T) {
	g := &Engine{opts: Options{Values: Values{}}, shared: &shared{}}
	x := &Context{Stats: &capture.Stats{}, engine: g}
	x.current = CaptureQuality
	g.quality.raise(x)
	if len(x.raised) != 0 {
		t.Fatal("there is something to tell")
	}
	var b Bag[netip.AddrPort, struct{}]
	b.Lost = 3
	x.current = Refused
	b.Groups(x)
	b.Groups(x) // counts once
	g.shared.services.beyond = 1
	x.current = CaptureQuality
	g.quality.raise(x)
	if len(x.raised) != 1 {
		t.Fatalf("%d findings", len(x.raised))
	}
	f := x.raised[0]
	for _, want := range []string{"65536 subjects are as many as are held of each finding: 3 connections were of others, and not looked at (refused).",
		"32768 servers' ports are as many as findings are judged by: 1 connection was to others."} {
		if !strings.Contains(f.Explanation, want) {
			t.Errorf("it does not say %q:\n%s", want, f.Explanation)
		}
	}
}
