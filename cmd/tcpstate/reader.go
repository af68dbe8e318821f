package main

import (
	"io"
	"sync/atomic"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// reader calls a source from its own goroutine, so that decoding goes on
// while connections are followed, and so that a signal is heeded while the
// source waits for input.
type reader struct {
	full  chan filled
	empty chan *capture.Batch
	done  chan struct{} // closed by quit
	ended atomic.Bool   // set by stop
}

// filled is one batch with the statistics after it. With an error the batch
// may be empty, and nothing comes after it.
type filled struct {
	batch *capture.Batch
	stats capture.Stats
	err   error
}

// batchesInFlight: one is filled, one waits, the others are followed.
const batchesInFlight = tracker.InFlight + 2

func startReader(src capture.Source) *reader {
	r := &reader{full: make(chan filled, batchesInFlight), empty: make(chan *capture.Batch, batchesInFlight), done: make(chan struct{})}
	for range batchesInFlight {
		r.empty <- new(capture.Batch)
	}
	go func() {
		defer src.Close() // by the goroutine that reads: a live handle wants it so
		for {
			var b *capture.Batch
			select {
			case <-r.done:
				return
			case b = <-r.empty:
			}
			m := filled{batch: b, err: io.EOF}
			if r.ended.Load() {
				b.Reset()
			} else {
				m.err = src.Next(b)
			}
			m.stats = src.Stats()
			select {
			case <-r.done:
				return
			case r.full <- m:
			}
			if m.err != nil {
				return
			}
		}
	}()
	return r
}

// stop makes the source's next batch its last.
func (r *reader) stop() { r.ended.Store(true) }

// quit lets the goroutine end.
func (r *reader) quit() { close(r.done) }
