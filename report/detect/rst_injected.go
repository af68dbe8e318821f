package detect

import (
	"fmt"
	"math/bits"
	"net/netip"
	"strings"

	"tcpstate/tracker"
)

// RstInjected: a RST that its claimed sender did not send.
var RstInjected = &Detector{
	ID:    "rst-injected",
	Title: "somebody between both ends resets their connections",
	Rule: "At least 2 independent signals that a RST's claimed sender did not send it. Talks on: new payload, or a newer timestamp, comes from it past its own RST. " +
		"TTL: the RST's differs by more than 2 from the usual one (at least 3 packets) of that sender in this flow, and from that of its latest segment. " +
		"Number: it is neither that sender's SND.NXT, nor SND.NXT-1 after its FIN, nor the acknowledgment of any segment that it was sent. " +
		"Rising: more RSTs with rising numbers than segments that could have drawn them. " +
		"No timestamp: a RST,ACK without the timestamp option that the flow uses, which does not refuse a SYN. " +
		"First each RST is paired with the peer's segment whose acknowledgment it carries; paired ones give no signal by their numbers. " +
		"What the capture cannot decide, because it lacks segments of the life, is no signal. A bare RST that nothing asked for is none either.",
	Default: Error,
	Subject: "host A → host B",
	Blame:   "a middlebox",
	Params: []Param{
		{"signals", Count, 2, "signals about one RST", "each alone has an innocent explanation"},
		{"ttl", Count, 2, "TTLs that differ by more are another path", "paths do change a little; Weaver, Sommer, Paxson 2009"},
		{"baseline", Count, 3, "packets with the usual TTL", "oracle captures; fewer are no habit"},
	},
	Example: `  2.000  ── PSH,ACK 1:200 ack 1 ttl 64 ────▶
  2.010  ◀── RST,ACK 1 ack 200 ttl 250 ─────  closer than the server
  2.040  ◀── PSH,ACK 1:900 ack 200 ttl 52 ──  the server's answer`,
	Advice: "Look for the box between both hosts that resets: a firewall, an intrusion prevention system, a load balancer, the provider's filter. The RST's TTL against " +
		"that of the sender's other segments tells how many hops away it is; its log names the rule. Neither end has to change anything.",
	Sources:  []string{"Weaver, Sommer, Paxson: Detecting Forged TCP Reset Packets (NDSS 2009)", "RFC 9293 section 3.10.7.1", "RFC 7323 section 3.2", "Linux tcp_send_active_reset, tcp_v4_send_reset"},
	Signs:    tracker.SignRst,
	Withheld: FlagsOnly, // what drew a RST was filtered out
	Lowered:  Missed | OneDirection | CutHeaders | Backwards,
	New: func(s *Setup) Watcher {
		return &injected{shared: s.shared, signals: s.Count("signals"), ttl: s.Count("ttl"), baseline: uint32(s.Count("baseline"))}
	},
}

// forgery are the signals that a RST is not its claimed sender's.
type forgery uint8

const (
	talksOn forgery = 1 << iota
	wrongTTL
	offNumber
	risingRow
	noTimestamp
)

var forgeryNames = [...]string{"its claimed sender talks on after it", "its TTL is not that sender's", "its number is none that this sender would use",
	"more RSTs with rising numbers came than segments could draw", "it lacks the timestamps that the flow uses"}

// words lists the signals.
func (f forgery) words() string {
	var l []string
	for i, n := range forgeryNames {
		if f>>i&1 != 0 {
			l = append(l, n)
		}
	}
	return strings.Join(l, "; ")
}

type injected struct {
	*shared
	signals, ttl int
	baseline     uint32
	bag          Bag[clientServer, injection]
}

// injection is what was found on one connection.
type injection struct {
	signs    forgery
	as       uint8 // whose name was on the RST with the most signals
	ttl      uint8
	usualTTL uint8
	resets   [2]int // RSTs with enough signals, by the end that they go to
	took     [2]bool
	client   netip.AddrPort
}

