package screen

import "charm.land/bubbles/v2/key"

// helpLines are all keys, and what the signs mean.
func (m *model) helpLines() []line {
	lines := []line{textLine(strong, "tcpstate: keys")}
	for _, g := range keys.groups() {
		lines = append(lines, line{}, textLine(strong, g.name))
		for _, k := range g.keys {
			lines = append(lines, helpLine(k))
		}
	}
	lines = append(lines, line{}, textLine(strong, "Signs"))
	for _, s := range [][2]string{
		{"?", "presumed: the segment that causes the state was seen on its way"},
		{"~", "elapsed: a timer ran out"},
		{"▲", "the most endpoints in a state at one time"},
		{"! * ·", "a connection with an error, a warning, a note"},
		{ellipsis, "segments that a ladder does not show, or text that was cut off"},
	} {
		lines = append(lines, *new(line).add(note, "  "+cell(s[0], 10)).add(plain, s[1]))
	}
	return lines
}

func helpLine(k key.Binding) (l line) {
	h := k.Help()
	return *l.add(note, "  "+cell(h.Key, 10)).add(plain, h.Desc)
}
