package report

import (
	"bytes"
	"slices"

	"tcpstate/report/page"
)

// What the parts of the page may take, in octets, by estimates that are on the high side.
const (
	shareFindings = 1_000_000
	shareRows     = 1_100_000
	shareLadders  = 2_300_000
)

// About what these take on the page besides their text.
const (
	rowOctets     = 220
	ruleOctets    = 60
	connOctets    = 420
	spanOctets    = 14
	findingOctets = 1500
	frameOctets   = 130
)

// findingSize is about what a finding takes.
func findingSize(f *page.Finding) int {
	n := findingOctets + len(f.Explanation) + len(f.Advice) + 2*len(f.Subject) + len(f.Wireshark)
	for i := range f.Evidence {
		n += frameOctets
		for _, x := range f.Evidence[i].Frames {
			n += frameOctets + len(x.Text)
		}
	}
	return n + 60*len(f.Metrics)
}

// connSize is about what a row of the table takes.
func connSize(c *page.Connection) int {
	n := connOctets + 2*(len(c.Client)+len(c.Server)) + spanOctets*(len(c.Bar[0])+len(c.Bar[1]))
	for _, f := range c.Findings {
		n += 2 * len(f)
	}
	return n
}

// fit writes the page, with as much left out as makes it fit.
func (w *pageWriter) fit() {
	left := len(w.p.Left)
	for {
		w.placed()
		w.p.Left = w.p.Left[:left]
		w.sayLeft()
		var b bytes.Buffer
		b.Grow(pageOctets / 4)
		if err := page.Write(&b, &w.p); err != nil {
			panic(err) // a bytes.Buffer takes all
		}
		if b.Len() <= pageOctets || !w.shrink(b.Len()-pageOctets) {
			w.W.Write(b.Bytes())
			return
		}
	}
}

// axis says when the axis of time begins, where times are not those of UTC.
func (w *pageWriter) axis() {
	if w.Clock == ClockUTC {
		return
	}
	var times []int64
	if w.p.Series != nil {
		times = append(times, w.p.Series.Start)
	}
	for i := range w.p.Connections {
		times = append(times, w.p.Connections[i].Start)
	}
	if len(times) > 0 {
		w.p.Start = w.words.when(instant(slices.Min(times)))
	}
}

// shrink leaves out about so many octets more: ladders first, then rows and findings. It
// reports whether anything was left to leave out.
func (w *pageWriter) shrink(over int) bool {
	for n := 0; n <= over; {
		switch {
		case len(w.drawn) > 0:
			n += ladderOctets(&w.drawn[len(w.drawn)-1].ladder, ladderCaps[0]) / 2
			w.drawn = w.drawn[:len(w.drawn)-1]
		case len(w.p.Connections) > 0:
			n += connOctets
			w.p.Connections = w.p.Connections[:len(w.p.Connections)-1]
		case len(w.p.Findings) > 0:
			n += findingOctets
			w.p.Findings = w.p.Findings[:len(w.p.Findings)-1]
		default:
			return n > 0
		}
	}
	return true
}

// sayLeft says what of findings and connections is not on the page.
func (w *pageWriter) sayLeft() {
	if w.Parts.Has(PartFindings) {
		w.sayFindingsLeft()
	}
	if n := w.p.Total; w.Parts.Has(PartConnections) && uint64(len(w.p.Connections)) < n {
		w.leave("The table has %s of %s connections, those with findings first: tcpstate -o csv FILE lists all.",
			showCount(uint64(len(w.p.Connections))), showCount(n))
	}
	on, evident, concerned := map[string]bool{}, 0, 0
	for i := range w.p.Ladders {
		on[w.p.Ladders[i].ID] = true
	}
	for r := range w.concerned {
		switch {
		case on[recordName(r)]:
		case w.evident[r]:
			evident++
		default:
			concerned++
		}
	}
	how := "tcpstate explain --stream N FILE draws the ladder of connection N"
	reason := ""
	if w.f.Draw == nil {
		how = "from a file, " + how
		reason = " The capture could not be read a second time: ladders are drawn from the segments that were kept for the findings, and those of ordinary data are not among them."
	}
	switch {
	case evident > 0 && concerned > 0:
		w.leave("%s that are evidence of a finding, and %s with findings, have no ladder here: %s.%s",
			plural(uint64(evident), "connection"), plural(uint64(concerned), "other"), how, reason)
	case evident+concerned > 0:
		w.leave("%s with findings %s no ladder here: %s.%s", plural(uint64(evident+concerned), "connection"), has(evident+concerned), how, reason)
	case reason != "" && len(w.p.Ladders) > 0:
		w.leave("%s", reason[1:])
	}
}

func has(n int) string {
	if n == 1 {
		return "has"
	}
	return "have"
}
