package detect

import (
	"fmt"
	"net/netip"

	"tcpstate/capture"
	"tcpstate/reassembly"
	"tcpstate/tracker"
)

// PathMTU: a router says that packets are too big.
var PathMTU = &Detector{
	ID:    "path-mtu",
	Title: "packets are too big for the path",
	Rule: "An ICMP fragmentation needed or ICMPv6 packet too big quotes a segment that was really sent on an established connection, and names the MTU. " +
		"It is a black hole where the sender repeats, after that error, at least retransmissions segments that are too big for the named MTU, not joined by offload, " +
		"while small segments of the sender were acknowledged and, after the first of these repeats, the peer is heard, or after the last of them the error comes again: the path is not dead.",
	Default: Note,
	Levels:  "warning for a black hole",
	Subject: "host A → B",
	Blame:   "network",
	Params: []Param{
		{"retransmissions", Count, 3, "segments too big that are repeated after the error", "a sender that took the error sends smaller ones at once (RFC 1191 section 6.4)"},
	},
	Example: "stream 0 10.0.0.1:40022 → 10.0.0.2:80\n#! quote 10.0.0.254 3 4 1400\n" +
		"0 * -- SYN 0 mss 1460 -> *\n0.01 * <- SYN,ACK 0 ack 1 mss 1460 -- *\n0.02 * -- ACK 1 ack 1 -> *\n" +
		"0.03 * -- PSH,ACK 1:1461(1460) ack 1 -> *\n0.031 * -- PSH,ACK 1 ack 1 quoted -> *",
	Advice: "This is path MTU discovery at work and needs nothing. If it happens on every connection, clamp the MSS where the small MTU begins (a tunnel, PPPoE), " +
		"which saves each one a round trip.",
	Sources: []string{"RFC 1191", "RFC 8201", "RFC 2923", "RFC 5927 section 7", "Linux tcp_v4_mtu_reduced, tcp_mtu_probing"},
	Signs:   tracker.SignQuote,
	// Of black holes only: their segments go unanswered, and the peer is not gone.
	Swallows: []string{"half-open"},
	New:      func(s *Setup) Watcher { return &pathMTU{again: s.Count("retransmissions")} },
}

// Below these, an MTU is no path's: every IPv4 host takes 576 octets (RFC 1122
// section 3.3.2), every IPv6 link 1280 (RFC 8200 section 5).
const (
	leastMTU4 = 576
	leastMTU6 = 1280
)

type pathMTU struct {
	again int
	bag   Bag[fromTo, tooBig]
}

// fromTo is who sends to whom.
type fromTo struct{ from, to netip.Addr }

// tooBig is what is wanted of one connection.
type tooBig struct {
	router netip.Addr
	mtu    uint32
	errors int
	again  int  // segments too big, repeated after the error
	hole   bool // a black hole
	vain   bool // as often repeated, but whether anybody is still there is not known
}

func (w *pathMTU) Case(c *tracker.Case) {
	if !c.Has(tracker.SignDone) && !c.Life.Midstream {
		return
	}
	for end := range uint8(2) {
		w.direction(c, end)
	}
}

// direction looks at the errors to one end.
func (w *pathMTU) direction(c *tracker.Case, end uint8) {
	t := &c.Trail
	var v tooBig
	var first, firstBig, lastBig, heard, told *tracker.Event
	var big bool // the latest payload of end was too big
	at := 0
	last := int64(0)
	small := false // a segment of end that fits was acknowledged
	over := false  // as many repeats as a black hole has, and then smaller ones took over
	for i := range t.Events {
		e := &t.Events[i]
		switch {
		case e.Is(tracker.Earlier | tracker.Odd):
		case e.Is(tracker.Quoted):
			q := &t.Quotes[e.Quote]
			if e.From != end || !bigPacket(q) || sameQuote(t, i) || !spaceBefore(t, i, end).has(reassembly.Seq(e.Seq)) {
				continue
			}
			if first == nil {
				first, at, v.router, v.mtu = e, i, q.From, q.MTU
			}
			if q.MTU != 0 && (v.mtu == 0 || q.MTU < v.mtu) {
				v.mtu, v.router = q.MTU, q.From
			}
			v.errors++
			last = e.Time
			if told == nil && v.again >= w.again {
				told = e
			}
		case e.From == end:
			if e.Len > 0 {
				big = v.tooBig(c, e)
			}
			if first == nil || e.Class != reassembly.Retransmission || !big || over {
				continue
			}
			if v.again++; firstBig == nil {
				firstBig = e
			}
			lastBig = e
		case e.Is(tracker.AcksNew):
			small = true // the handshake's segments at the least
			switch {
			case firstBig == nil || over || !reassembly.Seq(firstBig.Seq).Less(reassembly.Seq(e.Ack)):
			case big || v.again < w.again:
				v.again, firstBig, lastBig, heard, told = 0, nil, nil, nil, nil // they do pass, or smaller ones took over in time
			default:
				over = true
			}
			fallthrough
		default:
			if firstBig != nil && heard == nil && !e.Rst() {
				heard = e
			}
		}
	}
	if first == nil {
		return
	}
	v.vain = v.again >= w.again && firstBig != nil
	v.hole = v.vain && small && (heard != nil || told != nil)
	if lastBig != nil {
		last = max(last, lastBig.Time)
	}
	key := fromTo{c.Addr(int(end)).Addr(), c.Addr(int(end ^ 1)).Addr()}
	w.bag.Add(key, c, first.Time, last, v, func() []Proof {
		l := quoteProof(c, at, v.name())
		if v.hole {
			more := []frame{{firstBig.Frame, fmt.Sprintf("repeated all the same with %s", plural(int(firstBig.Len), "octet"))},
				{lastBig.Frame, fmt.Sprintf("the last of %s too big", plural(v.again, "repeat"))}}
			if heard != nil {
				more = append(more, frame{heard.Frame, "the peer is alive: small segments pass"})
			}
			if told != nil {
				more = append(more, frame{told.Frame, "the same error again: the path is there, and the sender does not take what it is told"})
			}
			l = append(l, proofOf(more...)...)
		}
		return l
	})
}

