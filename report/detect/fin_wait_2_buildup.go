package detect

import (
	"fmt"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// FinWait2Buildup: what close-wait-buildup is where the side in CLOSE-WAIT was
// not captured.
var FinWait2Buildup = &Detector{
	ID:    "fin-wait-2-buildup",
	Title: "closers wait for a FIN that does not come",
	Rule: "Of a connection only one direction was captured. Its sender sent a FIN and did not repeat it, so it was acknowledged; and for " +
		"the age it sent nothing more, which the peer's FIN would have drawn. That it closed first is proven where its FIN acknowledges no more than the " +
		"peer's SYN, or where it answers by RST what the peer sent after the age. " +
		"Otherwise the FIN may have answered the peer's, which was not captured: such a connection counts, for a note, only where what the FIN " +
		"acknowledges had been acknowledged a second before or longer, and by more than the one octet of a FIN. " +
		"With both directions captured it is close-wait-buildup.",
	Default: Warning,
	Levels:  "note where no connection proves that this side closed first",
	Subject: "service A:P, client side or server side: the closers'",
	Blame:   "the peer's application",
	Params: []Param{
		{"age", Span, 60, "how long nothing follows the FIN", "net.ipv4.tcp_fin_timeout, after which the socket is gone"},
	},
	Example: `#! end 70s
stream 0 10.0.0.1:40000 → 10.0.0.2:80
isn 1000 9000
0      -- SYN 0 mss 1460 ->
0.01   -- ACK 1 ack 1 ->
0.02   -- PSH,ACK 1:101(100) ack 1 ->
5      -- FIN,ACK 101 ack 1 ->`,
	Advice: "See the peer's sockets (\"ss -tnp state close-wait\" there), or capture both directions: its application has to close " +
		"when read returns 0. On the closers' side net.ipv4.tcp_fin_timeout bounds FIN-WAIT-2 of sockets that no process holds; it does not shorten TIME-WAIT.",
	Sources: []string{"RFC 9293 section 3.6", "Linux tcp_fin_timeout, tcp_time_wait", "oracle 06_close_wait_leak, one direction"},
	Signs:   tracker.SignOneSided,
	Lowered: Missed | Backwards, Withheld: FlagsOnly,
	New: func(s *Setup) Watcher { return &finWaits{age: s.Span("age")} },
}

type finWaits struct {
	age            int64
	proven, likely Bag[serviceEnd, finWait]
}

// finWait is a closer's wait for the FIN of its peer.
type finWait struct {
	interval
	open bool // it may go on after the capture
}

// answeredLong is how long ago an acknowledgment was sent for the FIN with the same
// number not to be the answer to what drew it.
const answeredLong = 1e9

func (w *finWaits) Case(c *tracker.Case) {
	if !c.Has(tracker.SignFin) || c.Has(tracker.SignSelf|tracker.SignFinAgain) || c.Life.Continues >= 0 || c.Trail.Missing > 0 {
		return
	}
	x := uint8(tracker.Client)
	if c.Ends[x].Segments == 0 {
		x = tracker.Server
	}
	ev := c.Trail.Events
	at := 0
	for at < len(ev) && !(own(&ev[at]) && ev[at].Fin()) {
		at++
	}
	if at == len(ev) {
		return
	}
	fin := &ev[at]
	v := finWait{interval: interval{fin.Time, c.Now}, open: true}
	earlier := nothingBefore(ev, at)
	proven := earlier != nil
	var rst *tracker.Event
	if at+1 < len(ev) {
		e := &ev[at+1]
		v.leave, v.open = e.Time, false
		if e.Rst() && !e.Has(capture.ACK) && e.Seq == uint32(fin.End()) {
			rst, proven = e, true
		}
	}
	if !proven {
		earlier = saidBefore(ev, at)
	}
	if v.lasted() < w.age || !proven && earlier == nil {
		return
	}
	bag := &w.likely
	if proven {
		bag = &w.proven
	}
	bag.Add(endOf(c, x), c, v.enter, v.leave, v, func() []Proof {
		var p []Proof
		switch {
		case earlier != nil && proven:
			p = append(p, Proof{earlier.Frame, fmt.Sprintf("acknowledges the %s's SYN", sideNames[x^1])})
		case earlier != nil:
			p = append(p, Proof{earlier.Frame, fmt.Sprintf("acknowledges as much as the FIN does, %s before it", span(fin.Time-earlier.Time))})
		}
		text := fmt.Sprintf("FIN: the %s closes", sideNames[x])
		if earlier != nil && proven {
			text += " first: nothing more was acknowledged"
		}
		p = append(p, Proof{fin.Frame, text + "; no repeat, nothing follows"})
		if rst != nil {
			p = append(p, Proof{rst.Frame, fmt.Sprintf("RST %s later: the %s had not closed, and sent something too late", span(rst.Time-fin.Time), sideNames[x^1])})
		}
		return p
	})
}

// nothingBefore returns the segment that acknowledges the peer's SYN, if the FIN
// acknowledges no more: then the peer had sent no FIN that it might answer.
func nothingBefore(ev []tracker.Event, fin int) *tracker.Event {
	var syn *tracker.Event
	for i := range ev[:fin] {
		e := &ev[i]
		switch {
		case !own(e):
		case e.Syn():
			syn = e
		case e.SynAck(), syn != nil && e.Plain() && e.Seq == uint32(syn.End()) && e.Len == 0:
			if e.Ack == ev[fin].Ack {
				return e
			}
			return nil
		default:
			return nil // the handshake was not seen
		}
	}
	return nil
}

// saidBefore returns the segment that acknowledged what the FIN does, if it was
// sent long before, and acknowledged more than the one octet that a FIN is.
func saidBefore(ev []tracker.Event, fin int) *tracker.Event {
	f := &ev[fin]
	var since *tracker.Event
	for i := fin - 1; i >= 0; i-- {
		e := &ev[i]
		switch {
		case !plainAck(e):
		case e.Ack == f.Ack:
			since = e
		case since != nil && f.Time-since.Time >= answeredLong && f.Ack-e.Ack != 1:
			return since
		default:
			return nil
		}
	}
	return nil
}

func (w *finWaits) Findings(x *Context) {
	likely := w.likely.Groups(x)
	more := map[serviceEnd]int{}
	for _, g := range likely {
		more[g.Key] = g.Count()
	}
	told := map[serviceEnd]bool{}
	for _, g := range w.proven.Groups(x) {
		told[g.Key] = true
		w.raise(x, g, true, more[g.Key])
	}
	for _, g := range likely {
		if !told[g.Key] {
			w.raise(x, g, false, 0)
		}
	}
}

// raise tells of a side that is proven to have closed first, beside more that
// may have, or of one that is not.
func (w *finWaits) raise(x *Context, g *Group[serviceEnd, finWait], proven bool, more int) {
	var all []interval
	var oldest *finWait
	left := 0
	for i := range g.Items {
		v := &g.Items[i].V
		if oldest == nil || v.lasted() > oldest.lasted() {
			oldest = v
		}
		iv := v.interval
		if v.open && v.leave >= x.End() {
			iv.leave = x.End() + 1
			left++
		}
		all = append(all, iv)
	}
	peak, at, came := sweep(all)
	k := g.Key
	f := g.Finding(k.subject())
	f.Severity, f.Blame = Warning, blameOf(k.side^1)
	f.Metrics = Metrics{{"peak", float64(peak)}, {"peak_at_seconds", seconds(at - x.Start())},
		{"growth_per_minute", perMinute(came, g.First(), at)}, {"oldest_seconds", seconds(oldest.lasted())},
		{"left_at_end", float64(left)}, {"unproven", float64(more)}}
	age := span(oldest.lasted())
	if oldest.open {
		age = "≥ " + age
	}
	f.Explanation = fmt.Sprintf("On %s %s closed, and no FIN of the %s followed in %s", plural(f.Count, "connection"), k.who(), k.other(), age)
	if f.Count > 1 {
		f.Explanation += fmt.Sprintf(" on the oldest; up to %d waited at once, at %s", peak, clock(at))
	}
	f.Explanation += fmt.Sprintf(". The FIN was not repeated, so it was acknowledged; what the %s sends was not captured.", k.other())
	switch {
	case !proven:
		f.Severity = Note
		f.Explanation += fmt.Sprintf(" Lowered from warning: in one direction it cannot be seen whether the %s had closed first.", k.other())
	case more > 0:
		f.Explanation += fmt.Sprintf(" The same is likely on %s, where the %s may have closed first.", plural(more, "other connection"), k.other())
	}
	x.Raise(f)
}
