package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"tcpstate/report/detect"
)

var markdownFormat = &Format{
	Name:  "markdown",
	Doc:   "the report for a ticket or a pull request",
	Parts: PartSummary | PartFindings | PartServices | PartTop,
	Can:   PartSummary | PartFindings | PartConnections | PartTransitions | PartServices | PartTop,
	New: func(e *Env) Formatter {
		plain := *e
		plain.Color = false
		return &markdown{newTable(&plain).(*table)}
	},
}

// markdown is the table in GitHub-flavoured Markdown: the same parts, rows and words, and a
// section for each finding.
type markdown struct{ *table }

// openFindings is how many findings are told in full at once; the others unfold.
const openFindings = 3

func (o *markdown) End(f *Final) {
	o.span(f.Summary)
	head := "## tcpstate"
	if o.Parts.Has(PartFindings) {
		head += ": " + o.worst(f)
	}
	o.printf("%s\n", head)
	if !o.Quiet {
		o.capture(f)
	}
	if o.Parts.Has(PartFindings) {
		o.findings(f)
	}
	if o.Parts.Has(PartSummary) {
		o.states(f.Summary)
		o.closes(f.Summary)
		if !o.Parts.Has(PartFindings) {
			o.printf("- findings: %s\n", WorstFirst(f.Summary.Findings))
		}
	}
	if o.Parts.Has(PartServices) {
		o.section("Services", o.servicesGrid(f), uint64(f.Services.Len()))
	}
	if o.Parts.Has(PartTop) {
		o.section("Connections to look at first", o.connectionsGrid(o.chosen(f, PartTop), f), o.total)
	}
	if o.Parts.Has(PartConnections) {
		o.section("Connections", o.connectionsGrid(o.chosen(f, PartConnections), f), o.total)
	}
	if o.Parts.Has(PartTransitions) {
		o.section("Transitions", o.changesGrid(), uint64(len(o.transitions))+o.moreTrans)
	}
}

func (o *markdown) worst(f *Final) string {
	n := 0
	for _, c := range f.Summary.Findings {
		n += int(c.N)
	}
	if n == 0 {
		return "no findings"
	}
	return WorstFirst(f.Summary.Findings)
}

// capture is the line on what was read, and with -v the files and what was left out.
func (o *markdown) capture(f *Final) {
	quality := Markdown(o.quality(f.Summary))
	if quality != allThere {
		quality = "**" + quality + "**"
	}
	o.printf("\n%s: %s; %s\n", fileNames(f.Capture, MarkdownCode), Markdown(o.size(f.Summary)), quality)
	if !o.Verbose {
		return
	}
	o.printf("\n")
	for _, x := range f.Capture.Files {
		o.printf("- %s: %s, %s, snap length %d\n", MarkdownCode(string(x.Name)), Markdown(strings.TrimSpace(x.Format+" "+x.Compression)),
			Markdown(strings.Join(x.LinkTypes, ", ")), x.SnapLen)
	}
	for _, k := range f.Summary.Skipped {
		if k.N > 0 {
			o.printf("- not analysed: %s %s\n", showCount(k.N), Markdown(k.Name))
		}
	}
	for _, d := range f.Summary.Quality.Damage {
		o.printf("- damage: %s at byte %d of %s\n", Markdown(d.Reason), d.Offset, MarkdownCode(string(d.File)))
	}
}

// findings are a table of all, and each of them in full.
func (o *markdown) findings(f *Final) {
	o.printf("\n### Findings\n\n")
	shown := f.Findings[:min(len(f.Findings), o.Limit)]
	g := grid{heads: []string{"severity", "finding", "subject", ">count"}}
	for i := range shown {
		x := &shown[i]
		g.add(x.Severity.String(), x.ID, x.Subject, showCount(uint64(x.Count)))
	}
	if len(f.Findings) == 0 {
		o.printf("None.\n")
	}
	o.grid(&g)
	o.more(uint64(len(f.Findings)-len(shown)), "`-o ndjson` all")
	if f.Hidden > 0 {
		o.printf("\n%s below `--min-severity`.\n", showCount(uint64(f.Hidden)))
	}
	for i := range shown {
		x := shown[i].Worded()
		if i < openFindings {
			o.printf("\n#### %s: %s\n\n", Markdown(x.ID), Markdown(x.Subject))
			o.finding(x)
			continue
		}
		o.printf("\n<details>\n<summary>%s <b>%s</b>: %s</summary>\n\n", x.Severity, Markdown(x.ID), Markdown(x.Subject))
		o.finding(x)
		o.printf("\n</details>\n")
	}
}

