package detect

import (
	"net/netip"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// What the detectors of the chapter on closing share: which side of which
// service, who spoke first, which RST ended a life and what it left unread.

// serviceEnd is one side of a service.
type serviceEnd struct {
	server netip.AddrPort
	side   int
}

func endOf(c *tracker.Case, side uint8) serviceEnd {
	return serviceEnd{c.Addr(tracker.Server), int(side)}
}

func (s serviceEnd) subject() string { return Service(s.server, s.side) }

// who names the side: 10.0.0.2:80, or the clients of 10.0.0.2:80.
func (s serviceEnd) who() string {
	if s.side == tracker.Client {
		return "the clients of " + s.server.String()
	}
	return s.server.String()
}

// owner and other name both sides in a sentence.
func (s serviceEnd) owner() string { return sideNames[s.side] }
func (s serviceEnd) other() string { return sideNames[s.side^1] }

// sawAt is what the application of one side saw; the other's saw nothing.
func sawAt(side int, what string) (s SeenBy) {
	if side == tracker.Client {
		s.Client = what
	} else {
		s.Server = what
	}
	return s
}

// unmeasured bounds a round trip that was not measured.
const unmeasured = 200e6

// answerSlack is what a TCP takes to answer beside the round trip (catalogue);
// closeSlack is the same as a parameter.
const (
	answerSlack = 50e6
	closeSlack  = answerSlack / 1e9
)

// replyTime is how long after a segment towards end its answer may come.
func replyTime(c *tracker.Case, end uint8) int64 {
	return c.RTT(int(end), unmeasured) + answerSlack
}

// own reports an event of the life itself, not of the one before on the tuple.
func own(e *tracker.Event) bool { return !e.Is(tracker.Earlier | tracker.Quoted | tracker.Odd) }

// newPayload reports payload that had not been sent before. A probe's octet is none.
func newPayload(e *tracker.Event) bool {
	return e.Len > 0 && own(e) && !e.Rst() && !e.Again() && !e.Probe()
}

// eventOf returns the event of a frame, or nil where the trail did not keep it.
func eventOf(c *tracker.Case, frame uint64) *tracker.Event {
	for i := range c.Trail.Events {
		if e := &c.Trail.Events[i]; e.Frame == frame {
			return e
		}
	}
	return nil
}

// plainAck reports a segment that acknowledges and is no RST.
func plainAck(e *tracker.Event) bool { return own(e) && e.Has(capture.ACK) && !e.Rst() }

// begun reports that the life was seen from its handshake on.
func begun(c *tracker.Case) bool { return c.Has(tracker.SignDone) && !c.Life.Midstream }

// spokeFirst reports whether x sent the connection's first payload. Only of
// lives seen from their beginning.
func spokeFirst(c *tracker.Case, x uint8) bool {
	a, b := c.Ends[x].FirstDataAt, c.Ends[x^1].FirstDataAt
	return a != 0 && (b == 0 || a < b)
}

// endingReset returns the index of the RST that ended the life, -1 if none did:
// the first that is its sender's own or that its receiver takes.
func (s *shared) endingReset() int { return int(s.trail.ending) }

// abort reports whether the RST that ended the life is its sender's own close: at
// SND.NXT, with ACK (RFC 9293 section 3.10.5), by the path that its other segments take,
// and nothing but RST came from it after.
func (s *shared) abort(c *tracker.Case) bool {
	if s.trail.ending < 0 || s.trail.spoke {
		return false
	}
	r := &c.Trail.Events[s.trail.ending]
	if !r.Is(tracker.AtNxt) || !r.Is(tracker.Own) {
		return false
	}
	a := &c.Ends[r.From]
	return a.TTLSeen < 3 || !otherTTL(r.TTL, a.TTL) // somebody else may have sent it
}

// latest returns the latest event before i that ok holds for, or nil.
func latest(ev []tracker.Event, i int, ok func(*tracker.Event) bool) *tracker.Event {
	for j := i - 1; j >= 0; j-- {
		if ok(&ev[j]) {
			return &ev[j]
		}
	}
	return nil
}

// unread returns the payload that the sender of the RST that ended the life had just
// been sent, within a round trip and slack, and after which it sent none; nil if there
// is none. The latest payload of both ends before a RST is on the trail.
func (s *shared) unread(c *tracker.Case, slack int64) *tracker.Event {
	if s.trail.payload < 0 {
		return nil
	}
	r, p := &c.Trail.Events[s.trail.ending], &c.Trail.Events[s.trail.payload]
	if p.From == r.From || r.Time-p.Time > c.RTT(int(r.From), unmeasured)+slack {
		return nil
	}
	return p
}

// interval is the time from enter to leave, without leave.
type interval struct{ enter, leave int64 }

// lasted is how long it is known to have lasted.
func (v *interval) lasted() int64 { return v.leave - v.enter }

// capital begins a sentence.
func capital(s string) string {
	if s != "" && s[0] >= 'a' && s[0] <= 'z' {
		return string(s[0]-'a'+'A') + s[1:]
	}
	return s
}
