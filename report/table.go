package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"tcpstate/tracker"
)

var tableFormat = &Format{
	Name:  "table",
	Doc:   "the report for people",
	Parts: PartSummary | PartFindings | PartServices | PartTop,
	Can:   PartSummary | PartFindings | PartConnections | PartTransitions | PartStates | PartServices | PartTop,
	New:   newTable,
	Interim: func(e *Env) Formatter {
		o := newTable(e).(*table)
		o.interim, o.parted = true, true
		return o
	},
}

func newTable(e *Env) Formatter {
	o := &table{Env: e, all: best[row]{n: e.Limit, cmp: byID}, top: newTop(e.Limit)}
	if e.Sort != nil {
		o.sorted = best[keyed]{n: e.Limit, cmp: e.Sort.by()}
	}
	return o
}

// table is the report for people. However long the capture, it keeps no more
// than Limit rows of each kind, and what top keeps.
type table struct {
	*Env
	all         best[row]            // PartConnections in the order of their numbers
	sorted      best[keyed]          // the same, and PartTop, with --sort
	top         *top                 // PartTop without
	x           keyed                // the one that is offered; reused
	total       uint64               // connections
	transitions []tracker.Transition // the first Limit
	moreTrans   uint64
	start       time.Time // of the capture
	day         string
	oneDay      bool
	parted      bool // a part was printed
	interim     bool // of a live capture that goes on
}

func (o *table) Begin(*Capture) {}

func (o *table) Transition(t *tracker.Transition) {
	if len(o.transitions) >= o.Limit {
		o.moreTrans++
		return
	}
	o.transitions = append(o.transitions, *t)
}

func (o *table) Connection(c *Conn) {
	o.total++
	if o.Sort != nil {
		o.x.value = o.Sort.value(c.Record())
		o.x.fill(c)
		o.sorted.offer(&o.x)
		return
	}
	if o.Parts.Has(PartConnections) {
		o.x.fill(c)
		o.all.offer(&o.x.row)
	}
	if o.Parts.Has(PartTop) {
		o.top.offer(c)
	}
}

// rows are those of a part, from what is kept for it.
func (o *table) chosen(f *Final, p Parts) []row {
	switch {
	case o.Sort != nil:
		var rows []row
		for _, x := range o.sorted.sorted() {
			rows = append(rows, x.row)
		}
		return rows
	case p == PartTop:
		return o.top.sorted(f)
	}
	return o.all.sorted()
}

func (o *table) End(f *Final) {
	o.span(f.Summary)
	if !o.Quiet {
		if o.parted {
			o.printf("\n") // what was printed at intervals stands above
		}
		o.captureLine(f)
	}
	if o.Parts.Has(PartFindings) {
		o.findings(f)
	}
	if o.Parts.Has(PartSummary) {
		o.states(f.Summary)
		o.closes(f.Summary)
		if !o.Parts.Has(PartFindings) {
			o.printf("  findings: %s\n", WorstFirst(f.Summary.Findings))
		}
	}
	if o.Parts.Has(PartStates) {
		o.series(f)
	}
	if o.Parts.Has(PartServices) {
		o.services(f)
	}
	if o.Parts.Has(PartTop) {
		o.connections("Connections to look at first", o.chosen(f, PartTop), f)
	}
	if o.Parts.Has(PartConnections) {
		o.connections("Connections", o.chosen(f, PartConnections), f)
	}
	if o.Parts.Has(PartTransitions) {
		o.changes()
	}
}

func (o *table) printf(format string, a ...any) { fmt.Fprintf(o.W, format, a...) }

// captureLine is the first line: files, packets, segments, span, quality.
func (o *table) captureLine(f *Final) {
	names := fileNames(f.Capture, Printable)
	if o.interim {
		names += ", interim report"
	}
	o.printf("%s: %s; %s\n", o.bold(names), o.size(f.Summary), o.quality(f.Summary))
	if o.Verbose {
		o.details(f)
	}
}

// fileNames lists the first files, made fit by fit.
func fileNames(c *Capture, fit func(string) string) string {
	names := make([]string, 0, 3)
	for _, x := range c.Files {
		if len(names) == 2 && len(c.Files) > 3 {
			names = append(names, fmt.Sprintf("and %d more", len(c.Files)-2))
			break
		}
		names = append(names, fit(string(x.Name)))
	}
	return strings.Join(names, ", ")
}

// size is how much was captured.
func (o *table) size(s *Summary) string {
	line := fmt.Sprintf("%s, %s, %s", plural(s.Packets, "packet"), plural(s.Segments, "TCP segment"), plural(s.Connections, "connection"))
	if s.Quality.Start != nil {
		line += fmt.Sprintf(", %s from %s", showSpan(s.Quality.Span), o.when(o.start))
	}
	return line
}

