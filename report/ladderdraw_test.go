package report

import (
	"strings"
	"testing"

	"tcpstate/capture"
	"tcpstate/reassembly"
	"tcpstate/tracker"
)

// However long a connection, its ladder is not; and all its segments are counted.
func TestDrawingIsBounded(t *testing.T) {
	for _, class := range []reassembly.Class{reassembly.New, reassembly.Retransmission} {
		life := &tracker.Life{Continues: -1}
		d := NewDrawing(life, DrawOptions{Marks: map[uint64][]string{5000: {"proof"}}})
		const n = 20_000
		for i := range uint64(n) {
			s := &tracker.Step{Class: class, Segment: capture.Segment{Frame: i + 1, Time: int64(i), Flags: capture.ACK, Len: 10, Window: 1}}
			for side := range s.After {
				s.After[side] = tracker.EndState{State: tracker.Established, Certainty: tracker.Confirmed}
			}
			s.Before = s.After
			d.Step(s)
			if len(d.pen.l.Rows) > ladderMost+1 {
				t.Fatalf("%v: %d rows", class, len(d.pen.l.Rows))
			}
		}
		count, proven := uint64(0), false
		for _, r := range d.Done(life).Rows {
			if f := r.Folded; f != nil {
				count += f.Data + f.Acks + f.Other
			} else {
				count++
			}
			proven = proven || len(r.Marks) > 0 && r.Segment.Frame == 5000
		}
		if count != n || !proven {
			t.Errorf("%v: %d segments, proof %v", class, count, proven)
		}
	}
}

// No text ends a statement of a diagram or is markup in it.
func TestMermaidText(t *testing.T) {
	got := mermaidText("a;b#c<br/>\n`%%{x}\x1b[1m")
	if strings.ContainsAny(got, "<>\n`%{}\x1b") || strings.Contains(got, "a;") {
		t.Errorf("%q", got)
	}
}
