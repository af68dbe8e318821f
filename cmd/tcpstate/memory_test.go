package main

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

// spares lets a test set the collector as an analysis does that has its process for itself.
func spares(t *testing.T) {
	t.Helper()
	ownsProcess = true
	t.Cleanup(func() { ownsProcess = false })
}

// The garbage collector waits for its first round, then works early, and in the end
// as it did before.
func TestSparing(t *testing.T) {
	spares(t)
	defer debug.SetGCPercent(debug.SetGCPercent(123))
	settings := func() [2]uint64 {
		s := []metrics.Sample{{Name: "/gc/gogc:percent"}, {Name: "/gc/gomemlimit:bytes"}}
		metrics.Read(s)
		return [2]uint64{s[0].Value.Uint64(), s[1].Value.Uint64()}
	}
	before := settings()
	for _, x := range []struct {
		most           int64
		first, percent uint64
	}{{0, spareFrom, sparePercent}, {spareFrom / 2, spareFrom / 2, boundPercent}, {64 << 20, spareFrom, boundPercent}} {
		runtime.GC()
		end := sparing(x.most, 0)
		if got := settings(); got[0] == x.percent || got[1] != x.first {
			t.Errorf("bound of %d: begins with %d", x.most, got)
		}
		for deadline := time.Now().Add(10 * time.Second); settings()[0] != x.percent && time.Now().Before(deadline); {
			runtime.GC()
		}
		if got := settings(); got[0] != x.percent || got[1] != math.MaxInt64 {
			t.Errorf("bound of %d: goes on with %d", x.most, got)
		}
		end()
		if got := settings(); got != before {
			t.Errorf("bound of %d: ends with %d, not %d", x.most, got, before)
		}
	}
}
