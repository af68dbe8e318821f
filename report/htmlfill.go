package report

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tcpstate/report/page"
	"tcpstate/tracker"
)

// What the page says of the whole capture.

// pageFiles is how many files are named.
const pageFiles = 8

func (w *pageWriter) head() {
	s, c := w.f.Summary, w.f.Capture
	fact := func(name, value string) { w.p.Capture = append(w.p.Capture, page.Fact{Name: name, Value: value}) }
	w.p.Title = bounded(pageTitle(c))
	var names []string
	for i := range c.Files {
		x := &c.Files[i]
		if len(names) == pageFiles && len(c.Files) > pageFiles+1 {
			names = append(names, fmt.Sprintf("and %d more", len(c.Files)-pageFiles))
			break
		}
		format := strings.TrimSpace(x.Format + " " + x.Compression)
		if x.Format == "live" {
			names = append(names, bounded(string(x.Name)))
		} else {
			names = append(names, bounded(string(x.Name))+" ("+format+")")
		}
	}
	switch {
	case c.Source == "live":
		fact("Interface", strings.Join(names, ", "))
	case len(c.Files) > 1:
		fact("Files", strings.Join(names, ", "))
	default:
		fact("File", strings.Join(names, ", "))
	}
	fact("Packets", showCount(s.Packets))
	fact("TCP segments", showCount(s.Segments))
	if s.Quality.Start != nil {
		fact("From", w.words.when(w.words.start))
		fact("Span", showSpan(s.Quality.Span))
	}
	if len(c.LinkTypes) > 0 {
		fact("Link type", bounded(strings.Join(c.LinkTypes, ", ")))
	}
	if n := snapLength(c); n > 0 {
		fact("Octets kept of a packet", showCount(n))
	}
	fact("Times", w.clock())
	if len(w.Asked) > 0 {
		fact("Only", bounded(strings.Join(w.Asked, " ")))
	}
	w.p.Quality = w.quality()
}

// pageTitle names the capture.
func pageTitle(c *Capture) string {
	var names []string
	for i := range c.Files {
		if len(names) == 2 && len(c.Files) > 3 {
			names = append(names, fmt.Sprintf("and %d more", len(c.Files)-2))
			break
		}
		name := string(c.Files[i].Name)
		if name == "-" {
			name = "standard input"
		} else if c.Files[i].Format != "live" {
			name = filepath.Base(name)
		}
		names = append(names, name)
	}
	return cmp.Or(strings.Join(names, ", "), "no capture")
}

// snapLength is the least that is kept of packets, in octets; 0 if all is.
func snapLength(c *Capture) (n uint64) {
	for i := range c.Files {
		if s := uint64(c.Files[i].SnapLen); s > 0 && s < 1<<16-1 && (n == 0 || s < n) {
			n = s
		}
	}
	return n
}

// clock says what the times on the page are.
func (w *pageWriter) clock() string {
	switch w.Clock {
	case ClockLocal:
		return "local, with the distance from UTC"
	case ClockEpoch:
		return "seconds since 1970-01-01 00:00 UTC"
	case ClockRelative:
		return "seconds since the first packet"
	}
	return "UTC"
}

// quality is what the reader should know before trusting the numbers, in sentences.
func (w *pageWriter) quality() (l []string) {
	s := w.f.Summary
	q := &s.Quality
	add := func(n uint64, format string, a ...any) {
		if n > 0 {
			l = append(l, fmt.Sprintf(format, a...))
		}
	}
	add(q.Dropped, "The capture lost %s: what is said of segments may be wrong where they were.", plural(q.Dropped, "packet"))
	add(q.IfDropped, "The interface lost %s before they were captured.", plural(q.IfDropped, "packet"))
	for _, k := range s.Skipped {
		add(k.N, "%s not analysed: %s.", were(k.N, "packet"), bounded(k.Name))
	}
	add(q.Copies, "%s seen twice, as mirror ports and the interface any show them: the copies count as packets, and prove nothing.", were(q.Copies, "segment"))
	add(q.TimeBack, "%s dated before the one before.", were(q.TimeBack, "packet"))
	add(q.Midstream, "%s begun before the capture: how was not seen, and less is certain.", were(q.Midstream, "connection"))
	add(s.Folded, "%s counted without a record, to keep within the memory allowed.", were(s.Folded, "connection"))
	add(s.Evicted, "%s told of before the end, forgotten after it, or not searched for findings, to keep within the memory allowed.", were(s.Evicted, "connection"))
	add(q.Undecided, "%s given up before it was known whether --where keeps the connection, to keep within the memory allowed.", were(q.Undecided, "transition"))
	add(q.Joined, "%s hidden, in directions with more than are held: a segment that fills one counts as seen.", were(q.Joined, "hole"))
	add(q.Untold, "%s not kept that findings would have looked at, of connections with many.", were(q.Untold, "segment"))
	for i := range q.Damage {
		if d := &q.Damage[i]; i < pageFiles {
			l = append(l, fmt.Sprintf("Damaged: %s at octet %s of %s.", bounded(d.Reason), showCount(uint64(d.Offset)), bounded(string(d.File))))
		}
	}
	if n := len(q.Damage) - pageFiles; n > 0 {
		l = append(l, fmt.Sprintf("Damaged: %s more.", plural(uint64(n), "place")))
	}
	return l
}

