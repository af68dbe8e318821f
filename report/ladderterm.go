package report

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// The form of ladders for a terminal. Where there is room, why is the last column; else it
// stands below its row.

const (
	sheetLeast, sheetMost = 80, 160
	arrowLeast, arrowMost = 26, 60
	whyLeast              = 28
	whySnug               = 33 // in which most reasons need one line
)

// arrowEnds are the columns of an arrow besides its text.
const arrowEnds = 6

// Table writes the ladders for a terminal.
func (s *LadderSheet) Table(to io.Writer) error {
	w := bufio.NewWriterSize(to, outputBuffer)
	width := min(max(s.Width, sheetLeast), sheetMost)
	for _, l := range s.Ladders {
		t := ladderTable{LadderSheet: s, w: w, l: l, width: width}
		t.write()
		fmt.Fprintln(w)
	}
	for _, x := range s.Left {
		fmt.Fprint(w, Paragraph("", "", Printable(x), width))
	}
	if rules := s.rulesOf(); len(rules) > 0 && !s.Quiet && !s.Verbose {
		if len(s.Left) > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintln(w, s.bold("Rules"))
		name := 0
		for _, r := range rules {
			name = max(name, len(r.Name()))
		}
		for _, r := range rules {
			rest := strings.Repeat(" ", name+4)
			fmt.Fprint(w, Paragraph("  "+pad(r.Name(), name)+"  ", rest, fmt.Sprintf("%s (%s)", r.Why(), r.Source()), width))
		}
		fmt.Fprint(w, Paragraph("", "", "A state with ? is presumed: what causes it was seen on its way. One with ~ elapsed: a timer ran out.", width))
		if s.unscaled() {
			fmt.Fprint(w, Paragraph("", "", "A window with ? is as it was sent: by how much to scale it was not seen.", width))
		}
	}
	return w.Flush()
}

// unscaled reports whether some window is shown with ?.
func (s *LadderSheet) unscaled() bool {
	for _, l := range s.Ladders {
		for i := range l.Rows {
			if r := &l.Rows[i]; r.Scale < 0 && r.window() != "" {
				return true
			}
		}
	}
	return false
}

// ladderTable is one ladder being written.
type ladderTable struct {
	*LadderSheet
	w     *bufio.Writer
	l     *Told
	width int

	times              []string
	short              bool // no row says where its payload ends
	frame, time, arrow int
	states             [2]int
	why                int // 0: it stands below
	before             [2]LadderState
}

func (t *ladderTable) write() {
	t.head()
	t.measure()
	left, right := t.l.Left.String(), t.l.Right.String()
	gap := t.arrow - len(left) - len(right)
	ends := strings.Repeat(" ", t.arrow)
	if gap >= 1 {
		ends = left + strings.Repeat(" ", gap) + right
	}
	why := ""
	if t.why > 0 {
		why = "why"
	}
	t.line(t.dim(strings.TrimRight(t.columns("frame", "time", [2]string{pad("client", t.states[0]), pad("server", t.states[1])}, ends)+"  "+why, " ")))
	for i := range t.l.Rows {
		t.row(i)
	}
}

func (t *ladderTable) line(text string) { fmt.Fprintln(t.w, text) }

// head is what comes before the rows: the connection, and its findings.
func (t *ladderTable) head() {
	l := t.l
	name := "stream " + recordName(l.ref())
	ends := fmt.Sprintf("%s → %s", l.Left, l.Right)
	text := fmt.Sprintf("%s   %s   %s", name, ends, t.note(l.Ladder))
	if utf8.RuneCountInString(text) <= t.width {
		t.line(t.bold(name) + "   " + ends + "   " + t.note(l.Ladder))
	} else {
		t.line(t.bold(name) + "   " + ends)
		fmt.Fprint(t.w, Paragraph("  ", "  ", t.note(l.Ladder), t.width))
	}
	for _, f := range l.Findings {
		id := Printable(f.ID)
		text := Paragraph("", strings.Repeat(" ", 4), fmt.Sprintf("%s: %s", id, Printable(firstSentence(f.Explanation))), t.width-11)
		for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
			if i == 0 {
				t.line("  " + t.severity(f.Severity) + "  " + t.bold(id) + strings.TrimPrefix(line, id))
			} else {
				t.line(strings.Repeat(" ", 11) + line)
			}
		}
	}
}

// measure finds out how wide the columns are.
func (t *ladderTable) measure() {
	t.frame, t.time, t.arrow = len("frame"), len("time"), arrowLeast
	t.states = [2]int{len("client"), len("server")}
	why, brief, payload := 0, 0, 0
	for i := range t.l.Rows {
		r := &t.l.Rows[i]
		width := utf8.RuneCountInString(t.l.rowText(r)) + arrowEnds
		if r.Segment.Len > 0 && r.Folded == nil {
			payload = max(payload, width)
			brief = max(brief, utf8.RuneCountInString(t.l.rowBrief(r, true, false))+arrowEnds)
		} else {
			brief = max(brief, width)
		}
		t.times = append(t.times, t.LadderSheet.time(t.l.Ladder, r))
		t.frame = max(t.frame, len(strconv.FormatUint(r.Segment.Frame, 10)))
		t.time = max(t.time, len(t.times[i]))
		for side, s := range r.States {
			t.states[side] = max(t.states[side], len(s.String()))
		}
		t.arrow = max(t.arrow, width)
		for _, w := range t.reasons(r) {
			why = max(why, utf8.RuneCountInString(w))
		}
	}
	defer func() { t.short = payload > t.arrow }()
	t.arrow = max(min(t.arrow, arrowMost), len(t.l.Left.String())+len(t.l.Right.String())+2)
	room := t.width - utf8.RuneCountInString(t.columns("", "", [2]string{pad("", t.states[0]), pad("", t.states[1])}, ""))
	if why > 0 && room-2-arrowLeast >= min(why, whyLeast) {
		t.arrow = min(t.arrow, max(room-2-why, room-2-max(whyLeast, room/2), min(brief, room-2-whySnug), arrowLeast))
		t.why = room - 2 - t.arrow
		return
	}
	t.arrow = max(min(t.arrow, room), arrowLeast)
}

