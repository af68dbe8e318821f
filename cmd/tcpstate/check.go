package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"tcpstate/report"
	"tcpstate/report/policy"
	"tcpstate/report/verdict"
)

// check is "tcpstate check": it judges each capture by a policy.
func (c *cli) check(f *flags) error {
	intr := watchSignals()
	defer intr.stop()
	p, err := c.loadPolicy(f)
	if err != nil {
		return err
	}
	files := gather(f.paths)
	if f.check.merge {
		files = joinAll(files)
	}
	if f.check.init {
		return c.initPolicy(f, files, intr)
	}
	old, err := readBaseline(f)
	if err != nil {
		return err
	}
	if err := clearOf(f, files); err != nil {
		return err
	}
	outs, err := c.openVerdicts(f)
	if err != nil {
		return err
	}
	j := &court{cli: c, flags: f, policy: p, intr: intr, baseline: old}
	run := &verdict.Run{Command: commandCheck, Policy: p.Name(), FailOn: p.Fails(j.terms("")), Rules: p.Rules(),
		Checks: p.Entries(f.check.today), Baseline: old != nil}
	code := j.all(files, run)
	if err := c.writeVerdicts(f, outs, run); err != nil {
		return err
	}
	if f.check.update {
		switch {
		case code != exitOK:
			c.complain("%s is left as it is: not all could be judged", f.check.baseline)
		default:
			if err := writeBaseline(f.check.baseline, run, f); err != nil {
				return statusError{exitUsage, fmt.Errorf("cannot write: %w", err)}
			}
		}
	}
	switch {
	case code != exitOK:
		return statusError{code: code}
	case run.Failed():
		return statusError{code: exitFindings}
	}
	return nil
}

// loadPolicy reads --policy, and puts on top of it what flags say.
func (c *cli) loadPolicy(f *flags) (*policy.Policy, error) {
	p := policy.Default()
	if f.check.policy != "" && !f.check.init {
		text, err := readText(f.check.policy)
		if err != nil {
			return nil, usageError(fmt.Errorf("--policy: %w", err))
		}
		if p, err = policy.Parse(f.check.policy, text); err != nil {
			return nil, statusError{exitUsage, err}
		}
	}
	o := &f.report.Detect
	for id := range p.Disabled {
		o.Disabled[id] = true
	}
	for name, v := range p.Values {
		if _, given := o.Values[name]; !given {
			o.Values[name] = v
		}
	}
	return p, nil
}

// readBaseline reads --baseline; nil without one. That which is to be made need not be
// there yet.
func readBaseline(f *flags) (*policy.Baseline, error) {
	if f.check.baseline == "" {
		return nil, nil
	}
	text, err := readText(f.check.baseline)
	if errors.Is(err, os.ErrNotExist) && f.check.update {
		return nil, nil
	}
	if err != nil {
		return nil, usageError(fmt.Errorf("--baseline: %w", err))
	}
	b, err := policy.ReadBaseline(text)
	if err != nil {
		return nil, statusError{exitUsage, fmt.Errorf("--baseline %s: %w", f.check.baseline, err)}
	}
	return b, nil
}

// writeBaseline is --update-baseline.
func writeBaseline(name string, run *verdict.Run, f *flags) error {
	o, err := createOutput(name)
	if err != nil {
		return err
	}
	if err := verdict.FindFormat("json").Write(o, run, f.verdictOptions()); err != nil {
		o.discard()
		return err
	}
	return o.commit()
}

// court is one run of check.
type court struct {
	*cli
	flags    *flags
	policy   *policy.Policy
	intr     *interrupts
	baseline *policy.Baseline
}

// terms are those of one capture.
func (j *court) terms(name string) *policy.Terms {
	t := &policy.Terms{Today: j.flags.check.today, FailOn: j.flags.failOn, Never: !j.flags.report.Judge, Set: j.flags.check.failOn,
		Update: j.flags.check.update, Failing: max(j.flags.report.Limit, failingNamed)}
	if j.baseline != nil {
		t.Known = j.baseline.Of(name)
	}
	return t
}

// failingNamed is how many connections that are not as expected JSON names at least.
const failingNamed = 20

// judged is what became of one capture.
type judged struct {
	file   verdict.File
	stderr bytes.Buffer
	code   int // exitOK, exitUsage, exitDamaged or exitInterrupted
}

