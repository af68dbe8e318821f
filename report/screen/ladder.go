package screen

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"tcpstate/report"
	"tcpstate/tracker"
)

// connectionLines are the page of one connection: what is said of it, and its ladder.
func (m *model) connectionLines() (head, body []line) {
	row := &m.row
	if m.detail != nil {
		row = &m.detail.Row
	}
	head = append(m.pageHeader(), line{})
	head = append(head, m.lifeLines(row)...)
	if m.detail == nil {
		text := "waiting for its segments …"
		if s := m.snap; sameQuery(&s.Query, &m.ask) && s.Detail == nil {
			text = "it is no longer known: over for long, or evicted"
		}
		return append(head, line{}), []line{textLine(faint, text)}
	}
	if s := m.snap; sameQuery(&s.Query, &m.ask) && s.Detail == nil {
		head = append(head, textLine(warning, "it is no longer known: this is the last that was seen of it"))
	}
	rungs := report.TrailRungs(&m.detail.Case)
	c := m.ladder(rungs)
	head = append(head, line{}, c.head(&row.Life))
	for i := range rungs {
		body = append(body, c.rung(&rungs[i]))
	}
	if len(rungs) == 0 {
		body = []line{textLine(faint, "its segments are not kept")}
	}
	return head, body
}

// lifeLines say what a connection is, what both ends did, and its findings.
func (m *model) lifeLines(r *report.Row) []line {
	var a line
	a.add(strong, "connection "+report.ShowRef(r.Ref())).add(plain, fmt.Sprintf("  %s → %s", r.Ends[0].Addr, r.Ends[1].Addr))
	words := []string{m.age(r)}
	if r.Close == tracker.Open {
		words = append(words, "open")
	} else {
		how := r.Close.String()
		if r.ClosedBy != tracker.Nobody {
			how += " by " + r.ClosedBy.String()
		}
		words = append(words, how)
	}
	if r.ResetAs != tracker.NoReset {
		words = append(words, "RST: "+r.ResetAs.String())
	}
	if r.HandshakeRTT >= 0 {
		words = append(words, "handshake "+report.ShowSpan(time.Duration(r.HandshakeRTT)))
	}
	if r.Midstream {
		words = append(words, "begun before the capture")
	}
	if d := m.detail; d != nil && d.Case.Idle > 0 {
		words = append(words, "longest silence "+report.ShowSpan(time.Duration(d.Case.Idle)))
	}
	lines := []line{a, textLine(plain, "  "+strings.Join(words, ", "))}
	for i, name := range []string{"client", "server"} {
		e := &r.Ends[i]
		text := fmt.Sprintf("  %s %s  %s, %s", name, cell(report.ShowState(tracker.EndState{State: e.State, Certainty: e.Certainty}), stateMark),
			report.ShowPlural(e.Packets, "packet"), report.ShowPlural(e.Bytes, "octet"))
		for _, x := range []struct {
			n    uint32
			text string
		}{{e.Retransmissions, "retransmitted"}, {e.OutOfOrder, "out of order"}, {e.Keepalives, "keepalives"}, {e.ZeroWindows, "zero windows"}} {
			if x.n > 0 {
				text += fmt.Sprintf(", %s %s", report.ShowCount(uint64(x.n)), x.text)
			}
		}
		if e.MSS > 0 {
			text += fmt.Sprintf(", mss %d", e.MSS)
		}
		if e.WScale >= 0 {
			text += fmt.Sprintf(", wscale %d", e.WScale)
		}
		lines = append(lines, textLine(plain, text))
	}
	if len(r.Findings) > 0 {
		k := warning
		if r.Worst > 0 {
			k = lookOf(severityOf(r.Worst))
		}
		lines = append(lines, *new(line).add(plain, "  findings ").add(k, strings.Join(r.Findings, ", ")))
	}
	return lines
}

// ladderColumns are the widths of a ladder's columns; 0 leaves one out.
type ladderColumns struct {
	frame, time, arrow, why int
	exact                   bool // times with six decimals
	window                  bool
}

// ladder fits the columns into the terminal: both states and the arrow are always there.
func (m *model) ladder(rungs []report.Rung) (c ladderColumns) {
	const leastArrow = 26
	c.time = 5
	frame := 5
	for i := range rungs {
		c.time = max(c.time, len(rungTime(&rungs[i], false)))
		frame = max(frame, len(fmt.Sprint(rungs[i].Frame)))
	}
	rest := m.w - c.time - 2*(stateMark+1) - 1
	if rest >= leastArrow+14+4 {
		c.exact = true
		c.time += 4 // three decimals more
		rest -= 4
	}
	if rest >= leastArrow+14+frame+2 {
		c.frame = frame
		rest -= frame + 2
	}
	if rest >= 34+1+22 {
		c.why = 22
		rest -= c.why + 1
	}
	c.window = rest >= 44
	c.arrow = max(min(rest, 64), 8)
	return c
}

// arrowEnds is what an arrow takes besides its text.
const arrowEnds = 6

// rungTime is seconds since the first segment.
func rungTime(r *report.Rung, exact bool) string {
	if exact {
		return fmt.Sprintf("%.6f", r.Time.Seconds())
	}
	return fmt.Sprintf("%.3f", r.Time.Seconds())
}

func (c *ladderColumns) head(f *tracker.Life) (l line) {
	if c.frame > 0 {
		l.add(faint, cell("frame", -c.frame)+"  ")
	}
	left, right := cutLeft(f.Ends[0].Addr.String(), c.arrow/2-1), cutLeft(f.Ends[1].Addr.String(), c.arrow/2-1)
	l.add(faint, cell("time", -c.time)+" "+cell("client", stateMark)+" "+
		left+padTo(right, -(c.arrow-width(left)))+" "+cell("server", stateMark))
	if c.why > 0 {
		l.add(faint, " why")
	}
	return l
}

// rung is one line of the ladder.
func (c *ladderColumns) rung(r *report.Rung) (l line) {
	k := plain
	switch {
	case r.Gap:
		k = faint
	case strings.HasPrefix(r.Text, "RST"):
		k = bad
	case r.Why != "":
		k = warning
	}
	if c.frame > 0 {
		text := ""
		if !r.Gap {
			text = fmt.Sprint(r.Frame)
		}
		l.add(faint, cell(text, -c.frame)+"  ")
	}
	l.add(faint, cell(rungTime(r, c.exact), -c.time)+" ")
	l.state(r, 0)
	text := r.Text
	if c.window && r.Window != "" {
		text += " " + r.Window
	}
	room := c.arrow - arrowEnds
	text = clean(text)
	if why := " (" + r.Why + ")"; c.why == 0 && r.Why != "" && room-len(why) >= 8 {
		text = cut(text, room-len(why)) + why
	}
	l.add(k, " "+cell(r.Arrow(cut(text, room), c.arrow), c.arrow)+" ")
	l.state(r, 1)
	if c.why > 0 && r.Why != "" {
		l.add(k, " "+cell("("+r.Why+")", c.why))
	}
	return l
}

// state is that of an end after a rung; one that changed stands out.
func (l *line) state(r *report.Rung, end int) {
	k := faint
	if r.States[end] != r.Before[end] {
		k = strong
	}
	l.add(k, cell(cmp.Or(r.States[end].String(), "-"), stateMark))
}
