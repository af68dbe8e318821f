package report

import (
	"cmp"
	"math"
	"net/netip"
	"slices"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// InstantView is what an Instant comes to: the connections that are not over, in their
// order, and what is counted of them.
type InstantView struct {
	Capture *Capture
	// At is T, AsOf the latest moment up to T that the capture knows of: its own end where
	// that comes before T. First is when the capture begins. All are ns since 1970.
	At, AsOf, First int64
	Empty           bool // no frame was read
	// Complete: the capture was read to its end. Nothing began after AsOf.
	Complete    bool
	Interrupted bool
	States      [tracker.NumStates]InstantCount // of the endpoints; CLOSED ones are none
	// NotBegun counts those of the Selection that begin later, -1 if nobody knows: then the
	// rest of the capture was not read. Over counts those that are over by then.
	NotBegun int64
	Over     uint64

	r    *Instant
	rows []uint32 // of r.all
}

// InstantCount is how many endpoints are in one state.
type InstantCount struct{ Confirmed, Presumed, Elapsed uint64 }

// Sum is all of them.
func (c *InstantCount) Sum() uint64 { return c.Confirmed + c.Presumed + c.Elapsed }

func (c *InstantCount) add(x tracker.Certainty) {
	switch x {
	case tracker.Confirmed:
		c.Confirmed++
	case tracker.Elapsed:
		c.Elapsed++
	default:
		c.Presumed++
	}
}

// Len is how many connections there are.
func (v *InstantView) Len() int { return len(v.rows) }

// End makes the view. last is the time of the latest frame, ns; reached says whether the
// capture goes on after T.
func (r *Instant) End(st *capture.Stats, last int64, reached, interrupted bool) *InstantView {
	if r.capture == nil {
		r.Begin(st)
	}
	v := &InstantView{
		Capture: r.capture, At: r.at, AsOf: r.at, First: r.first, Empty: st.Packets == 0, Complete: !reached && !interrupted,
		Interrupted: interrupted, NotBegun: -1, r: r,
	}
	if !reached {
		v.AsOf = min(r.at, last)
		if v.Empty {
			v.AsOf = r.at
		}
	}
	if v.At == math.MaxInt64 && !r.opts.Moment.Set() {
		v.At = v.AsOf
	}
	for i := 1; i < len(r.all); i++ {
		s := &r.all[i]
		if s.over() || s.out || !s.known && (r.opts.Where != nil || !r.opts.stream(s.id)) {
			continue
		}
		for k := range s.ends {
			if e := &s.ends[k]; e.certainty == tracker.Revoked {
				e.certainty = tracker.Presumed // no life was told of since: all that is left is a presumption
			}
		}
		v.rows = append(v.rows, uint32(i))
		for k := range s.endpoints() {
			if e := s.role(k); e.state != tracker.Closed {
				v.States[e.state].add(e.certainty)
			}
		}
	}
	v.Over = uint64(max(0, r.told-int64(len(v.rows))))
	switch {
	case v.Complete:
		v.NotBegun = 0
	case r.opts.Streams != nil && r.opts.Where == nil:
		v.NotBegun = 0
		for id := range r.opts.Streams {
			if id >= r.streams {
				v.NotBegun++
			}
		}
	}
	slices.SortFunc(v.rows, r.compare)
	return v
}

// compare orders connections by the sort key, then by number.
func (r *Instant) compare(a, b uint32) int {
	if k := r.opts.Sort; k != nil {
		if c := k.compare(&r.values[a], &r.values[b]); c != 0 {
			return c
		}
	}
	x, y := &r.all[a], &r.all[b]
	return cmp.Or(cmp.Compare(x.id, y.id), cmp.Compare(x.incarnation, y.incarnation))
}

// endpoints is how many there are.
func (s *spot) endpoints() int {
	if s.key.Self() {
		return 1
	}
	return 2
}

// role is the end of the client, 0, or of the server, 1.
func (s *spot) role(role int) *spotEnd { return s.end(s.client ^ uint8(role)) }

// addr is that of the client, 0, or of the server, 1.
func (s *spot) addr(role int) netip.AddrPort { return s.key.End(s.client ^ uint8(role)) }

// each calls f for every connection, in order.
func (v *InstantView) each(f func(*spot)) {
	for _, i := range v.rows {
		f(&v.r.all[i])
	}
}

// eachEndpoint calls f for every end that has a state, the client's first.
func (v *InstantView) eachEndpoint(f func(s *spot, role int, e *spotEnd)) {
	v.each(func(s *spot) {
		for role := range s.endpoints() {
			if e := s.role(role); e.state != tracker.Closed {
				f(s, role, e)
			}
		}
	})
}

// span is how long something has lasted as of the view that began at since, ns.
func (v *InstantView) span(since int64) int64 { return max(v.AsOf-since, 0) }

// AsksFindings reports whether the expression may ask for findings, which are known only
// when a whole capture was read.
func (w *Where) AsksFindings() bool { return w.findings }
