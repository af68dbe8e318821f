package main

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"time"
)

// lossy is an output that nobody has to wait for. What is written goes into a
// queue, from which a goroutine writes on. When the queue is full, whole lines
// are dropped and counted: a reader sees fewer lines, but none that is cut.
//
// A capture that waited for a slow terminal or a full pipe would lose packets
// in the kernel, which is worse, and would not know which.
type lossy struct {
	w     io.Writer
	limit int

	mu     sync.Mutex
	moved  sync.Cond // something came into the queue or out of it, or time is up
	blocks [][]byte  // the queue
	spare  []byte    // a block that was written
	size   int       // octets in the queue, and in the block that is written now
	part   []byte    // a line that has begun, not in the queue yet
	skip   bool      // the beginning of the line at hand was dropped
	lines  uint64    // dropped
	waits  bool      // since blocking
	until  time.Time
	closed bool
	err    error
}

// lossyBlock is how much is written at once.
const lossyBlock = 64 << 10

// errUnread is the error of an output that is not read for too long.
var errUnread = errors.New("the output is not read: the rest of it is dropped")

// newLossy writes to w, with a queue of limit octets.
func newLossy(w io.Writer, limit int) *lossy {
	l := &lossy{w: w, limit: limit}
	l.moved.L = &l.mu
	go l.run()
	return l
}

// Write never waits, until blocking is called. An error is that of an earlier
// write to the output itself.
func (l *lossy) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(p)
	for len(p) > 0 && l.err == nil {
		switch {
		case l.skip:
			i := bytes.IndexByte(p, '\n')
			l.skip = i < 0
			if l.skip {
				i = len(p) - 1
			}
			p = p[i+1:]
		case l.waits:
			p = p[l.wait(p):]
		default:
			p = p[l.take(p):]
		}
	}
	if l.err != nil {
		return n - len(p), l.err
	}
	return n, nil
}

// take queues the lines at the beginning of p, or drops one, and returns how
// many octets are dealt with. The queue and the line that has begun are
// together no more than the limit.
func (l *lossy) take(p []byte) int {
	room := l.limit - l.size - len(l.part)
	end := 1 + bytes.LastIndexByte(p, '\n')
	if len(p) <= room {
		if end > 0 {
			l.push(l.part)
			l.part = l.part[:0]
		}
		l.push(p[:end])
		l.part = append(l.part, p[end:]...)
		return len(p)
	}
	end = 1 + bytes.IndexByte(p, '\n')
	if end > 0 && end <= room {
		l.push(l.part)
		l.push(p[:end])
	} else {
		l.lines++
		l.skip = end == 0
	}
	l.part = l.part[:0]
	if end == 0 {
		return len(p)
	}
	return end
}

// wait queues what there is room for, and waits for some.
func (l *lossy) wait(p []byte) int {
	for l.size >= l.limit && l.err == nil {
		if !time.Now().Before(l.until) {
			l.err = errUnread
			return 0
		}
		l.moved.Wait()
	}
	if l.err != nil {
		return 0
	}
	n := min(len(p), l.limit-l.size)
	l.push(p[:n])
	return n
}

// push appends to the queue.
func (l *lossy) push(p []byte) {
	l.size += len(p)
	for len(p) > 0 {
		k := len(l.blocks) - 1
		if k < 0 || len(l.blocks[k]) == cap(l.blocks[k]) {
			b := l.spare
			if l.spare = nil; b == nil {
				b = make([]byte, 0, lossyBlock)
			}
			l.blocks = append(l.blocks, b[:0])
			k++
		}
		b := l.blocks[k]
		n := min(len(p), cap(b)-len(b))
		l.blocks[k] = append(b, p[:n]...)
		p = p[n:]
	}
	l.moved.Broadcast()
}

// run writes the queue on.
func (l *lossy) run() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		for len(l.blocks) == 0 && !l.closed {
			l.moved.Wait()
		}
		if len(l.blocks) == 0 {
			return
		}
		b := l.blocks[0]
		l.blocks = append(l.blocks[:0], l.blocks[1:]...)
		l.mu.Unlock()
		_, err := l.w.Write(b)
		l.mu.Lock()
		l.size -= len(b)
		l.spare = b
		if err != nil {
			l.err, l.blocks, l.size = err, nil, 0
		}
		l.moved.Broadcast()
		if err != nil {
			return
		}
	}
}

// lost is how many lines were dropped so far.
func (l *lossy) lost() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines
}

// blocking is for what must not be lost, the final report: from now on a write
// waits for room, but all together no longer than d. Then they fail, and what
// is queued is given up with the program.
func (l *lossy) blocking(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.push(l.part) // whole it will be
	}
	l.part = nil
	l.waits, l.until = true, time.Now().Add(d)
	time.AfterFunc(d, l.wake)
}

// drain waits until all lines are written, or until d is over: then the error
// is errUnread.
func (l *lossy) drain(d time.Duration) error {
	until := time.Now().Add(d)
	defer time.AfterFunc(d, l.wake).Stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.size > 0 && l.err == nil {
		if !time.Now().Before(until) {
			return errUnread
		}
		l.moved.Wait()
	}
	return l.err
}

// wake has those who wait look at the clock.
func (l *lossy) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.moved.Broadcast()
}

// close ends the goroutine once all is written. Nothing may be written after it.
func (l *lossy) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.moved.Broadcast()
}
