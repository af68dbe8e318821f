package report

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// terms keep what the detectors remember bounded in a live capture, which may go on for
// ever: they keep something of every connection that shows anything. After so many they
// are asked, as at the end of a capture; what they found is kept, and others go on. The
// report at the end has the findings of all terms: of each kind and subject the worst. A
// capture of fewer connections is judged as a whole, as a file is.
type terms struct {
	most  int     // weight after which a term is over
	began counted // what had been counted then; of the first term nothing
	first bool    // some term is over
	load  int     // weight of what the detectors were handed
	past  map[string]*pastFinding
	lost  int // findings that were not kept
}

// pastFinding is the worst finding of a kind and subject.
type pastFinding struct {
	detect.Finding
	times int // in how many terms there was another
}

const (
	// caseWeight is how much more there is to remember of a life than of a SYN that
	// nobody answered.
	caseWeight = 16
	// defaultTerm is how many connections make a term.
	defaultTerm = 1 << 17
	// A term is no shorter than shortTerm, beyond every window within which detectors
	// count, unless so many times as many connections come.
	shortTerm = 5 * time.Minute
	crowded   = 4
	// mostPast is how many findings are kept, the worst of all.
	mostPast = 1000
)

// turn ends the term if it is time to.
func (r *Report) turn(m *Standing) {
	f := &r.findings
	t := &r.live.terms
	if f.engine == nil || f.asked || t.load < t.most {
		return
	}
	if t.began.at == 0 {
		t.began.at = m.Stats.First
	}
	if m.Now-t.began.at < int64(shortTerm) && t.load < crowded*t.most {
		return
	}
	e := t.ending(detect.Ending{Stats: m.Stats, Totals: m.Tracker.Totals(), Usage: m.Tracker.Usage()})
	if r.opts.Active() {
		e.Usage = &tracker.Usage{}
	}
	e.Stats.Last = m.Now
	for _, x := range f.engine.Findings(e) {
		t.keep(&x)
	}
	for _, x := range f.engine.Hidden() {
		t.keep(&x)
	}
	t.bound()
	f.engine = detect.New(r.opts.Detect)
	now := counted{at: m.Now, stats: *m.Stats, totals: m.Tracker.Totals()}
	now.stats.Skipped = slices.Clone(m.Stats.Skipped)
	t.began, t.first, t.load = now, true, 0
}

// ending is that of the term, of what holds for the whole capture.
func (t *terms) ending(e detect.Ending) detect.Ending {
	st := *e.Stats
	st.Skipped = slices.Clone(st.Skipped)
	if t.first {
		t.began.subtract(&st, &e.Totals)
		st.First = t.began.at
	}
	e.Stats = &st
	return e
}

func (t *terms) keep(x *detect.Finding) {
	if t.past == nil {
		t.past = map[string]*pastFinding{}
	}
	key := keyOf(x)
	p := t.past[key]
	if p == nil {
		t.past[key] = &pastFinding{Finding: x.Alone()}
		return
	}
	if x.First.Equal(p.First) && x.Last.Equal(p.Last) {
		return // of what hosts and services held once
	}
	p.join(x)
}

// join takes another finding of the same kind and subject in.
func (p *pastFinding) join(x *detect.Finding) {
	first, last := p.First, p.Last
	if worse(x, &p.Finding) {
		p.Finding = x.Alone()
	}
	if first.Before(p.First) {
		p.First = first
	}
	if last.After(p.Last) {
		p.Last = last
	}
	if x.First.Before(p.First) {
		p.First = x.First
	}
	if x.Last.After(p.Last) {
		p.Last = x.Last
	}
	p.times++
}

func worse(a, b *detect.Finding) bool {
	return cmp.Or(cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Count, b.Count)) >= 0
}

// bound drops the findings that are too many, the least of all.
func (t *terms) bound() {
	if len(t.past) <= mostPast {
		return
	}
	all := make([]*pastFinding, 0, len(t.past))
	for _, p := range t.past {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *pastFinding) int {
		return cmp.Or(-cmp.Compare(a.Severity, b.Severity), -a.Last.Compare(b.Last), cmp.Compare(keyOf(&a.Finding), keyOf(&b.Finding)))
	})
	for _, p := range all[mostPast:] {
		delete(t.past, keyOf(&p.Finding))
		t.lost++
	}
}

// with returns the findings of the last term with those of the terms before, in the
// order of detect.Engine.Findings; those below least apart.
func (t *terms) with(found, hidden []detect.Finding, least detect.Severity) (all, less []detect.Finding) {
	if !t.first {
		return found, hidden
	}
	for _, x := range slices.Concat(found, hidden) {
		p := t.past[keyOf(&x)]
		if p != nil {
			delete(t.past, keyOf(&x))
			if refs := x.Refs(); !x.First.Equal(p.First) || !x.Last.Equal(p.Last) {
				p.join(&x)
				x = p.told().Of(refs)
			}
		}
		if x.Severity < least {
			less = append(less, x)
		} else {
			all = append(all, x)
		}
	}
	for _, p := range t.past {
		if x := p.told(); x.Severity < least {
			less = append(less, x)
		} else {
			all = append(all, x)
		}
	}
	t.past = nil
	for _, l := range [][]detect.Finding{all, less} {
		slices.SortStableFunc(l, func(a, b detect.Finding) int {
			return cmp.Or(-cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Subject, b.Subject))
		})
	}
	return all, less
}

// told is the finding as it is reported.
func (p *pastFinding) told() detect.Finding {
	f := p.Finding
	if p.times > 0 {
		f.Explanation += fmt.Sprintf(" It was found %d times more while the capture went on; this is the worst of them.", p.times)
	}
	return f
}
