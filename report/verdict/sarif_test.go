package verdict

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"tcpstate/report/detect"
)

// SARIF is valid against the schema of 2.1.0, which that library carries.
func TestSARIFIsValid(t *testing.T) {
	for _, r := range []*Run{hostileRun(), {Command: "diff", FailOn: "never"}} {
		text := written(t, "sarif", r, nil)
		log, err := sarif.FromString(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := log.Validate(); err != nil {
			t.Error(err)
		}
		// What the library does not know it drops: so it is looked at as it was written.
		if err := validateSARIF(t, text); err != nil {
			t.Error(err)
		}
	}
}

// validateSARIF holds the text itself against the rules of the specification that its
// schema cannot say.
func validateSARIF(t *testing.T, text string) error {
	t.Helper()
	var log sarifLog
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&log); err != nil {
		return err
	}
	run := log.Runs[0]
	ids := map[string]bool{}
	for _, rule := range run.Tool.Driver.Rules {
		if ids[rule.ID] {
			t.Errorf("two rules %s", rule.ID)
		}
		ids[rule.ID] = true
		if rule.Short.Text == "" || rule.Full.Text == "" || rule.Name == "" {
			t.Errorf("rule %s has no text", rule.ID)
		}
	}
	for _, res := range run.Results {
		if run.Tool.Driver.Rules[res.RuleIndex].ID != res.RuleID {
			t.Errorf("rule %d is not %s", res.RuleIndex, res.RuleID)
		}
		for _, l := range res.Locations {
			if at := l.Physical.Artifact; run.Artifacts[*at.Index].Location.URI != at.URI {
				t.Errorf("artifact %d is not %s", *at.Index, at.URI)
			} else if _, err := url.Parse(at.URI); err != nil {
				t.Error(err)
			}
		}
		if res.Message.Text == "" || res.Fingerprints[fingerprint] == "" {
			t.Errorf("%s: no message, or no fingerprint", res.RuleID)
		}
	}
	return nil
}

func sarifOf(t *testing.T, r *Run) sarifRun {
	t.Helper()
	var log sarifLog
	if err := json.Unmarshal([]byte(written(t, "sarif", r, nil)), &log); err != nil {
		t.Fatal(err)
	}
	return log.Runs[0]
}

// The rules are the catalogue's findings and the policy's assertions.
func TestSARIFRules(t *testing.T) {
	rules := sarifOf(t, hostileRun()).Tool.Driver.Rules
	for _, d := range detect.Catalogue {
		i := slices.IndexFunc(rules, func(r sarifRule) bool { return r.ID == d.ID })
		if i < 0 || rules[i].Default.Level != d.Default.String() || rules[i].Help == nil || rules[i].Help.Markdown == "" {
			t.Errorf("no rule %s, or it lacks something", d.ID)
		}
	}
	if !slices.ContainsFunc(rules, func(r sarifRule) bool { return r.ID == "policy/assert/quick" && r.Full.Text == "true" }) {
		t.Error("no rule for the assertion")
	}
}

// Each result has its level, its place beside the baseline, and why it does not count.
func TestSARIFResults(t *testing.T) {
	run := sarifOf(t, hostileRun())
	var lines []string
	for _, res := range run.Results {
		s := ""
		if res.Suppressions != nil {
			s = " " + res.Suppressions[0].Status
		}
		id, _, _ := strings.Cut(res.RuleID, "x\\x1b")
		lines = append(lines, id+" "+res.Level+" "+res.Baseline+s)
	}
	want := `policy/allow error new
policy/assert/ error new
refused error new
refused warning new accepted
refused note unchanged accepted
refused note absent
half-open warning new accepted
stale-syn note unchanged accepted
odd-flags warning `
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if i := run.Invocations[0]; i.Successful || i.ExitCode != 3 || len(i.Notifications) != 2 {
		t.Errorf("%+v", i)
	}
}

// A fingerprint is the same when frames move, when the file moves, and when other things
// are found; it differs by file, rule and subject.
func TestSARIFFingerprints(t *testing.T) {
	of := func(file, id, subject string, frame uint64) string {
		c := Check{Kind: Found, Name: id, Results: []Result{{Subject: "other"}, {Subject: subject, Frames: []Frame{{"1", frame, "t"}}}}}
		run := sarifOf(t, &Run{Files: []File{{Name: file, Checks: []Check{c}}}})
		return run.Results[1].Fingerprints[fingerprint]
	}
	a := of("a/x.pcap", "refused", "s", 1)
	if b := of("b/x.pcap", "refused", "s", 77); a != b {
		t.Errorf("%s, then %s", a, b)
	}
	seen := map[string]bool{a: true}
	for _, b := range []string{of("a/y.pcap", "refused", "s", 1), of("a/x.pcap", "half-open", "s", 1), of("a/x.pcap", "refused", "t", 1)} {
		if seen[b] {
			t.Error("two have the same fingerprint")
		}
		seen[b] = true
	}
}

func TestFileURI(t *testing.T) {
	for name, want := range map[string]string{
		"a/b.pcap": "a/b.pcap", "a b%.pcap": "a%20b%25.pcap", "c:d.pcap": "./c:d.pcap", "../x?.pcap": "../x%3F.pcap", "-": "stdin", "/tmp/x.pcap": "file:///tmp/x.pcap",
	} {
		if got := fileURI(name); got != want {
			t.Errorf("%s: %s, not %s", name, got, want)
		}
	}
}
