package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// LadderStyle is how much a printed ladder says.
type LadderStyle struct {
	// Full names everything of each segment and the numbers that sequence
	// numbers are relative to, so that reading it back gives the same ladder.
	Full bool
}

// stateWidth fits the longest state with its mark.
const stateWidth = 13

// cellWidth is the least width of the arrows.
const cellWidth = 34

// Print writes l in the ladder grammar: plain text of fixed width.
func (l *Ladder) Print(w io.Writer, style LadderStyle) error {
	var b strings.Builder
	head := fmt.Sprintf("stream %d   %s → %s   %s", l.Stream, l.Left, l.Right, Printable(l.Note))
	b.WriteString(strings.TrimRight(head, " ") + "\n")
	if style.Full && l.ISN != [2]uint32{} {
		fmt.Fprintf(&b, "isn %d %d\n", l.ISN[0], l.ISN[1])
	}
	if style.Full && l.Start != 0 {
		fmt.Fprintf(&b, "start %s\n", appendEpoch(nil, l.Start))
	}
	if style.Full && l.Sparse {
		fmt.Fprintf(&b, "config sparse\n")
	}
	if l.TimeWait >= 0 {
		fmt.Fprintf(&b, "config time-wait %s\n", l.TimeWait)
	}
	if l.FinTimeout >= 0 {
		fmt.Fprintf(&b, "config fin-timeout %s\n", l.FinTimeout)
	}
	texts, cell, clock := l.cells(style)
	left, right := l.Left.String(), l.Right.String()
	cell = max(cell, len(left)+len(right)+3)
	row := func(frame, time, s0, c, s1, why string) {
		line := pad(frame, -5) + "   " + pad(time, clock) + "   " + pad(s0, stateWidth) + "  " + pad(c, cell) + "  " + pad(s1, stateWidth) + "   " + why
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	row("frame", "time", "client", left+strings.Repeat(" ", cell-len(left)-len(right))+right, "server", "why")
	_, leftSide := l.key()
	for i := range l.Rows {
		r := &l.Rows[i]
		frame := ""
		dir := byte('|')
		if !r.Timer() {
			frame = fmt.Sprint(r.Segment.Frame)
			dir = '>'
			if r.Segment.Side != leftSide {
				dir = '<'
			}
		}
		row(frame, ladderTime(r.Segment.Time), r.States[0].String(), arrow(texts[i], dir, cell), r.States[1].String(), r.why())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cells are the texts of all rows, and the widths of the columns that hold
// them and the times.
func (l *Ladder) cells(style LadderStyle) (texts []string, cell, clock int) {
	cell, clock = cellWidth, 8
	_, left := l.key()
	for i := range l.Rows {
		r := &l.Rows[i]
		t := timerText
		if !r.Timer() {
			from := r.Segment.Side ^ left
			t = segmentText(&r.Segment, l.ISN[from], l.ISN[from^1], style.Full) + quoteWords(r.Quote)
		}
		texts = append(texts, t)
		cell = max(cell, utf8.RuneCountInString(t)+6)
		clock = max(clock, len(ladderTime(r.Segment.Time)))
	}
	return texts, cell, clock
}

// timerText stands between the lines of a timer's row.
const timerText = "timer"

// arrow draws the text on an arrow of that width: > to the right, < to the
// left, | no arrow.
func arrow(text string, dir byte, width int) string {
	fill := strings.Repeat("─", max(width-utf8.RuneCountInString(text)-4, 2))
	switch dir {
	case '>':
		return "── " + text + " " + strings.TrimPrefix(fill, "─") + "▶"
	case '<':
		return "◀" + strings.TrimPrefix(fill, "─") + " " + text + " ──"
	}
	half := strings.Repeat("─", (width-utf8.RuneCountInString(text)-2)/2)
	return half + " " + text + " " + half
}

// pad fills s with spaces on the right, for a negative width on the left.
func pad(s string, width int) string {
	n := utf8.RuneCountInString(s)
	if width < 0 {
		return strings.Repeat(" ", max(-width-n, 0)) + s
	}
	return s + strings.Repeat(" ", max(width-n, 0))
}

// ladderTime writes ns as seconds with six decimals, or nine if they are needed.
func ladderTime(ns int64) string {
	s := string(appendEpoch(nil, ns))
	return strings.TrimSuffix(s, "000")
}

// String writes the state with ? if it is presumed and ~ if it elapsed.
func (s LadderState) String() string {
	if s.Any {
		return "*"
	}
	return showState(s.State, s.Certainty)
}

// why is the last column: rules, then revoked, then the class in brackets.
func (r *LadderRow) why() string {
	words := r.Rules
	if len(words) == 0 && words != nil {
		words = []string{noRule}
	}
	if r.Revoked {
		words = append(words[:len(words):len(words)], revokedWord)
	}
	s := strings.Join(words, ",")
	if r.Class != "" {
		s = strings.TrimLeft(s+" ("+r.Class+")", " ")
	}
	return s
}

// noRule says that no rule applied, where that matters.
const noRule = "-"

// revokedWord stands among the rules where a presumption was taken back.
const revokedWord = "revoked"
