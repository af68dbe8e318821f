package detect

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"tcpstate/tracker"
)

// AcceptQueueOverflow: the application does not accept its connections in time.
var AcceptQueueOverflow = &Detector{
	ID:    "accept-queue-overflow",
	Title: "the application does not accept() connections in time",
	Rule: "A vote is a connection whose server, having sent nothing but SYN,ACKs, repeats its SYN,ACK ≥ 150 ms after the third ACK although " +
		"≥ 2 segments of the client that acknowledge it had passed, a round trip ago at least; whose payload the server never acknowledges; and of which " +
		"the first payload is repeated, or reset by the server, or while another SYN to the port goes unanswered and is repeated within 10 s. ≥ 2 votes. " +
		"Without repeated SYN,ACKs (SYN cookies): ≥ 2 connections of which no segment of the server comes after the SYN,ACK and the first payload or FIN is " +
		"repeated ≥ 2 times, while the port accepts others within 10 s. A repeat after a single ACK (a lost ACK, a deferred accept), " +
		"or payload that is acknowledged later, is no vote.",
	Default: Error,
	Levels:  "warning where SYN,ACKs are not repeated (SYN cookies): a filter that drops the first payload looks the same",
	Subject: "server A:P",
	Blame:   "server",
	Params: []Param{
		{"count", Count, 2, "connections that vote, of one server", "catalogue"},
		{"acks", Count, 2, "client's segments that acknowledged the SYN,ACK before it is repeated", "catalogue: one may be lost, or wait for a deferred accept"},
		{"delay", Span, 0.15, "from the third ACK to the repeated SYN,ACK", "catalogue; a repeat that was under way comes within a round trip"},
		{"repeats", Count, 2, "of the first payload or FIN, without repeated SYN,ACKs", "catalogue"},
		{"window", Span, 10, "around it, for other SYNs that are repeated, or connections that are accepted", "catalogue"},
	},
	Example: `#! repeat 2 every 50ms
stream 0 10.0.0.1:40000 → 10.0.0.2:80
isn 1000 9000
0      -- SYN 0 mss 1460 ->
0.02   <- SYN,ACK 0 ack 1 mss 1460 --
0.021  -- ACK 1 ack 1 ->
0.03   -- ACK 1:101(100) ack 1 ->
0.25   -- ACK 1:101(100) ack 1 ->
1.02   <- SYN,ACK 0 ack 1 mss 1460 --
1.021  -- ACK 101 ack 1 ->`,
	Advice: "Server: find out why the application does not call accept() (ss -ltn: Recv-Q is the queue, Send-Q its limit; nstat -az TcpExtListenOverflows counts what it cost): " +
		"a blocked or too small pool of workers, a process that hangs. For bursts raise the backlog of listen() together with net.core.somaxconn: the queue holds the smaller of both, " +
		"and a longer one does not help an application that never catches up. Leave net.ipv4.tcp_abort_on_overflow at 0: with 1, a short burst becomes RSTs.",
	Sources: []string{"Linux tcp_v4_syn_recv_sock (sk_acceptq_is_full), tcp_conn_request, reqsk_timer_handler", "listen(2)",
		"oracle 19_accept_overflow"},
	Signs:    tracker.SignDone | tracker.SignSynAgain,
	Swallows: []string{"half-open", "fin-unacked", "reset-after-accept"},
	Withheld: FlagsOnly,
	Lowered:  Missed,
	New: func(s *Setup) Watcher {
		s.shared.services.accepts = true
		return &acceptQueue{shared: s.shared, count: s.Count("count"), acks: s.Count("acks"), delay: s.Span("delay"), repeats: s.Count("repeats"), window: s.Span("window"),
			bag: Bag[netip.AddrPort, stuckOpen]{note: (*shorthand).stuckOpen}}
	},
}

type acceptQueue struct {
	*shared
	count, acks, repeats int
	delay, window        int64

	bag     Bag[netip.AddrPort, stuckOpen]
	dropped map[netip.AddrPort][]droppedSyn
	drops   int
}

// droppedSyn is a SYN that was repeated because nothing answered it.
type droppedSyn struct {
	at int64
	of Ref
}

func (w *acceptQueue) Case(c *tracker.Case) {
	if c.Has(tracker.SignSynAgain) {
		w.noteDropped(c.Addr(tracker.Server), c, lifeOf(c))
	}
	if !c.Has(tracker.SignDone) || c.Life.Midstream {
		return
	}
	if v, ok := w.stuck(c); ok {
		w.bag.AddAt(w.server, c.Addr(tracker.Server), c, c.Life.DoneAt, c.Life.End, v, nil)
	}
}

// slips: an ordinary life was accepted. Its service knows when.
func (w *acceptQueue) slips([]slip) {}

