package tracker

import "tcpstate/capture"

// Tracker follows all connections of one capture.
type Tracker struct{}

// New makes a tracker that reports to obs.
func New(cfg Config, obs Observer) *Tracker { return &Tracker{} }

// Process applies the segments of b in order.
func (t *Tracker) Process(b *capture.Batch) {}

// Finish ends the capture at its last packet's time: open lives are reported
// by id. The tracker is then spent.
func (t *Tracker) Finish() {}

// StateCount is one line of the census.
type StateCount struct {
	Confirmed, Presumed, Elapsed uint64 // endpoints now in the state
	Peak                         uint64 // the most at one time
	PeakTime                     int64  // when first reached, ns
}

// Census counts endpoints by state, with exact peaks.
func (t *Tracker) Census() [NumStates]StateCount { return [NumStates]StateCount{} }

// Totals counts over all lives.
type Totals struct {
	Streams uint64 // numbers given out, quotes in ICMP errors included
	Lives   uint64
	Resets  [NumResetClasses]uint64 // every RST seen by class
	Copies  uint64                  // segments recognised as copies of one already seen
}

// Totals may be called at any time between batches.
func (t *Tracker) Totals() Totals { return Totals{} }
