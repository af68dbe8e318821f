package report

import (
	"strconv"

	"tcpstate/tracker"
)

// appendCSVConnection appends a life as a line whose cells are the fields of
// Record in its order. None holds a character that CSV would have to quote: they
// are numbers, times, addresses and this program's own words.
func appendCSVConnection(b []byte, l *tracker.Life, findings []string) []byte {
	b = strconv.AppendUint(b, l.ID, 10)
	b = append(b, ',')
	b = appendSmall(b, l.Incarnation)
	b = append(b, ',')
	b = appendKnown(b, l.Continues, "")
	b = append(b, ',')
	b = appendInstant(b, l.Start)
	b = append(b, ',')
	b = appendInstant(b, l.End)
	b = append(b, ',')
	b = appendSpan(b, max(l.End-l.Start, 0))
	b = append(b, ',')
	b = strconv.AppendUint(b, l.FirstFrame, 10)
	b = append(b, ',')
	b = strconv.AppendUint(b, l.LastFrame, 10)
	b = append(b, ',')
	b = appendVLAN(b, l.VLAN, "")
	b = append(b, ',')
	b = appendCSVEnd(b, &l.Ends[0])
	b = appendCSVEnd(b, &l.Ends[1])
	b = append(b, l.Roles.String()...)
	b = append(b, ',')
	b = append(b, l.Close.String()...)
	b = append(b, ',')
	b = append(b, who(l.ClosedBy)...)
	b = append(b, ',')
	b = appendOr(b, l.CloseAt, "")
	b = append(b, ',')
	b = append(b, l.ResetAs.String()...)
	b = append(b, ',')
	b = strconv.AppendBool(b, l.Midstream)
	b = append(b, ',')
	if l.HandshakeRTT >= 0 {
		b = appendSpan(b, l.HandshakeRTT)
	}
	b = append(b, ',')
	b = appendSmall(b, l.SynRetransmits)
	b = append(b, ',')
	b = appendSmall(b, l.SynAckRetransmits)
	b = append(b, ',')
	if l.TimeWaitBy == tracker.Nobody {
		b = append(b, ",,"...)
	} else {
		b = append(b, l.TimeWaitBy.String()...)
		b = append(b, ',')
		b = appendInstant(b, l.TimeWaitSince)
		b = append(b, ',')
		b = appendInstant(b, l.TimeWaitUntil)
	}
	b = append(b, ',')
	b = appendSpan(b, max(l.HalfClosedFor, 0))
	b = append(b, ',')
	b = append(b, l.ZeekState...)
	b = append(b, ',')
	b = append(b, l.ZeekHistory...)
	b = append(b, ',')
	b = appendSmall(b, uint32(l.Completeness))
	b = append(b, ',')
	for i, f := range findings {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, f...)
	}
	return append(b, '\n')
}

// appendCSVEnd appends the cells of an endpoint, each with the comma after it.
func appendCSVEnd(b []byte, e *tracker.End) []byte {
	b = e.Addr.Addr().AppendTo(b)
	b = append(b, ',')
	b = strconv.AppendUint(b, uint64(e.Addr.Port()), 10)
	b = append(b, ',')
	b = append(b, e.State.String()...)
	b = append(b, ',')
	b = append(b, e.Certainty.String()...)
	b = append(b, ',')
	b = strconv.AppendUint(b, e.Packets, 10)
	b = append(b, ',')
	b = strconv.AppendUint(b, e.Bytes, 10)
	b = append(b, ',')
	b = appendOr(b, uint64(e.MSS), "")
	b = append(b, ',')
	b = appendKnown(b, int64(e.WScale), "")
	b = append(b, ',')
	b = appendSmall(b, e.Retransmissions)
	b = append(b, ',')
	b = appendSmall(b, e.OutOfOrder)
	b = append(b, ',')
	b = appendSmall(b, e.Keepalives)
	b = append(b, ',')
	b = appendSmall(b, e.ZeroWindows)
	b = append(b, ',')
	if e.Packets > 0 {
		b = strconv.AppendUint(b, uint64(e.TTL), 10)
	}
	return append(b, ',')
}

// appendCSVTransition appends a transition as a line; its cells need no quotes
// either.
func appendCSVTransition(b []byte, t *tracker.Transition) []byte {
	b = appendEpoch(b, t.Time)
	b = append(b, ',')
	b = strconv.AppendUint(b, t.Frame, 10)
	b = append(b, ',')
	b = strconv.AppendUint(b, t.ID, 10)
	b = append(b, ',')
	b = append(b, role(t.Client)...)
	b = append(b, ',')
	b = t.Key.End(t.Side).AppendTo(b)
	b = append(b, ',')
	b = t.Key.End(t.Side ^ 1).AppendTo(b)
	b = append(b, ',')
	b = append(b, t.From.String()...)
	b = append(b, ',')
	b = append(b, t.To.String()...)
	b = append(b, ',')
	b = append(b, t.Certainty.String()...)
	b = append(b, ',')
	b = append(b, t.Rule.Name()...)
	return append(b, '\n')
}
