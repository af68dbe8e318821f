package detect

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// ServiceDied: a listener and its connections end at one instant.
var ServiceDied = &Detector{
	ID:    "service-died",
	Title: "a service resets its connections at once and then refuses new ones",
	Rule: "The server resets at least 3 of its connections within 100 ms, by RSTs of its own that answer no segment of a connection that it does not know, " +
		"and the port refuses the next SYN that it answers, of a client that it did not refuse before. The connections of one such instant, and the SYNs refused until the " +
		"port answers again, make one finding.",
	Default: Error,
	Subject: "server A:P",
	Blame:   "server",
	Params: []Param{
		{"count", Count, 3, "connections reset within the window", "catalogue"},
		{"window", Span, 0.1, "from the first of these RSTs to the last", "catalogue: a kernel that ends a process closes its sockets within milliseconds"},
	},
	Example: `#! repeat 3 every 1ms
stream 0 10.0.0.1:40000 → 10.0.0.2:80
isn 1000 9000
0      -- SYN 0 mss 1460 ->
0.02   <- SYN,ACK 0 ack 1 mss 1460 --
0.021  -- ACK 1 ack 1 ->
0.03   -- ACK 1:11(10) ack 1 ->
0.05   <- ACK 1 ack 11 --
5      <- RST,ACK 1 ack 11 win 0 --
#! at 6s
stream 9 10.0.0.3:41000 → 10.0.0.2:80
isn 1000 0
0      -- SYN 0 mss 1460 ->
0.02   <- RST,ACK 0 ack 1 win 0 --`,
	Advice: "Server: see what ended the process at that instant: its own log, journalctl and coredumpctl, the kernel's log for the OOM killer, a deployment. " +
		"To restart without resets, stop listening first, let the connections finish, or hand the listening socket on to the new process (systemd sockets, SO_REUSEPORT); clients should connect again with back-off.",
	Sources: []string{"RFC 9293 sections 3.10.5 and 3.10.7.1", "Linux tcp_close (data unread), inet_csk_listen_stop"},
	Signs:   tracker.SignRst,
	// One event, one finding.
	Swallows: []string{"abortive-close", "reset-after-accept", "refused"},
	New: func(s *Setup) Watcher {
		return &serviceDied{shared: s.shared, count: s.Count("count"), window: s.Span("window"), bag: Bag[netip.AddrPort, lastRst]{note: (*shorthand).lastRst}}
	},
}

type serviceDied struct {
	*shared
	count  int
	window int64
	bag    Bag[netip.AddrPort, lastRst]
}

// lastRst is the RST that ended a connection, or refused one.
type lastRst struct {
	client  uint64 // key of its address
	asked   uint64 // frame of the SYN or of the latest segment before, 0 none
	rst     uint64
	refused bool
	bare    bool
}

func (s *shorthand) lastRst(v *lastRst) {
	s.flags(&v.refused, &v.bare)
	s.unsigned(&v.client)
	s.frames(&v.asked, &v.rst)
}

func (w *serviceDied) Case(c *tracker.Case) {
	i := w.endingReset()
	if i < 0 || c.Trail.Events[i].From != tracker.Server {
		return
	}
	r := &c.Trail.Events[i]
	v := lastRst{client: w.host[tracker.Client], rst: r.Frame, bare: !r.Has(capture.ACK)}
	switch {
	case r.Reset == tracker.ResetRefused && c.Life.Close == tracker.Refused:
		v.refused = true
	case !own(r) || !r.Is(tracker.Own):
		return
	case r.Reset == tracker.ResetAfterAccept, r.Reset == tracker.ResetUnreadData, r.Reset == tracker.ResetAbort, r.Reset == tracker.ResetIdleTimeout:
		if c.Life.Midstream && (v.bare || !r.Is(tracker.AtNxt)) || !c.Life.Midstream && c.Life.DoneAt == 0 {
			return
		}
	default:
		return
	}
	if p := max(w.trail.before[0], w.trail.before[1]); p >= 0 {
		v.asked = c.Trail.Events[p].Frame
	}
	w.bag.AddAt(w.server, c.Addr(tracker.Server), c, r.Time, r.Time, v, nil)
}

// both reports whether there are as many resets as an end takes, and a refusal.
func (w *serviceDied) both(all []Item[lastRst]) bool {
	refused := 0
	for i := range all {
		refused += one(all[i].V.refused)
	}
	return refused > 0 && len(all)-refused >= max(w.count, 1)
}

// outage is one instant at which a service ended.
type outage struct {
	from, to int64 // of the RSTs in the window
	enough   int64 // of the one with which there were count of them
	refused  int64 // the first refusal
	until    int64 // when the port answered again
	again    bool  // it did
}

