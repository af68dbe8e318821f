package report

import (
	"testing"

	"tcpstate/report/detect"
)

// No connection that is part of a finding is left out, and few others are taken
// for one.
func TestConcerned(t *testing.T) {
	if c := newConcerned(nil); c.may(0) {
		t.Error("there are no findings, and connection 0 is part of one")
	}
	r, _ := playReport(t, refusals, Options{}, 0, "ndjson")
	if len(r.findings.found) == 0 {
		t.Fatal("nothing was found")
	}
	c := newConcerned(r.findings.found)
	for i := range r.findings.found {
		for _, x := range r.findings.found[i].Refs() {
			if !c.may(x.ID) || len(r.findings.of(x)) == 0 {
				t.Errorf("connection %d is not taken for part of a finding", x.ID)
			}
		}
	}
	for id := uint64(3); id < 64; id++ {
		if c.may(id) || r.findings.of(detect.Ref{ID: id}) != nil {
			t.Errorf("connection %d, which is not there, is part of a finding", id)
		}
	}
}

// Stream numbers beyond what it holds share bits.
func TestConcernedIsBounded(t *testing.T) {
	c := make(concerned, concernedMost)
	for _, id := range []uint64{0, 63, 64 * concernedMost, 1<<63 + 5} {
		c[c.word(id)] |= 1 << (id % 64)
		if !c.may(id) {
			t.Errorf("connection %d is not taken for part of a finding", id)
		}
	}
	if c.may(1) {
		t.Error("connection 1 is")
	}
}
