package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// trace is how many endpoints were in each state of late.
type trace struct {
	points [][tracker.NumStates]uint64
	at     int64 // of the latest
}

const (
	traceStep   = time.Second
	tracePoints = 120
)

// follow notes the counts of a time, once each traceStep.
func (t *trace) follow(now int64, states *[tracker.NumStates]tracker.StateCount) {
	if len(t.points) > 0 && now-t.at < int64(traceStep) {
		return
	}
	t.at = now
	if len(t.points) == tracePoints {
		t.points = append(t.points[:0:0], t.points[1:]...) // Snapshots have the others
	}
	var p [tracker.NumStates]uint64
	for s, n := range states {
		p[s] = n.Confirmed + n.Presumed + n.Elapsed
	}
	t.points = append(t.points, p)
}

// compiled is a Query that was understood.
type compiled struct {
	Query
	sort  *SortKey
	where *Where
	err   string
}

func (c *compiled) set(q Query) {
	if q.Sort == c.Sort && q.Where == c.Where {
		c.Query = q
		return
	}
	*c = compiled{Query: q}
	var err error
	if q.Sort != "" {
		if c.sort, err = ParseSort(q.Sort); err != nil {
			c.err = err.Error()
		}
	}
	if q.Where != "" {
		if c.where, err = ParseWhere(q.Where); err != nil {
			c.where, c.err = nil, err.Error()
		}
	}
}

// Snapshot is what is known now, with the connections that q asks for.
func (r *Report) Snapshot(m *Standing, q Query) *Snapshot {
	l := r.live
	tot, st := m.Tracker.Totals(), m.Stats
	s := &Snapshot{
		Source: l.Interface, Link: st.Link, Filter: l.Filter, Now: instant(m.Now), Packets: st.Packets, Segments: st.Segments, Selected: st.Selected,
		Dropped: st.Dropped, IfDropped: st.IfDropped, Skipped: slices.Clone(st.Skipped), Lost: m.Lost,
		States: m.Tracker.Census(), Roles: m.Tracker.Roles(), Step: traceStep,
		Opened: tot.Lives + tot.Folded, Resets: tot.Resets, Evicted: tot.Evicted, Folded: tot.Folded, Query: q,
	}
	if r.hold != nil {
		s.Lost.Lines += r.hold.lost
	}
	if st.Packets > 0 {
		s.Began = instant(st.First)
	}
	l.trace.follow(m.Now, &s.States)
	s.History = l.trace.points[:len(l.trace.points):len(l.trace.points)]
	if w := l.watch; w != nil {
		s.Findings, s.Cleared = w.newest(), slices.Clone(w.cleared)
	}
	l.query.set(q)
	now := l.told
	rows := picker{r: r, q: &l.query}
	m.Tracker.Peek(-1<<63, tracker.Observer{Life: func(x *tracker.Life) {
		now.look(x)
		rows.offer(x)
	}})
	if q.Limit > 0 && l.watch != nil {
		l.watch.recent.each(-1<<63, m.Now, func(c *tracker.Case) { rows.offer(c.Life) })
	}
	s.Open, s.Handshakes = now.open, now.handshakes
	for k, n := range now.closed {
		// One that lives again takes its close back, but a counter never falls.
		l.told.most[k] = max(l.told.most[k], n)
		s.Closed[k] = l.told.most[k]
	}
	s.Connections, s.Matched, s.QueryError = rows.rows(), rows.matched, l.query.err
	if q.Detail != nil {
		s.Detail = r.detail(m, *q.Detail)
	}
	return s
}

// detail finds a connection with all that is known of it.
func (r *Report) detail(m *Standing, of detect.Ref) (d *Detail) {
	take := func(c *tracker.Case) {
		if detect.RefOf(c) != of {
			return
		}
		x := &Detail{Row: r.row(c.Life), Case: *c}
		x.Case.Life = &x.Row.Life
		x.Case.Trail.Events = slices.Clone(c.Trail.Events)
		x.Case.Trail.Quotes = slices.Clone(c.Trail.Quotes)
		d = x
	}
	if w := r.live.watch; w != nil {
		w.recent.each(-1<<63, m.Now, take)
		m.Tracker.PeekAt(of.ID, tracker.Observer{Case: take})
	}
	return d
}

func (r *Report) row(l *tracker.Life) Row {
	ids := r.live.findingsOf(detect.Ref{ID: l.ID, Incarnation: l.Incarnation})
	x := Row{Life: *l, Findings: ids}
	if r.live.watch != nil {
		x.Worst = r.live.watch.worst.of(ids)
	}
	return x
}

// picker finds the first rows of a query.
type picker struct {
	r       *Report
	q       *compiled
	kept    []*picked
	matched int
}

type picked struct {
	Row
	value sortValue
}

func (p *picker) offer(l *tracker.Life) {
	if p.q.Limit <= 0 || p.q.err != "" || !p.r.selects(l) {
		return
	}
	x := &picked{Row: p.r.row(l)}
	if p.q.Text != "" && !x.contains(strings.ToLower(p.q.Text)) {
		return
	}
	if p.q.where != nil || p.q.sort != nil {
		c := &p.r.aside
		c.set(l, 0)
		c.Findings = x.Findings
		if p.q.where != nil {
			ok, err := p.q.where.Match(c.Record())
			if err != nil {
				p.q.err = err.Error()
			}
			if !ok {
				return
			}
		}
		if p.q.sort != nil {
			x.value = p.q.sort.value(c.Record())
		}
	}
	p.matched++
	if len(p.kept) >= 4*p.q.Limit+64 {
		p.cut()
	}
	p.kept = append(p.kept, x)
}

// cut leaves the first.
func (p *picker) cut() {
	slices.SortFunc(p.kept, p.compare)
	p.kept = p.kept[:min(len(p.kept), p.q.Limit)]
}

func (p *picker) compare(a, b *picked) int {
	if k := p.q.sort; k != nil {
		if c := k.compare(&a.value, &b.value); c != 0 {
			return c
		}
	}
	return cmp.Or(-cmp.Compare(a.Worst, b.Worst), cmp.Compare(b2i(over(&a.Life)), b2i(over(&b.Life))),
		-cmp.Compare(a.Start, b.Start), -cmp.Compare(a.ID, b.ID), -cmp.Compare(a.Incarnation, b.Incarnation))
}

func (p *picker) rows() []Row {
	p.cut()
	rows := make([]Row, len(p.kept))
	for i := range p.kept {
		rows[i] = p.kept[i].Row
	}
	return rows
}

// contains reports whether a word of the row has text, which is in small letters, in it.
func (r *Row) contains(text string) bool {
	has := func(s string) bool { return strings.Contains(strings.ToLower(s), text) }
	for i := range r.Ends {
		if e := &r.Ends[i]; has(e.Addr.String()) || has(e.State.String()) {
			return true
		}
	}
	return has(r.Close.String()) || r.ResetAs != tracker.NoReset && has(r.ResetAs.String()) || slices.ContainsFunc(r.Findings, has)
}