func (w *injected) Case(c *tracker.Case) {
	if c.Has(tracker.SignSelf) {
		return
	}
	ev := c.Trail.Events
	var v injection
	var clues []clue
	var at, last int64
	var room [4]int // enough for most
	var pairs [4]bool
	for x := uint8(tracker.Client); x <= tracker.Server; x++ {
		if w.trail.resets[x] == 0 || w.natural(c, x) {
			continue
		}
		p := w.suspect(c, x, room[:0], pairs[:0])
		for _, i := range p.resets {
			found := w.examine(c, &p, i)
			var signs forgery
			for _, k := range found {
				signs |= k.sign
			}
			if bits.OnesCount8(uint8(signs)) < w.signals {
				continue
			}
			r := &ev[i]
			if at == 0 || r.Time < at {
				at = r.Time
			}
			last = max(last, r.Time)
			v.resets[x^1]++
			v.took[x^1] = v.took[x^1] || r.Is(tracker.Took)
			if bits.OnesCount8(uint8(signs)) > bits.OnesCount8(uint8(v.signs)) {
				v.signs, v.as, v.ttl, v.usualTTL = signs, x, r.TTL, c.Ends[x].TTL
				clues = append(found, clue{frame: r.Frame, text: fmt.Sprintf("%s in the name of the %s", nameOfReset(r), sideNames[x])})
			}
		}
	}
	if at == 0 {
		return
	}
	v.client = c.Addr(tracker.Client)
	w.bag.Add(hostsOf(c), c, at, last, v, func() []Proof { return proofOfClues(clues) })
}

// natural reports that the only RST in the name of x shows one signal at the most.
func (w *injected) natural(c *tracker.Case, x uint8) bool {
	o := w.trail
	if w.signals < 2 || o.resets[x] != 1 || o.goesOn[x] {
		return false
	}
	r, a := &c.Trail.Events[o.reset[x]], &c.Ends[x]
	return r.Is(tracker.AtNxt) && (a.TTLSeen < w.baseline || !w.apart(r.TTL, a.TTL))
}

func (w *injected) Findings(x *Context) {
	for _, g := range w.bag.Groups(x) {
		f := g.Finding(Hosts(g.Key.client, g.Key.server))
		f.Severity, f.Blame = Error, BlameMiddlebox
		var resets [2]int
		var took [2]bool
		for i := range g.Items {
			v := &g.Items[i].V
			for end := range resets {
				resets[end] += v.resets[end]
				took[end] = took[end] || v.took[end]
			}
		}
		f.SeenBy = sawReset(took)
		v := &g.Items[0].V
		f.Metrics = Metrics{{"rst_to_client", float64(resets[tracker.Client])}, {"rst_to_server", float64(resets[tracker.Server])},
			{"signals", float64(bits.OnesCount8(uint8(v.signs)))}}
		f.Explanation = fmt.Sprintf("On %s between %s and %s came RSTs that their claimed sender did not send: %s. "+
			"Of one in the name of the %s: %s.", plural(g.Count(), "connection"), g.Key.client, g.Key.server, towards(resets), sideNames[v.as], v.signs.words())
		if v.signs&wrongTTL != 0 {
			f.Metrics = append(f.Metrics, Metric{"rst_ttl", float64(v.ttl)}, Metric{"usual_ttl", float64(v.usualTTL)})
			f.Explanation += fmt.Sprintf(" The RST came with TTL %d, that sender's other segments with %d.", v.ttl, v.usualTTL)
		}
		x.Raise(f)
	}
}

// towards says how many RSTs went to which end.
func towards(n [2]int) string {
	client, server := plural(n[tracker.Client], "RST")+" to the client", plural(n[tracker.Server], "RST")+" to the server"
	switch {
	case n[tracker.Server] == 0:
		return client
	case n[tracker.Client] == 0:
		return server
	}
	return client + ", " + server
}
