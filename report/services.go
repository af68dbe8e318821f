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
const notesAtOnce = 2048

// serviceNote is what a life says of its server.
type serviceNote struct {
	rtt int64
	key serviceKey
	serviceLife
}

// serviceLife is what of it is counted each by itself.
type serviceLife struct {
	close          tracker.CloseKind
	reset          tracker.ResetClass
	client, server tracker.State
	midstream      bool
}

// serviceCount is what is counted of one server address and port. It holds no
// pointer, for there may be maxServices of them.
type serviceCount struct {
	key         serviceKey
	rtt         uint32 // its handshakes, in services.rtts from 1; 0 if it had none
	run         uint32 // the latest lives were all alike, and are not counted below yet
	alike       serviceLife
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

// server makes k the end of a life's Key that is not the client. It is written in
// place: to copy what was just written in parts is slow.
func (k *serviceKey) server(of *capture.Key, client uint8) {
	if client != 0 {
		k.ip, k.port, k.v6 = of.Lo, of.LoPort, of.V6
		return
	}
	k.ip, k.port, k.v6 = of.Hi, of.HiPort, of.V6
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
	n.rtt = l.HandshakeRTT
	n.key.server(&l.Key, l.Client)
	n.close, n.reset, n.client, n.server, n.midstream = l.Close, l.ResetAs, l.Ends[0].State, l.Ends[1].State, l.Midstream
	if l.Resumes && s.all { // what was told of it before is taken back
		k := n.key
		s.settle()
		s.get(&k).take(&serviceLife{l.Was, tracker.NoReset, l.WasIn[0], l.WasIn[1], l.Midstream})
	}
}

// settle counts what was noted. The services of a block are looked up before any is
// counted: so what is fetched for them is fetched for many at the same time.
func (s *services) settle() {
	var block [64]*serviceCount
	for from := 0; from < len(s.noted); from += len(block) {
		noted := s.noted[from:min(from+len(block), len(s.noted))]
		for i := range noted {
			block[i] = s.get(&noted[i].key)
		}
		for i := range noted {
			n, v := &noted[i], block[i]
			if v.alike != n.serviceLife || v.run == math.MaxUint32 {
				v.close()
				v.alike = n.serviceLife
			}
			v.run++
			if n.rtt >= 0 {
				s.rtt(v).add(n.rtt)
			}
		}
	}
	s.noted = s.noted[:0]
}

// end counts all that was not counted yet.
func (s *services) end() {
	s.settle()
	for i := range s.index.n {
		s.at(i).close()
	}
	s.others.close()
}

// close counts the lives that were alike.
func (v *serviceCount) close() {
	x := &v.alike
	v.connections += uint64(v.run)
	if x.midstream {
		v.midstream += uint64(v.run)
	}
	count(&v.closes[x.close], v.run)
	count(&v.resets[x.reset], v.run)
	count(&v.client[x.client], v.run)
	count(&v.server[x.server], v.run)
	v.run = 0
}

// take takes a life back that was counted.
func (v *serviceCount) take(x *serviceLife) {
	v.close()
	v.connections--
	if x.midstream {
		v.midstream--
	}
	v.closes[x.close]--
	v.resets[x.reset]--
	v.client[x.client]--
	v.server[x.server]--
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
	s.end()
	o.end()
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
	s.end()
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
