package screen

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"tcpstate/capture"
	"tcpstate/report"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// Every order that s goes through, and its reverse, is one that --sort knows.
func TestSortsAreFields(t *testing.T) {
	for i := range sorts {
		for _, down := range []bool{false, true} {
			if f := sortField(i, down); f != "" {
				if _, err := report.ParseSort(f); err != nil {
					t.Error(err)
				}
			}
		}
	}
	if a, b := sortField(1, false), sortField(1, true); a != "-start" || b != "start" {
		t.Errorf("%q, %q", a, b)
	}
	if a, b := sortField(len(sorts)-1, false), sortField(len(sorts)-1, true); "-"+a != b {
		t.Errorf("%q, %q", a, b)
	}
}

func TestSortKeys(t *testing.T) {
	p := play(t, newStage(t, 5), 120, 40)
	p.sees("sort findings first", "›![2001:db8::1]:40023")
	p.press("s")
	p.sees("sort -start", "› 10.0.0.3:40025")
	p.press("S")
	p.sees("sort start", "›*10.0.0.1:40022")
	for p.ask.Sort != "-client.bytes" {
		p.press("s")
	}
	p.sees("sort -client.bytes", "› 10.0.0.1:40024")
	for range sorts {
		p.press("s")
	}
	p.sees("sort -client.bytes")
}

func TestTextFilter(t *testing.T) {
	p := play(t, newStage(t, 5), 120, 40)
	p.press("/")
	p.typeIn("40022x")
	p.sees("filter: 40022x", "0 of 0")
	p.press("backspace")
	p.sees("filter: 40022", "1 of 1", "10.0.0.1:40022")
	p.misses("10.0.0.1:40024")
	p.press("enter")
	p.sees("filter 40022", "? help")
	p.press("esc") // no filter any more
	p.sees("9 of 9")
	p.press("/")
	p.typeIn("qs?") // are text here
	p.press("space")
	if p.ask.Text != "qs? " || p.help || p.paused {
		t.Errorf("%q", p.ask.Text)
	}
	p.press("esc")
	if p.ask.Text != "" || p.edit.what != nothing {
		t.Errorf("%q", p.ask.Text)
	}
}

func TestWhereFilter(t *testing.T) {
	p := play(t, newStage(t, 5), 120, 40)
	p.press("w")
	p.typeIn("server.port == 80")
	p.sees("where: server.port == 80", "9 of 9") // not yet complete
	p.press("enter")
	p.sees("where server.port == 80", "2 of 2", "? help")
	p.press(":")
	p.typeIn(" && server.prot == 1")
	p.press("enter")
	p.sees("where: server.port == 80 && server.prot == 1", `has no field prot`)
	if p.edit.what != where {
		t.Error("the line was taken away with the mistake in it")
	}
	p.press("esc") // what was understood holds again
	p.sees("where server.port == 80", "2 of 2")
	p.misses("has no field")
}

func TestPaste(t *testing.T) {
	p := play(t, newStage(t, 5), 120, 40)
	p.Update(tea.PasteMsg{Content: "qqq"}) // no keys
	p.press("/")
	p.Update(tea.PasteMsg{Content: "400\n22\x1b[31m"})
	if got, want := p.ask.Text, `400 22\x1b[31m`; got != want {
		t.Errorf("%q", got)
	}
	p.Update(tea.PasteMsg{Content: strings.Repeat("x", 2*editMax)})
	if n := len(p.edit.text); n != editMax {
		t.Errorf("%d characters", n)
	}
}

func TestEditing(t *testing.T) {
	p := play(t, newStage(t, 0), 60, 20)
	p.press("w")
	for _, x := range []struct {
		keys []string
		want string
		at   int
	}{
		{[]string{"a", "b", "c"}, "abc", 3},
		{[]string{"left", "left", "x"}, "axbc", 2},
		{[]string{"home", "left", "y"}, "yaxbc", 1},
		{[]string{"delete"}, "yxbc", 1},
		{[]string{"end", "right", "delete", "space", "d", "é"}, "yxbc dé", 7},
		{[]string{"ctrl+w"}, "yxbc ", 5},
		{[]string{"ctrl+w"}, "", 0},
		{[]string{"backspace", "a", "b", "left", "ctrl+k"}, "a", 1},
		{[]string{"b", "left", "ctrl+u"}, "b", 0},
	} {
		p.press(x.keys...)
		if p.edit.String() != x.want || p.edit.at != x.at {
			t.Errorf("%v: %q at %d", x.keys, p.edit.String(), p.edit.at)
		}
	}
	p.typeIn(strings.Repeat("0123456789", 20))
	text, cursor := p.View()
	if cursor == nil || cursor.Y != 19 || cursor.X != 59 || !strings.Contains(text, "456789") {
		t.Errorf("the cursor is at %v on\n%s", cursor, text)
	}
}

