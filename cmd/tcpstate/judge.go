package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"tcpstate/report"
	"tcpstate/report/detect"
)

// severities are the values of --min-severity, and with never those of
// --fail-on.
var severities = []string{"note", "warning", "error"}

// failNever is the value of --fail-on that judges nothing.
const failNever = "never"

// checkFindings reads what findings are looked for and which of them fail.
func checkFindings(f *flags, r *raw, fs *pflag.FlagSet) error {
	o := &f.report.Detect
	o.Values = detect.Values{}
	for _, s := range r.sets {
		if id, _, ok := strings.Cut(s, "."); ok && detect.Find(id) == nil {
			return fmt.Errorf("--set %q: %w", s, noFinding(id))
		}
		if err := o.Values.Set(s); err != nil {
			return fmt.Errorf("--set %w", err)
		}
	}
	if fs.Changed("disable") && len(r.disabled) == 0 {
		return fmt.Errorf("--disable: the value is empty")
	}
	o.Disabled = map[string]bool{}
	for _, id := range r.disabled {
		if detect.Find(id) == nil {
			return fmt.Errorf("--disable %s: %w", id, noFinding(id))
		}
		o.Disabled[id] = true
	}
	if o.Disabled[f.narrow] {
		return fmt.Errorf("--finding %s: it is disabled", f.narrow)
	}
	if err := o.Min.UnmarshalText([]byte(r.minSeverity)); err != nil {
		return fmt.Errorf("--min-severity %s: it is one of %s", r.minSeverity, strings.Join(severities, ", "))
	}
	if r.failOn != failNever {
		if err := f.failOn.UnmarshalText([]byte(r.failOn)); err != nil {
			return fmt.Errorf("--fail-on %s: it is one of %s, %s", r.failOn, strings.Join(severities, ", "), failNever)
		}
		f.report.Judge = true
	}
	o.OS = detect.OSes[r.osName]
	if fs.Changed("ports") {
		lo, hi, ok := portRange(r.ephemeral)
		if !ok {
			return fmt.Errorf("--ports %s: give it as 32768-60999", r.ephemeral)
		}
		o.OS.Ports, o.OS.Range = hi-lo+1, fmt.Sprintf("%d-%d", lo, hi)
	}
	o.TimeWait = int64(f.tracker.TimeWait)
	return nil
}

// portRange reads LO-HI.
func portRange(s string) (lo, hi int, ok bool) {
	a, b, _ := strings.Cut(s, "-")
	x, err := strconv.ParseUint(a, 10, 16)
	y, err2 := strconv.ParseUint(b, 10, 16)
	return int(x), int(y), err == nil && err2 == nil && 0 < x && x <= y
}

// noFinding says that there is no such id, and which one may be meant.
func noFinding(id string) error {
	if near := nearest(id); near != "" {
		return fmt.Errorf("there is no finding %q; is it %s? (\"tcpstate findings\" lists them)", id, near)
	}
	return fmt.Errorf("there is no finding %q; \"tcpstate findings\" lists them", id)
}

// nearest is the id of the catalogue that begins with the word, that the word is a
// part of, or that is the fewest letters away; "" if none is near.
func nearest(id string) string {
	id = strings.ToLower(strings.ReplaceAll(id, "_", "-"))
	best, found := 1+max(2, len(id)/3), ""
	for _, d := range detect.Catalogue {
		n := distance(id, d.ID)
		switch {
		case len(id) > 2 && strings.HasPrefix(d.ID, id):
			n = 0
		case len(id) > 2 && strings.Contains(d.ID, id):
			n = min(n, 1)
		}
		if n < best {
			best, found = n, d.ID
		}
	}
	return found
}

// distance is how many letters have to be changed, added or removed.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// fail is the exit status that --fail-on asks for. A finding counts whether or
// not an output shows it, so standard error says how many there are.
func (c *cli) fail(f *flags, r *report.Report) error {
	if !f.report.Judge {
		return nil
	}
	counts, hidden := r.Reaching(f.failOn)
	if counts.Sum() == 0 {
		return nil
	}
	text := fmt.Sprintf("--fail-on %s: %s", f.failOn, report.WorstFirst(counts))
	if hidden > 0 {
		text += fmt.Sprintf("; %d of them not shown (--min-severity %s)", hidden, f.report.Detect.Min)
	}
	c.complain("%s", text)
	return statusError{code: exitFindings}
}