// all judges the captures, several at a time, and adds them to the run in order. It
// returns what the exit status is, apart from what failed.
func (j *court) all(files []target, run *verdict.Run) (code int) {
	at := min(len(files), j.flags.workers)
	done := make([]chan *judged, len(files))
	for i := range done {
		done[i] = make(chan *judged, 1)
	}
	next := make(chan int, len(files))
	for i := range files {
		next <- i
	}
	close(next)
	defer sparing(j.flags.tracker.MaxMemory, 0)()
	for k := range at {
		f := *j.flags
		f.workers = j.flags.workers / at
		if k < j.flags.workers%at {
			f.workers++
		}
		f.tracker.MaxMemory /= int64(at)
		go func() {
			for i := range next {
				done[i] <- j.one(f, &files[i], len(files) == 1)
			}
		}()
	}
	for i := range done {
		x := <-done[i]
		io.Copy(j.stderr, &x.stderr)
		run.Files = append(run.Files, x.file)
		code = graver(code, x.code)
	}
	return code
}

// graver is which of two exit statuses wins.
func graver(a, b int) int {
	for _, x := range []int{exitUsage, exitInterrupted, exitDamaged} {
		if a == x || b == x {
			return x
		}
	}
	return exitOK
}

// one judges a capture. f is its own.
func (j *court) one(f flags, t *target, alone bool) *judged {
	x := &judged{file: verdict.File{Name: t.name, Facts: verdict.Facts{}}}
	if len(t.paths) > 1 {
		x.file.Names = t.paths
	}
	// What it complains of comes out in the order of the captures.
	own := &cli{stdin: j.stdin, stdout: j.stdout, stderr: &x.stderr, env: j.env, words: j.words}
	if alone {
		own.stderr = j.stderr
	} else {
		f.progress = whens[2]
	}
	input := verdict.Check{Kind: verdict.Input, Name: verdict.Input.String()}
	final, v, err := j.analyse(own, &f, t, &input)
	if err != nil {
		var s statusError
		if !errors.As(err, &s) {
			s = statusError{exitUsage, err}
		}
		x.code = s.code
		input.Broken(s.err)
		if s.err != nil {
			own.complain("%s", s.err)
		}
	}
	x.file.Checks = append(x.file.Checks, input)
	if final != nil {
		s := final.Summary
		x.file.Facts = verdict.Facts{Packets: s.Packets, Segments: s.Segments, Connections: s.Connections, Span: s.Quality.Span}
		if s.Quality.Start != nil {
			x.file.Facts.Start = time.Time(*s.Quality.Start)
		}
	}
	if v != nil {
		x.file.Checks = append(x.file.Checks, v.Checks(f.report.Detect.Disabled, f.check.least)...)
	}
	return x
}

// analyse reads a capture to its end and has the policy judge it. input takes what was
// wrong with the file.
func (j *court) analyse(c *cli, f *flags, t *target, input *verdict.Check) (final *report.Final, v *policy.Verdict, err error) {
	if t.err != nil {
		return nil, nil, statusError{exitDamaged, t.err}
	}
	intr, leave := j.intr.share()
	defer leave()
	f.paths = t.paths
	if f.check.where != "" { // it cannot be shared
		if f.report.Where, err = report.ParseWhere(f.check.where); err != nil {
			return nil, nil, err
		}
	}
	src, err := c.openSource(f, intr, nil)
	if err != nil {
		return nil, nil, err
	}
	var wrong error
	run := j.policy.NewRun(j.terms(t.name), f.workers)
	defer run.Stop()
	format := run.Format(func(x *report.Final, y *policy.Verdict, err error) { final, v, wrong = x, y, err })
	opts := f.report
	opts.Outputs, opts.Zone = []report.Output{{Format: format, Parts: format.Parts, W: io.Discard}}, time.Local
	last, err := c.follow(f, src, report.New(opts), intr, nil)
	if err = quiet(err); err != nil {
		return final, v, err
	}
	select {
	case <-intr.ended: // standard input may have ended before the loop was told
		last.interrupted = true
	default:
	}
	if wrong != nil {
		return final, nil, statusError{exitUsage, fmt.Errorf("%s: %w", j.policy.Name(), wrong)}
	}
	for i := range last.stats.Damage {
		d := &last.stats.Damage[i]
		if last.interrupted && d.Cut {
			continue // we cut it ourselves
		}
		input.Note(damageText(d), !(d.Cut && f.truncated))
	}
	last.name = t.name
	return final, v, c.verdict(f, last)
}

// share is the interrupt for one of several that are to be told of it.
func (i *interrupts) share() (own *interrupts, leave func()) {
	own = &interrupts{c: make(chan struct{}, 1), ended: i.ended}
	over := make(chan struct{})
	go func() {
		select {
		case <-i.ended:
			own.c <- struct{}{}
		case <-over:
		}
	}()
	return own, func() { close(over) }
}
