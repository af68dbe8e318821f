package report

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// instantTable is the look of our own.
type instantTable struct {
	*InstantView
	*InstantStyle
	w *bufio.Writer
}

// write writes the list, however long, and then what is counted of it, which a terminal
// still shows when the list has gone by.
func (o *instantTable) write() {
	if !o.Quiet {
		o.head()
	}
	if o.GroupBy != GroupNone {
		o.groups(o.Groups(o.GroupBy))
		return
	}
	if o.Len() == 0 {
		return
	}
	if !o.Quiet {
		o.w.WriteByte('\n')
	}
	o.list()
	if !o.Quiet {
		o.groups(o.Groups(GroupState))
	}
}

// head says which moment it is, and what there is besides the list.
func (o *instantTable) head() {
	var names []string
	for i, f := range o.Capture.Files {
		if i == 2 && len(o.Capture.Files) > 3 {
			names = append(names, fmt.Sprintf("and %d more", len(o.Capture.Files)-2))
			break
		}
		names = append(names, Printable(string(f.Name)))
	}
	fmt.Fprintf(o.w, "%s at %s", o.Bold(strings.Join(names, ", ")), o.when(o.InstantStyle, o.At))
	if !o.Empty && o.At >= o.First && o.At == o.AsOf {
		fmt.Fprintf(o.w, ", %s after the first packet", showSpan(seconds(o.At-o.First)))
	}
	fmt.Fprintf(o.w, "\n%s\n", strings.Join(append(o.counts(), o.Notes(o.InstantStyle)...), "\n"))
}

// counts is how many connections there are, were and will be.
func (o *instantTable) counts() []string {
	text := plural(uint64(o.Len()), "connection") + ", " + showCount(o.Over) + " over by then"
	switch {
	case o.NotBegun > 0:
		text += ", " + showCount(uint64(o.NotBegun)) + " not begun"
	case o.NotBegun < 0 && !o.Interrupted:
		text += "; what begins later was not read"
	}
	return []string{text}
}

// Notes are what the reader of a list has to know about the moment, a line each.
func (v *InstantView) Notes(s *InstantStyle) (l []string) {
	switch {
	case v.Empty:
		return []string{"the capture is empty"}
	case v.At < v.First:
		l = append(l, fmt.Sprintf("the capture begins later, at %s: nothing is known of the time before", v.when(s, v.First)))
	case v.Interrupted && v.At > v.AsOf:
		l = append(l, fmt.Sprintf("interrupted at %s: the states are those of that moment", v.when(s, v.AsOf)))
	case v.At > v.AsOf:
		l = append(l, fmt.Sprintf("the capture ends before, at %s: the states are those at its end", v.when(s, v.AsOf)))
	}
	return l
}

// when is a time of the capture in full.
func (v *InstantView) when(s *InstantStyle, ns int64) string {
	c := s.Clock
	if c == ClockRelative {
		c = ClockUTC // relative to what, one wants to know
	}
	text := c.Show(instant(ns), instant(v.First), s.Zone)
	if c == ClockUTC {
		text += " UTC"
	}
	return text
}

// list writes the connections.
func (o *instantTable) list() {
	heads := []string{">#"}
	for _, end := range [...]string{"client", "server"} {
		since := ">for"
		if o.Clocks {
			since = "since"
		}
		heads = append(heads, end, "state", since)
	}
	heads = append(heads, ">age")
	if o.Verbose {
		heads = append(heads, ">idle", ">client sent", ">server sent")
	}
	o.columns("", heads, func(row func(...string)) {
		var cells []string
		o.each(func(s *spot) {
			cells = append(cells[:0], recordName(s.ref()))
			for role := range 2 {
				e := s.role(role)
				cells = append(cells, s.addr(role).String(), showState(e.state, e.certainty), o.since(e))
			}
			cells = append(cells, showSpan(seconds(o.span(s.start))))
			if o.Verbose {
				cells = append(cells, showSpan(seconds(o.span(s.last))), showCount(s.octets[0]), showCount(s.octets[1]))
			}
			row(cells...)
		})
	})
}

