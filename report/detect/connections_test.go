package detect

import "testing"

// Beyond some connections the rest are told of together, and all are counted.
func TestFewer(t *testing.T) {
	for _, n := range []int{0, 1, ownFindings, ownFindings + 1, 3 * ownFindings} {
		var all []*Group[uint64, int]
		for i := range n {
			all = append(all, &Group[uint64, int]{Key: uint64(i), Items: []Item[int]{{Ref: Ref{ID: uint64(i)}, V: i}}})
		}
		got, count := fewer(all), 0
		for i, g := range got {
			if g.Key != uint64(i) || i < ownFindings-1 && g.Count() != 1 {
				t.Errorf("of %d, group %d has key %d and %d connections", n, i, g.Key, g.Count())
			}
			for j := range g.Items {
				if g.Items[j].V != count+j {
					t.Errorf("of %d, group %d: connection %d", n, i, g.Items[j].V)
				}
			}
			count += g.Count()
		}
		if len(got) != min(n, ownFindings) || count != n {
			t.Errorf("of %d: %d groups, %d connections", n, len(got), count)
		}
	}
}