func (w *serviceDied) Findings(x *Context) {
	for _, g := range w.bag.Groups(x) {
		if !w.both(g.Items) {
			continue
		}
		slices.SortStableFunc(g.Items, func(a, b Item[lastRst]) int {
			return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.V.rst, b.V.rst))
		})
		all := w.outages(g.Items, x.Service(g.Key), x.End())
		if len(all) == 0 {
			continue
		}
		// Evidence: of the connections reset, and the first refusal.
		var kept []Item[lastRst]
		first := -1
		for _, it := range g.Items {
			for _, d := range all {
				if it.At < d.from || it.At >= d.until {
					continue
				}
				if it.V.refused && it.At < d.refused {
					break // a filter rejects this one
				}
				if it.V.refused && first < 0 {
					first = len(kept)
				}
				kept = append(kept, it)
				break
			}
		}
		if n := min(first, maxShown-1); first > n {
			it := kept[first]
			copy(kept[n+1:first+1], kept[n:first])
			kept[n] = it
		}
		g.Items = kept
		g.prove(func(it *Item[lastRst]) []Proof { return it.V.proof(g.Key) })
		w.raise(x, g, all)
	}
}

// outages finds the instants, in order. items are sorted by time.
func (w *serviceDied) outages(items []Item[lastRst], s *ServiceCount, end int64) (out []outage) {
	up := int64(math.MinInt64) // since when it was up
	for i := 0; i < len(items); i++ {
		if items[i].V.refused {
			continue
		}
		d := outage{from: items[i].At, until: end + 1}
		n := 0
		for _, it := range items[i:] {
			if it.At-d.from > w.window {
				break
			}
			if !it.V.refused {
				n++
				d.to = it.At
				if n == w.count {
					d.enough = it.At
				}
			}
		}
		if n < w.count || !d.refusedAfter(items, s, up) {
			continue
		}
		if at, ok := s.Answered.Next(d.refused); ok {
			d.until, d.again = at, true
		}
		up = d.until
		out = append(out, d)
		for i+1 < len(items) && items[i+1].At < d.until {
			i++
		}
	}
	return out
}

// refusedAfter looks for the first refusal after the RSTs, and reports whether it
// tells that nothing listens any more: the client had not been refused since the
// service was up, as one is that a filter rejects, or had a connection since; and
// the port answered nobody in between.
func (d *outage) refusedAfter(items []Item[lastRst], s *ServiceCount, up int64) bool {
	before := map[uint64]bool{}
	for i := range items {
		it := &items[i]
		switch {
		case !it.V.refused:
			delete(before, it.V.client)
		case it.At < up:
		case it.At <= d.enough:
			before[it.V.client] = true
		case !before[it.V.client]:
			d.refused = it.At
			// Within a second Times cannot tell what lies between.
			return it.At-d.enough <= 1e9 || !s.Answered.Between(d.enough+1, it.At-1)
		}
	}
	return false
}

func (w *serviceDied) raise(x *Context, g *Group[netip.AddrPort, lastRst], all []outage) {
	reset, refused := 0, 0
	for i := range g.Items {
		if g.Items[i].V.refused {
			refused++
		} else {
			reset++
		}
	}
	d := all[0]
	f := g.Finding(Server(g.Key))
	f.Severity, f.Blame, f.SeenBy.Client = Error, BlameServer, SawReset
	f.Metrics = Metrics{{"deaths", float64(len(all))}, {"reset", float64(reset)}, {"refused", float64(refused)},
		{"clients", float64(hosts(g, func(v *lastRst) uint64 { return v.client }))}, {"within_seconds", seconds(d.to - d.from)}}
	f.Explanation = fmt.Sprintf("%s ended at %s: it reset its connections within %s (%d in all), and refused a new one %s after the first of these RSTs.",
		g.Key, clock(d.from), span(d.to-d.from), reset, span(d.refused-d.from))
	if d.again {
		f.Metrics = append(f.Metrics, Metric{"down_seconds", seconds(d.until - d.from)})
		f.Explanation += fmt.Sprintf(" It answered again after %s; until then it refused %s.", span(d.until-d.from), plural(refused, "attempt"))
	} else {
		f.Explanation += fmt.Sprintf(" It did not answer again in this capture, and refused %s.", plural(refused, "attempt"))
	}
	if n := len(all); n > 1 {
		f.Explanation += fmt.Sprintf(" That happened %d times.", n)
	}
	x.Raise(f)
}

// proof lists the frames, clause by clause.
func (v *lastRst) proof(server netip.AddrPort) []Proof {
	if v.refused {
		return proofOf(frame{v.asked, "SYN"}, frame{v.rst, fmt.Sprintf("RST,ACK with ack = ISS+1: nothing listens on %s any more", server)})
	}
	what := "RST,ACK"
	if v.bare {
		what = "RST"
	}
	return proofOf(frame{v.asked, "the last segment before"}, frame{v.rst, what + ": the server resets an open connection"})
}
