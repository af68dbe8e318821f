package report

import (
	"bytes"
	"cmp"
	"math"
	"net/netip"
	"slices"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// maxServices bounds the table of services: a port scan would make one of
// every port. What comes later is counted together in services.others.
const maxServices = 1 << 16

// services gathers lives by server. Two of them can be merged.
//
// What a life says of its server is only noted as it comes. Many are counted at a
// time: by then what is counted of hundreds of servers has left the processor's
// cache, and so all of it is fetched at once.
type services struct {
	all    bool // lives are counted, none is left out
	noted  []serviceNote
	index  serviceIndex
	pieces [][]serviceCount // of servicesPiece: counts are not moved as more come
	rtts   []quantiles      // by serviceCount.rtt
	others serviceCount
}

const servicesPiece = 64

// notesAtOnce is how many lives are counted at a time.
const notesAtOnce = 512

// serviceNote is what a life says of its server.
type serviceNote struct {
	rtt       int64
	key       serviceKey
	close     tracker.CloseKind
	reset     tracker.ResetClass
	ends      [2]tracker.State
	midstream bool
	// resumes: what was told of it before is taken back, which was this.
	resumes bool
	was     tracker.CloseKind
	wasIn   [2]tracker.State
}

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

// serviceKey is a server's endpoint, its address as it stands in a capture.Key.
type serviceKey struct {
	ip   [16]byte
	port uint16
	v6   bool
}

// serverOf is the end of a life's Key that is not the client.
func serverOf(l *tracker.Life) serviceKey {
	if l.Client != 0 {
		return serviceKey{l.Key.Lo, l.Key.LoPort, l.Key.V6}
	}
	return serviceKey{l.Key.Hi, l.Key.HiPort, l.Key.V6}
}

func (k *serviceKey) end() netip.AddrPort {
	return (&capture.Key{Lo: k.ip, LoPort: k.port, V6: k.v6}).End(0)
}

// compare is netip.AddrPort.Compare.
func (k *serviceKey) compare(o *serviceKey) int {
	return cmp.Or(cmp.Compare(b2i(k.v6), b2i(o.v6)), bytes.Compare(k.ip[:], o.ip[:]), cmp.Compare(k.port, o.port))
}

func newServices() *services { return &services{} }

func (s *services) at(i uint32) *serviceCount { return &s.pieces[i/servicesPiece][i%servicesPiece] }

// get returns the counts of a server; others where there is no room for it.
func (s *services) get(k *serviceKey) *serviceCount {
	i, found := s.index.find(s, k)
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
	v.key = *k
	s.index.add(s, k)
	return v
}

func (s *services) add(l *tracker.Life) {
	if len(s.noted) == notesAtOnce {
		s.settle()
	}
	if s.noted == nil {
		s.noted = make([]serviceNote, 0, notesAtOnce)
	}
	s.noted = s.noted[:len(s.noted)+1]
	n := &s.noted[len(s.noted)-1]
	n.rtt, n.key, n.close, n.reset, n.ends, n.midstream = l.HandshakeRTT, serverOf(l), l.Close, l.ResetAs, [2]tracker.State{l.Ends[0].State, l.Ends[1].State}, l.Midstream
	if n.resumes = l.Resumes && s.all; n.resumes {
		n.was, n.wasIn = l.Was, l.WasIn
	}
}

// settle counts what was noted.
func (s *services) settle() {
	for i := range s.noted {
		s.count(&s.noted[i])
	}
	s.noted = s.noted[:0]
}

func (s *services) count(n *serviceNote) {
	v := s.get(&n.key)
	v.connections++
	if n.midstream {
		v.midstream++
	}
	count(&v.closes[n.close], 1)
	count(&v.resets[n.reset], 1)
	count(&v.client[n.ends[0]], 1)
	count(&v.server[n.ends[1]], 1)
	if n.rtt >= 0 {
		s.rtt(v).add(n.rtt)
	}
	if n.resumes {
		v.connections--
		if n.midstream {
			v.midstream--
		}
		v.closes[n.was]--
		v.resets[tracker.NoReset]--
		v.client[n.wasIn[0]]--
		v.server[n.wasIn[1]]--
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
	s.settle()
	o.settle()
	for i := range o.index.n {
		v := o.at(i)
		s.join(s.get(&v.key), o, v)
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
	s.settle()
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
