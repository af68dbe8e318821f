package main

import (
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// interrupts tells of SIGINT, SIGTERM and SIGHUP. The first ends the reading; soon after
// it the signals have their default effect again, so that a second ends the
// program. Not at once: timeout(1) and shells send one to the program and one to
// its process group.
type interrupts struct {
	c     chan struct{} // receives once
	ended chan struct{} // closed then
	sig   chan os.Signal
}

func watchSignals() *interrupts {
	i := &interrupts{c: make(chan struct{}, 1), ended: make(chan struct{}), sig: make(chan os.Signal, 1)}
	catch(i.sig)
	// A closed pipe is seen as an error of the write, so that files written
	// at the same time are tidied up.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	go func() {
		if _, ok := <-i.sig; ok {
			close(i.ended)
			i.c <- struct{}{}
			time.Sleep(sameSignal)
			signal.Stop(i.sig)
		}
	}()
	return i
}

// catch has the signals that end a program come to c.
func catch(c chan<- os.Signal) {
	signal.Notify(c, syscall.SIGINT, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // nohup(1) has it ignored
		signal.Notify(c, syscall.SIGHUP)
	}
}

// cameFor reports whether a signal came that ended a pipe by itself (endable): the end may
// be seen before c is.
func (i *interrupts) cameFor(f *flags) bool {
	select {
	case <-i.ended:
		return f.waits()
	default:
		return false
	}
}

// sameSignal is how long after a signal another is taken for the same.
const sameSignal = 300 * time.Millisecond

// watchInterim tells of SIGUSR1, which asks for a report in the midst of a live
// capture. stop ends that.
func watchInterim() (c <-chan os.Signal, stop func()) {
	usr1 := make(chan os.Signal, 1)
	signal.Notify(usr1, syscall.SIGUSR1)
	return usr1, func() { signal.Stop(usr1) }
}

// stop ends the watch, when all is written. A signal that comes between that and the exit
// must not make a run look as if it had been killed.
func (i *interrupts) stop() {
	if ownsProcess {
		catch(make(chan os.Signal, 1))
	}
	signal.Stop(i.sig)
	close(i.sig)
}

// endable is standard input that comes to an end when the program is
// interrupted: what was read so far is then reported, also where the other
// side of the pipe goes on or is silent.
type endable struct {
	r    io.Reader
	end  <-chan struct{}
	data chan chunk
	free chan []byte
	rest []byte // of the chunk at hand
	buf  []byte
	err  error
	late int // chunks taken after the end
}

type chunk struct {
	b   []byte
	err error
}

// endableChunk is how much is read at once, and endableChunks how often ahead.
const (
	endableChunk  = 256 << 10
	endableChunks = 2
)

func (e *endable) Read(p []byte) (int, error) {
	if e.data == nil {
		e.start()
	}
	for len(e.rest) == 0 {
		if e.err != nil {
			return 0, e.err
		}
		if e.buf != nil {
			e.free <- e.buf
			e.buf = nil
		}
		select {
		case c := <-e.data:
			e.take(c)
		case <-e.end:
			e.last()
		}
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

func (e *endable) take(c chunk) { e.buf, e.rest, e.err = c.b[:cap(c.b)], c.b, c.err }

// last takes what was read before the end came, and no more than that: the
// other side may go on for ever.
func (e *endable) last() {
	if e.late++; e.late <= endableChunks {
		select {
		case c := <-e.data:
			e.take(c)
			return
		default:
		}
	}
	e.err = io.EOF
}

func (e *endable) start() {
	e.data, e.free = make(chan chunk, endableChunks), make(chan []byte, endableChunks)
	for range endableChunks {
		e.free <- make([]byte, endableChunk)
	}
	// Who stops reading before the end, as one does in a damaged file, forgets e: what reads
	// ahead for it ends then.
	runtime.AddCleanup(e, func(free chan []byte) { close(free) }, e.free)
	go readChunks(e.r, e.data, e.free)
}

// readChunks reads ahead until r or free has come to its end. There is room in data for all
// that is in free.
func readChunks(r io.Reader, data chan<- chunk, free <-chan []byte) {
	for b := range free {
		n, err := r.Read(b)
		data <- chunk{b[:n], err}
		if err != nil {
			return
		}
	}
}
