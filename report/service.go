package report

import (
	"bufio"
	"net/netip"
	"strconv"

	"tcpstate/tracker"
)

// Services are the services of a report in their order. What is said of one is
// worked out when it is asked for: a scan makes many of them, and a table shows
// few.
type Services struct {
	from *services
	all  []*serviceCount
}

// Len is how many there are.
func (l *Services) Len() int { return len(l.all) }

// At is one of them.
func (l *Services) At(i int) *Service {
	n := l.all[i]
	v := &Service{Addr: "others", Connections: n.connections, Midstream: n.midstream, Close: Counts{}, Resets: Counts{}, States: EndStates{}}
	if n != &l.from.others {
		v.endpoint = n.key.end()
		v.Addr, v.Port = v.endpoint.Addr().String(), int(n.key.port)
	}
	for k, n := range n.closes {
		if n > 0 {
			v.Close = append(v.Close, Count{tracker.CloseKind(k).String(), uint64(n)})
		}
	}
	for c, n := range n.resets {
		if n > 0 && tracker.ResetClass(c) != tracker.NoReset {
			v.Resets = append(v.Resets, Count{tracker.ResetClass(c).String(), uint64(n)})
		}
	}
	for st := range tracker.NumStates {
		if c, s := n.client[st], n.server[st]; c > 0 || s > 0 {
			v.States = append(v.States, EndState{st.String(), uint64(c), uint64(s)})
		}
	}
	v.Handshake = Quantiles{0, nan, nan}
	if n.rtt != 0 {
		q := &l.from.rtts[n.rtt-1]
		v.Handshake = Quantiles{q.n, q.at(0.5), q.at(0.99)}
	}
	return v
}

// write writes all of them to w as one array. buf is room to work in, which is
// returned.
func (l *Services) write(w *bufio.Writer, buf []byte) []byte {
	w.WriteByte('[')
	for i := range l.all {
		buf = buf[:0]
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = l.At(i).appendJSON(buf)
		w.Write(buf)
	}
	w.WriteByte(']')
	return buf
}

// Service is what is said of one server address and port.
type Service struct {
	Addr        string // "others" for those that had no room
	Port        int
	Connections uint64
	Midstream   uint64
	States      EndStates // both ends by the state they were in at the end
	Close       Counts
	Resets      Counts    // connections by the class of their RST
	Handshake   Quantiles // of the round-trip times of the handshakes seen whole

	endpoint netip.AddrPort
}

func (v *Service) appendJSON(b []byte) []byte {
	b = append(b, `{"addr":`...)
	b = appendPlain(b, v.Addr)
	b = append(b, `,"port":`...)
	b = strconv.AppendInt(b, int64(v.Port), 10)
	b = append(b, `,"connections":`...)
	b = strconv.AppendUint(b, v.Connections, 10)
	b = append(b, `,"midstream":`...)
	b = strconv.AppendUint(b, v.Midstream, 10)
	b = append(b, `,"states":`...)
	b = v.States.appendJSON(b)
	b = append(b, `,"close":`...)
	b = v.Close.appendJSON(b)
	b = append(b, `,"resets":`...)
	b = v.Resets.appendJSON(b)
	b = append(b, `,"handshake":{"n":`...)
	b = strconv.AppendUint(b, v.Handshake.N, 10)
	b = append(b, `,"p50":`...)
	b = appendSeconds(b, v.Handshake.P50)
	b = append(b, `,"p99":`...)
	b = appendSeconds(b, v.Handshake.P99)
	return append(b, "}}"...)
}

// Name is the service as ip:port.
func (v *Service) Name() string {
	if !v.endpoint.IsValid() {
		return v.Addr
	}
	return v.endpoint.String()
}

// Quantiles are in seconds, null if there was nothing to measure.
type Quantiles struct {
	N        uint64
	P50, P99 float64
}

// EndStates counts client and server ends by state, without those that nobody is
// in.
type EndStates []EndState

// EndState is one line of EndStates.
type EndState struct {
	State          string
	Client, Server uint64
}

// appendJSON appends {"STATE":{"client":n,"server":n},...}.
func (e EndStates) appendJSON(b []byte) []byte {
	b = append(b, '{')
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
	return append(b, '}')
}
