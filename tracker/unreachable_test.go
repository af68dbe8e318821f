package tracker

import (
	"testing"

	"tcpstate/capture"
)

// An ICMP error is no segment, so no ladder can hold one.
func TestUnreachable(t *testing.T) {
	key := capture.Key{Lo: [16]byte{10, 0, 0, 1}, Hi: [16]byte{10, 0, 0, 2}, LoPort: 40000, HiPort: 80}
	syn := capture.Segment{Time: 1, Frame: 1, Key: key, Flags: capture.SYN, Seq: 1000, VLAN: capture.NoVLAN, WScale: capture.NoWScale}
	ack := syn
	ack.Time, ack.Frame, ack.Side, ack.Flags, ack.Seq, ack.Ack = 2, 2, 1, capture.SYN|capture.ACK, 5000, 1001
	quote := syn
	quote.Time, quote.Frame, quote.Mark = 3, 3, capture.Quoted
	other := quote
	other.Seq = 999
	again := syn
	again.Time, again.Frame = second, 4
	for _, c := range []struct {
		name string
		segs []capture.Segment
		err  capture.Quote
		want EndState
	}{
		{"host", []capture.Segment{syn, quote}, capture.Quote{Type: 3, Code: 1}, EndState{Closed, Presumed}},
		{"prohibited", []capture.Segment{syn, quote}, capture.Quote{Type: 3, Code: 13}, EndState{Closed, Presumed}},
		{"time exceeded", []capture.Segment{syn, quote}, capture.Quote{Type: 11}, EndState{Closed, Presumed}},
		{"v6", []capture.Segment{syn, quote}, capture.Quote{V6: true, Type: 1}, EndState{Closed, Presumed}},
		{"v6 time exceeded", []capture.Segment{syn, quote}, capture.Quote{V6: true, Type: 3}, EndState{Closed, Presumed}},
		{"too big", []capture.Segment{syn, quote}, capture.Quote{Type: 3, Code: 4}, EndState{SynSent, Confirmed}},
		{"v6 too big", []capture.Segment{syn, quote}, capture.Quote{V6: true, Type: 2}, EndState{SynSent, Confirmed}},
		{"source quench", []capture.Segment{syn, quote}, capture.Quote{Type: 4}, EndState{SynSent, Confirmed}},
		{"of another segment", []capture.Segment{syn, other}, capture.Quote{Type: 3, Code: 1}, EndState{SynSent, Confirmed}},
		{"established", []capture.Segment{syn, ack, quote}, capture.Quote{Type: 3, Code: 1}, EndState{Established, Presumed}},
		{"and still trying", []capture.Segment{syn, quote, again}, capture.Quote{Type: 3, Code: 1}, EndState{SynSent, Confirmed}},
		{"before any segment", []capture.Segment{quote, syn}, capture.Quote{Type: 3, Code: 1}, EndState{SynSent, Confirmed}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var rules []Rule
			tr := New(DefaultConfig(), Observer{Transition: func(x *Transition) { rules = append(rules, x.Rule) }})
			b := capture.Batch{Segments: c.segs, Quotes: []capture.Quote{c.err}}
			for i := range b.Segments {
				if b.Segments[i].Mark&capture.Quoted != 0 {
					b.Segments[i].Len = 0 // the index of the error
				}
			}
			tr.Process(&b)
			conn := &tr.table.at(0).conn
			if got := (EndState{conn.ends[0].state(), conn.ends[0].certainty()}); got != c.want {
				t.Errorf("%v %v, want %v %v; rules %v", got.State, got.Certainty, c.want.State, c.want.Certainty, rules)
			}
		})
	}
}
