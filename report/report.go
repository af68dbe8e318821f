package report

import (
	"bufio"
	"slices"
	"time"

	"tcpstate/capture"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// Options say what is reported and how it looks.
type Options struct {
	Selection
	Style
	Outputs []Output
	// Detect says what findings are looked for. None are if no output tells of
	// them, unless Judge is set: then the caller wants to know (Reaching).
	Detect detect.Options
	Judge  bool
	// Live makes it the report of a capture that goes on; nil for any other.
	Live *LiveOptions
	// Chosen, if it is set, is told each life that the Selection keeps, at the latest
	// before End returns. The life is valid during the call.
	Chosen func(*tracker.Life)
	// Draw makes the ladders of lives that are over, by reading the capture again; nil
	// where that cannot be. A life that it does not find has none.
	Draw func(lives []*tracker.Life) map[detect.Ref]*Ladder
	// MaxMemory is what connections may take, octets; 0 for no bound. What a Report keeps for
	// a Selection is bounded by parts of it.
	MaxMemory int64
	// Step is the time between the points of a Series; 0: a part of the capture's length.
	Step time.Duration
}

// Report turns what a tracker finds into outputs. Begin comes first, then the
// tracker runs with Observer, then Ending, the tracker's Finish and End.
type Report struct {
	opts     Options
	outs     []sink
	window   window
	conn     Conn // the life being handled; reused
	told     bool // somebody is told of lives
	settled  bool // and of none before its findings are known
	hold     *hold
	waiting  []waiting // with a --where that speaks of findings only
	tally    tally
	serv     *services
	census   *census // of the selection; nil when the tracker's own is right
	series   *series // nil if no output wants one
	made     *Series // of it
	findings findings
	capture  *Capture
	quiet    tracker.Life // a silent one that is shown; reused
	still    tracker.Case // likewise
	live     *live        // nil but in a live capture
	aside    Conn         // a life that is looked at and not handled; reused
	err      error
}

// waiting is a life over which --where cannot decide before the findings are known.
// All that were told until then are kept, some 400 octets each.
type waiting struct {
	life tracker.Life
	row  uint32 // of hold, if there is one
}

// sink is one output at work.
type sink struct {
	Formatter
	w     *bufio.Writer
	parts Parts
	pass  passer // the Formatter, or nil
}

// New makes a report. Nothing is written before Begin.
func New(opts Options) *Report {
	r := &Report{opts: opts, serv: newServices()}
	for _, o := range opts.Outputs {
		e := &Env{W: bufio.NewWriterSize(o.W, outputBuffer), Parts: o.Parts, Style: opts.Style}
		e.Color = o.Color
		s := sink{Formatter: o.Format.New(e), w: e.W, parts: o.Parts}
		if o.Format.Whole {
			s.parts = 0 // it makes its own rows
		}
		if o.Format.Draws && s.parts&(PartConnections|PartFindings) != 0 {
			s.parts = s.parts&^PartConnections | PartTop // nobody asks it for Zeek's words
		}
		if k, ok := s.Formatter.(keeper); ok && opts.Draw == nil && s.parts.Has(PartTop) {
			r.findings.keepers = append(r.findings.keepers, k)
		}
		r.outs = append(r.outs, s)
	}
	r.tally.all, r.serv.all = !opts.Active(), !opts.Active()
	byFinding := opts.Where != nil && opts.Where.findings
	r.settled = byFinding
	for _, o := range opts.Outputs {
		r.settled = r.settled || o.Format.Settled
	}
	r.told = r.shows(PartConnections | PartTop)
	if r.shows(PartStates) || slices.ContainsFunc(opts.Outputs, func(o Output) bool { return o.Format.Series }) {
		r.series = newSeries(opts.Step, r.seriesFit())
	}
	if opts.Active() && (r.series != nil || r.shows(PartSummary)) {
		r.census = &census{}
		if opts.Live != nil {
			r.census.most = censusMost
		}
	}
	if opts.Where != nil && r.transitions() {
		r.hold = newHold(opts.MaxMemory/holdShare, r.shows(PartTransitions), r.held)
	}
	if opts.Judge || byFinding || r.shows(wanted) {
		r.findings.engine = detect.New(opts.Detect)
	}
	switch {
	case opts.Live != nil:
		r.live = newLive(r, opts.Live)
		r.findings.now = r.live.findingsOf
	case byFinding:
		r.findings.kept = map[detect.Ref]bool{}
	}
	return r
}

// seriesFit is how many points the series is to have where no step is asked for.
func (r *Report) seriesFit() int {
	for i, o := range r.opts.Outputs {
		if o.Format.Series || r.outs[i].parts.Has(PartStates) && !o.Format.Draws {
			return seriesFit
		}
	}
	return pagePoints
}

// shows reports whether any output shows one of the parts.
func (r *Report) shows(p Parts) bool {
	for _, o := range r.outs {
		if o.parts&p != 0 {
			return true
		}
	}
	return false
}

// transitions reports whether transitions are needed at all.
func (r *Report) transitions() bool { return r.shows(PartTransitions) || r.census != nil }

// Holding is the part of Options.MaxMemory that the Report may take for itself, octets.
func (r *Report) Holding() int64 {
	if r.hold == nil {
		return 0
	}
	return r.hold.most
}

// Observer is what the tracker should call.
func (r *Report) Observer() tracker.Observer {
	o := tracker.Observer{Life: r.life, Zeek: r.opts.Where != nil || r.shows(PartConnections)}
	if r.transitions() {
		o.Transition = r.transition
	}
	switch {
	case r.census != nil:
		o.Opened = r.opened
	case r.series != nil:
		o.Moved = r.series.move
	}
	if r.findings.engine != nil {
		o.Case, o.Cases, o.Trails = r.examine, r.cases, r.findings.engine.Trails()
	}
	r.silence(&o)
	return o
}

// Begin writes what comes first. st are the source's statistics after its
// first batch.
func (r *Report) Begin(st *capture.Stats) {
	r.window = r.opts.window(st.First)
	r.capture = NewCapture(st)
	if r.series != nil && !r.series.begun && st.Packets > 0 {
		r.series.first = st.First
		if r.census == nil {
			r.series.begin(st.First, &[tracker.NumStates]uint64{})
		} else {
			r.census.series = r.series
		}
	}
	for _, o := range r.outs {
		o.Begin(r.capture)
	}
}

// Batch hands a batch to the outputs that read segments themselves. It is
// called after the tracker has seen the batch.
func (r *Report) Batch(b *capture.Batch) {
	for _, o := range r.outs {
		if br, ok := o.Formatter.(BatchReader); ok {
			br.Batch(b)
		}
	}
}

func (r *Report) transition(t *tracker.Transition) {
	if !r.opts.stream(t.ID) || r.census == nil && !r.window.has(t.Time) {
		return // the census needs what came before the window, too
	}
	if r.hold != nil && !r.hold.whole && (t.From == t.To || t.Time > r.window.until) {
		return // and no more than changes of state up to its end
	}
	if r.hold != nil {
		r.hold.transition(t)
		return
	}
	r.emitTransition(t)
}

// opened counts a 4-tuple that is new, which a selection that knows of transitions only
// would not.
func (r *Report) opened(t *tracker.Transition) {
	switch {
	case !r.opts.stream(t.ID):
	case r.hold != nil:
		r.hold.opened(t)
	default:
		r.census.opened(t.Time, t.Key.Self(), r.window)
	}
}

func (r *Report) emitTransition(t *tracker.Transition) {
	if r.census != nil {
		r.census.transition(t, r.window)
	}
	if !r.window.has(t.Time) {
		return
	}
	for i := range r.outs {
		if o := &r.outs[i]; o.parts.Has(PartTransitions) {
			o.Transition(t)
		}
	}
}

func (r *Report) life(l *tracker.Life) {
	var row uint32
	if r.hold != nil {
		row = r.hold.life(l.ID)
	}
	if r.live == nil && r.settled && !r.findings.asked {
		r.waiting = append(r.waiting, waiting{*l, row})
		return
	}
	r.decide(l, row)
}

// decide reports a life if it is to be; row is its place in hold.
func (r *Report) decide(l *tracker.Life, row uint32) {
	c := &r.conn
	c.set(l, r.findings.shown(l))
	if r.told || r.opts.Where != nil {
		r.findings.mark(c)
	}
	ok := r.tally.all || r.opts.lies(r.window, l) && (r.opts.Where == nil || r.matches(c))
	if r.live != nil {
		r.live.told.add(l) // what is counted of a Snapshot is of all
	}
	if ok {
		r.tally.add(l)
		r.serv.add(l)
		if r.opts.Chosen != nil {
			r.opts.Chosen(l)
		}
		if r.census != nil {
			r.census.life(l)
		}
		if r.findings.kept != nil {
			r.findings.kept[c.Ref()] = true
		}
	}
	switch {
	case r.hold != nil && !ok:
		r.hold.decide(row, dropped, nil)
	case r.hold != nil && r.hold.whole:
		r.hold.decide(row, kept, &heldLife{*l, c.Signs})
		return // it has its place among the transitions
	case r.hold != nil:
		r.hold.decide(row, kept, nil)
	}
	if ok {
		r.emit(c)
	}
}

// matches reports whether --where keeps the connection. An error drops it, and is
// told at the end.
func (r *Report) matches(c *Conn) bool {
	ok, err := r.opts.Where.Match(c.Record())
	if err != nil && r.err == nil {
		r.err = err
	}
	return ok
}

func (r *Report) emit(c *Conn) {
	if !r.told {
		return
	}
	for i := range r.outs {
		if o := &r.outs[i]; o.parts&(PartConnections|PartTop) != 0 {
			o.Connection(c)
		}
	}
}

// held takes what hold lets through.
func (r *Report) held(it *heldItem) {
	if it.life != nil {
		r.conn.set(&it.life.Life, it.life.signs)
		r.findings.mark(&r.conn) // it may have waited for its turn until they were known
		r.emit(&r.conn)
		return
	}
	if it.opened {
		r.census.opened(it.t.Time, it.self, r.window)
		return
	}
	r.emitTransition(&it.t)
}

// End writes the rest, from the statistics of the source and the totals of
// the tracker, and flushes.
func (r *Report) End(st *capture.Stats, tot tracker.Totals, states [tracker.NumStates]tracker.StateCount) error {
	if r.capture == nil {
		r.Begin(st) // nothing was read
	}
	if !r.findings.asked {
		if r.findings.ending.Stats == nil {
			r.Ending(st, tot, nil)
		}
		r.conclude()
	}
	r.findings.choose()
	if r.hold != nil {
		r.hold.release(true)
	}
	resets := tot.Resets
	if r.opts.Active() {
		resets = r.tally.resets // one for each connection: the segments of the others are not told apart
	}
	if r.census != nil {
		states = r.census.final(r.window, st.Last)
	}
	summary := r.tally.summary(st, &tot, r.opts.Active(), resets, stateCensus(states), countSeverities(r.findings.found, detect.Note))
	if r.hold != nil {
		summary.Quality.Undecided = r.hold.lost
	}
	f := &Final{
		Capture:  NewCapture(st),
		Summary:  summary,
		Services: r.serv.list(),
		Findings: r.findings.found,
		Hidden:   len(r.findings.hidden),
		Of:       r.findings.of,
		Draw:     r.opts.Draw,
	}
	if r.series != nil {
		r.made = r.series.final(min(st.Last, r.window.until), &states)
		f.Series = r.made
	}
	for _, o := range r.outs {
		o.End(f)
	}
	return r.Flush()
}

// Series is what End made of the states over time; nil if no output wants that, or before.
func (r *Report) Series() *Series { return r.made }

// Flush writes out what the buffers hold, and returns the first error.
func (r *Report) Flush() error {
	for _, o := range r.outs {
		if err := o.w.Flush(); err != nil && r.err == nil {
			r.err = err
		}
	}
	return r.err
}

// Err is the first error so far: of writing (as far as it was tried), or of
// evaluating --where.
func (r *Report) Err() error {
	for _, o := range r.outs {
		if _, err := o.w.Write(nil); err != nil && r.err == nil {
			r.err = err // a bufio.Writer keeps its error
		}
	}
	return r.err
}
