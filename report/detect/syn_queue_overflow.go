package detect

import (
	"fmt"
	"net/netip"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// SynQueueOverflow: a listener answers some SYNs and not others.
var SynQueueOverflow = &Detector{
	ID:    "syn-queue-overflow",
	Title: "a port that answers others leaves SYNs unanswered",
	Rule: "A SYN was repeated at least retransmissions times, or once and is age old when the capture ends, and neither SYN,ACK nor RST came back; " +
		"but the port answered other SYNs within 10 s of it, and no syn-flood on the port explains it. The finding says so where all unanswered SYNs carry " +
		"a timestamp (TSval) below the last one that their address had sent to that host, and none such was answered: a server that keeps a timestamp for each " +
		"address (PAWS) drops them.",
	Default: Warning,
	Subject: "server A:P",
	Blame:   "server",
	Params: []Param{
		{"window", Span, 10, "before and after the unanswered SYN, for answers to others", "catalogue"},
		{"retransmissions", Count, 2, "repeats of a SYN from which on its age does not matter", "as syn-unanswered"},
		{"age", Span, 3, "age of a SYN that was repeated once", "as syn-unanswered"},
	},
	Example: `stream 0 10.0.0.1:40001 → 10.0.0.2:80
isn 1000 0
0      -- SYN 0 mss 1460 ->
1      -- SYN 0 mss 1460 ->
3      -- SYN 0 mss 1460 ->

stream 1 10.0.0.3:40002 → 10.0.0.2:80
isn 1000 9000
0.5    -- SYN 0 mss 1460 ->
0.52   <- SYN,ACK 0 ack 1 mss 1460 --
0.521  -- ACK 1 ack 1 ->`,
	Advice: "Server: nstat -az tells which queue was full: TcpExtTCPReqQFullDrop the SYN queue, TcpExtListenOverflows the accept queue, which makes Linux drop SYNs, too. " +
		"Raise net.ipv4.tcp_max_syn_backlog and the backlog of listen() with net.core.somaxconn, leave net.ipv4.tcp_syncookies at 1, and see that the application calls accept() in time. " +
		"Where no counter moves, capture at the server: loss, or a filter for these clients, looks the same from outside.",
	Sources: []string{"Linux tcp_conn_request (inet_csk_reqsk_queue_is_full, sk_acceptq_is_full)", "RFC 4987", "RFC 7323 section 5",
		"oracle 20_abort_on_overflow (SYNs 6 and 7)"},
	Signs:    tracker.SignSyn,
	Swallows: []string{"syn-unanswered"},
	Withheld: FlagsOnly, // whether there is a flood cannot be told then
	Lowered:  OneDirection,
	New: func(s *Setup) Watcher {
		return &synQueue{window: s.Span("window"), repeats: s.Count("retransmissions"), age: s.Span("age"),
			shared: s.shared, stamps: stampBook{ring: ring[stamps]{most: maxStamps}}}
	},
}

type synQueue struct {
	*shared
	window, age int64
	repeats     int
	bag         Bag[netip.AddrPort, droppedOpen]
	stamps      stampBook
}

// droppedOpen is what is wanted of one attempt in vain.
type droppedOpen struct {
	client  netip.Addr
	repeats int
	tsVal   uint32
	hasTS   bool
}

func (w *synQueue) Case(c *tracker.Case) {
	if c.Life.AnsweredAt != 0 {
		if v, ok := stampsOf(c, w.host); ok {
			w.stamps.ring.add(v)
		}
		return
	}
	if c.Has(tracker.SignQuote) {
		return // an ICMP error may say why
	}
	a, ok := unanswered(c)
	if !ok || a.repeats == 0 {
		return
	}
	v := droppedOpen{c.Addr(tracker.Client).Addr(), a.repeats, a.first.TSVal, a.first.Opts&capture.OptTS != 0}
	w.bag.Add(c.Addr(tracker.Server), c, a.first.Time, a.last.Time, v, func() []Proof {
		all := []frame{{a.first.Frame, "SYN"}, {a.firstAgain.Frame, "the same SYN again, " + span(a.firstGap) + " later: no answer came"}}
		if a.repeats > 1 {
			all = append(all, frame{a.last.Frame, fmt.Sprintf("the last of %s", plural(a.repeats, "repeat"))})
		}
		return proofOf(all...)
	})
}

func (w *synQueue) slips(lives []slip) {
	for i := range lives {
		if l := &lives[i]; l.signs&tracker.SignSyn != 0 && l.answered != 0 {
			if v, ok := l.stamps(); ok {
				w.stamps.ring.add(v)
			}
		}
	}
}

func (w *synQueue) Findings(x *Context) {
	for _, g := range w.bag.Groups(x) {
		s := x.Service(g.Key)
		flood := x.told("syn-flood", Server(g.Key))
		g.Keep(func(it *Item[droppedOpen]) bool {
			if it.V.repeats < w.repeats && x.End()-it.At < w.age {
				return false
			}
			from, to := it.At-w.window, it.Last+w.window
			if flood != nil && flood.First.UnixNano() <= to && flood.Last.UnixNano() >= from {
				return false
			}
			return s.Answered.Between(from, to)
		})
		if len(g.Items) == 0 {
			continue
		}
		repeats, most := 0, int64(0)
		for i := range g.Items {
			repeats += g.Items[i].V.repeats
			most = max(most, g.Items[i].Last-g.Items[i].At)
		}
		paws := w.stamps.explain(g)
		clients := hosts(g, func(v *droppedOpen) netip.Addr { return v.client })
		f := g.Finding(Server(g.Key))
		f.Severity, f.Blame, f.SeenBy.Client = Warning, BlameServer, SawTimeout
		f.Metrics = Metrics{{"attempts", float64(f.Count)}, {"retransmissions", float64(repeats)}, {"clients", float64(clients)},
			{"tried_seconds", seconds(most)}, {"answered", float64(s.Answered.N())}}
		f.Explanation = fmt.Sprintf("%s left the SYNs of %s from %s unanswered, repeated %s over up to %s, while it answered others within %s of them (%s in this capture).",
			g.Key, plural(f.Count, "attempt"), plural(clients, "client"), times(repeats), span(most), span(w.window), plural(s.Answered.N(), "SYN"))
		if paws {
			f.Metrics = append(f.Metrics, Metric{"below_last_timestamp", float64(f.Count)})
			f.Explanation += " All of these SYNs carry a timestamp below the last one that their address had sent to that host: a server that keeps one timestamp for " +
				"each address takes them for old duplicates, which hits clients behind one NAT."
			f.Advice = "Server: update the kernel. Linux before 4.12 could be set to check timestamps per address, which drops the SYNs of all but one client behind a NAT; " +
				"later kernels, and those with the setting off, do not. Until then, net.ipv4.tcp_timestamps = 0 on the server avoids it, at the cost of PAWS and exact round trip times."
		} else {
			f.Explanation += " A full SYN queue or accept queue drops SYNs like this."
		}
		x.Raise(f)
	}
}
