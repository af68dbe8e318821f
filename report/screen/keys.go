package screen

import "charm.land/bubbles/v2/key"

// keyMap is what the keys do; the last line and the help are written from it.
type keyMap struct {
	up, down, pageUp, pageDown, first, last, other, open, back key.Binding
	text, where, sort, reverse, concerned                      key.Binding
	pause, help, suspend, quit, abort                          key.Binding
}

func bind(help, does string, keys ...string) key.Binding {
	return key.NewBinding(key.WithKeys(keys...), key.WithHelp(help, does))
}

// alt+esc is what two Esc in a row look like.
var keys = keyMap{
	up:        bind("↑ k", "up", "up", "k"),
	down:      bind("↓ j", "down", "down", "j"),
	pageUp:    bind("PgUp b", "a page up", "pgup", "b", "ctrl+b"),
	pageDown:  bind("PgDn f", "a page down", "pgdown", "f", "ctrl+f"),
	first:     bind("Home g", "to the first", "home", "g"),
	last:      bind("End G", "to the last, and stay there", "end", "G"),
	other:     bind("Tab ← →", "findings or connections", "tab", "shift+tab", "left", "right", "h", "l"),
	open:      bind("Enter", "open", "enter"),
	back:      bind("Esc", "back; on the first page, no filter", "esc", "backspace", "alt+esc"),
	text:      bind("/", "filter: text in an address, port, state, close or finding", "/"),
	where:     bind("w :", "filter: an expression, as for --where", "w", ":"),
	sort:      bind("s", "sort by the next field", "s"),
	reverse:   bind("S", "sort the other way round", "S"),
	concerned: bind("c", "of a finding: its connections", "c"),
	pause:     bind("p Space", "hold the screen; the capture goes on", "p", "space"),
	help:      bind("?", "this help", "?", "f1"),
	suspend:   bind("Ctrl-Z", "suspend", "ctrl+z"),
	quit:      bind("q", "end the capture; the report follows", "q"),
	abort:     bind("Ctrl-C", "the same", "ctrl+c"),
}

// groups are the keys in the order of the help.
func (k *keyMap) groups() []keyGroup {
	return []keyGroup{
		{"Moving", []key.Binding{k.up, k.down, k.pageUp, k.pageDown, k.first, k.last, k.other, k.open, k.back}},
		{"Connections", []key.Binding{k.text, k.where, k.sort, k.reverse, k.concerned}},
		{"The screen", []key.Binding{k.pause, k.help, k.suspend, k.quit, k.abort}},
	}
}

type keyGroup struct {
	name string
	keys []key.Binding
}