// The screen holds while the capture goes on, but answers a new question.
func TestPause(t *testing.T) {
	s := newStage(t, 5)
	p := play(t, s, 120, 40)
	p.press("p")
	p.sees("PAUSED", "1,259,257 packets")
	s.pass(time.Second, 1000)
	p.Update(tick{})
	p.sees("PAUSED", "1,259,257 packets")
	p.press("/")
	p.typeIn("40022")
	p.sees("1 of 1", "1,260,257 packets")
	s.pass(time.Second, 1000)
	p.press("enter")
	p.sees("PAUSED", "1,260,257 packets")
	p.press("enter")
	p.sees("connection 0  10.0.0.1:40022", "FIN,ACK 1001")
	s.pass(time.Second, 1000)
	p.press("space")
	p.misses("PAUSED")
	p.sees("1,262,257 packets")
}

func TestFindingPages(t *testing.T) {
	s := newStage(t, 5)
	p := play(t, s, 100, 40)
	p.press("tab", "enter")
	p.sees("error refused", "Nothing listens on", "What to do", "frame 17: RST,ACK in answer to it", "tcp.stream == 1", "attempts 388", "ECONNREFUSED")
	s.mu.Lock()
	s.base.Findings[0].Count = 400
	s.mu.Unlock()
	p.Update(tick{})
	p.sees("×400") // it changes while it is open
	p.press("esc", "down", "down", "enter")
	p.sees("note packet-loss", "cleared at 03:04:55 UTC, held for 40.0 s")
	p.press("backspace", "up", "c") // its connections
	p.sees("filter close-wait-stay", "1 of 1", "▸ Connections", "›*10.0.0.1:40022")
}

func TestConnectionPage(t *testing.T) {
	s := newStage(t, 5)
	p := play(t, s, 130, 30)
	p.press("down", "enter")
	p.sees("connection 0  10.0.0.1:40022 → 10.0.0.2:80", "half-closed by server", "── SYN 0 win 64240 mss 1460 ──", "LISTEN?",
		"(retransmission)", "◀──", "FIN-WAIT-2?", "findings close-wait-stay")
	longer := trace(t, dialogue+strings.ReplaceAll(`
stream 0 10.0.0.1:40022 → 10.0.0.2:80
25 20  * -- FIN,ACK 401 ack 1002 -> *
26 21  * <- ACK 1002 ack 402 --     *
`, "\t", ""))
	s.mu.Lock()
	s.details[0] = longer[0]
	s.mu.Unlock()
	p.Update(tick{})
	p.sees("FIN,ACK 401 ack 1002", "LAST-ACK", "CLOSED")
	s.mu.Lock()
	s.details = slices.Clone(s.details) // a snapshot is not changed
	s.details[0].Case.Trail, s.details[0].Case.Life = tracker.Trail{}, &s.details[0].Life
	s.details[0].Ends[1].Packets = 4321
	s.mu.Unlock()
	p.Update(tick{})
	p.sees("4,321 packets", "FIN,ACK 401 ack 1002")
	p.misses("no longer known")
	s.mu.Lock()
	s.details = s.details[1:]
	s.mu.Unlock()
	p.Update(tick{})
	p.sees("no longer known", "FIN,ACK 401 ack 1002")
	p.press("esc")
	if p.page != mainPage || p.ask.Detail != nil {
		t.Error("it is still asked for")
	}
}

