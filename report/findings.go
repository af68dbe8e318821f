package report

import (
	"slices"

	"tcpstate/capture"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// findings is the part of a Report that looks for what is wrong. It hands the
// lives that are reported, and only those, to the detectors, and asks them when
// the last is told.
//
// The order of things at the end: the tracker tells all cases that are left,
// then the findings are worked out, then it tells the lives. So the records of
// these know the findings that they are part of; records written before do not.
type findings struct {
	engine *detect.Engine // nil: nobody wants to know
	ending detect.Ending
	asked  bool // the engine was asked; it is asked once
	found  []detect.Finding
	hidden []detect.Finding // below Options.Detect.Min
	// kept are the lives that --where keeps, where it speaks of findings itself:
	// then the detectors saw others, too.
	kept map[detect.Ref]bool
	// worst is what the severity of the findings of each id goes up to, once they
	// are known.
	worst worst
	// now returns those that hold of a life while a capture goes on; nil for any other.
	now func(detect.Ref) []string
	// concerned are the lives that may be part of one.
	concerned concerned
	// keepers are told of the cases that the detectors are.
	keepers []keeper
	// last is the latest case, and signs what it had to show.
	last  detect.Ref
	signs tracker.Sign
}

// wanted are the parts that tell of findings: as they are, counted, or by id.
const wanted = PartFindings | PartSummary | PartConnections | PartTop

// Ending says what the findings are worked out from besides the cases: the
// statistics of the source, which is at its end, and the totals and the usage of
// the tracker. It is called before the tracker's Finish.
func (r *Report) Ending(st *capture.Stats, tot tracker.Totals, usage *tracker.Usage) {
	r.findings.ending = detect.Ending{Stats: st, Totals: tot, Usage: usage}
}

// examine hands a life to the detectors if it is reported.
func (r *Report) examine(c *tracker.Case) {
	r.findings.last, r.findings.signs = detect.RefOf(c), c.Signs
	ok := r.tally.all || r.opts.lies(r.window, c.Life)
	if w := r.opts.Where; ok && w != nil && !w.findings {
		r.conn.set(c.Life, c.Signs)
		ok = r.matches(&r.conn)
	}
	if !ok {
		return
	}
	r.findings.engine.Case(c)
	for _, k := range r.findings.keepers {
		k.keep(c)
	}
	if r.live != nil {
		r.live.watch.recent.add(c)
		r.live.terms.load += caseWeight
	}
}

// cases is told when there are no more.
func (r *Report) cases() {
	if r.findings.ending.Stats != nil {
		r.conclude()
	}
}

// conclude asks for the findings, and decides over the lives that wait for them.
func (r *Report) conclude() {
	f := &r.findings
	if f.engine == nil || f.asked {
		return
	}
	f.asked = true
	if f.ending.Usage == nil || r.opts.Active() {
		// Usage counts all connections; what is said of a selection must not be
		// taken from others.
		f.ending.Usage = &tracker.Usage{}
	}
	if r.live != nil {
		f.ending = r.live.terms.ending(f.ending)
	}
	f.found = f.engine.Findings(f.ending)
	f.hidden = f.engine.Hidden()
	if r.live != nil {
		f.found, f.hidden = r.live.terms.with(f.found, f.hidden, r.opts.Detect.Min)
	}
	f.worst, f.concerned = worstByID(f.found), newConcerned(f.found)
	if r.live != nil && r.live.watch != nil {
		r.live.watch.end(f.found, r.finding)
	}
	for i := range r.waiting {
		w := &r.waiting[i]
		r.decide(&w.life, w.row)
	}
	r.waiting = nil
}

// choose drops the findings that no life is part of that is reported.
func (f *findings) choose() {
	if f.kept == nil {
		return
	}
	drop := func(x detect.Finding) bool { return foreign(&x, f.kept) }
	f.found = slices.DeleteFunc(f.found, drop)
	f.hidden = slices.DeleteFunc(f.hidden, drop)
}

// foreign reports whether lives are part of the finding, and none of those kept.
func foreign(x *detect.Finding, kept map[detect.Ref]bool) bool {
	refs := x.Refs()
	return len(refs) > 0 && !slices.ContainsFunc(refs, func(r detect.Ref) bool { return kept[r] })
}

// of returns the ids of the findings that a life is part of, as far as they are
// known.
func (f *findings) of(r detect.Ref) []string {
	if !f.concerned.may(r.ID) {
		return nil
	}
	return f.engine.Of(r)
}

// mark notes on a connection which findings it is part of. Where --where speaks of
// findings, some are dropped after that for the lives that it drops: then how
// severe they are is not known before the end.
func (f *findings) mark(c *Conn) {
	c.Known = f.engine == nil || f.asked && f.kept == nil
	switch {
	case f.asked:
		c.Findings = f.of(c.Ref())
		c.Worst = f.worst.of(c.Findings)
	case f.now != nil:
		c.Findings = f.now(c.Ref())
	}
}

// shown returns the signs of a life, if its case was the latest: each is told
// right before its life, but for those that are left at the end.
func (f *findings) shown(l *tracker.Life) tracker.Sign {
	if f.last.ID == l.ID && f.last.Incarnation == l.Incarnation {
		return f.signs
	}
	return 0
}

// worst is by id of finding how severe those are, from 1.
type worst map[string]uint8

func worstByID(all []detect.Finding) worst {
	w := worst{}
	for i := range all {
		w[all[i].ID] = max(w[all[i].ID], 1+uint8(all[i].Severity))
	}
	return w
}

// of is the severity of the worst of these.
func (w worst) of(ids []string) (n uint8) {
	for _, id := range ids {
		n = max(n, w[id])
	}
	return n
}

// Reaching returns how many findings are at least as severe as s, by severity, and
// how many of these are not shown, for Options.Detect.Min is above them. It is
// known after End.
func (r *Report) Reaching(s detect.Severity) (n Counts, hidden int) {
	for _, f := range r.findings.hidden {
		if f.Severity >= s {
			hidden++
		}
	}
	return countSeverities(slices.Concat(r.findings.found, r.findings.hidden), s), hidden
}

// Concerned returns the lives that are part of a finding of this id, whether it is
// shown or not. It is known after End.
func (r *Report) Concerned(id string) map[detect.Ref]bool {
	lives := map[detect.Ref]bool{}
	for _, l := range [...][]detect.Finding{r.findings.found, r.findings.hidden} {
		for i := range l {
			for _, ref := range l[i].Refs() {
				if l[i].ID == id {
					lives[ref] = true
				}
			}
		}
	}
	return lives
}

// Marks returns what the evidence of the findings that are shown says of frames. It is known
// after End, and while outputs are at their End.
func (r *Report) Marks() map[uint64][]string {
	marks := map[uint64][]string{}
	for i := range r.findings.found {
		f := &r.findings.found[i]
		for _, c := range f.Worded().Evidence.Connections {
			for _, p := range c.Frames {
				if text := f.ID + ": " + p.Text; !slices.Contains(marks[p.Frame], text) {
					marks[p.Frame] = append(marks[p.Frame], text)
				}
			}
		}
	}
	return marks
}

// countSeverities counts the findings at or above least.
func countSeverities(l []detect.Finding, least detect.Severity) Counts {
	var c Counts
	for s := least; s <= detect.Error; s++ {
		n := Count{Name: s.String()}
		for i := range l {
			if l[i].Severity == s {
				n.N++
			}
		}
		c = append(c, n)
	}
	return c
}
