package capture

import (
	"errors"
	"io"
	"slices"
	"sync/atomic"
)

// awake is how many files are kept open side by side. With more, those whose
// time has not come are closed in between: a directory of rotated files needs
// neither a descriptor nor a buffer for each.
const awake = 16

// pause is after how many frames Next returns even without a segment, so that
// the caller's clock goes on and it can stop.
const pause = 1 << 16

// Open opens the files of o.Paths, or standard input, as one capture. Frames
// of several files come in the order of their times, those of equal time in
// the order of the files; within a file the order is that of the file.
//
// A file that is no capture makes an UnreadableError; beside others that are,
// it is damage, and they are read. An expression that does not compile for the
// files' links makes a FilterError, and an expression in a program without
// libpcap ErrNoLibpcap. A file that is damaged behind its header is no error:
// see Stats.Damage.
//
// If o.Paths has "-", Open waits until the first octets of o.Stdin arrive.
func Open(o Options) (Source, error) {
	expr, err := newFilter(o.Filter)
	if err != nil {
		return nil, err
	}
	if len(o.Paths) == 0 {
		return nil, &UnreadableError{Name: "capture", Reason: "no file given"}
	}
	s := &fileSource{d: newDecoder(newSelector(&o.Selection, expr), o.VerifyChecksums), max: o.MaxPackets}
	s.d.raw = o.Raw
	var first error
	for _, p := range o.Paths {
		in := &input{name: p, place: len(s.ins), one: len(o.Paths) == 1, ahead: 1, zstds: &s.zstds}
		if p == "-" {
			in.stdin, o.Stdin = o.Stdin, nil // it can be read once
		}
		if err := in.open(); err != nil {
			var u *UnreadableError
			if twice := p == "-" && slices.Index(o.Paths, p) < len(s.ins)+len(s.unread); twice || !errors.As(err, &u) {
				s.Close()
				return nil, err
			}
			if first == nil {
				first = err
			}
			s.unread = append(s.unread, Damage{File: u.Name, Reason: "unreadable", Detail: u.Reason, N: 1})
			continue
		}
		s.ins = append(s.ins, in)
		if expr != nil {
			// The link type has to be known, which in pcapng stands in front
			// of the first frame.
			if in.advance(); in.known() {
				_, err = expr.program(in.frames[0].ifc.link)
			} else if p, ok := in.cur.(*pcapReader); ok {
				_, err = expr.program(p.ifc.link)
			} else {
				_, err = expr.program(linkEthernet)
			}
			if err != nil {
				s.Close()
				return nil, err
			}
		}
		// A zstd file holds a window of up to MaxZstdWindow while it is open.
		if len(o.Paths) > awake || len(o.Paths) > 1 && in.zip == "zstd" {
			if !in.known() {
				in.advance()
			}
			in.sleep()
		}
	}
	// With a limit, no frame beyond it may be looked at.
	if len(s.ins) == 1 || o.MaxPackets == 0 {
		for _, in := range s.ins {
			in.ahead = framesAhead
		}
	}
	if len(s.ins) == 0 {
		if expr != nil {
			// A mistake in the expression is one whatever the files are.
			if _, err := expr.program(linkEthernet); err != nil {
				return nil, err
			}
		}
		return nil, first
	}
	return s, nil
}

// fileSource reads one or more files.
type fileSource struct {
	d      *decoder
	ins    []*input
	unread []Damage // files that are no captures
	queue  []*input // those with frames left, a heap by (time, place in ins)
	merged bool     // queue is made
	zstds  int      // inputs that are open and hold zstd data
	max    uint64
	over   bool
	err    error
	stop   atomic.Bool
}

// Stopper is a Source that another goroutine can stop. All sources of this
// package are.
type Stopper interface {
	// Stop makes Next return io.EOF soon: for an interface once what was
	// captured before is read, for files at the next call. It may be called
	// from any goroutine.
	Stop()
}

func (s *fileSource) Stop() { s.stop.Store(true) }

func (s *fileSource) Next(b *Batch) error {
	b.Reset()
	b.Start, b.Clock = s.d.high, s.d.high
	if cap(b.Segments) < BatchSize {
		b.Segments = make([]Segment, 0, BatchSize)
	}
	if s.err != nil {
		return s.err
	}
	if s.over || s.stop.Load() {
		return io.EOF
	}
	before := s.d.frames
	limit := before + pause
	if s.max > 0 {
		limit = min(limit, s.max)
	}
	var err error
	if len(s.ins) > 1 {
		err = s.merge(b, limit)
	} else {
		err = s.single(b, limit)
	}
	s.over = err == io.EOF || s.max > 0 && s.d.frames >= s.max
	if s.d.frames == before {
		return io.EOF
	}
	return nil
}

