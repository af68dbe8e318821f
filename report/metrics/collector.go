package metrics

import (
	"runtime/metrics"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"tcpstate/capture"
	"tcpstate/report"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// Collector is a prometheus.Collector. It may be used from several goroutines.
type Collector struct {
	latest  func() *report.Snapshot
	version string

	mu sync.Mutex
	// told are the values that counters had in the last scrape, in the order of
	// Collect. A connection that goes on after it was told of takes back how it
	// ended, but a counter that sinks says to Prometheus that the program began anew: it
	// waits until it is reached again.
	told   []uint64
	memory []metrics.Sample
}

// New makes a Collector of what latest returns when it is scraped: the latest snapshot,
// or nil as long as there is none. latest is called from other goroutines, and must not
// wait for the analysis.
func New(latest func() *report.Snapshot, version string) *Collector {
	return &Collector{
		latest:  latest,
		version: strings.ToValidUTF8(version, "?"),
		memory:  []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}},
	}
}

// Describe sends all families.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	for _, f := range families {
		out <- f
	}
}

// Collect sends all series, made from one snapshot.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	// Who comes second waits for the first, so that counters do not sink between two
	// scrapes at a time.
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.latest()
	if s == nil {
		s = new(report.Snapshot)
	}
	x := &scrape{c: c, out: out}
	x.connections(s)
	x.findings(s.Findings)
	x.packets(s)
	x.gauge(memory, c.held())
	x.gauge(build, 1, c.version)
}

// held is how many octets the Go runtime has from the system, what it gave back left
// out. Reading them stops nobody.
func (c *Collector) held() float64 {
	metrics.Read(c.memory)
	return float64(c.memory[0].Value.Uint64() - c.memory[1].Value.Uint64())
}

// scrape is one call of Collect.
type scrape struct {
	c   *Collector
	out chan<- prometheus.Metric
	n   int // counters sent
}

func (x *scrape) gauge(f *prometheus.Desc, v float64, labels ...string) {
	x.out <- prometheus.MustNewConstMetric(f, prometheus.GaugeValue, v, labels...)
}

// counter sends v, or what was told before if that is more. All scrapes send the same
// counters in the same order.
func (x *scrape) counter(f *prometheus.Desc, v uint64, labels ...string) {
	x.out <- prometheus.MustNewConstMetric(f, prometheus.CounterValue, float64(x.risen(v)), labels...)
}

func (x *scrape) risen(v uint64) uint64 {
	if x.n == len(x.c.told) {
		x.c.told = append(x.c.told, 0)
	}
	t := &x.c.told[x.n]
	x.n++
	*t = max(*t, v)
	return *t
}

func (x *scrape) connections(s *report.Snapshot) {
	for i, n := range s.States {
		state := tracker.State(i).String()
		x.gauge(endpoints, float64(n.Confirmed), state, tracker.Confirmed.String())
		x.gauge(endpoints, float64(n.Presumed), state, tracker.Presumed.String())
		x.gauge(endpoints, float64(n.Elapsed), state, tracker.Elapsed.String())
		x.gauge(peaks, float64(n.Peak), state)
		for role, word := range roles {
			x.gauge(followed, float64(s.Roles[i][role]), word, state)
		}
	}
	x.gauge(open, float64(s.Open))
	x.counter(opened, s.Opened)
	for k, n := range s.Closed[:tracker.Open] { // what is open is not closed
		x.counter(closed, n, tracker.CloseKind(k).String())
	}
	x.counter(evicted, s.Evicted)
	x.counter(folded, s.Folded)
	for r := tracker.NoReset + 1; r < tracker.NumResetClasses; r++ {
		x.counter(resets, s.Resets[r], r.String())
	}
	x.handshakes(&s.Handshakes)
}

func (x *scrape) handshakes(h *report.Histogram) {
	buckets, n := make(map[float64]uint64, len(report.HistogramBounds)), uint64(0)
	for i, b := range report.HistogramBounds {
		n += x.risen(h.N[i])
		buckets[b] = n
	}
	n += x.risen(h.N[len(report.HistogramBounds)])
	x.out <- prometheus.MustNewConstHistogram(handshake, n, h.Sum, buckets)
}

func (x *scrape) findings(active []report.ActiveFinding) {
	type series struct {
		id       string
		severity detect.Severity
	}
	n := make(map[series]int, len(detect.Catalogue))
	for _, d := range detect.Catalogue {
		n[series{d.ID, d.Default}] = 0
	}
	for i := range active {
		n[series{active[i].ID, active[i].Severity}]++
	}
	for k, n := range n {
		x.gauge(findings, float64(n), k.id, k.severity.String())
	}
}

func (x *scrape) packets(s *report.Snapshot) {
	x.counter(packets, s.Packets)
	x.counter(segments, s.Segments)
	x.counter(selected, s.Selected)
	x.counter(dropped, s.Dropped, "kernel")
	x.counter(dropped, s.IfDropped, "interface")
	for i, n := range skips(s.Skipped) {
		x.counter(skipped, n, reasons[i])
	}
	x.counter(lostLines, s.Lost.Lines)
	x.counter(lostPackets, s.Lost.Packets)
	now := 0.0
	if !s.Now.IsZero() {
		now = float64(s.Now.UnixMilli()) / 1e3
	}
	x.gauge(until, now)
}

// skips are the counts of reasons, in their order.
func skips(all []capture.Skip) []uint64 {
	n := make([]uint64, len(reasons))
	for _, k := range all {
		i := slices.Index(reasons, k.Reason)
		if i < 0 {
			i = len(reasons) - 1
		}
		n[i] += k.N
	}
	return n
}
