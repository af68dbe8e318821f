package report

import (
	"math/rand/v2"
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
		s := newSeries(0)
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
