package detect

import (
	"fmt"
	"net/netip"

	"tcpstate/tracker"
)

// Refused: a closed port.
var Refused = &Detector{
	ID:    "refused",
	Title: "nothing listens on the port",
	Rule: "A SYN is answered by RST,ACK whose acknowledgment is the SYN's sequence number + 1 (+ its payload), " +
		"and no SYN,ACK came for this attempt.",
	Default: Warning,
	Subject: "server A:P",
	Blame:   "server",
	Advice: "Start the service, or correct the address or port that the client was given. If it runs, see which address it " +
		"listens on (ss -ltn), and whether a firewall rule rejects with tcp-reset.",
	Sources: []string{"RFC 9293 section 3.10.7.1", "oracle 09_refused", "Linux tcp_v4_send_reset"},
	Signs:   tracker.SignRst,
	New:     func(s *Setup) Watcher { return &refused{} },
}

type refused struct {
	bag Bag[netip.AddrPort, refusal]
}

// refusal is what is wanted of one refused connection.
type refusal struct {
	client   netip.Addr
	attempts int
}

func (w *refused) Case(c *tracker.Case) {
	if c.Life.Close != tracker.Refused || c.Life.ResetAs != tracker.ResetRefused {
		return
	}
	var syn, rst *tracker.Event
	n := 0
	for i := range c.Trail.Events {
		e := &c.Trail.Events[i]
		switch {
		case e.Syn() && e.From == tracker.Client:
			syn = e
			n++
		case e.Rst() && e.Reset == tracker.ResetRefused && syn != nil && rst == nil:
			rst = e
		}
	}
	if rst == nil {
		return
	}
	w.bag.Add(c.Addr(tracker.Server), c, syn.Time, rst.Time, refusal{c.Addr(tracker.Client).Addr(), n}, func() []Proof {
		return []Proof{
			{syn.Frame, "SYN"},
			{rst.Frame, fmt.Sprintf("RST,ACK with ack = ISS+1: %s refuses", c.Addr(tracker.Server))},
		}
	})
}

func (w *refused) Findings(x *Context) {
	for _, g := range w.bag.Groups(x) {
		clients := map[netip.Addr]bool{}
		attempts := g.More
		for i := range g.Items {
			clients[g.Items[i].V.client] = true
			attempts += g.Items[i].V.attempts
		}
		f := g.Finding(Server(g.Key))
		f.Severity, f.Blame, f.SeenBy.Client = Warning, BlameServer, SawRefused
		f.Metrics = Metrics{{"attempts", float64(attempts)}, {"clients", float64(len(clients))}}
		f.Explanation = fmt.Sprintf("%s refuses: nothing listens there. %s from %s got RST,ACK.", g.Key,
			plural(attempts, "SYN"), plural(len(clients), "client"))
		if s := x.Service(g.Key); s.Answered.N() > 0 && s.Answered.First() < g.First() {
			f.Metrics = append(f.Metrics, Metric{"answered_before", float64(s.Answered.N())})
			f.Explanation += fmt.Sprintf(" It had answered before: the listener went away between %s and %s.",
				clock(s.Answered.Last()), clock(g.First()))
		}
		x.Raise(f)
	}
}
