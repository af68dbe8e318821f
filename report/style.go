package report

import "tcpstate/report/detect"

// What outputs outside this package need to look like those in it.

// Grid renders a small table of text, each line indented. Heads that begin with > are
// flush right, and so are their columns. Cells have to be Printable.
func (s *Style) Grid(indent string, heads []string, rows [][]string) string {
	g := grid{heads: heads, rows: rows}
	return g.text(indent, s)
}

// Bold is a heading.
func (s *Style) Bold(text string) string { return s.bold(text) }

// Dim is what matters less.
func (s *Style) Dim(text string) string { return s.dim(text) }

// Good and Bad are how something ended; Doubtful is in between.
func (s *Style) Good(text string) string     { return s.paint("32", text) }
func (s *Style) Bad(text string) string      { return s.paint("1;31", text) }
func (s *Style) Doubtful(text string) string { return s.warn(text) }

// Severity is the word, seven columns wide, in its colour.
func (s *Style) Severity(v detect.Severity) string { return s.severity(v) }

// ShowSeconds writes a duration in seconds with three significant digits, or as minutes and
// hours where it is long; "-" for NaN.
func ShowSeconds(seconds float64) string { return showSpan(seconds) }

// EvidenceLine names the frames of the first connections: frames 1, 2 (connection 0);
// 3, 4 (connection 1); 18 connections more. "" if there are none.
func EvidenceLine(e *detect.Evidence) string { return evidenceLine(e) }
