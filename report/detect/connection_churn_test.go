package detect

import (
	"math/rand/v2"
	"testing"
)

// The windows are found that a search of all of them finds.
func TestChurnWindows(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := churn{window: 100, need: 2 + r.IntN(8)}
		var g Group[flow, brief]
		for i := range 1 + r.IntN(40) {
			g.Items = append(g.Items, Item[brief]{Ref: Ref{ID: uint64(i)}, At: r.Int64N(800)})
		}
		most, kept := 0, map[uint64]bool{}
		for _, first := range g.Items {
			var in []uint64
			for _, x := range g.Items {
				if x.At >= first.At && x.At < first.At+w.window {
					in = append(in, x.ID)
				}
			}
			most = max(most, len(in))
			if len(in) >= w.need {
				for _, id := range in {
					kept[id] = true
				}
			}
		}
		if got := w.narrow(&g); got != most {
			t.Fatalf("seed %d: at most %d in a window, want %d", seed, got, most)
		}
		if len(g.Items) != len(kept) {
			t.Fatalf("seed %d: %d kept, want %d", seed, len(g.Items), len(kept))
		}
		for i := range g.Items {
			if !kept[g.Items[i].ID] || i > 0 && g.Items[i].At < g.Items[i-1].At {
				t.Fatalf("seed %d: %+v is kept, or out of order", seed, g.Items[i])
			}
		}
	}
}
