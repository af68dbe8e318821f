package report

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"tcpstate/report/detect"
)

// outcome is what an NDJSON report says of findings.
type outcome struct {
	lines       []string         // types, in order
	subjects    []string         // of the findings
	counts      []int            // of the findings
	connections map[int][]string // their findings
	summary     map[string]int
}

func judge(t *testing.T, text string, opts Options, parts Parts) (o outcome) {
	t.Helper()
	o.connections = map[int][]string{}
	for _, l := range strings.Split(strings.TrimSpace(play(t, text, opts, parts, "ndjson")[0]), "\n") {
		var x struct {
			Type     string
			ID       any
			Subject  string
			Count    int
			Findings json.RawMessage
		}
		if err := json.Unmarshal([]byte(l), &x); err != nil {
			t.Fatal(err)
		}
		o.lines = append(o.lines, x.Type)
		switch x.Type {
		case "finding":
			o.subjects = append(o.subjects, x.Subject)
			o.counts = append(o.counts, x.Count)
		case "connection":
			var ids []string
			json.Unmarshal(x.Findings, &ids)
			o.connections[int(x.ID.(float64))] = ids
		case "summary":
			json.Unmarshal(x.Findings, &o.summary)
		}
	}
	return o
}

// A record knows its findings if it is written when they are known; findings
// come after the connections and before the summary.
func TestFindingsKnownWhenWritten(t *testing.T) {
	o := judge(t, refusals, Options{}, 0)
	if !slices.Equal(o.lines, []string{"capture", "connection", "connection", "connection", "finding", "finding", "summary"}) {
		t.Errorf("the lines are %v", o.lines)
	}
	if len(o.connections[0]) != 0 || !slices.Equal(o.connections[1], []string{"refused"}) || !slices.Equal(o.connections[2], []string{"refused"}) {
		t.Errorf("connections have the findings %v", o.connections)
	}
	if !slices.Equal(o.subjects, []string{"server 10.0.0.2:81", "server 10.0.0.3:82"}) || !slices.Equal(o.counts, []int{2, 1}) {
		t.Errorf("findings: %v %v", o.subjects, o.counts)
	}
	if o.summary["warning"] != 2 || o.summary["note"]+o.summary["error"] != 0 {
		t.Errorf("the summary counts %v", o.summary)
	}
	// What a table or a sorted list keeps to the end knows all of them.
	key, err := ParseSort("id")
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{
		play(t, refusals, Options{Style: Style{Sort: key}}, PartConnections, "json")[0],
		play(t, refusals, Options{Style: Style{Sort: key}}, PartConnections, "csv")[0],
		play(t, refusals, Options{}, PartTop, "table")[0],
		play(t, refusals, Options{}, PartConnections, "table")[0],
	} {
		for _, l := range strings.Split(out, "\n") {
			if strings.Contains(l, "10.0.0.1") && !strings.HasSuffix(strings.Trim(l, "]},"), "refused") && !strings.Contains(l, `"findings":["refused"]`) {
				t.Errorf("no finding in %s", l)
			}
		}
	}
}

