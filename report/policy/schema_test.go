package policy

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"tcpstate/report/detect"
)

var update = flag.Bool("update", false, "put the ids of the catalogue into the schema")

func policySchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(SchemaJSON))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("mem:///schema.json", schema); err != nil {
		t.Fatal(err)
	}
	return c.MustCompile("mem:///schema.json")
}

// asJSON is a YAML document as an editor hands it to a schema.
func asJSON(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(days(v))
	if err != nil {
		t.Fatal(err)
	}
	v, err = jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// days turns what YAML takes for a time back into the text that it is.
func days(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for k := range x {
			x[k] = days(x[k])
		}
	case []any:
		for i := range x {
			x[i] = days(x[i])
		}
	case time.Time:
		return x.Format(time.DateOnly)
	}
	return v
}

// The ids in the schema are those of the catalogue.
func TestSchemaKnowsTheCatalogue(t *testing.T) {
	var doc struct {
		Defs struct {
			ID struct {
				Enum []string `json:"enum"`
			} `json:"id"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal(SchemaJSON, &doc); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, d := range detect.Catalogue {
		ids = append(ids, `"`+d.ID+`"`)
	}
	want := strings.Join(ids, ", ")
	if got := `"` + strings.Join(doc.Defs.ID.Enum, `", "`) + `"`; got == want {
		return
	}
	if !*update {
		t.Fatal("the ids in policy-v1.schema.json are others; -update mends it")
	}
	text := string(SchemaJSON)
	from := strings.LastIndex(text, `"enum": [`) + len(`"enum": [`)
	to := from + strings.IndexByte(text[from:], ']')
	if err := os.WriteFile("policy-v1.schema.json", []byte(text[:from]+want+text[to:]), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The schema takes the policies that the program takes.
func TestSchemaTakesPolicies(t *testing.T) {
	schema := policySchema(t)
	files, err := filepath.Glob("../../testdata/policies/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no policies in testdata", err)
	}
	texts := []string{fifty(), "version: 1\n"}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(b))
	}
	for i, text := range texts {
		if _, err := Parse("p.yaml", []byte(text)); err != nil {
			t.Errorf("%d: %v", i, err)
		}
		if err := schema.Validate(asJSON(t, text)); err != nil {
			t.Errorf("%d: %v\n%s", i, err, text)
		}
	}
}

// What the schema refuses, the program refuses.
func TestSchemaRefusesWhatTheProgramDoes(t *testing.T) {
	schema := policySchema(t)
	for _, text := range []string{
		"fail_on: error\n",
		"version: 2\n",
		"version: 1\nfail_on: fatal\n",
		"version: 1\nextra: 1\n",
		"version: 1\ndisable: [nothing]\n",
		"version: 1\ndisable: refused\n",
		"version: 1\nset: [1]\n",
		"version: 1\nset: { refused: 1 }\n",
		"version: 1\nallow:\n  - { id: refused, subject: x }\n",
		"version: 1\nallow:\n  - { id: refused, subject: ' ', reason: y }\n",
		"version: 1\nallow:\n  - { id: refused, subject: x, reason: y, until: soon }\n",
		"version: 1\nallow:\n  - { id: refused, subject: x, reason: y, who: z }\n",
		"version: 1\nassert:\n  - { name: a }\n",
		"version: 1\nassert:\n  - { expect: 'true' }\n",
		"version: 1\nassert:\n  - { name: a, each: packets, expect: 'true' }\n",
		"version: 1\nassert:\n  - { name: a, where: midstream, expect: 'true' }\n",
		"version: 1\nassert:\n  - { name: a, at_least: 2, expect: 'true' }\n",
		"version: 1\nassert:\n  - { name: a, each: connections, at_least: -1, expect: midstream }\n",
		"version: 1\nassert:\n  - { name: 5, expect: 'true' }\n",
		"version: 1\nassert:\n  - { name: a, each: [connections], expect: 'true' }\n",
		"version: 1\nassert:\n  - { name: a, expect: 5 }\n",
		"version: 1\nassert:\n  - { name: a, each: connections, at_least: '2', expect: midstream }\n",
		"version: '1'\n",
		"version: 1\nfail_on: [error]\n",
		"[]\n",
	} {
		if _, err := Parse("p.yaml", []byte(text)); err == nil {
			t.Errorf("the program takes %q", text)
		}
		if schema.Validate(asJSON(t, text)) == nil {
			t.Errorf("the schema takes %q", text)
		}
	}
}