// The end of a ladder that grows stays in sight once one went there.
func TestLadderFollows(t *testing.T) {
	rows := "\nstream 7 10.0.0.9:9 → 10.0.0.2:80\n1 0 * -- SYN 0 -> *\n"
	for i := range 60 {
		rows += fmt.Sprintf("%d %d * -- SYN 0 -> *\n", i+2, i+1)
	}
	s := newStage(t, 0)
	s.details = trace(t, rows)
	p := play(t, s, 80, 24)
	p.press("enter")
	p.sees("0.000000 SYN-SENT")
	p.misses("60.000000")
	p.press("end")
	p.sees("60.000000")
	id := s.details[0].ID
	s.mu.Lock()
	s.details = trace(t, rows+"62 61.5 * -- SYN 0 -> *\n")
	s.details[0].ID = id
	s.mu.Unlock()
	p.Update(tick{})
	p.sees("61.500000")
	p.press("pgup", "pgup")
	p.misses("61.500000")
	p.press("home", "up", "up")
	p.sees("0.000000 SYN-SENT")
	if p.top != 0 {
		t.Errorf("scrolled to %d", p.top)
	}
}

// What the keys act on stays the same while the list changes around it.
func TestCursorStays(t *testing.T) {
	s := newStage(t, 50)
	p := play(t, s, 80, 24)
	p.press("end")
	p.sees("›", "10.1.0.49:30049")
	if p.rows.at != 53 {
		t.Errorf("at %d", p.rows.at)
	}
	p.press("pgdown", "down")
	if p.rows.at != 53 {
		t.Errorf("at %d", p.rows.at)
	}
	p.press("up", "up")
	p.sees("› 10.1.0.47:30047")
	s.mu.Lock()
	s.details = s.details[3:]
	s.mu.Unlock()
	p.Update(tick{})
	p.sees("› 10.1.0.47:30047")
	s.mu.Lock()
	s.details = s.details[:5]
	s.mu.Unlock()
	p.Update(tick{})
	p.sees("5 of 5", "›")
	if p.rows.at != 4 {
		t.Errorf("at %d", p.rows.at)
	}
	p.press("home", "k")
	if p.rows.at != 0 {
		t.Errorf("at %d", p.rows.at)
	}
}

// More rows are asked for as one comes to the last.
func TestMoreRows(t *testing.T) {
	s := newStage(t, 1000)
	p := play(t, s, 80, 24)
	p.sees("100 of 1,004")
	for range 20 {
		p.press("end")
	}
	p.sees("1,004 of 1,004", "10.1.3.249:30999")
}

func TestHelpNamesAllKeys(t *testing.T) {
	p := play(t, newStage(t, 0), 100, 60)
	p.press("?")
	p.sees("Ctrl-C", "PgDn f", "presumed", "--where")
	p.press("x")
	p.sees("Connections")
}

func TestLeaving(t *testing.T) {
	for _, c := range []struct {
		keys []string
		quit bool
	}{
		{[]string{"q"}, true}, {[]string{"ctrl+c"}, true}, {[]string{"enter", "q"}, true}, {[]string{"tab", "enter", "ctrl+c"}, true},
		{[]string{"/", "ctrl+c"}, true}, {[]string{"?", "ctrl+c"}, true}, {[]string{"/", "q"}, false}, {[]string{"x"}, false}, {[]string{"esc"}, false},
	} {
		p := play(t, newStage(t, 3), 80, 24)
		cmd := p.press(c.keys...)
		quit := false
		if cmd != nil {
			_, quit = cmd().(tea.QuitMsg)
		}
		if quit != c.quit {
			t.Errorf("%v: quit %v", c.keys, quit)
		}
	}
}

func TestBeforeTheFirstSnapshot(t *testing.T) {
	m := newModel(&stage{}, Options{NoColor: true})
	for _, k := range []string{"enter", "down", "tab", "enter", "c", "s", "end", "/", "x", "enter", "p", "?", "esc"} {
		x, ok := named[k]
		if !ok {
			x = tea.Key{Code: []rune(k)[0], Text: k}
		}
		m.Update(tea.KeyPressMsg(x))
		if text, _ := m.View(); text == "" {
			t.Error(k)
		}
	}
}

// A snapshot without anything in it has a screen, too.
func TestEmptySnapshot(t *testing.T) {
	s := newStage(t, 0)
	s.fixed = &report.Snapshot{Source: "eth0"}
	p := play(t, s, 80, 24)
	p.sees("no packet yet", "0 packets", "0 dropped", "0 of 0", "Findings  none", "closed: none")
	p.press("enter", "tab", "enter", "c", "pgdown")
	p.sees("0 packets")
}

