package screen

import (
	"fmt"

	"tcpstate/report"
	"tcpstate/tracker"
)

// census counts endpoints by state, in the RFC's order, in at most rows lines of w
// columns: in as many columns of states as that takes.
func (m *model) census(w, rows int) []line {
	states := m.states()
	if len(states) == 0 {
		return nil
	}
	columns := 1
	for columns < len(states) && (len(states)+columns-1)/columns > rows {
		columns++
	}
	if least := 20; w/columns < least {
		columns = max(w/least, 1)
	}
	if columns == 1 && w >= 60 && rows > len(states) {
		return m.censusTable(w, states)
	}
	rows = min(rows, (len(states)+columns-1)/columns)
	lines := make([]line, rows)
	each := (w - 2*(columns-1)) / columns
	for i, s := range states[:min(len(states), rows*columns)] {
		at := &lines[i%rows]
		c := m.stateCell(s, each)
		if i < rows {
			*at = c
			continue
		}
		at.beside(i/rows*(each+2), c)
	}
	return lines
}

// states are those that are worth a place: CLOSED and LISTEN only where there are any.
func (m *model) states() (list []tracker.State) {
	for s := range tracker.NumStates {
		if s > tracker.Listen || now(&m.snap.States[s]) > 0 {
			list = append(list, s)
		}
	}
	return list
}

func now(c *tracker.StateCount) uint64 { return c.Confirmed + c.Presumed + c.Elapsed }

// stateWidth fits the longest state, stateMark its mark, too.
const (
	stateWidth = 12
	stateMark  = 13
)

// stateCell is a state with how many endpoints are in it; of these ? presumed and ~
// elapsed; the peak, and the history, as far as w columns hold that.
func (m *model) stateCell(s tracker.State, w int) (l line) {
	c := &m.snap.States[s]
	k := plain
	if now(c) == 0 {
		k = faint
	}
	l.add(k, cell(s.String(), stateWidth)).add(k, " "+cell(small(now(c)), -5))
	if w >= 30 {
		for _, x := range []struct {
			mark string
			n    uint64
		}{{" ?", c.Presumed}, {" ~", c.Elapsed}, {" ▲", c.Peak}} {
			if x.n > 0 {
				l.add(faint, x.mark+small(x.n))
			}
		}
	}
	if rest := w - l.w - 1; rest >= 4 {
		h := spark(m.snap.History, s, rest)
		l.to(w-width(h)).add(note, h)
	}
	return l
}

// counted are the columns of the full census. What is not presumed or elapsed is
// confirmed, so that this one is the first to give way to the history.
var counted = []struct {
	head string
	of   func(*tracker.StateCount) uint64
}{
	{"now", now},
	{"confirmed", func(c *tracker.StateCount) uint64 { return c.Confirmed }},
	{"presumed", func(c *tracker.StateCount) uint64 { return c.Presumed }},
	{"elapsed", func(c *tracker.StateCount) uint64 { return c.Elapsed }},
	{"peak", func(c *tracker.StateCount) uint64 { return c.Peak }},
}

// leastHistory is how much of it is worth a column.
const leastHistory = 8

// censusTable is the census with everything in full.
func (m *model) censusTable(w int, states []tracker.State) []line {
	columns := counted
	head := func() string {
		text := cell("state", stateWidth)
		for _, c := range columns {
			text += " " + cell(c.head, -max(len(c.head), 8))
		}
		return text
	}
	if w-width(head())-2 < 2*leastHistory {
		columns = append(counted[:1:1], counted[2:]...)
	}
	heads := head()
	rest := w - width(heads) - 2
	if rest >= leastHistory {
		heads += "  history"
		if each := fmt.Sprintf(" (%s each)", m.snap.Step); m.snap.Step > 0 && rest >= len("history")+len(each) {
			heads += each
		}
	}
	lines := []line{textLine(faint, heads)}
	for _, s := range states {
		var l line
		k := plain
		if now(&m.snap.States[s]) == 0 {
			k = faint
		}
		l.add(k, cell(s.String(), stateWidth))
		for _, c := range columns {
			text := "-"
			if n := c.of(&m.snap.States[s]); n > 0 {
				text = report.ShowCount(n)
			}
			l.add(k, " "+cell(text, -max(len(c.head), 8)))
		}
		if rest >= leastHistory {
			l.add(plain, "  ").add(note, spark(m.snap.History, s, rest))
		}
		lines = append(lines, l)
	}
	return lines
}
