package detect

import (
	"math/rand/v2"
	"net/netip"
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

// scanLog is a log of attempts, with services to make them at.
func scanLog(enough, services int) *shared {
	s := &shared{}
	for i := range services {
		host := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		s.services.of(hostKey(host), &listener{octets: host.As16(), port: 80, v4: true})
	}
	s.tries.want(enough)
	return s
}

// try makes an attempt of the source at one of the services.
func (s *shared) try(source uint32, i, server int) {
	a := netip.AddrFrom4([4]byte{byte(source >> 24), byte(source >> 16), byte(source >> 8), byte(source)})
	s.tries.add(uint64(source), a, keptTry{Ref: Ref{ID: uint64(i)}, at: int64(i), server: uint32(1 + server), from: uint16(i)})
}

// sweeps are the sweeps of a log.
func (s *shared) sweeps(enough int) []scanned[netip.AddrPort, netip.Addr] {
	w := &hostSweep{shared: s, enough: enough}
	return find(s, 1e9, enough, w.hostOf, func(netip.AddrPort, *try[netip.Addr]) bool { return true })
}

// A flood from millions of sources with one attempt each does not grow the
// log, nor hide the scanner amid it; and nothing of it is found.
func TestTryLogUnderFlood(t *testing.T) {
	const enough, scanner = 15, 1 << 30
	s := scanLog(enough, 300)
	for i := range 2_000_000 {
		s.try(uint32(i), i, 0)
		if i%10_000 == 5000 {
			s.try(scanner, i, i/10_000)
		}
		if l := &s.tries; len(l.all) > fewTries || l.by.n > fewTries || l.room != fewTries {
			t.Fatalf("%d attempts of %d sources after %d", len(l.all), l.by.n, i)
		}
	}
	found := s.sweeps(enough)
	if len(found) != 1 || hostKey(found[0].key.Addr()) != scanner || found[0].targets != 200 || len(found[0].tries) != 200 {
		t.Errorf("found %d keys", len(found))
	}
}

// One source with any number of attempts does not grow it either: of a source
// some are kept, the rest is counted.
func TestTryLogOneSource(t *testing.T) {
	s := scanLog(15, 300)
	const n = 400_000
	for i := range n {
		s.try(1, i, i%300)
	}
	if len(s.tries.all) != maxKeyed {
		t.Errorf("%d kept", len(s.tries.all))
	}
	found := s.sweeps(15)
	if len(found) != 1 || len(found[0].tries)+found[0].more != n || found[0].targets != 300 {
		t.Fatalf("found %d keys", len(found))
	}
}

// When only scanners are left there is no room for more sources; those that are
// there stay.
func TestTryLogFull(t *testing.T) {
	s := scanLog(2, 300)
	for i := range 2 * maxTries {
		s.try(uint32(i/8), i, i%300)
	}
	if l := &s.tries; !l.full || len(l.all) != maxTries {
		t.Errorf("full %v with %d", l.full, len(l.all))
	}
	if n := len(s.sweeps(2)); n != maxTries/8 {
		t.Errorf("%d keys", n)
	}
}

// What is cleared out takes nothing of the others with it, of whatever family.
func TestTryLogClears(t *testing.T) {
	s := scanLog(3, 300)
	r := rand.New(rand.NewPCG(5, 6))
	v6 := netip.MustParseAddr("2001:db8::1")
	for i := range 5 * fewTries {
		s.try(uint32(1000+i), i, 0)
		if i%1000 == 0 {
			s.try(uint32(r.IntN(10)), i, r.IntN(300))
			s.tries.add(hostKey(v6), v6, keptTry{Ref: Ref{ID: uint64(i)}, at: int64(i), server: uint32(1 + i/1000)})
		}
	}
	n := 0
	for a, c := range s.tries.sources() {
		last, all := int64(1<<62), 0
		s.tries.of(c, func(k *keptTry) {
			if k.at >= last {
				t.Fatalf("%v: attempts are in disorder", a)
			}
			last = k.at
			all++
		})
		if all != int(c.n) {
			t.Fatalf("%v: %d attempts, counted as %d", a, all, c.n)
		}
		if a == v6 && all != 5*fewTries/1000+1 {
			t.Errorf("%v: %d attempts", a, all)
		}
		n += all
	}
	if n != len(s.tries.all) {
		t.Errorf("%d attempts of %d are of a source", n, len(s.tries.all))
	}
}
