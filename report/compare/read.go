package compare

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"strings"

	"tcpstate/report"
)

// ErrNoReport is in the errors of Read.
var ErrNoReport = errors.New("not a report that tcpstate -o json wrote")

// Read takes a side from what -o json wrote of a capture, summary, findings and services
// at least. With the connections the distribution of handshake times is known, too, so that
// chance can be told from change.
func Read(r io.Reader) (*Side, error) {
	d := &document{dec: json.NewDecoder(r), rtts: map[netip.AddrPort]*report.Times{}}
	if err := d.read(); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			err = errors.New("it is cut short")
		}
		if errors.Is(err, ErrNoReport) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w", ErrNoReport, err)
	}
	return d.side()
}

// document is a report as it is read. What it has room for is checked: it came from
// outside, and its words go into other outputs.
type document struct {
	dec      *json.Decoder
	schema   string
	summary  *summary
	findings []finding
	services []service
	has      map[string]bool // by key
	rtts     map[netip.AddrPort]*report.Times
}

func (d *document) read() error {
	if err := d.delim('{'); err != nil {
		return err
	}
	d.has = map[string]bool{}
	for d.dec.More() {
		t, err := d.dec.Token()
		if err != nil {
			return err
		}
		key, _ := t.(string)
		d.has[key] = true
		switch key {
		case "schema":
			if err = d.dec.Decode(&d.schema); err == nil && d.schema != report.Schema {
				err = fmt.Errorf("%w: its schema is %q", ErrNoReport, d.schema)
			}
		case "type":
			err = fmt.Errorf("%w: it is NDJSON", ErrNoReport)
		case "summary":
			err = d.dec.Decode(&d.summary)
		case "findings":
			err = d.dec.Decode(&d.findings)
		case "services":
			err = d.dec.Decode(&d.services)
		case "connections":
			err = d.connections()
		default:
			err = d.skip()
		}
		if err != nil {
			return err
		}
	}
	if err := d.delim('}'); err != nil {
		return err
	}
	if d.schema == "" {
		return fmt.Errorf("%w: it has no schema", ErrNoReport)
	}
	if _, err := d.dec.Token(); err != io.EOF {
		return fmt.Errorf("%w: something comes after it", ErrNoReport)
	}
	return nil
}

func (d *document) delim(want json.Delim) error {
	t, err := d.dec.Token()
	if err == nil && t != want {
		err = fmt.Errorf("%v where %v is expected", t, want)
	}
	return err
}

// skip passes over a value, however large.
func (d *document) skip() error {
	depth := 0
	for {
		t, err := d.dec.Token()
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

// connections are read one by one: there may be millions.
func (d *document) connections() error {
	if err := d.delim('['); err != nil {
		return err
	}
	for d.dec.More() {
		var c struct {
			Server struct {
				Addr netip.Addr `json:"addr"`
				Port uint16     `json:"port"`
			} `json:"server"`
			Handshake struct {
				RTT *float64 `json:"rtt"`
			} `json:"handshake"`
		}
		if err := d.dec.Decode(&c); err != nil {
			return err
		}
		if c.Handshake.RTT == nil || *c.Handshake.RTT < 0 || *c.Handshake.RTT > math.MaxInt32 {
			continue
		}
		k := netip.AddrPortFrom(c.Server.Addr, c.Server.Port)
		if d.rtts[k] == nil {
			d.rtts[k] = &report.Times{}
		}
		d.rtts[k].Add(int64(math.Round(*c.Handshake.RTT * 1e9)))
	}
	return d.delim(']')
}

// side is the report as a side.
func (d *document) side() (*Side, error) {
	var lacks []string
	for _, part := range []string{"summary", "findings", "services"} {
		if !d.has[part] {
			lacks = append(lacks, part)
		}
	}
	if lacks != nil || d.summary == nil {
		return nil, fmt.Errorf("the report lacks %s: write it with summary,findings,services among --show, or without it", strings.Join(lacks, " and "))
	}
	m := d.summary
	s := &Side{
		Report: true, Packets: uint64(m.Packets), Segments: uint64(m.Segments), Connections: uint64(m.Connections), Start: m.Quality.Start, Span: max(m.Quality.Span, 0),
		Close: report.Counts(m.Close), ClosedFirst: report.Counts(m.ClosedFirst), RSTs: report.Counts(m.Resets).Sum(),
		States: m.States.counts(func(e *endCount) amount { return e.Confirmed + e.Presumed + e.Elapsed }),
	}
	q := &m.Quality
	s.quality(uint64(q.Dropped), uint64(q.IfDropped), uint64(len(q.Damage)), report.Counts(m.Skipped).Sum(), uint64(q.Copies), uint64(q.TimeBack),
		uint64(q.Midstream), uint64(m.Folded), uint64(m.Evicted))
	for i := range d.findings {
		f, err := d.findings[i].finding()
		if err != nil {
			return nil, err
		}
		s.Findings = append(s.Findings, f)
	}
	for i := range d.services {
		v, err := d.services[i].service()
		if err != nil {
			return nil, err
		}
		s.Services = append(s.Services, v)
	}
	d.times(s)
	s.gather()
	return s, nil
}

// times gives each service the distribution of its handshakes, if all of them are among
// the connections.
func (d *document) times(s *Side) {
	var others *Times
	for i := range s.Services {
		v := &s.Services[i]
		if v.place() == (netip.AddrPort{}) {
			others = &v.Handshake
			continue
		}
		v.Handshake.take(d.rtts[v.place()])
		delete(d.rtts, v.place())
	}
	if others != nil {
		rest := &report.Times{}
		for _, t := range d.rtts {
			rest.Merge(t)
		}
		others.take(rest)
	}
}

func (t *Times) take(all *report.Times) {
	if all == nil {
		all = &report.Times{}
	}
	if all.N() == t.N {
		*t = newTimes(all)
	}
}

// counts is an object of numbers in its order.
type counts report.Counts

func (c *counts) UnmarshalJSON(b []byte) error {
	var l ordered[amount]
	if err := l.UnmarshalJSON(b); err != nil {
		return err
	}
	*c = counts(l.counts(func(n *amount) amount { return *n }))
	return nil
}

// mostNames is far beyond how many names an object of numbers has.
const mostNames = 256

// ordered is an object whose keys are words, in its order.
type ordered[V any] []struct {
	name  string
	value V
}

func (o *ordered[V]) UnmarshalJSON(b []byte) error {
	d := document{dec: json.NewDecoder(bytes.NewReader(b))}
	if err := d.delim('{'); err != nil {
		return err
	}
	for d.dec.More() {
		t, err := d.dec.Token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		if !word(name) || len(*o) == mostNames {
			return fmt.Errorf("%q is no name of a number", name)
		}
		*o = append(*o, struct {
			name  string
			value V
		}{name: name})
		if err := d.dec.Decode(&(*o)[len(*o)-1].value); err != nil {
			return err
		}
	}
	return nil
}

func (o ordered[V]) counts(of func(*V) amount) report.Counts {
	c := report.Counts{}
	for i := range o {
		c = append(c, report.Count{Name: o[i].name, N: uint64(of(&o[i].value))})
	}
	return c
}

// word reports whether s is a word as the program has for states, classes and ids.
func word(s string) bool {
	for _, c := range []byte(s) {
		if !(c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z') {
			return false
		}
	}
	return s != ""
}
