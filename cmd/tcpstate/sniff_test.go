package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tcpstate/capture"
	"tcpstate/report"
	"tcpstate/tracker"
)

// quietSource is an interface on which nothing comes. Once it is stopped it ends as soon
// as end is closed, or as late as a busy one may.
type quietSource struct {
	stopped atomic.Bool
	end     chan struct{}
}

func (q *quietSource) Next(b *capture.Batch) error {
	b.Reset()
	if !q.stopped.Load() {
		time.Sleep(time.Millisecond)
		return nil
	}
	select {
	case <-q.end:
		return io.EOF
	case <-time.After(liveGrace / 2):
		return io.ErrNoProgress
	}
}

func (q *quietSource) Stop()                       { q.stopped.Store(true) }
func (q *quietSource) Stats() (st capture.Stats)   { return st }
func (q *quietSource) StatsInto(st *capture.Stats) { *st = capture.Stats{} }
func (q *quietSource) Close() error                { return nil }

// newSniffer is one of src, without a screen and with no output but those given.
func newSniffer(t *testing.T, src capture.Source, outs ...report.Output) *sniffer {
	t.Helper()
	f, err := parseFlags([]string{"-i", "none"})
	if err != nil {
		t.Fatal(err)
	}
	s := &sniffer{cli: &cli{stderr: new(bytes.Buffer)}, f: f, src: src, keeper: keep(0),
		intr: &interrupts{c: make(chan struct{}, 1), ended: make(chan struct{})}}
	s.report = report.New(report.Options{Outputs: outs, Live: &report.LiveOptions{Interval: f.interval}})
	s.tracker = tracker.NewParallel(f.tracker, 1, s.report.Observer())
	t.Cleanup(s.tracker.Close)
	return s
}

// An interrupt takes the screen away before the capture has come to its end: another ends
// the program there and then, and would leave the terminal to the shell as it is.
func TestInterruptLeavesScreen(t *testing.T) {
	src := &quietSource{end: make(chan struct{})}
	s := newSniffer(t, src)
	s.screen = &shown{done: make(chan struct{}), cancel: func() { close(src.end) }}
	s.intr.c <- struct{}{}
	if e, err := s.follow(); err != nil || e.err != nil || !e.interrupted {
		t.Errorf("%v, %+v", err, e)
	}
}

// Where there is nothing but packets, on a disk that is full, the capture ends and says so.
func TestFullDiskEndsPackets(t *testing.T) {
	src := &quietSource{end: make(chan struct{})}
	s := newSniffer(t, src)
	s.stdout, s.f.write = fullDisk{}, "-"
	var err error
	if s.rec, err = s.newRecorder(s.f, true); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(time.Minute, func() { // it would go on for ever
		src.Stop()
		close(src.end)
	})
	var status statusError
	if err := s.run(); !errors.As(err, &status) || status.code != exitUsage || !strings.HasPrefix(err.Error(), "-w: cannot write standard output: no space left") {
		t.Errorf("%v", err)
	}
	if said := s.stderr.(*bytes.Buffer).String(); said != "" {
		t.Errorf("it also says %q", said)
	}
}
