package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// compileSchema returns the schema of a line and of a document.
func compileSchema(t *testing.T) (line, document *jsonschema.Schema) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(SchemaJSON))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("mem:///schema.json", doc); err != nil {
		t.Fatal(err)
	}
	compile := func(at string) *jsonschema.Schema {
		s, err := c.Compile("mem:///schema.json" + at)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	return compile("#/$defs/line"), compile("#/$defs/document")
}

func validate(t *testing.T, s *jsonschema.Schema, text string) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err == nil {
		err = s.Validate(v)
	}
	if err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

// All parts, and any one of them, are as the schema says.
func TestOutputsFollowTheSchema(t *testing.T) {
	line, document := compileSchema(t)
	where, err := ParseWhere(`client.port == 40022`)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{lives, ""} {
		for _, parts := range []Parts{allParts, PartSummary, PartConnections, PartTransitions, PartServices, PartFindings, PartStates} {
			for _, opts := range []Options{{}, {Selection: Selection{Where: where}}} {
				out := play(t, text, opts, parts, "ndjson", "json")
				lines := strings.SplitAfter(out[0], "\n")
				for i, l := range lines[:len(lines)-1] {
					validate(t, line, l)
					if first := strings.Contains(l, `"type":"capture"`); first != (i == 0) {
						t.Errorf("line %d of %s: the capture comes first, and only then", i+1, parts)
					}
				}
				validate(t, document, out[1])
			}
		}
	}
}

// The schema refuses what no output writes, so that it says something.
func TestSchemaRefuses(t *testing.T) {
	line, _ := compileSchema(t)
	for _, text := range []string{
		`{}`, `{"type":"other","schema":"tcpstate/v1"}`, `{"type":"summary","schema":"tcpstate/v1"}`,
		`{"type":"transition","schema":"tcpstate/v1","time":"1.5","frame":1}`,
	} {
		v, _ := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if line.Validate(v) == nil {
			t.Errorf("allows %s", text)
		}
	}
}

// The two JSON outputs say the same.
func TestJSONHoldsWhatNDJSONHolds(t *testing.T) {
	out := play(t, lives, Options{}, allParts, "ndjson", "json")
	var doc struct {
		Connections, Transitions []json.RawMessage
		Services, Summary        json.RawMessage
	}
	if err := json.Unmarshal([]byte(out[1]), &doc); err != nil {
		t.Fatal(err)
	}
	var conns, trans []string
	for _, l := range strings.Split(strings.TrimSpace(out[0]), "\n") {
		switch {
		case strings.HasPrefix(l, `{"type":"connection"`):
			conns = append(conns, l)
		case strings.HasPrefix(l, `{"type":"transition"`):
			trans = append(trans, l)
		case strings.HasPrefix(l, `{"type":"summary"`):
			if !strings.Contains(l, string(doc.Services)) || !strings.Contains(l, string(doc.Summary[1:len(doc.Summary)-1])) {
				t.Errorf("the summary line has not what the document has:\n%s", l)
			}
		}
	}
	same := func(a []json.RawMessage, b []string) bool {
		for i := range a {
			if i >= len(b) || string(a[i]) != b[i] {
				return false
			}
		}
		return len(a) == len(b) && len(a) > 0
	}
	if !same(doc.Connections, conns) || !same(doc.Transitions, trans) {
		t.Errorf("the records differ")
	}
}
