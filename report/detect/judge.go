package detect

import "fmt"

// item is one thing that is worth telling of the capture.
type item struct {
	doubt  Doubt // what it makes doubtful
	says   string
	advice string
	flaw   flaw   // whose lives are its evidence; flaws if none
	shows  string // a display filter, where there is no evidence
}

// measured are the capture's figures and what they amount to.
type measured struct {
	items   []item // by weight
	metrics Metrics
}

const (
	// oneDirectionMost is the share of connections from which on what depends on
	// both directions is not to be trusted at all.
	oneDirectionMost = 0.5
	// fewLives is how many connections of one direction are an accident, where
	// most others are whole: a lost SYN,ACK, an abandoned flow.
	fewLives = 3
	// lostMatters is the share of lost frames from which on findings are doubtful: they
	// rest on some ten frames each, so that of a thousand one is touched.
	lostMatters = 1e-4
)

// share is n of all, 0 of nothing.
func share(n, all uint64) float64 {
	if all == 0 {
		return 0
	}
	return float64(n) / float64(all)
}

// judgement is quality as it decides.
type judgement struct {
	*quality
	*Context
	set *Setup
}

// judge finds what is worth telling and what is doubtful for it.
func (q *quality) judge(x *Context) {
	j := &judgement{q, x, &Setup{detector: CaptureQuality, values: x.engine.opts.Values}}
	only := j.filter()
	j.directions()
	j.damage()
	j.drops()
	j.missing(only)
	j.copies()
	j.time()
	j.headers()
	j.early()
	j.offload()
	for _, i := range q.items {
		q.doubts |= i.doubt
	}
}

func (j *judgement) tell(i item) { j.items = append(j.items, i) }

func (j *judgement) metric(name string, v float64) { j.metrics = append(j.metrics, Metric{name, v}) }

// filter tells of a capture that holds nothing but SYN, FIN and RST.
func (j *judgement) filter() bool {
	all, n := j.Totals.Segments, j.count(filtered)
	j.metric("flags_share", share(all-j.Totals.Plain, all))
	if j.Totals.Plain > 0 || n == 0 || n < uint64(j.set.Count("filtered")) {
		return false
	}
	j.tell(item{doubt: FlagsOnly, flaw: filtered,
		says: fmt.Sprintf("All %d segments are SYN, FIN or RST, and %s closed that must have had others: a filter kept nothing else.",
			all, plural(int(n), "connection")),
		advice: "Capture all segments of the connections: a filter on tcp[tcpflags] hides what the states and most findings rest on."})
	return true
}

func (j *judgement) directions() {
	n := j.count(oneWay)
	v := share(n, j.talking)
	j.metric("one_direction_share", v)
	i := item{flaw: oneWay,
		says:   fmt.Sprintf("%s of the connections with more than SYNs were captured in one direction only (%d of %d).", percent(v), n, j.talking),
		advice: "Mirror both directions (rx and tx) of the port, capture where both pass, or on the host itself without tcpdump -Q."}
	switch {
	case v > oneDirectionMost:
		i.doubt = OneDirection
		j.tell(i)
	case n >= fewLives && v >= j.set.Value("one-direction"):
		j.tell(i)
	}
}

func (j *judgement) damage() {
	j.metric("damage", float64(len(j.Stats.Damage)))
	if len(j.Stats.Damage) == 0 {
		return
	}
	d := &j.Stats.Damage[0]
	how := "is damaged"
	if d.Cut {
		how = "ends inside a record"
	}
	j.tell(item{doubt: Damaged, flaw: flaws, says: fmt.Sprintf("The file %s (%s): what follows is unknown.", how, d.Reason),
		advice: "Stop the capture with SIGINT or SIGTERM, have disk space, and copy files only when they are closed."})
}

// lighter is what helps against loss.
const lighter = "Make the capture lighter: a larger buffer (tcpdump -B 65536), headers only (-s 256), a filter by host and port, a faster " +
	"disk; a mirror port drops what exceeds its speed."

func (j *judgement) drops() {
	st := j.Stats
	n := st.Dropped + st.IfDropped
	v := share(n, n+st.Packets)
	j.metric("dropped", float64(st.Dropped))
	j.metric("dropped_by_interface", float64(st.IfDropped))
	if n == 0 {
		return
	}
	i := item{flaw: flaws, advice: lighter,
		says: fmt.Sprintf("The capturing side dropped %s (%s of all).", plural(int(n), "frame"), percent(v))}
	if v >= lostMatters {
		i.doubt = Missed
	}
	j.tell(i)
}

