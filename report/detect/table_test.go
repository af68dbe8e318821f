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
	if tab.n != len(m) || tab.find(1<<60) != nil {
		t.Errorf("%d values, not %d", tab.n, len(m))
	}
	for k, n := range m {
		if v := tab.find(k); v == nil || *v != n {
			t.Fatalf("key %d: %v, not %d", k, v, n)
		}
	}
}

// What has no room is refused, and the rest is not harmed.
func TestTableFull(t *testing.T) {
	tab := table[uint64]{most: 1000}
	for k := range uint64(3000) {
		if v := tab.at(k); (v != nil) != (k < 1000) {
			t.Fatalf("%d of 1000: %v", k, v)
		} else if v != nil {
			*v = k
		}
	}
	for k := range uint64(1000) {
		if v := tab.at(k); v == nil || *v != k {
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
