package screen

import (
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"tcpstate/report"
	"tcpstate/report/detect"
)

// page is what fills the screen.
type page uint8

const (
	mainPage page = iota
	findingPage
	connectionPage
)

// pane is the list on the main page that keys act on.
type pane uint8

const (
	connections pane = iota
	findings
)

// findingKey names a finding while it holds, and after.
type findingKey struct{ id, subject string }

// model is what the screen knows: the snapshot that is shown, and where the user is.
type model struct {
	feed  Feed
	opt   Options
	paint *paint
	w, h  int

	snap *report.Snapshot // shown; nil before the first
	rate rates
	ask  report.Query // what was asked for last
	sort int          // of sorts
	down bool         // the other way round

	page   page
	help   bool
	pane   pane
	paused bool
	once   bool // paused, and a question is open
	edit   editor

	rows    list[detect.Ref]
	finds   list[findingKey]
	finding report.ActiveFinding // on its page
	detail  *report.Detail       // on its page; nil until it is known
	row     report.Row           // the same before that
	top     int                  // first line shown of a page, or of the help
	end     bool                 // stay at the end of a page that grows
	// lines and room are those of the page at the last look.
	lines, room int
}

// The size of a terminal that does not tell its own.
const usualWidth, usualHeight = 80, 24

func newModel(feed Feed, o Options) *model {
	m := &model{feed: feed, opt: o, paint: newPaint(o.NoColor), w: usualWidth, h: usualHeight}
	m.question()
	return m
}

// tick is when to look for a snapshot.
type tick struct{}

func (m *model) next() tea.Cmd {
	return tea.Tick(m.opt.Refresh, func(time.Time) tea.Msg { return tick{} })
}

// Init looks at once.
func (m *model) Init() tea.Cmd { return func() tea.Msg { return tick{} } }

// Update takes note of a key, the time or the terminal's size.
func (m *model) Update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tick:
		m.look()
		return m.next()
	case tea.WindowSizeMsg:
		m.w, m.h = msg.Width, msg.Height
		m.more()
	case tea.PasteMsg:
		if m.edit.what != nothing {
			m.edit.insert(msg.Content)
			m.typed()
		}
	case tea.KeyPressMsg:
		return m.key(msg)
	}
	return nil
}

// look takes the latest snapshot, unless the screen is held.
func (m *model) look() {
	s := m.feed.Snapshot()
	if s == nil || s == m.snap {
		return
	}
	m.rate.add(s)
	if m.paused && !(m.once && sameQuery(&s.Query, &m.ask)) {
		return
	}
	m.once = false
	m.snap = s
	m.rows.follow(len(s.Connections), m.rowKey)
	m.finds.follow(m.findingsShown(), m.findingKey)
	for i := range m.findingsShown() {
		if f := m.findingAt(i); m.page == findingPage && keyOf(f) == keyOf(&m.finding) {
			m.finding = *f
			break
		}
	}
	if d := s.Detail; d != nil && m.ask.Detail != nil && d.Ref() == *m.ask.Detail {
		m.detail = keepTrail(d, m.detail)
	}
	m.answered()
}

// keepTrail is what is known now; of one that is over, whose trail may be gone, with the
// trail that was seen last.
func keepTrail(d, before *report.Detail) *report.Detail {
	if before == nil || len(d.Case.Trail.Events) > 0 || len(before.Case.Trail.Events) == 0 {
		return d
	}
	x := *d
	x.Case.Trail = before.Case.Trail
	x.Case.Life = &x.Row.Life
	return &x
}

// answered closes the editor when its expression was understood.
func (m *model) answered() {
	if !m.edit.sent || !sameQuery(&m.snap.Query, &m.ask) {
		return
	}
	m.edit.sent = false
	if m.edit.err = m.snap.QueryError; m.edit.err == "" {
		m.edit.what = nothing
	}
}

