package report

import (
	"math"
	"testing"
)

// A moment beyond what 64 bits of nanoseconds hold is beyond every capture.
func TestMomentFar(t *testing.T) {
	const first = int64(1795209855e9)
	for s, want := range map[string]int64{
		"9999-12-31": math.MaxInt64, "1600-01-01": math.MinInt64, "+2562047h": math.MaxInt64, "1960-01-01": -315619200e9, "+1s": first + 1e9,
	} {
		m, err := ParseMoment(s)
		if got := m.At(first); got != want || err != nil {
			t.Errorf("%s: %d (%v), want %d", s, got, err, want)
		}
	}
}

// Zeek's six decimals are rounded alike on both sides of 1970.
func TestMicro(t *testing.T) {
	for ns, want := range map[int64]string{1_000_000_499: "1.000000", 1_000_000_500: "1.000001", -1_000_001_000: "-1.000001", -1_000_000_600: "-1.000001"} {
		if got := string(appendMicro(nil, ns)); got != want {
			t.Errorf("%d: %s, want %s", ns, got, want)
		}
	}
}
