package detect

import (
	"fmt"
	"net/netip"

	"tcpstate/reassembly"
	"tcpstate/tracker"
)

// PacketLoss: payload that did not arrive.
var PacketLoss = &Detector{
	ID:    "packet-loss",
	Title: "payload is lost on the way and sent again",
	Rule: "Segments of payload from one host to another were sent again. Told apart are needless repeats (acknowledged before, or the receiver says by DSACK " +
		"that it had the segment), segments that were only overtaken or doubled on the way (their timestamp is older, or they come within 3 ms), repeats against a window of zero, " +
		"and repeats after which the receiver never spoke again: it is gone, and that is another finding. Octets that were acknowledged but never seen are the capture's loss. " +
		"SYN and FIN are left to other findings. Below least lost segments, or below floor, nothing is said.",
	Default: Note,
	Levels:  "warning from share on, if there are at least as many payload segments as segments says",
	Subject: "host A → B",
	Blame:   "network",
	Params: []Param{
		{"share", Share, 0.03, "share of payload segments lost for a warning", "above it, throughput of a loss-based congestion control collapses (Mathis et al. 1997: rate ~ 1/sqrt(loss))"},
		{"segments", Count, 50, "payload segments to judge the share by", "with fewer, two lost segments would pass share"},
		{"least", Count, 3, "lost segments that are worth a note", "a stray retransmission or two are on every path"},
		{"floor", Share, 0.001, "share of payload segments lost that is worth a note", "below one in a thousand, the loss that congestion control itself provokes is not told from any other (RFC 5681)"},
	},
	Example: `stream 0 10.0.0.1:40000 → 10.0.0.2:80
isn 1000 9000
0      -- SYN 0 mss 1460 ->
0.02   <- SYN,ACK 0 ack 1 mss 1460 --
0.04   -- ACK 1 ack 1 ->
0.05   -- PSH,ACK 1:1001(1000) ack 1 ->
0.35   -- PSH,ACK 1:1001(1000) ack 1 ->
0.37   <- ACK 1 ack 1001 --
0.4    -- PSH,ACK 1001:2001(1000) ack 1 ->
0.7    -- PSH,ACK 1001:2001(1000) ack 1 ->
0.72   <- ACK 1 ack 2001 --
0.8    -- PSH,ACK 2001:3001(1000) ack 1 ->
1.1    -- PSH,ACK 2001:3001(1000) ack 1 ->
1.12   <- ACK 1 ack 3001 --`,
	Advice: "Find the hop that drops: compare captures of both ends, and look at the drop and error counters of interfaces and switches on that direction " +
		"(ip -s link, ethtool -S), at policers, full queues, duplex mismatch and radio links. Some loss is how TCP finds the rate of a path; " +
		"it is a fault where it comes without load.",
	Sources: []string{"RFC 6298", "RFC 2883 (DSACK)", "RFC 8985 section 7 (tail loss probe)", "Wireshark's tcp.analysis.retransmission and out_of_order", "oracle 23_loss", "oracle 28_zero_window"},
	Signs:   tracker.SignLife,
	Lowered: Copied | Backwards,
	New: func(s *Setup) Watcher {
		return &packetLoss{shared: s.shared, sent: tally{kept: table[[2]uint32]{most: maxGroups}}, share: s.Value("share"), floor: s.Value("floor"), segments: float64(s.Count("segments")), least: uint64(s.Count("least")),
			ways: table[uint32]{most: maxGroups}, bag: Bag[direction, losses]{words: lossProof, note: (*shorthand).losses}}
	},
}

type packetLoss struct {
	*shared
	share, floor, segments float64
	least                  uint64
	sent                   tally         // segments of payload by pairs of hosts, from the first and from the second
	ways                   table[uint32] // the directions where some was lost or did not come in order: into became, plus one
	became                 []traffic
	bag                    Bag[direction, losses]
}

// direction is from one host to another.
type direction struct{ from, to netip.Addr }

// traffic is what became of what was sent in one direction, over all lives.
type traffic struct{ lost, spurious, overtaken, unseen uint64 }

