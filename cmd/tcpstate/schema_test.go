package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"tcpstate/report"
)

// reportSchema is the schema of all that the program writes.
func reportSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(report.SchemaJSON))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("mem:///schema.json", schema); err != nil {
		t.Fatal(err)
	}
	return c.MustCompile("mem:///schema.json")
}

// What the program writes of every capture is as the schema says, begins with
// the capture and ends with the summary.
func TestCapturesFollowTheSchema(t *testing.T) {
	files := captureFiles(t)
	compiled := reportSchema(t)
	const parts = "summary,findings,connections,transitions,states,services"
	for _, f := range files {
		var stdout, stderr bytes.Buffer
		run([]string{"-o", "json", "--show", parts, f}, nil, &stdout, &stderr)
		texts := []string{stdout.String()}
		stdout.Reset()
		run([]string{"-o", "ndjson", "--show", parts, f}, nil, &stdout, &stderr)
		lines := strings.Split(strings.TrimSuffix(stdout.String(), "\n"), "\n")
		if !strings.HasPrefix(lines[0], `{"type":"capture",`) || !strings.HasPrefix(lines[len(lines)-1], `{"type":"summary",`) {
			t.Errorf("%s: begins with %.60s, ends with %.60s", f, lines[0], lines[len(lines)-1])
		}
		for _, text := range append(texts, lines...) {
			v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
			if err == nil {
				err = compiled.Validate(v)
			}
			if err != nil {
				t.Errorf("%s: %v\n%.400s", f, err, text)
				break
			}
		}
	}
}
