package detect

import (
	"fmt"

	"tcpstate/capture"
	"tcpstate/reassembly"
	"tcpstate/tracker"
)

// quality gathers what is doubtful about the capture, for CaptureQuality and
// for the detectors that withhold or lower their findings.
type quality struct {
	doubts            Doubt
	withheld, lowered []string // ids, one for each finding
	measured

	plain     bool                    // a segment without SYN, FIN and RST was met
	lives     uint64                  // begun in this capture or before, not carried on from another number
	opened    uint64                  // with their SYN, and completed
	talking   uint64                  // with more than SYNs and RSTs, and either both ends or proof that one is missing
	seen      uint64                  // octets of payload
	unseen    uint64                  // octets acknowledged and not seen
	payload   uint64                  // segments with some
	oversized uint64                  // of these, joined by offload
	flawed    [1 << flaws]uint64      // lives by the flaws that they show
	examples  [flaws][maxShown]Proven // of each, those that come first
}

// flaw is what one life shows of the capture's faults.
type flaw uint8

const (
	filtered flaw = iota // a segment between SYN and FIN has to be missing
	oneWay               // the other end spoke and was not captured
	late                 // it began before the capture
	gaps                 // octets of it were acknowledged and not seen
	doubled              // its SYN was captured twice
	flaws
)

// manySent is how many new segments of payload one end sends into the dark, at
// the most, while nothing acknowledges them: more than a window of 64 KiB and
// some that grew (RFC 7323 section 2) hold, and few lives die at full speed.
const manySent = 100

func (q *quality) add(c *tracker.Case) {
	l := c.Life
	var of uint8
	note := func(f flaw, proof []Proof) {
		of |= 1 << f
		q.example(f, Proven{ID: l.ID, Incarnation: l.Incarnation, Frames: proof})
	}
	switch {
	case q.plain:
	case !c.Has(mayLackPlain):
		q.plain = true
	default:
		if p := q.unacknowledged(c); p != nil {
			note(filtered, p)
		}
	}
	if c.Has(tracker.SignSyn) && c.Has(tracker.SignDone) {
		q.opened++
		if p := synTwice(c); p != nil {
			note(doubled, p)
		}
	}
	a, b := &c.Ends[tracker.Client], &c.Ends[tracker.Server]
	if a.Spoke || b.Spoke {
		if !c.Has(tracker.SignOneSided) {
			q.talking++
		} else if p := onlyOne(c); p != nil && l.Incarnation == 0 {
			q.talking++
			note(oneWay, p)
		}
	}
	if l.Continues < 0 && l.Incarnation == 0 {
		q.lives++
		if l.Midstream {
			note(late, []Proof{{l.FirstFrame, "the connection's first frame here is no SYN: it began before"}})
		}
	}
	// Only where the handshake was seen. A SYN that was not accepted draws the
	// acknowledgment of an older life (RFC 9293 section 3.10.7.4), and what was in
	// flight when the capture began was never to be seen.
	if c.Has(tracker.SignDone) && !c.Has(tracker.SignOneSided) {
		q.seen += l.Ends[0].Bytes + l.Ends[1].Bytes
		for end, x := range c.Ends {
			if x.Unseen == 0 || !sent(c, uint8(end), x.Unseen) {
				continue
			}
			q.unseen += x.Unseen
			if of&(1<<gaps) == 0 {
				note(gaps, []Proof{{x.UnseenFrame, fmt.Sprintf("acknowledges octets of %s that were not captured", c.Addr(end))}})
			}
		}
	}
	q.payload += a.DataSegments + b.DataSegments
	q.oversized += a.Oversized + b.Oversized
	q.flawed[of]++
}

// addPlain is add for a life of which plain holds.
func (q *quality) addPlain(c *tracker.Case) {
	l := c.Life
	q.plain = true
	q.talking++
	q.flawed[0]++
	if c.Signs&(tracker.SignSyn|tracker.SignDone) == tracker.SignSyn|tracker.SignDone {
		q.opened++
	}
	if l.Continues < 0 && l.Incarnation == 0 {
		q.lives++
	}
	if c.Has(tracker.SignDone) {
		q.seen += l.Ends[0].Bytes + l.Ends[1].Bytes
	}
	q.payload += c.Ends[0].DataSegments + c.Ends[1].DataSegments
	q.oversized += c.Ends[0].Oversized + c.Ends[1].Oversized
}

// example keeps the lives of a flaw that come first.
func (q *quality) example(f flaw, p Proven) {
	kept := &q.examples[f]
	for i := range kept {
		if kept[i].Frames == nil || p.ref().compare(kept[i].ref()) < 0 {
			copy(kept[i+1:], kept[i:])
			kept[i] = p
			return
		}
	}
}

// sent reports that an end's own numbers bear out that it sent so many octets
// that were not seen, and that nobody acknowledged what was never sent: such an
// acknowledgment is forged, and no fault of the capture.
func sent(c *tracker.Case, end uint8, unseen uint64) bool {
	if unseen <= c.Life.Ends[end].Bytes {
		return true
	}
	var syn *tracker.Event
	for i := range c.Trail.Events {
		e := &c.Trail.Events[i]
		switch {
		case e.From != end || !own(e):
		case e.Syn(), e.SynAck():
			syn = e
		case syn != nil && !e.Rst():
			if d := e.End().Diff(syn.End()); d > 0 && uint64(d) >= unseen {
				return true
			}
		}
	}
	return false
}

