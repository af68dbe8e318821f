package report

import (
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"tcpstate/capture"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// liveRun plays a capture as if it came from an interface, with batches of a few
// segments, and calls look after each.
type liveRun struct {
	r    *Report
	t    *tracker.Parallel
	st   capture.Stats
	now  int64
	text strings.Builder
}

func newLiveRun(opts Options, formats ...string) *liveRun {
	l := &liveRun{}
	if opts.Limit == 0 {
		opts.Limit = 20
	}
	opts.Live = &LiveOptions{Interface: "veth0", Interval: 10 * time.Second}
	opts.Detect.TimeWait = 60e9
	for _, name := range formats {
		f := FindFormat(name)
		opts.Outputs = append(opts.Outputs, Output{Format: f, Parts: f.Parts, W: &l.text})
	}
	l.r = New(opts)
	cfg := tracker.DefaultConfig()
	cfg.Linger = 10 * time.Second
	l.t = tracker.NewParallel(cfg, 1, l.r.Observer())
	return l
}

func (l *liveRun) standing() *Standing { return &Standing{Now: l.now, Stats: &l.st, Tracker: l.t} }

// play reads a capture; look is called about ten times a second of packet time.
func (l *liveRun) play(t *testing.T, path string, look func()) {
	t.Helper()
	src, err := capture.Open(capture.Options{Paths: []string{path}})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	begun := false
	var last int64
	for err == nil {
		b := new(capture.Batch)
		if err = src.Next(b); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		l.st = src.Stats()
		l.st.Files[0].Format, l.st.Files[0].Name = "live", "veth0"
		if !begun {
			begun = true
			l.r.Begin(&l.st)
		}
		for i := range b.Segments {
			s := b.Segments[i : i+1]
			l.now = max(l.now, s[0].Time)
			l.t.Process(&capture.Batch{Segments: s, Quotes: b.Quotes, Now: s[0].Time})
			l.st.Last = l.now
			if l.now-last >= 100e6 {
				last = l.now
				look()
			}
		}
	}
}

// idle lets time go by.
func (l *liveRun) idle(d time.Duration, look func()) {
	for end := l.now + int64(d); l.now < end; {
		l.now += 200e6
		l.t.Process(&capture.Batch{Now: l.now})
		look()
	}
}

func (l *liveRun) end(t *testing.T) string {
	t.Helper()
	l.r.Ending(&l.st, l.t.Totals(), l.t.Usage())
	l.t.Finish()
	if err := l.r.End(&l.st, l.t.Totals(), l.t.Census()); err != nil {
		t.Fatal(err)
	}
	return l.text.String()
}

// eventsOf are the events of one kind of finding in NDJSON, in order, by subject.
func eventsOf(t *testing.T, text, id string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(text) {
		var f struct{ Type, ID, Subject, Event string }
		if err := json.Unmarshal([]byte(line), &f); err != nil && strings.Contains(line, `"type":"finding"`) {
			t.Fatalf("%v: %s", err, line)
		}
		if f.Type == "finding" && f.ID == id {
			all[f.Subject] = strings.TrimSpace(all[f.Subject] + " " + f.Event)
		}
	}
	return all
}

// A finding is raised once, told to have changed, cleared when it is over, and what the
// whole capture shows is repeated at the end.
func TestFindingsComeAndGo(t *testing.T) {
	l := newLiveRun(Options{}, "ndjson")
	look := func() { l.r.Look(l.standing()) }
	l.play(t, filepath.Join("..", "testdata", "pcaps", "refused.pcap"), look)
	l.idle(liveWindow+2*clearAfter, look)
	all := eventsOf(t, l.end(t), "refused")
	if len(all) == 0 {
		t.Error("no server refuses")
	}
	for subject, events := range all {
		if !regexp.MustCompile(`^raised( changed)* cleared final$`).MatchString(events) {
			t.Errorf("%s: %s", subject, events)
		}
	}
}

// What stands in CLOSE-WAIT goes on to be a finding however long nothing is heard of it.
func TestFindingsOfWhatGoesOn(t *testing.T) {
	l := newLiveRun(Options{}, "ndjson")
	look := func() { l.r.Look(l.standing()) }
	l.play(t, filepath.Join("..", "testdata", "pcaps", "close-wait-leak.pcap"), look)
	l.idle(5*liveWindow, look)
	s := l.r.Snapshot(l.standing(), Query{Limit: 5})
	if len(s.Findings) != 1 || s.Findings[0].ID != "close-wait-buildup" {
		t.Errorf("hold: %v", s.Findings)
	}
	for i := range s.Connections {
		if x := &s.Connections[i]; x.Worst == 0 || x.Ends[tracker.Server].State != tracker.CloseWait {
			t.Errorf("connection %+v is among the first", x)
		}
	}
	if len(s.Connections) != 5 || s.Matched <= 5 {
		t.Errorf("%d connections of %d", len(s.Connections), s.Matched)
	}
	for subject, events := range eventsOf(t, l.end(t), "close-wait-buildup") {
		if !regexp.MustCompile(`^raised( changed)* final$`).MatchString(events) {
			t.Errorf("%s: %s", subject, events)
		}
	}
}

// A query chooses and orders; one that is no expression is said to be none.
func TestQuery(t *testing.T) {
	l := newLiveRun(Options{}, "ndjson")
	l.play(t, filepath.Join("..", "testdata", "pcaps", "close-wait-leak.pcap"), func() {})
	ask := func(q Query) *Snapshot {
		q.Limit = 1000
		return l.r.Snapshot(l.standing(), q)
	}
	all := ask(Query{})
	if all.Matched != len(all.Connections) || all.Matched == 0 {
		t.Fatalf("%d of %d", len(all.Connections), all.Matched)
	}
	sorted := ask(Query{Sort: "-duration"}).Connections
	for i := 1; i < len(sorted); i++ {
		if a, b := &sorted[i-1], &sorted[i]; a.End-a.Start < b.End-b.Start {
			t.Errorf("%d ns comes before %d ns", a.End-a.Start, b.End-b.Start)
		}
	}
	for _, x := range ask(Query{Where: `server.state == "CLOSE-WAIT"`}).Connections {
		if x.Ends[tracker.Server].State != tracker.CloseWait {
			t.Errorf("a server in %s", x.Ends[tracker.Server].State)
		}
	}
	found := ask(Query{Text: "close-wait"})
	if found.Matched == 0 || found.Matched >= all.Matched {
		t.Errorf("close-wait is found in %d of %d", found.Matched, all.Matched)
	}
	for _, q := range []Query{{Where: "nonsense >"}, {Sort: "nonsense"}} {
		if s := ask(q); s.QueryError == "" || len(s.Connections) != 0 {
			t.Errorf("%+v: %q", q, s.QueryError)
		}
	}
}

// Whoever looks on, and however often, changes nothing of what is told of connections
// and at the end.
func TestLookingOnShowsNowhere(t *testing.T) {
	paths, err := filepath.Glob("../testdata/pcaps/*.pcap*")
	if err != nil || len(paths) == 0 {
		t.Fatal("no captures")
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			plain := newLiveRun(Options{}, "ndjson")
			plain.play(t, path, func() {})
			plain.idle(time.Second, func() {})
			want := known(plain.end(t))
			l := newLiveRun(Options{}, "ndjson")
			n := 0
			look := func() {
				l.r.Look(l.standing())
				s := l.r.Snapshot(l.standing(), Query{Limit: 3, Text: "10.", Detail: &detect.Ref{ID: uint64(n % 5)}})
				if n++; n%10 == 0 {
					l.r.Interval(l.standing())
					if s.Detail != nil && s.Detail.ID != uint64((n-1)%5) {
						t.Errorf("connection %d was asked for, and %d shown", (n-1)%5, s.Detail.ID)
					}
				}
			}
			l.play(t, path, look)
			l.idle(time.Second, look)
			if got := known(l.end(t)); got != want {
				t.Errorf("looked at:\n%s\nwithout:\n%s", got, want)
			}
		})
	}
}

