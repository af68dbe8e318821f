package policy

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/expr-lang/expr/vm"

	"tcpstate/report"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// Run puts a capture to the test. It is told of connections and transitions as they come and
// of the rest at the end; pieces of them are worked out by several goroutines at the same time, and
// what they come to is put together in order, so that it does not depend on how many these are.
type Run struct {
	p       *Policy
	terms   *Terms
	job     *job // takes what comes; nil if none is at hand
	jobs    chan *job
	free    []*job
	order   []*job // that are at work, the oldest first
	results []AssertionResult
	named   []atomic.Bool // by assertion: enough of those that fail are named
	parts   [][]gathered  // by assertion
	all     all           // where an expression needs all of it
	err     error
	over    bool
}

// failingMost is how many failing connections are named, where Terms do not say.
const failingMost = 20

// NewRun begins one with n goroutines.
func (p *Policy) NewRun(t *Terms, n int) *Run {
	n = max(1, n)
	r := &Run{p: p, terms: t, jobs: make(chan *job, 2*n), named: make([]atomic.Bool, len(p.Assert))}
	for _, a := range p.Assert {
		r.results = append(r.results, AssertionResult{Assertion: a})
		g := make([]gathered, len(a.program.parts))
		for i, x := range a.program.parts {
			if x != nil {
				g[i].begin(x.kind)
			}
		}
		r.parts = append(r.parts, g)
	}
	for range n {
		go r.work()
	}
	return r
}

func (r *Run) failing() int {
	if r.terms.Failing == 0 {
		return failingMost
	}
	return r.terms.Failing
}

// Needs says what of a capture the policy asks for: connections at all, those with the
// findings that they are part of, which are known at the end, and transitions.
func (p *Policy) Needs() (connections, withFindings, transitions bool) {
	for _, a := range p.Assert {
		x := a.program
		connections = connections || a.Each == Connections || x.connections || slices.ContainsFunc(x.parts, func(y *part) bool { return y != nil && y.over == "connections" })
		withFindings = withFindings || x.byFinding
		transitions = transitions || x.changes
	}
	return
}

// Connection takes note of a connection.
func (r *Run) Connection(c *report.Conn) {
	j := r.at()
	j.lives = append(j.lives, *c.Life)
	var ids []string
	if len(c.Findings) > 0 {
		ids = slices.Clone(c.Findings)
	}
	if j.ids = append(j.ids, ids); len(j.lives) == pieceSize {
		r.send()
	}
}

// Transition takes note of a transition.
func (r *Run) Transition(t *tracker.Transition) {
	j := r.at()
	if j.changes = append(j.changes, *t); len(j.changes) == pieceSize {
		r.send()
	}
}

// at is the job that takes what comes.
func (r *Run) at() *job {
	if r.job == nil {
		if n := len(r.free); n > 0 {
			r.job, r.free = r.free[n-1], r.free[:n-1]
		} else {
			r.job = r.p.newJob()
		}
	}
	return r.job
}

// send has a piece worked out, and gathers what others came to.
func (r *Run) send() {
	if r.job == nil {
		return
	}
	r.jobs <- r.job
	r.order = append(r.order, r.job)
	r.job = nil
	for len(r.order) > 0 {
		select {
		case <-r.order[0].done:
		default:
			if len(r.order) <= 2*cap(r.jobs) {
				return
			}
			<-r.order[0].done
		}
		r.next()
	}
}

// next gathers what the oldest job came to, which is done.
func (r *Run) next() {
	j := r.order[0]
	r.order = slices.Delete(r.order, 0, 1)
	r.gather(j)
	j.reset()
	r.free = append(r.free, j)
}

// gather adds what a piece came to.
func (r *Run) gather(j *job) {
	if j.err != nil {
		if r.err == nil {
			r.err = j.err
		}
		return
	}
	keepLives, keepChanges := false, false
	for i, a := range r.p.Assert {
		x := &r.results[i]
		x.Matched += j.matched[i]
		x.Failed += j.failed[i]
		for _, c := range j.failing[i] {
			if len(x.Failing) < r.failing() {
				x.Failing = append(x.Failing, Failing{Connection: c})
			}
		}
		r.named[i].Store(len(x.Failing) == r.failing())
		for k, y := range a.program.parts {
			switch {
			case y == nil:
			case y.fast():
				r.parts[i][k].tally(y.kind, &j.tallies[i][k])
			default:
				if err := r.parts[i][k].add(y.kind, j.values[i][k]); err != nil && r.err == nil {
					r.err = fmt.Errorf("assertion %q: %w", a.Name, err)
				}
			}
		}
		keepLives = keepLives || a.program.connections
		keepChanges = keepChanges || a.program.transitions
	}
	if keepLives {
		r.all.Connections = append(r.all.Connections, j.Connections...)
	}
	if keepChanges {
		r.all.Transitions = append(r.all.Transitions, j.Transitions...)
	}
}

