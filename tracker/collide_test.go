package tracker

import (
	"reflect"
	"testing"

	"tcpstate/capture"
)

// Tuples that all have the same hash are still told apart: who knew the seed would make the
// table slow, and its answers no others.
func TestTuplesOfOneHash(t *testing.T) {
	const n = 800
	run := func(hash func(*capture.Key) uint32, memory int64) (all []Life, total Totals) {
		cfg := DefaultConfig()
		cfg.Fold, cfg.MaxMemory = 32, memory
		tr := New(cfg, Observer{Life: func(l *Life) { all = append(all, *l) }})
		segs := talk(n, 2)
		for i := range segs {
			segs[i].Hash = hash(&segs[i].Key)
		}
		for _, b := range batches(segs) {
			tr.Process(b)
		}
		tr.Finish()
		return all, tr.Totals()
	}
	for _, memory := range []int64{0, 512 << 20} {
		want, wantTotals := run(func(k *capture.Key) uint32 { return k.Hash() }, memory)
		if len(want) != n {
			t.Fatalf("%d lives", len(want))
		}
		for name, hash := range map[string]func(*capture.Key) uint32{
			"one":   func(*capture.Key) uint32 { return 7 },
			"all":   func(*capture.Key) uint32 { return 1<<32 - 1 }, // runs over the end of its part
			"eight": func(k *capture.Key) uint32 { return k.Hash() & 0xe0000000 },
		} {
			got, gotTotals := run(hash, memory)
			if !reflect.DeepEqual(want, got) || !reflect.DeepEqual(wantTotals, gotTotals) {
				t.Errorf("%s, %d octets: other lives than where all hashes are different; totals are %+v, not %+v", name, memory, gotTotals, wantTotals)
			}
		}
	}
}
