package detect

import (
	"fmt"
	"net/netip"

	"tcpstate/capture"
	"tcpstate/reassembly"
	"tcpstate/tracker"
)

// TcpkillLike: the fingerprint of dsniff's tcpkill.
var TcpkillLike = &Detector{
	ID:    "tcpkill-like",
	Title: "somebody tears connections down with forged RSTs, as tcpkill does",
	Rule: "Two or more RSTs without ACK, none of which has the number of an acknowledgment that its claimed sender was sent, come within " +
		"10 ms with sequence numbers on one exact ladder: ack + w, ack + 3w, ack + 6w …, where ack and w are the acknowledgment and the " +
		"unscaled window of one segment that the claimed sender was sent.",
	Default: Error,
	Subject: "host A → host B",
	Blame:   "a third party",
	Params: []Param{
		{"count", Count, 2, "RSTs on the ladder", "tcpkill sends 3 for each segment that it sees, 9 at most, the first at ack itself"},
		{"window", Span, 0.01, "within what time they come", "they are sent in one loop"},
	},
	Example: `  2.0000  ── PSH,ACK 101 ack 301 win 500 ─▶
  2.0003  ◀──────────── RST 301 ────────────   ack
  2.0003  ◀──────────── RST 801 ────────────   ack + win
  2.0004  ◀──────────── RST 1801 ───────────   ack + 3 win`,
	Advice: "A program that sees these packets, on one of the two hosts, at the capture point or on a box between, forges RSTs in the name of both ends: tcpkill, or a network " +
		"protection system that works like it. Find it by the capture point where the RSTs are seen first; whoever cannot see the segments cannot forge these numbers.",
	Sources: []string{"dsniff tcpkill (tcp_kill_cb)", "RFC 5961 section 3.2"},
	Signs:   tracker.SignRst,
	Lowered: Backwards,
	New: func(s *Setup) Watcher {
		return &tcpkill{shared: s.shared, count: s.Count("count"), window: s.Span("window")}
	},
}

type tcpkill struct {
	*shared
	count  int
	window int64
	bag    Bag[clientServer, ladder]
}

// clientServer is a client's and a server's host.
type clientServer struct{ client, server netip.Addr }

func hostsOf(c *tracker.Case) clientServer {
	return clientServer{c.Addr(tracker.Client).Addr(), c.Addr(tracker.Server).Addr()}
}

// ladder is what was found on one connection.
type ladder struct {
	rungs  int // RSTs, of the longest one
	window uint16
	took   [2]bool // by receiver
}

// maxRung bounds the ladders that are looked for: tcpkill -9 has 9 rungs.
const maxRung = 32

func (w *tcpkill) Case(c *tracker.Case) {
	if c.Has(tracker.SignSelf) || w.trail.bares() < w.count {
		return
	}
	ev := c.Trail.Events
	var best []*tracker.Event
	var from *tracker.Event
	for i := range ev {
		p := &ev[i]
		if !own(p) || !p.Plain() || p.Fin() || !p.Has(capture.ACK) || p.Window == 0 {
			continue
		}
		if row := w.climb(ev, i); len(row) > 0 && len(row) >= len(best) {
			best, from = row, p // the latest that fits is what it answered
		}
	}
	if len(best) == 0 || len(best) < w.count {
		return
	}
	v := ladder{rungs: len(best), window: from.Window}
	for i := range ev {
		if e := &ev[i]; own(e) && e.Rst() && e.Is(tracker.Took) {
			v.took[e.From^1] = true
		}
	}
	w.bag.Add(hostsOf(c), c, from.Time, best[len(best)-1].Time, v, func() []Proof {
		proof := []Proof{{from.Frame, fmt.Sprintf("ack and window of this segment: %d", from.Window)}}
		for _, r := range best {
			d := reassembly.Seq(r.Seq).Diff(reassembly.Seq(from.Ack))
			proof = append(proof, Proof{r.Frame, fmt.Sprintf("RST at ack + %d × %d", int64(d)/int64(from.Window), from.Window)})
		}
		return proof
	})
}

// climb returns the RSTs on the ladder of the segment i, each rung once, that
// come within the window of the first one.
func (w *tcpkill) climb(ev []tracker.Event, i int) (row []*tracker.Event) {
	p := &ev[i]
	var seen [maxRung + 1]bool
	for j := i + 1; j < len(ev); j++ {
		e := &ev[j]
		if !own(e) || !e.Rst() || e.From == p.From || e.Has(capture.ACK) {
			continue
		}
		rung := rungOf(p, e)
		if rung == 0 || seen[rung] || pairedWith(ev, e) {
			continue
		}
		if len(row) > 0 && e.Time-row[0].Time > w.window {
			break
		}
		seen[rung] = true
		row = append(row, e)
	}
	return row
}

// rungOf returns which rung of p's ladder the RST stands on: 1 for ack + w, 2
// for ack + 3w; 0 for none.
func rungOf(p, r *tracker.Event) int {
	d := int64(reassembly.Seq(r.Seq).Diff(reassembly.Seq(p.Ack)))
	win := int64(p.Window)
	for k, sum := int64(1), win; k <= maxRung && sum <= d; k, sum = k+1, sum+(k+1)*win {
		if sum == d {
			return int(k)
		}
	}
	return 0
}

// pairedWith reports whether the RST has the number of an acknowledgment that
// its claimed sender was sent: it may be the answer to that segment.
func pairedWith(ev []tracker.Event, r *tracker.Event) bool {
	for i := range ev {
		if e := &ev[i]; e.From != r.From && e.Has(capture.ACK) && e.Ack == r.Seq && !e.Is(tracker.Quoted) {
			return true
		}
	}
	return false
}

func (w *tcpkill) Findings(x *Context) {
	for _, g := range w.bag.Groups(x) {
		f := g.Finding(Hosts(g.Key.client, g.Key.server))
		f.Severity, f.Blame = Error, BlameUnknown
		rungs := 0
		var took [2]bool
		for i := range g.Items {
			v := &g.Items[i].V
			rungs = max(rungs, v.rungs)
			took[0], took[1] = took[0] || v.took[0], took[1] || v.took[1]
		}
		f.SeenBy = sawReset(took)
		f.Metrics = Metrics{{"rungs", float64(rungs)}, {"window", float64(g.Items[0].V.window)}}
		f.Explanation = fmt.Sprintf("On %s between %s and %s came RSTs on an exact ladder of sequence numbers, ack + w, ack + 3w …: up to %s that answer no segment. "+
			"No TCP numbers RSTs so; dsniff's tcpkill does, for each segment that it sees.", plural(g.Count(), "connection"), g.Key.client, g.Key.server, plural(rungs, "RST"))
		x.Raise(f)
	}
}

// sawReset is ECONNRESET for the ends that took a RST.
func sawReset(took [2]bool) (s SeenBy) {
	if took[tracker.Client] {
		s.Client = SawReset
	}
	if took[tracker.Server] {
		s.Server = SawReset
	}
	return s
}
