package detect

import (
	"fmt"
	"slices"

	"tcpstate/tracker"
)

// IdleTimeout: one side closes connections after a fixed time of silence.
var IdleTimeout = &Detector{
	ID:    "idle-timeout",
	Title: "one side closes connections after a fixed idle time",
	Rule: "At least count closes by one side of a service, by FIN or RST, come after the same idle time, within ±2 % or ±0.5 s, " +
		"and are at least the share of that side's closes there. The idle time is that from the last payload of either end to the FIN or RST; below floor it is none.",
	Default: Note,
	Subject: "service A:P, client side or server side",
	Blame:   "nobody: a timer, or a client that waits so long",
	Params: []Param{
		{"count", Count, 5, "closes after the same idle time", "two or three agree by chance"},
		{"share", Share, 0.3, "share of that side's closes", "a timer closes a good part of what it is set for"},
		{"spread", Share, 0.02, "how far from the middle of them, as a share of it", "timers that tick in seconds or are scanned by"},
		{"slack", Span, 0.5, "how far from it at least", "applications' timers often tick once a second"},
		{"floor", Span, 1.8, "idle time that may be a timer's", "the shortest default known (Gunicorn, 2 s), less what jitter on the path takes away; below it ±0.5 s would take in what closes at once"},
	},
	Example: `  0.300  ◀── PSH,ACK 1:501(500) ack 101 ──   the server's answer
  5.301  ◀── FIN,ACK 501 ack 101 ─────────   5.0 s later it closes, and so on 5 connections or more`,
	Advice: "Nothing is wrong by itself. The side that sends requests (client, proxy, connection pool) should give idle connections up sooner than the other side does, " +
		"or its requests will meet the FIN (keepalive-race); heartbeats of the application keep a connection open that is needed. TCP keepalive probes do not: they are not payload.",
	Sources:  []string{"RFC 9112 section 9.5", "the products' own documentation for their defaults"},
	Signs:    tracker.SignFin | tracker.SignRst,
	Swallows: []string{"abortive-close"},
	Withheld: FlagsOnly,
	New: func(s *Setup) Watcher {
		return &idleTimeout{shared: s.shared, count: s.Count("count"), share: s.Value("share"), spread: s.Value("spread"), slack: s.Span("slack"), floor: s.Span("floor")}
	},
}

// idleDefaults are idle times that are defaults, ascending, and whose.
var idleDefaults = []struct {
	seconds int64
	of      string
}{
	{2, "Gunicorn (keepalive)"},
	{5, "Node.js (server.keepAliveTimeout), Apache httpd (KeepAliveTimeout) and Uvicorn"},
	{10, "Bun"},
	{20, "Tomcat (connectionTimeout of its server.xml) and Puma"},
	{30, "Jetty (idleTimeout)"},
	{60, "AWS Application and Classic Load Balancers, and nginx towards its upstreams"},
	{75, "nginx (keepalive_timeout)"},
	{90, "Go's http.Transport (IdleConnTimeout) and Cloud Foundry's Gorouter"},
	{120, "IIS (connectionTimeout)"},
	{130, "Kestrel (KeepAliveTimeout)"},
	{240, "Azure's load balancer and NAT"},
	{300, "F5 BIG-IP"},
	{350, "AWS Network and Gateway Load Balancers and NAT gateway"},
	{600, "Google Cloud's VPC firewall"},
	{3600, "Cisco ASA, Palo Alto and FortiGate firewalls, and Envoy (idle_timeout)"},
	{28800, "MySQL (wait_timeout)"},
}

// defaultOf names whose default an idle time is, "" if nobody's is known.
func (w *idleTimeout) defaultOf(idle int64) string {
	for _, d := range idleDefaults {
		if t := d.seconds * 1e9; abs(t-idle) <= w.tolerance(t) {
			return fmt.Sprintf("%s is the default of %s.", span(t), d.of)
		}
	}
	return ""
}

type idleTimeout struct {
	*shared
	count         int
	share, spread float64
	slack, floor  int64
	bag           Bag[serviceEnd, idleClose]
}

// idleClose is one close after some silence.
type idleClose struct {
	idle           int64
	payload, close uint64 // frames
	rst            bool
}

func (w *idleTimeout) Case(c *tracker.Case) {
	l := c.Life
	var side uint8
	switch l.ClosedBy {
	case tracker.ByClient:
		side = tracker.Client
	case tracker.ByServer:
		side = tracker.Server
	default:
		return
	}
	if l.Close != tracker.Graceful && l.Close != tracker.HalfClosed && l.Close != tracker.Reset || c.Has(tracker.SignSelf) {
		return
	}
	if w.server == 0 {
		return
	}
	if !c.Has(w.trails()) {
		if c.Has(tracker.SignStill) {
			w.still(c, side)
		}
		return // something was said right before
	}
	ev := c.Trail.Events
	i := 0
	for i < len(ev) && ev[i].Frame != l.CloseAt {
		i++
	}
	if i == len(ev) || ev[i].Len > 0 {
		return // what it carries ends the silence
	}
	// The latest payload of both ends is noted before a FIN or RST.
	last := latest(ev, i, func(e *tracker.Event) bool { return own(e) && e.Len > 0 && !e.Rst() && !e.Probe() })
	if last == nil || ev[i].Time-last.Time < w.floor {
		return
	}
	v := idleClose{ev[i].Time - last.Time, last.Frame, ev[i].Frame, ev[i].Rst()}
	w.bag.Add(endOf(c, side), c, last.Time, ev[i].Time, v, nil)
}

