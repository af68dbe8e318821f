package report

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// ended is what a report of one life says, when the tracker had no room for others.
func ended(t *testing.T, format string, sel Selection, tot tracker.Totals) string {
	t.Helper()
	var out strings.Builder
	f := FindFormat(format)
	r := New(Options{Selection: sel, Style: Style{Limit: 20}, Outputs: []Output{{Format: f, Parts: f.Parts, W: &out}}})
	st := &capture.Stats{Packets: 9, Segments: 9, Selected: 9, First: playStart, Last: playStart + 1e9}
	r.Begin(st)
	r.Observer().Life(&someLives(1)[0])
	if err := r.End(st, tot, [tracker.NumStates]tracker.StateCount{}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// Connections that the tracker folded are counted, and all outputs say so; none
// mentions them where there are none.
func TestFoldedAndEvicted(t *testing.T) {
	line, document := compileSchema(t)
	tot := tracker.Totals{Folded: 12345, Evicted: 1}
	for _, c := range []struct {
		sel  Selection
		want uint64
	}{{Selection{}, 12346}, {Selection{Streams: map[uint64]bool{0: true}}, 1}, {Selection{Streams: map[uint64]bool{7: true}}, 0}} {
		type summary struct{ Connections, Folded, Evicted uint64 }
		want := summary{c.want, 12345, 1}
		var got summary
		out := ended(t, "ndjson", c.sel, tot)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		last := lines[len(lines)-1]
		validate(t, line, last)
		if err := json.Unmarshal([]byte(last), &got); err != nil || got != want {
			t.Errorf("NDJSON: %+v (%v), not %+v", got, err, want)
		}
		var doc struct{ Summary summary }
		out = ended(t, "json", c.sel, tot)
		validate(t, document, out)
		if err := json.Unmarshal([]byte(out), &doc); err != nil || doc.Summary != want {
			t.Errorf("JSON: %+v (%v), not %+v", doc.Summary, err, want)
		}
	}
	out := ended(t, "table", Selection{}, tot)
	for _, want := range []string{
		"12,346 connections", "12,345 folded, 1 evicted\n",
		"  folded: 12,345 connections without a record (memory bound)\n", "  evicted: 1 connection, told of before the end, forgotten after it, or not searched for findings (memory bound)\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the table does not say %q:\n%s", want, out)
		}
	}
	for _, format := range []string{"table", "json", "ndjson"} {
		out := ended(t, format, Selection{}, tracker.Totals{})
		for _, word := range []string{"folded", "evicted"} {
			if at := strings.Index(out, word); at >= 0 && !strings.HasPrefix(out[at:], fmt.Sprintf(`%s":0`, word)) {
				t.Errorf("%s speaks of what is %s:\n%s", format, word, out)
			}
		}
	}
}
