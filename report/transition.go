package report

import (
	"strconv"

	"tcpstate/tracker"
)

// AppendTransition appends t as one JSON object:
//
//	type, schema
//	time       string: seconds since 1970 with nine decimals
//	frame      number: the segment that did it, 0 when a timer did
//	id         number: the connection
//	endpoint   client or server: whose state
//	local      ip:port, or [ip]:port, of that endpoint
//	remote     the same of its peer
//	from, to   states, e.g. FIN-WAIT-1; equal when a presumed state is confirmed
//	certainty  confirmed, presumed, elapsed or revoked
//	rule       the rule of the transition tables
//
// The time is a string because a float64 cannot hold nanoseconds since 1970.
// After a revoked one, "to" is the last state that still stands.
func AppendTransition(b []byte, t *tracker.Transition) []byte {
	local, remote := t.Key.End(t.Side), t.Key.End(t.Side^1)
	b = append(b, `{"type":"transition","schema":"`+Schema+`","time":"`...)
	b = appendEpoch(b, t.Time)
	b = append(b, `","frame":`...)
	b = strconv.AppendUint(b, t.Frame, 10)
	b = append(b, `,"id":`...)
	b = strconv.AppendUint(b, t.ID, 10)
	b = append(b, `,"endpoint":`...)
	b = appendPlain(b, role(t.Client))
	b = append(b, `,"local":`...)
	b = appendAddrPort(b, local)
	b = append(b, `,"remote":`...)
	b = appendAddrPort(b, remote)
	b = append(b, `,"from":`...)
	b = appendPlain(b, t.From.String())
	b = append(b, `,"to":`...)
	b = appendPlain(b, t.To.String())
	b = append(b, `,"certainty":`...)
	b = appendPlain(b, t.Certainty.String())
	b = append(b, `,"rule":`...)
	b = appendString(b, t.Rule.Name())
	return append(b, '}')
}

// role is the word for an end.
func role(client bool) string {
	if client {
		return "client"
	}
	return "server"
}
