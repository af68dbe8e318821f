package detect

import (
	"fmt"
	"net/netip"

	"tcpstate/tracker"
)

// FinUnacked: a FIN into the void.
var FinUnacked = &Detector{
	ID:    "fin-unacked",
	Title: "a FIN is repeated and never acknowledged",
	Rule: "The side that closes first (or both at once) repeats its FIN at least twice, and to the end neither an acknowledgment of it nor a RST " +
		"comes back, though the peer had spoken on this connection. A FIN of a side in CLOSE-WAIT is last-ack-stuck; where half-open or " +
		"accept-queue-overflow tells of the connection, this does not.",
	Default: Note,
	Levels:  "warning from warn connections of one host or service",
	Subject: "endpoint A:P: the service's",
	Blame:   "the network, or the silent peer",
	Params: []Param{
		{"retransmissions", Count, 2, "repeats of the FIN", "one is lost now and then; RFC 6298 section 5.5"},
		{"warn", Count, 3, "connections of one host or service that are a warning", "one peer may have gone, three are a pattern"},
	},
	Example: `stream 0 10.0.0.1:40000 → 10.0.0.2:80
isn 1000 9000
0      -- SYN 0 mss 1460 ->
0.01   <- SYN,ACK 0 ack 1 mss 1460 --
0.02   -- ACK 1 ack 1 ->
0.03   -- PSH,ACK 1:101(100) ack 1 ->
0.04   <- ACK 1 ack 101 --
1      -- FIN,ACK 101 ack 1 ->
1.21   -- FIN,ACK 101 ack 1 ->
1.63   -- FIN,ACK 101 ack 1 ->`,
	Advice: "See whether the silent host still runs, and whether a firewall or NAT between forgot the connection: then close idle connections sooner than it does, or " +
		"send keepalives more often. The closer needs no care: Linux gives up after net.ipv4.tcp_orphan_retries (0 means 8) " +
		"or, while a process holds the socket, net.ipv4.tcp_retries2 repeats.",
	Sources:  []string{"RFC 9293 section 3.6", "RFC 6298 section 5.5", "Linux tcp_orphan_retries, tcp_retries2"},
	Signs:    tracker.SignFinAgain,
	Withheld: FlagsOnly,
	Lowered:  Missed, // what acknowledges it, maybe
	New: func(s *Setup) Watcher {
		return &finsUnacked{again: s.Count("retransmissions"), warn: s.Count("warn")}
	},
}

type finsUnacked struct {
	again, warn int
	bag         Bag[netip.AddrPort, finUnacked]
}

// finUnacked is a FIN that nobody acknowledged.
type finUnacked struct {
	hosts [2]netip.Addr // client, server
	side  uint8         // who sent it
	again int
}

func (w *finsUnacked) Case(c *tracker.Case) {
	if c.Has(tracker.SignSelf | tracker.SignOneSided) {
		return
	}
	for x := uint8(0); x < 2; x++ {
		fins := repeatedFin(c, x)
		if len(fins) <= w.again {
			continue
		}
		switch fins[0].After(int(x)).State {
		case tracker.FinWait1, tracker.Closing:
		default:
			continue
		}
		if answeredFin(c, fins[0]) {
			continue
		}
		v := finUnacked{[2]netip.Addr{c.Addr(tracker.Client).Addr(), c.Addr(tracker.Server).Addr()}, x, len(fins) - 1}
		w.bag.Add(c.Addr(tracker.Server), c, fins[0].Time, fins[len(fins)-1].Time, v, func() []Proof {
			return finProof(fins, sideNames[x]+" closes", "nothing acknowledges it")
		})
		return // both ends: one event
	}
}

// repeatedFin returns x's FIN and its repeats.
func repeatedFin(c *tracker.Case, x uint8) (fins []*tracker.Event) {
	for i := range c.Trail.Events {
		e := &c.Trail.Events[i]
		if own(e) && e.Fin() && e.From == x && (len(fins) == 0 || e.End() == fins[0].End()) {
			fins = append(fins, e)
		}
	}
	return fins
}

// answeredFin reports that the peer acknowledged the FIN, or sent a RST after it.
func answeredFin(c *tracker.Case, fin *tracker.Event) bool {
	for i := range c.Trail.Events {
		e := &c.Trail.Events[i]
		if own(e) && e.From != fin.From && (e.Is(tracker.AcksFin) || e.Rst() && e.Frame > fin.Frame) {
			return true
		}
	}
	// What the trail's hole hides, the state tells.
	n := len(c.Trail.Events)
	return c.Trail.Missing > 0 && c.Trail.Events[n-1].After(int(fin.From)).State != fin.After(int(fin.From)).State
}

// finProof lists a FIN, its first and its last repeat.
func finProof(fins []*tracker.Event, first, last string) []Proof {
	n := len(fins) - 1
	p := []Proof{{fins[0].Frame, "FIN: the " + first}, {fins[1].Frame, "FIN again"}}
	if n > 1 {
		p = append(p, Proof{fins[n].Frame, fmt.Sprintf("FIN again, repeat %d: %s", n, last)})
	} else {
		p[1].Text += ": " + last
	}
	return p
}

func (w *finsUnacked) Findings(x *Context) {
	groups := w.bag.Groups(x)
	perHost := map[netip.Addr]int{}
	for _, g := range groups {
		for i := range g.Items {
			h := &g.Items[i].V.hosts
			perHost[h[0]]++
			if h[1] != h[0] {
				perHost[h[1]]++
			}
		}
	}
	for _, g := range groups {
		var by [2]int
		var crowded netip.Addr
		worst, crowd := 0, 0
		for i := range g.Items {
			v := &g.Items[i].V
			by[v.side]++
			worst = max(worst, v.again)
			for _, h := range v.hosts {
				if perHost[h] > crowd {
					crowd, crowded = perHost[h], h
				}
			}
		}
		f := g.Finding(Endpoint(g.Key))
		f.Severity, f.Blame = Note, BlameNetwork
		if max(crowd, f.Count) >= w.warn {
			f.Severity = Warning
		}
		f.Metrics = Metrics{{"by_client", float64(by[tracker.Client])}, {"by_server", float64(by[tracker.Server])},
			{"retransmissions_max", float64(worst)}}
		f.Explanation = fmt.Sprintf("On %s with %s a FIN was repeated, up to %d times, and never acknowledged: the client's on %d, the server's on %d. "+
			"The other end, or the way there or back, was gone when the connection was closed.", plural(f.Count, "connection"), g.Key, worst, by[tracker.Client], by[tracker.Server])
		if crowd > f.Count {
			f.Explanation += fmt.Sprintf(" In all, %s of %s show it.", plural(crowd, "connection"), crowded)
		}
		x.Raise(f)
	}
}
