package main

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"tcpstate/capture"
	"tcpstate/report"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// analyse is the main job: read a capture, follow its connections, report.
func (c *cli) analyse(f *flags) error {
	intr := watchSignals()
	defer intr.stop()
	again, err := c.readsTwice(f, intr, f.draws())
	if err != nil {
		return err
	}
	defer again.close()
	src, err := c.openSource(f, intr, again)
	if err != nil {
		return err
	}
	outs, files, err := c.openOutputs(f)
	if err != nil {
		src.Close()
		return err
	}
	rec, err := c.newRecorder(f, false)
	if err != nil {
		src.Close()
		for _, o := range files {
			o.discard()
		}
		return err
	}
	opts := f.report
	opts.Outputs, opts.Zone, opts.MaxMemory = outs, time.Local, f.tracker.MaxMemory
	if f.narrows() {
		rec.chosen = new(chosen)
		opts.Chosen = rec.chosen.add
		opts.Judge = opts.Judge || f.narrow != ""
	}
	var drawing error
	var r *report.Report
	if again != nil {
		opts.Draw = func(lives []*tracker.Life) (drawn map[detect.Ref]*report.Ladder) {
			drawn, drawing = again.draw(lives, report.DrawOptions{Marks: r.Marks()})
			return drawn
		}
	}
	r = report.New(opts)
	defer sparing(f.tracker.MaxMemory, 0)()
	first := rec
	if f.narrows() {
		first = nil
	}
	end, err := c.follow(f, src, r, intr, first)
	if errors.Is(drawing, errInterrupted) {
		end.interrupted = true
	} else if drawing != nil && end.err == nil {
		end.err = drawing
	}
	failed := c.written(f, rec, r, intr, &end, err)
	for _, o := range files {
		if err != nil || failed != nil {
			o.discard()
		} else {
			err = o.commit()
		}
	}
	if failed != nil {
		return failed
	}
	if err == nil {
		c.sayStep(r)
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

// written brings -w to its end, however reading and reporting ended. Its error is that of
// writing, and a status.
func (c *cli) written(f *flags, rec *recorder, r *report.Report, intr *interrupts, end *ending, reported error) error {
	switch {
	case quiet(reported) != nil, f.narrows() && end.err != nil: // which is told of
		rec.discard()
		return nil
	case !f.narrows():
		return quiet(rec.close())
	}
	err := errInterrupted
	if !end.interrupted {
		rec.chosen.settle(r, f.narrow)
		err = c.writeChosen(f, rec, intr)
	}
	if err == nil {
		return quiet(rec.close())
	}
	rec.discard()
	var unread *capture.UnreadableError
	switch {
	case errors.Is(err, errInterrupted):
		c.complain("interrupted: %s is not written", f.write)
		end.interrupted = true
		return nil
	case errors.As(err, &unread):
		return statusError{exitDamaged, fmt.Errorf("reading again for -w: %w", err)}
	}
	return quiet(err)
}

// ending is how reading came to its end.
type ending struct {
	stats       capture.Stats
	interrupted bool
	err         error  // of the source, if it failed
	name        string // of the capture, where there may be several
}

// follow reads the source to its end, or until it is interrupted, and writes
// the report, and the packets if there is a recorder. Its error is that of the report.
func (c *cli) follow(f *flags, src capture.Source, r *report.Report, intr *interrupts, rec *recorder) (ending, error) {
	obs := r.Observer()
	if f.annotate && rec != nil {
		obs.Step = rec.step
	}
	t := tracker.NewParallel(f.lives(r), f.workers, obs)
	defer t.Close()
	bar := c.newProgress(f)
	rd := startReader(src)
	var (
		e     ending
		begun bool
		stop  <-chan time.Time
	)
	sig := intr.c
	for e.err == nil {
		select {
		case m := <-rd.full:
			e.stats, e.err = m.stats, m.err
			if !begun && m.stats.Packets > 0 {
				begun = true
				r.Begin(&e.stats)
			}
			rec.note(&m.stats)
			if len(m.batch.Segments) == 0 && m.batch.Now == 0 && len(m.batch.Frames) == 0 {
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
					rec.batch(done)
					rd.giveBack(done, f.waits())
					done = nil
				}
			}
			bar.show(&e.stats)
			if f.waits() {
				r.Flush()
			}
			// --fail-on asks about the whole of a file, whoever stops reading our output, and
			// so does -w.
			judges := f.report.Judge && !f.waits() || f.write != ""
			if err := rec.fault(); err != nil && (quiet(err) != nil || len(f.outputs) == 0 && !f.report.Judge) {
				rd.quit()
				return e, err
			}
			if err := r.Err(); err != nil && (!judges || quiet(err) != nil) {
				rd.quit()
				return e, err
			}
		case <-sig:
			// What the source has read already is still worth having: let it
			// come to an end by itself, but not for long.
			// Standard input ends by itself (endable).
			e.interrupted, sig = true, nil
			if !f.waits() {
				rd.stop()
			}
			stop = time.After(interruptGrace)
		case <-stop:
			e.err = io.EOF
		}
	}
	for b := t.Wait(); b != nil; b = t.Wait() {
		r.Batch(b)
		rec.batch(b)
	}
	bar.done()
	rd.quit()
	e.interrupted = e.interrupted || intr.cameFor(f)
	if e.err == io.EOF {
		e.err = nil
	}
	r.Ending(&e.stats, t.Totals(), t.Usage())
	t.Finish()
	return e, r.End(&e.stats, t.Totals(), t.Census())
}

// lives is how connections are followed, in what of --max-memory the report leaves them.
func (f *flags) lives(r *report.Report) tracker.Config {
	cfg := f.tracker
	cfg.MaxMemory -= r.Holding()
	return cfg
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

// openSource opens what is to be read, once or twice.
func (c *cli) openSource(f *flags, intr *interrupts, again *twice) (capture.Source, error) {
	o := c.inputOptions(f, intr, f.write != "" && !f.narrows())
	again.first(&o)
	src, err := openFiles(o, intr)
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

// inputOptions says what is to be read of files, and whether with the frames.
func (c *cli) inputOptions(f *flags, intr *interrupts, raw bool) capture.Options {
	return capture.Options{
		Paths: f.paths, Stdin: &endable{r: c.stdin, end: intr.ended}, Selection: f.selection,
		MaxPackets: f.count, VerifyChecksums: f.checksums, Raw: raw,
	}
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
