package report

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tcpstate/report/detect"
	"tcpstate/report/page"
	"tcpstate/tracker"
)

// spied is the page as it is filled, before it is drawn.
type spied struct {
	*html
	got *page.Page
}

func (s *spied) End(f *Final) {
	w := s.fill(f)
	w.fit()
	s.got = &w.p
}

// pageOf plays ladders into a page.
func pageOf(t *testing.T, text string, opts Options, parts Parts) *page.Page {
	t.Helper()
	s := &spied{}
	old := htmlFormat.New
	htmlFormat.New = func(e *Env) Formatter {
		s.html = newHTML(e).(*html)
		return s
	}
	defer func() { htmlFormat.New = old }()
	play(t, text, opts, parts, "html")
	return s.got
}

// told writes the parts of a page line by line.
func told(p *page.Page) string {
	var b strings.Builder
	line := func(format string, a ...any) { b.WriteString(strings.TrimRight(fmt.Sprintf(format, a...), " ") + "\n") }
	line("title %s; %s", p.Title, p.Generator)
	for _, x := range p.Capture {
		line("capture %s: %s", x.Name, x.Value)
	}
	for _, q := range p.Quality {
		line("quality %s", q)
	}
	for _, x := range p.Summary {
		line("summary %s: %s", x.Name, x.Value)
	}
	for _, s := range p.States {
		line("state %s %d %d %d peak %d at %s", s.State, s.Confirmed, s.Presumed, s.Elapsed, s.Peak, s.PeakTime)
	}
	line("closes %v first %v resets %v", p.Closes, p.First, p.Resets)
	for _, s := range p.Services {
		line("service %v", s)
	}
	for _, f := range p.Findings {
		line("finding %s %s %s ×%d %s", f.Severity, f.ID, f.Subject, f.Count, f.When)
		for _, e := range f.Evidence {
			line("  %s ladder %v %v", e.Connection, e.Ladder, e.Frames)
		}
	}
	line("hidden %s", p.Hidden)
	if p.Series != nil {
		line("series %v", p.Series.States)
	}
	for _, c := range p.Connections {
		line("connection %s %s → %s %v %s by %s, %d packets, %d octets, %v %s; ladder %v; bars %d %d", c.ID, c.Client, c.Server, c.Ends, c.Close, c.By,
			c.Packets, c.Bytes, c.Findings, c.Worst, c.Ladder, len(c.Bar[0]), len(c.Bar[1]))
	}
	line("total %d", p.Total)
	for _, l := range p.Ladders {
		line("ladder %s %s → %s %s", l.ID, l.Left, l.Right, l.Note)
		for _, r := range l.Rows {
			line("  %d %d %s %s | %s | %s %s %v", r.Kind, r.Frame, r.Time, r.States[0].Name, r.Text, r.States[1].Name, r.Class, r.Marks)
		}
	}
	for _, x := range p.Left {
		line("left %s", x)
	}
	return b.String()
}

// All that the page shows of a small capture that cannot be read twice.
func TestPageOfRefusals(t *testing.T) {
	got := told(pageOf(t, refusals, Options{Style: Style{Program: "tcpstate 1", Asked: []string{"--where 'a < b'"}}}, 0))
	if got != refusalsPage {
		t.Errorf("the page is\n%s", got)
	}
}

const refusalsPage = `title a\x1b[31m.pcap; tcpstate 1
capture File: a\x1b[31m.pcap (pcap)
capture Packets: 6
capture TCP segments: 6
capture From: 2026-01-02 03:04:05.000000 UTC
capture Span: 16m41s
capture Link type: EN10MB
capture Octets kept of a packet: 256
capture Times: UTC
capture Only: --where 'a < b'
summary Connections: 3
summary Findings: 2 warnings
state CLOSED 0 6 0 peak 6 at 03:20:46.000000
state SYN-SENT 0 0 0 peak 1 at 03:04:05.000000
closes [{refused 3}] first [{server 3}] resets [{refused 3}]
service {10.0.0.2:81 2 refused 2 server: CLOSED 2; client: CLOSED 2 refused 2  }
service {10.0.0.3:82 1 refused 1 server: CLOSED 1; client: CLOSED 1 refused 1  }
finding warning refused server 10.0.0.2:81 ×2 03:04:05.000000 to 03:20:45.000100
  0 ladder true [{1 SYN} {2 RST,ACK with ack = ISS+1: 10.0.0.2:81 refuses}]
  1 ladder true [{3 SYN} {4 RST,ACK with ack = ISS+1: 10.0.0.2:81 refuses}]
finding warning refused server 10.0.0.3:82 ×1 03:20:46.000000 to 03:20:46.000100
  2 ladder true [{5 SYN} {6 RST,ACK with ack = ISS+1: 10.0.0.3:82 refuses}]
hidden
series [CLOSED SYN-SENT]
connection 0 10.0.0.1:40001 → 10.0.0.2:81 [CLOSED? CLOSED?] refused by server, 2 packets, 0 octets, [refused] warning; ladder true; bars 1 1
connection 1 10.0.0.1:40002 → 10.0.0.2:81 [CLOSED? CLOSED?] refused by server, 2 packets, 0 octets, [refused] warning; ladder true; bars 1 1
connection 2 10.0.0.1:40003 → 10.0.0.3:82 [CLOSED? CLOSED?] refused by server, 2 packets, 0 octets, [refused] warning; ladder true; bars 1 1
total 3
ladder 0 10.0.0.1:40001 → 10.0.0.2:81 server closed first, refused, 100 µs
  0 1 0.000000 SYN-SENT | SYN 0 win 65535 | LISTEN  [{refused SYN}]
  1 2 0.000100 CLOSED | RST,ACK 0 ack 1 | CLOSED refused [{refused RST,ACK with ack = ISS+1: 10.0.0.2:81 refuses}]
ladder 2 10.0.0.1:40003 → 10.0.0.3:82 server closed first, refused, 100 µs
  0 5 0.000000 SYN-SENT | SYN 0 win 65535 | LISTEN  [{refused SYN}]
  1 6 0.000100 CLOSED | RST,ACK 0 ack 1 | CLOSED refused [{refused RST,ACK with ack = ISS+1: 10.0.0.3:82 refuses}]
ladder 1 10.0.0.1:40002 → 10.0.0.2:81 server closed first, refused, 100 µs
  0 3 0.000000 SYN-SENT | SYN 0 win 65535 | LISTEN  [{refused SYN}]
  1 4 0.000100 CLOSED | RST,ACK 0 ack 1 | CLOSED refused [{refused RST,ACK with ack = ISS+1: 10.0.0.2:81 refuses}]
left The capture could not be read a second time: ladders are drawn from the segments that were kept for the findings, and those of ordinary data are not among them.
`