// holds reports whether one is meant, and if so, whether it is as expected.
func (x *program) holds(m *vm.VM, env any) (meant, held bool, err error) {
	if x.where != nil {
		v, err := m.Run(x.where, env)
		if err != nil {
			return false, false, err
		}
		if ok, _ := v.(bool); !ok {
			return false, false, nil
		}
	}
	v, err := m.Run(x.expect, env)
	if err != nil {
		return false, false, err
	}
	held, _ = v.(bool)
	return true, held, nil
}

// End judges the rest, and returns the verdict. The error is one of an expression that met
// what it cannot work with.
func (r *Run) End(f *report.Final) (*Verdict, error) {
	r.send()
	for len(r.order) > 0 {
		<-r.order[0].done
		r.next()
	}
	r.Stop()
	r.all.Capture = new(whole)
	r.all.Capture.fill(f)
	r.all.Summary = r.all.Capture
	for i := range f.Findings {
		x := new(finding)
		x.fill(&f.Findings[i])
		r.all.Findings = append(r.all.Findings, x)
	}
	v := &Verdict{Policy: r.p.file.name}
	var m vm.VM
	for i, a := range r.p.Assert {
		x := &r.results[i]
		var err error
		switch a.Each {
		case Findings:
			err = r.eachFinding(&m, x, f.Findings)
		case Once:
			err = r.once(&m, x, r.parts[i])
		}
		if err != nil && r.err == nil {
			r.err = fmt.Errorf("assertion %q: %w", a.Name, err)
		}
		x.conclude()
	}
	if r.err != nil {
		return nil, r.err
	}
	v.Assertions = r.results
	r.p.judge(v, f.Findings, r.terms)
	return v, nil
}

func (r *Run) eachFinding(m *vm.VM, x *AssertionResult, found []detect.Finding) error {
	for i, f := range r.all.Findings {
		ok, held, err := x.program.holds(m, f)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if x.Matched++; !held {
			if x.Failed++; len(x.Failing) < r.failing() {
				x.Failing = append(x.Failing, Failing{Finding: found[i].Worded()})
			}
		}
	}
	return nil
}

func (r *Run) once(m *vm.VM, x *AssertionResult, parts []gathered) error {
	env := cut{r.all, make([]any, len(parts))}
	for i, y := range x.program.parts {
		if y != nil {
			env.Parts[i] = parts[i].value(y)
		}
	}
	v, err := m.Run(x.program.whole, env)
	if err != nil {
		return err
	}
	x.Matched = 1
	if held, _ := v.(bool); !held {
		x.Failed = 1
	}
	return nil
}

// Stop ends a run that nobody asks for its verdict.
func (r *Run) Stop() {
	if !r.over {
		r.over = true
		close(r.jobs)
	}
}

// conclude says whether it passed, and why not.
func (x *AssertionResult) conclude() {
	of := "connection"
	if x.Each == Findings {
		of = "finding"
	}
	plural := func(n int) string {
		if n == 1 {
			return "1 " + of
		}
		return fmt.Sprintf("%d %ss", n, of)
	}
	switch {
	case x.Each == Once && x.Failed > 0:
		x.Reason = "it does not hold: " + oneLine(x.Expect)
	case x.Failed > 0:
		x.Reason = fmt.Sprintf("%d of %s not as expected: %s", x.Failed, plural(x.Matched), oneLine(x.Expect))
	case x.Each != Once && x.Matched < x.AtLeast && x.Matched == 0:
		x.Reason = strings.TrimSuffix(fmt.Sprintf("no %s matched: %s", of, oneLine(x.Where)), ": ")
	case x.Each != Once && x.Matched < x.AtLeast:
		x.Reason = fmt.Sprintf("%s matched, and at_least is %d", plural(x.Matched), x.AtLeast)
	}
	x.Passed = x.Reason == ""
}

// oneLine is an expression that may have been written in several.
func oneLine(expr string) string { return strings.Join(strings.Fields(expr), " ") }