// single reads the only file.
func (s *fileSource) single(b *Batch, limit uint64) (err error) {
	in, d := s.ins[0], s.d
	w := &in.cur.state().w
	w.hold = false
	for {
		if !in.known() {
			in.ahead = int(min(framesAhead, uint64(BatchSize-len(b.Segments)), limit-d.frames))
			if in.ahead == 0 || b.full() {
				return nil
			}
			if err := in.advance(); err != nil {
				return err
			}
		}
		d.decode(in.frames, b)
		in.at = len(in.frames)
		w.hold = true
	}
}

// merge takes frames from the file whose next one is the earliest.
func (s *fileSource) merge(b *Batch, limit uint64) error {
	if !s.merged {
		s.merged = true
		for _, in := range s.ins {
			if in.known() || in.asleep || in.advance() == nil {
				s.queue = append(s.queue, in)
			}
		}
		s.order()
	}
	start := s.d.frames
	for len(b.Segments) < BatchSize && s.d.frames < limit && !b.full() {
		if len(s.queue) == 0 {
			return io.EOF
		}
		in := s.queue[0]
		if in.asleep {
			in.wake()
			s.settle()
			continue
		}
		if !in.known() {
			// Its frames were taken in the last round and the next ones were
			// not looked at yet, because that invalidates the frames.
			in.cur.state().w.hold = s.d.frames > start
			if in.advance() == errYield {
				return errYield
			}
			s.settle()
			continue
		}
		run := in.frames[in.at:s.until(in, int(min(uint64(BatchSize-len(b.Segments)), limit-s.d.frames)))]
		s.d.decode(run, b)
		in.at += len(run)
		in.packets += uint64(len(run))
		if in.known() {
			in.time = in.frames[in.at].time
			s.settle()
		}
	}
	return nil
}

// until is where the frames of the earliest file end that come before those of
// all others, counted in in.frames: one at the least, and most at the most.
func (s *fileSource) until(in *input, most int) int {
	to := min(in.at+most, len(in.frames))
	next := in.at + 1
	if len(s.queue) == 1 {
		return to
	}
	o := s.queue[1]
	if len(s.queue) > 2 && s.queue[2].before(o) {
		o = s.queue[2]
	}
	last := o.time // the latest time that comes before o
	if o.place < in.place {
		last--
	}
	for next < to && in.frames[next].time <= last {
		next++
	}
	return next
}

// settle puts the first of the queue where it belongs now, or takes it out.
func (s *fileSource) settle() {
	if s.queue[0].ended {
		last := len(s.queue) - 1
		s.queue[0], s.queue[last] = s.queue[last], nil
		s.queue = s.queue[:last]
	}
	s.sink(0)
}

func (s *fileSource) order() {
	for i := len(s.queue) / 2; i >= 0; i-- {
		s.sink(i)
	}
}

// sink moves an element of the heap down.
func (s *fileSource) sink(i int) {
	for {
		c := 2*i + 1
		if c >= len(s.queue) {
			return
		}
		if c+1 < len(s.queue) && s.queue[c+1].before(s.queue[c]) {
			c++
		}
		if !s.queue[c].before(s.queue[i]) {
			return
		}
		s.queue[i], s.queue[c] = s.queue[c], s.queue[i]
		i = c
	}
}

func (in *input) before(o *input) bool {
	return in.time < o.time || in.time == o.time && in.place < o.place
}

func (s *fileSource) Stats() (st Stats) {
	s.StatsInto(&st)
	return st
}

func (s *fileSource) StatsInto(st *Stats) {
	st.reset()
	st.Damage = append(st.Damage, s.unread...)
	s.d.stats(st)
	for _, in := range s.ins {
		c := in.cur.state()
		// Link types are only ever added: what is told of here stays as it is.
		fs := FileStats{Name: in.name, Format: c.format, Compression: in.zip, LinkTypes: slices.Clip(c.links), Packets: in.packets}
		if len(s.ins) == 1 {
			fs.Packets = s.d.frames
		}
		if !c.endless {
			fs.SnapLen = c.snap
		}
		st.Files = append(st.Files, fs)
		st.Damage = append(st.Damage, c.damage...)
		if p, ok := in.cur.(*pcapngReader); ok {
			dropped, ifDrop := p.drops()
			st.Dropped = addSat(st.Dropped, dropped)
			st.IfDropped = addSat(st.IfDropped, ifDrop)
		}
		if !in.asleep {
			st.ReadBytes += in.raw.n.Load()
		}
		if in.size < 0 {
			st.TotalBytes = -1
		} else if st.TotalBytes >= 0 {
			st.TotalBytes += in.size
		}
	}
}

func (s *fileSource) Close() error {
	for _, in := range s.ins {
		in.close()
	}
	s.over = true
	return nil
}
