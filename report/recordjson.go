package report

import (
	"math"
	"strconv"
)

// MarshalJSON writes r with the keys and in the order of its type, without
// "type" and "schema".
func (r *Record) MarshalJSON() ([]byte, error) {
	return append(r.appendFields(append([]byte(nil), '{')), '}'), nil
}

// AppendJSON appends r as one object with "type" and "schema" first.
func (r *Record) AppendJSON(b []byte) []byte {
	b = append(b, `{"type":"connection","schema":"`+Schema+`",`...)
	return append(r.appendFields(b), '}')
}

func (r *Record) appendFields(b []byte) []byte {
	b = append(b, `"id":`...)
	b = strconv.AppendInt(b, int64(r.ID), 10)
	b = append(b, `,"incarnation":`...)
	b = strconv.AppendInt(b, int64(r.Incarnation), 10)
	b = append(b, `,"continues":`...)
	b = appendNumber(b, r.Continues)
	b = append(b, `,"start":`...)
	b = appendTime(b, r.Start)
	b = append(b, `,"end":`...)
	b = appendTime(b, r.End)
	b = append(b, `,"duration":`...)
	b = appendSeconds(b, r.Duration)
	b = append(b, `,"first_frame":`...)
	b = strconv.AppendInt(b, int64(r.FirstFrame), 10)
	b = append(b, `,"last_frame":`...)
	b = strconv.AppendInt(b, int64(r.LastFrame), 10)
	b = append(b, `,"vlan":`...)
	b = appendNumber(b, r.VLAN)
	b = append(b, `,"client":`...)
	b = r.Client.appendJSON(b)
	b = append(b, `,"server":`...)
	b = r.Server.appendJSON(b)
	b = append(b, `,"roles":`...)
	b = appendPlain(b, r.Roles)
	b = append(b, `,"close":{"kind":`...)
	b = appendPlain(b, r.Close.Kind)
	b = append(b, `,"by":`...)
	b = appendWord(b, r.Close.By)
	b = append(b, `,"frame":`...)
	b = appendNumber(b, r.Close.Frame)
	b = append(b, `,"reset":`...)
	b = appendWord(b, r.Close.Reset)
	b = append(b, `},"midstream":`...)
	b = strconv.AppendBool(b, r.Midstream)
	b = append(b, `,"handshake":{"rtt":`...)
	b = appendSeconds(b, r.Handshake.RTT)
	b = append(b, `,"syn_retransmissions":`...)
	b = strconv.AppendInt(b, int64(r.Handshake.SynRetransmissions), 10)
	b = append(b, `,"syn_ack_retransmissions":`...)
	b = strconv.AppendInt(b, int64(r.Handshake.SynAckRetransmissions), 10)
	b = append(b, `},"time_wait":`...)
	b = r.TimeWait.appendJSON(b)
	b = append(b, `,"half_closed_for":`...)
	b = appendSeconds(b, r.HalfClosedFor)
	b = append(b, `,"zeek":{"conn_state":`...)
	b = appendString(b, r.Zeek.ConnState)
	b = append(b, `,"history":`...)
	b = appendString(b, r.Zeek.History)
	b = append(b, `},"completeness":`...)
	b = strconv.AppendInt(b, int64(r.Completeness), 10)
	b = append(b, `,"findings":[`...)
	for i, f := range r.Findings {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendPlain(b, f)
	}
	return append(b, ']')
}

func (r *EndRecord) appendJSON(b []byte) []byte {
	b = append(b, `{"addr":`...)
	b = appendString(b, r.Addr) // an IPv6 zone could hold anything
	b = append(b, `,"port":`...)
	b = strconv.AppendInt(b, int64(r.Port), 10)
	b = append(b, `,"state":`...)
	b = appendPlain(b, r.State)
	b = append(b, `,"certainty":`...)
	b = appendPlain(b, r.Certainty)
	b = append(b, `,"packets":`...)
	b = strconv.AppendInt(b, int64(r.Packets), 10)
	b = append(b, `,"bytes":`...)
	b = strconv.AppendInt(b, int64(r.Bytes), 10)
	b = append(b, `,"mss":`...)
	b = appendNumber(b, r.MSS)
	b = append(b, `,"wscale":`...)
	b = appendNumber(b, r.WScale)
	b = append(b, `,"retransmissions":`...)
	b = strconv.AppendInt(b, int64(r.Retransmissions), 10)
	b = append(b, `,"out_of_order":`...)
	b = strconv.AppendInt(b, int64(r.OutOfOrder), 10)
	b = append(b, `,"keepalives":`...)
	b = strconv.AppendInt(b, int64(r.Keepalives), 10)
	b = append(b, `,"zero_windows":`...)
	b = strconv.AppendInt(b, int64(r.ZeroWindows), 10)
	b = append(b, `,"ttl":`...)
	b = appendNumber(b, r.TTL)
	return append(b, '}')
}

func (r *TimeWaitRecord) appendJSON(b []byte) []byte {
	if r.Endpoint == "" {
		return append(b, "null"...)
	}
	b = append(b, `{"endpoint":`...)
	b = appendPlain(b, r.Endpoint)
	b = append(b, `,"since":`...)
	b = appendTime(b, r.Since)
	b = append(b, `,"until":`...)
	b = appendTime(b, r.Until)
	return append(b, '}')
}

// appendNumber appends a whole number that may be absent.
func appendNumber(b []byte, f float64) []byte {
	if math.IsNaN(f) {
		return append(b, "null"...)
	}
	return strconv.AppendInt(b, int64(f), 10)
}
