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

// service is what is kept of one, in one line of the processor's cache. There may be
// as many as a scan of all ports makes, so that those that never answered have no
// moments.
type service struct {
	listener
	ttl                          ttlRange
	attempts, completed, refused uint32
	closed                       uint32
	closedBy                     [2]uint32
	ended                        [2]uint32 // closed by this side's FIN or RST, for idle-timeout
	moments                      uint32    // index plus one
	lately                       uint32    // the second in which a handshake completed last, as far as it fits
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
	accepts bool                // somebody asks for moments.Accepted
	beyond  int                 // connections of services that had no room
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
func (s *services) of(host uint64, a *listener) uint32 {
	if s.index.most == 0 {
		s.index.most, s.opened.most = maxServices, maxOpened
	}
	i := s.index.at(withPort(host, a.port))
	if i == nil {
		s.beyond++
		return 0
	}
	if *i == 0 {
		s.all = append(s.all, service{listener: *a})
		*i = uint32(len(s.all))
	}
	return *i
}

// add books lives for their services.
func (s *services) add(lives []slip) {
	for i := range lives {
		if l := &lives[i]; l.server != 0 {
			s.book(&s.all[l.server-1], l)
		}
	}
}

// fetch: see fetcher.
func (s *services) fetch(lives []slip) (n uint64) {
	var at [waiting]uint32
	for i := range lives {
		if l := &lives[i]; l.server != 0 {
			at[i] = s.all[l.server-1].moments
		}
	}
	for _, i := range at[:len(lives)] {
		if i != 0 {
			m := &s.moments[i-1]
			n += uint64(m.Answered.from+m.Accepted.from) + m.Answered.before() + m.Accepted.before()
		}
	}
	return n
}

// book books a life for its service.
func (s *services) book(n *service, l *slip) {
	if l.signs&tracker.SignSyn != 0 {
		n.attempts++
	}
	if l.ttl != 0 {
		n.ttl = n.ttl.with(ttlRange{l.ttl, l.ttl})
	}
	if l.answered != 0 {
		s.note(&s.momentsOf(n).Answered, l.answered)
	}
	if l.signs&tracker.SignDone != 0 {
		n.completed++
		if at := floorSecond(l.done); n.v4 && (at != int64(n.lately) || at == 0) {
			n.lately = uint32(at)
			s.opened.at(openedKey(n.port, at))
		}
		// The server was synchronised when it sent something that is neither SYN nor RST.
		if s.accepts && l.spoke != 0 && !l.midstream {
			s.note(&s.momentsOf(n).Accepted, l.spoke)
		}
	}
	switch l.close {
	case tracker.Refused:
		n.refused++
	case tracker.Graceful, tracker.Reset, tracker.HalfClosed, tracker.TimedOut:
		n.closed++
		if l.closedBy != tracker.ByClient && l.closedBy != tracker.ByServer {
			return
		}
		side := one(l.closedBy == tracker.ByServer)
		n.closedBy[side]++
		if l.close != tracker.TimedOut && l.signs&tracker.SignSelf == 0 && l.signs&(tracker.SignFin|tracker.SignRst) != 0 {
			n.ended[side]++
		}
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