// Text from outside reaches the terminal escaped.
func TestHostileText(t *testing.T) {
	const evil = "\x1b]0;owned\x07\x1b[2J\u202e\u0301\r\n"
	s := newStage(t, 1)
	b := &s.base
	b.Source, b.Filter = "eth"+evil, "tcp"+evil
	b.Findings[0].ID += evil
	b.Findings[0].Subject += evil
	b.Findings[0].Explanation += evil
	b.Findings[0].Advice += evil
	b.Findings[0].Wireshark += evil
	b.Findings[0].Evidence.Connections[0].Frames[0].Text += evil
	b.Findings[0].Metrics[0].Name += evil
	b.Findings[0].SeenBy.Server = evil
	b.Findings[0].Blame = detect.Blame(evil)
	s.details[0].Findings = []string{evil}
	p := play(t, s, 200, 50)
	for _, keys := range [][]string{nil, {"/", "x"}, {"esc", "tab", "enter"}, {"esc", "tab", "down", "enter"}} {
		p.press(keys...)
		text := p.screen()
		if strings.ContainsAny(text, "\x1b\x07\r\u202e\u0301") {
			t.Errorf("%q", text)
		}
	}
	p.press("esc")
	p.sees(`eth\x1b]0;owned\x07\x1b[2J\u202e\u0301\x0d\x0a`)
}

func TestLinkDown(t *testing.T) {
	s := newStage(t, 0)
	for state, want := range map[capture.LinkState]string{capture.LinkDown: "eth0  is down", capture.LinkNoCarrier: "eth0  has no carrier", capture.LinkUp: "eth0  up 64"} {
		s.base.Link.State = state
		p := play(t, s, 80, 24)
		p.sees(want[:len(want)-3])
	}
}

func TestRates(t *testing.T) {
	var r rates
	at := time.Unix(1000, 0)
	snap := func(ms int, packets, dropped uint64) {
		r.add(&report.Snapshot{Now: at.Add(time.Duration(ms) * time.Millisecond), Packets: packets, Dropped: dropped})
	}
	snap(0, 100, 0)
	if _, _, ok := r.per(); ok {
		t.Error("a rate of one snapshot")
	}
	for i := 1; i <= 100; i++ {
		snap(250*i, 100+uint64(250*i), uint64(i))
	}
	if p, d, ok := r.per(); !ok || p < 999 || p > 1001 || d < 3.9 || d > 4.1 || len(r.samples) > 20 {
		t.Errorf("%v packets, %v dropped, %v, %d samples", p, d, ok, len(r.samples))
	}
	snap(25000, 25200, 100) // the same moment
	if p, _, ok := r.per(); !ok || p < 999 || p > 1040 {
		t.Errorf("%v packets", p)
	}
	snap(100, 5, 0) // another beginning
	if _, _, ok := r.per(); ok {
		t.Error("a rate over two beginnings")
	}
}

func TestSparkline(t *testing.T) {
	s := newStage(t, 0)
	h := s.base.History
	if got := spark(h, 4, 60); len([]rune(got)) != 60 || []rune(got)[0] != ' ' || []rune(got)[1] != '▁' || []rune(got)[59] != '█' {
		t.Errorf("%q", got)
	}
	if got := spark(h, 7, 4); got != " █ █" {
		t.Errorf("%q", got)
	}
	if got := spark(nil, 4, 10) + spark(h, 4, 0) + spark(h, 4, -1); got != "" {
		t.Errorf("%q", got)
	}
	if got := strings.TrimSpace(spark(h, 9, 60)); got != "" {
		t.Errorf("%q", got)
	}
}

func TestSmall(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1.0k", 1234: "1.2k", 9949: "9.9k", 9950: "10k", 99949: "100k", 999499: "999k",
		999500: "1.0M", 5_600_000: "5.6M", 1 << 63: "9.2E", 1<<64 - 1: "18E"} {
		if got := small(n); got != want {
			t.Errorf("%d: %s, not %s", n, got, want)
		}
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		text string
		w    int
		want string
	}{
		{"", 5, ""}, {"a b c", 3, "a b|c"}, {"abcdefgh ij", 3, "abc|def|gh|ij"}, {"世界世界", 3, "世|界|世|界"}, {"世", 1, "世"}, {"x", 0, ""},
	} {
		if got := strings.Join(wrap(c.text, c.w), "|"); got != c.want {
			t.Errorf("%q in %d: %q", c.text, c.w, got)
		}
	}
}
