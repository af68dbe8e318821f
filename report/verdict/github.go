package verdict

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"tcpstate/report"
	"tcpstate/report/detect"
)

// annotationsMost is how many annotations of a kind GitHub shows of one step.
const annotationsMost = 10

// annotation is one command of GitHub's runner.
type annotation struct {
	level    string // error, warning or notice
	severity detect.Severity
	file     string
	line     int
	title    string
	text     string
}

// writeGitHub writes annotations, the gravest first, and of each kind as many as GitHub
// shows. The others are in Summary.
func writeGitHub(w io.Writer, r *Run, o *Options) error {
	b := bufio.NewWriter(w)
	all := r.annotations(o)
	left := 0
	for _, level := range []string{"error", "warning", "notice"} {
		n := 0
		for i := range all {
			a := &all[i]
			if a.level != level {
				continue
			}
			if n++; n > annotationsMost {
				left++
				continue
			}
			b.WriteString("::" + a.level + " ")
			if a.file != "" {
				b.WriteString("file=" + property(a.file) + ",")
			}
			if a.line > 0 {
				fmt.Fprintf(b, "line=%d,", a.line)
			}
			b.WriteString("title=" + property(a.title) + "::" + data(a.text) + "\n")
		}
	}
	if left > 0 {
		fmt.Fprintf(b, "%s more in the summary of the step\n", report.ShowCount(uint64(left)))
	}
	b.WriteString(r.summary() + "\n")
	return b.Flush()
}

// annotations are all of them, the gravest first.
func (r *Run) annotations(o *Options) []annotation {
	var l []annotation
	few := *o
	few.Failing = min(o.failing(), DefaultFailing)
	r.each(func(f *File, c *Check) {
		a := annotation{severity: c.Severity, text: c.body(&few, report.Printable), title: c.title()}
		worst, pending := detect.Note, false
		for i := range c.Results {
			if x := &c.Results[i]; x.Status == Pass && x.Change != Gone {
				worst, pending = max(worst, x.Severity), true
			}
		}
		switch {
		case c.Status.Failed():
			a.level = "error"
		case c.Kind == Found && pending && worst >= detect.Warning:
			a.level, a.severity = "warning", worst
		case c.Kind == Found && pending, c.Kind == Input && c.Text != "":
			a.level, a.severity = "notice", detect.Note
		default:
			return
		}
		if f != nil {
			a.file = f.Name
			a.title = f.title() + ": " + a.title
		}
		if c.Line > 0 && r.Policy != "" {
			a.file, a.line = r.Policy, c.Line
		}
		if a.text == "" {
			a.text = c.Status.String()
		}
		l = append(l, a)
	})
	slices.SortStableFunc(l, func(a, b annotation) int { return int(b.severity) - int(a.severity) })
	return l
}

// data makes text fit for what follows the second :: of a command. The lines in it are
// those that this program makes; all else was made printable.
func data(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

// property makes text fit for a value before it.
func property(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(report.Printable(s))
}