func sameQuery(a, b *report.Query) bool {
	same := a.Sort == b.Sort && a.Where == b.Where && a.Text == b.Text && a.Limit == b.Limit && (a.Detail == nil) == (b.Detail == nil)
	return same && (a.Detail == nil || *a.Detail == *b.Detail)
}

// question asks for what is to be seen next.
func (m *model) question() {
	m.ask.Sort = sortField(m.sort, m.down)
	m.ask.Limit = m.wanted()
	m.once = true
	m.feed.Ask(m.ask)
}

// rowsAhead is how many rows are asked for beyond what is looked at, and mostRows the most
// of all: who looks for more filters.
const (
	rowsAhead = 100
	mostRows  = 2000
)

func (m *model) wanted() int {
	n := (m.rows.at + m.h + rowsAhead) / rowsAhead * rowsAhead
	return min(n, mostRows)
}

// more asks for more rows where the user comes near the last.
func (m *model) more() {
	if m.wanted() > m.ask.Limit {
		m.question()
	}
}

func (m *model) rowKey(i int) detect.Ref { return m.snap.Connections[i].Ref() }

// findingsShown counts those that hold and those that are over, which follow them.
func (m *model) findingsShown() int {
	if m.snap == nil {
		return 0
	}
	return len(m.snap.Findings) + len(m.snap.Cleared)
}

func (m *model) findingAt(i int) *report.ActiveFinding {
	if n := len(m.snap.Findings); i >= n {
		return &m.snap.Cleared[i-n]
	}
	return &m.snap.Findings[i]
}

func keyOf(f *report.ActiveFinding) findingKey { return findingKey{f.ID, f.Subject} }

func (m *model) findingKey(i int) findingKey { return keyOf(m.findingAt(i)) }

// key does what a key says.
func (m *model) key(k tea.KeyPressMsg) tea.Cmd {
	switch {
	case key.Matches(k, keys.abort):
		return tea.Quit
	case key.Matches(k, keys.suspend):
		return tea.Suspend
	case m.edit.what != nothing:
		m.editKey(k)
		return nil
	case m.help:
		m.helpKey(k)
		return nil
	case key.Matches(k, keys.quit):
		return tea.Quit
	case key.Matches(k, keys.help):
		m.help, m.top, m.end = true, 0, false
	case key.Matches(k, keys.pause):
		m.paused, m.once = !m.paused, false
		m.look()
	case m.page == mainPage:
		m.mainKey(k)
	default:
		m.pageKey(k)
	}
	return nil
}

// helpKey: what does not move closes the help.
func (m *model) helpKey(k tea.KeyPressMsg) {
	if !m.scrollKey(k) {
		m.help, m.top, m.end = false, 0, false
	}
}

// pageKey is for the pages of one finding or connection.
func (m *model) pageKey(k tea.KeyPressMsg) {
	switch {
	case m.scrollKey(k):
	case key.Matches(k, keys.back):
		m.leave()
	case m.page == findingPage && key.Matches(k, keys.concerned, keys.open):
		m.concerned(&m.finding)
	}
}

// leave goes back by one page.
func (m *model) leave() {
	m.page, m.top, m.end = mainPage, 0, false
	m.detail = nil
	if m.ask.Detail != nil {
		m.ask.Detail = nil
		m.question()
	}
}

// scrollKey moves a page of text.
func (m *model) scrollKey(k tea.KeyPressMsg) bool {
	by := 0
	switch {
	case key.Matches(k, keys.up):
		by = -1
	case key.Matches(k, keys.down):
		by = 1
	case key.Matches(k, keys.pageUp):
		by = -max(m.room-1, 1)
	case key.Matches(k, keys.pageDown):
		by = max(m.room-1, 1)
	case key.Matches(k, keys.first):
		by = -m.lines
	case key.Matches(k, keys.last):
		by = m.lines
	default:
		return false
	}
	m.top = scroll(m.top+by, m.lines, m.room)
	m.end = by > 0 && m.top >= m.lines-m.room
	return true
}
