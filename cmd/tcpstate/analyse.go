package main

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"tcpstate/capture"
	"tcpstate/report"
	"tcpstate/tracker"
)

// analyse is the main job: read a capture, follow its connections, report.
func (c *cli) analyse(f *flags) error {
	intr := watchSignals()
	defer intr.stop()
	src, err := c.openSource(f, intr)
	if err != nil {
		return err
	}
	outs, files, err := c.openOutputs(f)
	if err != nil {
		src.Close()
		return err
	}
	opts := f.report
	opts.Outputs, opts.Zone = outs, time.Local
	r := report.New(opts)
	defer sparing(f.tracker.MaxMemory)()
	end, err := c.follow(f, src, r, intr)
	for _, o := range files {
		if err != nil {
			o.discard()
		} else {
			err = o.commit()
		}
	}
	if err == nil {
		err = c.verdict(f, end)
	} else if err = quiet(err); err != nil {
		return err
	}
	// Who closed our output has seen enough, but not what the findings come to.
	if failed := c.fail(f, r); err == nil {
		err = failed
	}
	return err
}

// ending is how reading came to its end.
type ending struct {
	stats       capture.Stats
	interrupted bool
	err         error // of the source, if it failed
}

// follow reads the source to its end, or until it is interrupted, and writes
// the report. Its error is that of the report.
func (c *cli) follow(f *flags, src capture.Source, r *report.Report, intr *interrupts) (ending, error) {
	t := tracker.NewParallel(f.tracker, f.workers, r.Observer())
	defer t.Close()
	bar := c.newProgress(f)
	rd := startReader(src)
	var (
		e     ending
		begun bool
		stop  <-chan time.Time
		live  = f.iface != ""
	)
	if f.duration > 0 {
		stop = time.After(f.duration)
	}
	sig := intr.c
	for e.err == nil {
		select {
		case m := <-rd.full:
			e.stats, e.err = m.stats, m.err
			if !begun && m.stats.Packets > 0 {
				begun = true
				r.Begin(&e.stats)
			}
			if len(m.batch.Segments) == 0 && m.batch.Now == 0 {
				rd.giveBack(m.batch, f.waits())
			} else {
				done := t.Process(m.batch)
				for {
					if done == nil && f.waits() {
						done = t.Wait() // more may be long in coming
					}
					if done == nil {
						break
					}
					r.Batch(done)
					rd.giveBack(done, f.waits())
					done = nil
				}
			}
			bar.show(&e.stats)
			if f.waits() {
				r.Flush()
			}
			// --fail-on asks about the whole of a file, whoever stops reading our output.
			judges := f.report.Judge && !f.waits()
			if err := r.Err(); err != nil && (!judges || quiet(err) != nil) {
				rd.quit()
				return e, err
			}
		case <-sig:
			// What the source has read already is still worth having: let it
			// come to an end by itself, but not for long.
			// Standard input ends by itself (endable).
			e.interrupted, sig = true, nil
			if live || !f.waits() {
				rd.stop()
			}
			stop = time.After(interruptGrace)
		case <-stop:
			if live && !e.interrupted {
				rd.stop()
				stop = time.After(interruptGrace)
				live = false
				continue
			}
			e.err = io.EOF
		}
	}
	for b := t.Wait(); b != nil; b = t.Wait() {
		r.Batch(b)
	}
	bar.done()
	rd.quit()
	if e.err == io.EOF {
		e.err = nil
	}
	r.Ending(&e.stats, t.Totals(), t.Usage())
	t.Finish()
	return e, r.End(&e.stats, t.Totals(), t.Census())
}

// waits reports whether the input may come slowly, so that what is known
// should be written at once.
func (f *flags) waits() bool {
	if f.iface != "" {
		return true
	}
	for _, p := range f.paths {
		if p == "-" {
			return true
		}
	}
	return false
}

// interruptGrace is how long a source may take to end after an interrupt.
const interruptGrace = time.Second

// openSource opens what is to be read.
func (c *cli) openSource(f *flags, intr *interrupts) (capture.Source, error) {
	if f.iface != "" {
		return c.openLive(f)
	}
	src, err := openFiles(capture.Options{
		Paths: f.paths, Stdin: &endable{r: c.stdin, end: intr.ended}, Selection: f.selection,
		MaxPackets: f.count, VerifyChecksums: f.checksums,
	}, intr)
	if err == nil {
		return src, nil
	}
	var filter *capture.FilterError
	if errors.As(err, &filter) || errors.Is(err, capture.ErrNoLibpcap) {
		return nil, usageError(err)
	}
	select {
	case <-intr.ended: // while the first octets were waited for
		return nil, statusError{code: exitInterrupted}
	default:
	}
	return nil, statusError{exitDamaged, err}
}

// openFiles is capture.Open, and gives up on an interrupt: opening may take for
// ever where a named pipe has no writer, and long where libpcap compiles an
// expression of hundreds of terms.
func openFiles(o capture.Options, intr *interrupts) (capture.Source, error) {
	type opened struct {
		src capture.Source
		err error
	}
	done := make(chan opened, 1)
	go func() {
		src, err := capture.Open(o)
		done <- opened{src, err}
	}()
	select {
	case r := <-done:
		return r.src, r.err
	case <-intr.ended:
	}
	select {
	case r := <-done: // standard input ended, and may have brought something
		return r.src, r.err
	case <-time.After(interruptGrace):
		return nil, errInterrupted
	}
}

var errInterrupted = errors.New("interrupted")

// quiet drops the error of a reader that closed our standard output: it has
// seen enough.
func quiet(err error) error {
	switch {
	case err == nil, errors.Is(err, syscall.EPIPE), errors.Is(err, io.ErrClosedPipe):
		return nil
	}
	var x *report.ExprError
	if errors.As(err, &x) { // it compiled, and failed on a record
		return statusError{exitUsage, fmt.Errorf("--where: %w", err)}
	}
	return statusError{exitUsage, err}
}
