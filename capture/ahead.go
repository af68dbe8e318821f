package capture

import "io"

// Room of ahead. Two buffers: one is filled while the other is read.
const (
	aheadBuffers = 2
	aheadSize    = 256 << 10
)

// ahead reads from a goroutine of its own, so that decompression, which takes
// longer than all else that is done with a frame, has a processor for itself.
type ahead struct {
	full  chan piece
	empty chan []byte
	quit  chan struct{}
	now   piece
	rest  []byte // of now, not yet read
}

// piece is what was read at once, and how reading ended behind it.
type piece struct {
	b   []byte
	err error
}

// readAhead starts reading. If whole is set, a buffer is filled before it is
// handed over: nobody waits for what r has so far.
func readAhead(r io.Reader, whole bool) *ahead {
	a := &ahead{full: make(chan piece, aheadBuffers), empty: make(chan []byte, aheadBuffers), quit: make(chan struct{})}
	for range aheadBuffers {
		a.empty <- make([]byte, aheadSize)
	}
	go a.run(r, whole)
	return a
}

func (a *ahead) run(r io.Reader, whole bool) {
	for {
		var b []byte
		select {
		case <-a.quit:
			return
		case b = <-a.empty:
		}
		n, err := r.Read(b)
		for whole && n < len(b) && err == nil {
			var m int
			m, err = r.Read(b[n:])
			n += m
		}
		a.full <- piece{b[:n], err} // has room for all buffers
		if err != nil {
			return
		}
	}
}

func (a *ahead) Read(b []byte) (int, error) {
	if len(a.rest) == 0 {
		if a.now.err != nil {
			return 0, a.now.err
		}
		if a.now.b != nil {
			a.empty <- a.now.b[:cap(a.now.b)]
		}
		a.now = <-a.full
		a.rest = a.now.b
	}
	n := copy(b, a.rest)
	a.rest = a.rest[n:]
	if len(a.rest) == 0 && a.now.err != nil {
		return n, a.now.err
	}
	return n, nil
}

// stop ends the goroutine, but not before a read that has begun: of a pipe it
// may last. Read must not be called again.
func (a *ahead) stop() { close(a.quit) }
