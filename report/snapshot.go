package report

import (
	"time"

	"tcpstate/capture"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// Snapshot is what is known of a live capture at one moment, for who looks on: the
// screen and the metrics. It is a value of its own: nothing in it changes any more, and
// it may be read from any goroutine.
type Snapshot struct {
	Source string       // the interface
	Link   capture.Link // whether it is up
	Filter string       // "" for none
	Began  time.Time    // of the first packet; zero before it
	Now    time.Time    // packet time, which goes on while nothing is heard

	// Of the source, since the beginning. Skipped is by reason, and sorted by it.
	Packets, Segments, Selected uint64
	Dropped, IfDropped          uint64
	Skipped                     []capture.Skip
	// Lost counts the lines of output that were dropped because who reads them was
	// too slow, and packets that -w dropped because the disk was.
	Lost Lost

	// States counts endpoints by state, with the peaks since the beginning; Roles
	// those of them that are followed, by state and role (tracker.Client,
	// tracker.Server). History is States in short of the latest moments, the oldest first,
	// one each Step.
	States  [tracker.NumStates]tracker.StateCount
	Roles   [tracker.NumStates][2]uint64
	History [][tracker.NumStates]uint64
	Step    time.Duration

	// Open are the connections that are neither over nor in TIME-WAIT, Opened all
	// since the beginning, and Closed those that are over, by kind (those that
	// are still open are not among them).
	Open   uint64
	Opened uint64
	Closed [tracker.NumCloseKinds]uint64
	// Resets counts segments with RST by class.
	Resets [tracker.NumResetClasses]uint64
	// Evicted and Folded are those of the summary.
	Evicted, Folded uint64
	Handshakes      Histogram // round trips of handshakes

	// Findings hold now, the newest first; Cleared did until shortly, the latest first.
	Findings []ActiveFinding
	Cleared  []ActiveFinding

	// Connections are those that the Query asks for, in its order; Matched is how many
	// there are of these.
	Query       Query
	QueryError  string // of Query.Where or Query.Sort, "" for none
	Connections []Row
	Matched     int
	// Detail is the connection that Query.Detail names, if it is still known.
	Detail *Detail
}

// Lost counts what slow outputs cost.
type Lost struct{ Lines, Packets uint64 }

// ActiveFinding is a finding in a live capture.
type ActiveFinding struct {
	detect.Finding           // worded
	Since          time.Time // when it was raised
	Updated        time.Time // when it changed last
	Over           time.Time // when it was cleared; zero while it holds

	seen int64 // when the detectors raised it last, ns
}

// Age is how long it has held, or did.
func (f *ActiveFinding) Age(now time.Time) time.Duration {
	if !f.Over.IsZero() {
		now = f.Over
	}
	return now.Sub(f.Since)
}

// Query says which connections a Snapshot shows.
type Query struct {
	// Sort is a field of the record as for --sort, "" for those with findings first,
	// then those that are open, the latest first.
	Sort string
	// Where is an expression as for --where; Text is found in an address, a port, a state, the
	// kind of close or the id of a finding. Both are left out by "".
	Where, Text string
	Limit       int         // rows
	Detail      *detect.Ref // the connection to show in detail, nil for none
}

// Row is one connection of a Snapshot.
type Row struct {
	tracker.Life
	Findings []string // ids of those that hold
	Worst    uint8    // the severity of the worst of these, from 1; 0 without any
}

// Ref names the life.
func (r *Row) Ref() detect.Ref { return detect.Ref{ID: r.ID, Incarnation: r.Incarnation} }

// Detail is all that is known of one connection: its trail, too.
type Detail struct {
	Row
	Case tracker.Case // with its own copies of everything it points to
}

// Histogram counts durations in buckets: N[i] those of at most Bounds[i], without those of
// the buckets before; the last of N has no bound.
type Histogram struct {
	N   [len(HistogramBounds) + 1]uint64
	Sum float64 // seconds
}

// HistogramBounds are in seconds.
var HistogramBounds = [...]float64{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}

// Add counts a duration of ns.
func (h *Histogram) Add(ns int64) {
	s := float64(ns) / 1e9
	i := 0
	for i < len(HistogramBounds) && s > HistogramBounds[i] {
		i++
	}
	h.N[i]++
	h.Sum += s
}
