package page

import (
	"math"
	"strconv"
	"strings"
)

// The charts' common scale of time. page.js has the same arithmetic for a part of it, so
// that zooming back gives what was there.

// The charts in the units of their drawings: the plot lies between plotLeft and
// plotRight, and the script widens it to the window.
const (
	chartWidth = 960
	plotLeft   = 56
	plotRight  = chartWidth - 112
	plotWidth  = plotRight - plotLeft
)

// tick is a mark on an axis.
type tick struct {
	At   float64 // in units of the drawing
	Text string
}

// span is a stretch of time, ns.
type span struct{ from, to int64 }

// x is where a time lies, in units of the drawing.
func (s span) x(t int64) float64 {
	return plotLeft + plotWidth*float64(t-s.from)/float64(s.to-s.from)
}

// ticks are about n marks at round times since the start.
func (s span) ticks(n int) (l []tick) {
	d := float64(s.to - s.from)
	step := niceTime(d / float64(n))
	for i := 0; float64(i)*step <= d*1.000001; i++ {
		l = append(l, tick{plotLeft + plotWidth*float64(i)*step/d, showTime(float64(i)*step, step, d)})
	}
	return l
}

// niceTime is the least of the round lengths (ns) that is not below d.
func niceTime(d float64) float64 {
	const second = 1e9
	if d <= 10*second {
		return niceNumber(d)
	}
	for _, s := range [...]float64{15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400} {
		if s*second >= d {
			return s * second
		}
	}
	return niceNumber(d/(86400*second)) * 86400 * second
}

// niceNumber is the least of 1, 2 and 5 times a power of ten that is not below d.
func niceNumber(d float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(d)))
	for _, f := range [...]float64{1, 2, 5} {
		if f*p >= d*0.999999 {
			return f * p
		}
	}
	return 10 * p
}

// showTime writes ns on an axis that goes to end with marks a step apart, all ns.
func showTime(ns, step, end float64) string {
	if ns == 0 {
		return "0"
	}
	const second = 1e9
	switch {
	case step >= 86400*second:
		return trimmed(ns/(86400*second), 0) + " d"
	case step >= 60*second:
		h, m := math.Floor(ns/(3600*second)), math.Mod(math.Round(ns/(60*second)), 60)
		if h == 0 {
			return trimmed(m, 0) + " min"
		}
		if m == 0 {
			return trimmed(h, 0) + " h"
		}
		return trimmed(h, 0) + " h " + trimmed(m, 0)
	case end >= second:
		return trimmed(ns/second, 6) + " s"
	case end >= 1e6:
		return trimmed(ns/1e6, 3) + " ms"
	}
	return trimmed(ns/1e3, 3) + " µs"
}

// showLength writes a length of time, ns, in the largest unit that it is one or more of.
func showLength(ns int64) string {
	for _, u := range [...]struct {
		ns   float64
		name string
	}{{3600e9, "h"}, {60e9, "min"}, {1e9, "s"}, {1e6, "ms"}, {1e3, "µs"}} {
		if float64(ns) >= u.ns {
			return trimmed(float64(ns)/u.ns, 3) + "\u00a0" + u.name
		}
	}
	return strconv.FormatInt(ns, 10) + "\u00a0ns"
}

// trimmed writes f with at most so many decimals.
func trimmed(f float64, decimals int) string {
	s := strconv.FormatFloat(f, 'f', decimals, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// unit writes a place in a drawing, to a hundredth.
func unit(f float64) string { return trimmed(f, 2) }

// count writes n with commas between groups of three.
func count(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