// known is the text of NDJSON without what only who looks on is told: events, and the
// findings of connections.
func known(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		switch {
		case strings.Contains(line, `"event":"raised"`), strings.Contains(line, `"event":"changed"`), strings.Contains(line, `"event":"cleared"`):
		case strings.HasPrefix(line, `{"type":"connection"`):
			head, tail, _ := strings.Cut(line, `"findings":[`)
			_, tail, _ = strings.Cut(tail, `]`)
			b.WriteString(head + tail)
		default:
			b.WriteString(line)
		}
	}
	return b.String()
}

// At intervals a table says how it goes, and an interim report is whole.
func TestIntervalAndInterim(t *testing.T) {
	l := newLiveRun(Options{}, "table", "ndjson")
	l.play(t, filepath.Join("..", "testdata", "pcaps", "close-wait-leak.pcap"), func() {})
	l.r.Look(l.standing())
	before := l.text.Len()
	if err := l.r.Interval(l.standing()); err != nil {
		t.Fatal(err)
	}
	pulse := l.text.String()[before:]
	for _, want := range []string{" open, ", "CLOSE-WAIT ", "close-wait-buildup"} {
		if !strings.Contains(pulse, want) {
			t.Errorf("no %q in\n%s", want, pulse)
		}
	}
	if n := strings.Count(pulse, "\n"); n > 8 {
		t.Errorf("%d lines:\n%s", n, pulse)
	}
	before = l.text.Len()
	if err := l.r.Interim(l.standing()); err != nil {
		t.Fatal(err)
	}
	interim := l.text.String()[before:]
	for _, want := range []string{"veth0, interim report: ", "Findings: 1 error", "How connections ended", `"type":"summary","schema":"tcpstate/v1","event":"interim"`} {
		if !strings.Contains(interim, want) {
			t.Errorf("no %q in\n%s", want, interim)
		}
	}
	end := l.end(t)[before+len(interim):]
	// The numbers at the end are those of the interim report: nothing came since.
	count := func(s string) string {
		_, s, _ = strings.Cut(s, "TCP segments, ")
		s, _, _ = strings.Cut(s, ",")
		return s
	}
	if count(interim) != count(end) || count(end) == "" {
		t.Errorf("interim %q, at the end %q", count(interim), count(end))
	}
}

