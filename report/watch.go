package report

import (
	"cmp"
	"slices"
	"time"

	"tcpstate/capture"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// watch looks for what is wrong now, in a live capture. The detectors judge a whole
// capture; here that is what came within the window: the lives that go on, those that were
// over within it, and what hosts and services hold at this moment. So each rule and each threshold
// is that of a capture that began a window ago and ends now, and a finding is over
// when such a capture would not show it any more.
type watch struct {
	opts   detect.Options
	window int64 // ns
	every  int64 // how often a finding that only grows is told to have changed, ns
	recent *recent
	past   []counted // of the latest window, the oldest first

	active  map[string]*ActiveFinding // by id and subject
	order   []*ActiveFinding          // those that hold, as the detectors rank them
	cleared []ActiveFinding           // the latest first
	engine  *detect.Engine            // that was asked last
	worst   worst
	touch   concerned
}

// counted is what the source and the tracker had counted at a time.
type counted struct {
	at     int64
	stats  capture.Stats
	totals tracker.Totals
}

const (
	// liveWindow is what counts as now: as long as TIME-WAIT lasts, so that what is
	// said of a connection's end holds until its tuple is free again.
	liveWindow = 60 * time.Second
	// clearAfter is how long a finding has to be gone until it is cleared: one that
	// wavers around its threshold is not raised each time.
	clearAfter = 5 * time.Second
	// activeMost is how many findings are followed, the most severe of all.
	activeMost = 1000
	// clearedMost is how many of those that are over are remembered.
	clearedMost = 50
)

// Events of findings, as their records have them.
const (
	eventRaised  = "raised"
	eventChanged = "changed"
	eventCleared = "cleared"
	eventFinal   = "final"
)

func newWatch(o detect.Options, every time.Duration, lives int) *watch {
	return &watch{opts: o, window: int64(liveWindow), every: int64(every), recent: newRecent(lives), active: map[string]*ActiveFinding{}}
}

// look asks the detectors, and tells what has changed since it did so last.
func (w *watch) look(m *Standing, choose *choice, tell func(f *ActiveFinding, event string)) {
	since := m.Now - w.window
	e := detect.New(w.opts)
	w.each(m, since, func(c *tracker.Case) {
		if choose.examined(c.Life) {
			e.Case(c)
		}
	})
	found := e.Findings(w.ending(m, w.recent.since(since)))
	w.engine, w.worst, w.touch = e, worstByID(found), newConcerned(found)
	if choose.byFinding {
		found = w.concerning(m, since, found, choose)
	}
	w.follow(found[:min(len(found), activeMost)], m.Now, tell)
}

// each calls f for the lives of the window.
func (w *watch) each(m *Standing, since int64, f func(*tracker.Case)) {
	w.recent.each(since, m.Now, f)
	m.Tracker.Peek(since, tracker.Observer{Case: f})
}

// concerning leaves the findings that a life is part of which is reported, and those
// that no life is.
func (w *watch) concerning(m *Standing, since int64, found []detect.Finding, choose *choice) []detect.Finding {
	kept := map[detect.Ref]bool{}
	w.each(m, since, func(c *tracker.Case) {
		if r := detect.RefOf(c); w.touch.may(r.ID) && choose.life(c.Life) {
			kept[r] = true
		}
	})
	return slices.DeleteFunc(found, func(x detect.Finding) bool { return foreign(&x, kept) })
}

// ending is the end of a capture that began at since.
func (w *watch) ending(m *Standing, since int64) detect.Ending {
	tot := m.Tracker.Totals()
	now := counted{at: m.Now, stats: *m.Stats, totals: tot}
	now.stats.Skipped = slices.Clone(m.Stats.Skipped)
	n := 0
	for n < len(w.past) && w.past[n].at < since {
		n++
	}
	if n > 1 {
		w.past = slices.Delete(w.past, 0, n-1) // the latest before the window stays
	}
	st := *m.Stats
	st.Skipped = slices.Clone(st.Skipped)
	if n > 0 { // or all was counted within the window
		w.past[0].subtract(&st, &tot)
	}
	// One a second is enough to tell when the window began.
	if k := len(w.past); k == 0 || w.past[k-1].at+int64(time.Second) <= now.at {
		w.past = append(w.past, now)
	}
	st.First, st.Last = max(st.First, since), m.Now
	return detect.Ending{Stats: &st, Totals: tot, Usage: m.Tracker.Usage().Current()}
}

// subtract leaves what came after c.
func (c *counted) subtract(st *capture.Stats, t *tracker.Totals) {
	o := &c.stats
	st.Packets -= o.Packets
	st.Segments -= o.Segments
	st.Selected -= o.Selected
	st.Dropped -= o.Dropped
	st.IfDropped -= o.IfDropped
	st.TimeBack -= o.TimeBack
	st.TaggedTCP -= o.TaggedTCP
	st.Quotes -= o.Quotes
	for i := range st.Skipped {
		for _, k := range o.Skipped {
			if k.Reason == st.Skipped[i].Reason {
				st.Skipped[i].N -= k.N
			}
		}
	}
	st.Skipped = slices.DeleteFunc(st.Skipped, func(k capture.Skip) bool { return k.N == 0 })
	t.Less(&c.totals)
}

// follow compares with what held before.
func (w *watch) follow(found []detect.Finding, now int64, tell func(*ActiveFinding, string)) {
	at := instant(now)
	w.order = w.order[:0]
	seen := make(map[string]bool, len(found))
	for i := range found {
		f := &found[i]
		key := keyOf(f)
		if seen[key] {
			continue
		}
		seen[key] = true
		a := w.active[key]
		switch {
		case a == nil:
			a = &ActiveFinding{Finding: *f.Worded(), Since: at, Updated: at}
			w.active[key] = a
			tell(a, eventRaised)
		case a.Severity != f.Severity, a.Count != f.Count && at.Sub(a.Updated) >= time.Duration(w.every):
			first := a.First
			a.Finding, a.Updated = *f.Worded(), at
			if !first.IsZero() && first.Before(a.First) {
				a.First = first // it began before the window
			}
			tell(a, eventChanged)
		}
		a.seen = now
		w.order = append(w.order, a)
	}
	var over []string
	for key, a := range w.active {
		if !seen[key] {
			if now-a.seen >= int64(clearAfter) {
				over = append(over, key)
			} else {
				w.order = append(w.order, a)
			}
		}
	}
	slices.Sort(over)
	for _, key := range over {
		a := w.active[key]
		delete(w.active, key)
		a.Over = at
		tell(a, eventCleared)
		w.cleared = slices.Insert(w.cleared, 0, *a)
	}
	w.cleared = w.cleared[:min(len(w.cleared), clearedMost)]
	slices.SortStableFunc(w.order, func(a, b *ActiveFinding) int {
		return cmp.Or(-cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Subject, b.Subject))
	})
}

// end clears what the report at the end does not repeat.
func (w *watch) end(found []detect.Finding, tell func(*ActiveFinding, string)) {
	final := make(map[string]bool, len(found))
	for i := range found {
		final[keyOf(&found[i])] = true
	}
	for _, a := range w.order {
		if !final[keyOf(&a.Finding)] {
			tell(a, eventCleared)
		}
	}
}

// keyOf tells findings apart.
func keyOf(f *detect.Finding) string { return f.ID + "\x00" + f.Subject }

// of returns the ids of the findings that a life is part of now.
func (w *watch) of(r detect.Ref) []string {
	if !w.touch.may(r.ID) {
		return nil
	}
	return w.engine.Of(r)
}

// newest are copies of those that hold, the newest first.
func (w *watch) newest() []ActiveFinding {
	all := make([]ActiveFinding, len(w.order))
	for i, a := range w.order {
		all[i] = *a
	}
	slices.SortStableFunc(all, func(a, b ActiveFinding) int { return b.Since.Compare(a.Since) })
	return all
}

// now are those that hold, the most severe first.
func (w *watch) now() []detect.Finding {
	all := make([]detect.Finding, len(w.order))
	for i, a := range w.order {
		all[i] = a.Finding
	}
	return all
}
