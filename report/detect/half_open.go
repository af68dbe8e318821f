package detect

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"tcpstate/tracker"
)

// HalfOpen: one end is gone, and the other does not know.
var HalfOpen = &Detector{
	ID:    "half-open",
	Title: "one end is gone and the other does not know",
	Rule: "Always: the silent end was proven ESTABLISHED in this life by a segment of its own that is neither SYN nor RST, the life " +
		"was seen from its handshake on, neither end is in TIME-WAIT, the silent end sent no FIN or RST and the other no RST before, and " +
		"the silent end sends nothing but RST after. " +
		"proven-reboot: a segment of the other end (payload, FIN or probe) is answered by a RST without ACK whose sequence number is that " +
		"segment's acknowledgment, as the silent end's next segment, within 1 RTT + 50 ms. The RST is that of a host without the " +
		"connection (no timestamps, the usual TTL, no RST,ACK after it), and the silence before it is too long for an end that aborts in the " +
		"middle of an exchange; where a repeat is answered, it was unanswered before for a second or more. " +
		"proven-restart: the silent end sends a SYN on a tuple that the other holds in ESTABLISHED or CLOSE-WAIT, is answered by a " +
		"challenge ACK, and answers that with RST. " +
		"dead-keepalive: consecutive keepalive probes are unanswered up to the end, or to the prober's own RST. " +
		"probable-dead: one segment is retransmitted again and again, no gap below 0.9 times the one before and the last above 1.3 times " +
		"the first, and nothing comes from the peer after. " +
		"silent-after-handshake: the same, and all that the server ever sent was its SYN,ACK.",
	Default: Error,
	Levels:  "warning for probable-dead and silent-after-handshake, and for proven-reboot where the other end had given up and closed before",
	Subject: "endpoint A:P",
	Blame:   "the silent endpoint's side, or the network",
	Params: []Param{
		{"probes", Count, 2, "unanswered keepalive probes in a row", "oracle 15_keepalive_dead; one may be lost"},
		{"retransmissions", Count, 3, "unanswered retransmissions of one segment", "nf_conntrack_tcp_max_retrans; oracle 12_half_open_vanish"},
	},
	Example: `  0.000  ── PSH,ACK 1:101 ack 1 ─────▶   a request
  0.001  ◀─ PSH,ACK 1:301 ack 101 ───   its answer: the server is ESTABLISHED
         the server restarts
 60.000  ── PSH,ACK 101:201 ack 301 ─▶   the next request
 60.001  ◀───────── RST 301 ─────────   no such connection`,
	Advice: "Find out whether the silent host restarted, failed over or was cut off. The other end learns of such a loss only by sending: " +
		"give its connections an application heartbeat, or SO_KEEPALIVE with TCP_KEEPIDLE and TCP_USER_TIMEOUT on the socket.",
	Sources: []string{"RFC 9293 sections 3.5.1, 3.5.2, 3.8.4 and 3.10.7.1", "RFC 5961 section 4", "Linux tcp_v4_send_reset, tcp_keepalive_timer, tcp_retransmit_timer",
		"oracle 12_half_open_vanish", "oracle 15_keepalive_dead"},
	Signs:    tracker.SignRst | tracker.SignProbe | tracker.SignDataAgain | tracker.SignFinAgain | tracker.SignSynInside,
	Swallows: []string{"fin-unacked", "close-with-unread-data"},
	Withheld: FlagsOnly,
	Lowered:  Missed | OneDirection | Backwards,
	New: func(s *Setup) Watcher {
		return &halfOpen{shared: s.shared, probes: s.Count("probes"), retransmissions: s.Count("retransmissions")}
	},
}

// openness is how well it is known that an end is gone, the best first.
type openness uint8

const (
	provenReboot openness = iota
	provenRestart
	deadKeepalive
	probableDead
	silentAfterHandshake
	numOpenness
)

var opennessNames = [numOpenness]string{"proven-reboot", "proven-restart", "dead-keepalive", "probable-dead", "silent-after-handshake"}

func (l openness) String() string { return opennessNames[l] }

// severity is an error where the other end still counted on the connection.
// One that had given up and closed is not hurt, and what the silent end may have
// said meanwhile was lost with everything else: its FIN or RST as well.
func (v *vanished) severity() Severity {
	if v.level >= probableDead || v.outlived {
		return Warning
	}
	return Error
}

// vanished is an end that is gone.
type vanished struct {
	level    openness
	gone     uint8         // Client or Server
	holder   tracker.State // of the other end, of proven-restart
	rounds   int           // unanswered probes or retransmissions
	silence  int64         // ns, from its last sign of life to the proof, or to the last that went unanswered
	gaveUp   bool          // the other end closed by RST
	outlived bool          // the other end had given up and closed before the gone one answered
	at, last int64
	proof    []Proof
	peer     netip.AddrPort
}

type halfOpen struct {
	*shared
	probes, retransmissions int
	bag                     Bag[netip.AddrPort, vanished]
}

func (w *halfOpen) Case(c *tracker.Case) {
	const silent = tracker.SignProbe | tracker.SignDataAgain | tracker.SignFinAgain
	if c.Has(tracker.SignSelf) || !c.Has(silent) && w.trail.bares() == 0 {
		return // what is proven takes a RST without ACK
	}
	var best *vanished
	for gone := uint8(tracker.Client); gone <= tracker.Server; gone++ {
		for _, v := range [...]*vanished{
			rebooted(c, gone, w.retransmissions),
			restarted(c, gone),
			unansweredProbes(c, gone, w.probes),
			backedOff(c, gone, w.retransmissions),
		} {
			if v != nil && (best == nil || v.surer(best) < 0) {
				v.gone = gone
				best = v
			}
		}
	}
	if best == nil {
		return
	}
	best.peer = c.Addr(int(best.gone ^ 1))
	proof := best.proof
	best.proof = nil
	w.bag.Add(c.Addr(int(best.gone)), c, best.at, best.last, *best, func() []Proof { return proof })
}

// surer compares two by severity and level, the surer first.
func (v *vanished) surer(than *vanished) int {
	return cmp.Or(-cmp.Compare(v.severity(), than.severity()), cmp.Compare(v.level, than.level))
}

func (w *halfOpen) Findings(x *Context) {
	for _, g := range w.bag.Groups(x) {
		// The surest first: it is what the finding tells of and shows.
		slices.SortStableFunc(g.Items, func(a, b Item[vanished]) int { return a.V.surer(&b.V) })
		v := &g.Items[0].V
		f := g.Finding(Endpoint(g.Key))
		f.Severity = v.severity()
		f.Metrics = openMetrics(g)
		f.Blame, f.SeenBy = v.blame(), v.seenBy()
		f.Explanation = v.explain(g)
		f.Advice = v.advise(g.Key)
		x.Raise(f)
	}
}

// openMetrics counts the levels, and gives the longest silence and the most
// attempts to reach the silent end.
func openMetrics(g *Group[netip.AddrPort, vanished]) (m Metrics) {
	var count [numOpenness]int
	var silence int64
	rounds := 0
	for i := range g.Items {
		v := &g.Items[i].V
		count[v.level]++
		silence = max(silence, v.silence)
		rounds = max(rounds, v.rounds)
	}
	for l, n := range count {
		if n > 0 {
			m = append(m, Metric{strings.ReplaceAll(opennessNames[l], "-", "_"), float64(n)})
		}
	}
	m = append(m, Metric{"silence_seconds", seconds(silence)})
	if rounds > 0 {
		m = append(m, Metric{"unanswered", float64(rounds)})
	}
	return m
}
