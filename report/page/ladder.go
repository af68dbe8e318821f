package page

import (
	"strconv"
	"strings"
)

// ladder is a Ladder with its place on the page.
type ladder struct {
	*Ladder
	Anchor string
	Rows   []row
	drawn  bool // in a finding
	// finding is the id of that; its name need not stand at its own marks.
	finding string
	rules   *rules
}

// Tall reports whether it has more rows than one likes to scroll past.
func (l *ladder) Tall() bool { return len(l.Rows) > tallRows }

const tallRows = 40

// rules says what is cited, by name.
type rules struct{ anchors, short map[string]string }

// rule is a Rule with its place on the page.
type rule struct {
	*Rule
	Anchor string
}

func newRules(p *Page) (list []rule, of *rules) {
	of = &rules{make(map[string]string), make(map[string]string)}
	for i := range p.Rules {
		r := &p.Rules[i]
		if of.anchors[r.Name] != "" {
			continue
		}
		of.anchors[r.Name], of.short[r.Name] = "rule-"+strconv.Itoa(i+1), r.Short
		list = append(list, rule{r, of.anchors[r.Name]})
	}
	return list, of
}

type row struct {
	*Row
	Anchor string // "" where nothing refers to it
}

// newLadders gives each ladder its anchor, and its rows where a finding refers to them.
//
// A frame may be that of another connection than the one that it is evidence for: of the
// stream before on the same addresses and ports.
func newLadders(p *Page, a *anchors, of *rules) (ladders []*ladder) {
	asked := make(map[uint64]bool)
	for i := range p.Findings {
		for _, e := range p.Findings[i].Evidence {
			for _, f := range e.Frames {
				asked[f.N] = true
			}
		}
	}
	for i := range p.Ladders {
		l := &ladder{Ladder: &p.Ladders[i], Anchor: a.names[i], rules: of}
		here := make(map[uint64]bool)
		for j := range l.Ladder.Rows {
			r := row{Row: &l.Ladder.Rows[j]}
			if r.Frame != 0 && asked[r.Frame] && !here[r.Frame] {
				here[r.Frame] = true
				r.Anchor = l.Anchor + "-" + strconv.FormatUint(r.Frame, 10)
				a.rows[r.Anchor] = true
				if a.frames[r.Frame] == "" {
					a.frames[r.Frame] = r.Anchor
				}
			}
			l.Rows = append(l.Rows, r)
		}
		ladders = append(ladders, l)
	}
	return ladders
}

// anchors are the ids of the places on the page.
type anchors struct {
	names   []string       // of the ladders
	ladders map[string]int // by connection
	conns   map[string]int
	rows    map[string]bool
	frames  map[uint64]string // the first of the rows of a frame
}

func newAnchors(p *Page) *anchors {
	a := &anchors{ladders: make(map[string]int), conns: make(map[string]int), rows: make(map[string]bool), frames: make(map[uint64]string)}
	for i := range p.Ladders {
		id := p.Ladders[i].ID
		_, again := a.ladders[id]
		name := "ladder-" + id
		if !simple(id) || again {
			name = "ladder-n" + strconv.Itoa(i)
		}
		a.names = append(a.names, name)
		if !again {
			a.ladders[id] = i
		}
	}
	for i := range p.Connections {
		if id := p.Connections[i].ID; a.conns[id] == 0 {
			a.conns[id] = i + 1
		}
	}
	return a
}

// simple reports whether id is a number as connections have it, so that it can be a part
// of an anchor which people pass on.
func simple(id string) bool {
	return id != "" && len(id) < 40 && strings.Trim(id, "0123456789.") == ""
}

// ladder is the anchor of a connection's ladder, or "".
func (a *anchors) ladder(id string) string {
	if i, ok := a.ladders[id]; ok {
		return a.names[i]
	}
	return ""
}

// row is the anchor of a frame in the ladder of a connection, else in any, or "".
func (a *anchors) row(id string, frame uint64) string {
	if l := a.ladder(id); l != "" {
		if n := l + "-" + strconv.FormatUint(frame, 10); a.rows[n] {
			return n
		}
	}
	return a.frames[frame]
}

// connection is the anchor of a connection's row in the table, or "".
func (a *anchors) connection(id string) string {
	i := a.conns[id]
	switch {
	case i == 0:
		return ""
	case simple(id):
		return "connection-" + id
	}
	return "connection-n" + strconv.Itoa(i)
}
