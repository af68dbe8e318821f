package detect

import (
	"fmt"
	"net/netip"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// ResetAfterAccept: the listener answers the handshake's last ACK with RST.
var ResetAfterAccept = &Detector{
	ID:    "reset-after-accept",
	Title: "the listener resets connections as soon as they are open",
	Rule: "The listener's RST, its own, comes within max(3·RTT, 200 ms) of the handshake's third ACK, before the listener has sent " +
		"payload and before a FIN of either end; at least 2 connections.",
	Default: Warning,
	Subject: "server A:P",
	Blame:   "server",
	Params: []Param{
		{"count", Count, 2, "connections of one server", "catalogue"},
		{"within", Span, 0.2, "after the third ACK, or three round trips if that is more", "catalogue"},
	},
	Example: `#! repeat 2 every 50ms
stream 0 10.0.0.1:40000 → 10.0.0.2:80
isn 1000 9000
0      -- SYN 0 mss 1460 ->
0.02   <- SYN,ACK 0 ack 1 mss 1460 --
0.021  -- ACK 1 ack 1 ->
0.042  <- RST 1 win 0 --`,
	Advice: "Server: a bare RST is that of net.ipv4.tcp_abort_on_overflow = 1 with a full accept queue (ss -ltn: Recv-Q above Send-Q; nstat -az " +
		"TcpExtListenOverflows): let the application call accept() faster, or raise the backlog of listen() together with net.core.somaxconn, " +
		"of which the smaller counts. RST,ACK comes from a program that accepted and closed at once: a proxy whose backend is down, a limit of " +
		"connections, an access list; its log tells.",
	Sources: []string{"Linux tcp_check_req (sysctl_tcp_abort_on_overflow), tcp_v4_send_reset", "RFC 9293 section 3.10.5",
		"oracle 20_abort_on_overflow"},
	Signs:    tracker.SignRst,
	Swallows: []string{"abortive-close"},
	New: func(s *Setup) Watcher {
		return &resetAfterAccept{shared: s.shared, count: s.Count("count"), within: s.Span("within"), bag: Bag[netip.AddrPort, earlyReset]{words: earlyResetProof, note: (*shorthand).earlyReset}}
	},
}

type resetAfterAccept struct {
	*shared
	count  int
	within int64
	bag    Bag[netip.AddrPort, earlyReset]
}

// earlyReset is what is wanted of one connection.
type earlyReset struct {
	client  uint64 // key of its address
	after   int64  // ns from the third ACK
	bare    bool
	asked   bool   // the client had sent payload
	answers bool   // the RST a segment
	octets  uint32 // of the first payload
	// Frames of the proof; 0 none.
	synAck, third, data, rst uint64
}

func (s *shorthand) earlyReset(v *earlyReset) {
	s.flags(&v.bare, &v.asked, &v.answers)
	s.unsigned(&v.client)
	s.signed(&v.after)
	s.count(&v.octets)
	s.frames(&v.synAck, &v.third, &v.data, &v.rst)
}

func (w *resetAfterAccept) Case(c *tracker.Case) {
	done := c.Life.DoneAt
	if done == 0 || c.Life.Midstream || w.trail.meant < 0 {
		return
	}
	r := &c.Trail.Events[w.trail.meant]
	if first := c.Ends[tracker.Server].FirstDataAt; r.From != tracker.Server || first != 0 && first <= r.Time {
		return
	}
	var synAck, third, data *tracker.Event
	ev := lifeOf(c)
	for i := range ev {
		e := &ev[i]
		switch {
		case !own(e):
		case e.SynAck() && e.From == tracker.Server:
			synAck = e
		case e.Rst() && e.Is(tracker.Own):
			if third == nil || e.Reset == tracker.ResetRefused || e.Reset == tracker.ResetStaleSyn {
				return
			}
			after := e.Time - third.Time
			if after < 0 || after > max(3*c.Path(), w.within) {
				return
			}
			w.add(c, synAck, third, data, e)
			return
		case e.Fin():
			return
		case e.From == tracker.Client && synAck != nil && e.Plain():
			if third == nil && acks(e, synAck) {
				third = e
			}
			if data == nil && e.Len > 0 {
				data = e
			}
		}
	}
}

func (w *resetAfterAccept) add(c *tracker.Case, synAck, third, data, rst *tracker.Event) {
	v := earlyReset{client: w.host[tracker.Client], after: rst.Time - third.Time, bare: !rst.Has(capture.ACK), asked: data != nil,
		answers: rst.Is(tracker.Answers), synAck: synAck.Frame, third: third.Frame, rst: rst.Frame}
	if data != nil && data != third {
		v.data, v.octets = data.Frame, data.Len
	}
	w.bag.AddAt(w.server, c.Addr(tracker.Server), c, third.Time, rst.Time, v, nil)
}

// earlyResetProof lists the frames.
func earlyResetProof(_ netip.AddrPort, it *Item[earlyReset]) []Proof {
	v := &it.V
	text := "RST,ACK at SND.NXT: the server gives up an accepted connection"
	if v.bare {
		text = fmt.Sprintf("bare RST, seq = ack of frame %d: the server has no connection", v.third)
		if !v.answers {
			text = "bare RST: the server gives the connection up"
		}
	}
	return proofOf(frame{v.synAck, "SYN,ACK"}, frame{v.third, "third ACK: the handshake is complete"},
		frame{v.data, fmt.Sprintf("the client sends %s", plural(int(v.octets), "octet"))},
		frame{v.rst, fmt.Sprintf("%s, %s after the third ACK", text, span(v.after))})
}

func (w *resetAfterAccept) Findings(x *Context) {
	for _, g := range w.bag.Groups(x) {
		if g.Count() < w.count {
			continue
		}
		bare, asked := 0, 0
		var slowest int64
		for i := range g.Items {
			v := &g.Items[i].V
			if v.bare {
				bare++
			}
			if v.asked {
				asked++
			}
			slowest = max(slowest, v.after)
		}
		n := len(g.Items)
		s := x.Service(g.Key)
		f := g.Finding(Server(g.Key))
		f.Severity, f.Blame, f.SeenBy.Client = Warning, BlameServer, SawReset
		f.Metrics = Metrics{{"clients", float64(hosts(g, func(v *earlyReset) uint64 { return v.client }))},
			{"completed", float64(s.Completed)}, {"bare", float64(bare)}, {"after_seconds", seconds(slowest)}}
		f.Explanation = fmt.Sprintf("%s resets %d of the %s that completed the handshake with it, within %s of the third ACK and before it sends payload.",
			g.Key, f.Count, plural(s.Completed, "connection"), span(slowest))
		switch {
		case bare == n && asked < n:
			f.Explanation += " The RSTs are bare and answer the third ACK: the listener never took the connection, as Linux does with net.ipv4.tcp_abort_on_overflow = 1 and a full accept queue."
		case bare == 0:
			f.Explanation += " They are RST,ACK at SND.NXT: a program, or its proxy, accepted and closed at once."
		}
		x.Raise(f)
	}
}
