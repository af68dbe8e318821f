package compare

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"tcpstate/report"
	"tcpstate/report/detect"
	"tcpstate/report/verdict"
)

// A capture compared with itself, or with the report that was written of it, differs in
// nothing, and nothing of it fails.
func TestIdentity(t *testing.T) {
	for _, name := range captures {
		s, text := analyse(t, name)
		before, err := Read(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		before.Name = name + ".json"
		for _, old := range []*Side{s, before} {
			r := Compare(old, s, Options{})
			for i := range r.Findings {
				if c := &r.Findings[i]; c.Kind != Same || c.Worse() {
					t.Errorf("%s: %s %s %s", name, c.Kind, c.ID, c.Subject)
				}
			}
			if n, _ := r.Reaching(detect.Note); n != [3]uint64{} {
				t.Errorf("%s: %v fail", name, n)
			}
			if tables := r.tables(false, 1000); len(tables) > 0 {
				t.Errorf("%s: %v", name, tables)
			}
			var table strings.Builder
			r.WriteTable(&table, &report.Style{Limit: 20})
			if !strings.Contains(table.String(), "\nFindings: no difference\n\nNo number differs.\n") {
				t.Errorf("%s:\n%s", name, &table)
			}
			if run := r.Run(&Terms{FailOn: detect.Note}, &report.Style{}); run.Failed() {
				t.Errorf("%s: the run failed", name)
			}
		}
		if (s.Handshake.N > 0) != (before.Handshake.All != nil && before.Handshake.N > 0) {
			t.Errorf("%s: %v and %v", name, s.Handshake, before.Handshake)
		}
	}
}

// What appears in one direction goes in the other, what grows shrinks, and what is marked
// is marked.
func TestSymmetry(t *testing.T) {
	back := map[Kind]Kind{Appeared: Went, Grew: Shrank, Shrank: Grew, Went: Appeared, Same: Same}
	kinds := map[Kind]int{}
	sides := map[string]*Side{}
	for _, name := range captures {
		sides[name], _ = analyse(t, name)
	}
	for i, a := range captures {
		for _, b := range captures[i+1:] {
			x, y := sides[a], sides[b]
			there, here := Compare(x, y, Options{}), Compare(y, x, Options{})
			told := func(r *Result, turn bool) (l []string) {
				for i := range r.Findings {
					c := r.Findings[i]
					if turn {
						c.Kind, c.Old, c.New = back[c.Kind], c.New, c.Old
					} else {
						kinds[c.Kind]++
					}
					l = append(l, fmt.Sprint(c.Kind, c.ID, c.Odds, c.Old.Count, c.New.Count, c.Old.Findings, c.New.Findings))
				}
				for _, g := range [][]Number{r.Traffic, r.Close, r.ClosedFirst, r.Resets, r.States, r.Handshake, r.Quality} {
					for _, n := range g {
						if turn {
							n.Old, n.New, n.OldShare, n.NewShare = n.New, n.Old, n.NewShare, n.OldShare
						}
						l = append(l, fmt.Sprint(n))
					}
				}
				for i := range r.Services {
					s := &r.Services[i]
					old, new := s.Old, s.New
					if turn {
						old, new = new, old
					}
					l = append(l, fmt.Sprint(old, new, s.Marked(), s.Changed()))
				}
				slices.Sort(l)
				return l
			}
			if p, q := told(there, false), told(here, true); !slices.Equal(p, q) {
				t.Errorf("%s and %s:\n%s\nback:\n%s", a, b, strings.Join(p, "\n"), strings.Join(q, "\n"))
			}
		}
	}
	if kinds[Appeared] == 0 || kinds[Went] == 0 {
		t.Errorf("little became of anything: %v", kinds)
	}
}

func schema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(SchemaJSON))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("mem:///diff.json", doc); err != nil {
		t.Fatal(err)
	}
	return c.MustCompile("mem:///diff.json")
}

