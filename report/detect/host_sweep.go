package detect

import (
	"fmt"
	"net/netip"
	"slices"

	"tcpstate/tracker"
)

// HostSweep: one source tries a port on many hosts.
var HostSweep = &Detector{
	ID:    "host-sweep",
	Title: "one source tries a port on many hosts",
	Rule: "One source's attempts at one port come to nothing on at least hosts different hosts within window, as in port-scan, " +
		"and it failed with more hosts than it has connections to that port that carried payload: a proxy, a crawler or a NAT gateway meets dead hosts among the many that it uses.",
	Default: Warning,
	Subject: "host A",
	Blame:   "client",
	Params: []Param{
		{"hosts", Count, 25, "different hosts", "Zeek scan.zeek: addr_scan_threshold"},
		{"window", Span, 300, "time within which they are tried", "Zeek scan.zeek: addr_scan_interval"},
	},
	Example: "#! repeat 25 every 10ms port server-addr\nstream 0 10.0.0.1:40001 → 10.0.1.1:22\n" +
		"0 * -- SYN 0 mss 1460 -> *\n0.0001 * <- RST,ACK 0 ack 1 win 0 -- *",
	Advice: "If the source is your own scanner, inventory or monitor, nothing is to be done; else find out what runs there and stop it, or block it: worms spread this way. " +
		"A program with a list of dead peers (peer-to-peer, a cluster whose nodes are gone) looks the same.",
	Sources:  []string{"Zeek policy/misc/scan.zeek", "Jung et al., Fast Portscan Detection Using Sequential Hypothesis Testing, 2004"},
	Signs:    tracker.SignSyn,
	Swallows: []string{"refused", "syn-unanswered", "stale-syn"},
	Withheld: OneDirection,
	Lowered:  Missed,
	New: func(s *Setup) Watcher {
		n := max(s.Count("hosts"), 1)
		s.shared.tries.want(n)
		return &hostSweep{shared: s.shared, window: s.Span("window"), enough: n}
	},
}

type hostSweep struct {
	*shared
	window int64
	// used are the connections with payload, by source and port of the
	// server.
	used   tally
	enough int
}

func (w *hostSweep) Case(c *tracker.Case) {
	if c.Ends[tracker.Client].DataSegments+c.Ends[tracker.Server].DataSegments > 0 {
		w.used.add(withPort(w.host[tracker.Client], c.Addr(tracker.Server).Port()), 1, 0)
		return
	}
	w.tries.note(c, w.shared)
}

func (w *hostSweep) fetch(lives []slip) (n uint64) {
	for i := range lives {
		n += w.used.fetch(withPort(lives[i].host[tracker.Client], lives[i].port))
	}
	return n
}

func (w *hostSweep) slips(lives []slip) {
	for i := range lives {
		if l := &lives[i]; l.signs&tracker.SignSyn != 0 && l.data[tracker.Client]|l.data[tracker.Server] != 0 {
			w.used.add(withPort(l.host[tracker.Client], l.port), 1, 0)
		}
	}
}

// hostOf is an attempt's source and port, and as its target the host.
func (w *hostSweep) hostOf(source netip.Addr, t *keptTry) (netip.AddrPort, netip.Addr, bool) {
	a := w.services.all[t.server-1].addr()
	return netip.AddrPortFrom(source, a.Port()), a.Addr(), !t.loaded
}

func (w *hostSweep) Findings(x *Context) {
	doubt := newUndecided(x)
	found := find(w.shared, w.window, w.enough, w.hostOf, func(k netip.AddrPort, t *try[netip.Addr]) bool {
		return !doubt.is(k.Addr(), t.port, t.kind, t.again || t.made, t.at)
	})
	found = slices.DeleteFunc(found, func(s scanned[netip.AddrPort, netip.Addr]) bool {
		return uint64(s.targets) <= w.used.of(endKey(s.key))[0]
	})
	for _, s := range bySource(found, netip.AddrPort.Addr) {
		f := s.finding()
		most := s.widest()
		f.Metrics = append(Metrics{{"hosts", float64(most.targets)}, {"ports", float64(len(s.keys))}}, f.Metrics...)
		f.Explanation = fmt.Sprintf("%s tried port %d of %d hosts", s.source, most.key.Port(), most.targets)
		if n := len(s.keys) - 1; n > 0 {
			f.Explanation += fmt.Sprintf(", and %s likewise", plural(n, "other port"))
		}
		f.Explanation += "." + outcome(&f)
		x.Raise(f)
	}
}
