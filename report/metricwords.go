package report

import (
	"math"
	"strings"
	"time"

	"tcpstate/report/detect"
)

// How people write a metric of a finding: JSON has the unit in its name.

// metricWords are the name of a metric without its unit, and its value with it; brief writes
// instants.
func metricWords(m detect.Metric, brief func(time.Time) string) (name, value string) {
	name = m.Name
	cut := func(unit string) bool {
		s, found := strings.CutSuffix(name, unit)
		if !found {
			s = strings.Replace(name, unit+"_", "_", 1) // idle_seconds_median
		}
		found = s != name
		name = s
		return found
	}
	switch {
	case math.IsNaN(m.Value) || math.IsInf(m.Value, 0):
		value = "-"
		for _, unit := range []string{"_per_second", "_seconds", "_bytes"} {
			cut(unit)
		}
	case name == "peak_at" && m.Value > 0: // seconds since 1970, which a number holds to the microsecond
		value = brief(time.UnixMicro(int64(math.Round(m.Value * 1e6))))
	case strings.HasSuffix(name, "_at_seconds"):
		cut("_seconds")
		value = showSpan(m.Value) + " after the first packet"
	case name == "seconds":
		name, value = "time", showSpan(m.Value)
	case cut("_per_second"):
		value = metricNumber(m.Value) + " per second"
	case cut("_seconds"):
		value = showSpan(m.Value)
	case cut("_bytes"):
		value = showOctets(uint64(max(m.Value, 0)))
	case name == "share" || strings.HasPrefix(name, "share_") || strings.HasSuffix(name, "_share"):
		value = metricNumber(100*m.Value) + " %"
	default:
		value = metricNumber(m.Value)
	}
	return metricNames.Replace(strings.ReplaceAll(name, "_", " ")), value
}

// metricNames writes what has a spelling of its own.
var metricNames = strings.NewReplacer("syn received", "SYN-RECEIVED", "time wait", "TIME-WAIT", "syn ack", "SYN,ACK", "bare syns", "bare SYNs", "syns", "SYNs", " ack", " ACK", "rst", "RST", "ttl", "TTL", "mtu", "MTU")

// metricNumber writes a whole number with its groups, and three digits of another.
func metricNumber(v float64) string {
	switch {
	case v == math.Trunc(v) && v >= 0 && v < 1<<53:
		return showCount(uint64(v))
	case v >= 0.01:
		return digits3(v)
	}
	return detect.Number(v)
}
