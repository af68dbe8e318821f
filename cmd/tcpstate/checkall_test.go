package main

import (
	"bytes"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"tcpstate/report/policy"
	"tcpstate/report/verdict"
)

// judgedAs is the verdict on all captures of testdata in one format.
func judgedAs(t *testing.T, format string, more ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	args := append([]string{"check", "-o", format, "--policy", filepath.Join(root, "testdata/policies/api.yaml"), filepath.Join(root, "testdata/pcaps")}, more...)
	if code := run(args, nil, &stdout, &stderr); code != exitFindings {
		t.Errorf("%s: exit status %d: %s", format, code, &stderr)
	}
	return stdout.String()
}

// What is said of every capture is as the schemas say.
func TestVerdictsFollowTheSchemas(t *testing.T) {
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(verdict.SchemaJSON))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("mem:///schema.json", schema); err != nil {
		t.Fatal(err)
	}
	text := judgedAs(t, "json")
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err == nil {
		err = c.MustCompile("mem:///schema.json").Validate(v)
	}
	if err != nil {
		t.Error(err)
	}
	if _, err := policy.ReadBaseline([]byte(text)); err != nil {
		t.Errorf("it is no baseline: %v", err)
	}
	log, err := sarif.FromString(judgedAs(t, "sarif"))
	if err == nil {
		err = log.Validate()
	}
	if err != nil {
		t.Error(err)
	}
	if n := len(log.Runs[0].Results); n < 50 {
		t.Errorf("only %d results", n)
	}
	d := xml.NewDecoder(strings.NewReader(judgedAs(t, "junit")))
	for err = nil; err == nil; {
		_, err = d.Token()
	}
	if err != io.EOF {
		t.Error(err)
	}
}

// A policy that was written from a capture passes on it, whichever it is.
func TestInitPassesOnEveryCapture(t *testing.T) {
	for _, f := range captureFiles(t) {
		if strings.Contains(f, "/damaged/") {
			continue // no policy is made of these
		}
		var stdout, stderr bytes.Buffer
		code := run([]string{"check", "--init", f}, nil, &stdout, &stderr)
		if strings.Contains(f, "no-tcp") || strings.Contains(f, "empty") {
			if said := stderr.String(); code != exitDamaged || stdout.Len() > 0 || strings.Count(said, "\n") != 1 || !strings.Contains(said, "nothing to make a policy of") {
				t.Errorf("%s: exit status %d: %s", f, code, said)
			}
			continue
		}
		if code != exitOK {
			t.Errorf("%s: exit status %d: %s", f, code, &stderr)
			continue
		}
		p, err := policy.Parse("--init", stdout.Bytes())
		if err != nil {
			t.Errorf("%s: %v", f, err)
			continue
		}
		file := filepath.Join(t.TempDir(), "init.yaml")
		if err := os.WriteFile(file, stdout.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
		var verdict bytes.Buffer
		if code := run([]string{"check", "--policy", file, f}, nil, &verdict, &stderr); code != exitOK {
			t.Errorf("%s: exit status %d\n%s%s", f, code, &verdict, &stderr)
		}
		if len(p.Assert) == 0 && !strings.Contains(f, "pcapng-sections") {
			t.Errorf("%s: it asserts nothing", f)
		}
	}
}
