package policy

import (
	"time"

	"tcpstate/report"
	"tcpstate/report/detect"
)

// Verdict is what a capture comes to under a policy.
type Verdict struct {
	Policy     string
	FailOn     detect.Severity
	Never      bool // findings do not fail
	Assertions []AssertionResult
	Findings   []FindingResult // most severe first
	Baseline   *Known          // of this capture; nil without one
}

// AssertionResult is what became of one assertion.
type AssertionResult struct {
	*Assertion
	Passed  bool
	Reason  string // why it failed, in one line; "" if it did not
	Matched int    // connections or findings that Where chose
	Failed  int    // of these, those that Expect does not hold of
	// Failing are the first of these, in order.
	Failing []Failing
}

// Failing is a connection or a finding that is not as expected.
type Failing struct {
	Connection *report.Record
	Finding    *detect.Finding
}

// FindingResult is what becomes of one finding.
type FindingResult struct {
	*detect.Finding
	Fails    bool
	Allowed  *Allow // who accepts it, or nil
	Baseline bool   // it was there before
	Known    bool   // or is taken for known from now on
}

// Terms say how findings are judged, beside the policy itself.
type Terms struct {
	Today  time.Time       // 00:00 UTC
	FailOn detect.Severity // where Set
	Never  bool
	Set    bool // in place of the policy's
	// Known is what the baseline has for the capture; nil without one. With Update, what
	// is found now is known, too.
	Known  *Known
	Update bool
	// Failing is how many connections that are not as expected are named of each
	// assertion.
	Failing int
}

// judge says what becomes of the findings.
func (p *Policy) judge(v *Verdict, found []detect.Finding, t *Terms) {
	v.Baseline = t.Known
	v.FailOn, v.Never = p.FailOn, p.Never
	if t.Set {
		v.FailOn, v.Never = t.FailOn, t.Never
	}
	for i := range found {
		f := found[i].Worded()
		r := FindingResult{Finding: f}
		for _, a := range p.Allow {
			if r.Allowed == nil && a.Matches(f) && !a.Expired(t.Today) {
				r.Allowed = a
			}
		}
		r.Baseline = t.Known != nil && t.Known.Has(f)
		r.Known = r.Baseline || t.Update
		r.Fails = !v.Never && f.Severity >= v.FailOn && r.Allowed == nil && !r.Known
		v.Findings = append(v.Findings, r)
	}
}
