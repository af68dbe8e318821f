package report

import (
	"testing"

	"tcpstate/tracker"
)

// What waits for connections that never end is given up, the oldest first; what is decided
// comes through in order.
func TestHoldIsBounded(t *testing.T) {
	var out []uint64
	h := newHold(func(it *heldItem) {
		if it.life == nil {
			out = append(out, it.t.Frame)
		}
	})
	h.most = 100
	frame := uint64(0)
	say := func(id uint64) {
		frame++
		h.transition(&tracker.Transition{ID: id, Frame: frame})
	}
	for range 1000 {
		say(1) // it never ends
		say(2)
		if len(h.items) > h.most {
			t.Fatalf("%d are held", len(h.items))
		}
	}
	if h.lost == 0 || len(out) != 0 {
		t.Errorf("%d were given up, %d came through", h.lost, len(out))
	}
	held := 0
	for i := range h.items {
		if it := &h.items[i]; it.t.ID == 2 && it.fate == undecided {
			held++
		}
	}
	h.decide(h.life(2), &heldLife{Life: tracker.Life{ID: 2}})
	h.decide(h.life(1), nil)
	h.release(true)
	if len(out) != held || held == 0 {
		t.Errorf("%d of %d came through", len(out), held)
	}
	for i := 1; i < len(out); i++ {
		if out[i] <= out[i-1] {
			t.Errorf("frame %d after %d", out[i], out[i-1])
		}
	}
}
