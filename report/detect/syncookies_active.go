package detect

import (
	"fmt"
	"net/netip"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// SynCookiesActive: a listener answers with SYN cookies.
var SynCookiesActive = &Detector{
	ID:    "syncookies-active",
	Title: "a listener answers with SYN cookies and drops options",
	Rule: "SYN,ACKs of one listener leave out window scale or SACK-permitted, though the SYN offered it and earlier SYN,ACKs of the same listener carried it, " +
		"within window of a time at which at least count of its SYN,ACKs waited for the ACK. At least two connections. A cookie has no room for these options; " +
		"with timestamps on both sides Linux stores them there, and nothing shows.",
	Default: Note,
	Subject: "server A:P",
	Blame:   "server",
	Params: []Param{
		{"count", Count, 50, "handshakes that lack only the client's ACK, at one time", "half of syn-flood.count"},
		{"window", Span, 10, "around the peak of these, for SYN,ACKs without the options", "as syn-flood.window"},
	},
	Example: "stream 0 10.0.0.1:40000 → 10.0.0.2:80\n" +
		"0     -- SYN 0 mss 1460 ws 7 sackok ->\n0.001 <- SYN,ACK 0 ack 1 mss 1460 ws 7 sackok --\n0.002 -- ACK 1 ack 1 ->\n" +
		"#! at 1s\n#! repeat 60 every 2ms addr\n" +
		"stream 0 198.51.100.1:4000 → 10.0.0.2:80\n" +
		"0      -- SYN 0 mss 1460 ->\n0.0001 <- SYN,ACK 0 ack 1 mss 1460 --\n" +
		"#! at 1.2s\n#! repeat 2 every 1ms\n" +
		"stream 0 10.0.0.1:41000 → 10.0.0.2:80\n" +
		"0     -- SYN 0 mss 1460 ws 7 sackok ->\n0.001 <- SYN,ACK 0 ack 1 mss 1460 --\n0.002 -- ACK 1 ack 1 ->",
	Advice: "Server: nothing is broken, the cookies keep the listener open while its SYN queue is full; connections made so lack window scaling and SACK, and are slower over long or lossy paths. " +
		"If there is no flood, raise net.ipv4.tcp_max_syn_backlog, net.core.somaxconn and the backlog of listen(). Leave net.ipv4.tcp_syncookies at 1 and net.ipv4.tcp_timestamps on, which lets clients that use timestamps keep both options.",
	Sources:  []string{"RFC 4987 section 3.6", "Linux cookie_v4_init_sequence, cookie_init_timestamp"},
	Signs:    tracker.SignSyn,
	Withheld: CutHeaders, // options are unknown
	New: func(s *Setup) Watcher {
		return &cookies{shared: s.shared, count: max(tracker.Few, s.Count("count")), window: s.Span("window")}
	},
}

type cookies struct {
	*shared
	count   int
	window  int64
	carried []offers                   // by the index of the service
	bag     Bag[netip.AddrPort, uint8] // SYN,ACKs, and which options they left out
}

// offers are the first SYN,ACKs of a listener that carried each option.
type offers struct{ wscale, sack int64 }

func (w *cookies) Case(c *tracker.Case) {
	if synFirst(c) && !c.Has(tracker.SignSynAckAgain) {
		// It is not, where the SYN,ACK left an option out.
		a, b := c.Ends[tracker.Client].SynOpts, c.Ends[tracker.Server].SynOpts
		if c.Life.AnsweredAt != 0 && (a|b)&capture.OptBad == 0 {
			w.carry(w.server, b&a, c.Life.AnsweredAt)
		}
		return
	}
	var syn, answer *tracker.Event
	for i := range c.Trail.Events {
		switch e := &c.Trail.Events[i]; {
		case !own(e):
		case e.Syn() && e.From == tracker.Client:
			syn = e
		case e.SynAck() && e.From == tracker.Server && answer == nil:
			answer = e
		}
		if answer != nil {
			break
		}
	}
	if syn == nil || answer == nil || (syn.Opts|answer.Opts)&capture.OptBad != 0 {
		return
	}
	w.carry(w.server, answer.Opts&syn.Opts, answer.Time)
	lost := syn.Opts &^ answer.Opts & (capture.OptWScale | capture.OptSACKOK)
	if lost == 0 || answer.Opts&capture.OptTS != 0 {
		return // a cookie with a timestamp would have kept them
	}
	w.bag.Add(c.Addr(tracker.Server), c, answer.Time, answer.Time, lost, func() []Proof {
		return proofOf(frame{syn.Frame, "SYN that offers " + optionWords(lost)}, frame{answer.Frame, "SYN,ACK without"})
	})
}

func (w *cookies) slips(lives []slip) {
	for i := range lives {
		l := &lives[i]
		a, b := l.opts[tracker.Client], l.opts[tracker.Server]
		if l.signs&tracker.SignSyn != 0 && l.answered != 0 && (a|b)&capture.OptBad == 0 {
			w.carry(l.server, a&b, l.answered)
		}
	}
}

// carry notes the options that a SYN,ACK of a service, by its index plus one, carried
// as the SYN had.
func (w *cookies) carry(server uint32, got uint8, at int64) {
	if got&(capture.OptWScale|capture.OptSACKOK) == 0 || server == 0 {
		return
	}
	for int(server) > len(w.carried) {
		w.carried = append(w.carried, offers{})
	}
	o := &w.carried[server-1]
	if got&capture.OptWScale != 0 && (o.wscale == 0 || at < o.wscale) {
		o.wscale = at
	}
	if got&capture.OptSACKOK != 0 && (o.sack == 0 || at < o.sack) {
		o.sack = at
	}
}

// optionWords names the options.
func optionWords(o uint8) string {
	switch o {
	case capture.OptWScale:
		return "window scale"
	case capture.OptSACKOK:
		return "SACK-permitted"
	}
	return "window scale and SACK-permitted"
}

func (w *cookies) Findings(x *Context) {
	peaks := map[netip.AddrPort]*tracker.Service{}
	for s := range x.Usage.Services {
		if s.Answered.Max >= w.count {
			peaks[s.Server] = s
		}
	}
	for _, g := range w.bag.Groups(x) {
		s := peaks[g.Key]
		if s == nil {
			continue
		}
		p, o := &s.Answered, offers{}
		if i := w.services.known(g.Key); i != 0 && int(i) <= len(w.carried) {
			o = w.carried[i-1]
		}
		g.Keep(func(it *Item[uint8]) bool {
			return it.At >= p.At-w.window && it.At <= p.At+w.window &&
				(it.V&capture.OptWScale != 0 && o.wscale != 0 && o.wscale < it.At || it.V&capture.OptSACKOK != 0 && o.sack != 0 && o.sack < it.At)
		})
		if len(g.Items) < 2 {
			continue
		}
		var lost uint8
		for i := range g.Items {
			lost |= g.Items[i].V
		}
		f := g.Finding(Server(g.Key))
		f.Severity, f.Blame = Note, BlameServer
		f.Metrics = Metrics{{"connections", float64(f.Count)}, {"syn_received_peak", float64(p.Max)}, {"peak_at", seconds(p.At)}}
		f.Explanation = fmt.Sprintf("%s of %s left out %s between %s and %s, although the SYN offered it and earlier ones carried it. "+
			"At %s %d handshakes lacked only the client's ACK: a listener whose SYN queue is full answers like this when it sends SYN cookies.",
			plural(f.Count, "SYN,ACK"), g.Key, optionWords(lost), clock(g.First()), clock(g.Last()), clock(p.At), p.Max)
		x.Raise(f)
	}
}
