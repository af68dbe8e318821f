package policy

import (
	"fmt"
	"slices"
	"strings"

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
	lives   []*connection // of the piece at hand
	changes []*transition
	jobs    chan *job
	order   []*job // that are at work, the oldest first
	results []AssertionResult
	parts   [][]gathered // by assertion
	all     all          // where an expression needs all of it
	err     error
}

const (
	// pieceSize is how many connections or transitions make a piece.
	pieceSize = 512
	// failingMost is how many failing connections are named.
	failingMost = 20
)

// job is one piece, and what it comes to.
type job struct {
	piece
	done    chan struct{}
	matched []int // by assertion
	failed  []int
	failing [][]*connection
	parts   [][]any
	err     error
}

// NewRun begins one with n goroutines.
func (p *Policy) NewRun(t *Terms, n int) *Run {
	r := &Run{p: p, terms: t, jobs: make(chan *job, 2*n)}
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
	for range max(1, n) {
		go p.work(r.jobs)
	}
	return r
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
	x := new(connection)
	*x = connection(*c.Record())
	x.Findings = slices.Clone(c.Findings)
	if r.lives = append(r.lives, x); len(r.lives) == pieceSize {
		r.send()
	}
}

// Transition takes note of a transition.
func (r *Run) Transition(t *tracker.Transition) {
	x := new(transition)
	x.fill(t)
	if r.changes = append(r.changes, x); len(r.changes) == pieceSize {
		r.send()
	}
}

// send has a piece worked out.
func (r *Run) send() {
	if len(r.lives)+len(r.changes) == 0 {
		return
	}
	j := &job{piece: piece{r.lives, r.changes}, done: make(chan struct{})}
	r.lives, r.changes = nil, nil
	r.jobs <- j
	r.order = append(r.order, j)
	for len(r.order) > 0 {
		select {
		case <-r.order[0].done:
			r.gather(r.order[0])
			r.order = r.order[1:]
			continue
		default:
		}
		if len(r.order) <= 2*cap(r.jobs) {
			return
		}
		<-r.order[0].done
	}
}

// gather adds what a piece came to.
func (r *Run) gather(j *job) {
	if j.err != nil && r.err == nil {
		r.err = j.err
	}
	if j.err != nil {
		return
	}
	keep := [2]bool{}
	for i, a := range r.p.Assert {
		x := &r.results[i]
		x.Matched += j.matched[i]
		x.Failed += j.failed[i]
		for _, c := range j.failing[i] {
			if len(x.Failing) < failingMost {
				rec := report.Record(*c)
				x.Failing = append(x.Failing, Failing{Connection: &rec})
			}
		}
		for k, y := range a.program.parts {
			if y == nil {
				continue
			}
			if err := r.parts[i][k].add(y.kind, j.parts[i][k]); err != nil && r.err == nil {
				r.err = fmt.Errorf("assertion %q: %w", a.Name, err)
			}
		}
		keep[0] = keep[0] || a.program.connections
		keep[1] = keep[1] || a.program.transitions
	}
	if keep[0] {
		r.all.Connections = append(r.all.Connections, j.Connections...)
	}
	if keep[1] {
		r.all.Transitions = append(r.all.Transitions, j.Transitions...)
	}
}

// work works out pieces until there are no more.
func (p *Policy) work(jobs <-chan *job) {
	var m vm.VM
	for j := range jobs {
		j.matched, j.failed = make([]int, len(p.Assert)), make([]int, len(p.Assert))
		j.failing, j.parts = make([][]*connection, len(p.Assert)), make([][]any, len(p.Assert))
		for i, a := range p.Assert {
			if err := j.judge(&m, i, a); err != nil && j.err == nil {
				j.err = fmt.Errorf("assertion %q: %w", a.Name, err)
			}
		}
		close(j.done)
	}
}

func (j *job) judge(m *vm.VM, i int, a *Assertion) error {
	x := a.program
	j.parts[i] = make([]any, len(x.parts))
	for k, y := range x.parts {
		if y == nil {
			continue
		}
		v, err := m.Run(y.program, j.piece)
		if err != nil {
			return err
		}
		j.parts[i][k] = v
	}
	if a.Each != Connections {
		return nil
	}
	for _, c := range j.Connections {
		ok, held, err := x.holds(m, c)
		switch {
		case err != nil:
			return err
		case !ok:
			continue
		case !held:
			if j.failed[i]++; len(j.failing[i]) < failingMost {
				j.failing[i] = append(j.failing[i], c)
			}
		}
		j.matched[i]++
	}
	return nil
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
	for _, j := range r.order {
		<-j.done
		r.gather(j)
	}
	close(r.jobs)
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
			if x.Failed++; len(x.Failing) < failingMost {
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
