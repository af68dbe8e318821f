package compare

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"

	"tcpstate/report"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// Options say what of the findings is compared.
type Options struct {
	Disabled map[string]bool // ids; captures that are analysed now have none of them
	Min      detect.Severity // less is counted in Result.Hidden
}

// Result is the difference of two captures.
type Result struct {
	Old, New *Side
	// Warnings say why the numbers may not be comparable.
	Warnings []string
	Findings []Change // what matters most first
	Hidden   []Change // less severe than Options.Min on both sides
	// Traffic is how much there was, Close, ClosedFirst, Resets and States are shares of
	// the connections or their ends, Quality is what doubt there is.
	Traffic, Close, ClosedFirst, Resets, States, Handshake, Quality []Number
	Services                                                        []ServiceChange // what matters most first
	disabled                                                        map[string]bool
}

// Unit is what a Number counts.
type Unit uint8

const (
	Count   Unit = iota
	Seconds      // a time
	Rate         // per second
)

// Number is one number of both sides. What is not known is NaN.
type Number struct {
	Name               string
	Unit               Unit
	Old, New           float64
	OldShare, NewShare float64 // of all of its kind; NaN where it is no part of a whole
	Odds               Odds
	Unknown            bool // of one side it was measured, but is not known: nothing to compare
}

// Changed reports whether the sides differ.
func (n *Number) Changed() bool {
	if n.Unknown {
		return false
	}
	same := func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }
	return !same(n.Old, n.New) || !same(n.OldShare, n.NewShare)
}

// ServiceChange is what is different about one service.
type ServiceChange struct {
	Old, New netip.AddrPort // not valid where that side does not have it
	// Connections, and their shares below. Where a side does not have the service, all of
	// its numbers are 0 or unknown.
	Connections                   Number
	Close, Resets, Client, Server []Number
	Handshakes                    []Number

	both    uint64 // connections of both sides, to sort by
	changed bool
	marked  bool
}

// Others reports whether it is about the services that had no room of their own.
func (s *ServiceChange) Others() bool { return !s.Old.IsValid() && !s.New.IsValid() }

// Changed reports whether anything differs.
func (s *ServiceChange) Changed() bool { return s.changed }

// Marked reports whether any of it differs by more than chance explains.
func (s *ServiceChange) Marked() bool { return s.marked }

// Compare puts two sides side by side.
func Compare(old, new *Side, o Options) *Result {
	r := &Result{Old: old, New: new, disabled: o.Disabled}
	p := pair(old, new)
	r.warn()
	r.findings(p, o)
	r.Traffic = []Number{
		number("packets", Count, float64(old.Packets), float64(new.Packets)),
		number("segments", Count, float64(old.Segments), float64(new.Segments)),
		number("span", Seconds, old.Span, new.Span),
		number("connections", Count, float64(old.Connections), float64(new.Connections)),
		number("connections per second", Rate, perSecond(old), perSecond(new)),
		number(withRST, Count, float64(old.RSTs), float64(new.RSTs)),
	}
	r.Close = parts(closes, old.Close, new.Close, old.Close.Sum(), new.Close.Sum(), 1)
	r.ClosedFirst = parts(who, old.ClosedFirst, new.ClosedFirst, old.ClosedFirst.Sum(), new.ClosedFirst.Sum(), 1)
	r.Resets = parts(classes, old.Resets, new.Resets, lives(old), lives(new), 1)
	r.States = parts(states, old.States, new.States, old.States.Sum(), new.States.Sum(), 2)
	r.Handshake = handshakes(old.Handshake, new.Handshake)
	for i, c := range old.Quality {
		r.Quality = append(r.Quality, number(c.Name, Count, float64(c.N), float64(new.Quality[i].N)))
	}
	r.services(p)
	return r
}

func number(name string, u Unit, old, new float64) Number {
	return Number{Name: name, Unit: u, Old: old, New: new, OldShare: math.NaN(), NewShare: math.NaN()}
}

func perSecond(s *Side) float64 {
	if s.Span <= 0 {
		return math.NaN()
	}
	return float64(s.Connections) / s.Span
}

// lives are the connections that services count.
func lives(s *Side) (n uint64) {
	for i := range s.Services {
		n += s.Services[i].Connections
	}
	return n
}

// parts compares counts that are parts of a whole, m on the old side and n on the new. Of
// ends, each connection has two, and one depends on the other: it is one draw. The parts
// are in the order of names, others after them.
func parts(names []string, old, new report.Counts, m, n, ends uint64) (l []Number) {
	of := func(c report.Counts) report.Counts {
		return slices.DeleteFunc(slices.Clone(c), func(x report.Count) bool { return new.Get(x.Name) > 0 || x.N == 0 })
	}
	for _, c := range slices.Concat(new, of(old)) {
		a, b := old.Get(c.Name), new.Get(c.Name)
		if slices.ContainsFunc(l, func(x Number) bool { return x.Name == c.Name }) {
			continue
		}
		x := number(c.Name, Count, float64(a), float64(b))
		x.OldShare, x.NewShare = share(a, m), share(b, n)
		x.Odds = shares(a/ends, m/ends, b/ends, n/ends)
		l = append(l, x)
	}
	rank := func(n Number) uint { return uint(slices.Index(names, n.Name)) } // -1 is the last
	slices.SortStableFunc(l, func(a, b Number) int { return cmp.Compare(rank(a), rank(b)) })
	return l
}

