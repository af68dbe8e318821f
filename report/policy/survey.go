package policy

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"tcpstate/report"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// Survey takes note of what good captures show, and writes a policy that says so.
type Survey struct {
	Names    []string // of the captures
	Today    time.Time
	Values   detect.Values
	Disabled map[string]bool
	Where    string // how they were narrowed down; "" if they were not

	files    int
	ports    map[int]*portSurvey
	found    []detect.Finding
	complete bool // no capture lost anything, or begins in the midst of connections
}

// portSurvey is what they show of the servers on a port.
type portSurvey struct {
	port        int
	connections int
	files       int // that show it
	timed       int // that show how quick its handshakes are
	closes      [tracker.NumCloseKinds]int
	p50, p99    float64 // of the slowest file
	rtts        []float64
}

const (
	// portsMost is how many ports the policy speaks of, the busiest.
	portsMost = 20
	// subjectsMost is how many subjects of one finding it names; if there are more, it
	// accepts any.
	subjectsMost = 10
)

// Format makes it an output of the report on one capture.
func (s *Survey) Format() *report.Format {
	parts := report.PartConnections | report.PartFindings | report.PartSummary
	if s.files == 0 {
		s.ports, s.complete = map[int]*portSurvey{}, true
	}
	s.files++
	return &report.Format{Name: "survey", Parts: parts, Can: parts, Ordered: true,
		New: func(*report.Env) report.Formatter { return &surveyor{s, map[int]bool{}} }}
}

type surveyor struct {
	*Survey
	seen map[int]bool // ports, in this capture
}

func (*surveyor) Begin(*report.Capture)          {}
func (*surveyor) Transition(*tracker.Transition) {}

func (s *surveyor) Connection(c *report.Conn) {
	port := int(c.Ends[tracker.Server].Addr.Port())
	p := s.ports[port]
	if p == nil {
		p = &portSurvey{port: port, p50: math.NaN(), p99: math.NaN()}
		s.ports[port] = p
	}
	if !s.seen[port] {
		s.seen[port] = true
		p.files++
	}
	p.connections++
	p.closes[c.Close]++
	if c.HandshakeRTT >= 0 {
		p.rtts = append(p.rtts, float64(c.HandshakeRTT)/1e9)
	}
}

func (s *surveyor) End(f *report.Final) {
	for i := range f.Findings {
		s.found = append(s.found, *f.Findings[i].Worded())
	}
	q := &f.Summary.Quality
	s.complete = s.complete && q.Dropped == 0 && q.IfDropped == 0 && q.Midstream == 0
	for _, p := range s.ports {
		if len(p.rtts) == 0 {
			continue
		}
		p.timed++
		if v := quantile(p.rtts, 0.99); !(v <= p.p99) {
			p.p99, p.p50 = v, quantile(p.rtts, 0.5)
		}
		p.rtts = nil
	}
}

// Empty reports whether the captures show nothing that a policy could be made of: no
// connection. What is found then is about the capture itself.
func (s *Survey) Empty() bool { return len(s.ports) == 0 }

// Policy writes the policy. It is understood by Parse, and passes on the captures.
func (s *Survey) Policy() string {
	var b strings.Builder
	line := func(format string, a ...any) { fmt.Fprintf(&b, format+"\n", a...) }
	names := s.Names
	if len(names) > 5 {
		names = append(slices.Clone(names[:5]), fmt.Sprintf("%d more", len(s.Names)-5))
	}
	line("# Written by tcpstate check --init: what the captures below show is taken for good.")
	line("# Read it, strike out what is chance, and say why what is accepted is.")
	for _, n := range names {
		line("#   %s", report.Printable(n))
	}
	if s.Where != "" {
		line("# of them only what --where keeps: %s", report.Printable(s.Where))
	}
	line("version: 1")
	line("\n# The severity from which findings fail: note, warning, error, or never.")
	line("fail_on: warning")
	s.thresholds(line)
	s.accepted(line)
	s.assertions(line)
	return b.String()
}

