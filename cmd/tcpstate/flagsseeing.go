package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"tcpstate/report"
)

// commandExplain and commandAt are first words that ask for ladders, and for the states at
// an instant. Files of these names are ./explain and ./at.
const (
	commandExplain = "explain"
	commandAt      = "at"
)

// seeingFlags are those of "tcpstate explain", "tcpstate at" and --show states.
type seeingFlags struct {
	explain bool // it is "tcpstate explain"
	full    bool // every segment on a line of its own
	plain   bool // the form that is read back
	all     bool // --limit does not bound what is drawn
	ladders []ladderOutput

	at      bool // it is "tcpstate at TIME"
	moment  report.Moment
	atEnd   bool // TIME is "end"
	style   string
	groupBy string

	grouping report.Grouping
	clocks   bool       // --time is given
	outputs  []atOutput // of at

	step time.Duration // between points of a series; 0: chosen by the capture's length
}

func defineSeeing(fs *pflag.FlagSet, f *flags) {
	x := &f.seeing
	fs.BoolVar(&x.full, "full", false, "")
	fs.BoolVar(&x.plain, "plain", false, "")
	fs.StringVar(&x.style, "style", "table", "")
	fs.StringVar(&x.groupBy, "group-by", "", "")
	fs.DurationVar(&x.step, "step", 0, "")
}

// isSeeing finds out whether the command line is "tcpstate explain ..." or "tcpstate at ...".
func (x *seeingFlags) isSeeing(f *flags, fs *pflag.FlagSet) {
	if fs.NArg() == 0 {
		return
	}
	if x.explain = fs.Arg(0) == commandExplain; f.iface != "" {
		return
	}
	x.at = fs.Arg(0) == commandAt
}

// checkSeeing reads what only explain, at and --show states know, and refuses what they do not.
func checkSeeing(f *flags, r *raw, fs *pflag.FlagSet) error {
	x := &f.seeing
	only := func(ok bool, what string, names ...string) error {
		for _, n := range names {
			if fs.Changed(n) && !ok {
				return fmt.Errorf("--%s: for %s", n, what)
			}
		}
		return nil
	}
	if err := only(x.explain, "tcpstate explain", "full", "plain"); err != nil {
		return err
	}
	if err := only(x.at, "tcpstate at", "style", "group-by"); err != nil {
		return err
	}
	switch {
	case fs.Changed("step") && (x.explain || x.at || f.check.on):
		return errStep
	case fs.Changed("step") && x.step <= 0:
		return fmt.Errorf("--step %s: a time above 0", x.step)
	}
	f.report.Step = x.step
	switch {
	case x.explain:
		return checkExplain(f, r, fs)
	case x.at:
		return checkAt(f, r, fs)
	}
	return nil
}

// errStep: there is no output whose time has steps.
var errStep = errors.New("--step: for --show states")

// sayStep says where --step could not be had, which an output need not have room for.
func (c *cli) sayStep(r *report.Report) {
	if s := r.Series(); s != nil && s.Asked != 0 {
		c.complain("--step %s would take more than %d steps: they are %s long", s.Asked, report.SeriesMost, s.Step)
	}
}
