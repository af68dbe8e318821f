package detect

import (
	"fmt"
	"net/netip"

	"tcpstate/tracker"
)

// PortScan: one source tries the ports of a host.
var PortScan = &Detector{
	ID:    "port-scan",
	Title: "one source tries many ports of a host",
	Rule: "One source's attempts at one host come to nothing on at least ports different ports within window: refused by RST,ACK, unanswered for 3 s, or " +
		"abandoned (its RST answers the SYN,ACK). An unanswered SYN that was not repeated counts only where the capture holds answers to SYNs, or segments that a filter of bare SYNs " +
		"would not have kept, and by IPv6 only if no IPv4 handshake on that port completed within 3 s (dual-stack connects, RFC 8305); " +
		"or, of whatever age, where one source port (but 20, FTP) was used for at least ports of them: who makes packets does that, sockets do not.",
	Default: Warning,
	Subject: "host A",
	Blame:   "client",
	Params: []Param{
		{"ports", Count, 15, "different ports of one host", "Zeek scan.zeek: port_scan_threshold"},
		{"window", Span, 300, "time within which they are tried", "Zeek scan.zeek: port_scan_interval"},
	},
	Example: "#! repeat 15 every 10ms port server-port\nstream 0 10.0.0.1:40001 → 10.0.0.2:7001\n" +
		"0 * -- SYN 0 mss 1460 -> *\n0.0001 * <- RST,ACK 0 ack 1 win 0 -- *",
	Advice: "If the source is your own scanner, inventory or monitor, nothing is to be done; else find out what runs there and stop it, or block it. " +
		"A program that tries one port after the other looks the same: passive FTP through a filter, a service whose ports moved.",
	Sources:  []string{"Zeek policy/misc/scan.zeek", "Jung et al., Fast Portscan Detection Using Sequential Hypothesis Testing, 2004", "oracle 35_port_scan"},
	Signs:    tracker.SignSyn,
	Swallows: []string{"refused", "syn-unanswered", "stale-syn"},
	Withheld: OneDirection,
	Lowered:  Missed,
	New: func(s *Setup) Watcher {
		n := max(s.Count("ports"), 1)
		s.shared.tries.want(n)
		return &portScan{shared: s.shared, window: s.Span("window"), enough: n}
	},
}

type portScan struct {
	*shared
	window int64
	enough int
}

func (w *portScan) Case(c *tracker.Case) {
	w.tries.note(c, w.shared)
}

// slips: no ordinary life came to nothing.
func (w *portScan) slips([]slip) {}

// portOf is an attempt's source and host, and as its target the port.
func (w *portScan) portOf(source netip.Addr, t *keptTry) (fromTo, uint16, bool) {
	a := w.services.all[t.server-1].addr()
	return fromTo{source, a.Addr()}, a.Port(), true
}

func (w *portScan) Findings(x *Context) {
	doubt := newUndecided(x)
	doubt.seen = doubt.seen || x.Totals.Plain > 0
	found := find(w.shared, w.window, w.enough, w.portOf, func(k fromTo, t *try[uint16]) bool { return !doubt.is(k.from, t.port, t.kind, t.again || t.made, t.at) })
	for _, s := range bySource(found, func(k fromTo) netip.Addr { return k.from }) {
		f := s.finding()
		most := s.widest()
		lo, hi := most.tries[0].target, most.tries[0].target
		for i := range most.tries {
			lo, hi = min(lo, most.tries[i].target), max(hi, most.tries[i].target)
		}
		f.Metrics = append(Metrics{{"ports", float64(most.targets)}, {"hosts", float64(len(s.keys))}}, f.Metrics...)
		f.Explanation = fmt.Sprintf("%s tried %d ports of %s, from %d to %d", s.source, most.targets, most.key.to, lo, hi)
		if n := len(s.keys) - 1; n > 0 {
			f.Explanation += fmt.Sprintf(", and those of %s likewise", plural(n, "other host"))
		}
		f.Explanation += "." + outcome(&f)
		x.Raise(f)
	}
}
