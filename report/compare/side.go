package compare

import (
	"math"
	"net/netip"
	"time"

	"tcpstate/report"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// Side is what is compared of one capture.
type Side struct {
	Name        string // as given
	Report      bool   // it was analysed before: it comes from Read
	Interrupted bool   // it was not read to its end
	Packets     uint64
	Segments    uint64
	Connections uint64
	Start       time.Time // of the first packet; zero without one
	Span        float64   // seconds from there to the last
	// Close and ClosedFirst count connections, Resets those by the class of their RST.
	Close, ClosedFirst, Resets report.Counts
	RSTs                       uint64        // segments
	States                     report.Counts // endpoints at the end, however that is known
	Quality                    report.Counts // what doubt there is about the numbers
	Findings                   []detect.Finding
	Services                   []Service
	Handshake                  Times // of all services together
}

// The names of Side.Quality.
const (
	qualityDropped   = "lost by the capture"
	qualityIfDropped = "lost by the interface"
	qualityDamage    = "damaged places"
	qualitySkipped   = "not analysed"
	qualityCopies    = "seen twice"
	qualityBack      = "dated back"
	qualityMidstream = "begun before the capture"
	qualityFolded    = "folded"
	qualityEvicted   = "evicted"
)

// Service is what is compared of one server address and port.
type Service struct {
	Addr           netip.Addr // none for those that had no room of their own
	Port           uint16
	Connections    uint64
	Close, Resets  report.Counts // connections
	Client, Server report.Counts // ends by their state at the end
	Handshake      Times
}

// place is where a service is; that of those without room is the zero value.
func (s *Service) place() netip.AddrPort {
	if !s.Addr.IsValid() {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(s.Addr, s.Port)
}

// Times are handshake times in seconds, NaN where nothing was measured.
type Times struct {
	N        uint64
	P50, P99 float64
	All      *report.Times // nil where only these three numbers are known
}

func newTimes(all *report.Times) Times {
	return Times{all.N(), all.At(0.5), all.At(0.99), all}
}

// Format makes a side an output of a report: done gets it at the end, but for its name.
func Format(done func(*Side)) *report.Format {
	const parts = report.PartSummary | report.PartFindings | report.PartServices
	return &report.Format{
		Name: "diff", Parts: parts, Can: parts, Ordered: true,
		New: func(*report.Env) report.Formatter { return &formatter{done} },
	}
}

type formatter struct{ done func(*Side) }

func (f *formatter) Begin(*report.Capture)          {}
func (f *formatter) Transition(*tracker.Transition) {}
func (f *formatter) Connection(*report.Conn)        {}

func (f *formatter) End(final *report.Final) {
	sum := final.Summary
	s := &Side{
		Packets: sum.Packets, Segments: sum.Segments, Connections: sum.Connections, Span: sum.Quality.Span,
		Close: sum.Close, ClosedFirst: sum.ClosedFirst, RSTs: sum.Resets.Sum(), Findings: final.Findings,
	}
	if sum.Quality.Start != nil {
		s.Start = time.Time(*sum.Quality.Start)
	}
	for _, c := range sum.States {
		s.States = append(s.States, report.Count{Name: c.State, N: c.Confirmed + c.Presumed + c.Elapsed})
	}
	q := &sum.Quality
	s.quality(q.Dropped, q.IfDropped, uint64(len(q.Damage)), sum.Skipped.Sum(), q.Copies, q.TimeBack, q.Midstream, sum.Folded, sum.Evicted)
	for i := range final.Services.Len() {
		v := final.Services.At(i)
		n := Service{Port: uint16(v.Port), Connections: v.Connections, Close: v.Close, Resets: v.Resets, Handshake: newTimes(final.Services.Handshakes(i))}
		n.Addr, _ = netip.ParseAddr(v.Addr)
		for _, e := range v.States {
			n.Client = append(n.Client, report.Count{Name: e.State, N: e.Client})
			n.Server = append(n.Server, report.Count{Name: e.State, N: e.Server})
		}
		s.Services = append(s.Services, n)
	}
	s.gather()
	f.done(s)
}

// quality sets Quality, in the order in which it is told.
func (s *Side) quality(dropped, ifDropped, damage, skipped, copies, back, midstream, folded, evicted uint64) {
	s.Quality = report.Counts{
		{Name: qualityDropped, N: dropped}, {Name: qualityIfDropped, N: ifDropped}, {Name: qualityDamage, N: damage},
		{Name: qualitySkipped, N: skipped}, {Name: qualityCopies, N: copies}, {Name: qualityBack, N: back},
		{Name: qualityMidstream, N: midstream}, {Name: qualityFolded, N: folded}, {Name: qualityEvicted, N: evicted},
	}
}

// gather works out what the services come to together.
func (s *Side) gather() {
	classes := map[string]uint64{}
	all, whole, n := &report.Times{}, true, uint64(0)
	for i := range s.Services {
		v := &s.Services[i]
		for _, c := range v.Resets {
			classes[c.Name] += c.N
		}
		n += v.Handshake.N
		if v.Handshake.All == nil {
			whole = whole && v.Handshake.N == 0
			continue
		}
		all.Merge(v.Handshake.All)
	}
	s.Resets = report.Counts{}
	for c := tracker.ResetRefused; c < tracker.NumResetClasses; c++ {
		s.Resets = append(s.Resets, report.Count{Name: c.String(), N: classes[c.String()]})
	}
	s.Handshake = Times{N: n, P50: math.NaN(), P99: math.NaN()}
	if whole {
		s.Handshake = newTimes(all)
	}
}
