package tracker

import (
	"tcpstate/capture"
	"testing"
)

// Of every sketch the round trips are those that its segments, replayed, come to.
func TestSketchMeasures(t *testing.T) {
	measured := 0
	for seed := range uint64(20) {
		tr := New(DefaultConfig(), Observer{Life: func(*Life) {}})
		segs := someTraffic(seed, 400)
		for i := range segs {
			tr.Process(&capture.Batch{Segments: segs[i : i+1]})
			if i%5 != 0 {
				continue
			}
			for j := range tr.table.sketches.n {
				k := tr.table.sketches.at(j)
				if k.n == 0 {
					continue
				}
				var e entry
				tr.replay(&e, k, nil)
				for x := range uint8(2) {
					want := e.conn.ends[x].rtt
					if got := tr.rtt(k, x); got != want {
						t.Fatalf("seed %d, segment %d: side %d of a life of %d segments: %d ns, not %d", seed, i, x, k.n, got, want)
					} else if want != 0 {
						measured++
					}
				}
			}
		}
	}
	if measured < 10_000 {
		t.Errorf("%d round trips were measured", measured)
	}
}
