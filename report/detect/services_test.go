package detect

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"unsafe"

	"tcpstate/tracker"
)

// Times answers as a list would, wherever a and b are of different seconds;
// inside one second it may miss, and never invents.
func TestTimesBetween(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var times Times
		var list []int64
		span := int64(1+r.IntN(40)) * 1e9
		if r.IntN(5) == 0 {
			span *= 1000 // few times in many seconds
		}
		base := []int64{0, -20e9, 1767323045e9}[r.IntN(3)]
		for range r.IntN(60) {
			at := base + r.Int64N(span)
			times.Add(at)
			list = append(list, at)
		}
		if times.N() != len(list) || len(list) > 0 && (times.First() != slices.Min(list) || times.Last() != slices.Max(list)) {
			t.Fatalf("%d times from %d to %d", times.N(), times.First(), times.Last())
		}
		for range 200 {
			a := base - 2e9 + r.Int64N(span+4e9)
			b := a + r.Int64N(6e9) - 1e9
			if r.IntN(4) == 0 && len(list) > 0 {
				a = list[r.IntN(len(list))]
			}
			want := slices.ContainsFunc(list, func(x int64) bool { return a <= x && x <= b })
			got := times.Between(a, b)
			if got && !want || want && !got && floorSecond(a) != floorSecond(b) {
				t.Fatalf("between %d and %d: %v, not %v, of %v", a, b, got, want, list)
			}
		}
	}
}

// What all services remember together is bounded. Wherever a and b lie as far
// apart as it has become coarse, the answer is that of a list.
func TestTimesBounded(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	s := services{enough: 200}
	lists := map[netip.AddrPort][]int64{}
	for i := range 20000 {
		c := life(uint64(i), 0)
		key := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, 2}), uint16(1+r.IntN(20)))
		c.Life.Ends[tracker.Server].Addr = key
		c.Life.AnsweredAt = r.Int64N(86400e9)
		var l slip
		l.fill(c)
		l.server = s.of(hostKey(key.Addr()), &l.listener)
		s.add([]slip{l})
		lists[key] = append(lists[key], c.Life.AnsweredAt)
		n := 0
		for _, x := range s.moments {
			n += x.Accepted.kept() + x.Answered.kept()
		}
		if n > s.enough || n != s.parts {
			t.Fatalf("%d parts after %d lives, counted as %d", n, i+1, s.parts)
		}
	}
	for key, list := range lists {
		times := &s.count(&s.all[s.known(key)-1]).Answered
		if times.N() != len(list) || times.width != s.width {
			t.Fatalf("%v: %d times, not %d, in parts of %d", key, times.N(), len(list), times.width)
		}
		for range 300 {
			a := r.Int64N(90000e9) - 2000e9
			b := a + r.Int64N(2*s.width)
			want := slices.ContainsFunc(list, func(x int64) bool { return a <= x && x <= b })
			if got := times.Between(a, b); got && !want || want && !got && b-a >= s.width {
				t.Fatalf("%v, between %d and %d: %v, not %v", key, a, b, got, want)
			}
		}
	}
}

// What every life of a service touches lies in one line of the processor's cache.
func TestServiceIsALine(t *testing.T) {
	if n := unsafe.Sizeof(service{}); n != 64 {
		t.Errorf("%d octets", n)
	}
}