func (w *packetLoss) fetch(lives []slip) (n uint64) {
	for i := range lives {
		n += w.sent.fetch(lives[i].pair)
	}
	return n
}

func (w *packetLoss) slips(lives []slip) {
	for i := range lives {
		if n := lives[i].sent(); n != [2]uint64{} {
			w.sent.add(lives[i].pair, n[0], n[1])
		}
	}
}

func (w *packetLoss) Case(c *tracker.Case) {
	if c.Has(tracker.SignSelf) || intruded(c) {
		return
	}
	if n := sentBy(c, w.swapped, w.host[0] == w.host[1]); n != [2]uint64{} {
		w.sent.add(w.pair, n[0], n[1])
	}
	for x := range c.Ends {
		a := &c.Ends[x]
		if a.DataSegments == 0 {
			continue
		}
		if a.Spurious+a.OutOfOrder+a.Unseen+a.Lost == 0 {
			continue
		}
		way := w.ways.at(together(w.host[x], w.host[x^1]))
		if way == nil {
			continue
		}
		if *way == 0 {
			w.became = append(w.became, traffic{})
			*way = uint32(len(w.became))
		}
		t := &w.became[*way-1]
		w.sent.keep(w.pair)
		t.spurious += a.Spurious
		t.overtaken += a.OutOfOrder
		t.unseen += a.Unseen
		lost := a.Lost
		if lost > 0 {
			lost -= min(lost, intoTheDark(c, uint8(x)))
		}
		if lost > 0 {
			t.lost += lost
			at, last, v := lossesOf(c, uint8(x))
			w.bag.AddAt(*way, direction{c.Addr(x).Addr(), c.Addr(x ^ 1).Addr()}, c, at, last, v, nil)
		}
	}
}

// intruded reports a life that a SYN began on the tuple of another that went on:
// a stray or forged one, which nobody accepted. What follows bears the older life's
// numbers, and looks as if it had been sent before.
func intruded(c *tracker.Case) bool {
	return c.Has(tracker.SignSynInside) && c.Life.AnsweredAt == 0 && c.Life.Continues >= 0
}

// sentAgain reports payload of x that shows a loss: sent before, or filling a
// hole that it left. That it was needless is not known yet when it is sent.
func sentAgain(e *tracker.Event, x uint8) bool {
	return own(e) && e.From == x && e.Len > 0 && (e.Class == reassembly.Retransmission || e.Class == reassembly.OutOfOrder)
}

// intoTheDark counts the repeats of x after which the other end, which was
// captured, never spoke again.
func intoTheDark(c *tracker.Case, x uint8) (n uint64) {
	if c.Ends[x^1].Segments == 0 {
		return 0
	}
	for i := len(c.Trail.Events) - 1; i >= 0; i-- {
		e := &c.Trail.Events[i]
		if own(e) && e.From != x && e.Plain() || e.Is(tracker.Earlier) {
			break
		}
		if sentAgain(e, x) {
			n++
		}
	}
	return n
}

// lossShown is how many repeats of one connection are shown.
const lossShown = 4

// losses are what one connection shows of it: the first repeats that are kept. Where
// none is, it is the latest payload, and how many segments before that were sent again.
type losses struct {
	shown  [lossShown]repeat
	before uint64
}

// repeat is a segment of payload that was sent again.
type repeat struct {
	frame  uint64
	octets uint32
	fills  bool // a hole: the first copy was not captured
}

func (s *shorthand) losses(v *losses) {
	s.unsigned(&v.before)
	for i := range v.shown {
		r := &v.shown[i]
		if s.frame(&r.frame); r.frame == 0 {
			return
		}
		s.count(&r.octets)
		s.flags(&r.fills)
	}
}

