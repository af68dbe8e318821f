package capture

import (
	"errors"
	"io"
)

// readSize is how much one read asks for. Smaller reads cost system calls,
// larger ones leave the processor's cache, which all its threads share; a file
// mapped into memory costs more in page faults and dies when the file is cut
// underneath.
const readSize = 512 << 10

// firstRead is the size of the first buffer: small files need no more, and
// many files may be open.
const firstRead = 64 << 10

// errYield says that going on could block, and that something is there to be
// handed out first. It never leaves this package.
var errYield = errors.New("would block")

// window is a moving view of a stream. What it holds grows with the octets
// that arrived, never with a length that a file merely claims.
type window struct {
	r    io.Reader
	buf  []byte
	pos  int   // next octet to hand out
	end  int   // end of what was read
	base int64 // place of buf[0] in the stream
	err  error // what ended the stream; io.EOF at its end
	// wary: reads may block (a pipe). They are then put off with errYield
	// while the caller has something to deliver.
	wary bool
	hold bool // the caller has something to deliver
}

// need makes n octets available at pos and reports whether they are there.
// If they are not, why says what ended the stream.
func (w *window) need(n int) bool {
	if w.end-w.pos >= n {
		return true
	}
	return w.fill(n)
}

func (w *window) fill(n int) bool {
	if w.buf == nil {
		w.buf = make([]byte, firstRead)
	} else if len(w.buf) < readSize && w.end == len(w.buf) { // there is more than a little
		w.buf = append(make([]byte, 0, readSize), w.buf...)[:readSize]
	}
	for idle := 0; w.end-w.pos < n; {
		if w.err != nil || w.wary && w.hold {
			return false
		}
		if w.pos > 0 && (w.pos == w.end || w.end == len(w.buf) || len(w.buf)-w.pos < n) {
			w.base += int64(w.pos)
			w.end = copy(w.buf, w.buf[w.pos:w.end])
			w.pos = 0
		}
		if w.end == len(w.buf) {
			w.buf = append(w.buf, make([]byte, len(w.buf))...)
		}
		m, err := w.r.Read(w.buf[w.end:])
		w.end += max(m, 0)
		w.err = err
		if m > 0 {
			idle = 0
		} else if idle++; idle > 100 && err == nil {
			w.err = io.ErrNoProgress
		}
	}
	return true
}

// why is the reason for which need failed: errYield, io.EOF or a read error.
func (w *window) why() error {
	if w.err == nil {
		return errYield
	}
	return w.err
}

// skip passes over n octets without holding them, and reports whether they
// were there.
func (w *window) skip(n int64) bool {
	for n > 0 {
		if w.pos == w.end && !w.need(1) {
			return false
		}
		m := min(n, int64(w.end-w.pos))
		w.pos += int(m)
		n -= m
	}
	return true
}

// left is what remains unread in the view.
func (w *window) left() int { return w.end - w.pos }

// offset is the place of pos in the stream.
func (w *window) offset() int64 { return w.base + int64(w.pos) }
