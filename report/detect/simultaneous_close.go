package detect

import (
	"fmt"

	"tcpstate/tracker"
)

// SimultaneousClose: both ends closed before either knew of the other's close.
var SimultaneousClose = &Detector{
	ID:    "simultaneous-close",
	Title: "both ends closed at the same time",
	Rule: "Both ends sent FIN, and neither FIN acknowledges the other; each was acknowledged later, and nothing of its sender was repeated " +
		"in between, so that it arrived at once: both ends pass CLOSING.",
	Default: Note,
	Subject: "connection N",
	Blame:   "nobody",
	Example: `stream 0 10.0.0.1:40000 → 10.0.0.2:80
isn 1000 9000
0      -- SYN 0 mss 1460 ->
0.05   <- SYN,ACK 0 ack 1 mss 1460 --
0.1    -- ACK 1 ack 1 ->
1      -- FIN,ACK 1 ack 1 ->
1.02   <- FIN,ACK 1 ack 1 --
1.03   -- ACK 2 ack 2 ->
1.05   <- ACK 2 ack 2 --`,
	Advice: "Nothing has to be done: it is legal and harmless. It costs a TIME-WAIT at both ends instead of at one, because each sent the " +
		"first FIN in its own eyes; where both end at the same time as a rule, two equal timeouts race, and one of them should be the shorter.",
	Sources: []string{"RFC 9293 section 3.6 (case 3) and figure 13", "oracle 04_simultaneous_close"},
	Signs:   tracker.SignClosing,
	New:     func(*Setup) Watcher { return &simultaneousClose{Bag[uint64, crossing]{words: crossingProof}} },
}

type simultaneousClose struct {
	bag Bag[uint64, crossing]
}

// crossing are two FINs that crossed.
type crossing struct {
	apart int64     // ns
	fins  [2]uint64 // frames, as they came
	acked [2]uint64 // frames that acknowledge them
	from  uint8     // who sent the first
}

func (w *simultaneousClose) Case(c *tracker.Case) {
	if c.Life.ClosedBy != tracker.ByBoth || c.Life.Close != tracker.Graceful || c.Has(tracker.SignSelf) {
		return
	}
	var fin, acked [2]*tracker.Event // the first FIN of each end; what acknowledges it
	for i := range c.Trail.Events {
		e := &c.Trail.Events[i]
		if !own(e) || e.Rst() {
			continue
		}
		x := e.From
		y := x ^ 1
		switch {
		case fin[y] != nil && acked[y] == nil && e.Is(tracker.AcksFin):
			if fin[x] == nil || fin[x] == e {
				return // it closes after the other
			}
			acked[y] = e
		case fin[x] != nil && acked[x] == nil && e.Again():
			return // it, or what was sent before it, may have been lost: the other end then went on to FIN-WAIT-2 without it
		}
		if fin[x] == nil && e.Fin() {
			fin[x] = e
		}
	}
	if acked[0] == nil || acked[1] == nil {
		return // that they arrived is not known
	}
	first, second := fin[0], fin[1]
	if second.Frame < first.Frame {
		first, second = second, first
	}
	if second.Time < first.Time {
		return // time runs backwards: which came first is not known
	}
	done := max(acked[0].Time, acked[1].Time)
	w.bag.Add(c.Life.ID, c, first.Time, done, crossing{second.Time - first.Time, [2]uint64{first.Frame, second.Frame},
		[2]uint64{acked[first.From].Frame, acked[second.From].Frame}, first.From}, nil)
}

// crossingProof lists the frames.
func crossingProof(_ uint64, it *Item[crossing]) []Proof {
	v := &it.V
	return proofOf(
		frame{v.fins[0], fmt.Sprintf("FIN of the %s", sideNames[v.from])},
		frame{v.fins[1], fmt.Sprintf("FIN of the %s, which does not acknowledge the first: they cross", sideNames[v.from^1])},
		frame{v.acked[0], fmt.Sprintf("the FIN of frame %d is acknowledged", v.fins[0])},
		frame{v.acked[1], fmt.Sprintf("the FIN of frame %d is acknowledged", v.fins[1])})
}

func (w *simultaneousClose) Findings(x *Context) {
	for _, g := range fewer(w.bag.Groups(x)) {
		apart := g.Items[0].V.apart
		f := g.Finding(Connection(g.Key))
		f.Severity, f.Blame = Note, BlameUnknown
		f.Metrics = Metrics{{"between_fins_seconds", seconds(apart)}}
		f.Explanation = fmt.Sprintf("Both ends sent FIN, %s apart, before either had the other's. Each then acknowledged the other's FIN, so that both went "+
			"from FIN-WAIT-1 by CLOSING to TIME-WAIT.", span(apart))
		f.Explanation += others(&f)
		x.Raise(f)
	}
}
