package verdict

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"

	"tcpstate/report"
)

// summaryMost is how much GitHub takes of one step's summary, less what other commands of
// the step may have written.
const summaryMost = 1<<20 - 1<<16

// Summary writes what belongs into the file that $GITHUB_STEP_SUMMARY names: the page, and
// if that is too much, what failed, as far as there is room.
func Summary(w io.Writer, r *Run, o *Options) error {
	var page bytes.Buffer
	if err := writeMarkdown(&page, r, o); err != nil {
		return err
	}
	if page.Len() > summaryMost {
		failed := *o
		failed.Quiet = true
		page.Reset()
		if err := writeMarkdown(&page, r, &failed); err != nil {
			return err
		}
	}
	text := page.Bytes()
	if len(text) > summaryMost {
		text = text[:summaryMost]
		text = append(text[:bytes.LastIndexByte(text, '\n')+1], "\nThere is no room for more.\n"...)
	}
	_, err := w.Write(text)
	return err
}

// writeMarkdown writes a page for a comment on a change, or for the summary of a step: a
// table of the captures, and below it what each of them shows that is worth telling.
func writeMarkdown(w io.Writer, r *Run, o *Options) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "### %s tcpstate %s: %s\n\n%s\n", mark(r.Status()), r.Command, r.summary(), md(r.under()))
	if len(r.Files) > 0 {
		b.WriteString("\n| | capture | packets | connections | span | failed |\n|---|---|---:|---:|---:|---|\n")
	}
	for i := range r.Files {
		f := &r.Files[i]
		var bad []string
		for j := range f.Checks {
			if c := &f.Checks[j]; c.Status.Failed() {
				bad = append(bad, md(c.Name))
			}
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", mark(f.Status()), md(f.title()), report.ShowCount(f.Facts.Packets),
			report.ShowCount(f.Facts.Connections), report.ShowSeconds(f.Facts.Span), strings.Join(bad, "<br>"))
	}
	if gravest(r.Checks).Failed() {
		fmt.Fprintf(b, "\n#### %s\n", md(r.Policy))
		markdownChecks(b, r.Checks, o)
	}
	for i := range r.Files {
		f := &r.Files[i]
		if o.Quiet && !f.Status().Failed() {
			continue
		}
		fmt.Fprintf(b, "\n#### %s %s\n", mark(f.Status()), md(f.title()))
		markdownChecks(b, f.Checks, o)
		for j := range f.Tables {
			markdownTable(b, &f.Tables[j])
		}
	}
	return b.Flush()
}

func markdownChecks(b *bufio.Writer, l []Check, o *Options) {
	first := true
	for i := range l {
		c := &l[i]
		if !c.tells(o) {
			continue
		}
		if first {
			b.WriteString("\n| | check | |\n|---|---|---|\n")
			first = false
		}
		text := md(c.headline())
		if shown, more := c.shown(o); len(shown) > 0 {
			bare := *c
			bare.Text = ""
			lines := strings.ReplaceAll(bare.body(o, md), "\n", "<br>")
			n := len(shown) + more
			text = fmt.Sprintf("%s<details><summary>%s</summary>%s</details>", md(c.Text), report.ShowPlural(uint64(n), "result"), lines)
			if c.Text == "" && n == 1 {
				text = lines
			}
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", mark(c.Status), md(c.title()), text)
	}
	if first {
		b.WriteString("\nNothing to tell.\n")
	}
}

func markdownTable(b *bufio.Writer, t *Table) {
	if len(t.Rows) == 0 {
		return
	}
	fmt.Fprintf(b, "\n**%s**\n\n|", md(t.Title))
	rule := "\n|"
	for _, h := range t.Heads {
		name, right := strings.CutPrefix(h, ">")
		b.WriteString(" " + md(name) + " |")
		if rule += "---"; right {
			rule += ":"
		}
		rule += "|"
	}
	b.WriteString(rule + "\n")
	for _, r := range t.Rows {
		b.WriteByte('|')
		for _, c := range r {
			b.WriteString(" " + md(c) + " |")
		}
		b.WriteByte('\n')
	}
}

// mark is a status as a sign.
func mark(s Status) string {
	switch s {
	case Pass:
		return "✅"
	case Known, Accepted:
		return "☑️"
	}
	return "❌"
}

// md makes text fit for a cell of a table.
func md(s string) string { return report.Markdown(s) }
