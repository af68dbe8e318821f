package detect

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"tcpstate/tracker"
)

// PortReuseInTimeWait: a tuple is opened again before its TIME-WAIT is over.
var PortReuseInTimeWait = &Detector{
	ID:    "port-reuse-in-time-wait",
	Title: "a port is used again towards a server while TIME-WAIT holds the tuple",
	Rule: "A new SYN on a 4-tuple of which one end is confirmed in TIME-WAIT that has not elapsed. A SYN,ACK at once is a note; an ACK or RST in answer, or " +
		"silence (the SYN repeated at least retransmissions times, or once and age old when the capture ends), is a warning, with the delay it " +
		"cost. Not where time-wait-assassination reports the same SYN.",
	Default: Note,
	Levels:  "warning where the SYN is not accepted at once",
	Subject: "client A → server B:P",
	Blame:   "client",
	Params: []Param{
		{"retransmissions", Count, 2, "repeats of the SYN that make a silence, whatever its age", "as syn-unanswered: one loss is ordinary"},
		{"age", Span, 3, "age of a SYN that was repeated once", "as syn-unanswered"},
	},
	Example: `stream 0 10.0.0.1:40000 → 10.0.0.2:80
isn 1000 9000
0      -- SYN 0 mss 1460 ->
0.02   <- SYN,ACK 0 ack 1 mss 1460 --
0.021  -- ACK 1 ack 1 ->
0.03   <- FIN,ACK 1 ack 1 --
0.031  -- FIN,ACK 1 ack 2 ->
0.051  <- ACK 2 ack 2 --
#! at 1s
stream 1 10.0.0.1:40000 → 10.0.0.2:80
isn 70000 80000
0      -- SYN 0 mss 1460 ->
0.02   <- SYN,ACK 0 ack 1 mss 1460 --`,
	Advice: "Client: let the kernel choose the source port instead of binding to one (IP_BIND_ADDRESS_NO_PORT where the address has to be fixed), keep connections open, or use more addresses. " +
		"Where the server closes first, let clients close first: then TIME-WAIT stays with the client, whose kernel knows which ports it may use again (net.ipv4.tcp_tw_reuse, with timestamps, after 1 s). " +
		"A middlebox that rewrites sequence numbers or timestamps makes a server refuse what it would accept (RFC 6191).",
	Sources: []string{"RFC 9293 section 3.10.7.4 (TIME-WAIT)", "RFC 6191", "Linux tcp_timewait_state_process, tcp_twsk_unique", "oracle 21_timewait_reuse"},
	Signs:   tracker.SignReused,
	New: func(s *Setup) Watcher {
		return &portReuse{repeats: s.Count("retransmissions"), age: s.Span("age"), wait: s.TimeWait}
	},
}

type portReuse struct {
	repeats   int
	age, wait int64
	bag       Bag[flow, reuse]
}

// answerKind is how a SYN was answered first.
type answerKind uint8

const (
	inSilence answerKind = iota
	bySynAck
	byAck
	byReset
)

// reuse is what is wanted of one SYN.
type reuse struct {
	answer   answerKind
	accepted bool
	holder   uint8
	repeats  int
	waited   int64 // ns since the holder entered TIME-WAIT; -1 unknown
	delay    int64 // from the SYN to the SYN,ACK, or to the last that was seen of it
	// Frames of the proof; 0 none.
	held, syn, first, last, opened uint64
}

// late reports that the SYN was not accepted at once.
func (v *reuse) late() bool { return v.answer != bySynAck }

func (w *portReuse) Case(c *tracker.Case) {
	ev := lifeOf(c)
	if len(ev) == 0 || !ev[0].Syn() || ev[0].From != tracker.Client || c.Life.Incarnation > 0 {
		return // the same ISN once more is no new SYN, but an old one that the network held up
	}
	syn := &ev[0]
	holder, ok := holderOf(syn)
	if !ok {
		return
	}
	v := reuse{holder: holder, syn: syn.Frame, waited: -1}
	if e := entered(c.Trail.Events[:len(c.Trail.Events)-len(ev)], holder); e != nil {
		v.held, v.waited = e.Frame, syn.Time-e.Time
	}
	last := syn.Time
	for i := 1; i < len(ev); i++ {
		e := &ev[i]
		if v.accepted {
			if e.From == tracker.Client && e.Rst() && e.Is(tracker.Answers) {
				return // the SYN was not its own: stale-syn
			}
			if e.From == tracker.Client && own(e) {
				break
			}
			continue
		}
		switch {
		case !own(e) || e.Is(tracker.Holed):
		case e.From == tracker.Client:
			if e.Syn() && e.Again() && e.Time-last >= repeatedAfter {
				v.repeats++
				v.last, last = e.Frame, e.Time
			}
		case e.SynAck() && takes(e, syn):
			v.accepted, v.opened, last = true, e.Frame, e.Time
			if v.answer == inSilence && v.repeats < w.repeats || v.repeats == 0 {
				v.answer = bySynAck
			}
		case v.answer != inSilence:
		case e.Rst() && e.Is(tracker.Own|tracker.Took):
			v.answer, v.first, last = byReset, e.Frame, e.Time
		case e.Plain() && !takes(e, syn):
			v.answer, v.first, last = byAck, e.Frame, e.Time
		}
	}
	v.delay = last - syn.Time
	if v.answer == inSilence && v.repeats == 0 {
		return // how it was answered is not known
	}
	w.bag.Add(flowOf(c), c, syn.Time, last, v, nil)
}

// holderOf returns the end that is confirmed in TIME-WAIT before the segment:
// where both are, the one that it is sent to.
func holderOf(e *tracker.Event) (end uint8, ok bool) {
	for _, end := range [...]uint8{e.From ^ 1, e.From} {
		if inTimeWait(e.Before(int(end))) {
			return end, true
		}
	}
	return 0, false
}

