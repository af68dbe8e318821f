package report

import (
	"time"

	"tcpstate/tracker"
)

// Series says how many endpoints were in each state over time.
//
// It goes forward in time only: what a capture dates back counts in the step at hand.
// The peaks are those of the summary's census. So is CLOSED: an endpoint is CLOSED from the
// first segment of its 4-tuple on, until it leaves that state, if it does, and when it is
// over. In a report window that begins later, those that were CLOSED before are left out.
type Series struct {
	Start  int64         // ns, of the first step
	Step   time.Duration // length of each
	End    int64         // ns, of what was captured; in the last step
	Points []SeriesPoint // without gaps; none of a capture without packets
	// Asked is the Step that was asked for where it would have taken more than
	// SeriesMost points; else 0.
	Asked time.Duration
	// Peaks are the most that ever were in each state, and when first.
	Peaks [tracker.NumStates]SeriesPeak
}

// SeriesPoint is one step of a Series.
type SeriesPoint struct {
	Last [tracker.NumStates]uint64 // endpoints in each state at the end of the step
	Most [tracker.NumStates]uint64 // the most within it, those that stood when it began included
}

// SeriesPeak is the most endpoints in a state at one time.
type SeriesPeak struct {
	N    uint64
	Time int64 // ns, when first reached; 0 if N is
}

// SeriesMost is how many points a Series has at most, whatever step is asked for.
const SeriesMost = 100_000

// seriesFit is how many it has where none is asked for; pagePoints where only a page that
// is looked at closely shows it.
const seriesFit = 120

// leastStep is the shortest that is chosen, ns: captures tell microseconds apart.
const leastStep = 1000

// stepOf is the step for a time of ns where none is asked for: the shortest of 1, 2 and 5
// times a power of ten that takes at most fit points.
func stepOf(ns, fit uint64) uint64 {
	for base := uint64(leastStep); ; base *= 10 {
		for _, m := range [...]uint64{1, 2, 5} {
			if ns/(m*base) < fit {
				return m * base
			}
		}
	}
}

// at is when step i begins, ns.
func (s *Series) at(i int) int64 { return s.Start + int64(i)*int64(s.Step) }
