package detect

import (
	"fmt"
	"math"

	"tcpstate/tracker"
)

// TimeWaitBuildup: the side that closes first piles up TIME-WAITs.
var TimeWaitBuildup = &Detector{
	ID:    "time-wait-buildup",
	Title: "the side that closes first piles up TIME-WAITs",
	Rule: "At one time at least count connections are in TIME-WAIT with the same holder: a client host towards one server address and port, " +
		"or a server on one port. A TIME-WAIT counts from when it is confirmed (the holder acknowledges the peer's FIN, its own being acknowledged) " +
		"until 2MSL has elapsed (--time-wait), a RST ends it or a new connection takes the ports.",
	Default: Warning,
	Subject: "client A → server B:P; service A:P, server side where the server is the holder",
	Blame:   "the holder",
	Params: []Param{
		{"count", Count, 1000, "TIME-WAITs at one time", "catalogue: TIME-WAIT alone is no fault; a thousand towards one server are 3.5 % of Linux's ports"},
	},
	Example: "#! repeat 1000 every 10ms\n" +
		"stream 0 10.0.0.1:33000 → 10.0.0.2:80\n" +
		"0     -- SYN 0 ->\n0.001 <- SYN,ACK 0 ack 1 --\n0.002 -- ACK 1 ack 1 ->\n" +
		"0.003 -- FIN,ACK 1 ack 1 ->\n0.004 <- FIN,ACK 1 ack 2 --\n0.005 -- ACK 2 ack 2 ->",
	Advice: waitAdvice[tracker.Client],
	Sources: []string{"RFC 9293 section 3.6.1", "Linux TCP_TIMEWAIT_LEN, tcp_twsk_unique (net.ipv4.tcp_tw_reuse)", "oracle 07_timewait_client",
		"oracle 08_timewait_server"},
	New: func(s *Setup) Watcher { return &timeWaits{usageOnly{}, s, s.ports(), max(1, s.Count("count"))} },
}

// waitAdvice is what to do about TIME-WAIT, by its holder.
var waitAdvice = [2]string{
	tracker.Client: "Client: keep connections open and use them again (HTTP keep-alive, a connection pool); TIME-WAIT is waited by the side that closes first, so a server that closes first takes it over. " +
		"Where that cannot be changed, net.ipv4.tcp_tw_reuse = 1 on the client lets its new connections take over a TIME-WAIT after a second (both ends need net.ipv4.tcp_timestamps; 2, the default, does so on loopback only). " +
		"net.ipv4.tcp_fin_timeout does not shorten TIME-WAIT, and a lower net.ipv4.tcp_max_tw_buckets only takes away its protection.",
	tracker.Server: "Server: let the clients close first, for TIME-WAIT is waited by the side that closes first: raise the keep-alive timeout and the number of requests per connection, and do not answer with \"Connection: close\". " +
		"On a server TIME-WAIT costs memory, not ports: where it stays, leave it alone; net.ipv4.tcp_tw_reuse is about outgoing connections only, " +
		"net.ipv4.tcp_fin_timeout does not shorten it, and a lower net.ipv4.tcp_max_tw_buckets only takes away its protection.",
}

// usageOnly is the part of a watcher that needs no cases.
type usageOnly struct{}

func (usageOnly) Case(*tracker.Case) {}

type timeWaits struct {
	usageOnly
	setup *Setup
	ports portRange
	count int
}

func (w *timeWaits) Findings(x *Context) {
	for p := range x.Usage.Pairs {
		if p.TimeWait.Max < w.count {
			continue
		}
		f := w.finding(x, &p.TimeWait, tracker.Client)
		r := w.ports.of(p)
		share := float64(p.TimeWait.Max) / float64(r.n)
		f.Subject = Flow(p.Client, p.Server)
		f.Metrics = append(f.Metrics, Metric{"share_of_range", share})
		f.Explanation = fmt.Sprintf("%s held %s towards %s at %s: %s of the %s%s. ", p.Client, waits(p.TimeWait.Max), p.Server, clock(p.TimeWait.At),
			shareOf(share), plural(r.n, "port"), r.why) + f.Explanation
		x.Raise(f)
	}
	for s := range x.Usage.Services {
		if s.TimeWait.Max < w.count {
			continue
		}
		f := w.finding(x, &s.TimeWait, tracker.Server)
		f.Subject = Service(s.Server, tracker.Server)
		n := x.Service(s.Server)
		if n.Closed > 0 {
			f.Metrics = append(f.Metrics, Metric{"closed_first_share", float64(n.ClosedBy[tracker.Server]) / float64(n.Closed)})
		}
		f.Explanation = fmt.Sprintf("%s held %s at %s. ", s.Server, waits(s.TimeWait.Max), clock(s.TimeWait.At)) + f.Explanation
		x.Raise(f)
	}
}

// shareOf is a share in percent that may be very small.
func shareOf(v float64) string {
	if v < 0.001 {
		return "less than 0.1 %"
	}
	return percent(v)
}

// waits is a number of TIME-WAITs.
func waits(n int) string { return plural(n, "TIME-WAIT") }

// finding begins a finding on TIME-WAITs that one side holds; its explanation
// is the second sentence.
func (w *timeWaits) finding(x *Context, p *tracker.Peak, side int) Finding {
	f := Finding{Severity: Warning, Count: p.Max, First: instant(p.First), Last: instant(p.Last), Blame: blameOf(side), Advice: waitAdvice[side]}
	f.Metrics = Metrics{{"peak", float64(p.Max)}, {"peak_at", seconds(p.At)}, {"time_wait_seconds", seconds(w.setup.TimeWait)}}
	f.peak(p, "FIN: the "+sideNames[side]+" closes first", "ACK of the peer's FIN: the "+sideNames[side]+" enters TIME-WAIT")
	costs := [2]string{"keeps a port towards this server busy for ", "stays for "}[side]
	f.Explanation = fmt.Sprintf("It is the %s that closes first, and each TIME-WAIT %s%s", sideNames[side], costs, span(w.setup.TimeWait))
	if rate := w.rate(p); rate > 0 {
		f.Metrics = append(f.Metrics, Metric{"rate_per_second", rate})
		f.Explanation += fmt.Sprintf("; before the peak %s entered per second", rounded(rate))
	}
	f.Explanation += "."
	return f
}

// rate is how many of those that make the peak entered per second: all of
// them did so within 2MSL before it.
func (w *timeWaits) rate(p *tracker.Peak) float64 {
	d := min(p.At-p.First, w.setup.TimeWait)
	if d <= 0 {
		return 0
	}
	return float64(p.Max) / seconds(d)
}

// peak makes the connections that were counted at a peak the evidence: the
// frame with which began what is counted, and that by which each was counted in.
func (f *Finding) peak(p *tracker.Peak, from, entered string) {
	f.Evidence.Total = p.Max
	for _, s := range p.Samples() {
		first := s.From
		if first == s.Frame {
			first = 0
		}
		f.refs = append(f.refs, Ref{s.ID, s.Incarnation})
		f.Evidence.Connections = append(f.Evidence.Connections, Proven{ID: s.ID, Incarnation: s.Incarnation, Frames: proofOf(frame{first, from}, frame{s.Frame, entered})})
	}
}

// rounded is a rate as people write it: 0.4, 12, 833.
func rounded(v float64) string {
	if v < 10 {
		return trim(fmt.Sprintf("%.1f", v))
	}
	return fmt.Sprintf("%.0f", math.Round(v))
}
