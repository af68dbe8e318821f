package verdict

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"tcpstate/report/detect"
)

// hostile is text as a network or a file system may send it: it tries to be markup, a
// command, the end of a field, or a terminal's control sequence.
const hostile = "x\x1b]0;t\x07\r\n::error::y\n%0A::set-output name=a::b,:|`a`*_<b>&amp;]]></c>\"'[l](http://e)@all #1 $x$\u202e\ufffe\xff\x00~www.e.org\\"

// hostileRun has everything a Run may have, and hostile text wherever text may be.
func hostileRun() *Run {
	results := []Result{
		{Status: Fail, Severity: detect.Error, Change: New, Subject: "server " + hostile, Count: 3, Text: hostile, Advice: hostile, Total: 9,
			Frames: []Frame{{"1", 7, hostile}, {"1", 8, ""}, {"2", 9, hostile}}},
		{Status: Accepted, Severity: detect.Warning, Change: New, Subject: "s2", Text: "t", Reason: hostile},
		{Status: Known, Severity: detect.Note, Change: Unchanged, Subject: "s3"},
		{Status: Pass, Severity: detect.Note, Change: Gone, Subject: "s4"},
	}
	settled := func(c Check) Check { c.Settle(); return c }
	return &Run{Command: "check", Policy: "p" + hostile, FailOn: "warning", Baseline: true,
		Rules:  []Rule{{Name: "quick", Expect: "true", Line: 3}, {Name: hostile, Expect: hostile, Line: 9}},
		Checks: []Check{{Kind: Allowed, Name: hostile, Status: Fail, Severity: detect.Error, Text: hostile, Line: 4}},
		Files: []File{
			{Name: "a/" + hostile, Facts: Facts{Packets: 1234, Segments: 1000, Connections: 12, Start: time.Unix(5, 7).UTC(), Span: 1.5},
				Checks: []Check{
					{Kind: Input, Name: "input", Text: hostile},
					{Kind: Asked, Name: "quick", Severity: detect.Error, Line: 3},
					{Kind: Asked, Name: hostile, Severity: detect.Error, Status: Fail, Text: hostile, Line: 9, More: 4, Results: []Result{results[0]}},
					settled(Check{Kind: Found, Name: "refused", Results: results}),
					settled(Check{Kind: Found, Name: "half-open", Results: results[1:2]}),
					settled(Check{Kind: Found, Name: "stale-syn", Results: results[2:3]}),
					settled(Check{Kind: Found, Name: "odd-flags", Results: []Result{{Severity: detect.Warning, Subject: hostile, Text: hostile}}}),
				},
				Tables: []Table{{Title: hostile, Heads: []string{"a", ">b"}, Rows: [][]string{{hostile, "1"}}}}},
			{Name: "b", Names: []string{"b", hostile}, Facts: Facts{Span: math.NaN()},
				Checks: []Check{{Kind: Input, Name: "input", Status: Broken, Severity: detect.Error, Text: hostile}}},
			{Name: "-", Checks: []Check{{Kind: Input, Name: "input"}}},
		}}
}

func written(t *testing.T, format string, r *Run, o *Options) string {
	t.Helper()
	if o == nil {
		o = &Options{Version: "devel"}
	}
	var b, again bytes.Buffer
	f := FindFormat(format)
	if err := f.Write(&b, r, o); err != nil {
		t.Fatal(err)
	}
	if err := f.Write(&again, r, o); err != nil || again.String() != b.String() {
		t.Errorf("%s: written twice, it differs (%v)", format, err)
	}
	return b.String()
}

// No output has anything that is not printable, apart from ends of lines.
func TestOutputsArePrintable(t *testing.T) {
	for _, f := range Formats {
		text := written(t, f.Name, hostileRun(), nil)
		if !utf8.ValidString(text) {
			t.Errorf("%s is not UTF-8", f.Name)
		}
		for i, r := range text {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Errorf("%s: %q at %d, after %.60q", f.Name, r, i, text[max(0, i-60):i])
				break
			}
		}
	}
}

// The status of a run is that of the gravest check.
func TestStatus(t *testing.T) {
	of := func(l ...Status) *Run {
		r := &Run{}
		for _, s := range l {
			r.Files = append(r.Files, File{Checks: []Check{{Status: s}}})
		}
		return r
	}
	for _, x := range []struct {
		r    *Run
		want Status
	}{
		{of(), Pass}, {of(Pass, Known, Accepted), Pass}, {of(Pass, Fail, Accepted), Fail}, {of(Fail, Broken, Pass), Broken},
		{&Run{Checks: []Check{{Status: Fail}}}, Fail},
	} {
		if got := x.r.Status(); got != x.want {
			t.Errorf("%+v: %s, not %s", x.r, got, x.want)
		}
	}
}

// JSON is as its schema says.
func TestJSONFollowsItsSchema(t *testing.T) {
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(SchemaJSON))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("mem:///schema.json", schema); err != nil {
		t.Fatal(err)
	}
	compiled := c.MustCompile("mem:///schema.json")
	for _, r := range []*Run{hostileRun(), {Command: "diff", FailOn: "never"}} {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(written(t, "json", r, nil)))
		if err == nil {
			err = compiled.Validate(v)
		}
		if err != nil {
			t.Error(err)
		}
	}
	// And it says something: each of these is refused.
	for _, change := range []string{`{"schema":"x"}`, `{"status":"baseline"}`, `{"more":1}`, `{"files":[{}]}`, `{"checks":[{}]}`, `{"fail_on":"fatal"}`} {
		var doc, other map[string]any
		json.Unmarshal([]byte(written(t, "json", hostileRun(), nil)), &doc)
		json.Unmarshal([]byte(change), &other)
		for k, v := range other {
			doc[k] = v
		}
		if compiled.Validate(doc) == nil {
			t.Errorf("the schema takes %s", change)
		}
	}
}