// A life of one SYN has a ladder where no case was told of it; a longer one has none.
func TestPageOfLoneSyn(t *testing.T) {
	row := pageRow{first: 7, last: 7, packets: 1, roles: tracker.RoleSyn}
	row.id, row.start, row.close = 3, 1e9, tracker.Unanswered
	row.ends[0].state = tracker.SynSent
	end := stamp(time.Unix(5, 0))
	f := &Final{Summary: &Summary{}}
	f.Summary.Quality.End = &end
	w := &pageWriter{html: &html{Env: &Env{}}, f: f, rows: []pageRow{row}, marks: map[uint64][]string{7: {"syn-flood: a SYN"}}}
	drawn := w.drawTrails([]detect.Ref{row.ref()})
	if len(drawn) != 1 {
		t.Fatal("no ladder")
	}
	l, bars := &drawn[0].ladder, &drawn[0].bars
	if len(l.Rows) != 1 || l.Rows[0].Frame != 7 || l.Rows[0].States[0].Name != "SYN-SENT" || l.Rows[0].Marks[0].Text != "a SYN" {
		t.Errorf("%+v", l)
	}
	if len(bars[0]) != 1 || bars[0][0].To-bars[0][0].From != 4e9 {
		t.Errorf("bars %+v", bars)
	}
	w.rows[0].ends[0].state, w.rows[0].ends[0].certainty = tracker.Closed, tracker.Elapsed
	if x := w.drawTrails([]detect.Ref{row.ref()})[0]; len(x.ladder.Rows) != 2 || x.ladder.Rows[1].States[0].String() != "CLOSED~" || x.bars[0] != nil {
		t.Errorf("of one that gave up: %+v", x)
	}
	w.rows[0].packets = 2
	if w.drawTrails([]detect.Ref{row.ref()}) != nil {
		t.Error("a ladder of segments that nobody kept")
	}
}

// What --show leaves out is not on the page; ladders of the evidence come with findings.
func TestPageParts(t *testing.T) {
	for parts, want := range map[Parts][5]bool{
		PartFindings:    {true, false, false, true, false},
		PartConnections: {false, true, false, true, false},
		PartSummary:     {false, false, true, false, false},
		PartServices:    {false, false, false, false, true},
	} {
		p := pageOf(t, refusals, Options{}, parts)
		got := [5]bool{len(p.Findings) > 0, len(p.Connections) > 0, len(p.Summary) > 0, len(p.Ladders) > 0, len(p.Services) > 0}
		if got != want {
			t.Errorf("%s: %v, want %v", parts, got, want)
		}
	}
}

// No id of findings crowds out another.
func TestAllowance(t *testing.T) {
	var all []detect.Finding
	for id, n := range map[string]int{"a": 1000, "b": 3, "c": 40} {
		for range n {
			all = append(all, detect.Finding{ID: id})
		}
	}
	may := allowance(all, 100)
	if may["a"] != 57 || may["b"] != 3 || may["c"] != 40 {
		t.Errorf("%v", may)
	}
}

// Rows in the middle of a ladder are left out, and none that proves something.
func TestCutRows(t *testing.T) {
	rows := make([]page.Row, 100)
	for i := range rows {
		rows[i].Frame = uint64(i + 1)
	}
	rows[49].Marks = []page.Mark{{Finding: "x"}}
	var got []string
	for _, r := range cutRows(rows, 10) {
		if r.Kind == page.Folded {
			got = append(got, r.Text)
			continue
		}
		got = append(got, fmt.Sprint(r.Frame))
	}
	want := "1 2 3 4 5 … 44 rows left out 50 … 45 rows left out 96 97 98 99 100"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("%s", s)
	}
	if n := len(cutRows(rows[:10], 10)); n != 10 {
		t.Errorf("%d of 10 rows", n)
	}
}

// A page that turns out too long gives up ladders first, then the rest from its end.
func TestShrink(t *testing.T) {
	w := &pageWriter{html: &html{Env: &Env{}}, f: &Final{}}
	for i := range 3 {
		w.drawn = append(w.drawn, &pageLadder{ladder: page.Ladder{ID: fmt.Sprint(i), Rows: make([]page.Row, 10)}})
		w.p.Connections = append(w.p.Connections, page.Connection{ID: fmt.Sprint(i)})
	}
	if !w.shrink(1) || len(w.drawn) != 2 || len(w.p.Connections) != 3 {
		t.Errorf("%d ladders, %d rows", len(w.drawn), len(w.p.Connections))
	}
	if !w.shrink(1<<20) || len(w.drawn) != 0 || len(w.p.Connections) != 0 {
		t.Errorf("%d ladders, %d rows", len(w.drawn), len(w.p.Connections))
	}
	if w.shrink(1) {
		t.Error("nothing was left to leave out")
	}
}
