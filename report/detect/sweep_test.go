package detect

import "testing"

func TestSweep(t *testing.T) {
	for _, c := range []struct {
		all         []interval
		peak, begun int
		at          int64
	}{
		{nil, 0, 0, 0},
		{[]interval{{5, 9}}, 1, 1, 5},
		{[]interval{{5, 9}, {9, 12}}, 1, 1, 5}, // they touch
		{[]interval{{5, 9}, {8, 12}, {1, 3}}, 2, 3, 8},
		{[]interval{{5, 9}, {5, 9}, {20, 30}, {20, 30}}, 2, 2, 5}, // the first time
		{[]interval{{5, 5}}, 0, 0, 0},                             // no time at all
	} {
		if peak, at, begun := sweep(c.all); peak != c.peak || at != c.at || begun != c.begun {
			t.Errorf("%v: peak %d at %d, %d begun, want %d at %d, %d", c.all, peak, at, begun, c.peak, c.at, c.begun)
		}
	}
	if got := perMinute(30, 0, 120e9); got != 15 {
		t.Errorf("30 in two minutes are %v a minute", got)
	}
	if got := perMinute(30, 0, 1e9); got != 30 {
		t.Errorf("30 in a second are %v a minute", got)
	}
}
