package detect

import (
	"fmt"
	"net/netip"
	"slices"

	"tcpstate/tracker"
)

// SynFlood: more attempts in SYN-RECEIVED than real clients make.
var SynFlood = &Detector{
	ID:    "syn-flood",
	Title: "a listener is flooded with SYNs that never become connections",
	Rule: "At one time at least count attempts on a listener are neither completed, refused, reset nor given up; fewer than half of those that began in the window " +
		"before that completed, and at least count are known to have failed. An attempt is given up when the next repeat of its SYN, or of the SYN,ACK, is overdue. " +
		"Left out where most of the failed ones repeated their SYN: clients of a server that is down or overloaded do that, a flood does not wait for answers. " +
		"Where no handshake of the port was seen to complete, a filter may have kept the ACKs out: then enough must have failed for certain, with a SYN,ACK that was repeated or never came, or a SYN without any option, which is no client's.",
	Default: Error,
	Levels:  "warning where the port never answered anybody (whether something listens there is not known), or the capture ended within 0.5 s of most of the SYNs",
	Subject: "server A:P",
	Blame:   "client",
	Params: []Param{
		{"count", Count, 100, "attempts at one time", "catalogue; listeners queue 128 (Linux, tcp_max_syn_backlog) and more"},
		{"window", Span, 10, "before the peak: of the attempts that began in it fewer than half completed", "catalogue"},
	},
	Example: "#! end 3s\n#! repeat 150 every 2ms addr\n" +
		"stream 0 198.51.100.1:4000 → 10.0.0.2:80\n" +
		"0      -- SYN 0 ->\n0.0001 <- SYN,ACK 0 ack 1 --\n1.0    <- SYN,ACK 0 ack 1 --",
	Advice: "Server: leave net.ipv4.tcp_syncookies at 1, which answers without keeping state when the SYN queue is full, and raise net.ipv4.tcp_max_syn_backlog with net.core.somaxconn and the backlog of listen(). " +
		"Filter or rate-limit SYNs upstream; where the sources are spoofed, blocking addresses does not help.",
	Sources: []string{"RFC 4987 sections 2 and 3", "RFC 9293 section 3.10.7.2", "Linux tcp_conn_request", "oracle 18_syn_flood", "oracle 18b_syn_flood_cookies"},
	Signs:   tracker.SignSyn,
	// Their SYNs went unanswered because of the flood.
	Swallows: []string{"syn-queue-overflow", "syn-unanswered"},
	Withheld: FlagsOnly,             // the ACKs that complete handshakes were filtered out
	Lowered:  OneDirection | Missed, // so may be the answers
	New: func(s *Setup) Watcher {
		w := &flood{shared: s.shared, count: max(tracker.Few, s.Count("count")), window: s.Span("window")}
		w.bag.most, w.bag.words = maxTried, triedProof
		w.ends.width = max(1, w.window/8)
		return w
	},
}

type flood struct {
	*shared
	count  int
	window int64
	bag    Bag[netip.AddrPort, tried]
	ends   attemptEnds
}

// tried is an attempt that failed, or that completed only after repeats.
type tried struct {
	client    uint64 // key of its address
	completed bool
	repeated  bool // the SYN
	answered  bool // by SYN,ACK
	waited    bool // the server repeated that, so that the ACK did not come
	made      bool // the SYN has no option at all: who makes packets sends such
	young     bool // for a failed one
	// Frames; 0 none.
	syn, synAck uint64
}

// maxTried is how many of these are looked at; of more only the number is known.
const maxTried = 1 << 16

// An attempt counts as failed when it is older than most round trips are (the
// tracker's bound where none was measured). Before it is older than nearly all,
// an error is too much.
const (
	decided = 200e6
	settled = 500e6
)

