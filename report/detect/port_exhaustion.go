package detect

import (
	"fmt"
	"math"

	"tcpstate/tracker"
)

// PortExhaustion: a client runs out of ports towards one server.
var PortExhaustion = &Detector{
	ID:    "port-exhaustion",
	Title: "a client runs out of source ports towards one server",
	Rule: "The ports that a client address uses towards one server address and port at one time, those of open connections and those in TIME-WAIT, " +
		"are at least the share warn of the range that the client draws its ports from. A port is used from when the handshake completed until the client's end is " +
		"CLOSED, after TIME-WAIT where it closed first. The range is that of --ports, unless more ports were used; without it that of --os, or wider where ports outside of it were seen.",
	Default: Warning,
	Levels:  "error from the share error on",
	Subject: "client A → server B:P",
	Blame:   "client",
	Params: []Param{
		{"warn", Share, 0.5, "share of the range that is used, for a warning", "catalogue, as the load where a random choice of a port begins to collide"},
		{"error", Share, 0.8, "share of the range that is used, for an error", "catalogue"},
	},
	Example: "#! set port-exhaustion.warn=0.01\n#! set port-exhaustion.error=0.05\n#! repeat 500 every 10ms\n" +
		"stream 0 10.0.0.1:33000 → 10.0.0.2:80\n" +
		"0     -- SYN 0 ->\n0.001 <- SYN,ACK 0 ack 1 --\n0.002 -- ACK 1 ack 1 ->\n" +
		"0.003 -- FIN,ACK 1 ack 1 ->\n0.004 <- FIN,ACK 1 ack 2 --\n0.005 -- ACK 2 ack 2 ->",
	Advice: "Client: keep connections open and use them again; failing that, spread them over more server addresses or ports, or more source addresses, for the range counts for each pair anew. " +
		"A wider net.ipv4.ip_local_port_range gives room (keep the ports of local listeners out of it with net.ipv4.ip_local_reserved_ports), " +
		"and net.ipv4.tcp_tw_reuse = 1 lets new connections take over a TIME-WAIT after a second where both ends use timestamps. " +
		"net.ipv4.tcp_fin_timeout does not shorten TIME-WAIT.",
	Sources: []string{"Linux inet_csk_get_port, __inet_hash_connect (EADDRNOTAVAIL)", "RFC 6056 section 3", "RFC 9293 section 3.6.1", "oracle 07_timewait_client"},
	Lowered: Missed, // a FIN or RST that was missed leaves a port counted as used
	New: func(s *Setup) Watcher {
		return &exhaustion{usageOnly{}, s, s.ports(), s.Value("warn"), s.Value("error")}
	},
}

// portRange is what a client draws its ports from.
type portRange struct {
	n      int
	lo, hi uint16 // 0 and 65535 where it is not known
	why    string // how it is known, to follow "28232 ports"
	told   bool   // it is not that of the system, but what the user says
}

// ports is the range of the system.
func (s *Setup) ports() portRange {
	r := portRange{n: max(1, s.OS.Ports), why: fmt.Sprintf(" of its range (%s)", s.OS.Range), told: s.OS != OSes[s.OS.Name]}
	if _, err := fmt.Sscanf(s.OS.Range, "%d-%d", &r.lo, &r.hi); err != nil {
		r.lo, r.hi = 0, math.MaxUint16
	}
	return r
}

// of is the range of the pair's client: that of the system, unless it uses
// ports outside of it. Then it was set wider, or a NAT chose them, and it is at
// least what was seen. What the user says holds as long as it can be: a port that
// a program bound itself to does not make the range wider.
func (r portRange) of(p *tracker.Pair) portRange {
	n := int(p.HighPort) - int(p.LowPort) + 1
	if r.told && p.Used.Max <= r.n {
		return r
	}
	if p.Opened > 0 && n > r.n && (p.LowPort < r.lo || p.HighPort > r.hi) {
		return portRange{n: n, lo: p.LowPort, hi: p.HighPort, why: fmt.Sprintf(" from %d to %d that it was seen to use", p.LowPort, p.HighPort)}
	}
	return r
}

type exhaustion struct {
	usageOnly
	setup       *Setup
	ports       portRange
	warn, error float64
}

func (w *exhaustion) Findings(x *Context) {
	for p := range x.Usage.Pairs {
		if p.Used.Max < tracker.Few {
			continue
		}
		r := w.ports.of(p)
		share := float64(p.Used.Max) / float64(r.n)
		if share < w.warn {
			continue
		}
		u := &p.Used
		level := max(tracker.Few, int(math.Ceil(w.warn*float64(r.n))))
		reached, since := u.Reached(level)
		f := Finding{Severity: Warning, Subject: Flow(p.Client, p.Server), Count: u.Max, First: instant(since), Last: instant(u.Last), Blame: BlameClient}
		if share >= w.error {
			f.Severity = Error
		}
		if share >= 1 {
			f.SeenBy.Client = SawNoAddress
		}
		f.peak(u, "SYN", "ACK: the handshake is complete, the port is used")
		f.Metrics = Metrics{{"used", float64(u.Max)}, {"time_wait", float64(p.UsedWaiting)}, {"range", float64(r.n)}, {"share", share},
			{"peak_at", seconds(u.At)}, {"opened", float64(p.Opened)}}
		f.Explanation = fmt.Sprintf("%s used %s towards %s at %s, %s of the %s%s: %s and %s. ", p.Client, plural(u.Max, "port"), p.Server, clock(u.At),
			shareOf(share), plural(r.n, "port"), r.why, plural(u.Max-p.UsedWaiting, "open connection"), plural(p.UsedWaiting, "TIME-WAIT"))
		if reached < u.Max {
			f.Explanation += fmt.Sprintf("%s had been used by %s. ", capital(shareOf(float64(reached)/float64(r.n))), clock(since))
		}
		if rate, left := w.rising(x, p, r.n); rate > 0 {
			f.Metrics = append(f.Metrics, Metric{"growth_per_second", rate}, Metric{"time_to_exhaustion_seconds", left})
			f.Explanation += fmt.Sprintf("With %s more per second none is left after another %s: connect() fails with EADDRNOTAVAIL then.", rounded(rate), span(int64(left*1e9)))
		} else if share >= 1 {
			f.Explanation += "None was left: connect() fails with EADDRNOTAVAIL then."
		} else {
			f.Explanation += "When none is left, connect() fails with EADDRNOTAVAIL."
		}
		x.Raise(f)
	}
}

// rising tells how fast the use rose at its peak, and how long the rest of n
// ports would last. 0 where it fell since, and where TIME-WAITs that entered
// first will elapse before that, and none has yet: how fast it rises then is
// not known.
func (w *exhaustion) rising(x *Context, p *tracker.Pair, n int) (rate, left float64) {
	const near = 0.9 // of the peak
	u := &p.Used
	if rate = u.Growth(near); rate <= 0 || u.Max >= n || float64(u.Now) < near*float64(u.Max) {
		return 0, 0
	}
	left = float64(n-u.Max) / rate
	if t := &p.TimeWait; t.Max > 0 {
		if free := t.First + w.setup.TimeWait; u.At < free && float64(u.At)+left*1e9 > float64(free) {
			return 0, 0
		}
	}
	return rate, left
}
