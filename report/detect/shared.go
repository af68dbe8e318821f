package detect

import "tcpstate/tracker"

// shared is what several detectors want of a case, looked up once: its service and
// its hosts.
type shared struct {
	services services
	server   uint32    // index plus one of the case's service; 0 where there was no room
	host     [2]uint64 // keys of the client's and the server's address
	pair     uint64    // key of both, in any order
	swapped  bool      // the client is the second of the pair
	tries    tryLog
}

// meet begins a case.
func (s *shared) meet(c *tracker.Case) {
	s.tries.told = false
	server := c.Addr(tracker.Server)
	s.host = [2]uint64{hostKey(c.Addr(tracker.Client).Addr()), hostKey(server.Addr())}
	s.pair, s.swapped = pairKey(s.host[tracker.Client], s.host[tracker.Server])
	s.server = s.services.of(s.host[tracker.Server], server)
}

// pairKey is the key of two hosts in any order, and whether a is the second.
func pairKey(a, b uint64) (key uint64, swapped bool) {
	if b < a {
		return together(b, a), true
	}
	return together(a, b), false
}