// quality is what the reader should know before trusting the numbers.
func (o *table) quality(s *Summary) string {
	q := &s.Quality
	var l []string
	for _, x := range []struct {
		n    uint64
		text string
	}{
		{q.Dropped + q.IfDropped, "lost by the capture"}, {s.Skipped.Sum(), "not analysed"}, {q.Copies, "seen twice"},
		{q.TimeBack, "dated back"}, {s.Folded, "folded"}, {s.Evicted, "evicted"},
		{q.Undecided, "transitions given up"}, {q.Joined, "holes hidden"}, {q.Untold, "segments not kept"},
	} {
		if x.n > 0 {
			l = append(l, showCount(x.n)+" "+x.text)
		}
	}
	if len(q.Damage) > 0 {
		l = append(l, "damaged input")
	}
	if l == nil {
		return allThere
	}
	return o.warn(strings.Join(l, ", "))
}

// allThere is the quality of a capture that nothing is amiss with.
const allThere = "nothing lost"

// details are the files one by one and the reasons for what was left out (-v).
func (o *table) details(f *Final) {
	for _, x := range f.Capture.Files {
		format := strings.TrimSpace(x.Format + " " + x.Compression)
		o.printf("  %s: %s, %s, snap length %d\n", Printable(string(x.Name)), format, Printable(strings.Join(x.LinkTypes, ", ")), x.SnapLen)
	}
	for _, k := range f.Summary.Skipped {
		o.printf("  not analysed: %s %s\n", showCount(k.N), k.Name)
	}
	for _, d := range f.Summary.Quality.Damage {
		o.printf("  damage: %s at byte %d of %s\n", d.Reason, d.Offset, Printable(string(d.File)))
	}
}

// when shows a time as --time wants it, in full.
func (o *table) when(t time.Time) string {
	switch o.Clock {
	case ClockUTC, ClockRelative: // relative to what, one wants to know
		return ClockUTC.Show(t, o.start, nil) + " UTC"
	}
	return o.Clock.Show(t, o.start, o.Zone)
}

// brief is when without the date, if the whole capture has but one.
func (o *table) brief(t time.Time) string {
	text := o.Clock.Show(t, o.start, o.Zone)
	if day, rest, ok := strings.Cut(text, " "); ok && o.oneDay && day == o.day {
		return rest
	}
	return text
}

// span notes when the capture began, and whether it ended on the same day.
func (o *table) span(s *Summary) {
	if s.Quality.Start == nil {
		return
	}
	o.start = time.Time(*s.Quality.Start)
	o.day, _, _ = strings.Cut(o.Clock.Show(o.start, o.start, o.Zone), " ")
	last, _, _ := strings.Cut(o.Clock.Show(time.Time(*s.Quality.End), o.start, o.Zone), " ")
	o.oneDay = o.day == last
}

func (o *table) title(text string) {
	o.gap()
	o.printf("%s\n", o.bold(text))
}

// gap keeps a part apart from what stands above it; with -q nothing stands above
// the first.
func (o *table) gap() {
	if !o.Quiet || o.parted {
		o.printf("\n")
	}
	o.parted = true
}

func (o *table) states(s *Summary) {
	o.title("States at the end of the capture (endpoints)")
	g := o.statesGrid(s)
	if len(g.rows) == 0 {
		o.printf("  none\n")
		return
	}
	o.printf("%s", g.text("  ", &o.Style))
}

func (o *table) statesGrid(s *Summary) *grid {
	g := &grid{heads: []string{"state", ">confirmed", ">presumed", ">elapsed", ">peak", "peak at"}}
	for _, c := range s.States {
		if c.Peak == 0 && c.Confirmed+c.Presumed+c.Elapsed == 0 {
			continue
		}
		at := "-"
		if c.Peak > 0 {
			at = o.brief(c.PeakTime)
		}
		g.add(c.State, dash(c.Confirmed), dash(c.Presumed), dash(c.Elapsed), dash(c.Peak), at)
	}
	return g
}

func (o *table) closes(s *Summary) {
	o.title("How connections ended")
	g := closesGrid(s)
	if len(g.rows) == 0 {
		o.printf("  none\n")
	} else {
		o.printf("%s", g.text("  ", &o.Style))
	}
	for _, line := range closesLines(s) {
		o.printf("  %s\n", line)
	}
}

func closesGrid(s *Summary) *grid {
	g := &grid{heads: []string{"close", ">connections", ">share"}}
	kinds := slices.Clone(s.Close)
	slices.SortStableFunc(kinds, func(a, b Count) int { return cmp.Compare(b.N, a.N) })
	for _, c := range kinds {
		if c.N > 0 {
			g.add(c.Name, showCount(c.N), fmt.Sprintf("%.1f %%", 100*float64(c.N)/float64(s.Connections)))
		}
	}
	return g
}