func (w *flood) Case(c *tracker.Case) {
	if c.Has(tracker.SignSelf) {
		return
	}
	if synFirst(c) && (c.Has(tracker.SignDone) || c.Ends[tracker.Client].Spoke) {
		w.ends.add(w.server, c.Life.Start, true, false)
		return
	}
	var syn, answer *tracker.Event
	repeated := false
	for i := range c.Trail.Events {
		switch e := &c.Trail.Events[i]; {
		case !own(e):
		case e.Syn() && e.From == tracker.Client && syn == nil:
			syn = e
		case e.Syn() && e.From == tracker.Client:
			repeated = repeated || e.Time-syn.Time >= repeatedAfter
		case e.SynAck() && e.From == tracker.Server && answer == nil:
			answer = e
		}
	}
	if syn == nil {
		return
	}
	v := tried{client: w.host[tracker.Client], repeated: repeated, answered: answer != nil,
		completed: c.Has(tracker.SignDone) || c.Ends[tracker.Client].Spoke, waited: c.Has(tracker.SignSynAckAgain),
		made: syn.Opts == 0, young: c.Now-syn.Time < settled, syn: syn.Frame}
	if answer != nil {
		v.synAck = answer.Frame
	}
	// A RST of the server refuses, one of the client takes back: either way the
	// attempt waits no more.
	over := !v.completed && c.Has(tracker.SignRst)
	open := !v.completed && !over && c.Now-syn.Time < decided
	server := c.Addr(tracker.Server)
	w.ends.add(w.server, syn.Time, v.completed, open)
	switch {
	case open, over, v.completed && !v.repeated:
	case v.completed:
		w.bag.AddAt(w.server, server, c, syn.Time, c.Life.DoneAt, v, nil)
	default:
		w.bag.AddAt(w.server, server, c, syn.Time, c.Life.End, v, nil)
	}
}

// triedProof lists the frames of an attempt that failed.
func triedProof(_ netip.AddrPort, it *Item[tried]) []Proof {
	v := &it.V
	switch {
	case v.completed:
		return nil
	case v.synAck == 0:
		return proofOf(frame{v.syn, "SYN, never answered"})
	}
	return proofOf(frame{v.syn, "SYN"}, frame{v.synAck, "SYN,ACK, which no ACK follows"})
}

func (w *flood) fetch(lives []slip) (n uint64) {
	for i := range lives {
		if k := lives[i].server; k != 0 && int(k) <= len(w.ends.by) {
			n += uint64(w.ends.by[k-1].latest.slot)
		}
	}
	return n
}

func (w *flood) slips(lives []slip) {
	for i := range lives {
		if l := &lives[i]; l.signs&tracker.SignSyn != 0 {
			w.ends.add(l.server, l.start, true, false)
		}
	}
}

func (w *flood) Findings(x *Context) {
	peaks := map[netip.AddrPort]*tracker.Service{}
	for s := range x.Usage.Services {
		if s.Attempts.Max >= w.count {
			peaks[s.Server] = s
		}
	}
	for _, g := range w.bag.Groups(x) {
		if s := peaks[g.Key]; s != nil {
			w.judge(x, g, s)
		}
	}
}

// judge raises the finding if the listener's peak of attempts is a flood.
func (w *flood) judge(x *Context, g *Group[netip.AddrPort, tried], s *tracker.Service) {
	p := &s.Attempts
	n := w.ends.between(w.services.known(g.Key), p.At-w.window, p.At)
	if 2*n.completed >= n.began-n.open || !w.narrow(g, p.At) || x.Service(g.Key).Completed == 0 && !w.certain(x, g) {
		return
	}
	t := w.sum(g, p.At)
	if t.failed < w.count || 2*t.nearAgain > t.near {
		return
	}
	if 2*t.young > t.failed && 2*len(t.sources) < w.count {
		return // one host on a long path that opens many at once looks the same
	}
	f := g.Finding(Server(g.Key))
	f.Severity, f.Blame = Error, BlameClient
	if !slices.ContainsFunc(g.Items, func(it Item[tried]) bool { return g.proof(&it) != nil }) {
		f.Evidence.Connections = nil
		f.peak(p, "SYN", "SYN")
	}
	f.Count = t.failed + g.More
	f.Evidence.Total = f.Count
	f.Metrics = Metrics{{"peak", float64(p.Max)}, {"peak_at", seconds(p.At)}, {"window_attempts", float64(n.began)}, {"window_completed", float64(n.completed)},
		{"sources", float64(len(t.sources))}, {"answered_share", float64(t.answered) / float64(t.failed)}, {"syn_received_peak", float64(s.Answered.Max)},
		{"suffered", float64(t.late + t.inVain)}}
	f.Explanation = fmt.Sprintf("At %s %s had %s that were neither completed nor refused; of the %s in the %s before, %d became connections. %s",
		clock(p.At), g.Key, plural(p.Max, "attempt"), plural(int(n.began), "attempt"), span(w.window), n.completed, t.words(g.More))
	if t.inVain > 0 {
		f.SeenBy.Client = SawTimeout
	}
	switch {
	case x.Service(g.Key).Answered.N() == 0:
		f.Severity = Warning
		f.Explanation += " The port never answered anybody: whether something listens there is not known."
	case 2*t.young > t.failed:
		f.Severity = Warning
		f.Explanation += fmt.Sprintf(" The capture ended within %s of most of these SYNs: some may yet have become connections.", span(settled))
	}
	x.Raise(f)
}

