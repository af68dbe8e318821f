package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"tcpstate/capture"
	"tcpstate/report"
	"tcpstate/tracker"
)

// at is "tcpstate at TIME": the states of all connections at one instant. It reads no
// further than it has to.
func (c *cli) at(f *flags) error {
	intr := watchSignals()
	defer intr.stop()
	src, err := c.openSource(f, intr, nil)
	if err != nil {
		return err
	}
	outs, err := c.openAt(f)
	if err != nil {
		src.Close()
		return err
	}
	r := report.NewInstant(report.InstantOptions{Selection: f.report.Selection, Sort: f.report.Sort, Moment: f.seeing.moment})
	defer sparing(f.tracker.MaxMemory, 0)()
	a := &instantReader{r: r}
	end := a.read(c, f, src, intr)
	if err := r.Err(); err != nil {
		dropAt(outs)
		return quiet(err)
	}
	v := r.End(&end.stats, a.last, a.reached, end.interrupted)
	if err := c.writeAt(f, outs, v); err != nil {
		return err
	}
	if f.seeing.style != report.InstantLooks[0] && !f.quiet {
		for _, n := range v.Notes(c.instantStyle(f)) { // there is no place for them in the list
			c.complain("%s", n)
		}
	}
	if a.reached {
		// Of what lies beyond nobody asked what it holds.
		hush := *f
		hush.quiet = true
		f = &hush
	}
	return c.verdict(f, end)
}

// instantReader reads a capture up to an instant.
type instantReader struct {
	r       *report.Instant
	t       *tracker.Parallel
	at      int64
	last    int64            // the time of the latest frame
	back    int64            // by how much time has gone back at the most, ns
	high    int64            // the latest time of a segment
	damage  []capture.Damage // before the batch that reached the instant
	begun   bool
	reached bool // something came that is later than the instant
	stopped bool // and the rest was not read
}

// overrun is how far beyond the instant one reads for segments that are dated back; where
// time has gone back before, twice as far as that.
//
// Machines that capture on several queues put frames into the file out of order by
// microseconds. A clock that was set back shows beforehand or not at all: if it is set back
// for the first time beyond that, the instant is the first of its name.
const overrun = int64(100 * time.Millisecond)

// read reads as far as it takes.
func (a *instantReader) read(c *cli, f *flags, src capture.Source, intr *interrupts) (e ending) {
	a.t = tracker.NewParallel(f.tracker, f.workers, a.r.Observer())
	defer a.t.Close()
	bar := c.newProgress(f)
	rd := startReader(src)
	var stop <-chan time.Time
	a.high = math.MinInt64
	sig := intr.c
	for e.err == nil && !a.stopped {
		select {
		case m := <-rd.full:
			if !a.reached {
				a.damage = append(a.damage[:0], e.stats.Damage...)
			}
			e.stats, e.err = m.stats, m.err
			if !a.begun && m.stats.Packets > 0 {
				a.begun = true
				a.r.Begin(&e.stats)
				a.at = a.r.At()
			}
			a.last = e.stats.Last
			a.batch(f, rd, m.batch)
			bar.show(&e.stats)
			if a.r.Err() != nil {
				e.err = io.EOF
			}
		case <-sig:
			e.interrupted, sig = true, nil
			if !f.waits() {
				rd.stop()
			}
			stop = time.After(interruptGrace)
		case <-stop:
			e.err = io.EOF
		}
	}
	for b := a.t.Wait(); b != nil; b = a.t.Wait() {
	}
	bar.done()
	rd.quit()
	e.interrupted = e.interrupted || intr.cameFor(f)
	if !a.reached {
		a.r.Look(a.t)
	}
	a.r.Late(a.t)
	if errors.Is(e.err, io.EOF) || a.stopped {
		e.err = nil
	}
	if a.stopped {
		e.interrupted = false // it has all that was asked for
	}
	if a.reached {
		e.stats.Damage = beforehand(&e.stats, a.damage)
	}
	return e
}

