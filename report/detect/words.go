package detect

import (
	"fmt"
	"time"
)

// plural is a number with its noun: 1 SYN, 2 SYNs.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	switch {
	case noun[len(noun)-1] == 'y':
		noun = noun[:len(noun)-1] + "ies"
	case noun[len(noun)-1] == 's' || noun[len(noun)-1] == 'h':
		noun += "es"
	default:
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// clock is a packet's time of day, UTC, in milliseconds.
func clock(ns int64) string { return instant(ns).Format("15:04:05.000") + " UTC" }

// span is a duration for people: 0.31 s, 2.5 s, 75 s, 12 min, 3.5 h.
func span(ns int64) string {
	d := time.Duration(ns)
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 100*time.Second:
		return trim(fmt.Sprintf("%.1f", d.Seconds())) + " s"
	case d < 100*time.Minute:
		return trim(fmt.Sprintf("%.1f", d.Minutes())) + " min"
	}
	return trim(fmt.Sprintf("%.1f", d.Hours())) + " h"
}

// trim takes ".0" off.
func trim(s string) string {
	if n := len(s); n > 2 && s[n-2:] == ".0" {
		return s[:n-2]
	}
	return s
}

// percent is a share as people write it.
func percent(v float64) string { return trim(fmt.Sprintf("%.1f", 100*v)) + " %" }
