package detect

import (
	"net/netip"

	"tcpstate/tracker"
)

// ServiceCount is what is counted of one listening endpoint, for shares and
// for questions like "did it answer others at that time?".
type ServiceCount struct {
	Lives     int // lives towards it, those begun mid-stream too
	Attempts  int // opening SYNs
	Completed int // handshakes that completed
	Refused   int
	Reset     int
	Closed    int    // lives that ended by FINs or RST after the handshake
	ClosedBy  [2]int // of these, who sent the first FIN or the RST
	// Answered are the times of SYNs that were answered by SYN,ACK, Opened those
	// of handshakes that completed.
	Answered, Opened Times
}

// services counts by server endpoint. Where there are too many, the later
// ones are not counted.
type services struct {
	by map[netip.AddrPort]*ServiceCount
}

func (s *services) add(c *tracker.Case) {
	l := c.Life
	key := l.Ends[tracker.Server].Addr
	n := s.by[key]
	if n == nil {
		if len(s.by) >= maxGroups {
			return
		}
		if s.by == nil {
			s.by = map[netip.AddrPort]*ServiceCount{}
		}
		n = &ServiceCount{}
		s.by[key] = n
	}
	n.Lives++
	if c.Has(tracker.SignSyn) {
		n.Attempts++
	}
	if l.AnsweredAt != 0 {
		n.Answered.Add(l.AnsweredAt)
	}
	if c.Has(tracker.SignDone) {
		n.Completed++
		n.Opened.Add(l.DoneAt)
	}
	switch l.Close {
	case tracker.Refused:
		n.Refused++
	case tracker.Reset:
		n.Reset++
	}
	switch l.Close {
	case tracker.Graceful, tracker.Reset, tracker.HalfClosed, tracker.TimedOut:
		n.Closed++
		switch l.ClosedBy {
		case tracker.ByClient:
			n.ClosedBy[tracker.Client]++
		case tracker.ByServer:
			n.ClosedBy[tracker.Server]++
		}
	}
}

// Service returns what was counted of a listening endpoint.
func (x *Context) Service(a netip.AddrPort) *ServiceCount {
	if n := x.engine.services.by[a]; n != nil {
		return n
	}
	return &ServiceCount{}
}

// Times remembers when something happened, such that "was there any between a
// and b?" has an exact answer wherever a and b lie more than a second apart. It
// keeps the first and the last time of each second.
type Times struct {
	by    map[int64][2]int64
	n     int
	first int64
	last  int64
}

// Add notes a time, ns.
func (t *Times) Add(at int64) {
	if t.n == 0 || at < t.first {
		t.first = at
	}
	if t.n == 0 || at > t.last {
		t.last = at
	}
	t.n++
	if t.by == nil {
		t.by = map[int64][2]int64{}
	}
	s := floorSecond(at)
	b, ok := t.by[s]
	if !ok {
		t.by[s] = [2]int64{at, at}
		return
	}
	t.by[s] = [2]int64{min(b[0], at), max(b[1], at)}
}

// N is how many there were, First and Last when.
func (t *Times) N() int       { return t.n }
func (t *Times) First() int64 { return t.first }
func (t *Times) Last() int64  { return t.last }

// Between reports whether there was one at or after a, and at or before b.
func (t *Times) Between(a, b int64) bool {
	if t.n == 0 || b < a || b < t.first || a > t.last {
		return false
	}
	from, to := floorSecond(max(a, t.first)), floorSecond(min(b, t.last))
	if to-from > int64(len(t.by)) {
		for _, m := range t.by {
			if m[1] >= a && m[0] <= b && (m[0] >= a || m[1] <= b) {
				return true
			}
		}
		return false
	}
	for s := from; s <= to; s++ {
		if m, ok := t.by[s]; ok && m[1] >= a && m[0] <= b && (m[0] >= a || m[1] <= b) {
			return true
		}
	}
	return false
}

func floorSecond(at int64) int64 {
	s := at / 1e9
	if at%1e9 < 0 {
		s--
	}
	return s
}
