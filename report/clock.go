package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Clock is how times are shown to people. JSON always has UTC.
type Clock uint8

const (
	ClockUTC Clock = iota
	ClockLocal
	ClockEpoch
	ClockRelative // to the first frame
)

var clockNames = []string{"utc", "local", "epoch", "relative"}

// ParseClock reads the value of --time.
func ParseClock(s string) (Clock, error) {
	for i, n := range clockNames {
		if s == n {
			return Clock(i), nil
		}
	}
	return 0, fmt.Errorf("unknown clock %q: it is one of %s", s, strings.Join(clockNames, ", "))
}

// Show renders t with microseconds; start is the time of the first frame,
// zone that of ClockLocal.
func (c Clock) Show(t, start time.Time, zone *time.Location) string {
	switch c {
	case ClockLocal:
		if zone == nil {
			zone = time.UTC
		}
		return t.In(zone).Format("2006-01-02 15:04:05.000000 -07:00")
	case ClockEpoch:
		return string(appendEpoch(nil, t.UnixNano()))
	case ClockRelative:
		return fmt.Sprintf("%.6f", t.Sub(start).Seconds())
	}
	return t.UTC().Format("2006-01-02 15:04:05.000000")
}

// Moment is a point in time as --since and --until take it.
type Moment struct {
	kind byte // 0 not given, 'a' absolute, 'r' relative to the first frame, 'd' a time on the first frame's day
	ns   int64
}

// ParseMoment reads
//
//	2026-11-20T22:48:00.5Z   RFC 3339
//	2026-11-20 22:48:00.5    the same in UTC, seconds and date's rest may be missing
//	22:48:00                 on the (UTC) day of the first frame
//	1795208387.181           seconds since 1970
//	+90s, +1h2m              after the first frame
func ParseMoment(s string) (Moment, error) {
	if d, ok := strings.CutPrefix(s, "+"); ok {
		if v, err := time.ParseDuration(d); err == nil {
			return Moment{'r', int64(v)}, nil
		}
		return Moment{}, fmt.Errorf("time %q: after + comes a duration such as 90s or 1h2m", s)
	}
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return Moment{'a', clampNano(t)}, nil
		}
	}
	for _, layout := range [...]string{"15:04:05", "15:04"} {
		if t, err := time.Parse(layout, s); err == nil {
			return Moment{'d', int64(t.Sub(t.Truncate(24 * time.Hour)))}, nil
		}
	}
	if ns, ok := parseEpoch(s); ok {
		return Moment{'a', ns}, nil
	}
	return Moment{}, fmt.Errorf("time %q: give it as 2026-11-20T22:48:00Z, 22:48:00, 1795208387.18 or +90s", s)
}

// clampNano is t in ns since 1970. What 64 bits do not hold, before 1678 or
// after 2262, lies beyond every capture and becomes the first or last moment.
func clampNano(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return t.UnixNano()
}

// parseEpoch reads seconds since 1970 exactly, up to nine decimals.
func parseEpoch(s string) (int64, bool) {
	whole, frac, _ := strings.Cut(s, ".")
	sec, err := strconv.ParseUint(whole, 10, 33)
	if err != nil || len(frac) > 9 {
		return 0, false
	}
	ns := uint64(0)
	if frac != "" {
		if ns, err = strconv.ParseUint((frac + "00000000")[:9], 10, 32); err != nil {
			return 0, false
		}
	}
	return int64(sec*1e9 + ns), true
}

// Set reports whether a moment was given.
func (m Moment) Set() bool { return m.kind != 0 }

// At is the moment in ns since 1970, in a capture that begins at first.
func (m Moment) At(first int64) int64 {
	switch m.kind {
	case 'r':
		if first > 0 && m.ns > math.MaxInt64-first {
			return math.MaxInt64
		}
		return first + m.ns
	case 'd':
		day := int64(24 * time.Hour)
		return first - (first%day+day)%day + m.ns
	}
	return m.ns
}
