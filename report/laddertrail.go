package report

import (
	"fmt"
	"strings"
	"time"

	"tcpstate/capture"
	"tcpstate/reassembly"
	"tcpstate/tracker"
)

// Rung is one line of a ladder that is drawn from a trail: a segment, an ICMP error
// that quotes one, or a gap between two.
type Rung struct {
	// Gap: no segment; Text says what lies between, and States are those before the
	// next one, or now.
	Gap   bool
	Frame uint64        // 0 for a gap
	Time  time.Duration // since the first
	// From is the end that sent it, tracker.Client or tracker.Server; Back, that it
	// is an ICMP error on its way to From.
	From   int
	Back   bool
	Text   string         // flags, numbers, what else people look for
	Window string         // win N where Text does not say it, else ""
	States [2]LadderState // after it
	Why    string         // the class of the segment or of the RST, where it is worth a word
	Before [2]LadderState // before it
}

// between stands where segments are missing that nobody counted: ordinary ones,
// which a trail does not keep.
const between = "…"

// TrailRungs draws the trail of a case as a ladder: client on the left, server on the
// right. Sequence numbers are relative to the first of each end. Where the states of an
// end change without a segment of the trail, or numbers go on beyond it, there is a gap.
func TrailRungs(c *tracker.Case) []Rung {
	ev := c.Trail.Events
	p := trailPen{c: c, was: [2]LadderState{{EndState: tracker.EndState{}}, {EndState: tracker.EndState{}}}}
	if len(ev) == 0 {
		return nil
	}
	p.start = ev[0].Time
	p.earlier = trailBases(ev, true, [2]trailBase{})
	p.own = trailBases(ev, false, p.earlier)
	for i := range ev {
		p.event(&ev[i])
	}
	p.now()
	return p.rungs
}

// trailBase is what the sequence numbers of one end are relative to, and what it has
// sent so far.
type trailBase struct {
	known bool
	isn   uint32
	nxt   reassembly.Seq
}

// trailBases finds them: from the SYN that opens, else from the first segment of an end,
// else from the peer's first acknowledgment. earlier are those of the stream before; where
// the own one has no such SYN, those go on.
func trailBases(ev []tracker.Event, earlier bool, before [2]trailBase) (b [2]trailBase) {
	set := func(end uint8, isn uint32) {
		if !b[end].known {
			b[end] = trailBase{true, isn, reassembly.Seq(isn)}
		}
	}
	each := func(f func(e *tracker.Event)) {
		for i := range ev {
			if e := &ev[i]; e.Is(tracker.Earlier) == earlier && !e.Is(tracker.Quoted) {
				f(e)
			}
		}
	}
	each(func(e *tracker.Event) {
		if opens(e) {
			set(e.From, e.Seq)
		}
	})
	for i := range before {
		if before[i].known {
			set(uint8(i), before[i].isn)
		}
	}
	each(func(e *tracker.Event) {
		switch {
		case e.Rst():
		case e.Probe():
			set(e.From, e.Seq)
		default:
			set(e.From, e.Seq-1)
		}
	})
	each(func(e *tracker.Event) {
		if e.Has(capture.ACK) {
			set(e.From^1, e.Ack-1)
		}
	})
	each(func(e *tracker.Event) { set(e.From, e.Seq) }) // nothing but RST
	return b
}

// opens reports a SYN with which its sender begins: others are late, or forged.
func opens(e *tracker.Event) bool {
	if !e.Syn() && !e.SynAck() || e.Is(tracker.Odd) {
		return false
	}
	was, is := e.Before(int(e.From)).State, e.After(int(e.From)).State
	return (is == tracker.SynSent || is == tracker.SynReceived) && (!was.Synchronised() || was == tracker.TimeWait)
}

// trailPen adds rungs.
type trailPen struct {
	c            *tracker.Case
	start        int64
	was          [2]LadderState // after the event before
	known        [2]bool        // the end had a state, so that it is not presumed to listen
	earlier, own [2]trailBase
	rungs        []Rung
}

func (p *trailPen) event(e *tracker.Event) {
	base := &p.own
	if e.Is(tracker.Earlier) {
		base = &p.earlier
	}
	r := Rung{Frame: e.Frame, Time: time.Duration(e.Time - p.start), From: int(e.From), Back: e.Is(tracker.Quoted), Why: trailWhy(e)}
	r.Before, r.States = p.states(e.Before), p.states(e.After)
	p.gap(e, base, r.Before, r.Time)
	s := capture.Segment{Flags: e.Flags, Seq: e.Seq, Ack: e.Ack, Len: e.Len, Window: e.Window}
	if mss := p.c.Life.Ends[e.From].MSS; mss > 0 && e.Has(capture.SYN) && e.Seq == base[e.From].isn && !e.Is(tracker.Odd) {
		s.MSS, s.Opts = mss, capture.OptMSS
	}
	r.Text = segmentText(&s, base[e.From].isn, base[e.From^1].isn, false)
	switch {
	case r.Back:
		r.Text = p.quoted(e, base)
	case !e.Has(capture.RST) && !strings.Contains(r.Text, " win "):
		r.Window = fmt.Sprintf("win %d", e.Window)
	}
	if !r.Back && !e.Rst() {
		own, peer := &base[e.From], &base[e.From^1]
		own.nxt = own.nxt.Max(e.End())
		if e.Has(capture.ACK) {
			peer.nxt = peer.nxt.Max(reassembly.Seq(e.Ack))
		}
	}
	p.was = r.States
	p.rungs = append(p.rungs, r)
}

