package detect

import (
	"fmt"
	"math"
	"slices"

	"tcpstate/tracker"
)

// ConnectionChurn: a new connection for each request.
var ConnectionChurn = &Detector{
	ID:    "connection-churn",
	Title: "a new connection for each request",
	Rule: "A client address completes at least rate connections per second with one server address and port, over the length of window, " +
		"and in half of these connections or more the client sent one request: payload without a break by payload of the server.",
	Default: Note,
	Subject: "client A → server B:P",
	Blame:   "client",
	Params: []Param{
		{"rate", Rate, 50, "connections per second", "catalogue"},
		{"window", Span, 10, "for how long, at least", "catalogue"},
	},
	Example: "#! set connection-churn.rate=10\n#! repeat 100 every 50ms\n" +
		"stream 0 10.0.0.1:33000 → 10.0.0.2:80\n" +
		"0     -- SYN 0 ->\n0.001 <- SYN,ACK 0 ack 1 --\n0.002 -- ACK 1 ack 1 ->\n" +
		"0.003 -- PSH,ACK 1:101(100) ack 1 ->\n0.004 <- PSH,ACK 1:501(500) ack 101 --\n" +
		"0.005 -- FIN,ACK 101 ack 501 ->\n0.006 <- FIN,ACK 501 ack 102 --\n0.007 -- ACK 102 ack 502 ->",
	Advice: "Client: keep connections open and send the next request on them (HTTP keep-alive, a connection pool, HTTP/2); " +
		"each new one costs a round trip, two with TLS, and leaves a TIME-WAIT with the side that closes first. " +
		"Server: see that it lets connections live (keep-alive timeout, requests per connection, no \"Connection: close\").",
	Sources: []string{"RFC 9112 section 9.3", "RFC 9293 section 3.6.1", "oracle 07_timewait_client"},
	Signs:   tracker.SignDone,
	New: func(s *Setup) Watcher {
		w := &churn{shared: s.shared, window: s.Span("window")}
		w.need = max(2, int(min(math.Ceil(s.Value("rate")*seconds(w.window)), math.MaxInt32)))
		return w
	},
}

type churn struct {
	*shared
	window int64
	need   int // connections in a window
	bag    Bag[flow, brief]
	delay  delay
}

// brief is what is wanted of one connection.
type brief struct {
	syn, request, end uint64 // frames; 0 none
	rtt               int64
	turns             uint32
}

func (w *churn) Case(c *tracker.Case) {
	if c.Has(tracker.SignSelf) || c.Life.Midstream {
		return
	}
	syn := uint64(0)
	if synFirst(c) {
		syn = c.Life.FirstFrame
	} else {
		for i := range c.Trail.Events {
			if e := &c.Trail.Events[i]; own(e) && e.Syn() && e.From == tracker.Client {
				syn = e.Frame
				break
			}
		}
	}
	if syn != 0 {
		w.add(w.slip, syn)
	}
}

func (w *churn) fetch(lives []slip) (n uint64) {
	d := &w.delay
	if len(d.line) < maxDelayed {
		return 0
	}
	for i := range lives {
		old := &d.line[(d.next+i)%maxDelayed]
		n += uint64(d.now[counterOf(&lives[i])]) + uint64(d.now[old.counter]) + uint64(d.before[old.counter])
	}
	return n
}

func (w *churn) slips(lives []slip) {
	for i := range lives {
		if l := &lives[i]; l.signs&(tracker.SignSyn|tracker.SignDone) == tracker.SignSyn|tracker.SignDone {
			w.add(l, l.first)
		}
	}
}

// add takes note of a connection that the frame syn opened.
func (w *churn) add(l *slip, syn uint64) {
	if l.server == 0 {
		return
	}
	if old := w.delay.add(l, syn); old.due(&w.delay, w.need) {
		w.keep(old)
	}
}

// keep puts a connection into its group.
func (w *churn) keep(d *delayed) {
	if g := w.bag.room(0, w.flow(d)); g != nil {
		g.Items = append(g.Items, Item[brief]{Ref: d.Ref, At: d.at, Last: max(d.at, d.last), V: d.brief, begins: d.syn})
	}
}

func (w *churn) Findings(x *Context) {
	for i := range w.delay.line {
		if d := &w.delay.line[i]; d.due(&w.delay, w.need) {
			w.keep(d)
		}
	}
	for _, g := range w.bag.Groups(x) {
		if len(g.Items) < w.need {
			continue
		}
		most := w.narrow(g)
		if most < w.need {
			continue
		}
		turns, rtts := make([]uint32, 0, len(g.Items)), make([]int64, 0, len(g.Items))
		for i := range g.Items {
			turns, rtts = append(turns, g.Items[i].V.turns), append(rtts, g.Items[i].V.rtt)
		}
		slices.Sort(turns)
		slices.Sort(rtts)
		if turns[len(turns)/2] != 1 {
			continue
		}
		g.prove(func(it *Item[brief]) []Proof {
			v := &it.V
			l := []frame{{v.syn, "SYN: a new connection"}}
			if v.turns == 1 {
				l = append(l, frame{v.request, "the only request on it"})
			}
			return proofOf(append(l, frame{v.end, "it is closed"})...)
		})
		f := g.Finding(Flow(g.Key.client, g.Key.server))
		f.Severity, f.Blame = Note, BlameClient
		peak := float64(most) / seconds(w.window)
		rtt := rtts[len(rtts)/2]
		f.Metrics = Metrics{{"connections", float64(len(g.Items))}, {"peak_per_second", peak}, {"window_seconds", seconds(w.window)}, {"requests_median", 1},
			{"handshake_seconds", seconds(rtt)}}
		f.Explanation = fmt.Sprintf("%s opened %s to %s between %s and %s, up to %d within %s (%s per second), and sent a median of one request on each.",
			g.Key.client, plural(len(g.Items), "connection"), g.Key.server, clock(g.First()), clock(g.Items[len(g.Items)-1].At), most, span(w.window), rounded(peak))
		if rtt > 0 {
			f.Explanation += fmt.Sprintf(" Each began with a handshake of %s (median).", span(rtt))
		}
		x.Raise(f)
	}
}

// narrow keeps of the items, in order of time, those that lie in any window
// with enough of them. It returns the most that any window has.
func (w *churn) narrow(g *Group[flow, brief]) (most int) {
	g.byTime()
	items := g.Items
	kept := items[:0:0]
	first, next := 0, 0 // next is the first item not kept yet
	for last := range items {
		for items[last].At-items[first].At >= w.window {
			first++
		}
		n := last - first + 1
		most = max(most, n)
		if n >= w.need {
			kept = append(kept, items[max(first, next):last+1]...)
			next = last + 1
		}
	}
	g.Items = kept
	return most
}
