package page

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// The heights within a row of the chart of connections: a line of text, and below it the
// client's bar and the server's.
const (
	barPitch  = 34
	barText   = 11
	barClient = 19
	barServer = 26
	barHeight = 6
)

// bars is the drawing of connections over time.
type bars struct {
	Width, Height, Left, Right int
	Times                      []tick
	States                     []string // that occur
	Paths                      []barPath
	Starts                     string // path of a short line at the begin of each
	Rows                       []barRow
	of                         []int // the place of the connection of each
}

// barPath is all stretches in one state, in units of the drawing from its left edge on.
type barPath struct{ Class, D string }

type barRow struct {
	Y                 int
	Name, Close, Href string
}

// newBars draws the connections whose states over time are known; nil if there is none.
func newBars(conns []conn, over span) *bars {
	b := &bars{Width: chartWidth, Left: plotLeft, Right: plotRight, Times: over.ticks(8)}
	paths := make(map[string]*strings.Builder)
	var starts strings.Builder
	x := func(t int64) float64 { return over.x(min(max(t, over.from), over.to)) - plotLeft }
	for i := range conns {
		c := &conns[i]
		if c.Bar[0] == nil && c.Bar[1] == nil {
			continue
		}
		y := len(b.Rows) * barPitch
		b.of = append(b.of, i)
		b.Rows = append(b.Rows, barRow{Y: y + barText, Name: c.ID + "  " + c.Client + " → " + c.Server, Close: c.Close, Href: c.Href()})
		starts.WriteString("M" + trimmed(x(c.Start), 3) + " " + strconv.Itoa(y+barClient-barHeight/2) + "v13")
		for end, at := range [...]int{barClient, barServer} {
			for _, s := range c.Bar[end] {
				class := s.State.Class()
				if !slices.Contains(b.States, s.State.Name) {
					b.States = append(b.States, s.State.Name)
				}
				if !s.State.confirmed() {
					class += " p"
				}
				d := paths[class]
				if d == nil {
					d = new(strings.Builder)
					paths[class] = d
				}
				from := x(s.From)
				d.WriteString("M" + trimmed(from, 3) + " " + strconv.Itoa(y+at) + "h" + trimmed(max(x(s.To)-from, 0), 3))
			}
		}
	}
	if len(b.Rows) == 0 {
		return nil
	}
	slices.SortFunc(b.States, func(x, y string) int {
		if c := cmp.Compare(slices.Index(stateNames[:], x), slices.Index(stateNames[:], y)); c != 0 {
			return c
		}
		return strings.Compare(x, y)
	})
	for class, d := range paths {
		b.Paths = append(b.Paths, barPath{class, d.String()})
	}
	slices.SortFunc(b.Paths, func(a, b barPath) int { return strings.Compare(a.Class, b.Class) })
	b.Starts = starts.String()
	b.Height = len(b.Rows) * barPitch
	return b
}
