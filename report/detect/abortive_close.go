package detect

import (
	"fmt"
	"slices"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// AbortiveClose: RST in place of FIN.
var AbortiveClose = &Detector{
	ID:    "abortive-close",
	Title: "an application ends connections by RST instead of FIN",
	Rule: "A RST at its sender's SND.NXT ends an established connection on which neither side had sent FIN: with ACK, or bare and answering nothing, " +
		"that is later than a round trip and 50 ms after the peer's last segment. Not one that leaves payload unread (close-with-unread-data), " +
		"nor after unanswered probes or repeats (half-open), nor one of a cluster of idle closes (idle-timeout).",
	Default: Note,
	Levels:  "warning from count connections that are the share of the service's closes",
	Subject: "service A:P, client side or server side",
	Blame:   "that side's application",
	Params: []Param{
		{"count", Count, 10, "connections that are a warning", "a lone RST is normal: about one connection in five ends by RST or timeout (Cloudflare on TCP resets and timeouts, 2024)"},
		{"share", Share, 0.2, "of the service's closes, together with count", "RSTs end 15-25 % of ordinary connections (study of a campus over a year)"},
		{"slack", Span, closeSlack, "beyond a round trip: later than that a bare RST answers nothing", "scheduling, delayed ACKs"},
	},
	Example: `stream 0 10.0.0.1:40000 → 10.0.0.2:80
isn 1000 9000
0      -- SYN 0 mss 1460 ->
0.01   <- SYN,ACK 0 ack 1 mss 1460 --
0.02   -- ACK 1 ack 1 ->
0.03   -- PSH,ACK 1:101(100) ack 1 ->
0.04   <- PSH,ACK 1:201(200) ack 101 --
0.05   -- ACK 101 ack 201 ->
1      -- RST,ACK 101 ack 201 ->`,
	Advice: "On the side that resets: look for SO_LINGER with a time of 0, for a process that was killed or crashed with data unread, and for clients that give up. " +
		"What it had sent and its peer not acknowledged is lost: close with shutdown and close, unless losing it is meant.",
	Sources:  []string{"RFC 9293 section 3.10.5", "Linux tcp_disconnect, tcp_close (SO_LINGER 0)", "oracle 10_linger0_abort"},
	Signs:    tracker.SignRst,
	Withheld: FlagsOnly,
	Lowered:  Missed, // a FIN before it, maybe
	New: func(s *Setup) Watcher {
		return &aborts{shared: s.shared, count: s.Count("count"), share: s.Value("share"), slack: s.Span("slack"),
			bag: Bag[serviceEnd, abortedAt]{words: abortProof, note: (*shorthand).aborted}}
	},
}

type aborts struct {
	*shared
	count int
	share float64
	slack int64
	bag   Bag[serviceEnd, abortedAt]
}

// abortedAt is one connection that was aborted.
type abortedAt struct {
	bare            bool
	idle, since     int64  // ns since the segment before, since the peer's
	mine, peer, rst uint64 // frames of both ends' latest segments, and of the RST
}

func (s *shorthand) aborted(v *abortedAt) {
	s.flags(&v.bare)
	s.signed(&v.idle)
	s.nearTime(&v.since, v.idle)
	s.frames(&v.mine, &v.peer, &v.rst)
}

func (w *aborts) Case(c *tracker.Case) {
	if c.Life.Close != tracker.Reset || c.Has(tracker.SignSelf|tracker.SignOneSided) {
		return
	}
	if !w.abort(c) {
		return
	}
	ev, i := c.Trail.Events, w.endingReset()
	r := &ev[i]
	x := r.From
	last := w.trail.before
	if last[0] < 0 || last[1] < 0 || !openBefore(c, i) || gaveUp(c, i) {
		return
	}
	mine, peer := &ev[last[x]], &ev[last[x^1]]
	v := abortedAt{!r.Has(capture.ACK), max(0, r.Time-max(mine.Time, peer.Time)), r.Time - peer.Time, mine.Frame, peer.Frame, r.Frame}
	switch {
	case v.bare && (v.since <= c.RTT(int(x), unmeasured)+w.slack || !c.Ends[x].Spoke):
		return // it may be an answer
	case v.bare:
	case !mine.SynAck() && mine.Window == 0:
		return // it has not read what it was sent
	case w.unread(c, w.slack) != nil && !(begun(c) && spokeFirst(c, x)):
		return // close-with-unread-data, or nobody knows
	}
	w.bag.AddAt(w.side(x), endOf(c, x), c, r.Time, r.Time, v, nil)
}

// abortProof lists the frames.
func abortProof(k serviceEnd, it *Item[abortedAt]) []Proof {
	v := &it.V
	text := "RST,ACK at SND.NXT"
	if v.bare {
		text = fmt.Sprintf("bare RST at SND.NXT, %s after the peer's last segment: it answers nothing", span(v.since))
	}
	first, second, who, whose := v.mine, v.peer, k.owner(), k.other()
	if second < first {
		first, second, who, whose = second, first, whose, who
	}
	return []Proof{
		{first, fmt.Sprintf("the %s's latest segment: ESTABLISHED, no FIN", who)},
		{second, fmt.Sprintf("the %s's latest segment: the same", whose)},
		{v.rst, fmt.Sprintf("%s: the %s aborts", text, k.owner())},
	}
}

// openBefore reports that both ends were ESTABLISHED when the RST i came: where
// the capture began mid-stream both have to have sent payload, or a FIN may have
// come before.
func openBefore(c *tracker.Case, i int) bool {
	r := &c.Trail.Events[i]
	for end := range 2 {
		if r.Before(end).State != tracker.Established || !begun(c) && c.Ends[end].FirstDataAt == 0 {
			return false
		}
	}
	return true
}

// gaveUp reports that the sender of the RST i had probed or repeated since the
// peer's last segment: nobody answered.
func gaveUp(c *tracker.Case, i int) bool {
	x := c.Trail.Events[i].From
	for j := i - 1; j >= 0; j-- {
		e := &c.Trail.Events[j]
		switch {
		case !own(e):
		case e.From != x:
			return false
		case e.Probe() || e.Again():
			return true
		}
	}
	return false
}

func (w *aborts) Findings(x *Context) {
	for _, g := range w.bag.Groups(x) {
		bare := 0
		idle := make([]int64, 0, len(g.Items))
		for i := range g.Items {
			v := &g.Items[i].V
			if v.bare {
				bare++
			}
			idle = append(idle, v.idle)
		}
		slices.Sort(idle)
		k := g.Key
		n, all := g.Count(), x.Service(k.server).Closed
		f := g.Finding(k.subject())
		f.Severity, f.Blame, f.SeenBy = Note, blameOf(k.side), sawAt(k.side^1, SawReset)
		share := float64(n) / float64(max(n, all))
		if n >= w.count && share >= w.share {
			f.Severity = Warning
		}
		f.Metrics = Metrics{{"share_of_closes", share}, {"closes", float64(max(n, all))}, {"bare", float64(bare)},
			{"idle_seconds_median", seconds(idle[len(idle)/2])}}
		f.Explanation = fmt.Sprintf("%s ended %d of %s by RST instead of FIN: linger 0, or a process that was killed, crashed or gave up. "+
			"The median time from the segment before to the RST was %s. The %s saw ECONNRESET.", capital(k.who()), n, plural(max(n, all), "closed connection"),
			span(idle[len(idle)/2]), k.other())
		x.Raise(f)
	}
}