// Every pair is told in JSON as the schema says.
func TestJSONFollowsTheSchema(t *testing.T) {
	s := schema(t)
	check := func(text string) error {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err == nil {
			err = s.Validate(v)
		}
		return err
	}
	var sides []*Side
	for _, name := range captures {
		x, text := analyse(t, name)
		y, err := Read(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		sides = append(sides, x, y)
	}
	last := ""
	for i, a := range sides {
		for _, b := range []*Side{a, sides[(i+1)%len(sides)], sides[(i+5)%len(sides)]} {
			_, last = written(t, Compare(a, b, Options{}))
			if err := check(last); err != nil {
				t.Fatalf("%s, %s: %v\n%s", a.Name, b.Name, err, last)
			}
		}
	}
	for _, x := range [][2]string{{`"schema"`, `"schemas"`}, {`"significant":null`, `"significant":1`}, {`"packets":`, `"packets":-1`}} {
		if broken := strings.Replace(last, x[0], x[1], 1); broken == last || check(broken) == nil {
			t.Errorf("the schema allows %s", x[1])
		}
	}
}

// found is a finding for tests.
func found(id, subject string, severity detect.Severity, count int) detect.Finding {
	return detect.Finding{ID: id, Subject: subject, Severity: severity, Count: count, Explanation: "It is so.", Advice: "Mend it."}
}

// side is one with so many connections and these findings.
func side(connections uint64, services string, findings ...detect.Finding) *Side {
	s := &Side{Connections: connections, Segments: 1, Findings: findings}
	for _, w := range strings.Fields(services) {
		at, _, ok := address(w)
		if !ok {
			panic(w)
		}
		s.Services = append(s.Services, Service{Addr: at.Addr(), Port: at.Port(), Connections: connections})
	}
	s.quality(0, 0, 0, 0, 0, 0, 0, 0, 0)
	s.gather()
	return s
}

// What becomes of a finding.
func TestChanges(t *testing.T) {
	const at = "server 10.0.0.2:80"
	refused := func(s detect.Severity, n int) detect.Finding { return found("refused", at, s, n) }
	for _, x := range []struct {
		name     string
		old, new []detect.Finding
		kind     Kind
		odds     Odds
		worse    bool
	}{
		{"appears", nil, []detect.Finding{refused(detect.Note, 1)}, Appeared, Marked, true},
		{"goes", []detect.Finding{refused(detect.Error, 100)}, nil, Went, Marked, false},
		{"stays", []detect.Finding{refused(detect.Note, 7)}, []detect.Finding{refused(detect.Note, 7)}, Same, Chance, false},
		{"is more severe, of fewer", []detect.Finding{refused(detect.Note, 7)}, []detect.Finding{refused(detect.Error, 1)}, Grew, Marked, true},
		{"is less severe, of more", []detect.Finding{refused(detect.Error, 7)}, []detect.Finding{refused(detect.Note, 90)}, Shrank, Marked, false},
		{"one more by chance", []detect.Finding{refused(detect.Note, 20)}, []detect.Finding{refused(detect.Note, 21)}, Grew, Chance, false},
		{"many more", []detect.Finding{refused(detect.Note, 20)}, []detect.Finding{refused(detect.Note, 60)}, Grew, Marked, true},
		{"many fewer", []detect.Finding{refused(detect.Note, 60)}, []detect.Finding{refused(detect.Note, 20)}, Shrank, Marked, false},
		{"more events than connections", []detect.Finding{refused(detect.Note, 120)}, []detect.Finding{refused(detect.Note, 900)}, Grew, Marked, true},
	} {
		r := Compare(side(100, "10.0.0.2:80", x.old...), side(100, "10.0.0.2:80", x.new...), Options{})
		if len(r.Findings) != 1 {
			t.Errorf("%s: %v", x.name, r.Findings)
			continue
		}
		if c := &r.Findings[0]; c.Kind != x.kind || c.Odds != x.odds || c.Worse() != x.worse {
			t.Errorf("%s: it %s, %d, worse %v", x.name, c.Kind, c.Odds, c.Worse())
		}
	}
}

// Subjects that are the same thing in two runs are compared, others are not.
func TestNames(t *testing.T) {
	f := func(subject string) detect.Finding { return found("some", subject, detect.Note, 1) }
	for _, x := range []struct {
		name, old, new     string // services
		before, after      string // subjects, with / between several
		want               string // what is compared, with the kind
		wantBefore, counts int
	}{
		{"itself", "10.0.0.2:80", "10.0.0.2:80", "server 10.0.0.2:80", "server 10.0.0.2:80", "same server 10.0.0.2:80", 1, 1},
		{"connections by number", "10.0.0.2:80", "10.0.0.2:80", "connection 3/connection 9", "connection 4", "shrank connection *", 2, 1},
		{"a moved service", "10.0.0.2:80", "172.17.0.9:80", "server 10.0.0.2:80", "server 172.17.0.9:80", "same server 172.17.0.9:80", 1, 1},
		{"its side", "10.0.0.2:80", "[fd00::9]:80", "service 10.0.0.2:80, server side", "service [fd00::9]:80, server side", "same service [fd00::9]:80, server side", 1, 1},
		{"its host", "10.0.0.2:80", "172.17.0.9:80", "host 10.0.0.2", "host 172.17.0.9", "same host 172.17.0.9", 1, 1},
		{"another client's address", "10.0.0.2:80", "10.0.0.2:80", "client 10.0.0.7 → server 10.0.0.2:80", "client 10.0.0.8 → server 10.0.0.2:80", "same client * → server 10.0.0.2:80", 1, 1},
		{"a client's port", "10.0.0.2:80", "10.0.0.2:80", "endpoint 10.0.0.7:40001/endpoint 10.0.0.7:40002", "endpoint 10.0.0.7:51000", "shrank endpoint 10.0.0.7:*", 2, 1},
		{"a server's port", "10.0.0.2:80", "10.0.0.2:80", "endpoint 10.0.0.2:80", "endpoint 10.0.0.2:80", "same endpoint 10.0.0.2:80", 1, 1},
		{"the capture", "10.0.0.2:80", "10.0.0.2:80", "capture", "capture", "same capture", 1, 1},
	} {
		var a, b []detect.Finding
		for _, s := range strings.Split(x.before, "/") {
			a = append(a, f(s))
		}
		for _, s := range strings.Split(x.after, "/") {
			b = append(b, f(s))
		}
		r := Compare(side(100, x.old, a...), side(100, x.new, b...), Options{})
		var got []string
		for i := range r.Findings {
			got = append(got, r.Findings[i].Kind.String()+" "+r.Findings[i].Subject)
		}
		if len(got) != 1 || got[0] != x.want || r.Findings[0].Old.Findings != x.wantBefore || r.Findings[0].New.Findings != x.counts {
			t.Errorf("%s: %q", x.name, got)
		}
	}
	// Different things.
	for _, x := range []struct{ name, old, new, before, after string }{
		{"another port", "10.0.0.2:80", "10.0.0.2:81", "server 10.0.0.2:80", "server 10.0.0.2:81"},
		{"another server that both know", "10.0.0.2:80 10.0.0.3:80", "10.0.0.2:80 10.0.0.3:80", "server 10.0.0.2:80", "server 10.0.0.3:80"},
		{"another side", "10.0.0.2:80", "10.0.0.2:80", "service 10.0.0.2:80, server side", "service 10.0.0.2:80, client side"},
		{"another client that both know", "10.0.0.2:80", "10.0.0.2:80 10.0.0.7:99", "host 10.0.0.2", "host 10.0.0.7"},
	} {
		r := Compare(side(100, x.old, f(x.before)), side(100, x.new, f(x.after)), Options{})
		if len(r.Findings) != 2 {
			t.Errorf("%s: %v", x.name, r.Findings)
		}
	}
}

// A service that moved is found again where that is sure.
func TestServicesArePaired(t *testing.T) {
	for _, x := range []struct{ name, old, new, want string }{
		{"the same", "10.0.0.2:80", "10.0.0.2:80", "10.0.0.2:80"},
		{"moved", "10.0.0.2:80 10.0.0.2:443", "10.0.0.9:443 10.0.0.9:80", "10.0.0.9:443 (was 10.0.0.2:443), 10.0.0.9:80 (was 10.0.0.2:80)"},
		{"another on an address that both know", "10.0.0.2:80", "10.0.0.2:81 10.0.0.9:80", "10.0.0.2:80 (gone), 10.0.0.2:81 (new), 10.0.0.9:80 (new)"},
		{"one of two", "10.0.0.2:80 10.0.0.3:80", "10.0.0.2:80 10.0.0.9:80", "10.0.0.2:80, 10.0.0.9:80 (was 10.0.0.3:80)"},
		{"two of two", "10.0.0.2:80 10.0.0.3:80", "10.0.0.8:80 10.0.0.9:80", "10.0.0.2:80 (gone), 10.0.0.3:80 (gone), 10.0.0.8:80 (new), 10.0.0.9:80 (new)"},
		{"three against one", "10.0.0.2:80 10.0.0.3:80 10.0.0.4:80", "10.0.0.9:80", "10.0.0.2:80 (gone), 10.0.0.3:80 (gone), 10.0.0.4:80 (gone), 10.0.0.9:80 (new)"},
	} {
		r := Compare(side(100, x.old), side(100, x.new), Options{})
		var l []string
		for i := range r.Services {
			l = append(l, r.Services[i].Name())
		}
		slices.Sort(l)
		if got := strings.Join(l, ", "); got != x.want {
			t.Errorf("%s: %s", x.name, got)
		}
	}
}

// What fails is what got worse and is severe enough on the new side, shown or not.
func TestFailing(t *testing.T) {
	old := side(100, "10.0.0.2:80", found("went", "capture", detect.Error, 9), found("mild", "capture", detect.Note, 1), found("wobbles", "capture", detect.Error, 20))
	new := side(100, "10.0.0.2:80", found("mild", "capture", detect.Warning, 1), found("wobbles", "capture", detect.Error, 21), found("new", "capture", detect.Note, 1))
	for _, x := range []struct {
		failOn, min detect.Severity
		want        [3]uint64
		hidden      int
	}{
		{detect.Note, detect.Note, [3]uint64{1, 1, 0}, 0},
		{detect.Warning, detect.Note, [3]uint64{0, 1, 0}, 0},
		{detect.Error, detect.Note, [3]uint64{}, 0},
		{detect.Note, detect.Error, [3]uint64{1, 1, 0}, 2},
	} {
		r := Compare(old, new, Options{Min: x.min})
		if n, hidden := r.Reaching(x.failOn); n != x.want || hidden != x.hidden {
			t.Errorf("%s, least %s: %v, %d hidden", x.failOn, x.min, n, hidden)
		}
		run := r.Run(&Terms{FailOn: x.failOn}, &report.Style{Limit: 20})
		if run.Failed() != (x.want != [3]uint64{}) {
			t.Errorf("%s, least %s: the run failed: %v", x.failOn, x.min, run.Failed())
		}
		failed := 0
		for _, c := range run.Files[0].Checks {
			for _, y := range c.Results {
				if y.Status == verdict.Fail {
					failed++
				}
			}
		}
		if failed != int(x.want[0]+x.want[1]+x.want[2]) {
			t.Errorf("%s, least %s: %d results fail", x.failOn, x.min, failed)
		}
		if never := r.Run(&Terms{Never: true}, &report.Style{}); never.Failed() {
			t.Error("never fails")
		}
	}
	if r := Compare(old, new, Options{Disabled: map[string]bool{"mild": true, "new": true}}); len(r.Findings) != 2 {
		t.Errorf("disabled ones are compared: %v", r.Findings)
	}
	broken := Compare(old, new, Options{}).Run(&Terms{Never: true, OldBroken: "cut short"}, &report.Style{})
	if broken.Status() != verdict.Broken {
		t.Error("a damaged baseline is not told")
	}
}

// Warnings name the side, and are there only where there is a reason.
func TestWarnings(t *testing.T) {
	s := side(10, "")
	s.Span = 1
	if r := Compare(s, s, Options{}); len(r.Warnings) > 0 {
		t.Errorf("%q", r.Warnings)
	}
	lost := side(10, "")
	lost.Span, lost.Packets, lost.Segments, lost.Interrupted = 3, 90, 0, true
	lost.quality(4, 6, 1, 2, 0, 0, 0, 1, 2)
	got := strings.Join(Compare(s, lost, Options{}).Warnings, "\n")
	for _, want := range []string{
		"NEW was not read to its end", "NEW holds no TCP segment that is selected", "NEW lost 10 frames (10.0 %)", "NEW is damaged",
		"NEW folded or evicted 3 connections", "one lasts 3 times as long",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in:\n%s", want, got)
		}
	}
}

