package detect

import "tcpstate/tracker"

// shared is what several detectors want of a case: its service and its hosts,
// looked up once.
type shared struct {
	services services
	pairs    table[pair]
	server   uint32 // index plus one of the case's service; 0 where there was no room
	c        *tracker.Case
	met      bool // the hosts were looked up
	pair     *pair
	swapped  bool // the client is the second of the pair
	same     bool // both are one host
}

// pair is what is kept of two hosts.
type pair struct {
	payload [2]uint32 // segments of it that were sent: by the first to the second, and back; all in one where both are one host
	fresh   uint32    // number of the latest fresh connection
	stamps  uint32    // number of the latest timestamps
	lossy   bool      // some were lost
}

// maxPairs bounds the pairs of hosts.
const maxPairs = 3 << 14

func newShared() *shared {
	return &shared{pairs: table[pair]{most: maxPairs, stays: func(p *pair) bool { return p.lossy }}}
}

// meet begins a case.
func (s *shared) meet(c *tracker.Case) {
	s.server = s.services.of(c.Addr(tracker.Server))
	s.c, s.met = c, false
}

// hosts returns what is kept of the case's hosts, nil where there was no room.
func (s *shared) hosts() *pair {
	if !s.met {
		a, b := hostKey(s.c.Addr(tracker.Client).Addr()), hostKey(s.c.Addr(tracker.Server).Addr())
		k, swapped := pairKey(a, b)
		s.met, s.swapped, s.same, s.pair = true, swapped, a == b, s.pairs.at(k)
	}
	return s.pair
}

// pairKey is the key of two hosts in any order, and whether that is another one.
func pairKey(a, b uint64) (key uint64, swapped bool) {
	if b < a {
		return together(b, a), true
	}
	return together(a, b), false
}

// sent counts segments of payload of an end of the case.
func (s *shared) sent(p *pair, end int, n uint64) {
	from := end
	switch {
	case s.same:
		from = 0
	case s.swapped:
		from ^= 1
	}
	p.payload[from] += uint32(min(n, uint64(^uint32(0)-p.payload[from])))
}
