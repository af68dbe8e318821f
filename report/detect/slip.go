package detect

import (
	"net/netip"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// ordinary are the signs of lives in which everything goes well: they are
// diagnosed by what is in the life and its ends' accounts. That one is not over shows
// only that TIME-WAIT had not elapsed, where both ends have closed.
const ordinary = tracker.SignLife | tracker.SignSyn | tracker.SignDone | tracker.SignFin | tracker.SignOpen

// slip is what detectors want to know of a life that is ordinary, and the services
// of all lives. It holds no pointer.
type slip struct {
	met
	Ref
	signs    tracker.Sign
	listener          // the server
	client   [16]byte // its address
	v4       bool     // so is that

	start, end     int64
	answered, done int64
	spoke          int64 // the server, the first time; 0 not at all
	handshake      int64 // how long it took; -1 unknown
	first, closeAt uint64
	speaks         uint64 // frame of the server's first segment that is neither SYN nor RST
	request        uint64 // frame of the client's latest payload
	data, joined   [2]uint32
	turns          uint32 // of the client
	close          tracker.CloseKind
	closedBy       tracker.Who
	midstream      bool
	ttl            uint8    // of the server; 0 unknown
	opts           [2]uint8 // of the SYN and the SYN,ACK
	stamped        bool     // the client sent timestamps: the SYN's, the newest, and when it sent last
	synTS, newTS   uint32
	lastAt         int64

	// Of silent lives only.
	age  int64  // of the SYN
	from uint16 // the client's port
}

// met is what several detectors want of a life, looked up once: its service and its
// hosts.
type met struct {
	nth     uint8     // of the lives that wait together
	swapped bool      // the client is the second of the pair
	server  uint32    // index plus one of its service; 0 where there was no room
	host    [2]uint64 // keys of the client's and the server's address
	pair    uint64    // key of both, in any order
}

// side is the place of one side of the service among all sides of all services; 0 where
// that has none.
func (m *met) side(side uint8) uint32 {
	if m.server == 0 {
		return 0
	}
	return 2*m.server + uint32(side)
}

// pairKey is the key of two hosts in any order, and whether a is the second.
func pairKey(a, b uint64) (key uint64, swapped bool) {
	if b < a {
		return together(b, a), true
	}
	return together(a, b), false
}

// fill notes a life. Its service is looked up later.
func (s *slip) fill(c *tracker.Case) {
	l := c.Life
	a, b := &c.Ends[tracker.Client], &c.Ends[tracker.Server]
	client := l.Ends[tracker.Client].Addr.Addr()
	s.listener = listenerOf(l.Ends[tracker.Server].Addr)
	s.client, s.v4 = client.As16(), client.Is4()
	s.host = [2]uint64{octetsKey(&s.client, s.v4), octetsKey(&s.listener.octets, s.listener.v4)}
	s.pair, s.swapped = pairKey(s.host[tracker.Client], s.host[tracker.Server])
	s.Ref, s.signs = Ref{l.ID, l.Incarnation}, c.Signs
	s.start, s.end, s.answered, s.done = l.Start, l.End, l.AnsweredAt, l.DoneAt
	s.first, s.closeAt, s.handshake = l.FirstFrame, l.CloseAt, l.HandshakeRTT
	s.close, s.closedBy, s.midstream = l.Close, l.ClosedBy, l.Midstream
	s.data = [2]uint32{uint32(a.DataSegments), uint32(b.DataSegments)}
	s.joined = [2]uint32{uint32(a.Joined), uint32(b.Joined)}
	s.turns, s.request = a.Turns, a.LastDataFrame
	s.opts = [2]uint8{a.SynOpts, b.SynOpts}
	s.stamped, s.synTS, s.newTS, s.lastAt = a.HasTS, a.SynTSVal, a.MaxTSVal, a.LastAt
	s.spoke, s.speaks = b.SpokeAt, b.SpokeFrame
	if s.ttl = b.TTL; b.TTLSeen == 0 {
		s.ttl = 0
	}
}

// plain reports a life of which a slip says all that any detector wants to know:
// it shows no sign of anything else, began in the capture, is closed or over, both
// ends spoke in it, and nothing was lost or came out of order.
func plain(c *tracker.Case) bool {
	a, b := &c.Ends[tracker.Client], &c.Ends[tracker.Server]
	const most = 1 << 31
	return c.Signs&^ordinary == 0 && c.Signs&(tracker.SignOpen|tracker.SignFin) != tracker.SignOpen && !c.Life.Midstream &&
		c.Life.SynRetransmits == 0 && b.Segments > 1 &&
		a.Spurious|a.OutOfOrder|a.Unseen|a.Lost|b.Spurious|b.OutOfOrder|b.Unseen|b.Lost == 0 &&
		a.DataSegments|a.Joined|b.DataSegments|b.Joined < most
}

// sent counts the segments of payload from the first host of the pair, and from the
// second; all in one where both are one.
func (s *slip) sent() (n [2]uint64) {
	for x := range n {
		if n[x] = uint64(s.data[x]); n[x] > 0 {
			n[x] += uint64(s.joined[x])
		}
	}
	switch {
	case s.host[0] == s.host[1]:
		return [2]uint64{n[0] + n[1], 0}
	case s.swapped:
		return [2]uint64{n[1], n[0]}
	}
	return n
}

// stamps are the timestamps of the client's SYN and its newest, of a life that this
// SYN began.
func (s *slip) stamps() (v stamps, ok bool) {
	if s.opts[tracker.Client]&capture.OptTS == 0 {
		return v, false
	}
	v = stamps{at: s.start, syn: s.synTS, hosts: together(s.host[tracker.Client], s.host[tracker.Server])}
	if s.stamped && s.lastAt > v.at {
		v.last, v.tsVal = s.lastAt, s.newTS
	}
	return v, true
}

// listener is a server's endpoint.
type listener struct {
	octets [16]byte
	port   uint16
	v4     bool
}

func listenerOf(a netip.AddrPort) listener {
	return listener{a.Addr().As16(), a.Port(), a.Addr().Is4()}
}

// addr is the endpoint for people.
func (l *listener) addr() netip.AddrPort {
	a := netip.AddrFrom16(l.octets)
	if l.v4 {
		a = a.Unmap()
	}
	return netip.AddrPortFrom(a, l.port)
}
