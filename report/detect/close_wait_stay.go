package detect

import (
	"fmt"

	"tcpstate/reassembly"
	"tcpstate/tracker"
)

// closeWait is an endpoint's stay in CLOSE-WAIT.
type closeWait struct {
	interval
	fin, ack, latest uint64 // frames: the peer's FIN, its acknowledgment, what ended the stay or came last
	sent             uint64 // what the peer's RST answers
	how              parting
	owes             bool // the peer half-closed right after its request, and has not been answered
	finAt            int64
}

func (s *shorthand) closeWait(v *closeWait) {
	s.flags(&v.owes)
	s.octet((*uint8)(&v.how))
	s.moment(&v.enter)
	s.moment(&v.leave)
	s.moment(&v.finAt)
	s.frames(&v.fin, &v.ack, &v.latest, &v.sent)
}

// parting says how a stay in CLOSE-WAIT ended.
type parting uint8

const (
	staysOpen    parting = iota // not at all
	closedLate                  // its own FIN
	abortedLate                 // its own RST
	killedByPeer                // the peer's RST, out of the blue
	foundGone                   // the peer's RST, in answer to what it sent
	usedHalf                    // payload that no RST answered: it used its half of the connection
	lostTrack                   // nobody knows
)

var partingWords = [...]string{
	staysOpen: "the latest segment: still in CLOSE-WAIT", closedLate: "FIN: it closes at last", abortedLate: "RST: it aborts at last",
	killedByPeer: "RST of its peer", foundGone: "RST: its peer is gone", lostTrack: "it is in CLOSE-WAIT no more",
}

// proof lists its frames.
func (v *closeWait) proof(k serviceEnd) []Proof {
	p := []Proof{{v.fin, fmt.Sprintf("FIN: the %s closes", k.other())},
		{v.ack, fmt.Sprintf("the %s acknowledges the FIN: CLOSE-WAIT", k.owner())}}
	if v.how == foundGone {
		p = append(p, Proof{v.sent, fmt.Sprintf("%s later the %s sends something", span(v.lasted()), k.owner())})
	}
	if v.latest > v.ack {
		p = append(p, Proof{v.latest, partingWords[v.how]})
	}
	return p
}

// stayOf finds the stay of the end x, if there is one that is confirmed.
func stayOf(c *tracker.Case, x uint8) (v closeWait, ok bool) {
	ev := c.Trail.Events
	in := v.entry(c, x)
	if in < 0 {
		return v, false
	}
	a := &c.Ends[x]
	v.enter, v.ack = ev[in].Time, ev[in].Frame
	v.leave, v.latest = c.Now, c.Life.LastFrame
	out := len(ev)
	for i := in; i < len(ev) && v.how == staysOpen; i++ {
		if v.how = v.step(c, x, in, i); v.how != staysOpen {
			v.leave, v.latest, out = ev[i].Time, ev[i].Frame, i
		}
	}
	if a.LateFrom != 0 && v.enter <= a.LateFrom {
		if v.how != foundGone {
			v.how = usedHalf
		}
		v.leave = a.LateFrom
	}
	v.owes = asked(c, x, v.finAt)
	return v, v.how != lostTrack && (v.how == foundGone || v.how == usedHalf || nothingQueued(c, x, out))
}

// entry returns the index of x's first segment that confirms CLOSE-WAIT, -1 if
// there is none, and notes the FIN before it.
func (v *closeWait) entry(c *tracker.Case, x uint8) int {
	if c.Trail.Missing > 0 && c.Life.ClosedBy == tracker.ByClient+tracker.Who(x^1) {
		v.fin = c.Life.CloseAt // it may be among what is missing
	}
	for i := range c.Trail.Events {
		e := &c.Trail.Events[i]
		switch {
		case !own(e):
		case e.Fin() && e.From != x && v.fin == 0:
			v.fin, v.finAt = e.Frame, e.Time
		case e.From == x && v.fin != 0 && !e.Rst() && e.Confirmed(int(x), tracker.CloseWait):
			return i
		}
	}
	return -1
}

// step tells whether the event i ends the stay of x that began with the event in.
func (v *closeWait) step(c *tracker.Case, x uint8, in, i int) parting {
	ev := c.Trail.Events
	e := &ev[i]
	switch {
	case !own(e):
		return staysOpen
	case e.From == x && e.Fin():
		return closedLate
	case e.From == x && e.Rst() && e.Is(tracker.Own):
		return abortedLate
	case e.From != x && e.Rst() && e.After(int(x)).State == tracker.Closed:
		said := func(s *tracker.Event) bool { return s.From == x && (newPayload(s) || s.Probe()) && own(s) }
		s := latest(ev, i, said)
		if s == nil || s.Frame <= ev[in].Frame || e.Seq != s.Ack {
			return killedByPeer
		}
		if acksBeyond(ev[:i], x^1, ev[in].End()) {
			return usedHalf // some of it was taken
		}
		v.sent = s.Frame
		return foundGone
	case e.After(int(x)).State != tracker.CloseWait:
		return lostTrack // in a hole of the trail, or the tuple was taken over
	}
	return staysOpen
}

// acksBeyond reports that y acknowledged more than nxt.
func acksBeyond(ev []tracker.Event, y uint8, nxt reassembly.Seq) bool {
	for i := range ev {
		if e := &ev[i]; e.From == y && plainAck(e) && nxt.Less(reassembly.Seq(e.Ack)) {
			return true
		}
	}
	return false
}

// nothingQueued reports that, up to the event end, the peer acknowledged all
// that x sent, and offers it a window: x's FIN does not wait behind something.
// An acknowledgment of more than was seen is one of x's FIN, maybe; so is what x's
// own numbers go beyond where some of it was not captured.
func nothingQueued(c *tracker.Case, x uint8, end int) bool {
	var nxt, una, seen reassembly.Seq
	sent, acked, open := false, false, false
	for i := range c.Trail.Events[:end] {
		e := &c.Trail.Events[i]
		switch {
		case !own(e) || e.Rst():
		case e.From == x:
			if !sent || nxt.Less(e.End()) {
				nxt, sent = e.End(), true
			}
			if e.Len > 0 || !e.Plain() {
				seen = e.End()
			}
		case plainAck(e):
			if a := reassembly.Seq(e.Ack); !acked || una.Less(a) {
				una, acked = a, true
			}
			open = e.Window != 0
		}
	}
	return acked && una == nxt && open && (c.Ends[x].Unseen == 0 || seen == nxt)
}

// rightAfter is how soon after its last payload the FIN comes of who says with it
// that its request is complete. A FIN that comes later is of who gave up.
const rightAfter = 200e6

// asked reports that the peer, whose FIN came at fin, said last what may have to
// be answered, and sent the FIN with it or right after. Of who spoke first, the
// peer's payload is the answer; and nobody answers a TLS close_notify, which is
// short and never the first that is said.
func asked(c *tracker.Case, x uint8, fin int64) bool {
	a, b := &c.Ends[x], &c.Ends[x^1]
	if b.LastDataAt <= a.LastDataAt || fin-b.LastDataAt > rightAfter || begun(c) && spokeFirst(c, x) {
		return false
	}
	ev := c.Trail.Events
	last := latest(ev, len(ev), func(e *tracker.Event) bool { return e.From != x && newPayload(e) })
	return last == nil || last.Len > closeNotify || b.Turns < 2
}
