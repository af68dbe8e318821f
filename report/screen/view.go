package screen

import (
	"fmt"

	tea "charm.land/bubbletea/v2"
)

// The least size for which everything has a place. Below it, what there is room for is
// shown.
const (
	leastWidth  = 60
	leastHeight = 15
)

// wide is from where on the census stands beside the totals and findings.
const (
	wideFrom = 120
	tallFrom = 30
)

// View draws the screen, and says where the cursor is while something is typed.
func (m *model) View() (string, *tea.Cursor) {
	if m.w < 1 || m.h < 1 {
		return "", nil
	}
	var lines []line
	switch room := m.h - 1; {
	case m.help:
		lines = m.text(nil, m.helpLines(), room)
	case m.snap == nil:
		lines = []line{textLine(strong, "tcpstate"), textLine(plain, "waiting for the first packet …")}
	case m.page == findingPage:
		lines = m.text(m.pageHeader(), m.findingLines(), room)
	case m.page == connectionPage:
		head, body := m.connectionLines()
		lines = m.text(head, body, room)
	default:
		lines = m.main(room)
	}
	foot, cursor := m.foot()
	for len(lines) < m.h-1 {
		lines = append(lines, line{})
	}
	lines = append(lines[:m.h-1], foot)
	var c *tea.Cursor
	if cursor >= 0 {
		c = tea.NewCursor(cursor, m.h-1)
	}
	return m.paint.render(lines, m.w, m.h), c
}

// text shows a page that scrolls below lines that do not, where there is room for both.
func (m *model) text(head, body []line, room int) []line {
	if len(head) > room/2 {
		head = head[:room/2]
	}
	m.lines, m.room = len(body), max(room-len(head), 0)
	if m.end {
		m.top = m.lines
	}
	m.top = scroll(m.top, m.lines, m.room)
	return append(head[:len(head):len(head)], body[m.top:min(m.top+m.room, m.lines)]...)
}

// foot is the last line: what is typed, or what the keys do.
func (m *model) foot() (l line, cursor int) {
	if m.edit.what != nothing {
		prompt := "filter: "
		if m.edit.what == where {
			prompt = "where: "
		}
		l, cursor = m.edit.show(prompt, m.w)
		return l, cursor
	}
	var hint string
	switch {
	case m.help:
		hint = "↑ ↓ move  any other key closes the help"
	case m.page == findingPage:
		hint = "Esc back  ↑ ↓ move  Enter its connections  p hold  ? help  q quit"
	case m.page == connectionPage:
		hint = "Esc back  ↑ ↓ move  G follow  p hold  ? help  q quit"
	default:
		hint = "? help  q quit  p hold  Tab other list  Enter open  / filter  w where  s sort  S reverse"
	}
	if m.page != mainPage || m.help {
		if m.lines > m.room {
			hint = fmt.Sprintf("%d–%d of %d  ", m.top+1, min(m.top+m.room, m.lines), m.lines) + hint
		}
	}
	l.add(faint, hint)
	return l, -1
}

// main is the page with everything on it: the header, the census, the totals, the
// findings and the connections.
func (m *model) main(room int) []line {
	lines := m.header()
	if m.w >= wideFrom && m.h >= tallFrom {
		lines = append(lines, m.wideTop(room-len(lines))...)
	} else {
		lines = append(lines, m.census(m.w, max(min(m.h/4, m.h-12), 1))...)
		lines = append(lines, m.totals(m.w, 2)...)
		if m.h > leastHeight+5 {
			lines = append(lines, line{})
		}
		lines = append(lines, m.findingList(m.w, m.findingRoom(room-len(lines)))...)
	}
	if m.h > leastHeight+5 {
		lines = append(lines, line{})
	}
	return append(lines, m.connectionList(m.w, room-len(lines))...)
}

// findingRoom is how many lines the findings get, with their title, of those that they
// share with the connections: more while keys act on them.
func (m *model) findingRoom(room int) int {
	most := max(room/3, 2)
	if m.pane == findings {
		most = max(room/2, 2)
	}
	return min(m.findingsShown()+1, most)
}

// wideTop has the census on the left, totals and findings on the right.
func (m *model) wideTop(room int) []line {
	left := m.w / 2
	right := m.w - left - 2
	lines := m.census(left, room/2)
	other := m.totals(right, 4)
	other = append(other, line{})
	rows := max(len(lines), len(other)+min(m.findingsShown()+1, 6))
	if m.pane == findings {
		rows = max(rows, min(len(other)+m.findingsShown()+1, room/2))
	}
	other = append(other, m.findingList(right, rows-len(other))...)
	for i := range rows {
		if i >= len(lines) {
			lines = append(lines, line{})
		}
		if i < len(other) {
			lines[i].beside(left+2, *other[i].cut(right))
		}
	}
	return lines
}