// A command of GitHub's runner is one line, its properties end where they should, and what
// it says is what was meant.
func TestGitHubCommands(t *testing.T) {
	command := regexp.MustCompile(`^::(error|warning|notice) ((?:[a-z]+=[^,:\r\n]*,)*[a-z]+=[^,:\r\n]*)::([^\r\n]*)$`)
	r := hostileRun()
	kinds := map[string]int{}
	lines := strings.Split(strings.TrimSuffix(written(t, "github", r, nil), "\n"), "\n")
	for i, line := range lines {
		if i == len(lines)-1 {
			if line != r.summary() {
				t.Errorf("the last line is %q", line)
			}
			continue
		}
		m := command.FindStringSubmatch(line)
		if m == nil {
			t.Errorf("%q is no command", line)
			continue
		}
		kinds[m[1]]++
		for _, p := range strings.Split(m[2], ",") {
			name, value, _ := strings.Cut(p, "=")
			if regexp.MustCompile(`%(?:[^023]|$)|%(?:2[^5C]|3[^A]|0[^AD])`).MatchString(value) {
				t.Errorf("%s: a %% that is none of %%25, %%0A, %%0D, %%3A, %%2C", p)
			}
			if name != "file" && name != "line" && name != "title" {
				t.Errorf("property %s", name)
			}
		}
		if strings.Contains(m[3], "##[") {
			t.Errorf("%q may be a command of the old form", m[3])
		}
	}
	if fmt.Sprint(kinds) != "map[error:4 notice:1 warning:1]" {
		t.Errorf("%v", kinds)
	}
}

// The gravest annotations come first, and of each kind only as many as are shown.
func TestGitHubShowsTheGravest(t *testing.T) {
	r := &Run{Files: []File{{Name: "a"}}}
	for i := range 25 {
		c := Check{Kind: Found, Name: fmt.Sprint("n", i), Results: []Result{{Status: Fail, Severity: detect.Severity(i % 3), Subject: "s"}}}
		c.Settle()
		r.Files[0].Checks = append(r.Files[0].Checks, c)
	}
	text := written(t, "github", r, nil)
	if n := strings.Count(text, "::error "); n != 10 {
		t.Errorf("%d annotations", n)
	}
	if !strings.Contains(text, "\n15 more in the summary of the step\n") {
		t.Errorf("it does not say how many more:\n%s", text)
	}
	if n := strings.Count(text, "::error: s"); n != 8 {
		t.Errorf("%d of 8 errors are shown", n)
	}
	var page bytes.Buffer
	if err := Summary(&page, r, &Options{}); err != nil {
		t.Fatal(err)
	}
	for i := range 25 {
		if !strings.Contains(page.String(), fmt.Sprintf("finding: n%d ", i)) {
			t.Errorf("the summary lacks n%d", i)
		}
	}
}

// A summary is no larger than GitHub takes.
func TestSummaryIsBounded(t *testing.T) {
	r := &Run{}
	for i := range 3000 {
		c := Check{Kind: Found, Name: "refused", Results: []Result{{Status: Fail, Severity: detect.Error, Subject: "s", Text: strings.Repeat("x", 1000)}}}
		c.Settle()
		r.Files = append(r.Files, File{Name: fmt.Sprint(i), Checks: []Check{c}})
	}
	var page bytes.Buffer
	if err := Summary(&page, r, &Options{}); err != nil {
		t.Fatal(err)
	}
	if page.Len() > 1<<20 || page.Len() < 1<<19 || !strings.HasSuffix(page.String(), "There is no room for more.\n") {
		t.Errorf("%d octets, which end in %.40q", page.Len(), page.Bytes()[page.Len()-40:])
	}
}

// Text in Markdown is no markup: no cell ends early, and there is no tag, link, mention
// or code but this program's own.
func TestMarkdownIsInert(t *testing.T) {
	text := written(t, "markdown", hostileRun(), nil)
	for i, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "|") && strings.Count(line, "|") != strings.Count(tableHead(text, i), "|") {
			t.Errorf("line %d has other cells than its head: %q", i+1, line)
		}
	}
	own := strings.NewReplacer("<span>@</span>", "", "<span>#</span>", "", "<span>:</span>", "", "<span>.</span>", "", "<br>", "", "<details>", "", "</details>", "", "<summary>", "", "</summary>", "", "**", "")
	rest := own.Replace(text)
	for _, bad := range []string{"<", ">", "`", "*", "_", "[", "]", "@", "://", "www.", "\\", "$"} {
		if i := strings.Index(rest, bad); i >= 0 {
			t.Errorf("%q in %.80q", bad, rest[max(0, i-40):])
		}
	}
}

// tableHead is the first line of the table that line i belongs to.
func tableHead(text string, i int) string {
	lines := strings.Split(text, "\n")
	for i > 0 && strings.HasPrefix(lines[i-1], "|") {
		i--
	}
	return lines[i]
}
