package compare

import (
	"fmt"
	"math"
	"strconv"

	"tcpstate/report"
	"tcpstate/report/verdict"
)

// mark stands beside what differs by more than chance explains.
const (
	mark      = "*"
	markMeans = "more than chance explains (99 %)"
)

// marked reports whether a row has the mark.
func marked(row []string) bool { return row[len(row)-1] == mark }

// tables are the numbers that differ, old beside new; with all, also those that do not.
func (r *Result) tables(all bool, limit int) (l []verdict.Table) {
	for _, t := range []verdict.Table{
		plainTable("Traffic", r.Traffic, all),
		sharesTable("How connections ended", "close", r.Close, all),
		sharesTable("Who closed first", "side", r.ClosedFirst, all),
		sharesTable("Resets (connections by the class of their RST)", "class", r.Resets, all),
		sharesTable("States at the end of the capture (endpoints)", "state", r.States, all),
		plainTable("Handshakes", r.Handshake, all),
		r.servicesTable(all, limit),
		plainTable("Doubts about the captures", r.Quality, all),
	} {
		if len(t.Rows) > 0 {
			l = append(l, t)
		}
	}
	return l
}

// sidesTable is what was compared.
func (r *Result) sidesTable() verdict.Table {
	t := verdict.Table{Title: "Captures", Heads: []string{"", "capture", ">packets", ">segments", ">connections", ">span"}}
	for i, s := range []*Side{r.Old, r.New} {
		t.Rows = append(t.Rows, []string{sideNames[i], s.Name, report.ShowCount(s.Packets), report.ShowCount(s.Segments),
			report.ShowCount(s.Connections), report.ShowSeconds(s.Span)})
	}
	return t
}

// sideNames are the words of the usage text.
var sideNames = [...]string{"OLD", "NEW"}

// shown reports whether a number gets a row.
func (n *Number) shown(all bool) bool {
	return n.Changed() || all && !(n.Old == 0 && n.New == 0) && !(math.IsNaN(n.Old) && math.IsNaN(n.New))
}

func plainTable(title string, l []Number, all bool) verdict.Table {
	t := verdict.Table{Title: title, Heads: []string{"", ">old", ">new", ">change", ""}}
	for i := range l {
		if n := &l[i]; n.shown(all) {
			t.Rows = append(t.Rows, []string{n.Name, n.text(n.Old), n.text(n.New), n.change(), n.mark()})
		}
	}
	return t
}

func sharesTable(title, head string, l []Number, all bool) verdict.Table {
	t := verdict.Table{Title: title, Heads: []string{head, ">old", ">share", ">new", ">share", ">change", ""}}
	for i := range l {
		if n := &l[i]; n.shown(all) {
			t.Rows = append(t.Rows, append([]string{n.Name}, n.cells()...))
		}
	}
	return t
}

// cells are old, its share, new, its share, the change and the mark.
func (n *Number) cells() []string {
	return []string{n.text(n.Old), n.share(n.OldShare), n.text(n.New), n.share(n.NewShare), n.change(), n.mark()}
}

func (n *Number) share(p float64) string {
	if math.IsNaN(n.OldShare) && math.IsNaN(n.NewShare) {
		return ""
	}
	return percent(p)
}

func (n *Number) text(v float64) string {
	switch {
	case math.IsNaN(v):
		return "-"
	case n.Unit == Seconds:
		return report.ShowSeconds(v)
	case n.Unit == Rate:
		return fmt.Sprintf("%.4g", v)
	}
	return report.ShowCount(uint64(v))
}

// change is the difference of the shares in points (hundredths of the whole), and of what is
// no part of a whole the difference of counts, and how many times of other things.
func (n *Number) change() string {
	switch d := n.New - n.Old; {
	case !n.Changed():
		return "="
	case !math.IsNaN(n.OldShare) && !math.IsNaN(n.NewShare):
		return fmt.Sprintf("%+.1f points", 100*(n.NewShare-n.OldShare))
	case math.IsNaN(d):
		return "-"
	case n.Unit != Count && n.Old > 0:
		return "×" + factor(n.New/n.Old)
	case n.Unit != Count:
		return "-"
	case d < 0:
		return "-" + report.ShowCount(uint64(-d))
	default:
		return "+" + report.ShowCount(uint64(d))
	}
}

// factor writes a ratio with three digits, or as many as it has before the point.
func factor(v float64) string {
	switch {
	case v >= 99.95:
		return report.ShowCount(uint64(v + 0.5))
	case v >= 0.001 || v == 0:
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	return "< 0.001"
}

func (n *Number) mark() string {
	if n.Odds == Marked {
		return mark
	}
	return ""
}

// servicesTable has some rows for each service. Of one that the other side does not have
// these are its connections, and how they ended.
func (r *Result) servicesTable(all bool, limit int) verdict.Table {
	t := verdict.Table{Title: "Services", Heads: []string{"server", "", ">old", ">share", ">new", ">share", ">change", ""}}
	left := 0
	for i := range r.Services {
		s := &r.Services[i]
		if !s.Changed() && !all {
			continue
		}
		if limit--; limit < 0 {
			left++
			continue
		}
		name := s.Name()
		s.each(func(about string, n *Number) {
			switch {
			case !n.shown(all), n.Name == measured:
				return
			case !s.Both() && (about == aboutServer || about == aboutClient):
				return
			}
			what := n.Name
			if about != "" {
				what = about + " " + what
			}
			t.Rows = append(t.Rows, append([]string{name, what}, n.cells()...))
			name = ""
		})
	}
	if left > 0 {
		t.Title += fmt.Sprintf(" (%s more: --limit N shows more, -o json all)", report.ShowCount(uint64(left)))
	}
	return t
}

// Both reports whether both sides have the service.
func (s *ServiceChange) Both() bool { return s.Others() || s.Old.IsValid() && s.New.IsValid() }

// Name is where it is, and where it was.
func (s *ServiceChange) Name() string {
	switch {
	case s.Others():
		return "others"
	case !s.Old.IsValid():
		return s.New.String() + " (new)"
	case !s.New.IsValid():
		return s.Old.String() + " (gone)"
	case s.Old != s.New:
		return s.New.String() + " (was " + s.Old.String() + ")"
	}
	return s.New.String()
}
