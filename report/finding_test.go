package report

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"tcpstate/capture"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// refusals are three refused connections: two of one server, the first of them
// long before the capture ends, and one of another server.
const refusals = `
stream 0 10.0.0.1:40001 → 10.0.0.2:81
1 0         * -- SYN 0 ->                                     *
2 0.0001    * <- RST,ACK 0 ack 1 --                           *

stream 1 10.0.0.1:40002 → 10.0.0.2:81
3 1000      * -- SYN 0 ->                                     *
4 1000.0001 * <- RST,ACK 0 ack 1 --                           *

stream 2 10.0.0.1:40003 → 10.0.0.3:82
5 1001      * -- SYN 0 ->                                     *
6 1001.0001 * <- RST,ACK 0 ack 1 --                           *
`

// hostile is a finding whose texts hold what no terminal must see.
func hostile() detect.Finding {
	return detect.Finding{ID: "refused", Severity: detect.Error, Subject: "server 10.0.0.2:81", Count: 2,
		First: time.Unix(1, 2).UTC(), Last: time.Unix(3, 0).UTC(),
		Metrics: detect.Metrics{{Name: "attempts", Value: 2}, {Name: "rate", Value: math.NaN()}},
		Evidence: detect.Evidence{Total: 2, Connections: []detect.Proven{
			{ID: 3, Incarnation: 1, Frames: []detect.Proof{{Frame: 7, Text: "SYN \x1b]0;x\a"}, {Frame: 8, Text: "RST"}}},
			{ID: 4, Frames: nil},
		}},
		Explanation: "a \x1b[31m \u202e\u009b b\r\nc", Advice: "read \x1b[2J \"that\", <b>", Wireshark: "tcp.stream == 3 \x1b",
	}
}

// final hands findings to a format and returns what it writes.
func final(t *testing.T, format string, style Style, parts Parts, found ...detect.Finding) string {
	t.Helper()
	style.Limit = 20
	var w strings.Builder
	f := FindFormat(format)
	r := New(Options{Style: style, Outputs: []Output{{Format: f, Parts: parts, W: &w, Color: style.Color}}})
	st := &capture.Stats{Packets: 1, Segments: 1, First: 1e9, Last: 3e9, Files: []capture.FileStats{{Name: "x.pcap", Format: "pcap"}}}
	r.Begin(st)
	r.findings.asked, r.findings.found = true, found
	if err := r.End(st, tracker.Totals{}, [tracker.NumStates]tracker.StateCount{}); err != nil {
		t.Fatal(err)
	}
	return w.String()
}

// The JSON names of a finding are those of its type, in its order.
func TestFindingNames(t *testing.T) {
	var want []string
	var walk func(prefix string, typ reflect.Type)
	walk = func(prefix string, typ reflect.Type) {
		for _, f := range reflect.VisibleFields(typ) {
			name := prefix + f.Tag.Get("json")
			switch {
			case !f.IsExported():
			case f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[time.Time]():
				walk(name+".", f.Type)
			default:
				want = append(want, name)
			}
		}
	}
	walk("", reflect.TypeFor[detect.Finding]())
	var x detect.Finding
	got := keysInOrder(t, AppendFinding(nil, &x, ""))
	want = slices.DeleteFunc(want, func(s string) bool { return s == "metrics" }) // an object without keys here
	if got = got[2:]; !slices.Equal(got, want) {
		t.Errorf("the encoder writes\n%v\nbut the fields are\n%v", got, want)
	}
}

// What is written can be read back into the same finding, and follows the schema.
func TestFindingJSON(t *testing.T) {
	line, _ := compileSchema(t)
	h := hostile()
	for _, f := range []detect.Finding{h, {ID: "capture-quality", Subject: detect.WholeCapture}} {
		for _, event := range []string{"", "final"} {
			text := AppendFinding(nil, &f, event)
			validate(t, line, string(text))
			if strings.Contains(string(text), `"event"`) != (event != "") {
				t.Errorf("event %q: %s", event, text)
			}
		}
	}
	var back detect.Finding
	if err := json.Unmarshal(AppendFinding(nil, &h, ""), &back); err != nil {
		t.Fatal(err)
	}
	if back.Explanation != h.Explanation || back.Severity != h.Severity || !back.First.Equal(h.First) ||
		back.Blame != detect.BlameUnknown || !reflect.DeepEqual(back.Evidence.Connections[0], h.Evidence.Connections[0]) {
		t.Errorf("%+v\nbecame\n%+v", h, back)
	}
	if v, ok := back.Metrics.Get("rate"); !ok || !math.IsNaN(v) {
		t.Errorf("the unknown rate became %v, %v", v, ok)
	}
}

