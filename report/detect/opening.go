package detect

import (
	"slices"

	"tcpstate/capture"
	"tcpstate/reassembly"
	"tcpstate/tracker"
)

// What the detectors of the chapter on opening share: which SYNs were
// repeated, who answers at all, and which quotes in ICMP errors are genuine.

// repeatedAfter is how soon a SYN or SYN,ACK is repeated at the earliest: RFC
// 6298 section 2.1 asks for 1 s, Windows waits 0.5 s. What comes sooner is a
// copy: two captures of one path in one file hold every segment twice.
const repeatedAfter = 200e6

// copiedWithin is how soon a segment or quote that looks the same is the same
// frame once more: captured twice (a mirror port, several interfaces). The
// tracker's bound; it does not know copies of odd segments and of quotes.
const copiedWithin = 5e6

// silentFor is how long a SYN without a repeat must have been waiting before
// it counts as unanswered: three times the first timeout of RFC 6298.
const silentFor = 3e9

// attempt is a life that got no further than its SYNs.
type attempt struct {
	first, last         *tracker.Event // SYNs
	repeats             int
	firstGap, lastGap   int64
	firstAgain, another *tracker.Event // the first two repeats
}

// unanswered returns the SYNs of a life that shows nothing else: neither
// the server's segments nor any of the client that would prove an answer to
// have come. Not where the tuple was still held.
func unanswered(c *tracker.Case) (a attempt, ok bool) {
	cl := &c.Ends[tracker.Client]
	var before int64 // the SYN before, a copy or not
	if !c.Has(tracker.SignSyn) || c.Has(tracker.SignSelf) || c.Life.Midstream || c.Ends[tracker.Server].Segments > 0 || cl.Spoke {
		return a, false
	}
	for i := range c.Trail.Events {
		e := &c.Trail.Events[i]
		switch {
		case e.Is(tracker.Earlier | tracker.Quoted):
		case !e.Syn():
			return a, false
		case a.first == nil:
			if stillHeld(e) {
				return a, false
			}
			a.first, a.last, before = e, e, e.Time
		default:
			if e.Time-before >= repeatedAfter {
				a.repeat(e)
			}
			before = e.Time
		}
	}
	return a, a.first != nil
}

// stillHeld reports a SYN on a tuple that an end still held: there the server has
// something to say about the old connection first (RFC 9293 section 3.10.7.4).
func stillHeld(syn *tracker.Event) bool {
	return syn.Before(tracker.Server).State.Synchronised() || syn.Before(tracker.Client).State.Synchronised()
}

func (a *attempt) repeat(e *tracker.Event) {
	a.lastGap = e.Time - a.last.Time
	switch a.repeats {
	case 0:
		a.firstGap, a.firstAgain = a.lastGap, e
	case 1:
		a.another = e
	}
	a.repeats++
	a.last = e
}

// answeringHosts are the keys of the addresses of which any port answered a SYN.
func (x *Context) answeringHosts() map[uint64]bool {
	hosts := map[uint64]bool{}
	s := &x.engine.shared.services
	for i := range s.all {
		if n := &s.all[i]; n.answers(s) {
			hosts[hostKey(n.addr().Addr())] = true
		}
	}
	return hosts
}

// answers reports whether the port answered a SYN, or refused it.
func (n *service) answers(s *services) bool {
	return n.refused > 0 || n.moments != 0 && s.moments[n.moments-1].Answered.N() > 0
}

// answersSeen reports whether the capture holds any answer to a SYN. One
// filtered to bare SYNs does not, and a SYN that stands alone in it proves
// nothing.
func (x *Context) answersSeen() bool {
	s := &x.engine.shared.services
	return slices.ContainsFunc(s.all, func(n service) bool { return n.answers(s) })
}

// sentSpace is what of an end's sequence space was seen to be sent, up to some
// event of the trail.
type sentSpace struct {
	from, to reassembly.Seq
	known    bool
	opened   bool // from is its SYN
}

// spaceBefore is what end had sent before the event i. The peer's
// acknowledgments vouch for what the capture missed.
func spaceBefore(t *tracker.Trail, i int, end uint8) (s sentSpace) {
	for j := range t.Events[:i] {
		e := &t.Events[j]
		switch {
		case e.Is(tracker.Quoted | tracker.Odd | tracker.Earlier):
		case e.From != end:
			if s.known && e.Has(capture.ACK) && !e.Rst() && s.to.Less(reassembly.Seq(e.Ack)) && reassembly.Seq(e.Ack).Diff(s.to) < 1<<30 {
				s.to = reassembly.Seq(e.Ack)
			}
		case e.Rst():
		case !s.known || e.Syn() || e.SynAck():
			if !s.opened || reassembly.Seq(e.Seq) != s.from {
				s = sentSpace{reassembly.Seq(e.Seq), e.End(), true, e.Syn() || e.SynAck()}
			}
		default:
			s.to = s.to.Max(e.End())
			if !s.opened && reassembly.Seq(e.Seq).Less(s.from) {
				s.from = reassembly.Seq(e.Seq)
			}
		}
	}
	return s
}

// unseenBefore is how far before the first segment that was captured one may lie
// that was quoted: a connection begun before the capture had at most some windows
// in flight.
const unseenBefore = 1 << 24

// has reports whether a segment with that number may have been sent. Linux asks
// the same of an ICMP error, more narrowly: between SND.UNA and SND.NXT
// (tcp_v4_err, RFC 5927 section 4.1).
func (s sentSpace) has(seq reassembly.Seq) bool {
	if !s.known {
		return false
	}
	if s.opened {
		return uint32(seq-s.from) <= uint32(s.to-s.from)
	}
	return seq.LessEq(s.to) && uint32(s.to-seq) <= uint32(s.to-s.from)+unseenBefore
}
