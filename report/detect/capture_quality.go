package detect

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// CaptureQuality says what is doubtful about the capture. The engine judges
// before all others and raises last: quality.go gathers,
// judge.go decides.
var CaptureQuality = &Detector{
	ID:    "capture-quality",
	Title: "the capture does not show everything",
	Rule: "One of: nothing but SYN, FIN and RST segments although connections closed that must have had others; " +
		"connections of which one direction only was captured; connections that began before the capture; octets " +
		"acknowledged that were never captured; frames that the capturing side dropped; segments captured twice; TCP headers cut " +
		"by the snap length; time that runs backwards; segments joined by offload; a truncated or damaged file.",
	Default: Note,
	Levels:  "warning when a finding was withheld or lowered for it",
	Subject: WholeCapture,
	Blame:   "unknown",
	Params: []Param{
		{"filtered", Count, 3, "connections that prove that a filter kept nothing but SYN, FIN and RST", "one may have lost its ACK; three did not"},
		{"one-direction", Share, 0.1, "of the connections with more than SYNs: captured in one direction", "asymmetric routing of single flows is ordinary"},
		{"midstream", Share, 0.5, "of the connections: begun before the capture", "a capture on a busy host begins amid some"},
		{"unseen", Share, 0.001, "of the payload: acknowledged and never captured", "RFC 9293 section 3.10.7.4: only what was sent is acknowledged"},
		{"copies", Share, 0.1, "of the segments, or of the connections' SYNs: captured more than once", "oracle 27_duplicates has 36 %; a path that duplicates copies single segments"},
		{"backwards", Share, 0.01, "of the frames: earlier than the frame before", "queues of one interface reorder single frames"},
		{"jump", Span, 1, "by which a single frame is earlier than the one before", "no queue holds frames for so long: the clock was set, or files were joined one behind the other"},
		{"offload", Share, 0.5, "of the segments with payload: joined by offload", "captures on a host always hold some"},
	},
	Example: "#! stats dropped=120\n" +
		"stream 0 10.0.0.1:40022 → 10.0.0.2:80\n0 * -- SYN 0 -> *\n0.001 * <- SYN,ACK 0 ack 1 -- *\n0.002 * -- ACK 1 ack 1 -> *",
	Advice: "Capture where both directions pass, from before the connections on, with headers only and a large buffer " +
		"(tcpdump -s 256 -B 65536), on one interface, and without a filter on tcp[tcpflags]. Where single segments matter, switch " +
		"offload off meanwhile, which costs CPU (ethtool -K IFACE gro off gso off tso off).",
	Sources: []string{"pcap_stats(3PCAP)", "RFC 9293 sections 3.5, 3.6 and 3.10.7.4", "oracle 27_duplicates", "oracle 31_midstream"},
	New:     func(*Setup) Watcher { return silent{} },
}

// silent is a watcher whose work is done elsewhere.
type silent struct{ usageOnly }

func (silent) Findings(*Context) {}

// maxSaid is how many items a finding puts into words; its metrics have all.
const maxSaid = 3

// raise tells of them.
func (q *quality) raise(x *Context) {
	q.crowded(x)
	if len(q.items) == 0 {
		return
	}
	f := Finding{Severity: Note, Blame: BlameUnknown, Subject: WholeCapture, Count: len(q.items), Metrics: q.metrics,
		First: instant(x.Stats.First), Last: instant(x.Stats.Last)}
	// What cost findings is told first.
	var guilty Doubt
	for _, id := range q.withheld {
		guilty |= Find(id).Withheld
	}
	for _, id := range q.lowered {
		guilty |= Find(id).Lowered
	}
	slices.SortStableFunc(q.items, func(a, b item) int { return rank(a.doubt&guilty) - rank(b.doubt&guilty) })
	var says, advice []string
	for _, i := range q.items {
		if len(says) < maxSaid {
			says = append(says, i.says)
			if !slices.Contains(advice, i.advice) {
				advice = append(advice, i.advice)
			}
		}
	}
	if len(q.withheld)+len(q.lowered) > 0 {
		f.Severity = Warning
		f.Metrics = append(f.Metrics, Metric{"withheld", float64(len(q.withheld))}, Metric{"lowered", float64(len(q.lowered))})
		var cost []string
		if len(q.withheld) > 0 {
			cost = append(cost, costs(q.withheld, "withheld"))
		}
		if len(q.lowered) > 0 {
			cost = append(cost, costs(q.lowered, "lowered"))
		}
		says = append(says, "It cost "+strings.Join(cost, ", ")+".")
	}
	f.Explanation, f.Advice = strings.Join(says, " "), strings.Join(advice, " ")
	if f.Evidence = q.evidence(); f.Evidence.Total == 0 {
		f.Wireshark = q.items[0].shows
	}
	x.Raise(f)
}

