package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	"tcpstate/report/screen"
)

// wantScreen decides about the screen: on a terminal that can show one, unless it is not
// wanted or something else is written there.
func (c *cli) wantScreen(f *flags) bool {
	in, ok := c.stdin.(*os.File)
	return !f.noScreen && !f.streams() && ok && term.IsTerminal(int(in.Fd())) && isTerminal(c.stdout) && c.env("TERM") != "dumb"
}

// shown is the screen while it is shown. A nil one is not there.
type shown struct {
	done    chan struct{} // closed when it is left
	err     error         // why, after that
	cancel  func()
	curtain *curtain
}

// curtain keeps from standard output what would be written across the screen: reports at
// intervals, and those that SIGUSR1 asks for.
type curtain struct {
	w    io.Writer
	down atomic.Bool
}

func (c *curtain) Write(b []byte) (int, error) {
	if c.down.Load() {
		return len(b), nil
	}
	return c.w.Write(b)
}

// show starts the screen.
func (s *sniffer) show() *shown {
	if !s.wantScreen(s.f) {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	x := &shown{done: make(chan struct{}), cancel: cancel, curtain: &s.curtain}
	x.curtain.down.Store(true)
	s.feed.every = showEvery
	o := screen.Options{In: s.stdin.(*os.File), Out: s.stdout.(*os.File), Clock: s.f.report.Clock, Zone: time.Local, NoColor: !s.wantColor(s.f)}
	go func() {
		defer close(x.done)
		x.err = screen.Run(ctx, &s.feed, o)
	}()
	return x
}

// left tells when the user leaves it; never where there is none.
func (x *shown) left() <-chan struct{} {
	if x == nil {
		return nil
	}
	return x.done
}

// close takes the screen away, and waits until the terminal is as it was.
func (x *shown) close() error {
	if x == nil {
		return nil
	}
	x.cancel()
	<-x.done
	x.curtain.down.Store(false)
	var mistake *screen.Panic
	switch {
	case errors.Is(x.err, context.Canceled):
		return nil
	case errors.As(x.err, &mistake):
		return fmt.Errorf("%w\n%s", x.err, mistake.Stack)
	}
	return x.err
}
