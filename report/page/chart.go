package page

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// The heights of the chart of states: a strip for the marks of findings, the plot, and
// the axis below it.
const (
	markRows   = 2
	markPitch  = 20 // between marks one above the other
	markWide   = 24 // side by side
	plotTop    = markRows*markPitch + 6
	plotHeight = 240
	plotFoot   = plotTop + plotHeight
	chartFoot  = plotFoot + 26
)

// chart is the drawing of a Series.
type chart struct {
	Width, Height          int
	Left, Right, Top, Foot int
	Lines                  []line
	Times, Counts          []tick
	Marks                  []mark
	Step                   string
}

// line is a state's.
type line struct {
	State, Class, D string
	LabelY          string // "" where it ends at 0
	Peak            string
	Off             bool // not drawn at first
}

// mark shows a finding at the time when it was first so.
type mark struct {
	Number         int
	X, Y           string
	Severity, Text string
	Hidden         bool // there is no room
}

// newChart draws the states that ever had an endpoint.
func newChart(s *Series, over span, findings []finding) *chart {
	c := &chart{Width: chartWidth, Height: chartFoot, Left: plotLeft, Right: plotRight, Top: plotTop, Foot: plotFoot,
		Times: over.ticks(8), Marks: marks(findings, over), Step: showLength(s.Step)}
	var most uint64
	for i := range s.used() {
		if !s.off(i) {
			most = max(most, slices.Max(s.Most[i]))
		}
	}
	top, step := niceCount(most)
	y := func(n uint64) float64 { return plotFoot - plotHeight*float64(n)/float64(top) }
	for n := uint64(0); n <= top; n += step {
		c.Counts = append(c.Counts, tick{y(n), count(n)})
	}
	var ends []float64
	var ending []int
	for i := range s.used() {
		l := line{State: s.States[i], Class: stateClass(s.States[i]), Peak: count(slices.Max(s.Most[i])), Off: s.off(i)}
		if !l.Off {
			l.D = s.steps(s.Most[i], over, y)
			if last := s.Most[i][len(s.Most[i])-1]; last > 0 {
				ends, ending = append(ends, y(last)), append(ending, len(c.Lines))
			}
		}
		c.Lines = append(c.Lines, l)
	}
	for i, at := range spread(ends, 14, plotTop+4, plotFoot-2) {
		c.Lines[ending[i]].LabelY = unit(at)
	}
	return c
}

// off reports whether a state is not drawn at first: endpoints that are CLOSED only grow
// more, and would make all others small.
func (s *Series) off(i int) bool {
	if s.States[i] != stateNames[0] {
		return false
	}
	for j := range s.used() {
		if j != i {
			return true
		}
	}
	return false
}

// used yields the places of the states that have a line.
func (s *Series) used() func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for i := range s.States {
			if i < len(s.Most) && slices.ContainsFunc(s.Most[i], func(n uint64) bool { return n > 0 }) && !yield(i) {
				return
			}
		}
	}
}

// len is the number of steps.
func (s *Series) len() (n int) {
	for _, m := range s.Most {
		n = max(n, len(m))
	}
	return n
}

// steps is the path of values, each held for its step. There is no line at 0, where those
// of all states would lie upon each other.
func (s *Series) steps(values []uint64, over span, y func(uint64) float64) string {
	var b strings.Builder
	x := func(i int) string { return unit(over.x(s.Start + int64(i)*s.Step)) }
	before := uint64(0)
	for i, n := range values {
		switch {
		case n == before:
			continue
		case before == 0:
			b.WriteString("M" + x(i) + " " + unit(y(0)) + "V" + unit(y(n)))
		default:
			b.WriteString("H" + x(i) + "V" + unit(y(n)))
		}
		before = n
	}
	if before > 0 {
		b.WriteString("H" + x(len(values)))
	}
	return b.String()
}

// niceCount is a round number that is not below n, and the step of an axis up to it.
func niceCount(n uint64) (top, step uint64) {
	step = max(uint64(niceNumber(float64(max(n, 1))/5)), 1)
	return (max(n, 1) + step - 1) / step * step, step
}

// spread moves labels at those heights apart, at least by pitch, and keeps them between
// top and foot as far as there is room.
func spread(at []float64, pitch, top, foot float64) []float64 {
	order := make([]int, len(at))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case at[a] < at[b]:
			return -1
		case at[a] > at[b]:
			return 1
		}
		return 0
	})
	out := slices.Clone(at)
	next := foot
	for i := len(order) - 1; i >= 0; i-- {
		o := order[i]
		out[o] = min(out[o], next)
		next = out[o] - pitch
	}
	before := top
	for _, o := range order {
		out[o] = max(out[o], before)
		before = out[o] + pitch
	}
	return out
}

// marks places findings on the axis of time, the most severe first. One that would lie upon
// another has no place, until the reader looks closer.
func marks(findings []finding, over span) (l []mark) {
	var taken [markRows][]float64
	for i := range findings {
		f := &findings[i]
		if f.First < over.from || f.First > over.to {
			continue
		}
		x := over.x(f.First)
		row := slices.IndexFunc(taken[:], func(row []float64) bool {
			return !slices.ContainsFunc(row, func(other float64) bool { return math.Abs(x-other) < markWide })
		})
		m := mark{Number: f.Number, X: unit(x), Y: "0", Hidden: row < 0, Severity: f.Severity,
			Text: "finding " + strconv.Itoa(f.Number) + ", " + f.Severity + ": " + f.ID + ", " + f.Subject}
		if row >= 0 {
			taken[row] = append(taken[row], x)
			m.Y = strconv.Itoa(row*markPitch + markPitch/2)
		}
		l = append(l, m)
	}
	return l
}