// beforehand is the damage that lies before the instant, where reading stopped at it:
// what was known before the batch that reached it, and of that batch all but what ends the
// only file there is.
func beforehand(st *capture.Stats, before []capture.Damage) []capture.Damage {
	if len(st.Files) == 1 && len(st.Damage) == len(before)+1 && st.Damage[len(before)].Cut {
		return before
	}
	return st.Damage
}

// batch takes one, in two parts if the instant lies between them.
func (a *instantReader) batch(f *flags, rd *reader, b *capture.Batch) {
	if len(b.Segments) == 0 && b.Now == 0 {
		rd.giveBack(b, f.waits())
		return
	}
	if !a.reached {
		n := a.within(b.Segments, a.at)
		if n == len(b.Segments) && b.Now <= a.at {
			if done := a.t.Process(b); done != nil {
				rd.giveBack(done, f.waits())
			}
			return
		}
		a.reached = true
		part := *b
		part.Segments, part.Now = b.Segments[:n], a.at
		a.process(rd, f, &part)
		a.r.Look(a.t)
		b.Segments = b.Segments[n:]
	}
	n := a.within(b.Segments, a.at+a.slack())
	a.stopped = n < len(b.Segments) || b.Now > a.at+a.slack()
	b.Segments = b.Segments[:n]
	a.process(rd, f, b)
	rd.giveBack(b, true)
}

// slack is how far beyond the instant one reads.
func (a *instantReader) slack() int64 { return max(overrun, 2*a.back) }

// within is how many of the segments come before the first that is later than t.
func (a *instantReader) within(l []capture.Segment, t int64) int {
	for i := range l {
		switch s := &l[i]; {
		case s.Time > t:
			return i
		case s.Time < a.high:
			a.back = max(a.back, a.high-s.Time)
		default:
			a.high = s.Time
		}
	}
	return len(l)
}

// process has a batch followed, and waits until all of it was told.
func (a *instantReader) process(rd *reader, f *flags, b *capture.Batch) {
	done := a.t.Process(b)
	if done == nil {
		done = a.t.Wait()
	}
	for ; done != nil; done = a.t.Wait() {
		if done != b {
			rd.giveBack(done, f.waits())
		}
	}
}

// instantStyle is how the list looks, but for its colour.
func (c *cli) instantStyle(f *flags) *report.InstantStyle {
	s := &report.InstantStyle{Style: f.report.Style, Look: f.seeing.style, GroupBy: f.seeing.grouping, Clocks: f.seeing.clocks}
	s.Zone = time.Local
	return s
}

// atOutput is one -o of at with the place that it goes to.
type atOutput struct {
	format string
	name   string // of the file, "" for standard output
	w      io.Writer
	file   *outputFile
}

// openAt opens all outputs.
func (c *cli) openAt(f *flags) (l []atOutput, err error) {
	for _, o := range f.seeing.outputs {
		o.w = c.stdout
		if o.name != "" {
			if o.file, err = createOutput(o.name); err != nil {
				dropAt(l)
				return nil, statusError{exitUsage, fmt.Errorf("cannot write: %w", err)}
			}
			o.w = o.file
		}
		l = append(l, o)
	}
	return l, nil
}

func dropAt(l []atOutput) {
	for _, o := range l {
		if o.file != nil {
			o.file.discard()
		}
	}
}

// writeAt writes all outputs.
func (c *cli) writeAt(f *flags, outs []atOutput, v *report.InstantView) error {
	for i, o := range outs {
		s := c.instantStyle(f)
		s.Color = o.file == nil && c.wantColor(f) || f.color == "always"
		err := v.Write(bufio.NewWriterSize(o.w, 1<<16), o.format, s)
		if o.file == nil {
			err = quiet(err)
		} else if err == nil {
			err = o.file.commit()
		}
		if err != nil {
			dropAt(outs[i:])
			return statusError{exitUsage, fmt.Errorf("cannot write: %w", err)}
		}
	}
	return nil
}