// A selection restricts what the findings are about.
func TestFindingsOfASelection(t *testing.T) {
	for _, c := range []struct {
		name string
		sel  Selection
		want []string // subject ×count
		ids  []int    // connections
	}{
		{"stream", Selection{Streams: map[uint64]bool{0: true}}, []string{"server 10.0.0.2:81"}, []int{0}},
		{"where", selecting(t, "server.port == 82"), []string{"server 10.0.0.3:82"}, []int{2}},
		{"since", Selection{Since: moment(t, "+1000.5s")}, []string{"server 10.0.0.3:82"}, []int{2}},
		{"until", Selection{Until: moment(t, "+10s")}, []string{"server 10.0.0.2:81"}, []int{0}},
		// It waits until the findings are known, and so misses no early life.
		{"by finding", selecting(t, `"refused" in findings`), []string{"server 10.0.0.2:81", "server 10.0.0.3:82"}, []int{0, 1, 2}},
		{"by finding and port", selecting(t, `len(findings) > 0 && server.port == 81`), []string{"server 10.0.0.2:81"}, []int{0, 1}},
		{"by its absence", selecting(t, `not ("refused" in $env.findings)`), nil, nil},
	} {
		for _, parts := range []Parts{0, allParts} {
			o := judge(t, refusals, Options{Selection: c.sel}, parts)
			var got []int
			for id := range o.connections {
				got = append(got, id)
			}
			slices.Sort(got)
			if !slices.Equal(o.subjects, c.want) || !slices.Equal(got, c.ids) {
				t.Errorf("%s: findings on %v of connections %v, not %v of %v", c.name, o.subjects, got, c.want, c.ids)
			}
			if o.summary["warning"] != len(c.want) {
				t.Errorf("%s: the summary counts %v", c.name, o.summary)
			}
		}
	}
	// Transitions keep their order beside records that waited.
	w := selecting(t, `"refused" in findings`)
	all := strings.Split(play(t, refusals, Options{Selection: selecting(t, "true")}, PartConnections|PartTransitions, "ndjson")[0], "\n")
	waited := strings.Split(play(t, refusals, Options{Selection: w}, PartConnections|PartTransitions, "ndjson")[0], "\n")
	for i := range all {
		if cut := strings.Index(all[i], `"findings"`); len(all) != len(waited) || cut >= 0 && all[i][:cut] != waited[i][:cut] || cut < 0 && all[i] != waited[i] {
			t.Fatalf("line %d is\n%s\nnot\n%s", i+1, waited[i], all[i])
		}
	}
}

// Cases are worked out only where somebody wants to know.
func TestFindingsOnlyWhereWanted(t *testing.T) {
	for _, c := range []struct {
		format string
		parts  Parts
		judge  bool
		want   bool
	}{
		{"ndjson", PartTransitions, false, false},
		{"ndjson", PartServices, false, false},
		{"ndjson", PartTransitions, true, true},
		{"ndjson", PartFindings, false, true},
		{"ndjson", PartConnections, false, true},
		{"ndjson", PartSummary, false, true},
		{"table", PartTop, false, true},
		{"table", PartServices | PartTransitions, false, false},
		{"csv", PartServices, false, false},
		{"zeek", PartConnections, false, false},
		{"zeek", PartConnections, true, true},
	} {
		r := New(Options{Judge: c.judge, Outputs: []Output{{Format: FindFormat(c.format), Parts: c.parts, W: &strings.Builder{}}}})
		o := r.Observer()
		if (o.Case != nil) != c.want || (o.Cases != nil) != c.want {
			t.Errorf("%s of %s, judged %v: cases %v", c.parts, c.format, c.judge, o.Case != nil)
		}
	}
}

// What is below the least severity is not told of, but counts.
func TestLeastSeverity(t *testing.T) {
	r, out := playReport(t, refusals, Options{Detect: detect.Options{Min: detect.Error}}, 0, "table", "ndjson")
	if strings.Contains(out[0]+out[1], "refused:") || strings.Contains(out[1], `"type":"finding"`) || strings.Contains(out[1], `["refused"]`) {
		t.Errorf("a warning is told of:\n%s", out)
	}
	if !strings.Contains(out[0], "Findings: none (2 below --min-severity)\n") {
		t.Errorf("nothing says that there are some:\n%s", out[0])
	}
	for s, want := range map[detect.Severity]uint64{detect.Note: 2, detect.Warning: 2, detect.Error: 0} {
		if n, hidden := r.Reaching(s); n.Sum() != want || hidden != int(want) {
			t.Errorf("%v reach %s, %d of them hidden", n, s, hidden)
		}
	}
	r, out = playReport(t, refusals, Options{Detect: detect.Options{Disabled: map[string]bool{"refused": true}}}, 0, "table")
	if n, _ := r.Reaching(detect.Note); n.Sum() != 0 || !strings.Contains(out[0], "Findings: none\n") {
		t.Errorf("looked for what is disabled: %v\n%s", n, out)
	}
}