// columns writes a table of any length. Heads that begin with > are flush right, and so
// are their columns. The rows are asked for twice, for to keep the text of a million of
// them would take its memory.
func (o *instantTable) columns(indent string, heads []string, rows func(row func(...string))) {
	widths := make([]int, len(heads))
	names := make([]string, len(heads))
	for i, h := range heads {
		names[i] = strings.TrimPrefix(h, ">")
	}
	fit := func(cells ...string) {
		for i, c := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	var b []byte
	line := func(cells ...string) {
		b = append(b[:0], indent...)
		for i, c := range cells {
			pad := widths[i] - utf8.RuneCountInString(c)
			if heads[i][0] != '>' {
				b = append(b, o.colored(names[i], c)...)
			}
			for range pad {
				b = append(b, ' ')
			}
			if heads[i][0] == '>' {
				b = append(b, c...)
			}
			b = append(b, "  "...)
		}
		b = bytes.TrimRight(b, " ")
	}
	fit(names...)
	rows(fit)
	line(names...)
	o.w.WriteString(o.Dim(string(b)) + "\n")
	rows(func(cells ...string) {
		line(cells...)
		o.w.Write(append(b, '\n'))
	})
}

// colored paints the cells of columns of states, as ladders do.
func (o *instantTable) colored(head, cell string) string {
	if !o.Color || head != "state" {
		return cell
	}
	name := strings.TrimRight(cell, "?~")
	for s := range tracker.NumStates {
		if s.String() == name {
			return o.paint(stateColors[s], cell)
		}
	}
	return cell
}

// since is for how long an end has been in its state, or since when; a dash where nothing
// brought it there.
func (o *instantTable) since(e *spotEnd) string {
	switch {
	case !e.moved:
		return "-"
	case o.Clocks:
		return o.brief(e.since)
	}
	return showSpan(seconds(o.span(e.since)))
}

// brief is a time without the date, if all the capture up to the instant has but one.
func (o *instantTable) brief(ns int64) string {
	show := func(ns int64) (day, rest string, ok bool) {
		return strings.Cut(o.Clock.Show(instant(ns), instant(o.First), o.Zone), " ")
	}
	day, rest, ok := show(ns)
	first, _, _ := show(o.First)
	last, _, _ := show(o.AsOf)
	switch {
	case !ok:
		return day
	case day == first && day == last:
		return rest
	}
	return day + " " + rest
}

// groups writes counts of endpoints.
func (o *instantTable) groups(l []InstantGroup) {
	if len(l) == 0 {
		return
	}
	if !o.Quiet {
		o.w.WriteByte('\n')
	}
	heads := []string{"state", ">confirmed", ">presumed", ">elapsed", ">endpoints"}
	by := o.GroupBy
	switch by {
	case GroupService:
		heads = append([]string{"service", "end"}, heads...)
	case GroupHost:
		heads = append([]string{"host"}, heads...)
	}
	if !o.Quiet {
		o.w.WriteString(o.Bold("Endpoints by "+max(by, GroupState).String()) + "\n")
	}
	o.columns("  ", heads, func(row func(...string)) {
		var cells []string
		for i := range l {
			g := &l[i]
			name := g.Name
			if i > 0 && name == l[i-1].Name {
				name = "" // once is enough
			}
			cells = cells[:0]
			switch by {
			case GroupService:
				cells = append(cells, name, g.Endpoint)
			case GroupHost:
				cells = append(cells, name)
			}
			row(append(cells, g.State.String(), showCount(g.Confirmed), showCount(g.Presumed), showCount(g.Elapsed), showCount(g.Sum()))...)
		}
	})
}

func (s *spot) ref() detect.Ref { return detect.Ref{ID: s.id, Incarnation: s.incarnation} }
