package detect

import (
	"fmt"
	"net/netip"

	"tcpstate/tracker"
)

// SynUnanswered: a port that answers nobody.
var SynUnanswered = &Detector{
	ID:    "syn-unanswered",
	Title: "nobody answers on the port",
	Rule: "A SYN was repeated at least retransmissions times, or once and is age old when the capture ends, and neither SYN,ACK nor RST " +
		"nor any other segment came back. A SYN without a repeat is nothing: a scan, a sampled or filtered capture, the loser of a dual-stack " +
		"connect (RFC 8305). Not where the port answered other SYNs within 10 s (that is syn-queue-overflow), nor for a server whose segments the " +
		"capture does not show, nor where it holds bare SYNs only and most of them were not repeated.",
	Default: Warning,
	Subject: "server A:P",
	Blame:   "network or server",
	Params: []Param{
		{"retransmissions", Count, 2, "repeats of a SYN from which on its age does not matter", "one loss on the way is ordinary, two in a row are not (RFC 6298 section 5)"},
		{"age", Span, 3, "age of a SYN that was repeated once", "Linux has sent two repeats by then: tcp_syn_retries, RFC 6298 section 2"},
	},
	Example: "stream 0 10.0.0.1:40022 → 10.0.0.2:8080\n" +
		"0 * -- SYN 0 -> *\n1.02 * -- SYN 0 -> *\n3.04 * -- SYN 0 -> *",
	Advice: "Find where the SYNs end: capture at the server, too. If they arrive, a filter there drops them or the listener's queues are full " +
		"(nstat -az TcpExtListenDrops); if not, look at routing, firewalls and security groups on the way. " +
		"A Linux client tries for about 130 s (net.ipv4.tcp_syn_retries=6); set a timeout in the application rather than lower it, which costs connections on lossy paths.",
	Sources: []string{"RFC 6298", "RFC 9293 section 3.8.3", "Linux tcp_retransmit_timer, tcp_write_timeout", "oracle 17_syn_blackhole"},
	Signs:   tracker.SignSyn | tracker.SignOneSided,
	Lowered: OneDirection,
	New: func(s *Setup) Watcher {
		return &synUnanswered{repeats: s.Count("retransmissions"), age: s.Span("age"), unseen: map[netip.Addr]struct{}{}}
	},
}

// elsewhere is how near in time the port's answers to others make a silence
// that of a full queue (syn-queue-overflow.window).
const elsewhere = 10e9

type synUnanswered struct {
	repeats int
	age     int64
	bag     Bag[netip.AddrPort, vainOpen]
	// unseen are the servers that answer, as their clients' segments prove, and
	// whose answers are not here: the capture does not show that direction.
	unseen  map[netip.Addr]struct{}
	once    int  // SYNs without a repeat that had time for one
	again   int  // repeated
	answers bool // some server sent something
}

// vainOpen is what is wanted of one attempt in vain.
type vainOpen struct {
	client            netip.Addr
	repeats           int
	first, last       int64
	firstGap, lastGap int64
}

func (w *synUnanswered) Case(c *tracker.Case) {
	if c.Ends[tracker.Server].Segments > 0 {
		w.answers = true
		return
	}
	if c.Ends[tracker.Client].Spoke {
		if len(w.unseen) < maxGroups && onlyOne(c) != nil {
			w.unseen[c.Addr(tracker.Server).Addr()] = struct{}{}
		}
		return
	}
	a, ok := unanswered(c)
	if !ok {
		return
	}
	if a.repeats == 0 {
		if c.Now-a.first.Time >= silentFor {
			w.once++
		}
		return
	}
	w.again++
	v := vainOpen{c.Addr(tracker.Client).Addr(), a.repeats, a.first.Time, a.last.Time, a.firstGap, a.lastGap}
	w.bag.Add(c.Addr(tracker.Server), c, v.first, v.last, v, func() []Proof {
		l := []Proof{{a.first.Frame, "SYN"}, {a.firstAgain.Frame, "the same SYN again, " + span(a.firstGap) + " later: no answer came"}}
		if a.repeats > 2 {
			l = append(l, Proof{a.another.Frame, "and again"})
		}
		if a.repeats > 1 {
			l = append(l, Proof{a.last.Frame, fmt.Sprintf("the last of %s, %s after the first SYN", plural(a.repeats, "repeat"), span(v.last-v.first))})
		}
		return l
	})
}