// crowded tells of what there was no room for. It is told of first: the findings are many
// already, and yet not all.
func (q *quality) crowded(x *Context) {
	const advice = "Look at a part of the capture at a time: --since and --until, or a filter by host or port."
	if n := x.engine.shared.services.beyond; n > 0 {
		q.metrics = append(q.metrics, Metric{"beyond_services", float64(n)})
		q.items = slices.Insert(q.items, 0, item{flaw: flaws, shows: "tcp", advice: advice,
			says: fmt.Sprintf("%d servers' ports are as many as findings are judged by: %s to others.", maxServices, were(n, "connection"))})
	}
	n := 0
	for _, k := range x.lost {
		n += k
	}
	if n > 0 {
		q.metrics = append(q.metrics, Metric{"beyond_subjects", float64(n)})
		q.items = slices.Insert(q.items, 0, item{flaw: flaws, shows: "tcp", advice: advice,
			says: fmt.Sprintf("%d subjects are as many as are held of each finding: %s of others, and not looked at (%s).", maxGroups,
				were(n, "connection"), strings.Join(slices.Sorted(maps.Keys(x.lost)), ", "))})
	}
}

// were is "1 connection was", "2 connections were".
func were(n int, one string) string {
	if n == 1 {
		return plural(n, one) + " was"
	}
	return plural(n, one) + " were"
}

func rank(guilty Doubt) int {
	if guilty != 0 {
		return 0
	}
	return 1
}

// costs says how many findings of which ids were withheld or lowered.
func costs(ids []string, how string) string {
	var names []string
	for _, id := range ids {
		if !slices.Contains(names, id) {
			names = append(names, id)
		}
	}
	slices.Sort(names)
	return fmt.Sprintf("%s %s (%s)", plural(len(ids), "finding"), how, strings.Join(names, ", "))
}

// evidence shows connections for each item that has some, in turn.
func (q *quality) evidence() (e Evidence) {
	var mask uint8
	for _, i := range q.items {
		if i.flaw < flaws {
			mask |= 1 << i.flaw
		}
	}
	e.Total = int(q.either(mask))
	for n := range maxShown {
		for _, i := range q.items {
			if i.flaw == flaws || len(q.examples[i.flaw][n].Frames) == 0 {
				continue
			}
			p := q.examples[i.flaw][n]
			same := func(x Proven) bool { return x.ref() == p.ref() }
			if at := slices.IndexFunc(e.Connections, same); at >= 0 {
				e.Connections[at].Frames = merge(e.Connections[at].Frames, p.Frames)
			} else if len(e.Connections) < maxShown {
				e.Connections = append(e.Connections, p)
			}
		}
	}
	slices.SortFunc(e.Connections, func(a, b Proven) int { return a.ref().compare(b.ref()) })
	return e
}

// merge joins the frames of two proofs. What both show has both texts.
func merge(a, b []Proof) []Proof {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(a, b Proof) int { return cmp.Compare(a.Frame, b.Frame) })
	out := all[:1]
	for _, p := range all[1:] {
		if last := &out[len(out)-1]; last.Frame == p.Frame {
			last.Text += "; " + p.Text
		} else {
			out = append(out, p)
		}
	}
	return out
}
