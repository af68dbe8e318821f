package detect

import (
	"fmt"
	"net/netip"

	"tcpstate/tracker"
)

// SelfConnect: a socket whose peer is itself.
var SelfConnect = &Detector{
	ID:    "self-connect",
	Title: "a socket is connected to itself",
	Rule: "The source endpoint of the segments is their destination endpoint (an IPv4 address in IPv6 form is the IPv4 address), " +
		"and the connection reached ESTABLISHED: after its SYN came a segment that is neither SYN nor RST; or, begun before the " +
		"capture, it acknowledges payload of its own. A SYN to itself that got no further is a note. Loopback shows each " +
		"segment twice; each counts once.",
	Default: Error,
	Levels:  "note where nothing but SYNs was seen",
	Subject: "endpoint A:P",
	Blame:   "client",
	Example: `stream 0 127.0.0.1:40010 → 127.0.0.1:40010
isn 1000 1000
0        -- SYN 0 mss 65495 ->
0.00002  -- SYN,ACK 0 ack 1 mss 65495 ->
0.00005  -- ACK 1 ack 1 ->`,
	Advice: "Client: after connect(), compare getsockname() with getpeername() and close the socket where they are equal; wait between " +
		"retries. Keep the service's port out of the ephemeral ports, with net.ipv4.ip_local_reserved_ports or a port outside of " +
		"net.ipv4.ip_local_port_range: while the self-connected socket lives, the service cannot bind to that port (EADDRINUSE).",
	Sources: []string{"RFC 9293 section 3.5 (figure 7: a SYN that meets a SYN)", "Linux tcp_rcv_synsent_state_process (crossed SYNs)",
		"oracle 16_self_connect"},
	Signs: tracker.SignSelf,
	New:   func(*Setup) Watcher { return &selfConnect{} },
}

type selfConnect struct {
	bag Bag[netip.AddrPort, selfLife]
}

// selfLife is what is wanted of one life.
type selfLife struct {
	open   bool   // it reached ESTABLISHED
	octets uint32 // payload, where its SYN and FIN tell
}

func (w *selfConnect) Case(c *tracker.Case) {
	ev := lifeOf(c)
	var syn, synAck, plain, back, fin *tracker.Event
	data := false
	for i := range ev {
		switch e := &ev[i]; {
		case e.Syn() && syn == nil:
			syn = e
		case e.SynAck() && synAck == nil && syn != nil:
			synAck = e
		case e.Plain() && own(e):
			if plain == nil {
				plain = e
			}
			if data && back == nil && e.Is(tracker.AcksNew) {
				back = e
			}
			if fin == nil && e.Fin() {
				fin = e
			}
			data = data || e.Len > 0 && !e.Probe()
		}
	}
	end := c.Addr(tracker.Client)
	key := netip.AddrPortFrom(end.Addr().Unmap(), end.Port())
	switch {
	case syn != nil && plain != nil && c.Ends[tracker.Client].Spoke && !c.Life.Midstream:
		v := selfLife{open: true}
		if fin != nil {
			v.octets = uint32(fin.End() - syn.End() - 1)
		}
		w.bag.Add(key, c, syn.Time, c.Life.End, v, func() []Proof {
			all := []frame{{syn.Frame, "SYN: source and destination are both " + key.String()}, {plain.Frame, "the socket acknowledges its own SYN: ESTABLISHED"}}
			if synAck != nil {
				all = append(all, frame{synAck.Frame, "SYN,ACK with the same ISN: its SYN met itself"})
			}
			if back != nil {
				all = append(all, frame{back.Frame, "it acknowledges its own payload"})
			}
			return proofOf(all...)
		})
	case syn == nil && plain != nil && back != nil:
		w.bag.Add(key, c, plain.Time, c.Life.End, selfLife{open: true}, func() []Proof {
			return proofOf(frame{plain.Frame, "source and destination are both " + key.String()}, frame{back.Frame, "it acknowledges its own payload"})
		})
	case syn != nil && plain == nil:
		w.bag.Add(key, c, syn.Time, syn.Time, selfLife{}, func() []Proof {
			return []Proof{{syn.Frame, "SYN: source and destination are both " + key.String()}}
		})
	}
}

func (w *selfConnect) Findings(x *Context) {
	for _, g := range w.bag.Groups(x) {
		bare := 0
		for i := range g.Items {
			if !g.Items[i].V.open {
				bare++
			}
		}
		if open := len(g.Items) - bare; open > 0 {
			g.Keep(func(it *Item[selfLife]) bool { return it.V.open })
			w.raise(x, g, bare)
			continue
		}
		f := g.Finding(Endpoint(g.Key))
		f.Severity, f.Blame = Note, BlameClient
		f.Metrics = Metrics{{"bare_syns", float64(bare)}}
		f.Explanation = fmt.Sprintf("%s sent a SYN to itself (%s), and no connection came of it: a program chose the port that it wanted to reach "+
			"as its own, or somebody forges that address.", g.Key, plural(bare, "attempt"))
		x.Raise(f)
	}
}

// raise tells of connections that reached ESTABLISHED; bare SYNs came beside.
func (w *selfConnect) raise(x *Context, g *Group[netip.AddrPort, selfLife], bare int) {
	f := g.Finding(Endpoint(g.Key))
	f.Severity, f.Blame = Error, BlameClient
	var octets uint64
	var held int64
	for i := range g.Items {
		octets += uint64(g.Items[i].V.octets)
		held = max(held, g.Items[i].Last-g.Items[i].At)
	}
	f.Metrics = Metrics{{"bare_syns", float64(bare)}, {"held_seconds", seconds(held)}}
	if octets > 0 {
		f.Metrics = append(f.Metrics, Metric{"echoed_octets", float64(octets)})
	}
	f.Explanation = fmt.Sprintf("%s is connected to itself (%s, the first at %s): the port that the program wanted to reach was free and was "+
		"taken as its source port, so that its SYN met itself. connect() succeeded although nothing listens there",
		g.Key, plural(f.Count, "connection"), clock(g.First()))
	if octets > 0 {
		f.Explanation += fmt.Sprintf(", and the %s that it sent came back to it", plural(int(octets), "octet"))
	}
	f.Explanation += "."
	x.Raise(f)
}
