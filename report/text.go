package report

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"tcpstate/tracker"
)

// Printable returns s fit for a terminal: whatever is not printable, and
// octets that are no UTF-8, become \xNN or \uNNNN.
func Printable(s string) string {
	clean := true
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1 || r < 0x80 && !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		i += n
	}
	return b.String()
}

// showCount writes n with a thin mark between groups of three: 1,234,567.
func showCount(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// plural is "1 file", "2 files".
func plural(n uint64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return showCount(n) + " " + one + "s"
}

// showSpan writes a duration with three significant digits, or as minutes
// and hours where it is long: 81 µs, 1.21 s, 4m05s, 2h03m.
func showSpan(sec float64) string {
	switch {
	case sec != sec:
		return "-"
	case sec >= 3600:
		m := int(sec/60 + 0.5)
		return fmt.Sprintf("%dh%02dm", m/60, m%60)
	case sec >= 120:
		s := int(sec + 0.5)
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case sec >= 1:
		return digits3(sec) + " s"
	case sec >= 1e-3:
		return digits3(sec*1e3) + " ms"
	case sec > 0:
		return digits3(sec*1e6) + " µs"
	}
	return "0 s"
}

func digits3(f float64) string {
	switch {
	case f >= 99.95:
		return strconv.FormatFloat(f, 'f', 0, 64)
	case f >= 9.995:
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return strconv.FormatFloat(f, 'f', 2, 64)
}

// showState marks a state that is not confirmed: ? presumed, ~ elapsed.
func showState(s tracker.State, c tracker.Certainty) string {
	switch c {
	case tracker.Presumed:
		return s.String() + "?"
	case tracker.Elapsed:
		return s.String() + "~"
	}
	return s.String()
}
