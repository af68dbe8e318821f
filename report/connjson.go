package report

import (
	"strconv"

	"tcpstate/tracker"
)

// AppendConnection appends a life as one JSON object, with "type" and "schema"
// first and then the names of Record in its order. It writes from the life itself:
// a capture may hold millions of them.
func AppendConnection(b []byte, l *tracker.Life, findings []string) []byte {
	b = append(b, `{"type":"connection","schema":"`+Schema+`","id":`...)
	b = strconv.AppendUint(b, l.ID, 10)
	b = append(b, `,"incarnation":`...)
	b = appendSmall(b, l.Incarnation)
	b = append(b, `,"continues":`...)
	b = appendKnown(b, l.Continues, "null")
	b = append(b, `,"start":"`...)
	b = appendInstant(b, l.Start)
	b = append(b, `","end":"`...)
	b = appendInstant(b, l.End)
	b = append(b, `","duration":`...)
	b = appendSpan(b, max(l.End-l.Start, 0))
	b = append(b, `,"first_frame":`...)
	b = strconv.AppendUint(b, l.FirstFrame, 10)
	b = append(b, `,"last_frame":`...)
	b = strconv.AppendUint(b, l.LastFrame, 10)
	b = append(b, `,"vlan":`...)
	b = appendVLAN(b, l.VLAN, "null")
	b = append(b, `,"client":`...)
	b = appendEnd(b, &l.Ends[0])
	b = append(b, `,"server":`...)
	b = appendEnd(b, &l.Ends[1])
	b = append(b, `,"roles":`...)
	b = appendPlain(b, l.Roles.String())
	b = append(b, `,"close":{"kind":`...)
	b = appendPlain(b, l.Close.String())
	b = append(b, `,"by":`...)
	b = appendWord(b, who(l.ClosedBy))
	b = append(b, `,"frame":`...)
	b = appendOr(b, l.CloseAt, "null")
	b = append(b, `,"reset":`...)
	b = appendWord(b, l.ResetAs.String())
	b = append(b, `},"midstream":`...)
	b = strconv.AppendBool(b, l.Midstream)
	b = append(b, `,"handshake":{"rtt":`...)
	if l.HandshakeRTT >= 0 {
		b = appendSpan(b, l.HandshakeRTT)
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"syn_retransmissions":`...)
	b = appendSmall(b, l.SynRetransmits)
	b = append(b, `,"syn_ack_retransmissions":`...)
	b = appendSmall(b, l.SynAckRetransmits)
	b = append(b, `},"time_wait":`...)
	if l.TimeWaitBy == tracker.Nobody {
		b = append(b, "null"...)
	} else {
		b = append(b, `{"endpoint":`...)
		b = appendPlain(b, l.TimeWaitBy.String())
		b = append(b, `,"since":"`...)
		b = appendInstant(b, l.TimeWaitSince)
		b = append(b, `","until":"`...)
		b = appendInstant(b, l.TimeWaitUntil)
		b = append(b, `"}`...)
	}
	b = append(b, `,"half_closed_for":`...)
	b = appendSpan(b, max(l.HalfClosedFor, 0))
	b = append(b, `,"zeek":{"conn_state":`...)
	b = appendPlain(b, l.ZeekState)
	b = append(b, `,"history":`...)
	b = appendPlain(b, l.ZeekHistory) // letters and ^
	b = append(b, `},"completeness":`...)
	b = appendSmall(b, uint32(l.Completeness))
	b = append(b, `,"findings":[`...)
	for i, f := range findings {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendPlain(b, f)
	}
	return append(b, "]}"...)
}

func appendEnd(b []byte, e *tracker.End) []byte {
	b = append(b, `{"addr":"`...)
	b = e.Addr.Addr().AppendTo(b) // without a zone: no packet has one
	b = append(b, `","port":`...)
	b = strconv.AppendUint(b, uint64(e.Addr.Port()), 10)
	b = append(b, `,"state":`...)
	b = appendPlain(b, e.State.String())
	b = append(b, `,"certainty":`...)
	b = appendPlain(b, e.Certainty.String())
	b = append(b, `,"packets":`...)
	b = strconv.AppendUint(b, e.Packets, 10)
	b = append(b, `,"bytes":`...)
	b = strconv.AppendUint(b, e.Bytes, 10)
	b = append(b, `,"mss":`...)
	b = appendOr(b, uint64(e.MSS), "null")
	b = append(b, `,"wscale":`...)
	b = appendKnown(b, int64(e.WScale), "null")
	if e.Retransmissions|e.OutOfOrder|e.Keepalives|e.ZeroWindows == 0 {
		b = append(b, `,"retransmissions":0,"out_of_order":0,"keepalives":0,"zero_windows":0`...) // of most
	} else {
		b = append(b, `,"retransmissions":`...)
		b = appendSmall(b, e.Retransmissions)
		b = append(b, `,"out_of_order":`...)
		b = appendSmall(b, e.OutOfOrder)
		b = append(b, `,"keepalives":`...)
		b = appendSmall(b, e.Keepalives)
		b = append(b, `,"zero_windows":`...)
		b = appendSmall(b, e.ZeroWindows)
	}
	b = append(b, `,"ttl":`...)
	if e.Packets > 0 {
		b = strconv.AppendUint(b, uint64(e.TTL), 10)
	} else {
		b = append(b, "null"...)
	}
	return append(b, '}')
}

// appendKnown appends n, and none where it is negative.
func appendKnown(b []byte, n int64, none string) []byte {
	if n < 0 {
		return append(b, none...)
	}
	return strconv.AppendUint(b, uint64(n), 10)
}

// appendOr appends n, and none where 0 stands for that.
func appendOr(b []byte, n uint64, none string) []byte {
	if n == 0 {
		return append(b, none...)
	}
	return strconv.AppendUint(b, n, 10)
}

// appendVLAN appends the 802.1Q id, and none for an untagged segment.
func appendVLAN(b []byte, id uint16, none string) []byte {
	if id >= 4096 {
		return append(b, none...)
	}
	return strconv.AppendUint(b, uint64(id), 10)
}

// appendSmall appends a count that mostly is 0.
func appendSmall(b []byte, n uint32) []byte {
	if n < 10 {
		return append(b, byte('0'+n))
	}
	return strconv.AppendUint(b, uint64(n), 10)
}