// finding is what happened, who has to do what about it, and what proves it.
func (o *markdown) finding(x *detect.Finding) {
	o.printf("%s\n\n", MarkdownParagraph(x.Explanation))
	item := func(name, text string) {
		if text != "" {
			o.printf("- **%s:** %s\n", name, text)
		}
	}
	item("To do", Markdown(x.Advice))
	item("Who must act", Markdown(actor(x)))
	if !x.First.IsZero() {
		when := o.brief(x.First)
		if !x.Last.Equal(x.First) {
			when += " to " + o.brief(x.Last)
		}
		item("When", Markdown(when))
	}
	frames, _ := strings.CutPrefix(evidenceLine(&x.Evidence), "frames ")
	item("Frames", Markdown(frames))
	if x.Wireshark != "" {
		item("Wireshark", MarkdownCode(x.Wireshark))
	}
	if !o.Verbose {
		return
	}
	var l []string
	for _, m := range x.Metrics {
		name, value := metricWords(m, o.brief)
		l = append(l, name+" "+value)
	}
	item("Measured", Markdown(strings.Join(l, ", ")))
	if g := proofs(&x.Evidence); len(g.rows) > 0 {
		o.printf("\n")
		o.grid(g)
	}
}

// actor is who has to act, and what each application saw.
func actor(x *detect.Finding) string {
	who := string(blame(x))
	if who == string(detect.BlameUnknown) {
		who = "the capture does not tell"
	}
	for _, s := range []struct{ who, saw string }{{"client", x.SeenBy.Client}, {"server", x.SeenBy.Server}} {
		if s.saw != "" {
			who += "; the " + s.who + " saw " + s.saw
		}
	}
	return who
}

// proofs are the frames of the evidence one by one (-v).
func proofs(e *detect.Evidence) *grid {
	g := &grid{heads: []string{">connection", ">frame", "shows"}}
	for i := range e.Connections {
		c := &e.Connections[i]
		for _, p := range c.Frames {
			g.add(recordName(detect.Ref{ID: c.ID, Incarnation: c.Incarnation}), fmt.Sprint(p.Frame), p.Text)
		}
	}
	return g
}

func (o *markdown) states(s *Summary) {
	g := o.statesGrid(s)
	o.section("States at the end of the capture (endpoints)", g, uint64(len(g.rows)))
}

func (o *markdown) closes(s *Summary) {
	g := closesGrid(s)
	o.section("How connections ended", g, uint64(len(g.rows)))
	o.printf("\n")
	for _, line := range closesLines(s) {
		o.printf("- %s\n", Markdown(line))
	}
}

// section is a part that is one table, of which total rows are.
func (o *markdown) section(title string, g *grid, total uint64) {
	o.printf("\n### %s\n\n", title)
	if total == 0 {
		o.printf("None.\n")
		return
	}
	o.grid(g)
	o.more(total-uint64(len(g.rows)), "`-o csv` or `-o ndjson` all")
}

func (o *markdown) more(n uint64, all string) {
	if n > 0 {
		o.printf("\n… %s more (`--limit N` shows more, %s)\n", showCount(n), all)
	}
}

// codeColumns hold names that are copied rather than read.
var codeColumns = []string{"client", "server", "endpoint", "finding", "findings", "rule"}

// grid writes a table. Nothing is written of one without rows.
func (o *markdown) grid(g *grid) {
	if len(g.rows) == 0 {
		return
	}
	rule := "|"
	code := make([]bool, len(g.heads))
	o.printf("|")
	for i, h := range g.heads {
		name, right := strings.CutPrefix(h, ">")
		code[i] = slices.Contains(codeColumns, name)
		o.printf(" %s |", name)
		rule += "---" + map[bool]string{true: ":"}[right] + "|"
	}
	o.printf("\n%s\n", rule)
	for _, r := range g.rows {
		o.printf("|")
		for i, cell := range r {
			text := Markdown(cell)
			if code[i] && cell != "-" {
				text = MarkdownCode(cell)
			}
			o.printf(" %s |", cmp.Or(text, " "))
		}
		o.printf("\n")
	}
}