// bigPacket reports the errors that say that a packet is too big.
func bigPacket(q *capture.Quote) bool {
	if q.V6 {
		return q.Type == 2
	}
	return q.Type == 3 && q.Code == 4
}

// tooBig reports whether the segment does not fit, as far as can be told: one
// joined by offload is cut before it leaves.
func (v *tooBig) tooBig(c *tracker.Case, e *tracker.Event) bool {
	mss := uint32(c.Life.Ends[e.From^1].MSS)
	if mss == 0 {
		mss = 1460 // Ethernet's, where no SYN of the peer told it
	}
	head := uint32(40)
	if c.Addr(0).Addr().Is6() {
		head = 60
	}
	if e.Opts&capture.OptTS != 0 {
		head += 12
	}
	return v.mtu != 0 && e.Len <= mss && e.Len+head > v.mtu
}

func (v *tooBig) name() string {
	s := "packet too big"
	if v.router.Is4() {
		s = "fragmentation needed"
	}
	if v.mtu == 0 {
		return s + ", naming no MTU"
	}
	return fmt.Sprintf("%s, MTU %d", s, v.mtu)
}

func (w *pathMTU) Findings(x *Context) {
	for _, g := range w.bag.Groups(x) {
		errors, holes, again, vain := 0, 0, 0, 0
		var hung []Ref
		main := &g.Items[0].V // the narrowest
		for i := range g.Items {
			v := &g.Items[i].V
			errors += v.errors
			switch {
			case v.hole:
				holes++
				again += v.again
				hung = append(hung, g.Items[i].Ref)
			case v.vain:
				vain++
			}
			if v.mtu != 0 && (main.mtu == 0 || v.mtu < main.mtu) {
				main = v
			}
		}
		f := g.Finding(Hosts(g.Key.from, g.Key.to))
		f.Severity, f.Blame = Note, BlameNetwork
		f.Metrics = Metrics{{"mtu", float64(main.mtu)}, {"errors", float64(errors)}, {"black_holes", float64(holes)}, {"repeats_too_big", float64(again)}}
		f.Explanation = fmt.Sprintf("%s tells %s that its packets to %s are too big (%s), on %s.", main.router, g.Key.from, g.Key.to, main.name(),
			plural(g.Count(), "connection"))
		least := uint32(leastMTU4)
		if g.Key.from.Is6() {
			least = leastMTU6
		}
		if vain > 0 {
			f.Explanation += fmt.Sprintf(" On %s the sender kept repeating segments that are too big, and nothing was heard after that: a black hole, or the peer is gone.", plural(vain, "connection"))
		}
		if main.mtu >= least && holes+vain == 0 {
			f.Explanation += " That is path MTU discovery at work: the sender is to send smaller ones."
		}
		if main.mtu != 0 && main.mtu < least {
			f.Explanation += fmt.Sprintf(" No path has so small an MTU (%d at least): the error is forged or its sender broken.", least)
		}
		if holes > 0 {
			f.Severity = Warning
			f.Explanation += fmt.Sprintf(" On %s the sender kept repeating segments that are too big, %s, while small ones passed: "+
				"the error does not reach it, or it does not take it, and the connection hangs.", plural(holes, "connection"), times(again))
			f.Advice = "Let ICMP type 3 code 4 and ICMPv6 type 2 through to the sender, through every filter and load balancer on the way. " +
				"Until then clamp the MSS at the router or tunnel with the small MTU, or set net.ipv4.tcp_mtu_probing=1 on the sender (Linux), which finds the size " +
				"by itself, but only after some timeouts."
		}
		f.inPlace = &hung
		x.Raise(f)
	}
}
