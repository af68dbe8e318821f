package report

import (
	"bytes"
	"cmp"
	"math"
	"net/netip"
	"slices"

	"tcpstate/tracker"
)

// maxServices bounds the table of services: a port scan would make one of
// every port. What comes later is counted together in services.others.
const maxServices = 1 << 16

// services gathers lives by server. Two of them can be merged.
type services struct {
	all    bool // lives are counted, none is left out
	index  serviceIndex
	pieces [][]serviceCount // of servicesPiece: counts are not moved as more come
	rtts   []quantiles      // by serviceCount.rtt
	others serviceCount
}

const servicesPiece = 64

// serviceCount is what is counted of one server address and port. It holds no
// pointer, for there may be maxServices of them.
type serviceCount struct {
	key         serviceKey
	rtt         uint32 // its handshakes, in services.rtts from 1; 0 if it had none
	connections uint64
	midstream   uint64
	closes      [tracker.NumCloseKinds]uint32
	resets      [tracker.NumResetClasses]uint32
	client      [tracker.NumStates]uint32
	server      [tracker.NumStates]uint32
}

// serviceKey is a server's endpoint.
type serviceKey struct {
	ip   [16]byte
	port uint16
	v6   bool
}

func keyOf(a netip.AddrPort) serviceKey {
	return serviceKey{a.Addr().As16(), a.Port(), !a.Addr().Is4()}
}

func (k *serviceKey) addr() netip.Addr {
	a := netip.AddrFrom16(k.ip)
	if !k.v6 {
		a = a.Unmap()
	}
	return a
}

// compare is netip.AddrPort.Compare.
func (k *serviceKey) compare(o *serviceKey) int {
	return cmp.Or(cmp.Compare(b2i(k.v6), b2i(o.v6)), bytes.Compare(k.ip[:], o.ip[:]), cmp.Compare(k.port, o.port))
}

func newServices() *services { return &services{} }

func (s *services) at(i uint32) *serviceCount { return &s.pieces[i/servicesPiece][i%servicesPiece] }

// get returns the counts of a server; others where there is no room for it.
func (s *services) get(k serviceKey) *serviceCount {
	i, found := s.index.find(s, &k)
	switch {
	case found:
		return s.at(i)
	case s.index.n >= maxServices:
		return &s.others
	}
	if s.index.n%servicesPiece == 0 {
		s.pieces = append(s.pieces, make([]serviceCount, servicesPiece))
	}
	v := s.at(s.index.n)
	v.key = k
	s.index.add(s, &k)
	return v
}

func (s *services) add(l *tracker.Life) {
	v := s.get(keyOf(l.Ends[1].Addr))
	v.connections++
	if l.Midstream {
		v.midstream++
	}
	count(&v.closes[l.Close], 1)
	count(&v.resets[l.ResetAs], 1)
	count(&v.client[l.Ends[0].State], 1)
	count(&v.server[l.Ends[1].State], 1)
	if l.HandshakeRTT >= 0 {
		s.rtt(v).add(l.HandshakeRTT)
	}
	if l.Resumes && s.all { // what was told of it before is taken back
		v.connections--
		if l.Midstream {
			v.midstream--
		}
		v.closes[l.Was]--
		v.resets[tracker.NoReset]--
		v.client[l.WasIn[0]]--
		v.server[l.WasIn[1]]--
	}
}

// rtt is where the handshakes of v go.
func (s *services) rtt(v *serviceCount) *quantiles {
	if v.rtt == 0 {
		s.rtts = append(s.rtts, quantiles{})
		v.rtt = uint32(len(s.rtts))
	}
	return &s.rtts[v.rtt-1]
}

// merge adds what o gathered.
func (s *services) merge(o *services) {
	for i := range o.index.n {
		v := o.at(i)
		s.join(s.get(v.key), o, v)
	}
	s.join(&s.others, o, &o.others)
}

func (s *services) join(v *serviceCount, o *services, w *serviceCount) {
	v.connections += w.connections
	v.midstream += w.midstream
	addAll(v.closes[:], w.closes[:])
	addAll(v.resets[:], w.resets[:])
	addAll(v.client[:], w.client[:])
	addAll(v.server[:], w.server[:])
	if w.rtt != 0 {
		s.rtt(v).merge(&o.rtts[w.rtt-1])
	}
}

func addAll(a, b []uint32) {
	for i, n := range b {
		count(&a[i], n)
	}
}

// count adds to a count that stops at its end.
func count(n *uint32, more uint32) {
	if *n += more; *n < more {
		*n = math.MaxUint32
	}
}

// list returns the services, those with the most connections first, then by
// address and port; the rest that had no room comes last.
func (s *services) list() *Services {
	l := &Services{from: s}
	for i := range s.index.n {
		l.all = append(l.all, s.at(i))
	}
	slices.SortFunc(l.all, func(a, b *serviceCount) int {
		return cmp.Or(cmp.Compare(b.connections, a.connections), a.key.compare(&b.key))
	})
	if s.others.connections > 0 {
		l.all = append(l.all, &s.others)
	}
	return l
}