// Text from the network or from a file's name reaches no terminal as it is, in any output.
func TestHostileText(t *testing.T) {
	const evil = "\x1b[31m\u202e\n::error::x|<b>"
	f := found("refused", "server "+evil, detect.Error, 1)
	f.Explanation, f.Advice = evil, evil
	f.Evidence = detect.Evidence{Total: 1, Connections: []detect.Proven{{ID: 1, Frames: []detect.Proof{{Frame: 1, Text: evil}}}}}
	old, new := side(10, "10.0.0.2:80"), side(10, "10.0.0.2:80", f)
	old.Name, new.Name = evil, evil
	new.Close = report.Counts{{Name: evil, N: 1}}
	r := Compare(old, new, Options{})
	table, json := written(t, r)
	texts := map[string]string{"table": table, "json": json}
	run := r.Run(&Terms{FailOn: detect.Note}, &report.Style{Limit: 20})
	for _, name := range []string{"junit", "sarif", "github", "markdown"} {
		var b strings.Builder
		if err := verdict.FindFormat(name).Write(&b, run, &verdict.Options{Style: report.Style{Limit: 20}}); err != nil {
			t.Fatal(err)
		}
		texts[name] = b.String()
	}
	for name, text := range texts {
		if strings.ContainsAny(text, "\x1b\u202e") || strings.Contains(text, "\n::error::x") {
			t.Errorf("%s passes it on:\n%s", name, text)
		}
	}
}
