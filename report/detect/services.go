package detect

import (
	"net/netip"

	"tcpstate/tracker"
)

// ServiceCount is what is counted of one listening endpoint, for shares and
// for questions like "did it answer others at that time?".
type ServiceCount struct {
	Attempts  int // opening SYNs
	Completed int // handshakes that completed
	Refused   int
	Closed    int    // lives that ended by FINs or RST after the handshake
	ClosedBy  [2]int // of these, who sent the first FIN or the RST
	// Answered are the times of SYNs that were answered by SYN,ACK, Opened those
	// of handshakes that completed.
	Answered, Opened Times
}

// services counts by server endpoint. Where there are too many, the later
// ones are not counted.
type services struct {
	by     map[netip.AddrPort]*ServiceCount
	width  int64 // of the parts of time that their Times keep, ns; 0 for a second
	parts  int   // how many they keep, all together
	enough int   // how many make them coarser; 0 for maxParts
}

// maxParts bounds what the Times of all services keep together.
const maxParts = 1 << 20

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
		n.Answered.width, n.Opened.width = s.width, s.width
		s.by[key] = n
	}
	if c.Has(tracker.SignSyn) {
		n.Attempts++
	}
	if l.AnsweredAt != 0 {
		s.note(&n.Answered, l.AnsweredAt)
	}
	if c.Has(tracker.SignDone) {
		n.Completed++
		s.note(&n.Opened, l.DoneAt)
	}
	switch l.Close {
	case tracker.Refused:
		n.Refused++
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

// note notes a time. When all Times together keep too much they become coarser,
// until they keep half of that.
func (s *services) note(t *Times, at int64) {
	before := len(t.by)
	t.Add(at)
	s.parts += len(t.by) - before
	most := s.enough
	if most == 0 {
		most = maxParts
	}
	if s.parts <= most {
		return
	}
	for s.parts > most/2 && s.width < 1<<55 {
		s.width = 2 * max(s.width, second)
		s.parts = 0
		for _, n := range s.by {
			n.Answered.coarsen(s.width)
			n.Opened.coarsen(s.width)
			s.parts += len(n.Answered.by) + len(n.Opened.by)
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
// keeps the first and the last time of each second, or of longer parts, wherever
// there are too many: then a and b have to lie as far apart.
type Times struct {
	by    map[int64][2]int64
	width int64 // of a part, ns; 0 for a second
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
	s := t.part(at)
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
	from, to := t.part(max(a, t.first)), t.part(min(b, t.last))
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

const second = 1e9

// part is the part of time that at lies in.
func (t *Times) part(at int64) int64 { return floor(at, max(t.width, second)) }

func floorSecond(at int64) int64 { return floor(at, second) }

// floor is at/width, rounded down.
func floor(at, width int64) int64 {
	s := at / width
	if at%width < 0 {
		s--
	}
	return s
}

// coarsen joins the parts to such of that width, a multiple of theirs.
func (t *Times) coarsen(width int64) {
	t.width = width
	old := t.by
	t.by = make(map[int64][2]int64, len(old)/2)
	for _, m := range old {
		s := t.part(m[0])
		if b, ok := t.by[s]; ok {
			m = [2]int64{min(b[0], m[0]), max(b[1], m[1])}
		}
		t.by[s] = m
	}
}
