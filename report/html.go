package report

import (
	"fmt"
	"slices"

	"tcpstate/report/detect"
	"tcpstate/report/page"
	"tcpstate/tracker"
)

var htmlFormat = &Format{
	Name:    "html",
	Doc:     "one page for a browser, with charts and ladders",
	Parts:   PartSummary | PartFindings | PartConnections | PartServices | PartStates,
	Can:     PartSummary | PartFindings | PartConnections | PartServices | PartStates,
	Ordered: true,
	Draws:   true,
	New:     newHTML,
}

func newHTML(e *Env) Formatter {
	return &html{Env: e, words: &table{Env: e}, pick: newPick(pageRows)}
}

// html is the report as a page. However long the capture, it keeps what newPick and
// trailKeep bound, and writes at most pageOctets.
type html struct {
	*Env
	words  *table // for how times and numbers are said
	pick   *pick
	trails *trailKeep // nil: ladders are drawn by Final.Draw
	total  uint64     // connections
}

// What one page holds at most. A browser shows it at once, and a mail carries it.
const (
	pageOctets   = 5_000_000
	pageRows     = 2000
	pageFindings = 300
	pageServices = 50
	pagePoints   = 1000
	pageLadders  = 200
	// pagePlain of these are of connections without a finding.
	pagePlain = 20
	pageBars  = 500
	// pageText bounds what comes from outside, in characters.
	pageText = 300
)

func (o *html) Begin(*Capture) {}

func (o *html) Transition(*tracker.Transition) {}

func (o *html) Connection(c *Conn) {
	o.total++
	o.pick.offer(c)
}

// passes: see passer.
func (o *html) passes(s *tracker.Silent, signs tracker.Sign, known bool) bool {
	if !o.pick.passes(s, signs, known) {
		return false
	}
	o.total++
	return true
}

// keep takes a case of which a ladder may be wanted, see keeper.
func (o *html) keep(c *tracker.Case) {
	if o.trails == nil {
		o.trails = newTrailKeep()
	}
	o.trails.add(c)
}

func (o *html) End(f *Final) { o.fill(f).fit() }

// fill makes the page, as if there were room for all of it.
func (o *html) fill(f *Final) *pageWriter {
	o.words.span(f.Summary)
	w := &pageWriter{html: o, f: f, p: page.Page{Generator: bounded(o.Program)}, evident: map[detect.Ref]bool{}}
	w.p.Unjudged = !w.Parts.Has(PartFindings)
	w.head()
	if w.Parts.Has(PartSummary) {
		w.summary()
	}
	if w.Parts.Has(PartServices) {
		w.services()
	}
	if w.Parts.Has(PartFindings) {
		w.findings()
	}
	if w.Parts.Has(PartStates) {
		w.series()
	}
	if w.Parts.Has(PartConnections) || w.Parts.Has(PartFindings) {
		w.connections()
		w.ladders()
	}
	w.axis()
	return w
}

// pageWriter fills one page.
type pageWriter struct {
	*html
	f       *Final
	p       page.Page
	shown   []*detect.Finding // worded, those on the page
	marks   map[uint64][]string
	evident map[detect.Ref]bool // connections that are evidence of those
	rows    []pageRow
	// concerned are the connections with findings that are worth a ladder; of those worth one,
	// evidents come first that are evidence. drawn are those that are on the page.
	concerned map[detect.Ref]bool
	evidents  int
	drawn     []*pageLadder
}

// bounded makes text from outside fit for the page: printable, and not longer than anybody reads.
func bounded(s string) string {
	s = Printable(s)
	if r := []rune(s); len(r) > pageText {
		return string(r[:pageText-1]) + "…"
	}
	return s
}

// leave says on the page what is not on it.
func (w *pageWriter) leave(format string, a ...any) {
	w.p.Left = append(w.p.Left, fmt.Sprintf(format, a...))
}

// allowance is how many of the findings of each id are shown, so that there are at most n
// and no id is crowded out by another.
func allowance(found []detect.Finding, n int) map[string]int {
	have := map[string]int{}
	var ids []string
	for i := range found {
		if have[found[i].ID]++; have[found[i].ID] == 1 {
			ids = append(ids, found[i].ID)
		}
	}
	may := map[string]int{}
	slices.SortFunc(ids, func(a, b string) int { return have[a] - have[b] })
	for i, id := range ids {
		may[id] = min(have[id], n/(len(ids)-i))
		n -= may[id]
	}
	return may
}
