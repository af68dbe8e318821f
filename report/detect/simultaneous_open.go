package detect

import (
	"fmt"

	"tcpstate/reassembly"
	"tcpstate/tracker"
)

// SimultaneousOpen: both ends opened, and one connection came of it.
var SimultaneousOpen = &Detector{
	ID:    "simultaneous-open",
	Title: "both ends sent a SYN, and one connection came of it",
	Rule: "Both ends sent a SYN without ACK before a SYN,ACK of either was seen, " +
		"and each SYN was acknowledged by the other end.",
	Default: Note,
	Subject: "connection N",
	Blame:   "nobody",
	Example: `stream 0 10.0.0.1:40000 → 10.0.0.2:40001
isn 1000 9000
0      -- SYN 0 mss 1460 ->
0.02   <- SYN 0 mss 1460 --
0.021  -- SYN,ACK 0 ack 1 mss 1460 ->
0.041  <- SYN,ACK 0 ack 1 mss 1460 --`,
	Advice: "Nothing has to be done where it is meant (TCP hole punching, RFC 5128; RFC 6544). Where it is not, one side should listen and the other connect: " +
		"few programs and few firewalls expect crossed SYNs, and each end takes itself for the client.",
	Sources: []string{"RFC 9293 section 3.5 (figure 7)", "oracle 03_simultaneous_open"},
	Signs:   tracker.SignBothOpened,
	New:     func(*Setup) Watcher { return &simultaneousOpen{} },
}

type simultaneousOpen struct {
	bag Bag[uint64, int64] // ns from one SYN to the other
}

func (w *simultaneousOpen) Case(c *tracker.Case) {
	if c.Life.Midstream {
		return
	}
	ev := lifeOf(c)
	var syn, acked [2]*tracker.Event // the latest SYN of each end; what acknowledges it
	for i := range ev {
		switch e := &ev[i]; {
		case e.Syn():
			if old := syn[e.From]; old == nil || old.Seq != e.Seq {
				if acked[0] != nil || acked[1] != nil {
					return // a later attempt on the same tuple
				}
				syn[e.From] = e
			}
		case e.SynAck() && (syn[0] == nil || syn[1] == nil || e.Seq != syn[e.From].Seq):
			return // one end answers: a crossed SYN comes again with its own ISN
		case e.Rst() && e.Is(tracker.Own|tracker.Took) && (acked[0] == nil || acked[1] == nil):
			return
		default:
			for end := range syn {
				if acked[end] == nil && syn[end] != nil && syn[end^1] != nil && acks(e, syn[end]) &&
					// its number is that of the other SYN's space
					reassembly.Seq(e.Seq).In(reassembly.Seq(syn[end^1].Seq), syn[end^1].End().Add(1<<30)) {
					acked[end] = e
				}
			}
		}
	}
	if acked[0] == nil || acked[1] == nil {
		return
	}
	first, second := syn[0], syn[1]
	if second.Frame < first.Frame {
		first, second = second, first
	}
	done := max(acked[0].Time, acked[1].Time)
	w.bag.Add(c.Life.ID, c, first.Time, done, second.Time-first.Time, func() []Proof {
		return proofOf(
			frame{first.Frame, fmt.Sprintf("SYN of %s", c.Addr(int(first.From)))},
			frame{second.Frame, fmt.Sprintf("SYN of %s, without ACK: the SYNs cross", c.Addr(int(second.From)))},
			frame{acked[first.From].Frame, fmt.Sprintf("the SYN of frame %d is acknowledged", first.Frame)},
			frame{acked[second.From].Frame, fmt.Sprintf("the SYN of frame %d is acknowledged", second.Frame)})
	})
}

func (w *simultaneousOpen) Findings(x *Context) {
	for _, g := range w.bag.Groups(x) {
		f := g.Finding(Connection(g.Key))
		f.Severity, f.Blame = Note, BlameUnknown
		f.Metrics = Metrics{{"between_syns_seconds", seconds(g.Items[0].V)}}
		f.Explanation = fmt.Sprintf("Both ends sent a SYN, %s apart, before either had answered the other's: a simultaneous open. Each acknowledged the "+
			"other's SYN, so that both went from SYN-SENT by SYN-RECEIVED, and one connection came of it.", span(g.Items[0].V))
		x.Raise(f)
	}
}