// lossesOf are the losses of x, and the times of the first and the last repeat that is
// kept.
func lossesOf(c *tracker.Case, x uint8) (at, last int64, v losses) {
	n := 0
	for i := range c.Trail.Events {
		e := &c.Trail.Events[i]
		if !sentAgain(e, x) {
			continue
		}
		if at == 0 {
			at = e.Time
		}
		last = e.Time
		if n < lossShown {
			v.shown[n] = repeat{e.Frame, e.Len, e.Class == reassembly.OutOfOrder}
			n++
		}
	}
	a := &c.Ends[x]
	if n == 0 {
		v.shown[0].frame, v.before = a.LastDataFrame, a.Lost
	}
	if at == 0 {
		at, last = a.FirstDataAt, a.LastDataAt
	}
	return at, last, v
}

// lossProof lists the frames.
func lossProof(_ direction, it *Item[losses]) (p []Proof) {
	v := &it.V
	if v.before > 0 {
		return []Proof{{v.shown[0].frame, fmt.Sprintf("the last payload from here; %d segments before it were sent again", v.before)}}
	}
	for _, r := range v.shown {
		if r.frame == 0 {
			break
		}
		text := plural(int(r.octets), "octet") + " sent again"
		if r.fills {
			text = fmt.Sprintf("%d octets fill a hole, sent after what came beyond it: the first copy was lost before it came here", r.octets)
		}
		p = append(p, Proof{r.frame, text})
	}
	return p
}

// sentBy counts the segments of payload from the first host of the pair, and from
// the second; all in one where both are one.
func sentBy(c *tracker.Case, swapped, same bool) (n [2]uint64) {
	for x := range c.Ends {
		n[x] = c.Ends[x].DataSegments
		if n[x] > 0 {
			n[x] += c.Ends[x].Joined
		}
	}
	switch {
	case same:
		n[0], n[1] = n[0]+n[1], 0
	case swapped:
		n[0], n[1] = n[1], n[0]
	}
	return n
}

// payload is how many segments of it were sent in one direction. Where a pair of
// hosts was forgotten before it lost some, those that it had sent until then are not
// counted.
func (w *packetLoss) payload(d direction) uint64 {
	k, swapped := pairKey(hostKey(d.from), hostKey(d.to))
	return w.sent.of(k)[one(swapped)]
}

func (w *packetLoss) Findings(x *Context) {
	for _, g := range w.bag.Groups(x) {
		t := &w.became[*w.ways.find(together(hostKey(g.Key.from), hostKey(g.Key.to)))-1]
		payload := w.payload(g.Key)
		share := float64(t.lost) / float64(payload)
		if t.lost < w.least || share < w.floor {
			continue
		}
		f := g.Finding(Hosts(g.Key.from, g.Key.to))
		f.Severity, f.Blame = Note, BlameNetwork
		if share >= w.share && float64(payload) >= w.segments {
			f.Severity = Warning
		}
		f.Metrics = Metrics{{"share", share}, {"lost_segments", float64(t.lost)}, {"payload_segments", float64(payload)},
			{"spurious_segments", float64(t.spurious)}, {"out_of_order_segments", float64(t.overtaken)}, {"uncaptured_bytes", float64(t.unseen)}}
		f.Explanation = fmt.Sprintf("Of %d payload segments from %s to %s, %d (%s) were lost and sent again, in %s.",
			payload, g.Key.from, g.Key.to, t.lost, percent(share), plural(g.Count(), "connection"))
		switch {
		case t.spurious > 0 && t.overtaken > 0:
			f.Explanation += fmt.Sprintf(" Not counted: %s, and %d overtaken or doubled on the way.", plural(int(t.spurious), "needless repeat"), t.overtaken)
		case t.spurious > 0:
			f.Explanation += fmt.Sprintf(" Not counted: %s.", plural(int(t.spurious), "needless repeat"))
		case t.overtaken > 0:
			f.Explanation += fmt.Sprintf(" Not counted: %d overtaken or doubled on the way.", t.overtaken)
		}
		if t.unseen > 0 {
			f.Explanation += fmt.Sprintf(" The capture lacks %s that were acknowledged: its own loss, not the path's.", plural(int(t.unseen), "octet"))
		}
		x.Raise(f)
	}
}
