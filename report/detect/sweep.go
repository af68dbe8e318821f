package detect

import (
	"cmp"
	"slices"
)

// sweep returns how many of the intervals overlap at the most, when that was
// reached first, and how many had begun until then. An interval that ends when
// another begins does not overlap it.
func sweep(all []interval) (peak int, at int64, begun int) {
	type edge struct {
		t int64
		d int
	}
	edges := make([]edge, 0, 2*len(all))
	for _, v := range all {
		edges = append(edges, edge{v.enter, 1}, edge{v.leave, -1})
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Or(cmp.Compare(a.t, b.t), cmp.Compare(a.d, b.d)) })
	n, came := 0, 0
	for _, e := range edges {
		n += e.d
		if e.d > 0 {
			came++
		}
		if n > peak {
			peak, at, begun = n, e.t, came
		}
	}
	return peak, at, begun
}

// perMinute is how many came in each minute from a to b, at least one: what
// came in a second says nothing about the next minute.
func perMinute(n int, a, b int64) float64 { return float64(n) / max(1, float64(b-a)/60e9) }
