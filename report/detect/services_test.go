package detect

import (
	"math/rand/v2"
	"slices"
	"testing"
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