// floodSum sums up the attempts of a flood.
type floodSum struct {
	failed, answered, young int
	near, nearAgain         int // failed around the peak, and of these, with a repeated SYN
	late, inVain            int // with a repeated SYN: a connection in the end, or none
	sources, clients        map[uint64]bool
}

func (w *flood) sum(g *Group[netip.AddrPort, tried], peak int64) floodSum {
	t := floodSum{sources: map[uint64]bool{}, clients: map[uint64]bool{}}
	for i := range g.Items {
		it := &g.Items[i]
		v := &it.V
		if v.repeated {
			t.clients[v.client] = true
		}
		if v.completed {
			t.late++
			continue
		}
		near := it.At >= peak-w.window && it.At <= peak+w.window
		t.sources[v.client] = true
		t.failed++
		t.answered += one(v.answered)
		t.young += one(v.young)
		t.inVain += one(v.repeated)
		t.near += one(near)
		t.nearAgain += one(near && v.repeated)
	}
	return t
}

func one(is bool) int {
	if is {
		return 1
	}
	return 0
}

// words tells who sent the SYNs, and who suffered. more attempts are not
// looked at.
func (t *floodSum) words(more int) string {
	from := plural(len(t.sources), "address")
	if more > 0 {
		from = "at least " + from
	}
	s := fmt.Sprintf("The SYNs that came to nothing were from %s, %s of them answered by SYN,ACK", from, percent(float64(t.answered)/float64(t.failed)))
	if more > 0 {
		s += fmt.Sprintf(" (%d more of them were not looked at)", more)
	}
	if t.late+t.inVain == 0 {
		return s + ". No other client had to repeat its SYN meanwhile."
	}
	return s + fmt.Sprintf(". Clients suffered from it: %s of %s repeated the SYN, and %d got a connection late.",
		plural(t.late+t.inVain, "attempt"), plural(len(t.clients), "address"), t.late)
}

// certain reports that enough attempts failed beside those whose ACK a filter
// may have kept out. Lost packets make a server repeat few of its SYN,ACKs. A
// SYN without any option is no client's: every TCP tells its MSS (RFC 9293
// section 3.7.1).
func (w *flood) certain(x *Context, g *Group[netip.AddrPort, tried]) bool {
	const most = 10 // times as many may be uncertain: SYN cookies are not repeated
	n := 0
	for i := range g.Items {
		if v := &g.Items[i].V; v.waited || !v.answered && x.Totals.Plain > 0 || v.made && x.Doubts&CutHeaders == 0 {
			n++
		}
	}
	return n >= w.count && n*most >= len(g.Items)
}

// narrow keeps of the items those of the flood around the peak: the failed
// attempts that follow each other within a window, and who completed late
// meanwhile, or soon after.
func (w *flood) narrow(g *Group[netip.AddrPort, tried], peak int64) bool {
	g.byTime()
	var first, last int64
	found := false
	for i := range g.Items {
		it := &g.Items[i]
		switch {
		case it.V.completed:
			continue
		case !found, it.At-last > w.window && it.At <= peak:
			first, found = it.At, true
		case it.At-last > w.window:
			continue // after the flood
		}
		last = it.At
	}
	g.Keep(func(it *Item[tried]) bool {
		if it.V.completed {
			// What is in the SYN queue stays there after the last of them came.
			return it.At <= last+w.window && it.Last >= first
		}
		return it.At >= first && it.At <= last
	})
	return found
}
