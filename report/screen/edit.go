package screen

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"tcpstate/report"
)

// editing says what is typed.
type editing uint8

const (
	nothing editing = iota
	finding         // Query.Text
	where           // Query.Where
)

// editor is one line of text as it is typed.
type editor struct {
	what editing
	text []rune
	at   int    // the cursor is before this one
	was  string // before it was typed
	sent bool   // asked for, and not yet answered
	err  string // what was wrong with it, in the answer
}

// editMax is how much can be typed: more than any filter needs.
const editMax = 1000

func edit(what editing, text string) editor {
	r := []rune(text)
	return editor{what: what, text: r, at: len(r), was: text}
}

func (e *editor) String() string { return string(e.text) }

// insert puts text in at the cursor. Line ends and tabs become spaces.
func (e *editor) insert(s string) {
	in := []rune(report.Printable(strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' || r == '\t' }), " ")))
	in = in[:max(min(len(in), editMax-len(e.text)), 0)]
	e.text = append(e.text[:e.at:e.at], append(in, e.text[e.at:]...)...)
	e.at += len(in)
}

// cut takes out what lies between two places.
func (e *editor) cut(from, to int) {
	e.text = append(e.text[:from:from], e.text[to:]...)
	e.at = from
}

// key does what a key does to a line of text.
func (e *editor) key(k tea.KeyPressMsg) {
	switch k.String() {
	case "backspace", "ctrl+h":
		if e.at > 0 {
			e.cut(e.at-1, e.at)
		}
	case "delete", "ctrl+d":
		if e.at < len(e.text) {
			e.cut(e.at, e.at+1)
		}
	case "left", "ctrl+b":
		e.at = max(e.at-1, 0)
	case "right", "ctrl+f":
		e.at = min(e.at+1, len(e.text))
	case "home", "ctrl+a":
		e.at = 0
	case "end", "ctrl+e":
		e.at = len(e.text)
	case "ctrl+u":
		e.cut(0, e.at)
	case "ctrl+k":
		e.text = e.text[:e.at]
	case "ctrl+w":
		i := e.at
		for i > 0 && e.text[i-1] == ' ' {
			i--
		}
		for i > 0 && e.text[i-1] != ' ' {
			i--
		}
		e.cut(i, e.at)
	default:
		e.insert(k.Text)
	}
}

// show is the line with its prompt in w columns, and where the cursor is in it.
func (e *editor) show(prompt string, w int) (l line, x int) {
	l.add(strong, prompt)
	room := max(w-l.w-1, 1)
	from := e.at
	for n := 0; from > 0; from-- {
		if n += width(clean(string(e.text[from-1]))); n > room {
			break
		}
	}
	l.add(plain, string(e.text[from:e.at]))
	x = l.w
	l.add(plain, string(e.text[e.at:]))
	return l, min(x, max(w-1, 0))
}