// noteDropped remembers when SYNs were repeated before any SYN,ACK came: the
// first and the last time of each life.
func (w *acceptQueue) noteDropped(key netip.AddrPort, c *tracker.Case, ev []tracker.Event) {
	var first, last int64
	for i := range ev {
		e := &ev[i]
		if e.From != tracker.Client && own(e) {
			break // an answer
		}
		if e.Syn() && e.Again() {
			if first == 0 {
				first = e.Time
			}
			last = e.Time
		}
	}
	for i, at := range [...]int64{first, last} {
		if at == 0 || i == 1 && last == first || w.drops >= maxItems {
			continue
		}
		if w.dropped == nil {
			w.dropped = map[netip.AddrPort][]droppedSyn{}
		}
		w.dropped[key] = append(w.dropped[key], droppedSyn{at, RefOf(c)})
		w.drops++
	}
}

func (w *acceptQueue) Findings(x *Context) {
	for _, l := range w.dropped {
		slices.SortFunc(l, func(a, b droppedSyn) int { return cmp.Compare(a.at, b.at) })
	}
	for _, g := range w.bag.Groups(x) {
		votes, silent := 0, 0
		ok := func(it *Item[stuckOpen]) bool {
			if it.V.kind == byRepeat {
				return it.V.data || w.witness(g.Key, it)
			}
			t := &x.Service(g.Key).Accepted
			return t.Around(it.V.at, w.window) || t.Around(it.Last, w.window)
		}
		g.Keep(ok)
		for i := range g.Items {
			if g.Items[i].V.kind == byRepeat {
				votes++
			} else {
				silent++
			}
		}
		keep := func(k stuckKind, n int) bool {
			if n < w.count {
				g.Keep(func(it *Item[stuckOpen]) bool { return it.V.kind != k })
				return false
			}
			return true
		}
		// Either kind has to reach the count by itself.
		if !keep(byRepeat, votes) {
			votes = 0
		}
		if !keep(bySilence, silent) {
			silent = 0
		}
		if votes+silent > 0 {
			w.raise(x, g, votes, silent)
		}
	}
}

// witness reports whether another SYN to the port went unanswered and was
// repeated within the window.
func (w *acceptQueue) witness(key netip.AddrPort, it *Item[stuckOpen]) bool {
	l := w.dropped[key]
	from, _ := slices.BinarySearchFunc(l, it.V.at-w.window, func(d droppedSyn, t int64) int { return cmp.Compare(d.at, t) })
	for _, d := range l[from:] {
		if d.at > it.V.at+w.window {
			break
		}
		if d.of != it.Ref {
			return true
		}
	}
	return false
}

func (w *acceptQueue) raise(x *Context, g *Group[netip.AddrPort, stuckOpen], votes, silent int) {
	reset, said, dropped := 0, 0, map[Ref]bool{}
	for i := range g.Items {
		if g.Items[i].V.rst != 0 {
			reset++
		}
		if g.Items[i].V.first != 0 {
			said++
		}
	}
	from, to := g.First()-w.window, g.Last()+w.window
	for _, d := range w.dropped[g.Key] {
		if d.at >= from && d.at <= to {
			dropped[d.of] = true
		}
	}
	clients := hosts(g, func(v *stuckOpen) uint64 { return v.client })
	g.prove(func(it *Item[stuckOpen]) []Proof { return it.V.proof() })
	f := g.Finding(Server(g.Key))
	f.Blame = BlameServer
	switch {
	case reset > 0:
		f.SeenBy.Client = SawReset
	case said > 0:
		f.SeenBy.Client = SawTimeout
	}
	f.Metrics = Metrics{{"votes", float64(votes)}, {"silent", float64(silent)}, {"clients", float64(clients)}, {"reset", float64(reset)},
		{"syns_repeated", float64(len(dropped))}, {"seconds", seconds(g.Last() - g.First())}}
	if votes > 0 {
		f.Severity = Error
		f.Explanation = fmt.Sprintf("%s of %s are open as the client sees it, but %s repeats its SYN,ACK after their ACKs and takes nothing that they send: "+
			"its accept queue is full, so that it drops the ACKs and stays in SYN-RECEIVED.", plural(f.Count, "connection"), plural(clients, "client"), g.Key)
		if x.Service(g.Key).Accepted.N() == 0 {
			f.Explanation += " It accepted nobody in this capture: from the client's side, something on the way that lets SYNs pass and drops ACKs looks the same."
		}
	} else {
		f.Severity = Warning
		f.Explanation = fmt.Sprintf("%s of %s are open as the client sees it, but %s sends nothing after its SYN,ACK, however often the first payload or FIN is repeated, "+
			"while it accepts others: with SYN cookies a full accept queue looks like this. A filter that drops the first payload looks the same.",
			plural(f.Count, "connection"), plural(clients, "client"), g.Key)
	}
	if n := len(dropped); n > 0 {
		f.Explanation += fmt.Sprintf(" In the meantime the SYNs of %s were repeated: a listener with a full accept queue drops SYNs, too.", plural(n, "connection"))
	}
	x.Raise(f)
}