// count is how many lives show a flaw.
func (q *quality) count(f flaw) uint64 { return q.either(1 << f) }

// either is how many lives show one of the flaws.
func (q *quality) either(mask uint8) (n uint64) {
	for of, k := range q.flawed {
		if uint8(of)&mask != 0 {
			n += k
		}
	}
	return n
}

// mayLackPlain are the signs of lives that may hold no segment without SYN, FIN
// and RST.
const mayLackPlain = tracker.SignBare | tracker.SignSynAgain | tracker.SignSynAckAgain | tracker.SignFinAgain | tracker.SignRst | tracker.SignOdd | tracker.SignOpening

// unacknowledged proves that a plain acknowledgment or payload was sent and
// that a filter kept it out: no connection comes from its SYN,ACK to a FIN, from one
// FIN to the other, or to numbers beyond its SYN, without one (RFC 9293 sections
// 3.5, 3.6). Attempts that were refused or dropped prove nothing: they have none.
func (q *quality) unacknowledged(c *tracker.Case) []Proof {
	var synAck, beyond *tracker.Event
	var syn, fin [2]*tracker.Event
	for i := range c.Trail.Events {
		e := &c.Trail.Events[i]
		switch x := e.From; {
		case !own(e):
		case e.Syn(), e.SynAck():
			syn[x] = e
			if e.SynAck() && synAck == nil {
				synAck = e
			}
		case e.Fin(), e.Rst():
			if e.Fin() && fin[x] == nil {
				fin[x] = e
			}
			if syn[x] != nil && beyond == nil {
				if d := reassembly.Seq(e.Seq).Diff(syn[x].End()); d > 0 && d < 1<<30 {
					beyond = e
				}
			}
		default:
			q.plain = true
			return nil
		}
	}
	first, second := fin[0], fin[1]
	if first == nil || second != nil && second.Frame < first.Frame {
		first, second = second, first
	}
	switch {
	case synAck != nil && first != nil && synAck.Frame < first.Frame:
		return []Proof{{synAck.Frame, "SYN,ACK"}, {first.Frame, "FIN, and no ACK of the SYN,ACK was captured between"}}
	case second != nil:
		return []Proof{{first.Frame, "FIN"}, {second.Frame, "the other end's FIN, and no ACK was captured"}}
	case beyond != nil && syn[beyond.From].Frame < beyond.Frame:
		return []Proof{{syn[beyond.From].Frame, "SYN"}, {beyond.Frame, "numbers went on since, and no payload was captured"}}
	}
	return nil
}

// synTwice proves that the opening SYN is here twice and was sent once: a repeat
// has another IP identification, where they are counted, and a newer timestamp.
func synTwice(c *tracker.Case) []Proof {
	if !c.Has(tracker.SignSynAgain) {
		return nil
	}
	var syn *tracker.Event
	for i := range c.Trail.Events {
		e := &c.Trail.Events[i]
		switch {
		case !own(e) || !e.Syn() || e.From != tracker.Client:
		case syn == nil:
			syn = e
		case e.Seq == syn.Seq && e.IPID == syn.IPID && e.Opts == syn.Opts && e.TSVal == syn.TSVal &&
			(e.IPID != 0 || e.Opts&capture.OptTS != 0):
			return []Proof{{syn.Frame, "SYN"}, {e.Frame, "the same SYN, with the same IP identification and timestamp"}}
		}
	}
	return nil
}

// onlyOne proves that the end that was not captured did speak, in a life of
// which one end was: it was answered or acknowledged, or what it sent was.
func onlyOne(c *tracker.Case) []Proof {
	x := tracker.Client
	if c.Ends[x].Segments == 0 {
		x = tracker.Server
	}
	var syn, first *tracker.Event
	for i := range c.Trail.Events {
		e := &c.Trail.Events[i]
		switch {
		case !own(e):
		case e.Syn(), e.SynAck():
			syn = e
		case !e.Plain():
		case syn != nil:
			return []Proof{{syn.Frame, "a SYN of " + c.Addr(x).String()}, {e.Frame, "it goes on: the answer to its SYN was not captured"}}
		case first == nil:
			first = e
		case reassembly.Seq(first.Ack).Less(reassembly.Seq(e.Ack)):
			return []Proof{{first.Frame, fmt.Sprintf("only %s was captured", c.Addr(x))},
				{e.Frame, fmt.Sprintf("acknowledges %d octets more, which were not captured", e.Ack-first.Ack)}}
		}
	}
	a := &c.Ends[x]
	if n := a.DataSegments - a.Repeated; n >= manySent && c.Life.FirstFrame < a.LastDataFrame {
		return []Proof{{c.Life.FirstFrame, fmt.Sprintf("only %s was captured", c.Addr(x))},
			{a.LastDataFrame, fmt.Sprintf("%d segments of new payload, and no acknowledgment was captured", n)}}
	}
	return nil
}
