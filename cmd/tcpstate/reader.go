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
	back  []*capture.Batch // will be handed to empty
	done  chan struct{}    // closed by quit
	ended atomic.Bool      // set by stop
}

// filled is one batch with the statistics after it, which hold until the next
// one is received. With an error the batch may be empty, and nothing comes after
// it.
type filled struct {
	batch *capture.Batch
	stats capture.Stats
	err   error
}

// batchesAtOnce go back to the reader together, which then fills them in a row: to
// wake it for each would take longer, and it would find nothing in the cache.
const batchesAtOnce = 4

// batchesInFlight: those that wait to go back, one that is filled, and the others
// are followed.
const batchesInFlight = tracker.InFlight + batchesAtOnce

// account takes the statistics after each batch. They lie in turn in more
// places than there are batches on their way, so that who holds those of the
// batch received last still holds them when all others are filled.
type account struct {
	src   capture.Source
	turns [batchesInFlight + 1]capture.Stats
	last  int
	count uint
}

// Of many files the statistics take longer to tell than a batch to read. Only
// the progress bar asks about them in between, and a source that may wait,
// which then can be left as it is.
const (
	manyFiles  = 16
	everyBatch = 64 // of many files
)

// after returns the statistics after a batch, or after one shortly before.
func (a *account) after(err error) capture.Stats {
	st := &a.turns[a.last]
	a.count++
	if err == nil && len(st.Files) > manyFiles && st.TotalBytes >= 0 && a.count%everyBatch != 0 {
		return *st
	}
	a.last = (a.last + 1) % len(a.turns)
	a.src.StatsInto(&a.turns[a.last])
	return a.turns[a.last]
}

func startReader(src capture.Source) *reader {
	r := &reader{full: make(chan filled, batchesInFlight), empty: make(chan *capture.Batch, batchesInFlight), done: make(chan struct{})}
	for range batchesInFlight {
		r.empty <- new(capture.Batch)
	}
	go func() {
		defer src.Close() // by the goroutine that reads: a live handle wants it so
		acc := account{src: src}
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
			m.stats = acc.after(m.err)
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

// giveBack takes a batch that nobody needs any more. If more may be long in coming,
// it is not kept waiting for others.
func (r *reader) giveBack(b *capture.Batch, now bool) {
	r.back = append(r.back, b)
	if len(r.back) < batchesAtOnce && !now {
		return
	}
	for _, b := range r.back {
		r.empty <- b
	}
	r.back = r.back[:0]
}

// stop makes the source's next batch its last.
func (r *reader) stop() { r.ended.Store(true) }

// quit lets the goroutine end.
func (r *reader) quit() { close(r.done) }