// closesLines are what there is to say of the ends of connections besides their kinds.
func closesLines(s *Summary) (l []string) {
	if s.Folded > 0 {
		l = append(l, fmt.Sprintf("folded: %s without a record (memory bound)", plural(s.Folded, "connection")))
	}
	if s.Evicted > 0 {
		l = append(l, fmt.Sprintf("evicted: %s, told of before the end, forgotten after it, or not searched for findings (memory bound)", plural(s.Evicted, "connection")))
	}
	if n := s.Quality.Undecided; n > 0 {
		l = append(l, fmt.Sprintf("given up: %s, before it was known whether --where keeps the connection (memory bound)", plural(n, "transition")))
	}
	if n := s.Quality.Joined; n > 0 {
		l = append(l, fmt.Sprintf("hidden: %s, of directions with more than are held", plural(n, "hole")))
	}
	if n := s.Quality.Untold; n > 0 {
		l = append(l, fmt.Sprintf("not kept: %s that findings would have looked at, of connections with many", plural(n, "segment")))
	}
	if s.Close.Sum() == 0 {
		return l
	}
	first := strings.Replace(listCounts(s.ClosedFirst, ""), "none", "nobody", 1)
	return append(l, "closed first: "+first, "begun before the capture: "+showCount(s.Quality.Midstream), "resets: "+listCounts(s.Resets, "none"))
}

func (o *table) services(f *Final) {
	o.title("Services")
	o.rows(o.servicesGrid(f), uint64(f.Services.Len()))
}

func (o *table) servicesGrid(f *Final) *grid {
	g := &grid{heads: []string{"server", ">connections", "closes", "server ends in", "client ends in", "resets", ">handshake p50", ">p99"}}
	for i := range min(f.Services.Len(), o.Limit) {
		v := f.Services.At(i)
		client, server := Counts{}, Counts{}
		for _, s := range v.States {
			client = append(client, Count{s.State, s.Client})
			server = append(server, Count{s.State, s.Server})
		}
		g.add(v.Name(), showCount(v.Connections), most(v.Close), most(server), most(client), most(v.Resets),
			showSpan(v.Handshake.P50), showSpan(v.Handshake.P99))
	}
	return g
}

func (o *table) connections(title string, rows []row, f *Final) {
	o.title(title)
	o.rows(o.connectionsGrid(rows, f), o.total)
}

// connectionsGrid is a table of some of the connections. The findings have a column
// where there are any.
func (o *table) connectionsGrid(rows []row, f *Final) *grid {
	g := &grid{heads: []string{">id", "client", "state", "server", "state", "close", "by", "reset", ">duration", "start"}}
	some := slices.ContainsFunc(rows, func(r row) bool { return len(f.Of(r.ref())) > 0 })
	if some {
		g.heads = append(g.heads, "findings")
	}
	for i := range rows {
		r := &rows[i]
		cells := []string{recordName(r.ref())}
		for j := range r.ends {
			e := &r.ends[j]
			cells = append(cells, e.addr().String(), showState(e.state, e.certainty))
		}
		cells = append(cells, r.close.String(), cmp.Or(who(r.by), "-"), cmp.Or(r.reset.String(), "-"),
			showSpan(seconds(r.duration)), o.brief(instant(r.start)))
		if some {
			cells = append(cells, cmp.Or(strings.Join(f.Of(r.ref()), " "), "-"))
		}
		g.add(cells...)
	}
	return g
}

func (o *table) changes() {
	o.title("Transitions")
	o.rows(o.changesGrid(), uint64(len(o.transitions))+o.moreTrans)
}

func (o *table) changesGrid() *grid {
	g := &grid{heads: []string{"time", ">frame", ">id", "end", "endpoint", "from", "to", "certainty", "rule"}}
	for i := range o.transitions {
		t := &o.transitions[i]
		g.add(o.brief(instant(t.Time)), dash(t.Frame), fmt.Sprint(t.ID), role(t.Client), t.Key.End(t.Side).String(),
			t.From.String(), t.To.String(), t.Certainty.String(), t.Rule.Name())
	}
	return g
}

// rows prints the grid and says how many rows of total it leaves out.
func (o *table) rows(g *grid, total uint64) {
	if total == 0 {
		o.printf("  none\n")
		return
	}
	if len(g.rows) > 0 {
		o.printf("%s", g.text("  ", &o.Style))
	}
	o.more(total-uint64(len(g.rows)), "-o csv or -o ndjson all")
}

// more says how many rows were left out, and what shows all.
func (o *table) more(n uint64, all string) {
	if n > 0 {
		o.printf("  %s\n", o.dim(fmt.Sprintf("… %s more (--limit N shows more, %s)", showCount(n), all)))
	}
}

// dash is the number, or - for none.
func dash(n uint64) string {
	if n == 0 {
		return "-"
	}
	return showCount(n)
}

// listCounts writes "client 3, server 1", leaving out what is 0.
func listCounts(c Counts, none string) string {
	var l []string
	for _, x := range c {
		if x.N > 0 {
			l = append(l, x.Name+" "+showCount(x.N))
		}
	}
	if l == nil {
		return none
	}
	return strings.Join(l, ", ")
}

// most lists the largest three counts.
func most(c Counts) string {
	c = slices.DeleteFunc(slices.Clone(c), func(x Count) bool { return x.N == 0 })
	slices.SortStableFunc(c, func(a, b Count) int { return cmp.Compare(b.N, a.N) })
	if len(c) > 3 {
		return listCounts(c[:3], "-") + " …"
	}
	return listCounts(c, "-")
}
