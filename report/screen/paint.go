package screen

import (
	"strings"

	"charm.land/lipgloss/v2"

	"tcpstate/report/detect"
)

// look is how a piece of text is set off.
type look uint8

const (
	plain look = iota
	strong
	faint
	good
	note
	warning
	bad
	picked
	numLooks
)

// paint turns looks into what a terminal does. Without colour it does nothing, and
// everything that a colour says is said by a word or a sign, too. The colours are those
// of the terminal's own palette.
type paint struct {
	styles [numLooks]lipgloss.Style
	off    bool
}

func newPaint(off bool) *paint {
	s := lipgloss.NewStyle
	return &paint{off: off, styles: [numLooks]lipgloss.Style{
		strong:  s().Bold(true),
		faint:   s().Faint(true),
		good:    s().Foreground(lipgloss.Green),
		note:    s().Foreground(lipgloss.Cyan),
		warning: s().Foreground(lipgloss.Yellow),
		bad:     s().Bold(true).Foreground(lipgloss.Red),
		picked:  s().Reverse(true),
	}}
}

func (p *paint) text(l look, s string) string {
	if p.off || l == plain || s == "" {
		return s
	}
	return p.styles[l].Render(s)
}

// lookOf is that of a severity.
func lookOf(s detect.Severity) look {
	switch s {
	case detect.Error:
		return bad
	case detect.Warning:
		return warning
	}
	return note
}

// line is one line of the screen: pieces of clean text.
type line struct {
	spans []span
	w     int // columns
}

type span struct {
	look look
	text string
}

// add appends text, which may come from outside.
func (l *line) add(k look, text string) *line {
	text = clean(text)
	l.spans = append(l.spans, span{k, text})
	l.w += width(text)
	return l
}

// text is a line of one piece.
func textLine(k look, text string) line {
	var l line
	l.add(k, text)
	return l
}

// to fills the line with spaces up to w columns.
func (l *line) to(w int) *line {
	if l.w < w {
		l.add(plain, strings.Repeat(" ", w-l.w))
	}
	return l
}

// cut shortens the line to w columns.
func (l *line) cut(w int) *line {
	if l.w <= w {
		return l
	}
	w = max(w, 0)
	room := w
	for i := range l.spans {
		s := &l.spans[i]
		n := width(s.text)
		if n < room || n == room && i == len(l.spans)-1 {
			room -= n
			continue
		}
		s.text = cut(s.text+ellipsis, room) // something follows, or is cut off
		l.spans = l.spans[:i+1]
		break
	}
	l.w = 0
	for _, s := range l.spans {
		l.w += width(s.text)
	}
	return l
}

// pick shows the whole line as the one that keys act on.
func (l *line) pick(w int) *line {
	l.cut(w).to(w)
	for i := range l.spans {
		l.spans[i].look = picked
	}
	return l
}

// beside puts another line to the right of w columns of this one.
func (l *line) beside(w int, right line) {
	l.cut(w).to(w)
	l.spans = append(l.spans, right.spans...)
	l.w += right.w
}

func (l *line) render(p *paint) string {
	var b strings.Builder
	for _, s := range l.spans {
		b.WriteString(p.text(s.look, s.text))
	}
	return strings.TrimRight(b.String(), " ")
}

// render writes at most h lines of at most w columns each.
func (p *paint) render(lines []line, w, h int) string {
	lines = lines[:min(len(lines), max(h, 0))]
	out := make([]string, len(lines))
	for i := range lines {
		out[i] = lines[i].cut(w).render(p)
	}
	return strings.Join(out, "\n")
}