func inTimeWait(s tracker.EndState) bool {
	return s.State == tracker.TimeWait && s.Certainty == tracker.Confirmed
}

// entered returns the latest event after which the end was in TIME-WAIT and
// before which it was not, or was not confirmed to be; nil if that is not on
// the trail.
func entered(ev []tracker.Event, end uint8) *tracker.Event {
	return latest(ev, len(ev), func(e *tracker.Event) bool {
		return !e.Is(tracker.Quoted) && inTimeWait(e.After(int(end))) && !inTimeWait(e.Before(int(end)))
	})
}

func (w *portReuse) Findings(x *Context) {
	for _, g := range w.bag.Groups(x) {
		g.Keep(func(it *Item[reuse]) bool {
			return it.V.answer != inSilence || it.V.repeats >= w.repeats || x.End()-it.At >= w.age
		})
		if len(g.Items) == 0 {
			continue
		}
		// What was not accepted at once is shown first.
		slices.SortStableFunc(g.Items, func(a, b Item[reuse]) int {
			if a.V.late() != b.V.late() {
				if a.V.late() {
					return -1
				}
				return 1
			}
			return cmp.Compare(a.At, b.At)
		})
		g.prove(func(it *Item[reuse]) []Proof { return it.V.proof() })
		w.raise(x, g)
	}
}

func (w *portReuse) raise(x *Context, g *Group[flow, reuse]) {
	var n [byReset + 1]int
	var held [2]int
	late, lost := int64(0), 0
	least := int64(-1)
	for i := range g.Items {
		v := &g.Items[i].V
		n[v.answer]++
		held[v.holder]++
		if v.waited >= 0 && (least < 0 || v.waited < least) {
			least = v.waited
		}
		if v.late() {
			late = max(late, v.delay)
			if !v.accepted {
				lost++
			}
		}
	}
	f := g.Finding(Flow(g.Key.client, g.Key.server))
	f.Severity, f.Blame = Note, BlameClient
	f.Metrics = Metrics{{"reused", float64(f.Count)}, {"accepted", float64(n[bySynAck])}, {"answered_by_ack", float64(n[byAck])},
		{"reset", float64(n[byReset])}, {"silence", float64(n[inSilence])}, {"held_by_client", float64(held[tracker.Client])}, {"held_by_server", float64(held[tracker.Server])}}
	if least >= 0 {
		f.Metrics = append(f.Metrics, Metric{"shortest_wait_seconds", seconds(least)})
	}
	f.Explanation = fmt.Sprintf("%s sent %s to %s on tuples still in TIME-WAIT (held %s)", g.Key.client, plural(f.Count, "SYN"), g.Key.server,
		counts([]int{held[tracker.Server], held[tracker.Client]}, "by the server", "by the client itself"))
	if least >= 0 {
		f.Explanation += fmt.Sprintf(", the earliest %s after TIME-WAIT began, which lasts %s", span(least), span(w.wait))
	}
	f.Explanation += "."
	bad := n[byAck] + n[byReset] + n[inSilence]
	if bad == 0 {
		f.Explanation += " Each was accepted, as RFC 6191 has it for a newer sequence number or timestamp: no harm was done."
		x.Raise(f)
		return
	}
	f.Severity = Warning
	switch {
	case lost > 0 && n[byReset] > 0:
		f.SeenBy.Client = SawRefused
	case lost > 0:
		f.SeenBy.Client = SawTimeout
	}
	f.Metrics = append(f.Metrics, Metric{"delay_seconds", seconds(late)}, Metric{"never_accepted", float64(lost)})
	f.Explanation += fmt.Sprintf(" Not accepted at once: answered %s; that cost up to %s",
		counts([]int{n[byAck], n[byReset], n[inSilence]}, "by an ACK of the old connection", "by RST", "by silence"), span(late))
	if lost > 0 {
		f.Explanation += fmt.Sprintf(", and %s never became a connection", plural(lost, "attempt"))
	}
	f.Explanation += "."
	x.Raise(f)
}

// counts lists what there is some of: by RST 2 times, by silence once.
func counts(n []int, what ...string) string {
	var l []string
	for i := range n {
		if n[i] > 0 {
			l = append(l, what[i]+" "+times(n[i]))
		}
	}
	return strings.Join(l, ", ")
}

// proof lists the frames, clause by clause.
func (v *reuse) proof() []Proof {
	all := []frame{{v.held, "the " + sideNames[v.holder] + " is in TIME-WAIT from here on"}, {v.syn, "SYN on the same tuple"}}
	switch {
	case v.answer == byAck:
		all = append(all, frame{v.first, "the answer is an ACK of the old connection"})
	case v.answer == byReset:
		all = append(all, frame{v.first, "the answer is RST"})
	case v.late():
		all = append(all, frame{v.last, fmt.Sprintf("the SYN again, for the %s time: no answer came", ordinal(v.repeats))})
	}
	if v.accepted {
		text := "SYN,ACK: accepted at once"
		if v.repeats > 0 {
			all = append(all, frame{v.last, "the SYN again"})
		}
		if v.late() || v.repeats > 0 {
			text = fmt.Sprintf("SYN,ACK: accepted %s after the SYN", span(v.delay))
		}
		all = append(all, frame{v.opened, text})
	}
	return proofOf(all...)
}

// ordinal is a number in a row: 1st, 2nd, 3rd, 4th.
func ordinal(n int) string {
	end := "th"
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			end = "st"
		case 2:
			end = "nd"
		case 3:
			end = "rd"
		}
	}
	return fmt.Sprint(n) + end
}
