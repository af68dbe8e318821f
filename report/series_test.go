package report

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"tcpstate/tracker"
)

// The step is the shortest of 1, 2 and 5 times a power of ten that takes no more points
// than fit, however long the capture is and in whatever portions time goes by.
func TestStepOfLength(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	steps := []uint64{}
	for b := uint64(leastStep); b < 1e18; b *= 10 {
		steps = append(steps, b, 2*b, 5*b)
	}
	lengths := []uint64{0, 1, 999, 119_999, 120_000, 120_001, 1e9, 120e9 - 1, 120e9, 56 * 365 * 86400 * 1e9, 1<<63 - 1}
	for range 300 {
		lengths = append(lengths, rnd.Uint64()>>(1+rnd.IntN(50)))
	}
	for _, ns := range lengths {
		s := newSeries(0, seriesFit)
		start := -int64(ns / 2)
		s.first = start
		s.begin(start, &[tracker.NumStates]uint64{})
		for at := uint64(0); at < ns && rnd.IntN(200) > 0; at += rnd.Uint64N(ns/50 + 1) {
			s.move(tracker.NumStates, tracker.SynSent, start+int64(at))
		}
		f := s.final(start+int64(ns), &[tracker.NumStates]tracker.StateCount{})
		var want uint64
		for _, step := range steps {
			if ns/step+1 <= seriesFit {
				want = step
				break
			}
		}
		if f.Step != time.Duration(want) || uint64(len(f.Points)) != ns/want+1 || f.Start != start || f.Asked != 0 {
			t.Fatalf("%d ns: %d steps of %v, not %d of %v", ns, len(f.Points), f.Step, ns/want+1, time.Duration(want))
		}
	}
}

// A clock that was set in the midst of it, from 1970 on and back, takes neither time nor room.
func TestSeriesOfLeaps(t *testing.T) {
	const now, hour = 1_795_208_387e9, int64(time.Hour)
	for _, step := range []time.Duration{0, 1, time.Microsecond, time.Second, 1 << 62} {
		s := newSeries(step, seriesFit)
		s.begin(0, &[tracker.NumStates]uint64{})
		for _, at := range []int64{0, 5, now, now + 3, now - hour, 7, -hour, math.MinInt64, now + hour, math.MaxInt64} {
			s.move(tracker.NumStates, tracker.SynSent, at)
			if len(s.points) > s.most || cap(s.points) > 2*SeriesMost {
				t.Fatalf("step %v: %d points, room for %d", step, len(s.points), cap(s.points))
			}
		}
		f := s.clone().final(math.MaxInt64, &[tracker.NumStates]tracker.StateCount{})
		if n := uint64(math.MaxInt64)/uint64(f.Step) + 1; uint64(len(f.Points)) != n || f.End != math.MaxInt64 {
			t.Errorf("step %v: %d steps of %v", step, len(f.Points), f.Step)
		}
		if last := f.Points[len(f.Points)-1].Last[tracker.SynSent]; last != 10 {
			t.Errorf("step %v: %d in the end, not 10", step, last)
		}
		if long := f.Asked != 0; long != (step > 0 && step < time.Hour) || long && f.Asked != step {
			t.Errorf("step %v: of %v, asked %v", step, f.Step, f.Asked)
		}
	}
	s := newSeries(0, seriesFit)
	s.first = math.MinInt64
	s.begin(math.MinInt64, &[tracker.NumStates]uint64{})
	s.move(tracker.NumStates, tracker.SynSent, math.MaxInt64)
	if f := s.final(math.MaxInt64, &[tracker.NumStates]tracker.StateCount{}); f.Step != 2e17 || len(f.Points) != 93 || f.Points[91].Last[tracker.SynSent] != 0 || f.Points[92].Last[tracker.SynSent] != 1 {
		t.Errorf("%d steps of %v", len(f.Points), f.Step)
	}
}

// Steps that became longer are what long ones are from the beginning.
func TestSeriesMerges(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	fine, long := newSeries(time.Millisecond, seriesFit), newSeries(10*time.Millisecond, seriesFit)
	all := []*series{fine, long}
	for _, s := range all {
		s.begin(0, &[tracker.NumStates]uint64{tracker.Established: 3})
	}
	in := []tracker.State{tracker.Established, tracker.Established, tracker.Established}
	var at int64
	for range 20_000 {
		at += rnd.Int64N(2 * int64(50*time.Millisecond))
		i := rnd.IntN(len(in))
		to := tracker.State(rnd.IntN(int(tracker.NumStates)))
		for _, s := range all {
			s.move(in[i], to, at)
		}
		in[i] = to
	}
	var none [tracker.NumStates]tracker.StateCount
	a, b := fine.final(at, &none), long.final(at, &none)
	if a.Step != b.Step || a.Asked != time.Millisecond || b.Asked != 0 || !slices.Equal(a.Points, b.Points) {
		t.Errorf("%d steps of %v (asked %v), and %d of %v (asked %v)", len(a.Points), a.Step, a.Asked, len(b.Points), b.Step, b.Asked)
	}
}

// A column of a table is as high as the most that it stands for, and no state that is not
// empty looks it.
func TestSpark(t *testing.T) {
	s := &Series{Points: make([]SeriesPoint, 200)}
	s.Points[101].Most[tracker.TimeWait] = 8000
	s.Points[3].Most[tracker.TimeWait] = 1
	s.Points[199].Most[tracker.TimeWait] = 4000
	got := s.spark(tracker.TimeWait)
	if want := strings.Repeat("·", 60); strings.NewReplacer("▁", "·", "█", "·", "▄", "·").Replace(got) != want || strings.Count(got, "█") != 1 ||
		!strings.HasPrefix(got, "·▁·") || !strings.HasSuffix(got, "·▄") {
		t.Error(got)
	}
	if got := s.spark(tracker.Closing); got != strings.Repeat("·", 60) {
		t.Error(got)
	}
}

// What is reported in the midst of a live capture does not end what goes on.
func TestSeriesGoesOn(t *testing.T) {
	s := newSeries(0, seriesFit)
	s.begin(0, &[tracker.NumStates]uint64{})
	var none [tracker.NumStates]tracker.StateCount
	for i := range int64(1000) {
		s.move(tracker.NumStates, tracker.SynSent, i*1e6)
		if f := s.clone().final(i*1e6, &none); f.Points[len(f.Points)-1].Last[tracker.SynSent] != uint64(i+1) {
			t.Fatalf("after %d: %+v", i, f)
		}
	}
	if f := s.final(999e6, &none); f.Step != 10*time.Millisecond || len(f.Points) != 100 || f.Points[49].Last[tracker.SynSent] != 500 {
		t.Errorf("%d steps of %v", len(f.Points), f.Step)
	}
}
