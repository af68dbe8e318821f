package detect

import (
	"fmt"
	"net/netip"
	"slices"

	"tcpstate/tracker"
)

// LastAckStuck: the one that closed first is gone when the other closes.
var LastAckStuck = &Detector{
	ID:    "last-ack-stuck",
	Title: "the last FIN finds the closer gone",
	Rule: "A side in CLOSE-WAIT sends its FIN and repeats it, and its peer, which closed first, answers a repeat by RST, or nothing " +
		"at all to the FIN and two repeats: it left FIN-WAIT-2 or TIME-WAIT early, or a middlebox did for it. " +
		"Where payload went with the FIN or before it to the side that had closed, it is reset-late-data.",
	Default: Note,
	Subject: "endpoint A:P: the service's",
	Blame:   "the peer, or a middlebox",
	Params: []Param{
		{"retransmissions", Count, 2, "repeats of the FIN that nothing answers", "a lost ACK is sent again for the first: oracle 24_lost_last_ack"},
	},
	Example: `stream 0 10.0.0.1:40000 → 10.0.0.2:80
isn 1000 9000
0      -- SYN 0 mss 1460 ->
0.01   <- SYN,ACK 0 ack 1 mss 1460 --
0.02   -- ACK 1 ack 1 ->
0.03   -- PSH,ACK 1:101(100) ack 1 ->
1      -- FIN,ACK 101 ack 1 ->
1.01   <- ACK 1 ack 102 --
40     <- FIN,ACK 1 ack 102 --
40.21  <- FIN,ACK 1 ack 102 --
40.63  <- FIN,ACK 1 ack 102 --`,
	Advice: "Harmless by itself: the side in LAST-ACK gives up after its repeats. Where it is frequent, let the application close sooner after end of file, within " +
		"net.ipv4.tcp_fin_timeout of its peer (60 s by default) and the idle time that firewalls between grant half-closed connections (net.netfilter.nf_conntrack_tcp_timeout_fin_wait, net.netfilter.nf_conntrack_tcp_timeout_close_wait).",
	Sources:  []string{"RFC 9293 section 3.6", "Linux tcp_fin_timeout, tcp_orphan_retries", "Linux nf_conntrack_proto_tcp (tcp_timeouts)", "oracle 24_lost_last_ack"},
	Signs:    tracker.SignFinAgain,
	Swallows: []string{"fin-unacked"},
	Withheld: FlagsOnly,
	New:      func(s *Setup) Watcher { return &lastAcks{again: s.Count("retransmissions")} },
}

type lastAcks struct {
	again int
	bag   Bag[netip.AddrPort, lastAck]
}

// lastAck is a FIN in LAST-ACK that found nobody.
type lastAck struct {
	side   uint8 // who sent it
	reset  bool  // a RST answered it
	waited int64 // ns in CLOSE-WAIT before
}

func (w *lastAcks) Case(c *tracker.Case) {
	if c.Has(tracker.SignSelf|tracker.SignOneSided) || c.Trail.Missing > 0 {
		return
	}
	for x := uint8(0); x < 2; x++ {
		if c.Ends[x].LateFrom != 0 {
			continue // what draws the RST is its payload: reset-late-data
		}
		// A repeat that leaves it out of LAST-ACK is a copy, of a FIN whose acknowledgment has come.
		fins := slices.DeleteFunc(repeatedFin(c, x), func(e *tracker.Event) bool { return !e.Confirmed(int(x), tracker.LastAck) })
		if len(fins) < 2 {
			continue
		}
		ev := c.Trail.Events
		var first, heard, rst *tracker.Event // the peer's FIN, its latest segment, its RST
		for i := range ev {
			e := &ev[i]
			switch {
			case !own(e) || e.From == x:
			case e.Rst():
				if rst == nil && e.Frame > fins[1].Frame && e.Seq == fins[0].Ack {
					rst = e
				}
			default:
				if e.Fin() && first == nil {
					first = e
				}
				heard = e
			}
		}
		if first == nil {
			continue
		}
		silent := len(fins) - 1
		for silent > 0 && fins[len(fins)-silent].Frame < heard.Frame {
			silent--
		}
		if rst == nil && silent < w.again {
			continue
		}
		last := fins[len(fins)-1].Time
		if rst != nil {
			last = max(last, rst.Time)
		}
		w.bag.Add(c.Addr(tracker.Server), c, fins[0].Time, last, lastAck{x, rst != nil, max(0, fins[0].Time-first.Time)}, func() []Proof {
			p := []Proof{{first.Frame, fmt.Sprintf("FIN: the %s closes", sideNames[x^1])}}
			if rst == nil {
				return append(p, finProof(fins, sideNames[x]+" closes, too", "nothing answers")...)
			}
			p = append(p, finProof(fins[:2], sideNames[x]+" closes, too", "no acknowledgment has come")...)
			return append(p, Proof{rst.Frame, fmt.Sprintf("RST: the %s knows nothing of the connection", sideNames[x^1])})
		})
	}
}

func (w *lastAcks) Findings(x *Context) {
	for _, g := range w.bag.Groups(x) {
		var by [2]int
		resets, longest := 0, int64(0)
		for i := range g.Items {
			v := &g.Items[i].V
			by[v.side]++
			longest = max(longest, v.waited)
			if v.reset {
				resets++
			}
		}
		f := g.Finding(Endpoint(g.Key))
		f.Severity = Note
		switch {
		case resets == 0:
			f.Blame = BlameMiddlebox
		case by[tracker.Client] > 0 && by[tracker.Server] > 0:
			f.Blame = BlameUnknown
		case by[tracker.Client] > 0:
			f.Blame = BlameServer
		default:
			f.Blame = BlameClient
		}
		f.Metrics = Metrics{{"by_client", float64(by[tracker.Client])}, {"by_server", float64(by[tracker.Server])},
			{"resets", float64(resets)}, {"close_wait_seconds_max", seconds(longest)}}
		f.Explanation = fmt.Sprintf("On %s with %s the side that closed second repeated its FIN and found the first gone: %d answered by RST, %d not at all. "+
			"It closed up to %s after its peer.", plural(f.Count, "connection"), g.Key, resets, f.Count-resets, span(longest))
		x.Raise(f)
	}
}
