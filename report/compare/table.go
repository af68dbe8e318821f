package compare

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"tcpstate/report"
)

// tableWidth is how wide the text of a finding is set.
const tableWidth = 100

// WriteTable writes the difference for people: the two captures, what became of the
// findings, then the numbers that differ. Verbose has what is the same, too; Quiet has
// nothing but findings.
func (r *Result) WriteTable(w io.Writer, o *report.Style) error {
	t := &table{bufio.NewWriter(w), o}
	if !o.Quiet {
		t.side("OLD", r.Old)
		t.side("NEW", r.New)
		for _, s := range r.Warnings {
			t.WriteString(report.Paragraph("warning: ", "         ", s, tableWidth))
		}
		t.WriteByte('\n')
	}
	t.findings(r)
	if o.Quiet {
		return t.Flush()
	}
	tables := r.tables(o.Verbose, o.Limit)
	if len(tables) == 0 {
		t.WriteString("\nNo number differs.\n")
	}
	some := false
	for _, x := range tables {
		t.WriteString("\n" + t.Bold(x.Title) + "\n")
		for i := range x.Rows {
			for j := range x.Rows[i] {
				x.Rows[i][j] = report.Printable(x.Rows[i][j])
			}
			some = some || marked(x.Rows[i])
		}
		t.WriteString(t.Grid("  ", x.Heads, x.Rows))
	}
	if some {
		t.WriteString("\n" + t.Dim(mark+" "+markMeans) + "\n")
	}
	return t.Flush()
}

type table struct {
	*bufio.Writer
	*report.Style
}

func (t *table) side(name string, s *Side) {
	line := fmt.Sprintf("%s  %s: %s, %s, %s, %s", name, t.Bold(report.Printable(s.Name)), report.ShowPlural(s.Packets, "packet"),
		report.ShowPlural(s.Segments, "TCP segment"), report.ShowPlural(s.Connections, "connection"), report.ShowSeconds(s.Span))
	if s.Report {
		line += "; as reported earlier"
	}
	t.WriteString(line + "\n")
}

// findings are a line each; below those that got worse stands what happened on the new
// side, which frames prove it and what to do.
func (t *table) findings(r *Result) {
	title := t.Bold("Findings: " + r.summary())
	if n := len(r.Hidden); n > 0 {
		title += t.Dim(fmt.Sprintf(" (%s below --min-severity)", report.ShowCount(uint64(n))))
	}
	t.WriteString(title + "\n")
	var l []*Change
	for i := range r.Findings {
		if c := &r.Findings[i]; c.Kind != Same || t.Verbose {
			l = append(l, c)
		}
	}
	shown := l[:min(len(l), t.Limit)]
	id, subject := 0, 0
	for _, c := range shown {
		id = max(id, utf8.RuneCountInString(c.ID))
		subject = max(subject, min(utf8.RuneCountInString(report.Printable(c.Title())), 60))
	}
	for i, c := range shown {
		fmt.Fprintf(t, "  %-8s  %s  %-*s  %-*s  %s\n", c.Kind, t.Severity(c.part().Severity), id, c.ID, subject, report.Printable(c.Title()), report.Printable(c.counts()))
		if !c.Worse() && !t.Verbose {
			continue
		}
		f := c.part().Worst.Worded()
		t.paragraph("    ", "    ", f.Explanation)
		if s := report.EvidenceLine(&f.Evidence); s != "" {
			t.paragraph("    ", "    ", s)
		}
		switch {
		case f.Advice == "" || !c.Worse():
		case i > 0 && shown[i-1].ID == c.ID && shown[i-1].part().Worst.Advice == f.Advice:
			t.WriteString("    → as above\n")
		default:
			t.paragraph("    → ", "      ", f.Advice)
		}
	}
	if n := len(l) - len(shown); n > 0 {
		t.WriteString("  " + t.Dim(fmt.Sprintf("… %s more (--limit N shows more, -o json all)", report.ShowCount(uint64(n)))) + "\n")
	}
}

func (t *table) paragraph(first, rest, text string) {
	t.WriteString(report.Paragraph(first, rest, report.Printable(text), tableWidth))
}

// counts is how much there was and is: ×20 → ×45 *, 3 findings → 1 finding, note → error.
func (c *Change) counts() string {
	side := func(p *Part) string {
		s := "×" + report.ShowCount(p.Count)
		if max(c.Old.Findings, c.New.Findings) > 1 {
			s += " (" + report.ShowPlural(uint64(p.Findings), "finding") + ")"
		}
		return s
	}
	a, b := &c.Old, &c.New
	switch {
	case c.Kind == Appeared:
		return side(b)
	case c.Kind == Went:
		return side(a)
	case c.Kind == Same && a.Findings == b.Findings:
		return side(b)
	}
	s := side(a) + " → " + side(b)
	if a.Severity != b.Severity {
		s += fmt.Sprintf(", was %s", a.Severity)
	} else if c.Odds == Marked {
		s += " " + mark
	}
	return s
}

// summary counts the findings by what became of them.
func (r *Result) summary() string {
	var n [len(kindNames)]uint64
	for i := range r.Findings {
		n[r.Findings[i].Kind]++
	}
	var l []string
	for k, n := range n {
		if n > 0 && Kind(k) != Same {
			l = append(l, report.ShowCount(n)+" "+kindNames[k])
		}
	}
	return cmp.Or(strings.Join(l, ", "), "no difference")
}
