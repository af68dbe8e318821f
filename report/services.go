package report

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"

	"tcpstate/tracker"
)

// maxServices bounds the table of services: a port scan would make one of
// every port. What comes later is counted together in Services.Others.
const maxServices = 1 << 16

// Service is what is said of one server address and port.
type Service struct {
	Addr        string `json:"addr"`
	Port        int    `json:"port"`
	Connections uint64 `json:"connections"`
	Midstream   uint64 `json:"midstream"`
	// States counts both ends by the state they were in at the end.
	States EndStates `json:"states"`
	Close  Counts    `json:"close"`
	Resets Counts    `json:"resets"` // connections by the class of their RST
	// Handshake holds the round-trip times of the handshakes seen whole.
	Handshake Quantiles `json:"handshake"`

	closes   [tracker.NumCloseKinds]uint64
	resets   [tracker.NumResetClasses]uint64
	client   [tracker.NumStates]uint64
	server   [tracker.NumStates]uint64
	rtt      quantiles
	endpoint netip.AddrPort
}

// Quantiles are in seconds, null if there was nothing to measure.
type Quantiles struct {
	N        uint64
	P50, P99 float64
}

// MarshalJSON writes {"n":..,"p50":..,"p99":..}.
func (q Quantiles) MarshalJSON() ([]byte, error) {
	b := append([]byte(nil), `{"n":`...)
	b = strconv.AppendUint(b, q.N, 10)
	b = append(b, `,"p50":`...)
	b = appendSeconds(b, q.P50)
	b = append(b, `,"p99":`...)
	b = appendSeconds(b, q.P99)
	return append(b, '}'), nil
}

// EndStates counts client and server ends by state.
type EndStates []EndState

// EndState is one line of EndStates.
type EndState struct {
	State          string
	Client, Server uint64
}

// MarshalJSON writes {"STATE":{"client":n,"server":n},...}, without the
// states that nobody is in.
func (e EndStates) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, s := range e {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendPlain(b, s.State)
		b = append(b, `:{"client":`...)
		b = strconv.AppendUint(b, s.Client, 10)
		b = append(b, `,"server":`...)
		b = strconv.AppendUint(b, s.Server, 10)
		b = append(b, '}')
	}
	return append(b, '}'), nil
}

// services gathers lives by server. Two of them can be merged.
type services struct {
	by     map[netip.AddrPort]*Service
	others *Service
}

func newServices() *services {
	return &services{by: map[netip.AddrPort]*Service{}, others: &Service{Addr: "others"}}
}

func (s *services) get(a netip.AddrPort) *Service {
	v := s.by[a]
	if v == nil {
		if len(s.by) >= maxServices {
			return s.others
		}
		v = &Service{endpoint: a}
		s.by[a] = v
	}
	return v
}

func (s *services) add(l *tracker.Life) {
	v := s.get(l.Ends[1].Addr)
	v.Connections++
	if l.Midstream {
		v.Midstream++
	}
	v.closes[l.Close]++
	v.resets[l.ResetAs]++
	v.client[l.Ends[0].State]++
	v.server[l.Ends[1].State]++
	if l.HandshakeRTT >= 0 {
		v.rtt.add(l.HandshakeRTT)
	}
}

// merge adds what o gathered.
func (s *services) merge(o *services) {
	for a, v := range o.by {
		s.get(a).merge(v)
	}
	s.others.merge(o.others)
}

func (v *Service) merge(o *Service) {
	v.Connections += o.Connections
	v.Midstream += o.Midstream
	addAll(v.closes[:], o.closes[:])
	addAll(v.resets[:], o.resets[:])
	addAll(v.client[:], o.client[:])
	addAll(v.server[:], o.server[:])
	v.rtt.merge(&o.rtt)
}

func addAll(a, b []uint64) {
	for i, n := range b {
		a[i] += n
	}
}

// list returns the services, those with the most connections first, then by
// address and port; the rest that maxServices folded together comes last.
func (s *services) list() []*Service {
	l := make([]*Service, 0, len(s.by)+1)
	for _, v := range s.by {
		v.Addr, v.Port = v.endpoint.Addr().String(), int(v.endpoint.Port())
		l = append(l, v)
	}
	slices.SortFunc(l, func(a, b *Service) int {
		return cmp.Or(cmp.Compare(b.Connections, a.Connections), a.endpoint.Compare(b.endpoint))
	})
	if s.others.Connections > 0 {
		l = append(l, s.others)
	}
	for _, v := range l {
		v.finish()
	}
	return l
}

// finish makes the public fields of the counters.
func (v *Service) finish() {
	v.Close, v.Resets, v.States = Counts{}, Counts{}, EndStates{}
	for k, n := range v.closes {
		if n > 0 {
			v.Close = append(v.Close, Count{tracker.CloseKind(k).String(), n})
		}
	}
	for c, n := range v.resets {
		if n > 0 && tracker.ResetClass(c) != tracker.NoReset {
			v.Resets = append(v.Resets, Count{tracker.ResetClass(c).String(), n})
		}
	}
	for st := range tracker.NumStates {
		if v.client[st]+v.server[st] > 0 {
			v.States = append(v.States, EndState{st.String(), v.client[st], v.server[st]})
		}
	}
	v.Handshake = Quantiles{v.rtt.n, v.rtt.at(0.5), v.rtt.at(0.99)}
}

// Name is the service as ip:port.
func (v *Service) Name() string {
	if !v.endpoint.IsValid() {
		return v.Addr
	}
	return v.endpoint.String()
}
