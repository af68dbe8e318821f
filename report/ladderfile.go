package report

import (
	"cmp"
	"slices"
	"time"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// ReplayLadders sends the segments of all ladders of a file, which are one capture, through
// one tracker, and returns what it makes of each: the same ladders, if they expect what is.
// Their order in time is that of their Start and of the times in them. A timer's line lets
// time pass until then. The timers' lengths are those of the first ladder.
func ReplayLadders(all []*Ladder, cfg tracker.Config) []*Ladder {
	if len(all) == 0 {
		return nil
	}
	if d := all[0].TimeWait; d >= 0 {
		cfg.TimeWait = d
	}
	if d := all[0].FinTimeout; d >= 0 {
		cfg.FinTimeout = d
	}
	p := replayer{of: map[uint64]*Drawing{}, now: map[capture.Key]*Drawing{}}
	var got []*Ladder
	for _, l := range all {
		key, left := l.key()
		d := &Drawing{opts: DrawOptions{Full: true}, stretch: -1, pen: ladderPen{left: left, l: &Ladder{Stream: l.Stream, Incarnation: l.Incarnation,
			Start: l.Start, Left: l.Left, Right: l.Right, Note: l.Note, Sparse: l.Sparse, TimeWait: l.TimeWait, FinTimeout: l.FinTimeout, ISN: l.ISN}}}
		p.now[key] = nil
		for i := range l.Rows {
			if r := &l.Rows[i]; !r.Timer() {
				p.of[r.Segment.Frame] = d
			}
		}
		got = append(got, d.pen.l)
	}
	p.t = tracker.New(cfg, tracker.Observer{Step: p.step, Quote: p.quote, Transition: p.transition, Life: p.life, Only: p.only})
	if slices.ContainsFunc(all, func(l *Ladder) bool { return l.Sparse }) {
		p.sparse()
	}
	for _, r := range inTime(all) {
		p.row(&r)
	}
	p.t.Finish()
	return got
}

// inTime are the rows of all ladders by time, counted from replayStart.
func inTime(all []*Ladder) (rows []LadderRow) {
	first := slices.MinFunc(all, func(a, b *Ladder) int { return cmp.Compare(a.Start, b.Start) }).Start
	for _, l := range all {
		for _, r := range l.Rows {
			r.Segment.Time += replayStart + l.Start - first
			rows = append(rows, r)
		}
	}
	slices.SortStableFunc(rows, func(a, b LadderRow) int { return cmp.Compare(a.Segment.Time, b.Segment.Time) })
	return rows
}

// replayer is ReplayLadders at work.
type replayer struct {
	of  map[uint64]*Drawing      // which ladder a frame is in
	now map[capture.Key]*Drawing // which ladder a 4-tuple's latest segment is in
	t   *tracker.Tracker
}

func (p *replayer) only(s *capture.Segment) bool {
	_, ours := p.now[s.Key]
	return ours
}

func (p *replayer) row(r *LadderRow) {
	b := &capture.Batch{Now: r.Segment.Time}
	if !r.Timer() {
		s := r.Segment
		s.Hash = s.Key.Hash()
		b.Segments = []capture.Segment{s}
		if r.Quote != nil {
			b.Quotes = []capture.Quote{*r.Quote}
		}
	}
	p.t.Process(b)
}

// sparse makes the capture one of which a filter kept only SYN, FIN and RST: the tracker
// tells that by its first connections, which are others than the ladders'.
func (p *replayer) sparse() {
	b := &capture.Batch{Now: replayStart - int64(time.Second)}
	for i := range uint16(32) {
		s := capture.Segment{Time: b.Now, Frame: 1, Flags: capture.SYN, VLAN: capture.NoVLAN, WScale: capture.NoWScale}
		s.Key.V6, s.Key.LoPort, s.Key.HiPort = true, 1, i+2 // [::] sends nothing to itself on a network
		s.Hash = s.Key.Hash()
		b.Segments = append(b.Segments, s)
	}
	p.t.Process(b)
}

func (p *replayer) step(s *tracker.Step) {
	if d := p.of[s.Segment.Frame]; d != nil {
		p.now[s.Segment.Key] = d
		d.Step(s)
	}
}

func (p *replayer) quote(s *tracker.Step, q *capture.Quote) {
	if d := p.of[s.Segment.Frame]; d != nil {
		p.now[s.Segment.Key] = d
		d.Quote(s, q)
	}
}

func (p *replayer) transition(x *tracker.Transition) {
	if d := p.now[x.Key]; d != nil && x.Frame == 0 {
		d.Timer(x)
	}
}

func (p *replayer) life(l *tracker.Life) {
	if d := p.of[l.LastFrame]; d != nil {
		d.ended(l)
	}
}
