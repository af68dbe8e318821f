package report

import (
	"cmp"
	"maps"
	"time"

	"tcpstate/capture"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// LiveOptions make a report one of a capture that goes on.
type LiveOptions struct {
	Interface, Filter string
	Interval          time.Duration // between reports for who reads no screen
	// Term is how many connections the detectors remember before they begin anew
	// (terms.go); 0 for as many as fit 512 MiB.
	Term int
}

// Standing is a live capture between two batches, when the tracker has none in flight.
type Standing struct {
	Now     int64 // packet time, ns: it goes on while nothing is heard
	Stats   *capture.Stats
	Tracker *tracker.Parallel
	Lost    Lost
}

// live is the part of a Report that is looked at while the capture goes on.
type live struct {
	LiveOptions
	watch  *watch // nil: nobody wants to know of findings
	told   progress
	before *Snapshot // of the latest interval
	trace  trace
	terms  terms
	query  compiled
}

// progress is what was told of, and what is over and was not yet.
type progress struct {
	closed     [tracker.NumCloseKinds]uint64
	open       uint64 // of those that were not told of
	handshakes Histogram
	most       [tracker.NumCloseKinds]uint64 // of closed with what was not told of yet
}

func newLive(r *Report, o *LiveOptions) *live {
	l := &live{LiveOptions: *o}
	term := cmp.Or(o.Term, defaultTerm)
	l.terms.most = caseWeight * term
	if r.findings.engine != nil {
		l.watch = newWatch(r.opts.Detect, o.Interval, max(1, term/keptOf))
	}
	return l
}

// add takes note of a life that is told of. It is closed as it is said to be, also where it
// gave way for want of room before its end.
func (p *progress) add(l *tracker.Life) {
	p.shake(l)
	if l.Close != tracker.Open {
		p.closed[l.Close]++
	}
}

// look takes note of a life that goes on, or is over and was not told of.
func (p *progress) look(l *tracker.Life) {
	p.shake(l)
	if over(l) && l.Close != tracker.Open {
		p.closed[l.Close]++
		return
	}
	p.open++
}

func (p *progress) shake(l *tracker.Life) {
	if l.HandshakeRTT >= 0 {
		p.handshakes.Add(l.HandshakeRTT)
	}
}

// over reports whether nothing goes on: each end is CLOSED or in TIME-WAIT.
func over(l *tracker.Life) bool {
	for i := range l.Ends {
		if s := l.Ends[i].State; s != tracker.Closed && s != tracker.TimeWait {
			return false
		}
	}
	return true
}

// finding tells those outputs of an event that write each.
func (r *Report) finding(f *ActiveFinding, event string) {
	for i := range r.outs {
		o := &r.outs[i]
		if t, ok := o.Formatter.(teller); ok && o.parts.Has(PartFindings) {
			t.Event(f, event)
		}
	}
}

// teller is a Formatter that writes what becomes of findings in a live capture.
type teller interface {
	Event(f *ActiveFinding, event string)
}

// pulser is a Formatter that says at intervals how a live capture goes. before is the
// Snapshot of the interval before, nil for the first.
type pulser interface {
	Pulse(now, before *Snapshot)
}

// Look asks what is wrong now, and tells the outputs what has changed. It is for a
// live capture.
func (r *Report) Look(m *Standing) {
	if w := r.live.watch; w != nil {
		w.look(m, &choice{r, r.opts.Where != nil && r.opts.Where.findings}, r.finding)
		r.turn(m)
	}
}

// choice says which lives are reported. A --where that speaks of findings can decide
// only when they are known: then the detectors see all that the others choose.
type choice struct {
	r         *Report
	byFinding bool
}

func (c *choice) examined(l *tracker.Life) bool {
	if c.byFinding {
		return c.r.opts.lies(c.r.window, l)
	}
	return c.life(l)
}

func (c *choice) life(l *tracker.Life) bool { return c.r.selects(l) }

// selects reports whether a life is among those that are reported.
func (r *Report) selects(l *tracker.Life) bool {
	switch {
	case r.tally.all:
		return true
	case !r.opts.lies(r.window, l):
		return false
	case r.opts.Where == nil:
		return true
	}
	r.aside.set(l, 0)
	r.aside.Findings = r.live.findingsOf(r.aside.Ref())
	return r.matches(&r.aside)
}

// Interval writes how the capture goes, for outputs that do.
func (r *Report) Interval(m *Standing) error {
	s := r.Snapshot(m, Query{})
	for i := range r.outs {
		if p, ok := r.outs[i].Formatter.(pulser); ok {
			p.Pulse(s, r.live.before)
		}
	}
	r.live.before = s
	return r.Flush()
}

// Interim writes a report of what is known so far, where an output has a form for that:
// with the findings that hold now.
func (r *Report) Interim(m *Standing) error {
	for i := range r.outs {
		format := r.opts.Outputs[i].Format
		if format.Interim == nil {
			continue
		}
		o := r.opts
		o.Live, o.Judge = nil, false
		f := *format
		f.New = format.Interim
		o.Outputs = []Output{{Format: &f, Parts: r.opts.Outputs[i].Parts, W: r.outs[i].w, Color: r.opts.Outputs[i].Color}}
		s := New(o)
		s.tally = r.tally
		s.serv.merge(r.serv)
		s.follow(r)
		s.findings.engine, s.findings.asked, s.findings.kept = nil, true, nil
		if w := r.live.watch; w != nil {
			s.findings.found, s.findings.worst = w.now(), w.worst
			if w.engine != nil {
				s.findings.engine, s.findings.concerned = w.engine, w.touch
			}
		}
		s.Begin(m.Stats)
		m.Tracker.Peek(-1<<63, tracker.Observer{Life: s.life, Zeek: true})
		if err := s.End(m.Stats, m.Tracker.Totals(), m.Tracker.Census()); err != nil && r.err == nil {
			r.err = err
		}
	}
	return r.Flush()
}

// follow begins with the census and the Series as o has them so far.
func (r *Report) follow(o *Report) {
	if r.series != nil {
		r.series = o.series.clone()
	}
	if r.census != nil {
		c := *o.census
		c.ends, c.series = maps.Clone(c.ends), r.series
		r.census = &c
	}
}

// findingsOf are the findings that hold now of a life.
func (l *live) findingsOf(x detect.Ref) []string {
	if l.watch == nil || l.watch.engine == nil {
		return nil
	}
	return l.watch.of(x)
}
