package detect

import (
	"fmt"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// ChallengeAck: a RST or SYN that its receiver did not believe.
var ChallengeAck = &Detector{
	ID:    "challenge-ack",
	Title: "a RST or SYN was not believed but answered by a challenge ACK",
	Rule: "A RST whose sequence number lies in the window but is not RCV.NXT, or a SYN on a connection whose receiver is synchronised " +
		"(not in TIME-WAIT), is answered within 1 RTT + 50 ms by an ACK of that end that carries no payload and acknowledges nothing new.",
	Default: Note,
	Subject: "connection N",
	Blame:   "unknown",
	Example: `  5.000  ◀──────── RST 401 ──────────   in the window, but 301 is expected
  5.001  ─── ACK 102 ack 301 ─────────▶  the challenge ACK`,
	Advice: "Nothing has to be done if it happens once. A sender that is genuine answers the challenge ACK with a RST at the exact number; " +
		"where nothing follows, the RST or SYN was an old duplicate or forged, and the challenge ACK did its duty.",
	Sources: []string{"RFC 5961 sections 3.2 and 4.2", "Linux tcp_send_challenge_ack"},
	Signs:   tracker.SignRst | tracker.SignSynInside,
	New:     func(s *Setup) Watcher { return &challengeAck{shared: s.shared} },
}

type challengeAck struct {
	*shared
	bag Bag[uint64, challenge]
}

// challenge is the first pair of one connection, and how many there were.
type challenge struct {
	syn      bool
	by       uint8 // who answered
	n        int
	answered bool // by a RST with the number that was acknowledged: the sender is genuine
	state    tracker.State
}

func (w *challengeAck) Case(c *tracker.Case) {
	if c.Has(tracker.SignSelf) || !w.trail.doubtful {
		return
	}
	ev := c.Trail.Events
	var v challenge
	var cause, ack, rst *tracker.Event
	for i := range ev {
		e := &ev[i]
		if !doubtful(e) {
			continue
		}
		j := challenged(c, i)
		if j < 0 {
			continue
		}
		if v.n++; v.n > 1 {
			continue
		}
		cause, ack = e, &ev[j]
		v.syn, v.by, v.state = e.Syn(), ack.From, e.Before(int(ack.From)).State
		if rst = exactReset(c, j); rst != nil {
			v.answered = true
		}
	}
	if v.n == 0 {
		return
	}
	last := ack.Time
	if rst != nil {
		last = rst.Time
	}
	w.bag.Add(c.Life.ID, c, cause.Time, last, v, func() []Proof {
		proof := []Proof{{cause.Frame, "RST in the window, not at RCV.NXT"}, {ack.Frame, fmt.Sprintf("challenge ACK: the %s stays in %s", sideNames[v.by], v.state)}}
		if v.syn {
			proof[0].Text = fmt.Sprintf("SYN: the %s is in %s", sideNames[v.by], v.state)
		}
		if rst != nil {
			proof = append(proof, Proof{rst.Frame, fmt.Sprintf("RST, seq = the ack of frame %d: the sender is genuine", ack.Frame)})
		}
		return proof
	})
}

// doubtful reports a RST or SYN that its receiver does not take at its word.
func doubtful(e *tracker.Event) bool {
	if !own(e) {
		return false
	}
	before := e.Before(int(e.From ^ 1))
	switch {
	case e.Rst():
		return e.Reset == tracker.ResetInexact && !e.Is(tracker.Took)
	case e.Syn():
		return before.Certainty == tracker.Confirmed && before.State >= tracker.Established && before.State != tracker.TimeWait
	}
	return false
}

// challenged returns the index of the challenge ACK that answers the event i,
// or -1. What was on its way may come before it.
func challenged(c *tracker.Case, i int) int {
	ev := c.Trail.Events
	x := ev[i].From
	said := saidLast(ev[:i], x^1)
	if said == nil {
		return -1
	}
	for j := i + 1; j < len(ev); j++ {
		e := &ev[j]
		switch {
		case e.Is(tracker.Holed) || e.Time-ev[i].Time > replyTime(c, x^1):
			return -1
		case !own(e) || e.From == x:
		case !e.Plain() || e.Fin() || !e.Has(capture.ACK):
			return -1
		case e.Len == 0 && e.Ack == said.Ack && e.Seq == uint32(sentUpTo(ev[:j], x^1)):
			return j
		}
	}
	return -1
}

// saidLast returns the latest segment of an end that acknowledges, of the life
// before on the tuple too: a SYN that is challenged begins a stream of its own.
func saidLast(ev []tracker.Event, end uint8) *tracker.Event {
	for i := len(ev) - 1; i >= 0; i-- {
		if e := &ev[i]; e.From == end && e.Has(capture.ACK) && !e.Rst() && !e.Is(tracker.Quoted|tracker.Odd) {
			return e
		}
	}
	return nil
}

// exactReset returns the RST that answers the challenge ACK j, or nil.
func exactReset(c *tracker.Case, j int) *tracker.Event {
	ev := c.Trail.Events
	for i := j + 1; i < len(ev); i++ {
		e := &ev[i]
		if !own(e) || e.From == ev[j].From {
			continue
		}
		if e.Rst() && e.Seq == ev[j].Ack && e.Time-ev[j].Time <= replyTime(c, e.From) {
			return e
		}
		return nil
	}
	return nil
}

func (w *challengeAck) Findings(x *Context) {
	for _, g := range w.bag.Groups(x) {
		v := &g.Items[0].V
		f := g.Finding(Connection(g.Key))
		f.Severity, f.Blame = Note, BlameUnknown
		f.Metrics = Metrics{{"challenge_acks", float64(v.n)}}
		what, why := "a RST inside the window that was not at the expected number", "RFC 5961 section 3.2"
		if v.syn {
			what, why = "a SYN on a connection that it held", "RFC 5961 section 4.2"
		}
		f.Explanation = fmt.Sprintf("The %s, in %s, got %s, and answered with a challenge ACK (%s).", sideNames[v.by], v.state, what, why)
		switch {
		case v.answered && v.syn:
			f.Explanation += " A RST at the exact number followed: the other end really has begun anew."
		case v.answered:
			f.Explanation += " A RST at the exact number followed: the other end really resets."
		default:
			f.Explanation += " No RST at the exact number answered it, so the connection stands: it was an old duplicate, or forged."
		}
		if v.n > 1 {
			f.Explanation += fmt.Sprintf(" This happened %s.", times(v.n))
		}
		x.Raise(f)
	}
}
