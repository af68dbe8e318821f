package report

import (
	"slices"
	"strings"

	"tcpstate/report/detect"
	"tcpstate/report/page"
)

// What the page says of the findings.

// findings are those of each id in turn as far as there is room, the most severe first.
func (w *pageWriter) findings() {
	all := w.f.Findings
	may := allowance(all, pageFindings)
	for i := range all {
		f := &all[i]
		if may[f.ID] == 0 {
			continue
		}
		may[f.ID]--
		w.shown = append(w.shown, f.Worded())
	}
	w.marks = map[uint64][]string{}
	room := shareFindings
	for i, f := range w.shown {
		x := w.finding(f)
		if room -= findingSize(&x); room < 0 {
			w.shown = w.shown[:i]
			break
		}
		w.p.Findings = append(w.p.Findings, x)
		w.marked(f)
	}
}

// sayFindingsLeft says which findings are not on the page.
func (w *pageWriter) sayFindingsLeft() {
	left := Counts{}
	for i := range w.f.Findings {
		left.count(w.f.Findings[i].ID, 1)
	}
	for i := range w.p.Findings {
		left.count(w.p.Findings[i].ID, -1)
	}
	left = slices.DeleteFunc(left, func(c Count) bool { return c.N == 0 })
	var hidden []string
	if n := left.Sum(); n > 0 {
		w.leave("Of %s findings, %d are shown. Left out: %s. tcpstate -o ndjson --show findings FILE lists all.",
			showCount(uint64(len(w.f.Findings))), len(w.p.Findings), listCounts(left, ""))
		hidden = append(hidden, showCount(n)+" more left out for want of room")
	}
	if w.f.Hidden > 0 {
		hidden = append(hidden, showCount(uint64(w.f.Hidden))+" below --min-severity")
	}
	w.p.Hidden = strings.Join(hidden, ", ")
}

// count counts n more of a name, or fewer.
func (c *Counts) count(name string, n int) {
	for i := range *c {
		if (*c)[i].Name == name {
			(*c)[i].N += uint64(n)
			return
		}
	}
	*c = append(*c, Count{name, uint64(n)})
}

func (w *pageWriter) finding(f *detect.Finding) page.Finding {
	p := page.Finding{ID: f.ID, Severity: f.Severity.String(), Subject: bounded(f.Subject), Count: uint64(f.Count),
		Blame: string(blame(f)), Explanation: Printable(f.Explanation), Advice: Printable(f.Advice), Wireshark: Printable(f.Wireshark)}
	if !f.First.IsZero() {
		p.First, p.Last = f.First.UnixNano(), f.Last.UnixNano()
		p.When = w.words.brief(f.First)
		if f.Last.After(f.First) {
			p.When += " to " + w.words.brief(f.Last)
		}
	}
	for _, s := range []struct{ who, saw string }{{"client", f.SeenBy.Client}, {"server", f.SeenBy.Server}} {
		if s.saw != "" {
			p.SeenBy = append(p.SeenBy, page.Fact{Name: s.who, Value: s.saw})
		}
	}
	for _, m := range f.Metrics {
		name, value := metricWords(m, w.words.brief)
		p.Metrics = append(p.Metrics, page.Fact{Name: name, Value: value})
	}
	for i := range f.Evidence.Connections {
		c := &f.Evidence.Connections[i]
		e := page.Evidence{Connection: recordName(provenRef(c))}
		for _, x := range c.Frames {
			e.Frames = append(e.Frames, page.Frame{N: x.Frame, Text: bounded(x.Text)})
		}
		p.Evidence = append(p.Evidence, e)
	}
	p.More = uint64(max(f.Evidence.Total-len(f.Evidence.Connections), 0))
	return p
}

// marked notes what the evidence of a finding on the page is.
func (w *pageWriter) marked(f *detect.Finding) {
	for i := range f.Evidence.Connections {
		c := &f.Evidence.Connections[i]
		w.evident[provenRef(c)] = true
		for _, x := range c.Frames {
			w.mark(x.Frame, f.ID+": "+bounded(x.Text))
		}
	}
}

func provenRef(c *detect.Proven) detect.Ref { return detect.Ref{ID: c.ID, Incarnation: c.Incarnation} }

// mark notes what a finding says of a frame.
func (w *pageWriter) mark(frame uint64, text string) {
	if l := w.marks[frame]; len(l) < pageMarks && !slices.Contains(l, text) {
		w.marks[frame] = append(l, text)
	}
}

// pageMarks is how much is said of one frame.
const pageMarks = 6

// connections are the rows of the table.
func (w *pageWriter) connections() {
	w.p.Total = w.f.Summary.Connections
	w.rows = w.pick.sorted(w.f, w.evident)
	if !w.Parts.Has(PartConnections) {
		return
	}
	worst, room := worstByID(w.f.Findings), shareRows
	for i := range w.rows {
		r := &w.rows[i]
		ids := w.f.Of(r.ref())
		c := page.Connection{ID: recordName(r.ref()), Start: r.start, End: r.start + r.duration,
			When: w.words.brief(instant(r.start)), Took: showSpan(seconds(r.duration)),
			Client: r.ends[0].addr().String(), Server: r.ends[1].addr().String(),
			Close: r.close.String(), By: who(r.by), Packets: r.packets, Bytes: r.bytes, Findings: ids}
		for j := range c.Ends {
			c.Ends[j] = page.State{Name: r.ends[j].state.String(), Certainty: r.ends[j].certainty.String()}
		}
		if n := worst.of(ids); n > 0 {
			c.Worst = detect.Severity(n - 1).String()
		}
		if room -= connSize(&c); room < 0 {
			break
		}
		w.p.Connections = append(w.p.Connections, c)
	}
}
