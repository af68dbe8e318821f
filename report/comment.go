package report

import (
	"tcpstate/reassembly"
	"tcpstate/tracker"
)

// AppendComment appends what is said of one segment in the comment of its packet:
// the states of both ends after it, as far as they are known at that packet, and for
// each end what changed since its segment before, with the rule; then what class the
// segment is of, where that is worth a word.
//
//	client ESTABLISHED, server CLOSE-WAIT? (ESTABLISHED -> CLOSE-WAIT?: fin-delivered), retransmission
//
// A state with ? is presumed, one with ~ elapsed. A change that a timer made comes
// first: it was before the packet. The states stand where a display filter finds them:
// frame.comment contains "server CLOSE-WAIT".
func AppendComment(b []byte, s *tracker.Step) []byte {
	b = appendEndState(b, s, s.Client)
	b = append(b, ", "...)
	b = appendEndState(b, s, s.Client^1)
	if worthAWord(s.Class) {
		b = append(append(b, ", "...), s.Class.String()...)
	}
	return b
}

func appendEndState(b []byte, s *tracker.Step, side uint8) []byte {
	b = append(append(b, role(side == s.Client)...), ' ')
	b = append(b, showState(s.After[side].State, s.After[side].Certainty)...)
	open := " ("
	for _, l := range [...][]tracker.Transition{s.Timers, s.Changes} {
		for i := range l {
			if l[i].Side == side {
				b = appendChange(append(b, open...), &l[i])
				open = "; "
			}
		}
	}
	if open == "; " {
		b = append(b, ')')
	}
	return b
}

// appendChange is one change with its rule. A state that stays is confirmed.
func appendChange(b []byte, t *tracker.Transition) []byte {
	switch {
	case t.Certainty == tracker.Revoked:
		b = append(b, showState(t.From, tracker.Presumed)+" revoked -> "+t.To.String()...)
	case t.From == t.To:
		b = append(b, t.Certainty.String()...)
	default:
		b = append(b, t.From.String()+" -> "+showState(t.To, t.Certainty)...)
	}
	if n := t.Rule.Name(); n != "" {
		b = append(append(b, ": "...), n...)
	}
	return b
}

// worthAWord reports whether a segment's class is more than what is to be expected.
func worthAWord(c reassembly.Class) bool {
	switch c {
	case reassembly.ClassNone, reassembly.New, reassembly.PureAck, reassembly.WindowUpdate:
		return false
	}
	return true
}
