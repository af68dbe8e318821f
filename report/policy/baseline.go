package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"tcpstate/report"
	"tcpstate/report/detect"
	"tcpstate/report/verdict"
)

// Baseline is what an earlier run found.
type Baseline struct {
	files map[string]*Known // by the name of the capture without its folder; "" for any
}

// Known is what it has for one capture.
type Known struct {
	subjects map[string][]string // by id of finding, sorted
	failed   map[string]bool     // assertions
}

// ReadBaseline reads what -o json wrote: of tcpstate check, whose findings are known by
// capture, id and subject, or of the analysis of one capture, whose findings are known by
// id and subject.
func ReadBaseline(text []byte) (*Baseline, error) {
	var d struct {
		Schema   string `json:"schema"`
		Command  string `json:"command"`
		Findings *[]struct {
			ID      string `json:"id"`
			Subject string `json:"subject"`
		} `json:"findings"`
		Files []struct {
			Name   string `json:"name"`
			Checks []struct {
				Kind    string `json:"kind"`
				Name    string `json:"name"`
				Status  string `json:"status"`
				Results []struct {
					Subject string `json:"subject"`
					Change  string `json:"change"`
				} `json:"results"`
			} `json:"checks"`
		} `json:"files"`
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("it is not what -o json writes: %w", err)
	}
	b := &Baseline{files: map[string]*Known{}}
	switch d.Schema {
	case report.Schema:
		if d.Findings == nil {
			return nil, errors.New("it holds no findings: write it with -o json, and findings among what it shows")
		}
		k := b.file("")
		for _, f := range *d.Findings {
			k.add(f.ID, f.Subject)
		}
	case verdict.Schema:
		if d.Command != "check" {
			return nil, fmt.Errorf("it is what tcpstate %s wrote; tcpstate check is needed", d.Command)
		}
		for _, f := range d.Files {
			k := b.file(base(f.Name))
			for _, c := range f.Checks {
				if c.Kind == verdict.Asked.String() {
					k.failed[c.Name] = c.Status == verdict.Fail.String()
				}
				if c.Kind != verdict.Found.String() {
					continue
				}
				for _, r := range c.Results {
					if r.Change != verdict.Gone.String() {
						k.add(c.Name, r.Subject)
					}
				}
			}
		}
	default:
		return nil, fmt.Errorf("it is not what -o json writes: its schema is %q, not %s or %s", d.Schema, verdict.Schema, report.Schema)
	}
	for _, k := range b.files {
		for _, l := range k.subjects {
			slices.Sort(l)
		}
	}
	return b, nil
}

func (b *Baseline) file(name string) *Known {
	if b.files[name] == nil {
		b.files[name] = &Known{subjects: map[string][]string{}, failed: map[string]bool{}}
	}
	return b.files[name]
}

// Of returns what is known of a capture by its name; nothing, but never nil, if it has none.
func (b *Baseline) Of(name string) *Known {
	for _, n := range []string{base(name), ""} {
		if k := b.files[n]; k != nil {
			return k
		}
	}
	return &Known{}
}

// base is a file's name without its folder, as JSON shows it.
func base(name string) string {
	var shown string
	if b, err := report.Text(name).MarshalJSON(); err == nil && json.Unmarshal(b, &shown) == nil {
		name = shown
	}
	return path.Base(strings.ReplaceAll(name, `\`, "/"))
}

func (k *Known) add(id, subject string) {
	if !slices.Contains(k.subjects[id], subject) {
		k.subjects[id] = append(k.subjects[id], subject)
	}
}

// Has reports whether a finding was there.
func (k *Known) Has(f *detect.Finding) bool {
	_, ok := slices.BinarySearch(k.subjects[f.ID], f.Subject)
	return ok
}

// Subjects are those of one finding.
func (k *Known) Subjects(id string) []string { return k.subjects[id] }

// Failed reports whether an assertion failed then.
func (k *Known) Failed(name string) bool { return k.failed[name] }
