package report

import (
	"strconv"
	"time"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// Summary counts over everything that was reported.
type Summary struct {
	// Packets are the frames read, Segments the TCP segments selected.
	Packets     uint64 `json:"packets"`
	Segments    uint64 `json:"segments"`
	Connections uint64 `json:"connections"` // folded ones too
	Folded      uint64 `json:"folded"`      // counted here, but without a record of their own
	Evicted     uint64 `json:"evicted"`     // gave way for want of room: told of before their end, forgotten after it, or not searched for findings
	// Skipped counts frames that were read but could not be analysed, by reason.
	Skipped     Counts        `json:"skipped"`
	Close       Counts        `json:"close"`        // connections by kind of close
	ClosedFirst Counts        `json:"closed_first"` // connections by who closed first
	Resets      Counts        `json:"resets"`       // segments with RST by class
	States      []StateCensus `json:"-"`            // endpoints by state; written by statesJSON
	Quality     Quality       `json:"quality"`
	Findings    Counts        `json:"findings"` // by severity
}

// StateCensus is one state: how many endpoints were in it when the capture
// ended, by how that is known, and the most that ever were.
type StateCensus struct {
	State                        string
	Confirmed, Presumed, Elapsed uint64
	Peak                         uint64
	PeakTime                     time.Time // zero if Peak is 0
}

// Quality says how far the capture can be trusted.
type Quality struct {
	Start     *stamp   `json:"start"`      // time of the first frame
	End       *stamp   `json:"end"`        // latest time of a frame
	Span      float64  `json:"span"`       // seconds between them
	Midstream uint64   `json:"midstream"`  // connections whose beginning the capture does not hold
	Copies    uint64   `json:"copies"`     // segments seen twice: mirror ports, -i any
	Dropped   uint64   `json:"dropped"`    // frames that the capturing side says it lost
	IfDropped uint64   `json:"if_dropped"` // frames lost by the interface
	TimeBack  uint64   `json:"time_back"`  // frames dated before the frame before
	Quotes    uint64   `json:"quotes"`     // TCP headers quoted in ICMP errors
	Joined    uint64   `json:"joined"`     // ranges beyond holes that were joined for want of room: a hole is hidden
	Untold    uint64   `json:"untold"`     // segments that findings would have looked at and that were not kept, of connections that have many
	Undecided uint64   `json:"undecided"`  // transitions given up for want of room before it was known whether --where keeps their connection
	Damage    []Damage `json:"damage"`
}

// Damage is one reason for which part of a file could not be read.
type Damage struct {
	File   Text   `json:"file"`
	Reason string `json:"reason"`
	Offset int64  `json:"offset"` // of the first, octets of the uncompressed file
	N      uint64 `json:"n"`
}

// stamp is a time that marshals as RFC 3339 with nine decimals.
type stamp time.Time

func (s *stamp) MarshalJSON() ([]byte, error) { return appendTime(nil, time.Time(*s)), nil }

// MarshalJSON writes the fields in the order of interface.md.
func (s *Summary) MarshalJSON() ([]byte, error) {
	type plain Summary // without this method
	return marshal(struct {
		*plain
		States statesJSON `json:"states"`
		// Repeated so that they come after the states.
		Quality  Quality `json:"quality"`
		Findings Counts  `json:"findings"`
	}{(*plain)(s), s.States, s.Quality, s.Findings}), nil
}

// AppendJSON appends s as one object with "type" and "schema" first.
func (s *Summary) AppendJSON(b []byte) []byte { return appendTyped(b, "summary", s) }

// appendJSON is AppendJSON with an event as another key.
func (s *Summary) appendJSON(b []byte, event string) []byte {
	b = append(b, `{"type":"summary","schema":"`+Schema+`","event":`...)
	b = append(appendPlain(b, event), ',')
	return append(b, marshal(s)[1:]...)
}

type statesJSON []StateCensus

// MarshalJSON writes {"STATE":{...},...} in the order of RFC 9293.
func (c statesJSON) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, s := range c {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendPlain(b, s.State)
		b = append(b, `:{"confirmed":`...)
		b = strconv.AppendUint(b, s.Confirmed, 10)
		b = append(b, `,"presumed":`...)
		b = strconv.AppendUint(b, s.Presumed, 10)
		b = append(b, `,"elapsed":`...)
		b = strconv.AppendUint(b, s.Elapsed, 10)
		b = append(b, `,"peak":`...)
		b = strconv.AppendUint(b, s.Peak, 10)
		b = append(b, `,"peak_time":`...)
		if s.Peak == 0 {
			b = append(b, "null}"...)
			continue
		}
		b = append(appendTime(b, s.PeakTime), '}')
	}
	return append(b, '}'), nil
}

// tally counts lives for the summary.
type tally struct {
	all              bool // lives are counted, none is left out
	lives, midstream uint64
	closes           [tracker.NumCloseKinds]uint64
	first            [tracker.ByBoth + 1]uint64
	resets           [tracker.NumResetClasses]uint64
}

func (t *tally) add(l *tracker.Life) {
	t.lives++
	if l.Midstream {
		t.midstream++
	}
	t.closes[l.Close]++
	t.first[l.ClosedBy]++
	t.resets[l.ResetAs]++
	if l.Resumes && t.all { // what was told of it before is taken back
		t.lives--
		if l.Midstream {
			t.midstream--
		}
		t.closes[l.Was]--
		t.first[tracker.Nobody]--
		t.resets[tracker.NoReset]--
	}
}

// summary puts everything that was counted together. Of a selection nobody knows
// which connections were folded that belong to it: then all are told of, and none
// counts among its own.
func (t *tally) summary(st *capture.Stats, tot *tracker.Totals, selection bool, resets [tracker.NumResetClasses]uint64, census []StateCensus, findings Counts) *Summary {
	s := &Summary{
		Packets: st.Packets, Segments: st.Selected, Connections: t.lives, Folded: tot.Folded, Evicted: tot.Evicted,
		Skipped: Counts{}, States: census,
		Findings: findings,
		Quality: Quality{
			Midstream: t.midstream, Copies: tot.Copies,
			Dropped: st.Dropped, IfDropped: st.IfDropped, TimeBack: st.TimeBack, Quotes: st.Quotes,
			Joined: tot.Joined, Untold: tot.Untold,
			Damage: []Damage{},
		},
	}
	if !selection {
		s.Connections += tot.Folded
	}
	for _, k := range st.Skipped {
		s.Skipped = append(s.Skipped, Count{k.Reason, k.N})
	}
	for k, n := range t.closes {
		s.Close = append(s.Close, Count{tracker.CloseKind(k).String(), n})
	}
	for _, w := range [...]tracker.Who{tracker.ByClient, tracker.ByServer, tracker.ByBoth, tracker.Nobody} {
		s.ClosedFirst = append(s.ClosedFirst, Count{w.String(), t.first[w]})
	}
	for c := tracker.ResetRefused; c < tracker.NumResetClasses; c++ {
		s.Resets = append(s.Resets, Count{c.String(), resets[c]})
	}
	if st.Packets > 0 {
		first, last := stamp(instant(st.First)), stamp(instant(st.Last))
		s.Quality.Start, s.Quality.End, s.Quality.Span = &first, &last, seconds(st.Last-st.First)
	}
	for _, d := range st.Damage {
		s.Quality.Damage = append(s.Quality.Damage, Damage{Text(d.File), d.Reason, d.Offset, d.N})
	}
	return s
}
