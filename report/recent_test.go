package report

import (
	"testing"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// A long trail does not leave its slot large for ever, and a usual one uses it again.
func TestRecentSlotsShrink(t *testing.T) {
	r := newRecent(3)
	add := func(events int) {
		c := tracker.Case{Life: new(tracker.Life)}
		c.Trail.Events, c.Trail.Quotes = make([]tracker.Event, events), make([]capture.Quote, 1)
		r.add(&c)
	}
	for range 3 {
		add(144)
	}
	for range 3 {
		add(8)
	}
	for i := range r.plain.all {
		if n := cap(r.plain.all[i].events); n < 8 || n > 32 {
			t.Errorf("slot %d has room for %d events", i, n)
		}
	}
	c := tracker.Case{Life: new(tracker.Life)}
	c.Trail.Events = make([]tracker.Event, 12)
	if n := testing.AllocsPerRun(10, func() { r.plain.add(&c) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