func (s *Survey) thresholds(line func(string, ...any)) {
	if len(s.Disabled) > 0 {
		line("\n# Findings that are not looked for.")
		line("disable: [%s]", strings.Join(slices.Sorted(maps.Keys(s.Disabled)), ", "))
	}
	line("\n# Thresholds that differ; \"tcpstate findings ID\" names them.")
	if len(s.Values) == 0 {
		line("# set:\n#   close-wait-buildup.count: 5")
		return
	}
	line("set:")
	for _, name := range slices.Sorted(maps.Keys(s.Values)) {
		text := strconv.FormatFloat(s.Values[name], 'g', -1, 64)
		id, param, _ := strings.Cut(name, ".")
		for i, d := 0, detect.Find(id); i < len(d.Params); i++ {
			if d.Params[i].Name == param {
				text = d.Params[i].Text(s.Values[name])
			}
		}
		line("  %s: %s", name, text)
	}
}

// accepted are the findings as entries of allow.
func (s *Survey) accepted(line func(string, ...any)) {
	line("\n# Findings that are known and accepted. The subject is exact or has * in it; after the")
	line("# day of until the entry fails.")
	type entry struct {
		severity detect.Severity
		subjects []string
	}
	by := map[string]*entry{}
	for i := range s.found {
		f := &s.found[i]
		e := by[f.ID]
		if e == nil {
			e = &entry{}
			by[f.ID] = e
		}
		subject := f.Subject
		if strings.HasPrefix(subject, "connection ") {
			subject = "connection *" // numbers are those of this capture
		}
		e.severity = max(e.severity, f.Severity)
		if !slices.Contains(e.subjects, subject) {
			e.subjects = append(e.subjects, subject)
		}
	}
	until := s.Today.AddDate(0, 3, 0).Format(time.DateOnly)
	if len(by) == 0 {
		line("# allow:\n#   - id: refused\n#     subject: \"server 10.0.0.9:9100\"\n#     reason: the exporter is not installed there\n#     until: %s", until)
		return
	}
	line("allow:")
	for _, d := range detect.Catalogue {
		e := by[d.ID]
		if e == nil {
			continue
		}
		if len(e.subjects) > subjectsMost {
			e.subjects = []string{"*"}
		}
		line("  # %s: %s", e.severity, d.Title)
		for _, subject := range e.subjects {
			line("  - id: %s\n    subject: %s\n    reason: seen when this policy was written; say why it is accepted\n    # until: %s", d.ID, strconv.Quote(subject), until)
		}
	}
}

func (s *Survey) assertions(line func(string, ...any)) {
	ports := slices.SortedFunc(maps.Values(s.ports), func(a, b *portSurvey) int {
		return cmp.Or(cmp.Compare(b.connections, a.connections), cmp.Compare(a.port, b.port))
	})
	line("\n# What has to hold. Names of fields are those of -o json.")
	if len(ports) == 0 && !s.complete {
		line("# assert:\n#   - name: the API closes gracefully\n#     each: connections\n#     where: server.port == 8080\n#     expect: close.kind == \"graceful\"")
		return
	}
	line("assert:")
	if s.complete {
		line("  - name: the capture is complete")
		line("    expect: capture.quality.dropped == 0 and capture.quality.if_dropped == 0 and capture.quality.midstream == 0")
	}
	for _, p := range ports[:min(len(ports), portsMost)] {
		var kinds, seen []string
		for k, n := range p.closes {
			if n > 0 {
				kinds = append(kinds, strconv.Quote(tracker.CloseKind(k).String()))
				seen = append(seen, fmt.Sprintf("%d %s", n, tracker.CloseKind(k)))
			}
		}
		line("  - name: connections to port %d end as they should", p.port)
		line("    each: connections")
		line("    where: server.port == %d", p.port)
		line("    expect: close.kind in [%s]    # %s", strings.Join(kinds, ", "), strings.Join(seen, ", "))
		if p.files < s.files {
			line("    at_least: 0    # %d of %d captures have some", p.files, s.files)
		}
		if p.timed == s.files {
			line("  - name: handshakes with port %d are quick", p.port)
			line("    # here half took %s, and 99 %% less than %s", report.ShowSeconds(p.p50), report.ShowSeconds(p.p99))
			line("    expect: quantile(0.99, map(filter(connections, .server.port == %d), .handshake.rtt)) < %s", p.port, roomy(p.p99))
		}
	}
	if n := len(ports) - portsMost; n > 0 {
		line("  # %d more ports with fewer connections are left out", n)
	}
}

// roomy is a round number of seconds, some four times as large and at least a millisecond:
// other machines are slower.
func roomy(seconds float64) string {
	v := 0.001
	for i := 0; v < 4*seconds; i++ {
		v = math.Pow(10, float64(i/3-3)) * []float64{1, 2, 5}[i%3]
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
