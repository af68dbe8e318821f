package screen

import (
	"regexp"
	"strings"
	"testing"
	"unicode"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"pgregory.net/rapid"

	"tcpstate/report"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// sgr are the only sequences that a screen may hold: colours.
var sgr = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// Whatever is captured, whatever is typed, however large the terminal is: the screen fits,
// and holds nothing that a terminal would obey but colours.
func TestScreenFits(t *testing.T) {
	base := newStage(t, 30)
	keys := []string{"enter", "esc", "tab", "space", "up", "down", "pgup", "pgdown", "home", "end", "left", "backspace", "delete", "ctrl+u", "ctrl+w",
		"s", "S", "/", "w", "?", "c", "p", "j", "x", "é", "世", "\u0301", "\u202e"}
	rapid.Check(t, func(rt *rapid.T) {
		s := &stage{base: base.base, details: append([]report.Detail(nil), base.details...)}
		random(rt, s)
		m := newModel(s, Options{NoColor: rapid.Bool().Draw(rt, "plain"), Clock: report.Clock(rapid.IntRange(0, 3).Draw(rt, "clock"))})
		for range rapid.IntRange(1, 12).Draw(rt, "turns") {
			switch rapid.IntRange(0, 3).Draw(rt, "turn") {
			case 0:
				m.Update(tea.WindowSizeMsg{Width: rapid.IntRange(0, 200).Draw(rt, "width"), Height: rapid.IntRange(0, 70).Draw(rt, "height")})
			case 1:
				m.Update(tick{})
			default:
				k := rapid.SampledFrom(keys).Draw(rt, "key")
				x, ok := named[k]
				if !ok {
					x = tea.Key{Code: []rune(k)[0], Text: k}
				}
				m.Update(tea.KeyPressMsg(x))
			}
			text, cursor := m.View()
			lines := strings.Split(text, "\n")
			if m.w < 1 || m.h < 1 {
				continue
			}
			if len(lines) > m.h {
				rt.Fatalf("%d lines in %d", len(lines), m.h)
			}
			for _, l := range lines {
				if n := lipgloss.Width(l); n > m.w {
					rt.Fatalf("%d columns in %d: %q", n, m.w, l)
				}
				bare := l
				if !m.paint.off {
					bare = sgr.ReplaceAllString(l, "")
				}
				if strings.ContainsFunc(bare, func(r rune) bool { return !unicode.IsPrint(r) }) {
					rt.Fatalf("not printable: %q", l)
				}
			}
			if cursor != nil && (cursor.X < 0 || cursor.X >= m.w || cursor.Y != m.h-1) {
				rt.Fatalf("the cursor is at %d, %d in %d × %d", cursor.X, cursor.Y, m.w, m.h)
			}
		}
	})
}

// random makes the scene any scene.
func random(rt *rapid.T, s *stage) {
	number := rapid.OneOf(rapid.Uint64Range(0, 2000), rapid.Uint64())
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "eth0", "\x1b[31mx", "世界", "e\u0301\u0301", "☺\ufe0f", "👩\u200d👧", "🇩🇪🇫🇷", "a\tb\nc"}))
	b := &s.base
	b.Source, b.Filter = text.Draw(rt, "source"), text.Draw(rt, "filter")
	b.Packets, b.Segments, b.Dropped, b.IfDropped = number.Draw(rt, "packets"), number.Draw(rt, "segments"), number.Draw(rt, "dropped"), number.Draw(rt, "ifdropped")
	b.Open, b.Evicted, b.Lost.Packets = number.Draw(rt, "open"), number.Draw(rt, "evicted"), number.Draw(rt, "lost")
	for i := range b.States {
		b.States[i] = tracker.StateCount{Confirmed: number.Draw(rt, "confirmed"), Presumed: number.Draw(rt, "presumed"), Peak: number.Draw(rt, "peak")}
	}
	for i := range b.Closed {
		b.Closed[i] = number.Draw(rt, "closed")
	}
	for i := range b.Resets {
		b.Resets[i] = number.Draw(rt, "resets")
	}
	b.Findings = nil
	for range rapid.IntRange(0, 20).Draw(rt, "findings") {
		b.Findings = append(b.Findings, report.ActiveFinding{Finding: detect.Finding{ID: text.Draw(rt, "id"), Subject: text.Draw(rt, "subject"),
			Severity: detect.Severity(rapid.IntRange(0, 2).Draw(rt, "severity")), Count: int(number.Draw(rt, "count")), Explanation: text.Draw(rt, "explanation")},
			Since: b.Now, Updated: b.Now})
	}
	s.details = s.details[:rapid.IntRange(0, len(s.details)).Draw(rt, "connections")]
	for i := range s.details {
		d := &s.details[i]
		d.Worst = uint8(rapid.IntRange(0, 3).Draw(rt, "worst"))
		if d.Worst > 0 {
			d.Findings = []string{text.Draw(rt, "finding")}
		}
		d.Ends[0].Bytes = number.Draw(rt, "bytes")
		d.Start = rapid.Int64().Draw(rt, "start")
	}
}
