package detect

import (
	"fmt"

	"tcpstate/reassembly"
	"tcpstate/tracker"
)

// ResetLateData: payload for a side that has closed for good.
var ResetLateData = &Detector{
	ID:    "reset-late-data",
	Title: "an application sends to a side that has closed, and draws RST",
	Rule: "One side sent FIN. The other acknowledged it, and sent new payload, in that segment or later, 1.5 round trips and 20 ms after the FIN " +
		"or later still (after it was acknowledged, where it or what is before it was lost); the first answered by RST. Payload that does not acknowledge the FIN was in flight, and is not this.",
	Default: Warning,
	Levels:  "note while the payload is 100 octets at most and not more than 1 s late: a TLS close_notify",
	Subject: "service A:P, client side or server side: who sent the payload",
	Blame:   "the application that sent the payload",
	Params: []Param{
		{"rtts", Factor, 1.5, "round trips after the FIN at least", "what comes sooner may have been on its way"},
		{"grace", Span, 0.02, "after the FIN at least", "scheduling of an application that was woken"},
		{"size", Count, 100, "octets beyond which it is a warning", "a TLS close_notify has 23 to 69"},
		{"late", Span, 1, "after the FIN, beyond which it is a warning", "the application had the time to see end of file"},
	},
	Example: `stream 0 10.0.0.1:40000 → 10.0.0.2:80
isn 1000 9000
0      -- SYN 0 mss 1460 ->
0.01   <- SYN,ACK 0 ack 1 mss 1460 --
0.02   -- ACK 1 ack 1 ->
0.03   -- PSH,ACK 1:101(100) ack 1 ->
0.04   <- ACK 1 ack 101 --
1      -- FIN,ACK 101 ack 1 ->
1.01   <- ACK 1 ack 102 --
3      <- PSH,ACK 1:501(500) ack 102 --
3.01   -- RST 102 ->`,
	Advice: "Of the side that sent the payload: read returned 0 long before, so stop sending and close. " +
		"Of the side that closed, if it still wants an answer: shutdown(SHUT_WR) instead of close, and read to the end of file.",
	Sources:  []string{"RFC 9293 section 3.10.4", "RFC 1122 section 4.2.2.13", "Linux tcp_rcv_state_process (TCPAbortOnData), tcp_reset", "oracle 06_close_wait_leak"},
	Signs:    tracker.SignLate,
	Withheld: FlagsOnly,
	Lowered:  Missed | Copied | Backwards, // the payload may have been sent before; how late it is is doubtful
	New: func(s *Setup) Watcher {
		return &lateData{rtts: s.Value("rtts"), grace: s.Span("grace"), size: uint64(s.Count("size")), late: s.Span("late")}
	},
}

type lateData struct {
	rtts  float64
	grace int64
	size  uint64
	late  int64
	bag   Bag[serviceEnd, latePayload]
}

// latePayload is what came after the FIN on one connection.
type latePayload struct {
	octets uint64
	late   int64 // ns after the FIN, the last of it
}

func (w *lateData) Case(c *tracker.Case) {
	if !c.Has(tracker.SignRst) || c.Has(tracker.SignSelf|tracker.SignOneSided) {
		return
	}
	for x := uint8(0); x < 2; x++ {
		if c.Ends[x^1].LateFrom != 0 {
			w.side(c, x)
		}
	}
}

// side looks for payload towards x after its FIN.
func (w *lateData) side(c *tracker.Case, x uint8) {
	var fin, ack, first, last *tracker.Event
	var v latePayload
	var from int64 // when the FIN came: where it or what is before it had to be repeated, when it was acknowledged
	repeated := false
	ev := c.Trail.Events
	for i := range ev {
		e := &ev[i]
		switch {
		case !own(e):
		case fin == nil:
			if e.Fin() && e.From == x {
				fin, from = e, e.Time
			}
		case e.From == x && e.Rst():
			if last == nil || e.Seq != uint32(fin.End()) || !e.Is(tracker.Own) {
				return
			}
			w.bag.Add(endOf(c, x^1), c, first.Time, e.Time, v, func() []Proof {
				p := []Proof{{fin.Frame, fmt.Sprintf("FIN: the %s closes", sideNames[x])}}
				if ack.Frame != first.Frame {
					p = append(p, Proof{ack.Frame, fmt.Sprintf("the %s acknowledges it", sideNames[x^1])})
				}
				return append(p, Proof{first.Frame, fmt.Sprintf("the %s sends %s, %s after the FIN", sideNames[x^1], plural(int(first.Len), "octet"), span(first.Time-from))},
					Proof{e.Frame, fmt.Sprintf("RST: the %s takes no more", sideNames[x])})
			})
			return
		case e.From == x:
			last = nil // it took what came before
			repeated = repeated || e.Again()
		case e.Rst() || !e.Is(tracker.AcksFin):
		default:
			if ack == nil {
				ack = e
				if repeated {
					from = e.Time
				}
			}
			grace := max(int64(w.rtts*float64(c.RTT(int(x^1), unmeasured))), w.grace)
			if !newPayload(e) || e.Class == reassembly.OutOfOrder || e.Time-from < grace {
				continue // what fills a hole was sent before
			}
			if first == nil {
				first = e
			}
			last = e
			v.octets += uint64(e.Len)
			v.late = e.Time - from
		}
	}
}

func (w *lateData) Findings(x *Context) {
	for _, g := range w.bag.Groups(x) {
		grave, most, latest := 0, uint64(0), int64(0)
		for i := range g.Items {
			v := &g.Items[i].V
			most, latest = max(most, v.octets), max(latest, v.late)
			if v.octets > w.size || v.late > w.late {
				grave++
			}
		}
		k := g.Key
		f := g.Finding(k.subject())
		f.Severity, f.Blame, f.SeenBy = Note, blameOf(k.side), sawAt(k.side, SawPipe)
		if grave > 0 {
			f.Severity = Warning
		}
		f.Metrics = Metrics{{"octets_max", float64(most)}, {"late_seconds_max", seconds(latest)}, {"beyond_close_notify", float64(grave)}}
		f.Explanation = fmt.Sprintf("On %s %s acknowledged the %s's FIN and then sent payload, up to %s and up to %s after that FIN, which drew RST: "+
			"the payload is lost, and the next write fails with EPIPE.", plural(f.Count, "connection"), k.who(), k.other(), plural(int(most), "octet"), span(latest))
		if grave == 0 {
			f.Explanation += " All of it is as small and as soon as a TLS close_notify, which does no harm."
		}
		x.Raise(f)
	}
}
