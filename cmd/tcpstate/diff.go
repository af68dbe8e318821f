package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/pflag"

	"tcpstate/report"
	"tcpstate/report/compare"
	"tcpstate/report/verdict"
)

// commandDiff is the first word that asks for the difference of two captures. A file of
// that name is ./diff.
const commandDiff = "diff"

// isDiff reports whether the command line is "tcpstate diff ...".
func isDiff(f *flags, r *raw, fs *pflag.FlagSet) bool {
	return fs.NArg() > 0 && fs.Arg(0) == commandDiff && len(r.files) == 0 && f.iface == ""
}

// diffKnows are the flags that say something about a difference. Those that number the
// connections of one capture, or choose and order rows of its report, do not.
var diffKnows = []string{
	"filter", "filter-file", "host", "net", "port", "vlan", "count", "allow-truncated", "verify-checksums",
	"output", "where", "since", "until", "limit", "set", "disable", "min-severity", "fail-on", "ports",
	"os", "time-wait", "fin-timeout", "workers", "max-connections", "max-memory",
	"color", "progress", "quiet", "verbose", "numeric",
}

// checkDiff counts the words after "diff", and refuses flags that say nothing about it.
func checkDiff(f *flags, _ *raw, fs *pflag.FlagSet) error {
	var foreign string
	fs.Visit(func(x *pflag.Flag) {
		if foreign == "" && !slices.Contains(diffKnows, x.Name) {
			foreign = spelt(fs, x.Name)
		}
	})
	switch {
	case foreign != "":
		return fmt.Errorf("%s: not for tcpstate diff; a file called diff is ./diff", foreign)
	case len(f.words(fs)) != 2:
		return fmt.Errorf("diff: give two captures, OLD and NEW; a file called diff is ./diff")
	case f.progress == "always":
		return fmt.Errorf("--progress always: diff reads two captures at once and shows no bar")
	}
	return nil
}

// diff is "tcpstate diff": what is different between two captures.
func (c *cli) diff(f *flags) error {
	intr := watchSignals()
	defer intr.stop()
	outs, err := c.openDiff(f)
	if err != nil {
		return err
	}
	sides := c.diffSides(f, intr)
	code := exitOK
	for _, s := range sides {
		io.Copy(c.stderr, &s.stderr)
		code = graver(code, s.code)
	}
	if sides[0].side == nil || sides[1].side == nil || code == exitUsage {
		for i := range outs {
			outs[i].drop()
		}
		return statusError{code: code}
	}
	d := compare.Compare(sides[0].side, sides[1].side, compare.Options{Disabled: f.report.Detect.Disabled, Min: f.report.Detect.Min})
	terms := &compare.Terms{FailOn: f.failOn, Never: !f.report.Judge, OldBroken: sides[0].broken, NewBroken: sides[1].broken}
	var run *verdict.Run // has all evidence in words, so that it is made only where it is wanted
	for i := range outs {
		o := &outs[i].verdictOutput
		if write := diffWriter(o.format.Name, d); write != nil {
			o.format = &verdict.Format{Name: o.format.Name, Write: write}
		} else if run == nil {
			run = d.Run(terms, &f.report.Style)
		}
	}
	if err := c.writeVerdicts(f, outs, run); err != nil {
		return err
	}
	failed := c.failDiff(f, d)
	if code != exitOK {
		return statusError{code: code}
	}
	return failed
}

// openDiff opens the outputs, none of which may take the place of what is read.
func (c *cli) openDiff(f *flags) ([]openVerdict, error) {
	if err := clearOf(f, []target{{paths: f.paths}}); err != nil {
		return nil, err
	}
	return c.openVerdicts(f)
}

// diffWriter writes the outputs that the difference has of its own; nil for those that it
// shares with check.
func diffWriter(format string, d *compare.Result) func(io.Writer, *verdict.Run, *verdict.Options) error {
	switch format {
	case "table":
		return func(w io.Writer, _ *verdict.Run, o *verdict.Options) error { return d.WriteTable(w, &o.Style) }
	case "json":
		return func(w io.Writer, _ *verdict.Run, _ *verdict.Options) error { return d.WriteJSON(w) }
	}
	return nil
}

// failDiff is the exit status that --fail-on asks for, with what made it on standard error.
func (c *cli) failDiff(f *flags, d *compare.Result) error {
	if !f.report.Judge {
		return nil
	}
	worse, hidden := d.Reaching(f.failOn)
	var n report.Counts
	for s, x := range worse {
		n = append(n, report.Count{Name: severities[s], N: x})
	}
	if n.Sum() == 0 {
		return nil
	}
	text := fmt.Sprintf("--fail-on %s: %s appeared or grew", f.failOn, report.WorstFirst(n))
	if hidden > 0 {
		text += fmt.Sprintf("; %d of them not shown (--min-severity %s)", hidden, f.report.Detect.Min)
	}
	c.complain("%s", text)
	return statusError{code: exitFindings}
}
