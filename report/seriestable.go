package report

import (
	"fmt"
	"strings"

	"tcpstate/tracker"
)

// sparkWidth is how many columns a state's time takes in a table at most.
const sparkWidth = 60

// sparks are heights, the lowest first; sparkNone is none at all.
var sparks = [...]rune{'▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'}

const sparkNone = '·'

// series is a row for each state that an endpoint ever was in. A column of its time stands
// for one step or several, and is as high as the most within them.
func (o *table) series(f *Final) {
	o.title("Endpoints in each state over time")
	s := f.Series
	g := grid{heads: []string{"state", "over time", ">at the end", ">peak", "peak at"}}
	for i, c := range f.Summary.States {
		if c.Peak == 0 && c.Confirmed+c.Presumed+c.Elapsed == 0 {
			continue
		}
		at := "-"
		if c.Peak > 0 {
			at = o.brief(c.PeakTime)
		}
		g.add(c.State, s.spark(tracker.State(i)), standing(&c), dash(c.Peak), at)
	}
	if len(g.rows) == 0 || len(s.Points) == 0 {
		o.printf("  none\n")
		return
	}
	from, to := o.brief(instant(s.Start)), o.brief(instant(s.End))
	room := min(len(s.Points), sparkWidth) - len(from) - len(to)
	g.add("", from+strings.Repeat(" ", max(room, 1))+to, "", "", "")
	o.printf("%s", g.text("  ", &o.Style))
	note := fmt.Sprintf("%s of %s; each state to the scale of its peak", plural(uint64(len(s.Points)), "step"), s.Step)
	if s.Asked != 0 {
		note += fmt.Sprintf(" (of %s there would be more than %s)", s.Asked, showCount(SeriesMost))
	}
	o.printf("  %s\n", o.dim(note))
}

// standing is how many are in a state, and how that is known: 3 + 2? + 1~ are 3
// confirmed, 2 presumed and 1 elapsed.
func standing(c *StateCensus) string {
	var l []string
	for _, x := range []struct {
		n    uint64
		mark string
	}{{c.Confirmed, ""}, {c.Presumed, "?"}, {c.Elapsed, "~"}} {
		if x.n > 0 {
			l = append(l, showCount(x.n)+x.mark)
		}
	}
	if l == nil {
		return "-"
	}
	return strings.Join(l, " + ")
}

// spark draws one state in at most sparkWidth columns.
func (s *Series) spark(st tracker.State) string {
	top := uint64(0)
	for i := range s.Points {
		top = max(top, s.Points[i].Most[st])
	}
	n := len(s.Points)
	w := min(n, sparkWidth)
	var b strings.Builder
	for x := range w {
		most := uint64(0)
		for i := x * n / w; i < (x+1)*n/w; i++ {
			most = max(most, s.Points[i].Most[st])
		}
		if most == 0 {
			b.WriteRune(sparkNone)
			continue
		}
		b.WriteRune(sparks[(most*uint64(len(sparks))-1)/top])
	}
	return b.String()
}
