package metrics

import (
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"tcpstate/capture"
	"tcpstate/report"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

var update = flag.Bool("update", false, "write testdata/scrape.txt anew")

// rich is a snapshot in which every number is another one.
func rich() *report.Snapshot {
	s := &report.Snapshot{
		Source: "eth0", Now: time.Date(2026, 11, 20, 21, 24, 15, 841_000_000, time.UTC),
		Packets: 100_001, Segments: 90_002, Selected: 80_003, Dropped: 44, IfDropped: 45,
		Skipped: []capture.Skip{{Reason: "fragment-incomplete", N: 46}, {Reason: "truncated-ip", N: 47}},
		Lost:    report.Lost{Lines: 48, Packets: 49},
		Open:    700, Opened: 70_000, Evicted: 50, Folded: 51,
	}
	for i := range s.States {
		n := uint64(1000 * (i + 1))
		s.States[i] = tracker.StateCount{Confirmed: n + 1, Presumed: n + 2, Elapsed: n + 3, Peak: 4*n + 4}
		s.Roles[i] = [2]uint64{n + 5, n + 6}
	}
	for i := range s.Closed {
		s.Closed[i] = uint64(20_000 + i)
	}
	for i := range s.Resets {
		s.Resets[i] = uint64(30_000 + i)
	}
	for i, b := range report.HistogramBounds {
		for range i + 1 {
			s.Handshakes.Add(int64(b * 1e9))
		}
	}
	s.Handshakes.Add(60e9)
	for _, x := range []struct {
		id       string
		severity detect.Severity
	}{{"refused", detect.Warning}, {"refused", detect.Warning}, {"refused", detect.Error}, {"capture-quality", detect.Note}} {
		s.Findings = append(s.Findings, report.ActiveFinding{Finding: detect.Finding{ID: x.id, Severity: x.severity, Subject: "server 10.0.0.1:80"}})
	}
	return s
}

// of makes a Collector of a snapshot.
func of(s *report.Snapshot) *Collector {
	return New(func() *report.Snapshot { return s }, "v1.2.3")
}

// scraped is what a registry that checks everything gathers: values by series as they
// are written in the exposition, histograms left out but for their sum and count.
func scraped(t testing.TB, c *Collector) map[string]float64 {
	t.Helper()
	strict := prometheus.NewPedanticRegistry()
	strict.MustRegister(c)
	all, err := strict.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range all {
		for _, m := range f.Metric {
			var labels []string
			for _, l := range m.Label {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			name := f.GetName()
			if labels != nil {
				name += "{" + strings.Join(labels, ",") + "}"
			}
			switch {
			case m.Counter != nil:
				out[name] = m.Counter.GetValue()
			case m.Gauge != nil:
				out[name] = m.Gauge.GetValue()
			case m.Histogram != nil:
				out[name+"_count"] = float64(m.Histogram.GetSampleCount())
				out[name+"_sum"] = m.Histogram.GetSampleSum()
			}
		}
	}
	return out
}

// What goes out is what stands in testdata, and every family is in it.
func TestScrape(t *testing.T) {
	const file = "testdata/scrape.txt"
	page := regexp.MustCompile(`(?m)^(tcpstate_memory_bytes) .*`).ReplaceAllString(get(t, Handler(of(rich())), Path).Body.String(), "$1 N")
	if *update {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if page != string(want) {
		t.Errorf("%s has something else; -update writes it:\n%s", file, page)
	}
	if got := len(regexp.MustCompile("(?m)^# HELP tcpstate_").FindAllString(page, -1)); got != len(families) {
		t.Errorf("%d of %d families", got, len(families))
	}
}

// Prometheus' own advice on names, units and help texts is followed.
func TestScrapeIsGoodStyle(t *testing.T) {
	for name, s := range map[string]*report.Snapshot{"nothing yet": nil, "rich": rich()} {
		strict := prometheus.NewPedanticRegistry()
		strict.MustRegister(of(s))
		problems, err := testutil.GatherAndLint(strict)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			t.Errorf("%s: %s: %s", name, p.Metric, p.Text)
		}
	}
}

// Before the first snapshot all series are there, with 0.
func TestZeros(t *testing.T) {
	before, after := scraped(t, of(nil)), scraped(t, of(rich()))
	for name, v := range before {
		switch {
		case strings.HasPrefix(name, "tcpstate_build_info"):
			if v != 1 {
				t.Errorf("%s %v", name, v)
			}
		case name == "tcpstate_memory_bytes":
			if v < 1<<20 || v > 1<<40 {
				t.Errorf("%s %v", name, v)
			}
		case v != 0:
			t.Errorf("%s %v", name, v)
		}
	}
	for name, v := range after {
		_, there := before[name]
		if unusual := `tcpstate_findings_active{id="refused",severity="error"}`; !there && name != unusual {
			t.Errorf("%s appears later", name)
		}
		if zero := strings.HasPrefix(name, "tcpstate_findings_active") || strings.HasPrefix(name, "tcpstate_packets_skipped"); v == 0 && !zero {
			t.Errorf("%s is 0 in a snapshot without zeros", name)
		}
	}
	for _, d := range detect.Catalogue {
		if _, ok := before[fmt.Sprintf("tcpstate_findings_active{id=%q,severity=%q}", d.ID, d.Default)]; !ok {
			t.Errorf("%s is absent", d.ID)
		}
	}
}

// The sums over labels are those of the snapshot.
func TestSums(t *testing.T) {
	s := rich()
	sum := map[string]float64{}
	for name, v := range scraped(t, of(s)) {
		family, labels, _ := strings.Cut(name, "{")
		if family == "tcpstate_connections" || family == "tcpstate_endpoints" {
			family += labels[strings.Index(labels, `state="`):]
		}
		sum[family] += v
	}
	want := map[string]uint64{"tcpstate_findings_active": uint64(len(s.Findings)), "tcpstate_packets_dropped_total": s.Dropped + s.IfDropped}
	for i, n := range s.States {
		state := fmt.Sprintf(`state="%s"}`, tracker.State(i))
		want["tcpstate_endpoints"+state] = n.Confirmed + n.Presumed + n.Elapsed
		want["tcpstate_connections"+state] = s.Roles[i][0] + s.Roles[i][1]
	}
	for _, n := range s.Closed[:tracker.Open] {
		want["tcpstate_connections_closed_total"] += n
	}
	for _, n := range s.Resets[tracker.NoReset+1:] {
		want["tcpstate_resets_total"] += n
	}
	for _, k := range s.Skipped {
		want["tcpstate_packets_skipped_total"] += k.N
	}
	for _, n := range s.Handshakes.N {
		want["tcpstate_handshake_rtt_seconds_count"] += n
	}
	for name, n := range want {
		if sum[name] != float64(n) {
			t.Errorf("%s: %v instead of %d", name, sum[name], n)
		}
	}
	if got := sum["tcpstate_handshake_rtt_seconds_sum"]; math.Abs(got-s.Handshakes.Sum) > 1e-9 {
		t.Errorf("the round trips are %v s instead of %v", got, s.Handshakes.Sum)
	}
}

// A counter that the analysis takes back waits; a gauge follows.
func TestCountersNeverSink(t *testing.T) {
	s := rich()
	c := New(func() *report.Snapshot { return s }, "")
	const graceful, open, trips = `tcpstate_connections_closed_total{kind="graceful"}`, "tcpstate_connections_open", "tcpstate_handshake_rtt_seconds_count"
	first := scraped(t, c)
	less := *s
	less.Closed[tracker.Graceful]--
	less.Handshakes.N[0]--
	less.Open--
	s = &less
	second := scraped(t, c)
	for _, name := range []string{graceful, trips} {
		if second[name] != first[name] {
			t.Errorf("%s: %v after %v", name, second[name], first[name])
		}
	}
	if second[open] != first[open]-1 {
		t.Errorf("%s: %v after %v", open, second[open], first[open])
	}
	more := less
	more.Closed[tracker.Graceful] += 3
	s = &more
	if third := scraped(t, c); third[graceful] != first[graceful]+2 {
		t.Errorf("%s: %v after %v", graceful, third[graceful], first[graceful])
	}
}

// Whatever a snapshot holds, there are only so many series, and none tells of an
// address.
func TestLabelsAreBounded(t *testing.T) {
	s := rich()
	for i := range 10_000 {
		s.Skipped = append(s.Skipped, capture.Skip{Reason: fmt.Sprintf("\xff\x1b[31m10.0.0.1:%d", i), N: 1})
	}
	s.Source, s.Filter = "10.0.0.2", "host 10.0.0.3"
	got := scraped(t, of(s))
	if n := got[`tcpstate_packets_skipped_total{reason="other"}`]; n != 10_000 {
		t.Errorf("other reasons: %v", n)
	}
	words := regexp.MustCompile(`^tcpstate_[a-z_]+(\{[a-z]+="[A-Za-z0-9.-]+"(,[a-z]+="[A-Za-z0-9-]+")?\})?(_count|_sum)?$`)
	for name := range got {
		if !words.MatchString(name) || strings.Contains(name, "10.0") {
			t.Errorf("series %q", name)
		}
	}
	if len(got) > 300 {
		t.Errorf("%d series", len(got))
	}
	if got := scraped(t, New(func() *report.Snapshot { return nil }, "\xff")); got[`tcpstate_build_info{version="?"}`] != 1 {
		t.Error("a version that is no UTF-8 is not told of")
	}
}

// Reasons for skipping are known, and told of by their own names.
func TestReasons(t *testing.T) {
	known := capture.SkipReasons()
	if len(known) < 10 || !slices.IsSorted(known) || slices.Contains(known, "") || slices.Contains(known, elsewise) {
		t.Errorf("reasons: %q", known)
	}
}

// While snapshots go by, each scrape is made of one of them, and no scrape tells less
// than one before it.
func TestOneSnapshotPerScrape(t *testing.T) {
	var latest atomic.Pointer[report.Snapshot]
	at := func(n uint64) *report.Snapshot {
		s := &report.Snapshot{Packets: n, Segments: n, Opened: n, Open: n, Evicted: n}
		for i := range s.Closed {
			s.Closed[i] = n
		}
		return s
	}
	latest.Store(at(1))
	c := New(latest.Load, "")
	stop, changed := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(changed)
		for n := uint64(2); ; n++ {
			select {
			case <-stop:
				return
			default:
				latest.Store(at(n))
			}
		}
	}()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			last := 0.0
			for range 30 {
				got := scraped(t, c)
				n := got["tcpstate_connections_open"]
				for _, name := range slices.Sorted(maps.Keys(got)) {
					if strings.HasPrefix(name, "tcpstate_connections_closed_total") || name == "tcpstate_packets_total" || name == "tcpstate_connections_evicted_total" {
						if got[name] != n {
							t.Errorf("%s is of snapshot %v, another of %v", name, got[name], n)
							return
						}
					}
				}
				if n < last {
					t.Errorf("snapshot %v after %v", n, last)
				}
				last = n
			}
		})
	}
	wg.Wait()
	close(stop)
	<-changed
}
