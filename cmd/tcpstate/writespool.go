package main

import (
	"sync/atomic"
	"time"

	"tcpstate/capture"
)

// spool writes blocks from a goroutine of its own, so that a slow disk does not keep
// the capture waiting.
type spool struct {
	files   packetFiles
	section capture.Section
	waits   bool // take waits for the disk
	// patience is how long a live capture waits at its end for a disk that takes nothing.
	patience time.Duration

	full chan *blocks
	free chan *blocks
	made int // of blocks
	keep bool
	done chan struct{}

	// Of the source, and of what was dropped here; base is what they were when the
	// file was begun.
	dropped, ifDropped, lost atomic.Uint64
	base                     [2]uint64
	written                  atomic.Uint64 // of blocks
	err                      atomic.Pointer[error]
	buf                      []byte
}

// blocks are written at once.
type blocks struct {
	b      []byte
	frames int
}

// liveBlocks bounds what waits for the disk to 32 MiB; fileBlocks is enough to read
// while it is written.
const (
	liveBlocks = 32 << 20 / blocksSize
	fileBlocks = 8
)

func (s *spool) start() {
	most := liveBlocks
	if s.waits {
		most = fileBlocks
	}
	s.full, s.free, s.done = make(chan *blocks, most), make(chan *blocks, most), make(chan struct{})
	go s.run()
}

// take returns empty blocks to be filled. If all are on their way to the disk, it waits or
// returns nil. It also returns nil where nothing can be written any more.
func (s *spool) take() *blocks {
	if s.fault() != nil {
		return nil
	}
	select {
	case c := <-s.free:
		return c
	default:
	}
	switch {
	case s.made < cap(s.free):
		s.made++
		return &blocks{b: make([]byte, 0, blocksSize)}
	case s.waits:
		return <-s.free
	}
	return nil
}

// idle reports whether all that was handed over is written.
func (s *spool) idle() bool { return len(s.free) == s.made-1 }

func (s *spool) fault() error {
	if p := s.err.Load(); p != nil {
		return *p
	}
	return nil
}

func (s *spool) fail(err error) {
	if err != nil && s.fault() == nil {
		err = writeError(s.files.path(), err)
		s.err.CompareAndSwap(nil, &err)
	}
}

// end writes what is left if it is to be kept, and waits for it. A live capture does not
// wait for a disk that takes nothing at all.
func (s *spool) end(keep bool) error {
	s.keep = keep
	close(s.full)
	var slow <-chan time.Time
	for before := ^uint64(0); ; {
		if !s.waits {
			slow = time.After(s.patience)
		}
		select {
		case <-s.done:
			return s.fault()
		case <-slow:
			now := s.written.Load()
			if now == before {
				return writeError(s.files.name, errStalled)
			}
			before = now
		}
	}
}

func (s *spool) run() {
	defer close(s.done)
	s.fail(s.begin())
	for c := range s.full {
		if s.fault() == nil {
			s.fail(s.write(c.b))
		}
		if s.fault() != nil {
			s.lost.Add(uint64(c.frames))
		}
		c.b, c.frames = c.b[:0], 0
		if cap(c.b) > 2*blocksSize { // it held one large frame
			c.b = make([]byte, 0, blocksSize)
		}
		s.written.Add(1)
		s.free <- c
	}
	if s.keep && s.fault() == nil {
		s.fail(s.finish())
		return
	}
	s.files.discard()
}

// write writes blocks, to as many files as they need.
func (s *spool) write(b []byte) error {
	for {
		n := s.section.Take(b, s.files.room())
		if err := s.files.write(b[:n]); err != nil {
			return err
		}
		if b = b[n:]; len(b) == 0 {
			return nil
		}
		if err := s.finish(); err != nil {
			return err
		}
		if err := s.files.next(); err != nil {
			return err
		}
		if err := s.begin(); err != nil {
			return err
		}
	}
}

func (s *spool) begin() error {
	s.buf = s.section.Head(s.buf[:0])
	return s.files.write(s.buf)
}

// finish ends a file. What was lost here counts as lost to who reads it.
func (s *spool) finish() error {
	now := [2]uint64{s.dropped.Load() + s.lost.Load(), s.ifDropped.Load()}
	s.buf = s.section.Tail(s.buf[:0], now[0]-s.base[0], now[1]-s.base[1])
	s.base = now
	if err := s.files.write(s.buf); err != nil {
		return err
	}
	return s.files.commit()
}
