package policy

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"tcpstate/report"
	"tcpstate/report/detect"
	"tcpstate/report/verdict"
	"tcpstate/tracker"
)

// Default is the policy where none is given: findings fail from error on.
func Default() *Policy {
	return &Policy{FailOn: detect.Error, Disabled: map[string]bool{}, Values: detect.Values{}, file: &source{}}
}

// Name is the policy's file; "" of Default.
func (p *Policy) Name() string { return p.file.name }

// Rules are the assertions, for verdict.Run.
func (p *Policy) Rules() (l []verdict.Rule) {
	for _, a := range p.Assert {
		l = append(l, verdict.Rule{Name: a.Name, Expect: a.Expect, Line: a.Line})
	}
	return l
}

// Entries are the entries of allow that have an end: those that came to it fail.
func (p *Policy) Entries(today time.Time) (l []verdict.Check) {
	for _, a := range p.Allow {
		if a.Until.IsZero() {
			continue
		}
		c := verdict.Check{Kind: verdict.Allowed, Name: a.ID + ", " + a.Subject, Line: a.Line,
			Text: "accepted until " + a.Until.Format(time.DateOnly) + ": " + a.Reason}
		if a.Expired(today) {
			c.Status, c.Severity = verdict.Fail, detect.Error
			c.Text = "it was accepted until " + a.Until.Format(time.DateOnly) + " only: " + a.Reason
		}
		l = append(l, c)
	}
	return l
}

// Fails is from which severity on findings fail, as a word.
func (p *Policy) Fails(t *Terms) string {
	switch {
	case t.Set && t.Never, !t.Set && p.Never:
		return "never"
	case t.Set:
		return t.FailOn.String()
	}
	return p.FailOn.String()
}

// Checks puts the verdict into the words of package verdict: the assertions, then the
// findings that were looked for. What is below least and does not fail is left out.
func (v *Verdict) Checks(disabled map[string]bool, least detect.Severity) (l []verdict.Check) {
	for i := range v.Assertions {
		l = append(l, v.Assertions[i].check(v.Baseline))
	}
	for _, d := range detect.Catalogue {
		if disabled[d.ID] {
			continue
		}
		c := verdict.Check{Kind: verdict.Found, Name: d.ID, Severity: d.Default}
		for i := range v.Findings {
			f := &v.Findings[i]
			if f.ID == d.ID && (f.Fails || f.Severity >= least) {
				c.Results = append(c.Results, f.result(v.Baseline != nil))
			}
		}
		if v.Baseline != nil {
			for _, subject := range v.gone(d.ID) {
				c.Results = append(c.Results, verdict.Result{Severity: detect.Note, Subject: subject, Change: verdict.Gone})
			}
		}
		if len(c.Results) > 0 {
			slices.SortStableFunc(c.Results, func(a, b verdict.Result) int {
				if a, b := a.Status.Failed(), b.Status.Failed(); a != b {
					if a {
						return -1
					}
					return 1
				}
				return int(b.Severity) - int(a.Severity)
			})
			c.Settle()
		}
		l = append(l, c)
	}
	return l
}

// gone are the subjects that the baseline has for a finding and that are not there now.
func (v *Verdict) gone(id string) (l []string) {
	for _, subject := range v.Baseline.Subjects(id) {
		if !slices.ContainsFunc(v.Findings, func(f FindingResult) bool { return f.ID == id && f.Subject == subject }) {
			l = append(l, subject)
		}
	}
	return l
}

func (a *AssertionResult) check(old *Known) verdict.Check {
	c := verdict.Check{Kind: verdict.Asked, Name: a.Name, Severity: detect.Error, Text: a.Reason, Line: a.Line}
	if !a.Passed {
		c.Status = verdict.Fail
	}
	change := verdict.NoBaseline
	if old != nil && !a.Passed {
		change = verdict.New
		if old.Failed(a.Name) {
			change = verdict.Unchanged
		}
	}
	for _, f := range a.Failing {
		var r verdict.Result
		if f.Connection != nil {
			r = connectionResult(f.Connection)
		} else {
			r = findingResult(f.Finding)
		}
		r.Status, r.Severity, r.Change = verdict.Fail, detect.Error, change
		c.Results = append(c.Results, r)
	}
	c.More = a.Failed - len(a.Failing)
	if a.Each == Once {
		c.More = 0
	}
	return c
}

func (f *FindingResult) result(baseline bool) verdict.Result {
	r := findingResult(f.Finding)
	switch {
	case f.Fails:
		r.Status = verdict.Fail
	case f.Allowed != nil:
		r.Status, r.Reason = verdict.Accepted, f.Allowed.Reason
	case f.Known:
		r.Status = verdict.Known
	}
	switch {
	case f.Baseline:
		r.Change = verdict.Unchanged
	case baseline:
		r.Change = verdict.New
	}
	return r
}

// findingResult is what a finding says.
func findingResult(f *detect.Finding) verdict.Result {
	r := verdict.Result{Severity: f.Severity, Subject: f.Subject, Count: f.Count, Text: f.Explanation, Advice: f.Advice, Total: f.Evidence.Total}
	for i := range f.Evidence.Connections {
		c := &f.Evidence.Connections[i]
		name := connectionName(int(c.ID), int(c.Incarnation))
		for _, x := range c.Frames {
			r.Frames = append(r.Frames, verdict.Frame{Connection: name, Number: x.Frame, Text: x.Text})
		}
	}
	return r
}

func connectionName(id, incarnation int) string {
	if incarnation > 0 {
		return fmt.Sprintf("%d.%d", id, incarnation)
	}
	return fmt.Sprint(id)
}

// connectionResult is a connection that is not as expected: who, how it ended and in which
// states, and its first frame, the one that closed it and its last.
func connectionResult(c *report.Record) verdict.Result {
	name := connectionName(c.ID, c.Incarnation)
	text := fmt.Sprintf("%s %s → %s %s, %s", end(&c.Client), stateOf(&c.Client), end(&c.Server), stateOf(&c.Server), c.Close.Kind)
	if c.Close.By != "" {
		text += " by " + c.Close.By
	}
	if c.Close.Reset != "" && c.Close.Reset != c.Close.Kind {
		text += " (" + c.Close.Reset + ")"
	}
	text += ", " + report.ShowSeconds(c.Duration)
	if len(c.Findings) > 0 {
		text += "; " + strings.Join(c.Findings, ", ")
	}
	r := verdict.Result{Subject: "connection " + name, Text: text, Total: 1,
		Frames: []verdict.Frame{{Connection: name, Number: uint64(c.FirstFrame)}}}
	if f := c.Close.Frame; !math.IsNaN(f) && int(f) != c.FirstFrame && int(f) != c.LastFrame {
		r.Frames = append(r.Frames, verdict.Frame{Connection: name, Number: uint64(f)})
	}
	if c.LastFrame != c.FirstFrame {
		r.Frames = append(r.Frames, verdict.Frame{Connection: name, Number: uint64(c.LastFrame)})
	}
	return r
}

func end(e *report.EndRecord) string {
	if strings.Contains(e.Addr, ":") {
		return fmt.Sprintf("[%s]:%d", e.Addr, e.Port)
	}
	return fmt.Sprintf("%s:%d", e.Addr, e.Port)
}

// stateOf marks a state that is not confirmed, as tables do.
func stateOf(e *report.EndRecord) string {
	switch e.Certainty {
	case tracker.Presumed.String():
		return e.State + "?"
	case tracker.Elapsed.String():
		return e.State + "~"
	}
	return e.State
}
