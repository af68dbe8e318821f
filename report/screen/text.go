package screen

import (
	"fmt"
	"strings"
	"unicode"

	"charm.land/lipgloss/v2"

	"tcpstate/report"
)

// clean makes s fit for a terminal (report.Printable), and such that it is as wide as its
// characters one by one: what joins the character before is escaped, too.
func clean(s string) string {
	s = report.Printable(s)
	if !strings.ContainsFunc(s, joins) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if joins(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// joins reports a character that changes the one before it: an accent, a variation selector.
func joins(r rune) bool { return r >= 0x300 && unicode.Is(unicode.M, r) }

// cells is how many columns a character takes.
func cells(r rune) int {
	if r < 0x7f {
		return 1
	}
	return lipgloss.Width(string(r))
}

// width is how many columns a clean text takes.
func width(s string) int {
	n := 0
	for _, r := range s {
		n += cells(r)
	}
	return n
}

// ellipsis stands for what was cut off.
const ellipsis = "…"

// cut shortens a clean text to at most w columns.
func cut(s string, w int) string {
	if width(s) <= w {
		return s
	}
	if w < 1 {
		return ""
	}
	n := 0
	for i, r := range s {
		if n += cells(r); n > w-1 {
			return s[:i] + ellipsis
		}
	}
	return s
}

// cutLeft shortens a clean text from its beginning, where the end matters more: ports.
func cutLeft(s string, w int) string {
	if width(s) <= w {
		return s
	}
	if w < 1 {
		return ""
	}
	rs := []rune(s)
	n, i := 0, len(rs)
	for i > 0 && n+cells(rs[i-1]) <= w-1 {
		i--
		n += cells(rs[i])
	}
	return ellipsis + string(rs[i:])
}

// padTo fills a clean text with spaces up to w columns, on the left for a negative w.
func padTo(s string, w int) string {
	fill := strings.Repeat(" ", max(max(w, -w)-width(s), 0))
	if w < 0 {
		return fill + s
	}
	return s + fill
}

// cell is a clean text of exactly w columns; flush right for a negative w.
func cell(s string, w int) string { return padTo(cut(s, max(w, -w)), w) }

// wrap breaks text into lines of at most w columns, between words where it can.
func wrap(text string, w int) []string {
	if w < 1 {
		return nil
	}
	var lines []string
	line := ""
	for _, word := range strings.Fields(clean(text)) {
		if line != "" && width(line)+1+width(word) <= w {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		for width(word) > w {
			head := fit(word, w)
			lines = append(lines, head)
			word = word[len(head):]
		}
		line = word
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// fit is as much of the beginning of a word as w columns hold, at least one character.
func fit(s string, w int) string {
	n := 0
	for i, r := range s {
		if n += cells(r); n > w && i > 0 {
			return s[:i]
		}
	}
	return s
}

// small writes a number in at most five columns: 999, 1.2k, 34k, 5.6M.
func small(n uint64) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	f := float64(n)
	for _, unit := range "kMGTPE" {
		f /= 1000
		switch {
		case f < 9.95:
			return fmt.Sprintf("%.1f%c", f, unit)
		case f < 999.5:
			return fmt.Sprintf("%.0f%c", f, unit)
		}
	}
	return "many"
}
