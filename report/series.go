package report

import (
	"time"

	"tcpstate/tracker"
)

// Series says how many endpoints were in each state over time.
type Series struct {
	Start  int64         // ns, of the first step
	Step   time.Duration // length of each
	Points []SeriesPoint // without gaps
	// Peaks are the most that ever were in each state, and when first.
	Peaks [tracker.NumStates]SeriesPeak
}

// SeriesPoint is one step of a Series.
type SeriesPoint struct {
	Last [tracker.NumStates]uint64 // endpoints in each state at the end of the step
	Most [tracker.NumStates]uint64 // the most within it
}

// SeriesPeak is the most endpoints in a state at one time.
type SeriesPeak struct {
	N    uint64
	Time int64 // ns, when first reached; 0 if N is
}
