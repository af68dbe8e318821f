package screen

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the expected screens in testdata")

// player plays a user at a terminal of a size.
type player struct {
	t testing.TB
	*model
	stage *stage
}

func play(t testing.TB, s *stage, w, h int) *player {
	t.Helper()
	p := &player{t, newModel(s, Options{NoColor: true, Refresh: time.Second}), s}
	p.Update(tea.WindowSizeMsg{Width: w, Height: h})
	p.Update(tick{})
	s.pass(2*time.Second, 24690)
	p.Update(tick{})
	return p
}

// named are the keys that are not their own name.
var named = map[string]tea.Key{
	"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "tab": {Code: tea.KeyTab}, "space": {Code: tea.KeySpace, Text: " "},
	"backspace": {Code: tea.KeyBackspace}, "up": {Code: tea.KeyUp}, "down": {Code: tea.KeyDown}, "left": {Code: tea.KeyLeft},
	"pgdown": {Code: tea.KeyPgDown}, "pgup": {Code: tea.KeyPgUp}, "home": {Code: tea.KeyHome}, "end": {Code: tea.KeyEnd},
	"ctrl+c": {Code: 'c', Mod: tea.ModCtrl}, "ctrl+z": {Code: 'z', Mod: tea.ModCtrl}, "ctrl+u": {Code: 'u', Mod: tea.ModCtrl},
	"ctrl+w": {Code: 'w', Mod: tea.ModCtrl}, "ctrl+k": {Code: 'k', Mod: tea.ModCtrl}, "delete": {Code: tea.KeyDelete}, "right": {Code: tea.KeyRight},
}

// press sends keys, and lets the screen look after each. It returns what the last one led to.
func (p *player) press(keys ...string) (cmd tea.Cmd) {
	p.t.Helper()
	for _, k := range keys {
		x, ok := named[k]
		if !ok {
			x = tea.Key{Code: []rune(k)[0], Text: k}
		}
		cmd = p.Update(tea.KeyPressMsg(x))
		p.Update(tick{})
	}
	return cmd
}

// typeIn sends the characters of a text.
func (p *player) typeIn(text string) {
	for _, r := range text {
		p.press(string(r))
	}
}

func (p *player) screen() string {
	text, _ := p.View()
	return text
}

func (p *player) sees(want ...string) {
	p.t.Helper()
	text := p.screen()
	for _, w := range want {
		if !strings.Contains(text, w) {
			p.t.Errorf("%q is not on the screen:\n%s", w, text)
		}
	}
}

func (p *player) misses(unwanted ...string) {
	p.t.Helper()
	text := p.screen()
	for _, w := range unwanted {
		if strings.Contains(text, w) {
			p.t.Errorf("%q is on the screen:\n%s", w, text)
		}
	}
}

// What the pages look like lies in testdata, one file each: the page and the size.
func TestScreensLook(t *testing.T) {
	for _, size := range []struct{ w, h int }{{60, 15}, {80, 24}, {160, 50}} {
		for _, page := range []struct {
			name string
			keys []string
		}{
			{"main", nil}, {"findings", []string{"tab"}}, {"finding", []string{"tab", "enter"}}, {"connection", []string{"down", "enter"}}, {"help", []string{"?"}},
		} {
			name := fmt.Sprintf("%s-%dx%d", page.name, size.w, size.h)
			t.Run(name, func(t *testing.T) {
				p := play(t, newStage(t, 60), size.w, size.h)
				p.press(page.keys...)
				got := p.screen() + "\n"
				file := filepath.Join("testdata", name+".txt")
				if *update {
					if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
						t.Fatal(err)
					}
					return
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(string(want), got); d != "" {
					t.Errorf("-want +got:\n%s", d)
				}
			})
		}
	}
}