// What was counted before the first look is of the window, until the window goes on
// without it.
func TestFirstWindowIsWhole(t *testing.T) {
	l := newLiveRun(Options{}, "ndjson")
	const start = int64(1e18)
	l.now, l.st = start+int64(time.Second), capture.Stats{First: start, Packets: 5, Dropped: 7}
	for at, want := range map[time.Duration]uint64{0: 7, 5 * time.Second: 7, liveWindow - 2*time.Second: 7, liveWindow + 2*time.Second: 0} {
		w := newWatch(detect.Options{}, 1, 1)
		var got uint64
		for d := time.Duration(0); d <= at; d += time.Second {
			m := l.standing()
			m.Now += int64(d)
			got = w.ending(m, m.Now-w.window).Stats.Dropped
		}
		if got != want {
			t.Errorf("%v after the first look %d were dropped within the window, not %d", at, got, want)
		}
	}
}

// Counters do not depend on what is selected: that of a connection is known when it is
// over, and it was counted before.
func TestCountersUnderWhere(t *testing.T) {
	where, err := ParseWhere(`client.port == 1`)
	if err != nil {
		t.Fatal(err)
	}
	l := newLiveRun(Options{Selection: Selection{Where: where}}, "ndjson")
	var before, most Snapshot
	look := func() {
		s := l.r.Snapshot(l.standing(), Query{})
		var n, m uint64
		for i := range s.Handshakes.N {
			n, m = n+s.Handshakes.N[i], m+before.Handshakes.N[i]
		}
		if n < m {
			t.Errorf("handshakes fall from %d to %d", m, n)
		}
		before, most.Open = *s, max(most.Open, s.Open)
	}
	l.play(t, filepath.Join("..", "testdata", "pcaps", "close-wait-leak.pcap"), look)
	l.idle(time.Minute, look)
	var closed uint64
	for _, n := range before.Closed {
		closed += n
	}
	if most.Open == 0 || closed+before.Open != before.Opened {
		t.Errorf("%d open (%d once), %d closed, and %d opened", before.Open, most.Open, closed, before.Opened)
	}
}
