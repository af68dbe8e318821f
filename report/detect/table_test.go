package detect

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

// As long as there is room a table is a map.
func TestTableIsAMap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	tab, m := table[int]{most: 5000}, map[uint64]int{}
	for range 40000 {
		k := uint64(r.IntN(5000)) << (8 * r.IntN(2))
		if len(m) == 5000 {
			break
		}
		*tab.at(k)++
		m[k]++
	}
	if tab.n != len(m) || tab.Lost != 0 || tab.find(1<<60) != nil {
		t.Errorf("%d values, not %d; %d lost", tab.n, len(m), tab.Lost)
	}
	for k, n := range m {
		if v := tab.find(k); v == nil || *v != n {
			t.Fatalf("key %d: %v, not %d", k, v, n)
		}
	}
}

// A full table gives up what nobody asks for: what is in use stays, and so does
// what says that it has to.
func TestTableForgets(t *testing.T) {
	const most = 1000
	tab := table[int]{most: most, stays: func(v *int) bool { return *v == 7 }}
	*tab.at(1 << 40) = 7
	for i := range uint64(100_000) {
		*tab.at(i)++
		*tab.at(1 << 50)++
		if tab.n > most || len(tab.slots) > 2048 {
			t.Fatalf("%d values in %d slots", tab.n, len(tab.slots))
		}
		if i%100 == 0 {
			for back := range min(i, most/4) {
				if tab.find(i-back) == nil {
					t.Fatalf("%d of %d is gone", i-back, i)
				}
			}
		}
	}
	if v := tab.find(1 << 50); v == nil || *v != 100_000 {
		t.Error("what was in use is gone")
	}
	if v := tab.find(1 << 40); v == nil || *v != 7 {
		t.Error("what has to stay is gone")
	}
	if tab.Lost != 100_002-tab.n {
		t.Errorf("%d lost, %d there", tab.Lost, tab.n)
	}
}

// Where all stays, what comes later has no room, and the rest is not harmed.
func TestTableFull(t *testing.T) {
	tab := table[int]{most: 100}
	for round := range 1000 {
		for k := range uint64(100) {
			*tab.at(k) = round
		}
		if round > 0 && tab.at(uint64(1000+round)) != nil {
			t.Fatal("there is room in a full table")
		}
	}
	for k := range uint64(100) {
		if v := tab.find(k); v == nil || *v != 999 {
			t.Fatalf("%d: %v", k, v)
		}
	}
}

func TestKeys(t *testing.T) {
	seen := map[uint64]string{}
	see := func(k uint64, what string) {
		if was, ok := seen[k]; ok && was != what {
			t.Errorf("%s and %s have the key %x", was, what, k)
		}
		seen[k] = what
	}
	for _, a := range []string{"0.0.0.0", "10.0.0.1", "255.255.255.255", "::", "::1", "1::", "2001:db8::1", "2001:db8::2", "::ffff:10.0.0.1"} {
		h := hostKey(netip.MustParseAddr(a))
		see(h, a)
		for _, p := range []uint16{0, 1, 80, 65535} {
			e := netip.AddrPortFrom(netip.MustParseAddr(a), p)
			if h != 0 {
				see(endKey(e), e.String())
			}
		}
	}
	a, b := hostKey(netip.MustParseAddr("10.0.0.1")), hostKey(netip.MustParseAddr("2001:db8::1"))
	if together(a, b) == together(b, a) || together(a, a+1) != a<<32|a+1 {
		t.Error("pairs")
	}
}
