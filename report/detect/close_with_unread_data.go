package detect

import (
	"fmt"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// CloseWithUnreadData: close() turns into RST, for data was not read.
var CloseWithUnreadData = &Detector{
	ID:    "close-with-unread-data",
	Title: "an application closes without having read what it was sent",
	Rule: "RST,ACK at its sender's SND.NXT within a round trip and 50 ms of payload that it was sent, after which it sent none. It had sent no FIN; " +
		"its peer none either, or after that payload. It is not the side that spoke first on this connection: " +
		"for that side the payload is its answer (abortive-close). A bare RST is of half-open.",
	Default: Warning,
	Levels:  "note for a single connection of the service, and where what is unread is at most as long as a TLS close_notify before the peer's FIN",
	Subject: "service A:P, client side or server side",
	Blame:   "that side's application",
	Params: []Param{
		{"count", Count, 2, "connections that are a warning", "one may be chance"},
		{"slack", Span, closeSlack, "beyond a round trip from the payload to the RST", "scheduling; oracle 11_close_unread resets after 20 ms"},
	},
	Example: `#! repeat 2 every 1s
stream 0 10.0.0.1:40000 → 10.0.0.2:80
isn 1000 9000
0      -- SYN 0 mss 1460 ->
0.01   <- SYN,ACK 0 ack 1 mss 1460 --
0.02   -- ACK 1 ack 1 ->
0.03   -- PSH,ACK 1:1001(1000) ack 1 ->
0.04   <- ACK 1 ack 1001 --
0.05   <- RST,ACK 1 ack 1001 --`,
	Advice: "On the side that resets, the application has to read to the end of file before it closes: shutdown(SHUT_WR), read until 0, close. " +
		"A kernel that drops unread payload has to send RST (RFC 2525 section 2.17), and the peer may lose what was last sent to it, such as an error message.",
	Sources:  []string{"RFC 2525 section 2.17", "RFC 9293 section 3.10.4", "Linux tcp_close (TCPAbortOnClose)", "oracle 11_close_unread"},
	Signs:    tracker.SignRst,
	Swallows: []string{"reset-after-accept"}, // what was unread says more than how soon
	Withheld: FlagsOnly,
	Lowered:  Missed, // an answer, maybe
	New: func(s *Setup) Watcher {
		return &unreadCloses{shared: s.shared, count: s.Count("count"), slack: s.Span("slack"), bag: Bag[serviceEnd, unreadClose]{words: unreadProof, note: (*shorthand).unread}}
	},
}

type unreadCloses struct {
	*shared
	count int
	slack int64
	bag   Bag[serviceEnd, unreadClose]
}

// unreadClose is one connection.
type unreadClose struct {
	octets uint32 // the payload that came last
	alert  bool   // it may be a TLS close_notify
	closes bool   // FIN came with it
	after  int64  // ns from it to the RST
	// Frames: of that payload, of a FIN that came later or 0, of the RST.
	payload, fin, rst uint64
}

func (s *shorthand) unread(v *unreadClose) {
	s.flags(&v.alert, &v.closes)
	s.count(&v.octets)
	s.signed(&v.after)
	s.frames(&v.payload, &v.fin, &v.rst)
}

// closeNotify is the length of a TLS close_notify as a record, at most: with the
// cipher suites of today 23, 24 or 31 octets (RFC 8446 section 5.2, RFC 5246 section 6.2.3.3).
const closeNotify = 31

func (w *unreadCloses) Case(c *tracker.Case) {
	if c.Life.Close != tracker.Reset || !begun(c) || c.Has(tracker.SignSelf|tracker.SignOneSided) {
		return
	}
	if !w.abort(c) {
		return
	}
	ev, i := c.Trail.Events, w.endingReset()
	r := &ev[i]
	x := r.From
	if !r.Has(capture.ACK) || spokeFirst(c, x) || c.Ends[x].Unseen > 0 {
		return // it spoke first, or said something that was not captured
	}
	p := w.unread(c, w.slack)
	if p == nil {
		return
	}
	var fin *tracker.Event
	for j := range ev[:i] {
		if w.trail.fin < 0 {
			break
		}
		if e := &ev[j]; own(e) && e.Fin() {
			if e.From == x || e.Frame < p.Frame {
				return
			}
			if fin == nil {
				fin = e
			}
		}
	}
	if st := r.Before(int(x)).State; st != tracker.Established && (st != tracker.CloseWait || fin == nil) {
		return
	}
	v := unreadClose{octets: p.Len, alert: fin != nil && p.Len <= closeNotify, closes: p.Fin(), after: r.Time - p.Time, payload: p.Frame, rst: r.Frame}
	if fin != nil && fin.Frame > p.Frame {
		v.fin = fin.Frame
	}
	w.bag.AddAt(w.side(x), endOf(c, x), c, p.Time, r.Time, v, nil)
}

// unreadProof lists the frames.
func unreadProof(k serviceEnd, it *Item[unreadClose]) []Proof {
	v := &it.V
	text := fmt.Sprintf("%s for the %s", plural(int(v.octets), "octet"), k.owner())
	if v.closes {
		text += ", and FIN"
	}
	all := []Proof{{v.payload, text}}
	if v.fin != 0 {
		all = append(all, Proof{v.fin, fmt.Sprintf("FIN: the %s closes", k.other())})
	}
	return append(all, Proof{v.rst, fmt.Sprintf("RST,ACK at SND.NXT, %s later: the %s closes without having read them", span(v.after), k.owner())})
}

func (w *unreadCloses) Findings(x *Context) {
	for _, g := range w.bag.Groups(x) {
		alerts, slowest := 0, int64(0)
		for i := range g.Items {
			v := &g.Items[i].V
			slowest = max(slowest, v.after)
			if v.alert {
				alerts++
			}
		}
		k := g.Key
		f := g.Finding(k.subject())
		f.Severity, f.Blame, f.SeenBy = Note, blameOf(k.side), sawAt(k.side^1, SawReset)
		if g.Count()-alerts >= w.count {
			f.Severity = Warning
		}
		f.Metrics = Metrics{{"after_seconds_max", seconds(slowest)}, {"close_notify_sized", float64(alerts)},
			{"share_of_closes", float64(f.Count) / float64(max(f.Count, x.Service(k.server).Closed))}}
		f.Explanation = fmt.Sprintf("%s closed %s within %s of being sent payload, having answered none of it: the kernel drops what was not read and says so by RST,ACK. "+
			"The %s saw ECONNRESET.", capital(k.who()), plural(f.Count, "connection"), span(slowest), k.other())
		if alerts > 0 {
			f.Explanation += fmt.Sprintf(" On %d of them it was no more than a TLS close_notify before the FIN, which does no harm.", alerts)
		}
		x.Raise(f)
	}
}
