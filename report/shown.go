package report

import (
	"time"

	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// The words of the tables, for a screen that says the same of a live capture.

// ShowCount writes n with a mark between groups of three: 1,234,567.
func ShowCount(n uint64) string { return showCount(n) }

// ShowPlural is "1 file", "2 files".
func ShowPlural(n uint64, one string) string { return plural(n, one) }

// ShowSpan writes a duration with three significant digits, or as minutes and hours
// where it is long: 81 µs, 1.21 s, 4m05s, 2h03m.
func ShowSpan(d time.Duration) string { return showSpan(d.Seconds()) }

// ShowState marks a state that is not confirmed: ? presumed, ~ elapsed.
func ShowState(s tracker.EndState) string { return showState(s.State, s.Certainty) }

// ShowRef is a connection's number, with that of its incarnation if there are several:
// 3, 3.1.
func ShowRef(r detect.Ref) string { return recordName(r) }

// ShowMetric is the value of a metric, or - where it is no number.
func ShowMetric(v float64) string { return metric(v, "-") }

// ToAct is who has to act on a finding.
func ToAct(f *detect.Finding) string { return string(blame(f)) }
