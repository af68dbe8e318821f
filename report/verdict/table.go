package verdict

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"tcpstate/report"
)

// tableWidth is how wide its text is set.
const tableWidth = 100

// table writes for people: a line for each check that says something, and below it what
// failed and where.
type table struct {
	*bufio.Writer
	*Options
}

func writeTable(w io.Writer, r *Run, o *Options) error {
	t := &table{bufio.NewWriter(w), o}
	if !o.Quiet {
		t.line(t.Dim(report.Printable(r.under())))
	}
	if len(r.Checks) > 0 && gravest(r.Checks).Failed() {
		t.line(t.verdict(gravest(r.Checks)) + "  " + report.Printable(r.Policy))
		t.checks(r.Checks)
	}
	for i := range r.Files {
		f := &r.Files[i]
		if o.Quiet && !f.Status().Failed() {
			continue
		}
		line := t.verdict(f.Status()) + "  " + t.Bold(report.Printable(f.title()))
		if f.Facts.Packets > 0 {
			line += ": " + f.Facts.line()
		}
		t.line(line)
		t.checks(f.Checks)
		for j := range f.Tables {
			t.table(&f.Tables[j])
		}
	}
	t.line(t.Bold(r.summary()))
	return t.Flush()
}

func (t *table) line(s string) { t.WriteString(s + "\n") }

// verdict is the first word of a capture's line.
func (t *table) verdict(s Status) string {
	switch s {
	case Fail:
		return t.Bad("FAIL")
	case Broken:
		return t.Bad("ERROR")
	}
	return t.Good("PASS")
}

// status is the first word of a check's line, eight columns wide.
func (t *table) status(s Status) string {
	word := fmt.Sprintf("%-8s", s)
	switch {
	case s.Failed():
		return t.Bad(word)
	case s == Pass:
		return t.Good(word)
	}
	return t.Doubtful(word)
}

func (t *table) checks(l []Check) {
	wide := 0
	for i := range l {
		if l[i].tells(t.Options) {
			wide = max(wide, min(40, utf8.RuneCountInString(report.Printable(l[i].Name))))
		}
	}
	for i := range l {
		c := &l[i]
		if !c.tells(t.Options) {
			continue
		}
		name := fmt.Sprintf("%-*s", wide, report.Printable(c.Name))
		t.line(strings.TrimRight("  "+t.status(c.Status)+"  "+name+"  "+report.Printable(c.Text), " "))
		shown, more := c.shown(t.Options)
		for j := range shown {
			t.result(c, &shown[j])
		}
		if more > 0 {
			t.line(fmt.Sprintf("      … %s more", report.ShowCount(uint64(more))))
		}
	}
}

func (t *table) result(c *Check, x *Result) {
	const first = "      "
	if c.Kind == Found {
		head := first + t.Severity(x.Severity) + "  " + report.Printable(x.Subject)
		if x.Count > 1 {
			head += "  ×" + report.ShowCount(uint64(x.Count))
		}
		t.line(head)
		if x.Text != "" {
			t.WriteString(report.Paragraph(first+"  ", first+"  ", report.Printable(x.Text), tableWidth))
		}
	} else {
		t.WriteString(report.Paragraph(first, first, report.Printable(x.line()), tableWidth))
	}
	for _, s := range []string{x.standing(), x.frames(2)} {
		if s != "" {
			t.WriteString(report.Paragraph(first+"  ", first+"  ", report.Printable(s), tableWidth))
		}
	}
	if t.Verbose {
		for i := range x.Frames {
			if f := &x.Frames[i]; f.Text != "" {
				t.WriteString(report.Paragraph(first+"  ", first+"    ", report.Printable(fmt.Sprintf("connection %s, frame %d: %s", f.Connection, f.Number, f.Text)), tableWidth))
			}
		}
	}
	if x.Advice != "" && x.Status.Failed() {
		t.WriteString(report.Paragraph(first+"  → ", first+"    ", report.Printable(x.Advice), tableWidth))
	}
}

func (t *table) table(x *Table) {
	if len(x.Rows) == 0 {
		return
	}
	rows := make([][]string, len(x.Rows))
	for i, r := range x.Rows {
		for _, cell := range r {
			rows[i] = append(rows[i], report.Printable(cell))
		}
	}
	t.line("\n  " + t.Bold(report.Printable(x.Title)))
	t.WriteString(t.Grid("    ", x.Heads, rows))
}
