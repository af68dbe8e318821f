package screen

import (
	"cmp"
	"fmt"
	"strings"

	"tcpstate/report"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// connectionList is the connections that were asked for, with a title and the heads of
// the columns, in room lines of w columns.
func (m *model) connectionList(w, room int) []line {
	if room < 1 {
		return nil
	}
	s := m.snap
	lines := []line{m.connectionTitle()}
	n := len(s.Connections)
	if n == 0 || room < 3 {
		switch wrong := cmp.Or(m.edit.err, s.QueryError); {
		case wrong != "":
			lines = append(lines, textLine(bad, "  "+strings.Join(strings.Fields(wrong), " ")))
		case n == 0:
			lines = append(lines, textLine(faint, "  none"))
		}
		return lines[:min(len(lines), room)]
	}
	from, to := m.rows.window(n, room-2)
	c := m.columns(w, s.Connections[from:to])
	if wrong := cmp.Or(m.edit.err, s.QueryError); wrong != "" {
		lines = append(lines, textLine(bad, "  "+strings.Join(strings.Fields(wrong), " ")))
	} else {
		lines = append(lines, c.heads())
	}
	for i := from; i < to; i++ {
		l := m.connectionRow(&s.Connections[i], c)
		if i == m.rows.at && m.pane == connections {
			m.mark(&l, w)
		}
		lines = append(lines, l)
	}
	return lines
}

// connectionTitle says which connections are shown, and in what order.
func (m *model) connectionTitle() line {
	s := m.snap
	l := m.title("Connections", m.pane == connections)
	l.add(plain, fmt.Sprintf("  %s of %s", report.ShowCount(uint64(min(len(s.Connections), s.Matched))), report.ShowCount(uint64(s.Matched))))
	l.add(faint, "  sort ").add(plain, cmp.Or(m.ask.Sort, "findings first"))
	if m.ask.Text != "" && m.edit.what != finding {
		l.add(faint, "  filter ").add(plain, m.ask.Text)
	}
	if m.ask.Where != "" && m.edit.what != where {
		l.add(faint, "  where ").add(plain, m.ask.Where)
	}
	return l
}

// columns are those that w columns of the terminal hold. Both ends and their states are
// always there; the others come in the order of their use.
type columns struct {
	addr                             [2]int // of both ends
	age, bytes, resent, close, finds int    // 0: left out
}

// leastAddr is as short as an address is cut: the port and the end of the address are seen.
const leastAddr = 12

func (m *model) columns(w int, rows []report.Row) (c columns) {
	c.addr = [2]int{len("client"), len("server")}
	for i := range rows {
		for j := range c.addr {
			c.addr[j] = max(c.addr[j], len(rows[i].Ends[j].Addr.String()))
		}
	}
	// A mark, the addresses, the states, and what is between.
	room := w - 2 - 2*(stateMark+1) - 1
	if over := c.addr[0] + c.addr[1] - room; over > 0 {
		longer, other := 0, 1
		if c.addr[1] > c.addr[0] {
			longer, other = 1, 0
		}
		first := min(over, c.addr[longer]-c.addr[other])
		c.addr[longer] -= first
		over -= first
		c.addr[longer] = max(c.addr[longer]-(over+1)/2, leastAddr)
		c.addr[other] = max(c.addr[other]-over/2, leastAddr)
	}
	room -= c.addr[0] + c.addr[1]
	take := func(n int) int {
		if room < n+1 {
			return 0
		}
		room -= n + 1
		return n
	}
	c.age = take(7)
	c.close = take(16)
	c.bytes = take(11)
	c.resent = take(6)
	if room > 12 {
		c.finds = room - 1
	}
	return c
}

func (c *columns) heads() (l line) {
	l.add(faint, "  "+cell("client", c.addr[0])+" "+cell("state", stateMark)+" "+cell("server", c.addr[1])+" "+cell("state", stateMark))
	for _, x := range []struct {
		w    int
		head string
	}{{-c.age, "age"}, {c.close, "close"}, {-c.bytes, "bytes → ←"}, {-c.resent, "resent"}, {c.finds, "findings"}} {
		if x.w != 0 {
			l.add(faint, " "+cell(x.head, x.w))
		}
	}
	return l
}

// connectionRow is one connection.
func (m *model) connectionRow(r *report.Row, c columns) (l line) {
	k := plain
	if r.Ended {
		k = faint
	}
	sign := " "
	worst := k
	if r.Worst > 0 {
		worst = lookOf(severityOf(r.Worst))
		sign = signs[min(int(r.Worst-1), len(signs)-1)]
	}
	l.add(k, " ").add(worst, sign)
	for j := range c.addr {
		e := &r.Ends[j]
		l.add(k, cell(cutLeft(e.Addr.String(), c.addr[j]), c.addr[j])+" "+
			cell(report.ShowState(tracker.EndState{State: e.State, Certainty: e.Certainty}), stateMark))
		if j == 0 {
			l.add(k, " ")
		}
	}
	if c.age > 0 {
		l.add(k, " "+cell(m.age(r), -c.age))
	}
	if c.close > 0 {
		l.add(k, " "+cell(r.Close.String(), c.close))
	}
	if c.bytes > 0 {
		l.add(k, " "+cell(small(r.Ends[0].Bytes)+" "+cell(small(r.Ends[1].Bytes), -5), -c.bytes))
	}
	if c.resent > 0 {
		n := uint64(r.Ends[0].Retransmissions) + uint64(r.Ends[1].Retransmissions)
		text := "-"
		if n > 0 {
			text = small(n)
		}
		l.add(k, " "+cell(text, -c.resent))
	}
	if c.finds > 0 {
		l.add(worst, " "+cell(clean(strings.Join(r.Findings, " ")), c.finds))
	}
	return l
}

// severityOf is the severity that Row.Worst stands for.
func severityOf(worst uint8) detect.Severity { return detect.Severity(worst - 1) }

// signs stand before a connection with findings, by severity.
var signs = [...]string{"·", "*", "!"}

// age is how long a connection lives, or lived.
func (m *model) age(r *report.Row) string {
	if r.Ended || m.snap.Now.IsZero() {
		return spanOf(r.Start, r.End)
	}
	return spanOf(r.Start, m.snap.Now.UnixNano())
}