// columns are all columns but why. states fill theirs already.
func (t *ladderTable) columns(frame, time string, states [2]string, arrow string) string {
	return pad(frame, -t.frame) + "  " + pad(time, t.time) + "  " + states[0] + "  " + arrow + "  " + states[1]
}

// reasons are the parts of why.
func (t *ladderTable) reasons(r *LadderRow) (words []string) {
	if r.Class != "" {
		words = append(words, r.Class)
	}
	if !t.Verbose {
		return append(words, r.whyWords()...)
	}
	return append(words, r.whyInFull()...)
}

// because are the lines of why in so many columns: one, or one for each reason.
func (t *ladderTable) because(r *LadderRow, first, rest string, width int) (lines []string) {
	words := t.reasons(r)
	if len(words) == 0 {
		return nil
	}
	if all := strings.Join(words, ", "); utf8.RuneCountInString(first+all) <= width {
		words = []string{all}
	}
	for _, w := range words {
		lines = append(lines, strings.Split(strings.TrimSuffix(Paragraph(first, rest, w, width), "\n"), "\n")...)
	}
	for i, l := range lines {
		if r.Class != "" || r.Revoked {
			lines[i] = t.warn(l) // what is out of the ordinary stands out
		} else {
			lines[i] = t.dim(l)
		}
	}
	return lines
}

func (t *ladderTable) row(i int) {
	r := &t.l.Rows[i]
	frame := ""
	if r.Segment.Frame > 0 {
		frame = strconv.FormatUint(r.Segment.Frame, 10)
	}
	var states [2]string
	for side, s := range r.States {
		states[side] = t.state(s, s != t.before[side]) + strings.Repeat(" ", t.states[side]-len(s.String()))
	}
	t.before = r.States
	text := t.columns(frame, t.times[i], states, t.drawn(r))
	under := strings.Repeat(" ", t.frame+2)
	var below []string
	if t.why > 0 {
		below = t.because(r, "", "  ", t.why)
		if len(below) > 0 {
			text += "  " + below[0]
			below = below[1:]
		}
		for j := range below {
			below[j] = strings.Repeat(" ", t.width-t.why) + below[j]
		}
	} else {
		below = t.because(r, under, under+"  ", t.width)
	}
	t.line(strings.TrimRight(text, " "))
	for _, l := range below {
		t.line(l)
	}
	for _, m := range r.Marks {
		for _, l := range strings.Split(strings.TrimSuffix(Paragraph(under+"◆ ", under+"  ", Printable(m), t.width), "\n"), "\n") {
			t.line(t.bold(l))
		}
	}
}

// drawn is the arrow of a row, as wide as the column.
func (t *ladderTable) drawn(r *LadderRow) string {
	text := t.l.rowBrief(r, t.short, false)
	if r.Folded != nil {
		words := r.Folded.words(r.Segment.Time)
		for len(words) > 1 && utf8.RuneCountInString(text) > t.arrow {
			words = words[:len(words)-1]
			text = "… " + strings.Join(words, ", ")
		}
		return t.dim(pad(center(fit(text, t.arrow), t.arrow), t.arrow))
	}
	if utf8.RuneCountInString(text) > t.arrow-arrowEnds {
		text = t.l.rowBrief(r, t.short, true)
	}
	if head, ok := strings.CutSuffix(text, windowKey+"0"); ok { // which matters more than what is before it
		text = fit(head, t.arrow-arrowEnds-len(windowKey+"0")) + windowKey + "0"
	}
	text = fit(text, t.arrow-arrowEnds)
	switch {
	case r.Timer():
		return pad(center("╌╌╌ "+text+" ╌╌╌", t.arrow), t.arrow)
	case t.l.toLeft(r):
		text = arrow(text, '<', t.arrow)
	default:
		text = arrow(text, '>', t.arrow)
	}
	if r.Segment.Has(capture.RST) || r.Quote != nil {
		return t.paint("1;31", text)
	}
	return text
}

// fit shortens text to a number of columns.
func fit(text string, width int) string {
	r := []rune(text)
	if len(r) <= width {
		return text
	}
	return strings.TrimRight(string(r[:max(width-1, 0)]), " ") + "…"
}

// state paints a state: bold if it has just become that. The colours differ in brightness
// and are none of red against green; the name is always there.
func (t *ladderTable) state(s LadderState, news bool) string {
	code := stateColors[s.State]
	if news {
		code = "1;" + code
	}
	return t.paint(code, s.String())
}

var stateColors = [tracker.NumStates]string{
	tracker.Closed: "37", tracker.Listen: "37", tracker.SynSent: "33", tracker.SynReceived: "33",
	tracker.Established: "94", tracker.FinWait1: "36", tracker.FinWait2: "36", tracker.Closing: "36",
	tracker.LastAck: "36", tracker.CloseWait: "95", tracker.TimeWait: "96",
}
