package detect

import (
	"fmt"

	"tcpstate/reassembly"
	"tcpstate/tracker"
)

// HalfClose: a side that has sent FIN goes on receiving.
var HalfClose = &Detector{
	ID:    "half-close",
	Title: "one side closed its direction and went on receiving",
	Rule: "Payload flows towards the side that sent FIN, in or after the segment that acknowledges that FIN, and that side acknowledges " +
		"such payload: it had shut its own direction only. Where it answers by RST instead it had closed all: see reset-late-data.",
	Default: Note,
	Subject: "connection N",
	Blame:   "nobody",
	Example: `stream 0 10.0.0.1:40000 → 10.0.0.2:80
isn 1000 9000
0      -- SYN 0 mss 1460 ->
0.01   <- SYN,ACK 0 ack 1 mss 1460 --
0.02   -- ACK 1 ack 1 ->
0.03   -- FIN,PSH,ACK 1:101(100) ack 1 ->
0.2    <- PSH,ACK 1:1001(1000) ack 102 --
0.21   -- ACK 102 ack 1001 ->`,
	Advice: "Nothing has to be done where it is meant: shutdown(SHUT_WR) says \"no more from me, but I still read\". " +
		"Mind what stands between: firewalls and NAT forget a connection soon after a FIN (Linux net.netfilter.nf_conntrack_tcp_timeout_fin_wait 120 s, " +
		"nf_conntrack_tcp_timeout_close_wait 60 s without a packet), and some proxies take the first FIN for the end of both directions.",
	Sources: []string{"RFC 9293 section 3.6 (half-closed)", "shutdown(2)", "oracle 05_half_close"},
	Signs:   tracker.SignLate,
	New:     func(*Setup) Watcher { return &halfClose{} },
}

type halfClose struct {
	bag Bag[uint64, halfClosed]
}

// halfClosed is what flowed in one life.
type halfClosed struct {
	side   uint8 // who sent FIN
	octets uint64
	flow   int64 // ns from the FIN to the last payload
	half   int64 // ns for which one direction only was closed
}

func (w *halfClose) Case(c *tracker.Case) {
	if c.Has(tracker.SignSelf) {
		return
	}
	for y := uint8(0); y < 2; y++ {
		if a := &c.Ends[y]; a.LateFrom != 0 {
			w.look(c, y^1, a)
		}
	}
}

// look looks at what came to x after its FIN. a is the other end's account.
func (w *halfClose) look(c *tracker.Case, x uint8, a *tracker.Account) {
	var fin, first, taken *tracker.Event
	for i := range c.Trail.Events {
		e := &c.Trail.Events[i]
		switch {
		case !own(e):
		case e.From == x && e.Fin() && fin == nil:
			fin = e
		case e.Frame == a.LateFrames[0]:
			first = e
		case e.From == x && taken == nil && e.Frame > a.LateFrames[0] && e.Plain() && e.Is(tracker.AcksNew) &&
			(first == nil || reassembly.Seq(first.Seq).Less(reassembly.Seq(e.Ack))):
			taken = e
		}
	}
	if fin == nil || taken == nil || fin.Frame > a.LateFrames[0] {
		return
	}
	v := halfClosed{x, a.LateOctets, max(0, a.LateTo-fin.Time), c.Life.HalfClosedFor}
	w.bag.Add(c.Life.ID, c, fin.Time, max(a.LateTo, taken.Time), v, func() []Proof {
		how := "payload towards it, after its FIN was acknowledged"
		if first != nil && first.Is(tracker.AcksNew) {
			how = "payload towards it, in the segment that acknowledges its FIN"
		}
		return proofOf(
			frame{fin.Frame, fmt.Sprintf("FIN: the %s closes its direction", sideNames[x])},
			frame{a.LateFrames[0], how},
			frame{taken.Frame, fmt.Sprintf("the %s acknowledges it", sideNames[x])},
			frame{a.LateFrames[1], "the last payload towards it"})
	})
}

func (w *halfClose) Findings(x *Context) {
	for _, g := range fewer(w.bag.Groups(x)) {
		v := &g.Items[0].V
		f := g.Finding(Connection(g.Key))
		f.Severity, f.Blame = Note, BlameUnknown
		f.Metrics = Metrics{{"bytes", float64(v.octets)}, {"flow_seconds", seconds(v.flow)}, {"half_closed_seconds", seconds(v.half)}}
		f.Explanation = fmt.Sprintf("The %s sent FIN and went on receiving: %s came from the %s after its FIN was acknowledged, the last of them %s after the FIN. "+
			"It acknowledged them, so the connection was half-closed, for %s.", sideNames[v.side], plural(int(v.octets), "octet"), sideNames[v.side^1], span(v.flow), span(v.half))
		f.Explanation += others(&f)
		x.Raise(f)
	}
}
