package detect

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Kind is what a threshold counts.
type Kind uint8

const (
	Count  Kind = iota // a whole number, at least 0
	Span               // a duration: 60s, 10m
	Share              // a part of a whole, from 0 to 1
	Rate               // a number per second, above 0
	Factor             // a plain number, at least 0
)

// Param is a threshold that --set changes.
type Param struct {
	Name    string
	Kind    Kind
	Default float64 // Span in seconds
	Doc     string
	Source  string // where the number comes from
}

// Text is the value as people write it: 10, 60s, 0.5.
func (p *Param) Text(v float64) string {
	if p.Kind == Span {
		return time.Duration(math.Round(v * 1e9)).String()
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// parse reads a value.
func (p *Param) parse(s string) (float64, error) {
	if p.Kind == Span {
		d, err := time.ParseDuration(s)
		if err != nil || d < 0 {
			return 0, fmt.Errorf("%q is not a duration, as in 60s or 10m", s)
		}
		return d.Seconds(), nil
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
		return 0, fmt.Errorf("%q is not a number from 0 up", s)
	}
	switch {
	case p.Kind == Count && v != math.Trunc(v):
		return 0, fmt.Errorf("%q is not a whole number", s)
	case p.Kind == Share && v > 1:
		return 0, fmt.Errorf("%q is not a share from 0 to 1", s)
	case p.Kind == Rate && v == 0:
		return 0, fmt.Errorf("%q is not a rate above 0", s)
	}
	return v, nil
}

// Values are thresholds that differ from their defaults, by "id.param".
type Values map[string]float64

// Set reads "id.param=value".
func (v Values) Set(s string) error {
	name, value, ok := strings.Cut(s, "=")
	id, param, dot := strings.Cut(name, ".")
	if !ok || !dot {
		return fmt.Errorf("%q: give it as ID.PARAM=VALUE, as in close-wait-buildup.count=20", s)
	}
	d := Find(id)
	if d == nil {
		return fmt.Errorf("%q: there is no finding %q; \"tcpstate findings\" lists them", s, id)
	}
	var names []string
	for i := range d.Params {
		p := &d.Params[i]
		if p.Name == param {
			n, err := p.parse(value)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			v[name] = n
			return nil
		}
		names = append(names, p.Name)
	}
	if len(names) == 0 {
		return fmt.Errorf("%q: %s has no parameters", s, id)
	}
	return fmt.Errorf("%q: %s has no parameter %q, but %s", s, id, param, strings.Join(names, ", "))
}

// Setup is what a Watcher is made from.
type Setup struct {
	detector *Detector
	values   Values
	OS       OS    // whose ephemeral ports are reckoned with
	TimeWait int64 // 2MSL, ns
	shared   *shared
}

// Value returns a threshold; Span in seconds. A name that the detector does
// not have is a mistake of the programmer's.
func (s *Setup) Value(name string) float64 {
	for i := range s.detector.Params {
		p := &s.detector.Params[i]
		if p.Name == name {
			if v, ok := s.values[s.detector.ID+"."+name]; ok {
				return v
			}
			return p.Default
		}
	}
	panic("detect: " + s.detector.ID + " has no parameter " + name)
}

// Count returns a threshold that is a whole number.
func (s *Setup) Count(name string) int { return int(min(s.Value(name), math.MaxInt32)) }

// Span returns a threshold that is a duration, in nanoseconds.
func (s *Setup) Span(name string) int64 { return int64(min(s.Value(name)*1e9, math.MaxInt64/4)) }

// OS is what an operating system gives its connections.
type OS struct {
	Name  string
	Ports int // size of the ephemeral range
	Range string
}

// OSes are the systems that --os names. Linux: net.ipv4.ip_local_port_range
// (32768-60999); Windows: netsh int ipv4 show dynamicport; macOS and FreeBSD:
// net.inet.ip.portrange.
var OSes = map[string]OS{
	"linux":   {"linux", 28232, "32768-60999"},
	"windows": {"windows", 16384, "49152-65535"},
	"macos":   {"macos", 16384, "49152-65535"},
	"freebsd": {"freebsd", 55536, "10000-65535"},
	"rfc":     {"rfc", 16384, "49152-65535"}, // RFC 6335 section 6
}