// The names of what is counted, in the order of their numbers.
var (
	closes  = names(int(tracker.NumCloseKinds), func(i int) string { return tracker.CloseKind(i).String() })
	classes = names(int(tracker.NumResetClasses), func(i int) string { return tracker.ResetClass(i).String() })
	states  = names(int(tracker.NumStates), func(i int) string { return tracker.State(i).String() })
	who     = []string{tracker.ByClient.String(), tracker.ByServer.String(), tracker.ByBoth.String(), tracker.Nobody.String()}
)

func names(n int, name func(int) string) (l []string) {
	for i := range n {
		l = append(l, name(i))
	}
	return l
}

func share(a, m uint64) float64 {
	if m == 0 {
		return math.NaN()
	}
	return float64(a) / float64(m)
}

// Names of numbers. Of handshakes those that were seen whole are measured.
const (
	withRST  = "segments with RST"
	measured = "handshakes measured"
	p50      = "handshake p50"
	p99      = "handshake p99"
)

func handshakes(old, new Times) []Number {
	middle, last := number(p50, Seconds, old.P50, new.P50), number(p99, Seconds, old.P99, new.P99)
	middle.Odds, last.Odds = quantile(0.5, old, new), quantile(0.99, old, new)
	for _, n := range []*Number{&middle, &last} {
		n.Unknown = old.N > 0 && math.IsNaN(n.Old) || new.N > 0 && math.IsNaN(n.New)
	}
	return []Number{number(measured, Count, float64(old.N), float64(new.N)), middle, last}
}

// services puts the services side by side: those with a mark first, then by connections
// and place.
func (r *Result) services(p *pairing) {
	was := map[netip.AddrPort]*Service{}
	for i := range r.Old.Services {
		was[r.Old.Services[i].place()] = &r.Old.Services[i]
	}
	none := &Service{Handshake: Times{P50: math.NaN(), P99: math.NaN()}}
	for i := range r.New.Services {
		s := &r.New.Services[i]
		before := none
		from, paired := p.from[s.place()]
		if v := was[from]; v != nil && (paired || !s.place().IsValid()) {
			before = v
			delete(was, from)
		}
		r.Services = append(r.Services, compareServices(before, s))
	}
	for i := range r.Old.Services {
		if v := &r.Old.Services[i]; was[v.place()] != nil {
			r.Services = append(r.Services, compareServices(v, none))
		}
	}
	slices.SortFunc(r.Services, func(a, b ServiceChange) int {
		return cmp.Or(-boolean(a.Marked(), b.Marked()), cmp.Compare(b.both, a.both), a.New.Compare(b.New), a.Old.Compare(b.Old))
	})
}

// boolean compares false with true.
func boolean(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

func compareServices(old, new *Service) ServiceChange {
	s := ServiceChange{
		Old: old.place(), New: new.place(),
		Connections: number("connections", Count, float64(old.Connections), float64(new.Connections)),
		Close:       parts(closes, old.Close, new.Close, old.Connections, new.Connections, 1),
		Resets:      parts(classes, old.Resets, new.Resets, old.Connections, new.Connections, 1),
		Client:      parts(states, old.Client, new.Client, old.Connections, new.Connections, 1),
		Server:      parts(states, old.Server, new.Server, old.Connections, new.Connections, 1),
		Handshakes:  handshakes(old.Handshake, new.Handshake),
		both:        old.Connections + new.Connections,
	}
	s.each(func(_ string, n *Number) {
		s.changed = s.changed || n.Changed()
		s.marked = s.marked || n.Odds == Marked
	})
	return s
}

// What the numbers of a service are about.
const (
	aboutClose  = "close"
	aboutReset  = "reset"
	aboutServer = "server in"
	aboutClient = "client in"
)

// each calls f with all numbers of a service, and what they are about; "" for the service
// as a whole.
func (s *ServiceChange) each(f func(about string, n *Number)) {
	f("", &s.Connections)
	for _, g := range []struct {
		about string
		l     []Number
	}{{"", s.Handshakes}, {aboutClose, s.Close}, {aboutReset, s.Resets}, {aboutServer, s.Server}, {aboutClient, s.Client}} {
		for i := range g.l {
			f(g.about, &g.l[i])
		}
	}
}

// warn says what makes the sides hard to compare.
func (r *Result) warn() {
	say := func(format string, a ...any) { r.Warnings = append(r.Warnings, fmt.Sprintf(format, a...)) }
	for i, s := range []*Side{r.Old, r.New} {
		name, q := sideNames[i], s.Quality
		if s.Interrupted {
			say("%s was not read to its end", name)
		}
		if s.Segments == 0 {
			say("%s holds no TCP segment that is selected", name)
		}
		if n := q.Get(qualityDropped) + q.Get(qualityIfDropped); n > 0 {
			say("%s lost %s (%s)", name, report.ShowPlural(n, "frame"), percent(float64(n)/float64(n+s.Packets)))
		}
		if n := q.Get(qualityDamage); n > 0 {
			say("%s is damaged or cut short: what comes after that is missing", name)
		}
		if n := q.Get(qualityFolded) + q.Get(qualityEvicted); n > 0 {
			say("%s folded or evicted %s for want of memory", name, report.ShowPlural(n, "connection"))
		}
	}
	a, b := min(r.Old.Span, r.New.Span), max(r.Old.Span, r.New.Span)
	if a > 0 && b > 2*a {
		say("one lasts %s times as long as the other: states at the end, and findings that take time, go with it", factor(b/a))
	}
}

// percent writes a share.
func percent(p float64) string {
	switch {
	case math.IsNaN(p):
		return "-"
	case p > 0 && p < 0.0005:
		return "< 0.1 %"
	}
	return fmt.Sprintf("%.1f %%", 100*p)
}
