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
		"and no SYN,ACK came for this attempt. A RST whose own sequence number is neither 0 nor the SYN's acknowledgment " +
		"is left out where the capture lost packets or shows one direction only: it may end a connection whose SYN,ACK is missing.",
	Default: Warning,
	Subject: "server A:P",
	Blame:   "server",
	Example: "stream 0 10.0.0.1:40022 → 10.0.0.2:81\n" +
		"0 * -- SYN 0 -> *\n0.0001 * <- RST,ACK 0 ack 1 win 0 -- *",
	Advice: "Start the service, or correct the address or port that the client was given. If it runs, see which address it " +
		"listens on (ss -ltn), and whether a firewall rule rejects with tcp-reset.",
	Sources: []string{"RFC 9293 section 3.10.7.1", "oracle 09_refused", "Linux tcp_v4_send_reset"},
	Signs:   tracker.SignRst,
	New: func(s *Setup) Watcher {
		return &refused{shared: s.shared, bag: Bag[netip.AddrPort, refusal]{words: refusalProof, note: (*shorthand).refusal}}
	},
}

type refused struct {
	*shared
	bag Bag[netip.AddrPort, refusal]
}

// refusal is what is wanted of one refused connection.
type refusal struct {
	client   uint64 // key of its address
	syn, rst uint64 // frames
	attempts uint32
	octets   uint32 // of the SYN's payload
	acks     uint32 // the RST,ACK: so much beyond ISS
	ttl      uint8
	strange  bool // the RST's number is not that of an answer to a SYN
}

func (s *shorthand) refusal(v *refusal) {
	s.flags(&v.strange)
	s.unsigned(&v.client)
	s.frames(&v.syn, &v.rst)
	s.count(&v.attempts)
	s.count(&v.octets)
	s.count(&v.acks)
	s.octet(&v.ttl)
}

func (w *refused) Case(c *tracker.Case) {
	syn, rst := refusedBy(c)
	if rst == nil {
		return
	}
	n := uint32(0)
	for i := range c.Trail.Events {
		e := &c.Trail.Events[i]
		switch {
		case e.Is(tracker.Earlier):
		case e.Syn() && e.From == tracker.Client:
			n++
		case e.SynAck():
			return
		}
	}
	v := refusal{w.host[tracker.Client], syn.Frame, rst.Frame, n, syn.Len, rst.Ack - syn.Seq, rst.TTL, rst.Seq != 0 && rst.Seq != syn.Ack}
	w.bag.AddAt(w.server, c.Addr(tracker.Server), c, syn.Time, rst.Time, v, nil)
}

// refusalProof lists the frames.
func refusalProof(server netip.AddrPort, it *Item[refusal]) []Proof {
	v := &it.V
	return []Proof{{v.syn, "SYN" + withData(v.octets)}, {v.rst, fmt.Sprintf("RST,ACK with ack = ISS+%d: %s refuses", v.acks, server)}}
}

// refusedBy returns the SYN of a life that was refused, and the RST,ACK.
func refusedBy(c *tracker.Case) (syn, rst *tracker.Event) {
	if c.Life.Close != tracker.Refused || c.Life.ResetAs != tracker.ResetRefused {
		return nil, nil
	}
	for i := range c.Trail.Events {
		e := &c.Trail.Events[i]
		switch {
		case e.Is(tracker.Earlier):
		case e.Syn() && e.From == tracker.Client:
			syn = e
		case e.Rst() && e.Reset == tracker.ResetRefused && syn != nil:
			return syn, e
		}
	}
	return nil, nil
}

// withData tells of a SYN's payload (RFC 7413).
func withData(octets uint32) string {
	if octets == 0 {
		return ""
	}
	return fmt.Sprintf(" with %s", plural(int(octets), "octet"))
}

