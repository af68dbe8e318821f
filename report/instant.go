package report

import (
	"math"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// InstantOptions say which connections an Instant lists.
type InstantOptions struct {
	Selection // its window is not used
	Sort      *SortKey
	Moment    Moment // not set: the end of the capture
}

// Instant is the states of all endpoints at one moment, T.
//
// By definition a state at T is what the stream of transitions makes of the endpoint (its
// address and its peer's) when all are applied that have a time of T or before, in the
// order in which they are told. From that follows:
//
//   - What happens at T itself has happened. A timer that runs out at T or before has run
//     out, although only a later packet reveals it.
//   - After the last frame of the capture nothing runs out any more: at any T from there on
//     the states are those at its end, as everywhere in the reports. Nobody has seen what
//     came later, and a segment that was not seen would have restarted the timer.
//   - Where the clock of the capture was set back, what is dated T or before counts, also
//     if something later came first. How far after T one has to read for that is the
//     reader's affair (Late).
//
// Begin comes first. The tracker runs with Observer up to T, then Look takes the lives as
// they stand. If there is more that may be dated back, the tracker goes on, and Late ends
// that. End makes the View.
//
// It holds some 200 octets for each connection that is not over.
type Instant struct {
	opts    InstantOptions
	at      int64
	capture *Capture
	first   int64
	spots   map[capture.Key]uint32
	all     []spot
	free    []uint32
	values  []sortValue // of all, with Sort
	looked  bool
	late    map[capture.Key]bool // of which something was told after Look
	told    int64                // chosen lives, over or not, as of Look
	streams uint64               // as of Look
	conn    Conn                 // the life that is looked at; reused
	err     error
}

// spot is a connection that is not over.
type spot struct {
	key             capture.Key
	ends            [2]spotEnd // by side of the Key
	id              uint64
	start, last     int64 // ns, of the first and latest segment
	packets, octets [2]uint64
	incarnation     uint32
	vlan            uint16
	client          uint8 // side of the Key
	midstream       bool
	known           bool // a life told of it
	out             bool // the Selection leaves it out
}

// spotEnd is one end as the transitions make it.
type spotEnd struct {
	since     int64  // ns: when it came to the state
	frame     uint64 // that did it, 0 of a timer
	state     tracker.State
	certainty tracker.Certainty
	moved     bool // there was a transition
}

// NewInstant makes one of which nothing is known yet.
func NewInstant(o InstantOptions) *Instant {
	return &Instant{opts: o, spots: map[capture.Key]uint32{}, all: make([]spot, 1), values: make([]sortValue, 1), late: map[capture.Key]bool{}}
}

// Begin takes the statistics of the source after its first frames.
func (r *Instant) Begin(st *capture.Stats) {
	r.first, r.at = st.First, math.MaxInt64
	if r.opts.Moment.Set() {
		r.at = r.opts.Moment.At(st.First)
	}
	r.capture = NewCapture(st)
}

// At is T, ns since 1970; math.MaxInt64 for the end of the capture.
func (r *Instant) At() int64 { return r.at }

// Err is the first error of evaluating --where.
func (r *Instant) Err() error { return r.err }

// Observer is what the tracker should call.
func (r *Instant) Observer() tracker.Observer {
	return tracker.Observer{Transition: r.transition, Life: r.life, Zeek: r.opts.Where != nil}
}

// transition applies one.
func (r *Instant) transition(t *tracker.Transition) {
	if t.Time > r.at {
		return
	}
	if r.looked {
		r.late[t.Key] = true
	}
	i, ok := r.spots[t.Key]
	if !ok {
		if t.To == tracker.Closed {
			return
		}
		i = r.take(&t.Key)
		s := &r.all[i]
		s.start, s.last, s.vlan, s.client = t.Time, t.Time, capture.NoVLAN, t.Side
		if !t.Client {
			s.client ^= 1
		}
	}
	s := &r.all[i]
	s.id = t.ID
	e := s.end(t.Side)
	if t.To != e.state || !e.moved {
		e.since, e.frame = t.Time, t.Frame
	}
	e.state, e.certainty, e.moved = t.To, t.Certainty, true
	if s.over() {
		r.drop(i)
	}
}

// end is that of a side; a connection to itself has one.
func (s *spot) end(side uint8) *spotEnd {
	if s.key.Self() {
		side = 0
	}
	return &s.ends[side&1]
}

func (s *spot) over() bool {
	return s.ends[0].state == tracker.Closed && s.ends[1].state == tracker.Closed
}

func (r *Instant) take(k *capture.Key) (i uint32) {
	if n := len(r.free); n > 0 {
		i, r.free = r.free[n-1], r.free[:n-1]
	} else {
		i = uint32(len(r.all))
		r.all = append(r.all, spot{})
		if r.opts.Sort != nil {
			r.values = append(r.values, sortValue{})
		}
	}
	if r.opts.Sort != nil {
		r.values[i] = sortValue{none: true}
	}
	r.all[i] = spot{key: *k}
	r.spots[*k] = i
	return i
}

func (r *Instant) drop(i uint32) {
	delete(r.spots, r.all[i].key)
	r.all[i] = spot{}
	r.free = append(r.free, i)
}

// life takes one that is told of: it is over, or its TIME-WAIT is all that is left, or it
// goes on under another number, or gave way for want of room.
func (r *Instant) life(l *tracker.Life) {
	if !r.looked {
		r.tell(l)
	}
}

// tell counts a life, and notes its numbers where it is not over.
func (r *Instant) tell(l *tracker.Life) {
	keep := r.keeps(l)
	if keep {
		r.told++
		if l.Resumes || l.Continues >= 0 { // it was told of before, as what goes on here
			r.told--
		}
	}
	r.note(l, keep)
}

// keeps reports whether the Selection does.
func (r *Instant) keeps(l *tracker.Life) bool {
	if !r.opts.stream(l.ID) {
		return false
	}
	r.conn.set(l, 0)
	if r.opts.Where == nil {
		return true
	}
	ok, err := r.opts.Where.Match(r.conn.Record())
	if err != nil && r.err == nil {
		r.err = err
	}
	return ok
}

// note takes the numbers of a life. Its states are known by the transitions; it knows
// better how sure they are after a revocation.
func (r *Instant) note(l *tracker.Life, keep bool) {
	i, ok := r.spots[l.Key]
	if !ok {
		return
	}
	s := &r.all[i]
	s.id, s.incarnation, s.vlan, s.client, s.midstream = l.ID, l.Incarnation, l.VLAN, l.Client&1, l.Midstream
	s.start, s.last, s.known, s.out = l.Start, l.End, true, !keep
	for role := range l.Ends {
		x := &l.Ends[role]
		s.packets[role], s.octets[role] = x.Packets, x.Bytes
		if e := s.end(l.Client ^ uint8(role)); e.state == x.State {
			e.certainty = x.Certainty
		}
	}
	if keep && r.opts.Sort != nil {
		r.conn.set(l, 0)
		r.values[i] = r.opts.Sort.value(r.conn.Record())
	}
}

// Look takes the lives as they stand: the tracker has been given all that came up to T,
// and its clock stands at T if the capture goes on.
func (r *Instant) Look(p *tracker.Parallel) {
	r.streams = p.Totals().Streams
	p.Peek(math.MinInt64, tracker.Observer{Life: r.tell, Zeek: r.opts.Where != nil})
	r.looked = true
}

// Late takes the lives of which something was told after Look that is dated T or before.
func (r *Instant) Late(p *tracker.Parallel) {
	if len(r.late) == 0 {
		return
	}
	p.Peek(math.MinInt64, tracker.Observer{Life: func(l *tracker.Life) {
		if r.late[l.Key] {
			r.note(l, r.keeps(l))
		}
	}, Zeek: r.opts.Where != nil})
}
