package page

import (
	"html/template"
	"slices"
	"time"
)

// view is a Page as the template wants it.
type view struct {
	*Page
	Policy   string
	Style    template.CSS
	Head     template.JS
	Script   template.JS
	Findings []finding
	Severe   []Count // findings by severity
	Chart    *chart
	Bars     *bars
	From     string // where the axis of time begins
	Conns    []conn
	Choice   choice
	Ladders  []*ladder // those that stand in no finding
	Rules    []rule
	Data     data
}

// finding is a Finding with its place on the page.
type finding struct {
	*Finding
	Number   int
	Severity string
	Evidence []evidence
	Drawn    *ladder // the first of its ladders that no finding before has drawn
}

type evidence struct {
	*Evidence
	Ladder string // anchor; "" if the page has none
	Frames []frame
}

type frame struct {
	Frame
	Href string // anchor of the row; "" if there is none
}

// conn is a Connection with its place on the page.
type conn struct {
	*Connection
	Anchor string
	Ladder string // anchor; "" if the page has none
}

// Href is where more is said of it.
func (c *conn) Href() string {
	if c.Ladder != "" {
		return c.Ladder
	}
	return c.Anchor
}

// choice is what the table can be narrowed to.
type choice struct{ States, Closes, Findings []string }

// data is what the script works with. Times are ns from the left end of the axis.
type data struct {
	Span   int64      `json:"span"`
	Series *numbers   `json:"series"`
	Marks  []int64    `json:"marks"`
	Rows   [][4]int64 `json:"rows"` // start, duration, packets, octets
	Bars   []int      `json:"bars"` // the place in Rows of each
}

type numbers struct {
	Start  int64      `json:"start"`
	Step   int64      `json:"step"`
	States []string   `json:"states"`
	Last   [][]uint64 `json:"last"`
	Most   [][]uint64 `json:"most"`
}

// severities, most severe first.
var severities = [...]string{"error", "warning", "note"}

func newView(p *Page) *view {
	v := &view{Page: p}
	over := p.span()
	v.From = p.Start
	if v.From == "" {
		v.From = time.Unix(0, over.from).UTC().Format("2006-01-02 15:04:05.000000 UTC")
	}
	anchors := newAnchors(p)
	var cited *rules
	v.Rules, cited = newRules(p)
	ladders := newLadders(p, anchors, cited)
	for i := range p.Connections {
		c := &p.Connections[i]
		v.Conns = append(v.Conns, conn{c, anchors.connection(c.ID), anchors.ladder(c.ID)})
		v.Data.Rows = append(v.Data.Rows, [4]int64{c.Start - over.from, c.End - c.Start, int64(c.Packets), int64(c.Bytes)})
	}
	v.addFindings(anchors, ladders)
	for _, l := range ladders {
		if !l.drawn {
			v.Ladders = append(v.Ladders, l)
		}
	}
	v.Choice = choices(p.Connections)
	v.Data.Span = over.to - over.from
	if s := p.Series; s != nil && s.len() > 0 {
		v.Chart = newChart(s, over, v.Findings)
		n := &numbers{Start: s.Start - over.from, Step: s.Step}
		for i := range s.used() {
			n.States = append(n.States, s.States[i])
			n.Most = append(n.Most, s.Most[i])
			if i < len(s.Last) {
				n.Last = append(n.Last, s.Last[i])
			}
		}
		v.Data.Series = n
		for _, m := range v.Chart.Marks {
			v.Data.Marks = append(v.Data.Marks, v.Findings[m.Number-1].First-over.from)
		}
	}
	v.Bars = newBars(v.Conns, over)
	if v.Bars != nil {
		v.Data.Bars = v.Bars.of
	}
	return v
}

func (v *view) addFindings(anchors *anchors, ladders []*ladder) {
	severe := make(map[string]uint64)
	for i := range v.Page.Findings {
		f := finding{Finding: &v.Page.Findings[i], Number: i + 1, Severity: "note"}
		if slices.Contains(severities[:], f.Finding.Severity) {
			f.Severity = f.Finding.Severity
		}
		severe[f.Severity]++
		for j := range f.Finding.Evidence {
			e := evidence{Evidence: &f.Finding.Evidence[j]}
			e.Ladder = anchors.ladder(e.Connection)
			for _, fr := range e.Evidence.Frames {
				e.Frames = append(e.Frames, frame{fr, anchors.row(e.Connection, fr.N)})
			}
			if k, ok := anchors.ladders[e.Connection]; ok && f.Drawn == nil && !ladders[k].drawn {
				f.Drawn = ladders[k]
				f.Drawn.drawn, f.Drawn.finding = true, f.ID
			}
			f.Evidence = append(f.Evidence, e)
		}
		v.Findings = append(v.Findings, f)
	}
	for _, s := range severities {
		if n := severe[s]; n > 0 {
			name := s
			if n > 1 {
				name += "s"
			}
			v.Severe = append(v.Severe, Count{name, n})
		}
	}
}

// span is the time that the charts show.
func (p *Page) span() (s span) {
	first := true
	add := func(from, to int64) {
		if first {
			s, first = span{from, to}, false
		}
		s.from, s.to = min(s.from, from), max(s.to, to)
	}
	if p.Series != nil {
		add(p.Series.Start, p.Series.Start+int64(p.Series.len())*p.Series.Step)
	}
	for i := range p.Connections {
		c := &p.Connections[i]
		add(c.Start, c.End)
	}
	if s.to <= s.from {
		s.to = s.from + int64(time.Millisecond)
	}
	return s
}

// choices are the states, kinds of close and findings that connections have.
func choices(conns []Connection) (c choice) {
	add := func(l *[]string, s string) {
		if i, found := slices.BinarySearch(*l, s); !found && s != "" {
			*l = slices.Insert(*l, i, s)
		}
	}
	for i := range conns {
		for _, e := range conns[i].Ends {
			add(&c.States, e.Name)
		}
		add(&c.Closes, conns[i].Close)
		for _, f := range conns[i].Findings {
			add(&c.Findings, f)
		}
	}
	return c
}
