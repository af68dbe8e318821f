package verdict

import (
	"fmt"
	"slices"
	"strings"

	"tcpstate/report"
)

// Text that several outputs share. None of it is escaped yet.

// line is a result in one line, without its frames: "server 10.0.0.9:9100 ×20: ...".
func (x *Result) line() string {
	s := x.Subject
	if x.Count > 1 {
		s += " ×" + report.ShowCount(uint64(x.Count))
	}
	if x.Text != "" {
		s += ": " + x.Text
	}
	return s
}

// frames names the frames of the first connections: frames 1, 2 (connection 0);
// 3, 4 (connection 1); 18 connections more. "" if there are none.
func (x *Result) frames(most int) string {
	type group struct {
		connection string
		numbers    []string
	}
	var l []group
	for i := range x.Frames {
		f := &x.Frames[i]
		if n := len(l); n == 0 || l[n-1].connection != f.Connection {
			if n == most {
				break
			}
			l = append(l, group{connection: f.Connection})
		}
		g := &l[len(l)-1]
		if n := fmt.Sprint(f.Number); !slices.Contains(g.numbers, n) {
			g.numbers = append(g.numbers, n)
		}
	}
	if l == nil {
		return ""
	}
	var parts []string
	for _, g := range l {
		p := strings.Join(g.numbers, ", ")
		if g.connection != "" && x.Subject != "connection "+g.connection {
			p += " (connection " + g.connection + ")"
		}
		parts = append(parts, p)
	}
	if n := x.Total - len(l); n > 0 {
		parts = append(parts, report.ShowPlural(uint64(n), "connection")+" more")
	}
	return "frames " + strings.Join(parts, "; ")
}

// standing is what is to be said of why a result does not fail, or is new; "" if
// nothing is.
func (x *Result) standing() string {
	var l []string
	switch x.Status {
	case Accepted:
		l = append(l, "accepted")
	case Known:
		l = append(l, "in the baseline")
	}
	switch x.Change {
	case New, Updated, Gone:
		l = append(l, [...]string{New: "new", Updated: "changed", Gone: "gone"}[x.Change])
	}
	s := strings.Join(l, ", ")
	if x.Reason != "" {
		s += ": " + x.Reason
	}
	return strings.TrimPrefix(s, ": ")
}

// facts is a line on a capture: "580 packets, 60 connections, 3.36 s".
func (f *Facts) line() string {
	return report.ShowPlural(f.Packets, "packet") + ", " + report.ShowPlural(f.Connections, "connection") + ", " + report.ShowSeconds(f.Span)
}

// title is the file's name, and how many more were joined with it.
func (f *File) title() string {
	if n := len(f.Names); n > 1 {
		return fmt.Sprintf("%s and %d more", f.Name, n-1)
	}
	return f.Name
}

// each calls fn for each check of the run; file is nil for those of the policy.
func (r *Run) each(fn func(file *File, c *Check)) {
	for i := range r.Checks {
		fn(nil, &r.Checks[i])
	}
	for i := range r.Files {
		f := &r.Files[i]
		for j := range f.Checks {
			fn(f, &f.Checks[j])
		}
	}
}

// summary is the last line: "3 captures: 1 failed; of 12 checks 2 failed".
func (r *Run) summary() string {
	var failed, broken, bad uint64
	checks := uint64(0)
	for i := range r.Files {
		switch r.Files[i].Status() {
		case Fail:
			failed++
		case Broken:
			broken++
		}
	}
	r.each(func(_ *File, c *Check) {
		checks++
		if c.Status.Failed() {
			bad++
		}
	})
	s := report.ShowPlural(uint64(len(r.Files)), "capture")
	switch {
	case failed+broken == 0:
		s += ": passed"
	case broken == 0:
		s += ": " + report.ShowCount(failed) + " failed"
	case failed == 0:
		s += ": " + report.ShowCount(broken) + " damaged or unreadable"
	default:
		s += ": " + report.ShowCount(failed) + " failed, " + report.ShowCount(broken) + " damaged or unreadable"
	}
	return s + "; of " + report.ShowPlural(checks, "check") + " " + report.ShowCount(bad) + " failed"
}

// under says by what was judged.
func (r *Run) under() string {
	s := "no policy"
	if r.Policy != "" {
		s = "policy " + r.Policy
	}
	if r.FailOn == "never" {
		return s + "; findings do not fail"
	}
	return s + "; findings fail from " + r.FailOn
}

// shown are the results that outputs for people show, and how many they leave out.
func (c *Check) shown(o *Options) ([]Result, int) {
	n := min(len(c.Results), o.failing())
	return c.Results[:n], len(c.Results) - n + c.More
}

func (o *Options) failing() int {
	if o.Failing == 0 {
		return DefaultFailing
	}
	return o.Failing
}

// tells reports whether a check is worth a line of its own to people: findings that are
// not there are not.
func (c *Check) tells(o *Options) bool {
	switch {
	case c.Status.Failed():
		return true
	case o.Quiet:
		return false
	}
	return c.Kind == Asked || len(c.Results) > 0 || c.Text != ""
}

// title names a check: "assertion: the API closes gracefully".
func (c *Check) title() string {
	if c.Kind == Input {
		return c.Name
	}
	return c.Kind.String() + ": " + c.Name
}

// headline is one line on how a check went.
func (c *Check) headline() string {
	if c.Text != "" || len(c.Results) == 0 {
		return c.Text
	}
	s := c.Results[0].line()
	if x := &c.Results[0]; !x.Status.Failed() && x.standing() != "" {
		s = x.standing() + ": " + s
	}
	if n := len(c.Results) - 1 + c.More; n > 0 {
		s += fmt.Sprintf(" (and %s more)", report.ShowCount(uint64(n)))
	}
	return s
}

// body is all that is to be said of a check in several lines, each of which escape has
// made fit; "" if there is nothing.
func (c *Check) body(o *Options, escape func(string) string) string {
	var b strings.Builder
	put := func(indent, s string) {
		if s != "" {
			b.WriteString(indent + escape(s) + "\n")
		}
	}
	put("", c.Text)
	shown, more := c.shown(o)
	for i := range shown {
		x := &shown[i]
		head := x.line()
		if c.Kind == Found {
			head = x.Severity.String() + ": " + head
		}
		put("", head)
		put("  ", x.standing())
		put("  ", x.frames(DefaultFailing))
		for _, f := range x.Frames {
			if f.Text != "" {
				put("    ", fmt.Sprintf("connection %s, frame %d: %s", f.Connection, f.Number, f.Text))
			}
		}
		put("  ", x.Advice)
	}
	if more > 0 {
		put("", fmt.Sprintf("… %s more", report.ShowCount(uint64(more))))
	}
	return strings.TrimSuffix(b.String(), "\n")
}
