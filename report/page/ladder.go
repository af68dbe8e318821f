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
}

type row struct {
	*Row
	Anchor string // "" where nothing refers to it
}

// newLadders gives each ladder its anchor, and its rows where a finding refers to them.
func newLadders(p *Page, a *anchors) (ladders []*ladder) {
	asked := make(map[string]map[uint64]bool)
	for i := range p.Findings {
		for _, e := range p.Findings[i].Evidence {
			if asked[e.Connection] == nil {
				asked[e.Connection] = make(map[uint64]bool)
			}
			for _, f := range e.Frames {
				asked[e.Connection][f.N] = true
			}
		}
	}
	for i := range p.Ladders {
		l := &ladder{Ladder: &p.Ladders[i], Anchor: a.names[i]}
		of := asked[l.ID]
		if a.ladders[l.ID] != i {
			of = nil // another of the same name is meant
		}
		for j := range l.Ladder.Rows {
			r := row{Row: &l.Ladder.Rows[j]}
			if r.Frame != 0 && of[r.Frame] {
				r.Anchor = l.Anchor + "-" + strconv.FormatUint(r.Frame, 10)
				delete(of, r.Frame)
				a.rows[r.Anchor] = true
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
}

func newAnchors(p *Page) *anchors {
	a := &anchors{ladders: make(map[string]int), conns: make(map[string]int), rows: make(map[string]bool)}
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

// row is the anchor of a frame in a ladder, or "".
func (a *anchors) row(id string, frame uint64) string {
	if l := a.ladder(id); l != "" {
		if n := l + "-" + strconv.FormatUint(frame, 10); a.rows[n] {
			return n
		}
	}
	return ""
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
