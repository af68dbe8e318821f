package report

import (
	"math"
	"slices"
	"time"

	"tcpstate/tracker"
)

// series makes a Series while endpoints change their states, however long that takes: in
// steps of base, which is a tenth of the step in the end or more, or the step that is
// asked for. Where these become too many, each ten of them become one. As 1, 2 and 5
// divide ten, the steps in the end are as if the length had been known.
type series struct {
	asked  uint64 // ns; 0: as the length wants it
	first  int64  // ns, before which none begins
	begun  bool
	start  int64
	base   uint64        // ns
	edge   uint64        // ns after start, where the latest point ends
	most   int           // points
	fit    int           // in the end, where none is asked for
	points []SeriesPoint // of base each; the latest goes on
}

func newSeries(step time.Duration, fit int) *series {
	if step > 0 {
		return &series{asked: uint64(step), base: uint64(step), most: SeriesMost}
	}
	return &series{base: leastStep, most: 10 * fit, fit: fit}
}

// begin begins the first step at a time, ns, with so many endpoints in each state.
func (s *series) begin(at int64, now *[tracker.NumStates]uint64) {
	s.begun = true
	s.start, s.edge = max(at, s.first), s.base
	s.points = append(s.points[:0], SeriesPoint{*now, *now})
}

// move takes an endpoint from one state to another; from is tracker.NumStates for one
// that was not counted before.
func (s *series) move(from, to tracker.State, at int64) {
	if at > s.start && uint64(at-s.start) >= s.edge {
		s.reach(uint64(at - s.start))
	}
	p := &s.points[len(s.points)-1]
	if from < tracker.NumStates {
		p.Last[from]--
	}
	p.Last[to]++
	p.Most[to] = max(p.Most[to], p.Last[to])
}

// reach goes on to the point at which an instant lies, ns after the start: what stands
// stood since.
func (s *series) reach(at uint64) {
	for at/s.base >= uint64(s.most) {
		s.points = merged(s.points, 10)
		s.base *= 10
	}
	for i := uint64(len(s.points)); i <= at/s.base; i++ {
		last := s.points[i-1].Last
		s.points = append(s.points, SeriesPoint{last, last})
	}
	if s.edge = uint64(len(s.points)) * s.base; s.edge <= at {
		s.edge = math.MaxUint64 // no int64 of ns lies beyond
	}
}

// merged makes one point of each n, in place.
func merged(points []SeriesPoint, n int) []SeriesPoint {
	out := points[:0]
	for group := range slices.Chunk(points, n) {
		p := group[0]
		for i := range group[1:] {
			p.Last = group[1+i].Last
			for st, m := range group[1+i].Most {
				p.Most[st] = max(p.Most[st], m)
			}
		}
		out = append(out, p)
	}
	return out
}

// clone is a series of its own that goes on from here.
func (s *series) clone() *series {
	c := *s
	c.points = slices.Clone(s.points)
	return &c
}

// final is what became of it when the capture, or the report window, ended at a time, ns,
// with the peaks of the census; s is spent.
func (s *series) final(end int64, states *[tracker.NumStates]tracker.StateCount) *Series {
	f := &Series{Step: time.Duration(s.base)}
	for i := range states {
		if n := &states[i]; n.Peak > 0 {
			f.Peaks[i] = SeriesPeak{n.Peak, n.PeakTime}
		}
	}
	if !s.begun {
		return f
	}
	f.Start, f.End = s.start, max(end, s.start)
	span := uint64(f.End - f.Start)
	if span >= s.edge {
		s.reach(span)
	}
	step := s.base
	switch s.asked {
	case 0:
		step = stepOf(max(span, uint64(len(s.points)-1)*s.base), uint64(s.fit))
	case s.base:
	default:
		f.Asked = time.Duration(s.asked)
	}
	f.Step, f.Points = time.Duration(step), merged(s.points, int(step/s.base))
	return f
}