// No output passes on what a terminal would obey.
func TestFindingsAreEscaped(t *testing.T) {
	for _, name := range []string{"table", "json", "ndjson", "csv"} {
		for _, style := range []Style{{}, {Verbose: true}, {Quiet: true}} {
			out := final(t, name, style, PartFindings, hostile())
			for _, c := range "\x1b\a\r\u202e\u009b" {
				if strings.ContainsRune(out, c) {
					t.Errorf("%s passes %q on:\n%q", name, c, out)
				}
			}
			if !strings.Contains(out, "10.0.0.2:81") {
				t.Errorf("%s shows no finding:\n%s", name, out)
			}
		}
	}
}

func TestFindingsInTable(t *testing.T) {
	note := detect.Finding{ID: "half-close", Subject: "connection 5", Count: 1, Explanation: "It is half closed.", Advice: "Nothing."}
	twice := note
	twice.Subject = "connection 6"
	out := final(t, "table", Style{Quiet: true}, PartFindings, hostile(), note, twice)
	want := `Findings: 1 error, 2 notes
  error    refused     server 10.0.0.2:81  ×2
    a \x1b[31m \u202e\u009b b\x0d\x0ac
    frames 7, 8 (connection 3.1); 1 connection more
    → read \x1b[2J "that", <b>
  note     half-close  connection 5        ×1
    It is half closed.
    → Nothing.
  note     half-close  connection 6        ×1
    It is half closed.
    → as above
`
	if out != want {
		t.Errorf("%s\nnot\n%s", out, want)
	}
	if out := final(t, "table", Style{Quiet: true}, PartFindings); out != "Findings: none\n" {
		t.Errorf("without findings %q", out)
	}
	if out := final(t, "table", Style{Color: true}, PartFindings, hostile()); !strings.Contains(out, "\x1b[1;31merror") {
		t.Errorf("an error is not red: %q", out)
	}
	if out := final(t, "table", Style{}, PartSummary, hostile()); !strings.Contains(out, "  findings: 1 error\n") {
		t.Errorf("the summary does not count findings:\n%s", out)
	}
}

func TestFindingsInCSV(t *testing.T) {
	rows, err := csv.NewReader(strings.NewReader(final(t, "csv", Style{}, PartFindings, hostile()))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2 || len(rows[0]) != len(rows[1]) {
		t.Fatalf("%q", rows)
	}
	for name, want := range map[string]string{"id": "refused", "severity": "error", "first": "1970-01-01T00:00:01.000000002Z",
		"metrics": "attempts:2 rate:", "evidence": "3.1:7/8 4:", "evidence.total": "2", "seen_by.client": "", "blame": "unknown"} {
		if got := rows[1][slices.Index(rows[0], name)]; got != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
	}
}

// The worst finding decides which connections are looked at first.
func TestTopByFindings(t *testing.T) {
	found := []detect.Finding{{ID: "bad", Severity: detect.Error}, {ID: "poor", Severity: detect.Warning}, {ID: "fair"}}
	of := [][]string{nil, {"fair", "poor"}, {"bad"}, {"poor"}, {"fair"}}
	lives := make([]tracker.Life, len(of))
	lives[0].Close = tracker.TimedOut
	for i := range lives[1:] {
		lives[1+i].Close = tracker.Graceful
	}
	// It is the same whether the findings are known before or not.
	for _, known := range []bool{true, false} {
		list, w := newTop(5), worstByID(found)
		for i := range lives {
			lives[i].ID = uint64(i)
			c := &Conn{Life: &lives[i]}
			if known {
				c.Known, c.Findings, c.Worst = true, of[i], w.of(of[i])
			}
			list.offer(c)
		}
		rows := list.sorted(&Final{Findings: found, Of: func(r detect.Ref) []string { return of[r.ID] }})
		for i, want := range []uint64{2, 1, 3, 4, 0} {
			if len(rows) != 5 || rows[i].id != want {
				t.Errorf("known %v: place %d of %d has connection %d, not %d", known, i, len(rows), rows[i].id, want)
			}
		}
	}
}

func TestParagraph(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "-\n"}, {"one", "- one\n"}, {"one two  three", "- one two\n  three\n"}, {"überlangeswort", "- überlangeswort\n"},
		{"äöü äöü äöü", "- äöü äöü\n  äöü\n"},
	} {
		if got := Paragraph("- ", "  ", c.text, 9); got != c.want {
			t.Errorf("%q becomes %q, not %q", c.text, got, c.want)
		}
	}
}
