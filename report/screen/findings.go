package screen

import (
	"fmt"
	"slices"
	"time"

	"tcpstate/report"
	"tcpstate/report/detect"
)

// findingList is the findings that hold, the newest first, then those that did until
// shortly, with a title, in room lines of w columns.
func (m *model) findingList(w, room int) []line {
	if room < 1 {
		return nil
	}
	n, held := m.findingsShown(), len(m.snap.Findings)
	lines := []line{m.title("Findings", m.pane == findings)}
	switch {
	case held == 0:
		lines[0].add(good, "  none")
	default:
		lines[0].add(plain, "  "+m.severities())
	}
	if over := n - held; over > 0 {
		lines[0].add(faint, fmt.Sprintf("  %d cleared", over))
	}
	from, to := m.finds.window(n, room-1)
	if to-from < n && to > from {
		lines[0].add(faint, fmt.Sprintf("  %d–%d of %d", from+1, to, n))
	}
	for i := from; i < to; i++ {
		lines = append(lines, m.findingRow(i, w))
	}
	return lines
}

// severities counts those that hold.
func (m *model) severities() string {
	var c report.Counts
	for s := detect.Note; s <= detect.Error; s++ {
		n := uint64(0)
		for i := range m.snap.Findings {
			if m.snap.Findings[i].Severity == s {
				n++
			}
		}
		c = append(c, report.Count{Name: s.String(), N: n})
	}
	return report.WorstFirst(c)
}

// title begins a list; the one that keys act on is marked.
func (m *model) title(text string, on bool) (l line) {
	if on {
		return *l.add(strong, "▸ "+text)
	}
	return *l.add(plain, "  ").add(strong, text)
}

// idWidth is for the longest id that is usual.
const idWidth = 20

func (m *model) findingRow(i, w int) (l line) {
	f := m.findingAt(i)
	over := !f.Over.IsZero()
	k, word := lookOf(f.Severity), f.Severity.String()
	if over {
		k, word = faint, "cleared"
	}
	rest := plain
	if over {
		rest = faint
	}
	count := "×" + small(uint64(max(f.Count, 0)))
	age := report.ShowSpan(f.Age(m.snap.Now))
	l.add(k, "  "+cell(word, 8))
	id := max(min(idWidth, w/4), width(f.ID))
	subject := w - l.w - id - 1 - 1 - 6 - 1 - 8
	l.add(rest, cell(clean(f.ID), id)+" ")
	l.add(rest, cell(clean(f.Subject), max(subject, 8))+" ")
	l.add(rest, cell(count, -6)+" "+cell(age, -8))
	if i == m.finds.at && m.pane == findings {
		m.mark(&l, w)
	}
	return l
}

// mark shows that keys act on a row.
func (m *model) mark(l *line, w int) {
	if len(l.spans) > 0 && len(l.spans[0].text) > 0 && l.spans[0].text[0] == ' ' {
		l.spans[0].text = "›" + l.spans[0].text[1:]
	}
	l.pick(w)
}

// findingLines is a finding with its proof.
func (m *model) findingLines() []line {
	f := &m.finding
	x := f.Worded()
	lines := []line{{}}
	var head line
	head.add(lookOf(x.Severity), x.Severity.String()+" ").add(strong, x.ID).add(plain, "  "+x.Subject+"  ×"+report.ShowCount(uint64(max(x.Count, 0))))
	lines = append(lines, head)
	age := "for " + report.ShowSpan(f.Age(m.snap.Now)) + ", since " + m.time(f.Since)
	switch {
	case !f.Over.IsZero():
		age = "cleared at " + m.time(f.Over) + ", held " + age
	case f.Updated.After(f.Since):
		age += ", changed " + report.ShowSpan(max(m.snap.Now.Sub(f.Updated), 0)) + " ago"
	}
	age += "; to act: " + report.ToAct(x)
	for _, s := range []struct{ who, saw string }{{"client", x.SeenBy.Client}, {"server", x.SeenBy.Server}} {
		if s.saw != "" {
			age += "; the " + s.who + " saw " + s.saw
		}
	}
	para := func(k look, first, text string) {
		if text == "" {
			return
		}
		for i, t := range wrap(text, min(m.w, 120)-len(first)-2) {
			lead := first
			if i > 0 {
				lead = fmt.Sprintf("%*s", len(first), "")
			}
			lines = append(lines, textLine(k, "  "+lead+t))
		}
	}
	para(faint, "", age)
	lines = append(lines, line{})
	para(plain, "", x.Explanation)
	if x.Advice != "" {
		lines = append(lines, line{}, textLine(strong, "What to do"))
		para(plain, "", x.Advice)
	}
	if len(x.Metrics) > 0 {
		lines = append(lines, line{}, textLine(strong, "Figures"))
		for _, n := range x.Metrics {
			para(plain, "", n.Name+" "+report.ShowMetric(n.Value))
		}
	}
	if len(x.Evidence.Connections) > 0 {
		lines = append(lines, line{}, textLine(strong, "Evidence"))
	}
	for i := range x.Evidence.Connections {
		c := &x.Evidence.Connections[i]
		para(plain, "", "connection "+report.ShowRef(detect.Ref{ID: c.ID, Incarnation: c.Incarnation}))
		for j := range c.Frames {
			para(plain, "  ", fmt.Sprintf("frame %d: %s", c.Frames[j].Frame, c.Frames[j].Text))
		}
	}
	if more := x.Evidence.Total - len(x.Evidence.Connections); more > 0 {
		para(faint, "", fmt.Sprintf("and %d more", more))
	}
	if x.Wireshark != "" {
		lines = append(lines, line{}, textLine(strong, "Wireshark"))
		para(plain, "", x.Wireshark)
	}
	return slices.Clip(lines)
}

// span is how long it is from one moment in ns to another.
func spanOf(from, to int64) string { return report.ShowSpan(time.Duration(max(to-from, 0))) }
