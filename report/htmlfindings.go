package report

import (
	"math"
	"slices"
	"strings"
	"time"

	"tcpstate/report/detect"
	"tcpstate/report/page"
)

// What the page says of the findings.

// findings are those of each id in turn as far as there is room, the most severe first.
func (w *pageWriter) findings() {
	all := w.f.Findings
	may := allowance(all, pageFindings)
	left := Counts{}
	for i := range all {
		f := &all[i]
		if may[f.ID] == 0 {
			left.count(f.ID)
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
			for _, f := range w.shown[i:] {
				left.count(f.ID)
			}
			w.shown = w.shown[:i]
			break
		}
		w.p.Findings = append(w.p.Findings, x)
		w.marked(f)
	}
	if n := left.Sum(); n > 0 {
		w.leave("Of %s findings, %d are shown. Left out: %s. tcpstate -o ndjson --show findings FILE lists all.",
			showCount(uint64(len(all))), len(w.shown), listCounts(left, ""))
	}
	var hidden []string
	if n := left.Sum(); n > 0 {
		hidden = append(hidden, showCount(n)+" more left out for want of room")
	}
	if w.f.Hidden > 0 {
		hidden = append(hidden, showCount(uint64(w.f.Hidden))+" below --min-severity")
	}
	w.p.Hidden = strings.Join(hidden, ", ")
}

// count counts one more of a name.
func (c *Counts) count(name string) {
	for i := range *c {
		if (*c)[i].Name == name {
			(*c)[i].N++
			return
		}
	}
	*c = append(*c, Count{name, 1})
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
		value := metric(m.Value, "-")
		if m.Name == "peak_at" && m.Value > 0 { // seconds since 1970, which a number holds to the microsecond
			value = w.words.brief(time.UnixMicro(int64(math.Round(m.Value * 1e6))))
		}
		p.Metrics = append(p.Metrics, page.Fact{Name: strings.ReplaceAll(m.Name, "_", " "), Value: value})
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
