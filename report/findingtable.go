package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"tcpstate/report/detect"
)

// findingWidth is how wide the text of a finding is set.
const findingWidth = 100

// findings is the second part of the report: what is wrong, the worst first.
// One line names each finding; below stand what happened, which frames prove
// it, and what to do.
func (o *table) findings(f *Final) {
	o.gap()
	title := o.bold("Findings: " + WorstFirst(f.Summary.Findings))
	if f.Hidden > 0 {
		title += o.dim(fmt.Sprintf(" (%s below --min-severity)", showCount(uint64(f.Hidden))))
	}
	o.printf("%s\n", title)
	shown := f.Findings[:min(len(f.Findings), o.Limit)]
	id, subject := 0, 0
	for i := range shown {
		id = max(id, utf8.RuneCountInString(shown[i].ID))
		subject = max(subject, min(utf8.RuneCountInString(Printable(shown[i].Subject)), 60))
	}
	for i := range shown {
		x := shown[i].Worded()
		o.printf("  %s  %-*s  %-*s  ×%s\n", o.severity(x.Severity), id, x.ID, subject, Printable(x.Subject), showCount(uint64(x.Count)))
		o.paragraph("    ", "    ", x.Explanation)
		if t := evidenceLine(&x.Evidence); t != "" {
			o.paragraph("    ", "    ", t)
		}
		switch {
		case x.Advice == "":
		case i > 0 && x.ID == shown[i-1].ID && x.Advice == shown[i-1].Advice:
			o.printf("    → as above\n")
		default:
			o.paragraph("    → ", "      ", x.Advice)
		}
		if o.Verbose {
			o.proof(x)
		}
	}
	o.more(uint64(len(f.Findings)-len(shown)), "-o ndjson all")
}

// WorstFirst writes counts of findings by severity: "1 error, 2 notes".
func WorstFirst(c Counts) string {
	var l []string
	for _, x := range slices.Backward(c) {
		if x.N > 0 {
			l = append(l, plural(x.N, x.Name))
		}
	}
	return cmp.Or(strings.Join(l, ", "), "none")
}

// severity is the word, seven columns wide, in its colour.
func (s *Style) severity(v detect.Severity) string {
	text := fmt.Sprintf("%-7s", v)
	switch v {
	case detect.Error:
		return s.paint("1;31", text)
	case detect.Warning:
		return s.warn(text)
	}
	return s.paint("36", text)
}

// paragraph prints text that may hold what came from outside.
func (o *table) paragraph(first, rest, text string) {
	o.printf("%s", Paragraph(first, rest, Printable(text), findingWidth))
}

// Paragraph breaks text into lines of at most width characters. The first begins
// with first, the others with rest.
func Paragraph(first, rest, text string, width int) string {
	var b strings.Builder
	line, n := first, utf8.RuneCountInString(first)
	empty := true
	for _, w := range strings.Fields(text) {
		l := utf8.RuneCountInString(w)
		switch {
		case empty:
			empty = false
		case n+1+l > width:
			b.WriteString(line + "\n")
			line, n = rest, utf8.RuneCountInString(rest)
		default:
			line += " "
			n++
		}
		line += w
		n += l
	}
	return b.String() + strings.TrimRight(line, " ") + "\n"
}

// evidenceLine names the frames of the first connections: frames 1, 2
// (connection 0); 3, 4 (connection 1); 18 connections more.
func evidenceLine(e *detect.Evidence) string {
	const most = 2
	var l []string
	for i := range e.Connections {
		c := &e.Connections[i]
		if len(l) == most {
			break
		}
		if len(c.Frames) > 0 {
			l = append(l, frameList(c.Frames, ", ")+" ("+connectionName(c)+")")
		}
	}
	if l == nil {
		return ""
	}
	if n := e.Total - len(l); n > 0 {
		l = append(l, plural(uint64(n), "connection")+" more")
	}
	return "frames " + strings.Join(l, "; ")
}

func frameList(frames []detect.Proof, sep string) string {
	var l []string
	for i := range frames {
		if n := fmt.Sprint(frames[i].Frame); !slices.Contains(l, n) {
			l = append(l, n)
		}
	}
	return strings.Join(l, sep)
}

func connectionName(c *detect.Proven) string {
	return "connection " + recordName(detect.Ref{ID: c.ID, Incarnation: c.Incarnation})
}

// recordName is a connection's number, with that of its incarnation if there
// are several: 3, 3.1.
func recordName(r detect.Ref) string {
	if r.Incarnation > 0 {
		return fmt.Sprintf("%d.%d", r.ID, r.Incarnation)
	}
	return fmt.Sprint(r.ID)
}

// proof is the rest of a finding (-v): when, the metrics, what each frame shows.
func (o *table) proof(x *detect.Finding) {
	line := "to act: " + string(blame(x))
	if !x.First.IsZero() {
		line = o.brief(x.First) + " to " + o.brief(x.Last) + "; " + line
	}
	for _, s := range []struct{ who, saw string }{{"client", x.SeenBy.Client}, {"server", x.SeenBy.Server}} {
		if s.saw != "" {
			line += "; the " + s.who + " saw " + s.saw
		}
	}
	o.paragraph("    ", "    ", line)
	if len(x.Metrics) > 0 {
		var l []string
		for _, m := range x.Metrics {
			l = append(l, m.Name+" "+metric(m.Value, "-"))
		}
		o.paragraph("    ", "    ", strings.Join(l, ", "))
	}
	for i := range x.Evidence.Connections {
		c := &x.Evidence.Connections[i]
		for j := range c.Frames {
			o.paragraph("    ", "      ", fmt.Sprintf("%s, frame %d: %s", connectionName(c), c.Frames[j].Frame, c.Frames[j].Text))
		}
	}
	if x.Wireshark != "" {
		o.paragraph("    ", "      ", "Wireshark: "+x.Wireshark)
	}
}
