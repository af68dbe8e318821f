package verdict

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// element is XML as anybody reads it.
type element struct {
	name     string
	attrs    map[string]string
	text     string
	children []*element
}

// readXML reads a document strictly, and not by the types that wrote it.
func readXML(t *testing.T, text string) *element {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	top := &element{}
	stack := []*element{top}
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		at := stack[len(stack)-1]
		switch x := tok.(type) {
		case xml.StartElement:
			e := &element{name: x.Name.Local, attrs: map[string]string{}}
			for _, a := range x.Attr {
				e.attrs[a.Name.Local] = a.Value
			}
			at.children = append(at.children, e)
			stack = append(stack, e)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			at.text += string(x)
		}
	}
	return top.children[0]
}

func (e *element) count(name string) (n int) {
	for _, c := range e.children {
		if c.name == name {
			n++
		}
		n += c.count(name)
	}
	return n
}

// junitRules are what both document: the schema of Jenkins's xUnit plugin (junit-10.xsd),
// and GitLab's page on unit test reports, which reads the same elements. Of attributes,
// the first n must be there.
var junitRules = map[string]struct {
	attrs    []string
	must     int
	children []string
}{
	"testsuites": {[]string{"name", "time", "tests", "failures", "errors", "disabled"}, 0, []string{"testsuite"}},
	"testsuite":  {[]string{"name", "tests", "failures", "errors", "time", "disabled", "skipped", "timestamp", "hostname", "id", "package"}, 2, []string{"properties", "testcase", "system-out", "system-err"}},
	"properties": {nil, 0, []string{"property"}},
	"property":   {[]string{"name", "value"}, 2, nil},
	"testcase":   {[]string{"name", "classname", "assertions", "time", "status"}, 2, []string{"skipped", "error", "failure", "system-out", "system-err"}},
	"skipped":    {[]string{"message", "type"}, 0, nil},
	"error":      {[]string{"message", "type"}, 0, nil},
	"failure":    {[]string{"message", "type"}, 0, nil},
	"system-out": {nil, 0, nil},
	"system-err": {nil, 0, nil},
}

func (e *element) follows(t *testing.T) {
	rule, ok := junitRules[e.name]
	if !ok {
		t.Errorf("there is no element %s", e.name)
	}
	for a := range e.attrs {
		if !slices.Contains(rule.attrs, a) {
			t.Errorf("%s has no attribute %s", e.name, a)
		}
	}
	for _, a := range rule.attrs[:rule.must] {
		if e.attrs[a] == "" {
			t.Errorf("%s lacks the attribute %s", e.name, a)
		}
	}
	for _, a := range []string{"tests", "failures", "errors", "skipped"} {
		if v, ok := e.attrs[a]; ok {
			if _, err := strconv.ParseUint(v, 10, 32); err != nil {
				t.Errorf("%s: %s=%q", e.name, a, v)
			}
		}
	}
	if v, ok := e.attrs["time"]; ok {
		if _, err := strconv.ParseFloat(v, 64); err != nil {
			t.Errorf("%s: time=%q", e.name, v)
		}
	}
	if v := e.attrs["message"]; strings.ContainsAny(v, "\n\t") {
		t.Errorf("a message in several lines: %q", v)
	}
	for _, c := range e.children {
		if !slices.Contains(rule.children, c.name) {
			t.Errorf("%s has no element %s", e.name, c.name)
		}
		c.follows(t)
	}
}

// JUnit has the elements and attributes that its readers document, and its numbers are
// those of its cases.
func TestJUnitIsWhatReadersRead(t *testing.T) {
	r := hostileRun()
	top := readXML(t, written(t, "junit", r, nil))
	top.follows(t)
	if top.name != "testsuites" || len(top.children) != 4 {
		t.Fatalf("%s with %d suites", top.name, len(top.children))
	}
	seen := map[string]bool{}
	for _, s := range top.children {
		for what, in := range map[string]string{"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"} {
			if s.attrs[what] != fmt.Sprint(s.count(in)) {
				t.Errorf("%s: %s=%s, and there are %d", s.attrs["name"], what, s.attrs[what], s.count(in))
			}
		}
		for _, c := range s.children {
			if c.name != "testcase" {
				continue
			}
			// GitLab shows one of two cases that are called the same.
			if key := c.attrs["classname"] + "\x00" + c.attrs["name"]; seen[key] {
				t.Errorf("two cases %q", key)
			} else {
				seen[key] = true
			}
			if c.count("failure")+c.count("error")+c.count("skipped") > 1 {
				t.Errorf("%s ends in two ways", c.attrs["name"])
			}
		}
	}
	for what, in := range map[string]string{"tests": "testcase", "failures": "failure", "errors": "error"} {
		if top.attrs[what] != fmt.Sprint(top.count(in)) {
			t.Errorf("%s=%s, and there are %d", what, top.attrs[what], top.count(in))
		}
	}
}

// Every check is one case, and what fails, is broken or accepted is so there.
func TestJUnitCases(t *testing.T) {
	top := readXML(t, written(t, "junit", hostileRun(), nil))
	var lines []string
	for _, s := range top.children {
		for _, c := range s.children {
			if c.name != "testcase" {
				continue
			}
			how := "passed"
			for _, x := range c.children {
				if x.name != "system-out" {
					how = x.name
				}
			}
			name, _, _ := strings.Cut(c.attrs["name"], "x\\x1b")
			lines = append(lines, name+" "+how)
		}
	}
	want := `allow:  failure
input passed
assertion: quick passed
assertion:  failure
finding: refused failure
finding: half-open skipped
finding: stale-syn skipped
finding: odd-flags passed
input error
input passed`
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
