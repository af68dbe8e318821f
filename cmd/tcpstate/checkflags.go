package main

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"tcpstate/report/detect"
)

// commandCheck is the first word that asks for a verdict. A file of that name is ./check.
const commandCheck = "check"

// checkFlags are those of "tcpstate check".
type checkFlags struct {
	on       bool // it is "tcpstate check"
	policy   string
	init     bool
	merge    bool
	baseline string
	update   bool
	today    time.Time // 00:00 UTC
	failOn   bool      // --fail-on is given, and wins over the policy's
	where    string
	least    detect.Severity // --min-severity: what is shown of findings that do not fail
}

// checkOnly are the flags that say nothing elsewhere.
var checkOnly = []string{"policy", "init", "merge", "baseline", "update-baseline", "today"}

func defineCheck(fs *pflag.FlagSet, f *flags, r *raw) {
	fs.StringVar(&f.check.policy, "policy", "", "")
	fs.BoolVar(&f.check.init, "init", false, "")
	fs.BoolVar(&f.check.merge, "merge", false, "")
	fs.StringVar(&f.check.baseline, "baseline", "", "")
	fs.BoolVar(&f.check.update, "update-baseline", false, "")
	fs.StringVar(&r.today, "today", "", "")
}

// isCheck reports whether the command line is "tcpstate check ...".
func isCheck(f *flags, fs *pflag.FlagSet) bool {
	return fs.NArg() > 0 && fs.Arg(0) == commandCheck && f.iface == ""
}

// words are the arguments that are no flags, without the command's name.
func (f *flags) words(fs *pflag.FlagSet) []string {
	switch {
	case f.seeing.at:
		return fs.Args()[min(2, fs.NArg()):] // TIME is a word of the command
	case f.check.on || f.diff || f.seeing.explain:
		return fs.Args()[1:]
	}
	return fs.Args()
}

// checkCheck reads what only check knows, and refuses what it does not.
func checkCheck(f *flags, r *raw, fs *pflag.FlagSet) error {
	x := &f.check
	if !x.on {
		for _, n := range checkOnly {
			if fs.Changed(n) {
				return fmt.Errorf("--%s: for tcpstate check", n)
			}
		}
		return nil
	}
	for _, n := range []string{"show", "sort", "write"} {
		if fs.Changed(n) {
			return fmt.Errorf("%s: not for tcpstate check; a file called check is ./check", spelt(fs, n))
		}
	}
	for _, n := range []string{"policy", "baseline", "today"} {
		if fs.Changed(n) && fs.Lookup(n).Value.String() == "" {
			return fmt.Errorf("--%s: the value is empty", n)
		}
	}
	switch {
	case x.update && x.baseline == "":
		return fmt.Errorf("--update-baseline: --baseline says which file")
	case x.init && fs.Changed("output"):
		return fmt.Errorf("--init writes a policy; -o says how a verdict looks")
	case x.init && x.baseline != "":
		return fmt.Errorf("--init and --baseline cannot be used together")
	}
	x.today = time.Now().UTC().Truncate(24 * time.Hour)
	if fs.Changed("today") {
		day, err := time.Parse(time.DateOnly, r.today)
		if err != nil {
			return fmt.Errorf("--today %s: give it as 2027-01-31", r.today)
		}
		x.today = day
	}
	x.failOn, x.where = fs.Changed("fail-on"), r.where
	// What is not shown counts all the same, in expressions too.
	x.least, f.report.Detect.Min = f.report.Detect.Min, detect.Note
	return nil
}
