package screen

import (
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"tcpstate/report"
)

// sorts are the orders that s goes through: the usual one, then by fields of the record;
// what one looks for comes first.
var sorts = []string{"", "-start", "-duration", "-client.bytes", "-server.bytes",
	"-client.retransmissions", "-server.retransmissions", "client.state", "server.state", "close.kind"}

// sortField is the i-th order, or the other way round. The usual order has no other.
func sortField(i int, reversed bool) string {
	f := sorts[i]
	if !reversed || f == "" {
		return f
	}
	if name, ok := strings.CutPrefix(f, "-"); ok {
		return name
	}
	return "-" + f
}

// mainKey is for the main page.
func (m *model) mainKey(k tea.KeyPressMsg) {
	switch {
	case m.moveKey(k):
	case key.Matches(k, keys.other):
		m.pane = connections + findings - m.pane
	case key.Matches(k, keys.sort):
		m.sort, m.down = (m.sort+1)%len(sorts), false
		m.rows.at, m.rows.top = 0, 0
		m.question()
	case key.Matches(k, keys.reverse):
		m.down = !m.down
		m.rows.at, m.rows.top = 0, 0
		m.question()
	case key.Matches(k, keys.text):
		m.edit = edit(finding, m.ask.Text)
	case key.Matches(k, keys.where):
		m.edit = edit(where, m.ask.Where)
	case key.Matches(k, keys.open):
		m.openOne()
	case key.Matches(k, keys.concerned) && m.pane == findings && m.finds.at < m.findingsShown():
		m.concerned(m.findingAt(m.finds.at))
	case key.Matches(k, keys.back) && m.ask.Text+m.ask.Where != "":
		m.ask.Text, m.ask.Where = "", ""
		m.question()
	}
}

// moveKey moves in the list that keys act on.
func (m *model) moveKey(k tea.KeyPressMsg) bool {
	if m.snap == nil {
		return false
	}
	n, room := len(m.snap.Connections), m.rows.room
	if m.pane == findings {
		n, room = m.findingsShown(), m.finds.room
	}
	by := 0
	switch {
	case key.Matches(k, keys.up):
		by = -1
	case key.Matches(k, keys.down):
		by = 1
	case key.Matches(k, keys.pageUp):
		by = -max(room-1, 1)
	case key.Matches(k, keys.pageDown):
		by = max(room-1, 1)
	case key.Matches(k, keys.first):
		by = -n
	case key.Matches(k, keys.last):
		by = n
	default:
		return false
	}
	if m.pane == findings {
		m.finds.move(by, n, m.findingKey)
	} else {
		m.rows.move(by, n, m.rowKey)
		m.more()
	}
	return true
}

// openOne opens what the keys act on.
func (m *model) openOne() {
	switch {
	case m.snap == nil:
	case m.pane == findings && m.finds.at < m.findingsShown():
		m.finding = *m.findingAt(m.finds.at)
		m.page, m.top, m.end = findingPage, 0, false
	case m.pane == connections && m.rows.at < len(m.snap.Connections):
		m.row = m.snap.Connections[m.rows.at]
		ref := m.row.Ref()
		m.ask.Detail, m.detail = &ref, nil
		m.page, m.top, m.end = connectionPage, 0, false
		m.question()
	}
}

// concerned shows the connections of a finding.
func (m *model) concerned(f *report.ActiveFinding) {
	m.leave()
	m.pane = connections
	m.ask.Text, m.ask.Where = f.ID, ""
	m.rows.at, m.rows.top = 0, 0
	m.question()
}

// editKey is for the line that is typed. A text is looked for as it is typed, an
// expression when it is complete: half of one is a mistake.
func (m *model) editKey(k tea.KeyPressMsg) {
	switch k.String() {
	case "enter":
		if m.edit.what == finding {
			m.edit.what = nothing
			return
		}
		m.edit.sent, m.edit.err = true, ""
		m.ask.Where = m.edit.String()
		m.rows.at, m.rows.top = 0, 0
		m.question()
	case "esc", "alt+esc":
		was := m.edit
		m.edit = editor{}
		switch {
		case was.what == finding && m.ask.Text != "":
			m.ask.Text = ""
		case was.err != "" || was.sent: // what is not understood does not stay
			m.ask.Where = was.was
		default:
			return
		}
		m.question()
	default:
		m.edit.key(k)
		m.typed()
	}
}

// typed follows a change of the line.
func (m *model) typed() {
	if m.edit.what != finding || m.ask.Text == m.edit.String() {
		return
	}
	m.ask.Text = m.edit.String()
	m.rows.at, m.rows.top = 0, 0
	m.question()
}