// missing tells of octets that were acknowledged and not captured; where a
// filter kept them out, that was told.
func (j *judgement) missing(told bool) {
	v := share(j.unseen, j.unseen+j.seen)
	j.metric("unseen_octets", float64(j.unseen))
	j.metric("unseen_share", v)
	if told || j.unseen == 0 || v < j.set.Value("unseen") {
		return
	}
	j.tell(item{doubt: Missed, flaw: gaps, advice: lighter,
		says: fmt.Sprintf("The capture lacks %s (%s of the payload) that the peer acknowledged: the capture lost them, not the network.",
			plural(int(j.unseen), "octet"), percent(v))})
}

func (j *judgement) copies() {
	t := &j.Totals
	v := share(t.Copies, t.Segments)
	j.metric("copies", float64(t.Copies))
	j.metric("copies_share", v)
	// ACKs and RSTs sent in a burst look alike, above all over IPv6, which
	// numbers no packets.
	if t.Twice == 0 || t.Twice < t.Copies/10 || v < j.set.Value("copies") {
		j.joined()
		return
	}
	j.tell(item{doubt: Copied, flaw: flaws,
		says:   fmt.Sprintf("The capture holds %s (%s) more than once.", plural(int(t.Copies), "segment"), percent(v)),
		advice: "Capture on one interface in place of any, and mirror one port, or of several ports one direction each."})
}

// joined tells of a capture of two places: each segment is there twice, with the
// time between that it took from one place to the other. That is too long for a
// copy, so that it looks like a repeat.
func (j *judgement) joined() {
	n := j.count(doubled)
	v := share(n, j.opened)
	if n < fewLives || v < j.set.Value("copies") {
		return
	}
	j.tell(item{doubt: Copied, flaw: doubled,
		says: fmt.Sprintf("The SYNs of %s (%s) are here twice, sent once: captures of two places were joined, and segments of the one look like repeats of the other's.",
			plural(int(n), "connection"), percent(v)),
		advice: "Look at the capture of each place by itself."})
}

func (j *judgement) time() {
	n := j.Stats.TimeBack
	v := share(n, j.Stats.Packets)
	j.metric("backwards", float64(n))
	by := j.Stats.BackBy
	if n == 0 || v < j.set.Value("backwards") && by < j.set.Span("jump") {
		return
	}
	j.tell(item{doubt: Backwards, flaw: flaws, shows: "frame.time_delta < 0",
		says:   fmt.Sprintf("Time runs backwards at %s (%s), by up to %s.", plural(int(n), "frame"), percent(v), span(by)),
		advice: "Sort the file (reordercap), and join captures with mergecap, which goes by time, not one behind the other."})
}

func (j *judgement) headers() {
	n := j.Totals.Cut
	j.metric("cut_headers", float64(n))
	if n == 0 {
		return
	}
	j.tell(item{doubt: CutHeaders, flaw: flaws, shows: "tcp && frame.cap_len < frame.len",
		says:   fmt.Sprintf("The snap length cut the TCP headers of %s: their options are unknown.", plural(int(n), "segment")),
		advice: "Take a snap length that holds all headers: tcpdump -s 256."})
}

func (j *judgement) early() {
	n := j.count(late)
	v := share(n, j.lives)
	j.metric("midstream_share", v)
	if n == 0 || v < j.set.Value("midstream") {
		return
	}
	j.tell(item{doubt: Late, flaw: late,
		says:   fmt.Sprintf("%s of the connections (%d of %d) began before the capture.", percent(v), n, j.lives),
		advice: "Start the capture before the connections, or restart the client: how a connection was opened decides much."})
}

func (j *judgement) offload() {
	v := share(j.oversized, j.payload)
	j.metric("offload_share", v)
	if j.oversized == 0 || v < j.set.Value("offload") {
		return
	}
	j.tell(item{doubt: Offloaded, flaw: flaws, shows: "tcp.len > 1460",
		says: fmt.Sprintf("%s of the segments with payload are larger than the MSS: offload joined them, they are not those of the wire.", percent(v)),
		advice: "Where single segments matter, capture on a mirror port, or switch offload off meanwhile, which costs CPU " +
			"(ethtool -K IFACE gro off gso off tso off)."})
}