// gap says what is missing before e.
func (p *trailPen) gap(e *tracker.Event, base *[2]trailBase, before [2]LadderState, at time.Duration) {
	g := Rung{Gap: true, Time: at, Text: between, States: before, Before: p.was}
	switch {
	case e.Is(tracker.Holed):
		g.Text = fmt.Sprintf("%s %s not kept", between, plural(p.c.Trail.Missing, "segment"))
	case len(p.rungs) == 0 && before == p.was:
		return
	case before != p.was:
	case len(p.rungs) == 0 || e.Is(tracker.Quoted) || e.Rst() || !p.beyond(e, base):
		return
	}
	p.rungs = append(p.rungs, g)
}

// beyond reports whether e begins after all that its sender sent so far, or acknowledges
// more than its peer did.
func (p *trailPen) beyond(e *tracker.Event, base *[2]trailBase) bool {
	own, peer := &base[e.From], &base[e.From^1]
	return !e.Has(capture.SYN) && own.nxt.Less(reassembly.Seq(e.Seq)) && own.nxt != reassembly.Seq(own.isn) ||
		e.Has(capture.ACK) && peer.nxt.Less(reassembly.Seq(e.Ack)) && peer.nxt != reassembly.Seq(peer.isn)
}

// now adds what timers, or segments beyond the trail, did after its last event.
func (p *trailPen) now() {
	var now [2]LadderState
	elapsed := false
	for i := range now {
		end := &p.c.Life.Ends[i]
		now[i].EndState = tracker.EndState{State: end.State, Certainty: end.Certainty}
		elapsed = elapsed || end.Certainty == tracker.Elapsed && now[i] != p.was[i]
	}
	now = p.listens(now)
	if now == p.was {
		return
	}
	g := Rung{Gap: true, Time: time.Duration(max(p.c.Now, p.c.Life.End) - p.start), Text: between, States: now, Before: p.was}
	if elapsed {
		g.Text = timerText
	}
	p.rungs = append(p.rungs, g)
}

// quoted is the text of an ICMP error.
func (p *trailPen) quoted(e *tracker.Event, base *[2]trailBase) string {
	text := "ICMP error"
	if int(e.Quote) < len(p.c.Trail.Quotes) {
		q := &p.c.Trail.Quotes[e.Quote]
		name := "ICMP"
		if q.V6 {
			name = "ICMPv6"
		}
		text = fmt.Sprintf("%s %d/%d from %s", name, q.Type, q.Code, q.From)
	}
	return text + " quotes " + relative(e.Seq-base[e.From].isn)
}

// states are both ends' states, as a ladder shows them.
func (p *trailPen) states(of func(int) tracker.EndState) [2]LadderState {
	return p.listens([2]LadderState{{EndState: of(tracker.Client)}, {EndState: of(tracker.Server)}})
}

// listens shows an end as LISTEN that a SYN is on its way to and that has not answered.
func (p *trailPen) listens(s [2]LadderState) [2]LadderState {
	for i := range s {
		switch {
		case s[i].EndState != tracker.EndState{}:
			p.known[i] = true
		case !p.known[i] && s[i^1].State == tracker.SynSent:
			s[i].State = tracker.Listen
		}
	}
	return s
}

// trailWhy is the class of a segment, or of a RST, where it is worth a word.
func trailWhy(e *tracker.Event) string {
	switch {
	case e.Is(tracker.Quoted):
		return ""
	case e.Is(tracker.Odd):
		return "odd flags"
	case e.Rst():
		return e.Reset.String()
	}
	switch e.Class {
	case reassembly.ClassNone, reassembly.New, reassembly.PureAck, reassembly.WindowUpdate:
		return ""
	}
	return e.Class.String()
}

// Arrow draws the rung's text between the lines of both ends, width columns wide or
// wider if the text is.
func (r *Rung) Arrow(text string, width int) string {
	switch {
	case r.Gap:
		return strings.TrimRight(center(text, width), " ")
	case (r.From == tracker.Client) != r.Back:
		return arrow(text, '>', width)
	}
	return arrow(text, '<', width)
}

// center puts text into the middle of width columns.
func center(text string, width int) string {
	return strings.Repeat(" ", max(width-len([]rune(text)), 0)/2) + text
}