// still notes a close by FIN of which the accounts tell all.
func (w *idleTimeout) still(c *tracker.Case, side uint8) {
	last := &c.Ends[tracker.Client]
	if other := &c.Ends[tracker.Server]; other.LastDataFrame > last.LastDataFrame {
		last = other
	}
	if c.FinAt-last.LastDataAt < w.floor {
		return
	}
	v := idleClose{c.FinAt - last.LastDataAt, last.LastDataFrame, c.Life.CloseAt, false}
	w.bag.Add(endOf(c, side), c, last.LastDataAt, c.FinAt, v, nil)
}

// slips: an ordinary life was not closed by a timer. Its service counts who closed it.
func (w *idleTimeout) slips([]slip) {}

// trails are the signs of lives that may have been closed by a timer.
func (w *idleTimeout) trails() tracker.Sign {
	if w.floor < tracker.Still {
		return tracker.SignFin | tracker.SignRst
	}
	return tracker.SignClosing | tracker.SignRst
}

// between says from where to where the times lie.
func between(sorted []int64) string {
	lo, hi := fmt.Sprintf("%.2f", seconds(sorted[0])), fmt.Sprintf("%.2f s", seconds(sorted[len(sorted)-1]))
	if lo+" s" == hi {
		return "each " + hi
	}
	return lo + " to " + hi
}

// tolerance is how far an idle time may be from t.
func (w *idleTimeout) tolerance(t int64) int64 { return max(w.slack, int64(w.spread*float64(t))) }

func (w *idleTimeout) Findings(x *Context) {
	for _, g := range w.bag.Groups(x) {
		lo, hi, n := w.cluster(g)
		// All that were made, of whatever idle time.
		total := int(w.services.all[w.services.known(g.Key.server)-1].ended[g.Key.side])
		if n < w.count || float64(n) < w.share*float64(total) {
			continue
		}
		g.Keep(func(it *Item[idleClose]) bool { return it.V.idle >= lo && it.V.idle <= hi })
		g.More = 0 // what could not be kept is not known to belong to it
		g.prove(func(it *Item[idleClose]) []Proof {
			how := "FIN"
			if it.V.rst {
				how = "RST"
			}
			return []Proof{{it.V.payload, "the last payload of either end"},
				{it.V.close, fmt.Sprintf("%s: the %s closes, %s later", how, g.Key.owner(), span(it.V.idle))}}
		})
		w.raise(x, g, total)
	}
}

// cluster returns the bounds of the largest cluster and how many are in it;
// of equal ones, the one of the shortest idle time.
func (w *idleTimeout) cluster(g *Group[serviceEnd, idleClose]) (lo, hi int64, n int) {
	idle := make([]int64, len(g.Items))
	for i := range g.Items {
		idle[i] = g.Items[i].V.idle
	}
	slices.Sort(idle)
	j := 0
	for i := range idle {
		for j < len(idle) && idle[j]-idle[i] <= 2*w.tolerance(idle[i]/2+idle[j]/2) {
			j++
		}
		if j-i > n {
			lo, hi, n = idle[i], idle[j-1], j-i
		}
	}
	return lo, hi, n
}

func (w *idleTimeout) raise(x *Context, g *Group[serviceEnd, idleClose], total int) {
	idle := make([]int64, len(g.Items))
	first, last, rsts := g.Items[0].Last, g.Items[0].Last, 0 // of the closes
	for i := range g.Items {
		it := &g.Items[i]
		idle[i] = it.V.idle
		first, last = min(first, it.Last), max(last, it.Last)
		if it.V.rst {
			rsts++
		}
	}
	slices.Sort(idle)
	mid, spread := idle[len(idle)/2], idle[len(idle)-1]-idle[0]
	k, n := g.Key, len(idle)
	f := g.Finding(k.subject())
	f.Severity, f.Blame = Note, BlameUnknown
	if rsts > 0 {
		f.SeenBy = sawAt(k.side^1, SawReset)
	}
	f.Metrics = Metrics{{"idle_seconds", seconds(mid)}, {"spread_seconds", seconds(spread)}, {"share", float64(n) / float64(total)}, {"resets", float64(rsts)}}
	f.Explanation = fmt.Sprintf("Of %d connections of %s that the %s closed, it closed %d when nothing had been said for %s (%s): an idle timeout, or a %s that waits so long.",
		total, k.server, k.owner(), n, span(mid), between(idle), k.owner())
	if last-first <= w.slack {
		f.Explanation += fmt.Sprintf(" These closes came within %s of each other: the end of a process would look the same.", span(last-first))
	}
	if d := w.defaultOf(mid); d != "" {
		f.Explanation += " " + d
	}
	x.Raise(f)
}