// were is "1 packet was", "2 packets were".
func were(n uint64, one string) string {
	if n == 1 {
		return "1 " + one + " was"
	}
	return plural(n, one) + " were"
}

func (w *pageWriter) summary() {
	s := w.f.Summary
	fact := func(name, value string) { w.p.Summary = append(w.p.Summary, page.Fact{Name: name, Value: value}) }
	fact("Connections", showCount(s.Connections))
	fact("Findings", WorstFirst(s.Findings))
	if w.f.Hidden > 0 {
		fact("Below --min-severity", plural(uint64(w.f.Hidden), "finding"))
	}
	if s.Quality.Quotes > 0 {
		fact("Segments quoted by ICMP errors", showCount(s.Quality.Quotes))
	}
	for _, c := range s.States {
		if c.Peak == 0 && c.Confirmed+c.Presumed+c.Elapsed == 0 {
			continue
		}
		x := page.StateCount{State: c.State, Confirmed: c.Confirmed, Presumed: c.Presumed, Elapsed: c.Elapsed, Peak: c.Peak}
		if c.Peak > 0 {
			x.PeakTime = w.words.brief(c.PeakTime)
		}
		w.p.States = append(w.p.States, x)
	}
	w.p.Closes = pageCounts(s.Close)
	w.p.First = pageCounts(s.ClosedFirst)
	for i := range w.p.First {
		if w.p.First[i].Name == "none" {
			w.p.First[i].Name = "nobody"
		}
	}
	w.p.Resets = pageCounts(s.Resets)
}

// pageCounts are the counts that are not 0, the most first.
func pageCounts(c Counts) (l []page.Count) {
	for _, x := range c {
		if x.N > 0 {
			l = append(l, page.Count{Name: x.Name, N: x.N})
		}
	}
	slices.SortStableFunc(l, func(a, b page.Count) int { return cmp.Compare(b.N, a.N) })
	return l
}

func (w *pageWriter) services() {
	all := w.f.Services
	for i := range min(all.Len(), pageServices) {
		v := all.At(i)
		client, server := Counts{}, Counts{}
		for _, s := range v.States {
			client = append(client, Count{s.State, s.Client})
			server = append(server, Count{s.State, s.Server})
		}
		x := page.Service{Addr: v.Name(), Connections: v.Connections, Closes: most(v.Close),
			States: "server: " + most(server) + "; client: " + most(client)}
		if len(v.Resets) > 0 {
			x.Resets = most(v.Resets)
		}
		if v.Handshake.N > 0 {
			x.Median, x.P99 = showSpan(v.Handshake.P50), showSpan(v.Handshake.P99)
		}
		w.p.Services = append(w.p.Services, x)
	}
	if n := all.Len(); n > pageServices {
		w.leave("Of %s services, the %d with the most connections are shown: tcpstate -o json --show services FILE lists all.",
			showCount(uint64(n)), pageServices)
	}
}

// series are the endpoints in each state that any ever was in, over time.
func (w *pageWriter) series() {
	from := w.f.Series
	if from == nil || len(from.Points) == 0 {
		return
	}
	// Several steps become one where there are too many: the last of them says where it ends,
	// and the most is the most of each.
	join := (len(from.Points) + pagePoints - 1) / pagePoints
	n := (len(from.Points) + join - 1) / join
	s := &page.Series{Start: from.Start, Step: int64(from.Step) * int64(join)}
	for st := range from.Peaks {
		if from.Peaks[st].N == 0 {
			continue
		}
		last, top := make([]uint64, n), make([]uint64, n)
		for i := range from.Points {
			x := &from.Points[i]
			last[i/join] = x.Last[st]
			top[i/join] = max(top[i/join], x.Most[st])
		}
		s.States = append(s.States, tracker.State(st).String())
		s.Last, s.Most = append(s.Last, last), append(s.Most, top)
	}
	if len(s.States) > 0 {
		w.p.Series = s
	}
	if join > 1 {
		w.leave("The chart of states joins each %d steps of %s: tcpstate -o csv --show states FILE has them one by one.", join, time.Duration(from.Step))
	}
}
