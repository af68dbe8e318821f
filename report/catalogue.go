package report

import (
	"cmp"
	"fmt"
	"strings"

	"tcpstate/report/detect"
)

// The catalogue of findings as "tcpstate findings" prints it. All of its text is
// that of the detectors.

// catalogueWidth is how wide its text is set.
const catalogueWidth = 86

// CatalogueTable lists detectors: id, usual severity, what they mean.
func CatalogueTable(list []*detect.Detector, color bool) string {
	g := grid{heads: []string{"id", "severity", "meaning"}}
	for _, d := range list {
		g.add(d.ID, d.Default.String(), d.Title)
	}
	style := &Style{Color: color}
	return g.text("", style) + "\n" + style.dim("tcpstate findings ID explains one.") + "\n"
}

// DetectorPage is all that is known of one detector.
func DetectorPage(d *detect.Detector, color bool) string {
	style := &Style{Color: color}
	var b strings.Builder
	part := func(title, text string) {
		if text = strings.TrimSpace(text); text != "" {
			b.WriteString("\n" + style.bold(title) + "\n" + Paragraph("  ", "  ", text, catalogueWidth))
		}
	}
	b.WriteString(style.bold(d.ID) + ": " + d.Title + "\n")
	part("Rule", d.Rule)
	severity := d.Default.String()
	if d.Levels != "" {
		severity += "; " + d.Levels
	}
	part("Severity", severity)
	if len(d.Withheld.Reasons())+len(d.Lowered.Reasons()) > 0 {
		part("Doubts", doubts("Withheld", d.Withheld)+" "+doubts("Lowered by one severity", d.Lowered))
	}
	part("Subject", d.Subject)
	part("Who must act", d.Blame)
	if len(d.Params) > 0 {
		g := grid{heads: []string{"--set", "default", "meaning", "source"}}
		for i := range d.Params {
			p := &d.Params[i]
			g.add(d.ID+"."+p.Name, p.Text(p.Default), p.Doc, p.Source)
		}
		b.WriteString("\n" + style.bold("Thresholds") + "\n" + g.text("  ", style))
	}
	if e := indented("  ", d.Example); e != "" {
		b.WriteString("\n" + style.bold("Example") + "\n" + e)
	}
	part("Advice", d.Advice)
	part("Told instead of", strings.Join(d.Swallows, ", "))
	if len(d.Sources) > 0 {
		b.WriteString("\n" + style.bold("Sources") + "\n")
		for _, s := range d.Sources {
			b.WriteString(Paragraph("  ", "    ", s, catalogueWidth))
		}
	}
	return b.String()
}

// doubts is a sentence on what the capture may leave undecided.
func doubts(what string, d detect.Doubt) string {
	if l := d.Reasons(); len(l) > 0 {
		return fmt.Sprintf("%s where %s.", what, strings.Join(l, ", or "))
	}
	return ""
}

// indented is text that keeps its lines, with what all of them are indented by
// replaced.
func indented(by, text string) string {
	lines := strings.Split(strings.Trim(strings.ReplaceAll(text, "\t", "    "), "\n"), "\n")
	common := -1
	for _, l := range lines {
		if n := len(l) - len(strings.TrimLeft(l, " ")); strings.TrimSpace(l) != "" && (common < 0 || n < common) {
			common = n
		}
	}
	if common < 0 {
		return "" // nothing but blanks
	}
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(strings.TrimRight(by+l[min(len(l), common):], " ") + "\n")
	}
	return b.String()
}

// CatalogueMarkdown is the table of README.md.
func CatalogueMarkdown(list []*detect.Detector) string {
	var b strings.Builder
	b.WriteString("| finding | usual severity | meaning | who must act |\n|---|---|---|---|\n")
	for _, d := range list {
		cell := strings.NewReplacer("|", `\|`, "\n", " ")
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", d.ID, d.Default, cell.Replace(d.Title), cell.Replace(cmp.Or(d.Blame, "–")))
	}
	return b.String()
}

// CatalogueJSON is the same as one object.
func CatalogueJSON(list []*detect.Detector) []byte {
	type parameter struct {
		Name    string `json:"name"`
		Default string `json:"default"`
		Meaning string `json:"meaning"`
		Source  string `json:"source"`
	}
	type detector struct {
		ID         string          `json:"id"`
		Title      string          `json:"title"`
		Severity   detect.Severity `json:"severity"`
		Levels     string          `json:"levels"`
		Rule       string          `json:"rule"`
		Subject    string          `json:"subject"`
		Blame      string          `json:"blame"`
		Parameters []parameter     `json:"parameters"`
		Example    string          `json:"example"`
		Advice     string          `json:"advice"`
		Swallows   []string        `json:"swallows"`
		Withheld   []string        `json:"withheld"`
		Lowered    []string        `json:"lowered"`
		Sources    []string        `json:"sources"`
	}
	all := make([]detector, 0, len(list))
	for _, d := range list {
		x := detector{d.ID, d.Title, d.Default, d.Levels, d.Rule, d.Subject, d.Blame, []parameter{}, indented("", d.Example), d.Advice,
			some(d.Swallows), some(d.Withheld.Reasons()), some(d.Lowered.Reasons()), some(d.Sources)}
		for i := range d.Params {
			p := &d.Params[i]
			x.Parameters = append(x.Parameters, parameter{p.Name, p.Text(p.Default), p.Doc, p.Source})
		}
		all = append(all, x)
	}
	return append(marshal(struct {
		Schema    string     `json:"schema"`
		Catalogue []detector `json:"catalogue"`
	}{Schema, all}), '\n')
}

// some is the list, never null.
func some(l []string) []string { return append([]string{}, l...) }
