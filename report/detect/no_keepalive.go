package detect

import (
	"fmt"
	"net/netip"

	"tcpstate/tracker"
)

// NoKeepalive: connections that stand idle, and nobody asks whether the other
// end is still there.
var NoKeepalive = &Detector{
	ID:    "no-keepalive",
	Title: "connections stand idle for long without keepalive probes",
	Rule: "On an open connection, both of whose ends were seen to be synchronised, no segment passes for at least the age, and neither side ever probes. " +
		"The time to the capture's end counts where neither end has closed.",
	Default: Note,
	Subject: "server A:P",
	Blame:   "unknown",
	Params: []Param{
		{"age", Span, 600, "how long a connection is idle", "the shorter idle timeouts of firewalls and load balancers (Azure 4 min, AWS 350 s, Google Cloud 10 min)"},
	},
	Example: `stream 0 10.0.0.1:40000 → 10.0.0.2:5432
isn 1000 9000
0      -- SYN 0 mss 1460 ->
0.01   <- SYN,ACK 0 ack 1 mss 1460 --
0.02   -- ACK 1 ack 1 ->
0.03   -- PSH,ACK 1:101(100) ack 1 ->
0.04   <- PSH,ACK 1:101(100) ack 101 --
0.05   -- ACK 101 ack 101 ->
900    -- PSH,ACK 101:201(100) ack 101 ->
900.01 <- PSH,ACK 101:201(100) ack 201 --`,
	Advice: "Where a NAT, firewall or load balancer lies between, let one side set SO_KEEPALIVE with a TCP_KEEPIDLE below the shortest idle timeout on the path, " +
		"or let the protocol send its own heartbeat. Linux's net.ipv4.tcp_keepalive_time (7200 s, then 9 probes 75 s apart) is for sockets that set SO_KEEPALIVE only, " +
		"and too long for most of them.",
	Sources:  []string{"RFC 9293 section 3.8.4", "RFC 5382 REQ-5 (2 h 4 min)", "tcp(7)"},
	Signs:    tracker.SignIdle | tracker.SignOpen,
	Withheld: FlagsOnly | OneDirection,
	New:      func(s *Setup) Watcher { return &noKeepalive{age: s.Span("age")} },
}

type noKeepalive struct {
	age int64
	bag Bag[netip.AddrPort, silence]
}

// silence is the longest of one life.
type silence struct {
	idle int64
	open bool // until the capture's end
}

func (w *noKeepalive) Case(c *tracker.Case) {
	l := c.Life
	a, b := &c.Ends[tracker.Client], &c.Ends[tracker.Server]
	if !a.Spoke || !b.Spoke || a.Probes+b.Probes > 0 || c.Has(tracker.SignOneSided|tracker.SignSelf) {
		return
	}
	v := silence{idle: c.Idle}
	from, to := c.IdleFrames[0], c.IdleFrames[1]
	if l.CloseAt != 0 && l.CloseAt <= from {
		v.idle = 0 // it was closed by then
	}
	if d := c.Now - l.End; d > v.idle && c.Has(tracker.SignOpen) && l.CloseAt == 0 && !repeats(c) {
		v, from, to = silence{d, true}, l.LastFrame, 0
	}
	if v.idle < w.age {
		return
	}
	at := l.End
	if !v.open {
		if e := eventOf(c, to); e != nil {
			at = e.Time - v.idle
		}
	}
	w.bag.Add(c.Addr(tracker.Server), c, at, at+v.idle, v, func() []Proof {
		if v.open {
			return []Proof{{from, fmt.Sprintf("the last segment; none follows for %s, to the end of the capture", span(v.idle))}}
		}
		return []Proof{{from, "the last segment before the silence"}, {to, fmt.Sprintf("the next one, %s later", span(v.idle))}}
	})
}

// slips: an ordinary life was closed before it stood idle for long.
func (w *noKeepalive) slips([]slip) {}

// trails are the signs of lives of which the trail tells when they were idle.
func (w *noKeepalive) trails() tracker.Sign {
	if w.age < idleSign {
		return tracker.SignOpen
	}
	return tracker.SignIdle
}

// repeats reports that the latest segment is a repeat or probe: somebody waits
// for an answer, so that the connection is not idle.
func repeats(c *tracker.Case) bool {
	ev := c.Trail.Events
	if len(ev) == 0 {
		return false
	}
	e := &ev[len(ev)-1]
	return e.Frame == c.Life.LastFrame && (e.Again() || e.Probe())
}

func (w *noKeepalive) Findings(x *Context) {
	for _, g := range w.bag.Groups(x) {
		// A live capture's clock goes on where packets do not.
		g.Keep(func(it *Item[silence]) bool { return !it.V.open || x.End()-it.At >= w.age })
		if len(g.Items) == 0 {
			continue
		}
		longest, open := int64(0), 0
		for i := range g.Items {
			it := &g.Items[i]
			if it.V.open {
				it.V.idle, it.Last = x.End()-it.At, x.End()
				open++
			}
			longest = max(longest, it.V.idle)
		}
		f := g.Finding(Server(g.Key))
		f.Severity, f.Blame = Note, BlameUnknown
		f.Metrics = Metrics{{"idle_seconds", seconds(longest)}, {"to_the_end", float64(open)}}
		f.Explanation = fmt.Sprintf("%s to %s stood idle for %s or more, the longest for %s, and neither side sent a keepalive probe. "+
			"If what stands between forgets the connection, or one end goes away, the other will not notice before it sends again.",
			plural(g.Count(), "connection"), g.Key, span(w.age), span(longest))
		x.Raise(f)
	}
}
