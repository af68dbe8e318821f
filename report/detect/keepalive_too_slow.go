package detect

import (
	"fmt"
	"net/netip"

	"tcpstate/tracker"
)

// KeepaliveTooSlow: keepalive probes come later than the flows die.
var KeepaliveTooSlow = &Detector{
	ID:    "keepalive-too-slow",
	Title: "keepalive probes come too late to keep idle connections alive",
	Rule: "A side of a service sends its keepalive probes after an idle time that exceeds the idle time at which flows of that service were seen to die, " +
		"as in middlebox-state-expired, with that finding's thresholds.",
	Default: Warning,
	Subject: "service A:P, client side or server side",
	Blame:   "client or server: the side that probes",
	Example: `  120.0  -- ACK 100 ack 1001 ->      the first probe, 120 s after the last segment
         while flows of the service that were idle for 60 s got no answer any more`,
	Advice: "Let the side that probes do so sooner: TCP_KEEPIDLE on its sockets, or net.ipv4.tcp_keepalive_time for all that set SO_KEEPALIVE and no time of their own, " +
		"below the idle time at which flows die, with room for a lost probe (half of it). Or raise the idle timeout of the box between.",
	Sources:  []string{"RFC 9293 section 3.8.4", "RFC 5382 REQ-5", "Linux tcp_keepalive_timer"},
	Signs:    tracker.SignProbe,
	Withheld: FlagsOnly | OneDirection,
	Lowered:  Missed,
	New:      func(s *Setup) Watcher { return &keepaliveTooSlow{} },
}

type keepaliveTooSlow struct {
	bag Bag[serviceEnd, prober]
}

// prober is one end that probes.
type prober struct {
	idle  int64  // before the first probe of the latest row
	frame uint64 // of that probe
}

func (w *keepaliveTooSlow) Case(c *tracker.Case) {
	if c.Has(tracker.SignSelf | tracker.SignOneSided) {
		return
	}
	for x := range c.Ends {
		a := &c.Ends[x]
		if a.Probes == 0 {
			continue
		}
		at := c.Life.Start
		if e := eventOf(c, a.ProbeFrames[0]); e != nil {
			at = e.Time
		}
		w.bag.Add(endOf(c, uint8(x)), c, at, at, prober{a.ProbeIdle, a.ProbeFrames[0]}, nil)
	}
}

func (w *keepaliveTooSlow) Findings(x *Context) {
	// The shortest idle time at which a flow of each service died.
	died := map[netip.AddrPort]*Item[death]{}
	for _, g := range x.deaths() {
		for i := range g.Items {
			it := &g.Items[i]
			if d := died[it.V.server]; d == nil || it.V.idle < d.V.idle {
				died[it.V.server] = it
			}
		}
	}
	for _, g := range w.bag.Groups(x) {
		d := died[g.Key.server]
		if d == nil {
			continue
		}
		g.Keep(func(it *Item[prober]) bool { return it.V.idle > d.V.idle })
		g.More = 0
		if len(g.Items) > 0 {
			w.raise(x, g, d)
		}
	}
}

func (w *keepaliveTooSlow) raise(x *Context, g *Group[serviceEnd, prober], d *Item[death]) {
	shortest := g.Items[0].V.idle
	seen := false // the flow that died is among them
	for i := range g.Items {
		it := &g.Items[i]
		shortest = min(shortest, it.V.idle)
		seen = seen || it.Ref == d.Ref
	}
	g.prove(func(it *Item[prober]) []Proof {
		return []Proof{{it.V.frame, fmt.Sprintf("keepalive probe of the %s after %s of silence", g.Key.owner(), span(it.V.idle))}}
	})
	f := g.Finding(g.Key.subject())
	f.Severity, f.Blame = Warning, blameOf(g.Key.side)
	if !seen {
		f.Evidence.show(Proven{ID: d.ID, Incarnation: d.Incarnation, Frames: d.V.proof()})
	}
	f.Metrics = Metrics{{"keepalive_seconds", seconds(shortest)}, {"died_after_seconds", seconds(d.V.idle)}}
	who := g.Key.server.String() + " sends its"
	if g.Key.side == tracker.Client {
		who = "The clients of " + g.Key.server.String() + " send their"
	}
	f.Explanation = fmt.Sprintf("%s keepalive probes after %s of silence, but a flow of this service that had been idle for %s was dead: "+
		"what stands between forgets it before the first probe comes.", who, span(shortest), span(d.V.idle))
	x.Raise(f)
}
