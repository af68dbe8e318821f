package detect

import (
	"fmt"

	"tcpstate/tracker"
)

// MiddleboxStateExpired: something between forgot an idle connection.
var MiddleboxStateExpired = &Detector{
	ID:    "middlebox-state-expired",
	Title: "a NAT, firewall or load balancer forgot an idle connection",
	Rule: "Both sides had sent payload; after the idle time, payload is repeated the number of times without any answer, or answered by a RST whose TTL differs " +
		"by more than 2 from the peer's usual one, or at all from that of every other segment of the peer; and a fresh connection between the same hosts, begun from then to within the time after the last repeat, " +
		"opens at the first attempt and is answered. An ICMP error instead of silence is another finding.",
	Default: Warning,
	Subject: "host A → B",
	Blame:   "middlebox",
	Params: []Param{
		{"idle", Span, 30, "silence before the payload", "below the shortest idle timeouts of boxes for open connections"},
		{"retransmissions", Count, 2, "repeats without an answer", "one may be lost"},
		{"within", Span, 60, "how long after the last repeat a fresh connection may begin", "people and programs try again at once; later, an outage may be over"},
	},
	Example: `stream 0 10.0.0.1:40000 → 10.0.0.2:80
isn 1000 9000
0      -- SYN 0 mss 1460 ->
0.02   <- SYN,ACK 0 ack 1 mss 1460 --
0.04   -- ACK 1 ack 1 ->
0.05   -- PSH,ACK 1:101(100) ack 1 ->
0.07   <- PSH,ACK 1:1001(1000) ack 101 --
0.08   -- ACK 101 ack 1001 ->
400.08 -- PSH,ACK 101:201(100) ack 1001 ->
400.38 -- PSH,ACK 101:201(100) ack 1001 ->
400.98 -- PSH,ACK 101:201(100) ack 1001 ->
stream 1 10.0.0.1:40007 → 10.0.0.2:80
isn 3000 7000
402    -- SYN 0 mss 1460 ->
402.02 <- SYN,ACK 0 ack 1 mss 1460 --
402.04 -- ACK 1 ack 1 ->
402.05 -- PSH,ACK 1:101(100) ack 1 ->
402.07 <- PSH,ACK 1:1001(1000) ack 101 --`,
	Advice: "Let the idle side keep the state alive: SO_KEEPALIVE with a TCP_KEEPIDLE well below the idle timeout, or a heartbeat of the application " +
		"(Linux's default net.ipv4.tcp_keepalive_time of 7200 s is too long for most boxes). Or raise the box's idle timeout; RFC 5382 asks for 2 h 4 min at least. " +
		"A box that sends RST when it forgets spares its users the wait for retransmissions.",
	Sources:  []string{"RFC 5382 REQ-5", "Linux nf_conntrack_tcp_timeout_established", "AWS, Azure, Google Cloud: documented idle timeouts of 350 s, 4 min, 10 min"},
	Signs:    tracker.SignLife,
	Swallows: []string{"half-open"}, // both ends are alive
	Withheld: FlagsOnly | OneDirection,
	Lowered:  Missed,
	New: func(s *Setup) Watcher {
		w := &middleboxStateExpired{newDeaths(s)}
		s.shared.deaths = &w.deaths
		return w
	},
}

type middleboxStateExpired struct{ deaths }

func (w *middleboxStateExpired) Case(c *tracker.Case) { w.note(c) }

func (w *middleboxStateExpired) fetch(lives []slip) (n uint64) {
	if w.latest == nil {
		return 0
	}
	for i := range lives {
		n += w.latest[slotKey(lives[i].pair, lives[i].start)%metSets][0].key
	}
	return n
}

func (w *middleboxStateExpired) slips(lives []slip) {
	const opened = tracker.SignSyn | tracker.SignDone
	for i := range lives {
		if l := &lives[i]; l.signs&opened == opened && l.speaks != 0 {
			w.revivals.add(fresh{Ref: l.Ref, pair: l.pair, at: l.start, syn: l.first, speaks: l.speaks})
		}
	}
}

// trails are the signs of lives that may have died while they were idle.
func (w *middleboxStateExpired) trails() tracker.Sign {
	if w.idle < idleSign {
		return tracker.SignLife
	}
	return tracker.SignIdle
}

func (w *middleboxStateExpired) Findings(x *Context) {
	for _, g := range w.confirmed(x) {
		shortest, longest, rsts := g.Items[0].V.idle, int64(0), 0
		for i := range g.Items {
			v := &g.Items[i].V
			shortest, longest = min(shortest, v.idle), max(longest, v.idle)
			if v.rst != 0 {
				rsts++
			}
		}
		g.prove(func(it *Item[death]) []Proof { return it.V.proof() })
		f := g.Finding(Hosts(g.Key.from, g.Key.to))
		f.Severity, f.Blame = Warning, BlameMiddlebox
		first := &g.Items[0].V
		back, _ := w.revived(first)
		f.Evidence.show(back.proven())
		if rsts > 0 {
			side := tracker.Client
			if first.from == first.server.Addr() {
				side = tracker.Server
			}
			f.SeenBy = sawAt(side, SawReset)
		}
		f.Metrics = Metrics{{"idle_seconds", seconds(shortest)}, {"longest_idle_seconds", seconds(longest)}, {"resets", float64(rsts)},
			{"fresh_after_seconds", seconds(back.at - first.at)}}
		f.Explanation = fmt.Sprintf("%s from %s to %s died while idle: after %s of silence, payload got no answer", plural(g.Count(), "connection"), g.Key.from, g.Key.to, span(shortest))
		switch {
		case rsts == len(g.Items):
			f.Explanation += " but a RST that somebody else sent in the peer's name"
		case rsts > 0:
			f.Explanation += fmt.Sprintf(", or on %d only a RST that somebody else sent in the peer's name", rsts)
		}
		f.Explanation += fmt.Sprintf(". A fresh connection between the two hosts opened at the first attempt %s later: the path and the host are alive, and something between them had forgotten the flow.",
			span(back.at-first.at))
		x.Raise(f)
	}
}

// proof shows how the flow died.
func (d *death) proof() []Proof {
	p := []frame{{d.before, "the last segment before the silence"}, {d.payload, fmt.Sprintf("payload after %s of silence", span(d.idle))},
		{d.again[0], "again"}, {d.again[1], "and again: no answer"}}
	if d.rst != 0 {
		p = append(p, frame{d.rst, fmt.Sprintf("RST with TTL %d; the peer's segments come with %d", d.ttl, d.usual)})
	}
	return proofOf(p...)
}

// proven shows that the hosts reach each other.
func (f *fresh) proven() Proven {
	return Proven{ID: f.ID, Incarnation: f.Incarnation, Frames: []Proof{
		{f.syn, "SYN of a fresh connection between the same hosts"}, {f.speaks, "it is open: the server speaks"}}}
}

// show adds a connection to the evidence that the finding needs but does not
// count. Where there is no room it takes the place of the last one.
func (e *Evidence) show(p Proven) {
	if n := len(e.Connections); n == maxShown {
		e.Connections[n-1] = p
		return
	}
	e.Connections = append(e.Connections, p)
	e.Total++
}
