package detect

import (
	"fmt"
	"net/netip"
	"slices"

	"tcpstate/capture"
	"tcpstate/reassembly"
	"tcpstate/tracker"
)

// KeepaliveRace: a request that meets the close of the idle connection it is sent on.
var KeepaliveRace = &Detector{
	ID:    "keepalive-race",
	Title: "requests meet the close of the idle connection they are sent on",
	Rule: "A server that had answered before closes an idle connection: its FIN comes more than a round trip after its last payload. A new request of the client " +
		"passes within one round trip of that FIN, and the two cross: the request acknowledges all answers but not the FIN, the FIN does not acknowledge the request. " +
		"No answer comes, and then the server's RST. A request that acknowledges the FIN was sent after it came: see reset-late-data.",
	Default: Warning,
	Subject: "service A:P, server side",
	Blame:   "both: the server closes idle connections sooner than its clients expect",
	Example: `stream 0 10.0.0.1:40000 → 10.0.0.2:80
isn 1000 9000
0      -- SYN 0 mss 1460 ->
0.02   <- SYN,ACK 0 ack 1 mss 1460 --
0.04   -- ACK 1 ack 1 ->
0.05   -- PSH,ACK 1:101(100) ack 1 ->
0.07   <- PSH,ACK 1:1001(1000) ack 101 --
0.08   -- ACK 101 ack 1001 ->
5.07   <- FIN,ACK 1001 ack 101 --
5.08   -- PSH,ACK 101:201(100) ack 1001 ->
5.081  <- RST 1002 --`,
	Advice: "Let the side that sends requests (client, proxy, connection pool) give up idle connections first: its idle timeout has to be shorter than the server's " +
		"keep-alive timeout, by more than a round trip. Raise the server's where the client's cannot be lowered, and let clients repeat idempotent requests once on a " +
		"fresh connection (RFC 9112 section 9.3.1).",
	Sources:  []string{"RFC 9112 sections 9.3.1 and 9.5", "Linux tcp_rcv_state_process (data after close: RST)"},
	Signs:    tracker.SignRst,
	Withheld: FlagsOnly | OneDirection,
	Lowered:  Missed,
	New:      func(s *Setup) Watcher { return &keepaliveRace{shared: s.shared} },
}

type keepaliveRace struct {
	*shared
	bag Bag[netip.AddrPort, race]
}

// race is one request lost.
type race struct {
	idle  int64 // of the server's before its FIN
	apart int64 // request and FIN
}

func (w *keepaliveRace) Case(c *tracker.Case) {
	if !c.Has(tracker.SignFin) || c.Has(tracker.SignSelf|tracker.SignOneSided) {
		return
	}
	ev := c.Trail.Events
	f := int(w.trail.fin)
	if f < 0 || ev[f].From != tracker.Server || ev[f].Len > 0 || !ev[f].Has(capture.ACK) {
		return
	}
	fin := &ev[f]
	rtt := c.Path()
	if rtt == 0 {
		rtt = unmeasured
	}
	answer := latest(ev, f, func(e *tracker.Event) bool { return e.From == tracker.Server && newPayload(e) })
	if answer == nil || fin.Time-answer.Time <= rtt {
		return // it had not been idle
	}
	var request, rst *tracker.Event
	for i := range ev {
		e := &ev[i]
		switch {
		case !own(e):
		case e.From == tracker.Server && i > f && newPayload(e):
			return // it goes on
		case e.From == tracker.Client && request == nil && newPayload(e) && inFlight(e, fin, answer, rtt):
			request = e
		case e.From == tracker.Server && e.Rst() && e.Is(tracker.Own) && i > f && request != nil && rst == nil:
			rst = e
		}
	}
	if rst == nil {
		return
	}
	last := answer.Time
	w.bag.Add(c.Addr(tracker.Server), c, min(fin.Time, request.Time), rst.Time, race{fin.Time - last, abs(request.Time - fin.Time)}, func() []Proof {
		return proofOf(
			frame{answer.Frame, "the server's last answer"},
			frame{fin.Frame, fmt.Sprintf("FIN: the server closes after %s of silence", span(fin.Time-last))},
			frame{request.Frame, fmt.Sprintf("request of %s, %s from the FIN", plural(int(request.Len), "octet"), span(abs(request.Time-fin.Time)))},
			frame{rst.Frame, "RST: the server has closed, the request is lost"})
	})
}

// inFlight reports that a request was on its way when the server closed: its
// client had all answers, and not the FIN (oracle 36_soak has some that had it).
func inFlight(e, fin, answer *tracker.Event, rtt int64) bool {
	return abs(e.Time-fin.Time) <= rtt && e.Time > answer.Time && e.Has(capture.ACK) &&
		e.Ack == fin.Seq && reassembly.Seq(fin.Ack).LessEq(reassembly.Seq(e.Seq))
}

func (w *keepaliveRace) Findings(x *Context) {
	for _, g := range w.bag.Groups(x) {
		idle := make([]int64, len(g.Items))
		for i := range g.Items {
			idle[i] = g.Items[i].V.idle
		}
		slices.Sort(idle)
		mid := idle[len(idle)/2]
		f := g.Finding(Service(g.Key, tracker.Server))
		f.Severity, f.Blame = Warning, BlameClient
		f.SeenBy.Client = SawReset
		f.Metrics = Metrics{{"idle_seconds", seconds(mid)}}
		f.Explanation = fmt.Sprintf("A request to %s met the server's FIN: the server closed a connection that had been idle for %s just as the client sent another request on it. "+
			"The request was answered by RST and is lost.", g.Key, span(mid))
		if g.Count() > 1 {
			f.Explanation = fmt.Sprintf("%d requests to %s met the server's FIN: the server closed connections that had been idle for %s just as the client sent another request on them. "+
				"The requests were answered by RST and are lost.", g.Count(), g.Key, span(mid))
		}
		x.Raise(f)
	}
}
