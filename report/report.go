package report

import (
	"bufio"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// Options say what is reported and how it looks.
type Options struct {
	Selection
	Style
	Outputs []Output
}

// Report turns what a tracker finds into outputs. Begin comes first, then the
// tracker runs with Observer, then End.
type Report struct {
	opts    Options
	outs    []sink
	window  window
	record  Record // of the life being handled; reused
	records bool   // somebody needs records
	hold    *hold
	tally   tally
	serv    *services
	census  *census // of the selection; nil when the tracker's own is right
	capture *Capture
	err     error
}

// sink is one output at work.
type sink struct {
	Formatter
	w     *bufio.Writer
	parts Parts
}

// New makes a report. Nothing is written before Begin.
func New(opts Options) *Report {
	r := &Report{opts: opts, serv: newServices()}
	for _, o := range opts.Outputs {
		e := &Env{W: bufio.NewWriterSize(o.W, outputBuffer), Parts: o.Parts, Style: opts.Style}
		e.Color = o.Color
		s := sink{o.Format.New(e), e.W, o.Parts}
		if o.Format.Whole {
			s.parts = 0 // it makes its own rows
		}
		r.outs = append(r.outs, s)
	}
	r.records = opts.Where != nil || r.shows(PartConnections) || r.shows(PartTop)
	if opts.Active() && r.shows(PartSummary) {
		r.census = &census{}
	}
	if opts.Where != nil && r.transitions() {
		r.hold = newHold(r.held)
	}
	return r
}

// shows reports whether any output shows the part.
func (r *Report) shows(p Parts) bool {
	for _, o := range r.outs {
		if o.parts.Has(p) {
			return true
		}
	}
	return false
}

// transitions reports whether transitions are needed at all.
func (r *Report) transitions() bool { return r.shows(PartTransitions) || r.census != nil }

// Observer is what the tracker should call.
func (r *Report) Observer() tracker.Observer {
	o := tracker.Observer{Life: r.life}
	if r.transitions() {
		o.Transition = r.transition
	}
	return o
}

// Begin writes what comes first. st are the source's statistics after its
// first batch.
func (r *Report) Begin(st *capture.Stats) {
	r.window = r.opts.window(st.First)
	r.capture = NewCapture(st)
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
	if r.hold != nil {
		r.hold.transition(t)
		return
	}
	r.emitTransition(t)
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
	if r.records {
		r.record.Fill(l)
	}
	ok, err := r.opts.keep(r.window, l, &r.record)
	if err != nil && r.err == nil {
		r.err = err
	}
	if ok {
		r.tally.add(l)
		r.serv.add(l)
		if r.census != nil {
			r.census.life(l)
		}
	}
	switch {
	case r.hold != nil && ok:
		rec := r.record
		r.hold.life(l.ID, &rec)
	case r.hold != nil:
		r.hold.life(l.ID, nil)
	case ok:
		r.emitRecord(&r.record)
	}
}

func (r *Report) emitRecord(rec *Record) {
	if !r.records {
		return
	}
	for i := range r.outs {
		if o := &r.outs[i]; o.parts&(PartConnections|PartTop) != 0 {
			o.Connection(rec)
		}
	}
}

// held takes what hold lets through.
func (r *Report) held(it *heldItem) {
	if it.rec != nil {
		r.emitRecord(it.rec)
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
	f := &Final{
		Capture:  NewCapture(st),
		Summary:  r.tally.summary(st, resets, tot.Copies, stateCensus(states)),
		Services: r.serv.list(),
	}
	for _, o := range r.outs {
		o.End(f)
	}
	return r.Flush()
}

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
