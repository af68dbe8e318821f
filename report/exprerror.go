package report

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// ExprError is an expression that does not compile. Its text points at the
// place with a caret on a line of its own, and is fit for a terminal: what a library
// says of an expression quotes parts of it. Of a long line it shows what is about the place.
type ExprError struct {
	Expr         string
	Reason       string
	Line, Column int // from 1; 0 if the place is not known
}

func (e *ExprError) Error() string {
	reason := Printable(e.Reason)
	if e.Line == 0 {
		return reason
	}
	line := strings.ReplaceAll(strings.Split(e.Expr, "\n")[e.Line-1], "\t", " ")
	text, before := excerpt(line, e.Column-1)
	return fmt.Sprintf("%s\n  %s\n  %s^", reason, text, strings.Repeat(" ", before))
}

const (
	excerptMost = 100 // columns of a line that are shown, and an ellipsis where more was cut off
	reasonMost  = 200 // characters of what a library says, which may quote all of the expression
)

// excerpt is a line of text as it is printed, or of a long one what is about the character
// number at, and how many columns are before that.
func excerpt(line string, at int) (text string, before int) {
	var chars []string // as they are printed
	for len(line) > 0 {
		_, n := utf8.DecodeRuneInString(line)
		chars, line = append(chars, Printable(line[:n])), line[n:]
	}
	from := min(at, len(chars))
	to, room := from, excerptMost
	take := func(i int) bool {
		if i < 0 || i >= len(chars) || utf8.RuneCountInString(chars[i]) > room {
			return false
		}
		room -= utf8.RuneCountInString(chars[i])
		return true
	}
	for more := true; more; { // from both sides in turn, so that the place is in the middle
		more = false
		if take(to) {
			to, more = to+1, true
		}
		if take(from - 1) {
			from, more = from-1, true
		}
	}
	text = strings.Join(chars[from:to], "")
	before = utf8.RuneCountInString(strings.Join(chars[from:min(at, len(chars))], ""))
	if from > 0 {
		text, before = "…"+text, before+1
	}
	if to < len(chars) {
		text += "…"
	}
	return text, before
}

// upTo is a text, or the beginning of one that has more than so many characters.
func upTo(s string, most int) string {
	n := 0
	for i := range s {
		if n == most {
			return s[:i] + "…"
		}
		n++
	}
	return s
}
