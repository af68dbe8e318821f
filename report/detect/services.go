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
	moments
}

// moments are when something happened at a listening endpoint.
type moments struct {
	// Answered are the times of SYNs that were answered by SYN,ACK, Accepted those of
	// the first proof that the server had accepted the connection, where
	// accept-queue-overflow looks for it.
	Answered, Accepted Times
}

// service is what is kept of one. There may be as many as a scan of all ports
// makes, so that those that never answered have no moments.
type service struct {
	port                         uint16
	v4                           bool
	octets                       [16]byte
	ttl                          ttlRange
	attempts, completed, refused uint32
	closed                       uint32
	closedBy                     [2]uint32
	moments                      uint32 // index plus one
}

// services counts by server endpoint. Where there are too many, the later
// ones are not counted.
type services struct {
	index   table[uint32] // into all, plus one
	all     []service
	moments []moments
	opened  table[struct{}]     // the seconds in which an IPv4 handshake completed, by port
	width   int64               // of the parts of time that their Times keep, ns; 0 for a second
	parts   int                 // how many they keep, all together
	enough  int                 // how many make them coarser; 0 for maxParts
	ttls    map[uint64]ttlRange // by host; nil until they are asked for
}

const (
	// maxParts bounds what the Times of all services keep together, at 16 octets
	// each. Coarser parts than a second cannot tell whether a port answered in
	// between, so that a service would seem to have died: they have to be rare.
	maxParts = 1 << 20
	// maxServices bounds the services: all ports of a host below the ephemeral ones.
	maxServices = 1 << 15
	// maxOpened bounds the seconds of all ports.
	maxOpened = 3 << 14
)

// openedKey is the key of a port and a second.
func openedKey(port uint16, s int64) uint64 { return uint64(s)<<16 | uint64(port) }

// of returns the index plus one of an endpoint, 0 where there is no room for it.
func (s *services) of(host uint64, a netip.AddrPort) uint32 {
	if s.index.most == 0 {
		s.index.most, s.opened.most = maxServices, maxOpened
	}
	i := s.index.at(withPort(host, a.Port()))
	if i == nil {
		return 0
	}
	if *i == 0 {
		s.all = append(s.all, service{octets: a.Addr().As16(), port: a.Port(), v4: a.Addr().Is4()})
		*i = uint32(len(s.all))
	}
	return *i
}

// addr is its endpoint.
func (n *service) addr() netip.AddrPort {
	a := netip.AddrFrom16(n.octets)
	if n.v4 {
		a = a.Unmap()
	}
	return netip.AddrPortFrom(a, n.port)
}

// add books a life for the service, by its index plus one.
func (s *services) add(c *tracker.Case, i uint32) {
	if i == 0 {
		return
	}
	n := &s.all[i-1]
	l := c.Life
	if c.Has(tracker.SignSyn) {
		n.attempts++
	}
	if l.AnsweredAt != 0 {
		s.note(&s.momentsOf(n).Answered, l.AnsweredAt)
	}
	if c.Has(tracker.SignDone) {
		n.completed++
		if n.v4 {
			s.opened.at(openedKey(n.port, floorSecond(l.DoneAt)))
		}
	}
	switch l.Close {
	case tracker.Refused:
		n.refused++
	case tracker.Graceful, tracker.Reset, tracker.HalfClosed, tracker.TimedOut:
		n.closed++
		switch l.ClosedBy {
		case tracker.ByClient:
			n.closedBy[tracker.Client]++
		case tracker.ByServer:
			n.closedBy[tracker.Server]++
		}
	}
}

// touch looks at a service, see Engine.touch.
func (s *services) touch(i uint32) uint64 {
	if i == 0 || s.all[i-1].moments == 0 {
		return 0
	}
	m := &s.moments[s.all[i-1].moments-1]
	return uint64(m.Answered.from + m.Accepted.from)
}

// accepted notes when a connection of the service was accepted for sure.
func (s *services) accepted(i uint32, at int64) {
	if i != 0 {
		s.note(&s.momentsOf(&s.all[i-1]).Accepted, at)
	}
}

func (s *services) momentsOf(n *service) *moments {
	if n.moments == 0 {
		w := Times{width: s.width}
		s.moments = append(s.moments, moments{w, w})
		n.moments = uint32(len(s.moments))
	}
	return &s.moments[n.moments-1]
}

// note notes a time. When all Times together keep too much they become coarser,
// until they keep half of that.
func (s *services) note(t *Times, at int64) {
	if !t.add(at) {
		return
	}
	s.parts++
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
		for i := range s.moments {
			m := &s.moments[i]
			for _, t := range [...]*Times{&m.Answered, &m.Accepted} {
				t.coarsen(s.width)
				s.parts += t.kept()
			}
		}
	}
}

// count is what was counted of a service.
func (s *services) count(n *service) *ServiceCount {
	c := &ServiceCount{Attempts: int(n.attempts), Completed: int(n.completed), Refused: int(n.refused), Closed: int(n.closed),
		ClosedBy: [2]int{int(n.closedBy[0]), int(n.closedBy[1])}}
	if n.moments != 0 {
		c.moments = s.moments[n.moments-1]
	}
	return c
}

// known returns the index plus one of an endpoint, 0 of one that is not counted.
func (s *services) known(a netip.AddrPort) uint32 {
	if i := s.index.find(endKey(a)); i != nil {
		return *i
	}
	return 0
}

// Service returns what was counted of a listening endpoint.
func (x *Context) Service(a netip.AddrPort) *ServiceCount {
	s := &x.engine.shared.services
	if i := s.known(a); i != 0 {
		return s.count(&s.all[i-1])
	}
	return &ServiceCount{}
}