func (w *refused) Findings(x *Context) {
	for _, g := range w.bag.Groups(x) {
		if x.Doubts&(Missed|OneDirection) != 0 {
			g.Keep(func(it *Item[refusal]) bool { return !it.V.strange })
			if len(g.Items) == 0 {
				continue
			}
		}
		clients := hosts(g, func(v *refusal) uint64 { return v.client })
		attempts := g.More
		for i := range g.Items {
			attempts += int(g.Items[i].V.attempts)
		}
		f := g.Finding(Server(g.Key))
		f.Severity, f.Blame, f.SeenBy.Client = Warning, BlameServer, SawRefused
		f.Metrics = Metrics{{"attempts", float64(attempts)}, {"clients", float64(clients)}}
		from := plural(clients, "client")
		if g.More > 0 {
			from = "at least " + from // of the others only the number is known
		}
		f.Explanation = fmt.Sprintf("%s refuses: nothing listens there. %s from %s got RST,ACK.", g.Key, plural(attempts, "SYN"), from)
		f.lifetime(x, g)
		f.Explanation += w.services.differs(g)
		x.Raise(f)
	}
}

// lifetime says whether the port answered earlier or later in the capture.
func (f *Finding) lifetime(x *Context, g *Group[netip.AddrPort, refusal]) {
	s := x.Service(g.Key)
	if s.Answered.N() == 0 {
		return
	}
	first, last := g.First(), g.Last()
	f.Metrics = append(f.Metrics, Metric{"answered", float64(s.Answered.N())})
	switch {
	case s.Answered.Last() < first:
		f.Metrics = append(f.Metrics, Metric{"died_at_seconds", seconds(first - x.Start())})
		f.Explanation += fmt.Sprintf(" It had answered before: the listener went away between %s and %s.",
			clock(s.Answered.Last()), clock(first))
	case s.Answered.First() > last:
		f.Explanation += fmt.Sprintf(" It answered later: a listener was there by %s.", clock(s.Answered.First()))
	default:
		when := "at " + clock(s.Answered.First())
		if s.Answered.N() > 1 {
			when = fmt.Sprintf("from %s to %s", clock(s.Answered.First()), clock(s.Answered.Last()))
		}
		f.Explanation += fmt.Sprintf(" It answered %s %s: the listener comes and goes, or only some of the hosts behind the address have one.",
			plural(s.Answered.N(), "other SYN"), when)
	}
}

// ttlRange are the TTLs with which a server's segments come, RSTs left out; none is
// 0.
type ttlRange struct{ least, most uint8 }

func (r ttlRange) with(o ttlRange) ttlRange {
	if r.most == 0 {
		return o
	}
	return ttlRange{min(r.least, o.least), max(r.most, o.most)}
}

// ttlOf are the TTLs of all ports of a host.
func (s *services) ttlOf(a netip.Addr) (r ttlRange) {
	if s.ttls == nil {
		s.ttls = map[uint64]ttlRange{}
		for i := range s.all {
			if n := &s.all[i]; n.ttl.most != 0 {
				k := hostKey(n.addr().Addr())
				s.ttls[k] = s.ttls[k].with(n.ttl)
			}
		}
	}
	return s.ttls[hostKey(a)]
}

// differs tells of RSTs whose TTL is not the server's.
func (s *services) differs(g *Group[netip.AddrPort, refusal]) string {
	usual := s.ttlOf(g.Key.Addr())
	if usual.most == 0 {
		return ""
	}
	seen := ttlRange{g.Items[0].V.ttl, g.Items[0].V.ttl}
	for i := range g.Items {
		seen = ttlRange{min(seen.least, g.Items[i].V.ttl), max(seen.most, g.Items[i].V.ttl)}
	}
	if int(seen.least) <= int(usual.most)+otherPath && int(seen.most) >= int(usual.least)-otherPath {
		return ""
	}
	return fmt.Sprintf(" The RSTs came with a TTL of %s, the server's other segments with %s: a firewall on the way may have sent them.", seen, usual)
}

func (r ttlRange) String() string {
	if r.least == r.most {
		return fmt.Sprint(r.least)
	}
	return fmt.Sprintf("%d to %d", r.least, r.most)
}
