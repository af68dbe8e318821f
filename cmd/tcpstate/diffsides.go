package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"tcpstate/capture"
	"tcpstate/report"
	"tcpstate/report/compare"
	"tcpstate/report/detect"
)

// diffSide is what became of one of two captures.
type diffSide struct {
	side   *compare.Side // nil if it could not be read at all
	stderr bytes.Buffer
	code   int    // exitOK, exitUsage, exitDamaged or exitInterrupted
	broken string // what of it could not be read
}

// diffSides analyses both, at the same time unless memory is bounded: each has the whole
// bound then, as if it were analysed alone.
func (c *cli) diffSides(f *flags, intr *interrupts) (sides [2]*diffSide) {
	defer sparing(f.tracker.MaxMemory, 0)()
	own := *f
	own.progress = whens[2]
	if f.tracker.MaxMemory > 0 {
		for i, p := range f.paths {
			sides[i] = c.diffSide(own, p, intr)
		}
		return sides
	}
	own.workers = max(1, f.workers/2)
	var done [2]chan *diffSide
	for i, p := range f.paths {
		done[i] = make(chan *diffSide, 1)
		go func() { done[i] <- c.diffSide(own, p, intr) }()
	}
	for i := range done {
		sides[i] = <-done[i]
	}
	return sides
}

// diffSide reads one of them. f is its own.
func (c *cli) diffSide(f flags, name string, intr *interrupts) *diffSide {
	x := &diffSide{}
	own := &cli{stdin: c.stdin, stdout: c.stdout, stderr: &x.stderr, env: c.env, words: c.words}
	err := x.read(own, &f, name, intr)
	if err == nil {
		return x
	}
	var s statusError
	if !errors.As(err, &s) {
		s = statusError{exitUsage, err}
	}
	if x.code = s.code; s.err != nil {
		own.complain("%s", s.err)
	}
	return x
}

func (x *diffSide) read(c *cli, f *flags, name string, intr *interrupts) error {
	in, err := c.lookInto(name, intr)
	if err != nil {
		return err
	}
	defer in.close()
	if in.report {
		r := &endable{r: in.r, end: intr.ended}
		if x.side, err = compare.Read(bufio.NewReaderSize(r, 1<<20)); err != nil {
			select {
			case <-intr.ended:
				return statusError{code: exitInterrupted}
			default:
			}
			return statusError{exitDamaged, fmt.Errorf("%s: %w", report.Printable(name), err)}
		}
		x.side.Name = name
		return nil
	}
	f.paths = in.paths
	if in.r != nil {
		f.paths, c.stdin = []string{"-"}, in.r
	}
	err = x.analyse(c, f, name, intr)
	var unread *capture.UnreadableError
	if errors.As(err, &unread) && unread.Name == "-" {
		unread.Name = name
	}
	return err
}

// analyse reads a capture to its end.
func (x *diffSide) analyse(c *cli, f *flags, name string, intr *interrupts) error {
	intr, leave := intr.share()
	defer leave()
	src, err := c.openSource(f, intr, nil)
	if err != nil {
		return err
	}
	format := compare.Format(func(s *compare.Side) { x.side = s })
	opts := f.report
	opts.Outputs, opts.Zone = []report.Output{{Format: format, Parts: format.Parts, W: io.Discard}}, time.Local
	opts.Detect.Min = detect.Note // what is hidden is compared, too
	if opts.Where != nil {
		opts.Where = opts.Where.Clone()
	}
	end, err := c.follow(f, src, report.New(opts), intr, nil)
	if err = quiet(err); err != nil {
		return err
	}
	select {
	case <-intr.ended: // the input may have come to its end before follow was told
		end.interrupted = true
	default:
	}
	if x.side != nil {
		x.side.Name, x.side.Interrupted = name, end.interrupted
	}
	x.note(f, &end, name)
	warnings := end.stats
	hush := *f
	hush.quiet = true // what c.verdict warns of is told here, with the name
	err = c.verdict(&hush, end)
	if !f.quiet {
		for _, l := range f.remarks(&warnings) {
			c.complain("%s: %s", report.Printable(name), l)
		}
	}
	return err
}

// note keeps what could not be read. Where a pipe was read in place of standard input, it
// gets its name.
func (x *diffSide) note(f *flags, e *ending, name string) {
	var l []string
	for i := range e.stats.Damage {
		d := &e.stats.Damage[i]
		if d.File == "-" {
			d.File = name
		}
		if !d.Cut || !f.truncated && !e.interrupted {
			l = append(l, damageText(d))
		}
	}
	if e.interrupted {
		l = append(l, "interrupted")
	}
	if e.err != nil {
		l = append(l, e.err.Error())
	}
	x.broken = strings.Join(l, "; ")
}

// looked is what one of the two words stands for.
type looked struct {
	report bool
	paths  []string  // of a capture; a directory stands for all captures in it
	r      io.Reader // in place of paths: what can be read once
	file   *os.File
}

func (l *looked) close() {
	if l.file != nil {
		l.file.Close()
	}
}

// lookInto finds out by its first octets whether an input is a report in JSON or a capture.
// What can be read only once, a pipe, is handed on whole.
func (c *cli) lookInto(name string, intr *interrupts) (*looked, error) {
	fi, err := os.Stat(name)
	switch {
	case name == "-":
		return c.peek(func() (io.Reader, *os.File, error) { return c.stdin, nil, nil }, intr)
	case err == nil && fi.IsDir():
		paths, err := capturesIn(name)
		if err == nil && len(paths) == 0 {
			err = fmt.Errorf("%s: no capture in this directory", report.Printable(name))
		}
		if err != nil {
			return nil, statusError{exitDamaged, err}
		}
		return &looked{paths: paths}, nil
	}
	l, err := c.peek(func() (io.Reader, *os.File, error) {
		f, err := os.Open(name)
		return f, f, err
	}, intr)
	if err == nil && !l.report && fi != nil && fi.Mode().IsRegular() {
		l.close()
		return &looked{paths: []string{name}}, nil
	}
	return l, err
}

// peek opens an input and reads its first octets, and gives up on an interrupt: a named pipe
// may have no writer.
func (c *cli) peek(open func() (io.Reader, *os.File, error), intr *interrupts) (*looked, error) {
	type result struct {
		*looked
		err error
	}
	done := make(chan result, 1)
	go func() {
		r, file, err := open()
		if err != nil {
			var x *fs.PathError
			if errors.As(err, &x) {
				err = fmt.Errorf("%s: %w", report.Printable(x.Path), x.Err)
			}
			done <- result{err: statusError{exitDamaged, err}}
			return
		}
		head := make([]byte, 0, 512)
		for len(head) < cap(head) && len(bytes.TrimSpace(head)) == 0 && err == nil {
			var n int
			n, err = r.Read(head[len(head):cap(head)])
			head = head[:len(head)+n]
		}
		l := &looked{report: bytes.HasPrefix(bytes.TrimSpace(head), []byte("{")), file: file, r: io.MultiReader(bytes.NewReader(head), r)}
		done <- result{looked: l}
	}()
	select {
	case x := <-done:
		return x.looked, x.err
	case <-intr.ended:
	}
	select {
	case x := <-done: // what has come is compared
		return x.looked, x.err
	case <-time.After(interruptGrace):
		return nil, statusError{code: exitInterrupted}
	}
}