// slips: the server of an ordinary life sent something.
func (w *synUnanswered) slips(lives []slip) {
	for i := range lives {
		w.answers = w.answers || lives[i].signs&tracker.SignSyn != 0
	}
}

func (w *synUnanswered) Findings(x *Context) {
	if !w.answers && w.once > w.again {
		return // a filter kept bare SYNs, or nothing but a scan was captured
	}
	var answering map[uint64]bool
	for _, g := range w.bag.Groups(x) {
		if _, is := w.unseen[g.Key.Addr()]; is {
			continue
		}
		s := x.Service(g.Key)
		g.Keep(func(it *Item[vainOpen]) bool {
			v := &it.V
			return (v.repeats >= w.repeats || x.End()-v.first >= w.age) && !s.Answered.Between(v.first-elsewhere, v.last+elsewhere)
		})
		if len(g.Items) == 0 {
			continue
		}
		if answering == nil {
			answering = x.answeringHosts()
		}
		f := g.Finding(Server(g.Key))
		f.Severity, f.Blame, f.SeenBy.Client = Warning, BlameNetwork, SawTimeout
		w.describe(&f, g, x.End())
		switch {
		case s.Answered.N() > 0 && s.Answered.Last() < g.First():
			f.Blame = BlameUnknown
			f.Explanation += fmt.Sprintf(" It had answered until %s: the server, its listener or the path went away then.", clock(s.Answered.Last()))
		case s.Answered.N() > 0:
			f.Blame = BlameUnknown
			f.Explanation += fmt.Sprintf(" At other times it answered %s.", plural(s.Answered.N(), "SYN"))
		case s.Refused > 0:
			f.Blame = BlameUnknown
			f.Explanation += fmt.Sprintf(" It refused %s with RST.", plural(s.Refused, "other connection"))
		case answering[hostKey(g.Key.Addr())]:
			f.Blame = BlameServer
			f.Explanation += " Other ports of the host do answer: a filter drops what goes to this one, or its listener's queues are full."
		default:
			f.Explanation += " Nothing on the host answered in this capture: it is down, or the path or a filter swallows everything."
		}
		x.Raise(f)
	}
}

// describe fills in what the attempts had in common.
func (w *synUnanswered) describe(f *Finding, g *Group[netip.AddrPort, vainOpen], end int64) {
	clients := hosts(g, func(v *vainOpen) netip.Addr { return v.client })
	total, gaveUp := 0, 0
	most := &g.Items[0].V
	for i := range g.Items {
		v := &g.Items[i].V
		total += v.repeats
		// The next repeat was due after twice the last interval (RFC 6298 section
		// 5.5), and an eighth of it more for timers that run late.
		if end-v.last > 2*v.lastGap+v.lastGap/8 {
			gaveUp++
		}
		if v.repeats > most.repeats || v.repeats == most.repeats && v.last-v.first > most.last-most.first {
			most = v
		}
	}
	f.Metrics = Metrics{
		{"syns", float64(total + len(g.Items))}, {"retransmissions", float64(total)}, {"most_retransmissions", float64(most.repeats)},
		{"first_interval_seconds", seconds(most.firstGap)}, {"last_interval_seconds", seconds(most.lastGap)},
		{"tried_seconds", seconds(most.last - most.first)}, {"clients", float64(clients)}, {"gave_up", float64(gaveUp)},
	}
	f.Explanation = fmt.Sprintf("%s is silent: %s from %s sent %s and got neither SYN,ACK nor RST. ",
		g.Key, plural(g.Count(), "connection"), plural(clients, "client"), plural(total+len(g.Items), "SYN"))
	who := "The most patient"
	if g.Count() == 1 {
		who = "It"
	}
	f.Explanation += fmt.Sprintf("%s repeated its SYN %s over %s, ", who, times(most.repeats), span(most.last-most.first))
	switch {
	case most.repeats == 1:
		f.Explanation += fmt.Sprintf("after %s", span(most.firstGap))
	case most.lastGap > most.firstGap*3/2:
		f.Explanation += fmt.Sprintf("at intervals that grew from %s to %s", span(most.firstGap), span(most.lastGap))
	default:
		f.Explanation += fmt.Sprintf("every %s", span(most.lastGap))
	}
	if gaveUp == g.Count() {
		f.Explanation += ", and gave up." // all of them
	} else {
		f.Explanation += "."
	}
}

// times is how often: once, 2 times.
func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
