package detect

import (
	"fmt"

	"tcpstate/tracker"
)

// stuckOpen is a connection that the client takes for open and the server does not.
type stuckOpen struct {
	client uint64 // key of its address
	kind   stuckKind
	data   bool  // with kind byRepeat: it needs no other SYN as a witness
	fin    bool  // the first thing that the client said was FIN, without payload
	at     int64 // of the repeated SYN,ACK, or the third ACK
	after  int64 // ns from the third ACK to the repeated SYN,ACK
	// Frames of the proof; 0 none.
	synAck, third, second, repeat, first, again, rst uint64
}

func (s *shorthand) stuckOpen(v *stuckOpen) {
	s.flags(&v.data, &v.fin)
	s.octet((*uint8)(&v.kind))
	s.unsigned(&v.client)
	s.moment(&v.at)
	s.signed(&v.after)
	s.frames(&v.synAck, &v.third, &v.second, &v.repeat, &v.first, &v.again, &v.rst)
}

type stuckKind uint8

const (
	byRepeat stuckKind = iota // the SYN,ACK is repeated
	bySilence
)

// stuck looks for what the rule wants of one connection.
func (w *acceptQueue) stuck(c *tracker.Case) (v stuckOpen, ok bool) {
	server := &c.Ends[tracker.Server]
	switch {
	case !c.Has(tracker.SignSynAckAgain) && server.Segments != 1,
		server.Unseen > 0, // it sent what the capture missed
		server.DataSegments > 0 && c.Ends[tracker.Client].DataSegments > 0:
		return v, false
	}
	v.client = w.host[tracker.Client]
	ev := lifeOf(c)
	var syn, synAck, first *tracker.Event
	var acked []*tracker.Event // the client's segments that acknowledge the SYN,ACK
	reach := int64(0)
	closed := false // the server said something else than SYN,ACK
	synAcks, repeats := 0, 0
	for i := range ev {
		e := &ev[i]
		switch {
		case !own(e) || e.Is(tracker.Holed):
			if e.Is(tracker.Holed) && v.repeat == 0 {
				return v, false // what came before the repeat is not known
			}
		case e.From == tracker.Server && e.SynAck():
			synAcks++
			if synAck == nil {
				synAck, v.synAck = e, e.Frame
				if syn != nil {
					reach = e.Time - syn.Time
				}
				break
			}
			if e.Seq != synAck.Seq {
				return v, false // another ISN: another answer to the SYN
			}
			if v.repeat == 0 && !closed && v.third != 0 && e.Time-c.Life.DoneAt >= w.delay && passed(acked, e.Time-reach) >= w.acks {
				v.repeat, v.at, v.after = e.Frame, e.Time, e.Time-c.Life.DoneAt
				v.second = acked[min(w.acks, len(acked))-1].Frame
			}
		case e.From == tracker.Server && e.Rst():
			if v.rst == 0 && first != nil && e.Is(tracker.Own) && e.Is(tracker.Answers) {
				v.rst = e.Frame
			}
			closed = true
		case e.From == tracker.Server:
			closed = true
			if first != nil && acks(e, first) || first == nil && v.repeat == 0 {
				return v, false // it took the payload, or had spoken before
			}
		case e.Syn():
			if synAck == nil {
				syn = e
			}
		case synAck != nil && acks(e, synAck):
			acked = append(acked, e)
			if v.third == 0 {
				v.third = e.Frame
			}
			switch {
			case first == nil && (e.Len > 0 || e.Fin()) && !e.Probe():
				first, v.first, v.fin = e, e.Frame, e.Len == 0
			case first != nil && e.Seq == first.Seq && e.Again():
				repeats++
				if v.again == 0 {
					v.again = e.Frame
				}
			}
		}
	}
	switch {
	case v.third == 0:
		return v, false
	case v.repeat != 0:
		v.kind = byRepeat
		payload := first != nil && first.Len > 0
		v.data = payload && (v.again != 0 || v.rst != 0)
		return v, !payload || !server.Spoke
	}
	v.kind, v.at = bySilence, c.Life.DoneAt
	return v, server.Segments == 1 && synAcks == 1 && repeats >= w.repeats
}

// passed counts the segments that had been sent by t.
func passed(ev []*tracker.Event, t int64) (n int) {
	for _, e := range ev {
		if e.Time <= t {
			n++
		}
	}
	return n
}

// proof lists the frames, clause by clause.
func (v *stuckOpen) proof() []Proof {
	what := "the client's first payload"
	if v.fin {
		what = "the client's FIN"
	}
	all := []frame{{v.synAck, "SYN,ACK"}, {v.third, "third ACK: open, as the client sees it"}, {v.first, what},
		{v.again, what + " again: it is not acknowledged"}, {v.rst, "the server answers it with RST"},
		{v.repeat, fmt.Sprintf("SYN,ACK again, %s after the third ACK: the server took none of these ACKs", span(v.after))},
		{v.second, "another segment that acknowledges the SYN,ACK"}}
	return proofOf(all...)
}
