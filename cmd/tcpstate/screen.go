package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
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
	done     chan struct{} // closed when it is left
	err      error         // why, after that
	cancel   func()
	curtains []*curtain
}

// curtain keeps from a terminal what would be written across the screen.
type curtain struct {
	w    io.Writer
	keep int // how many octets wait behind it; what is more is lost
	mu   sync.Mutex
	down bool
	kept []byte
}

// asideMost is how much of what is said on standard error waits for the screen's end.
const asideMost = 1 << 16

func (c *curtain) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		c.kept = append(c.kept, b[:min(len(b), c.keep-len(c.kept))]...)
		return len(b), nil
	}
	return c.w.Write(b)
}

func (c *curtain) lower() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = true
}

// lift shows what waited.
func (c *curtain) lift() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = false
	if len(c.kept) > 0 {
		c.w.Write(c.kept)
		c.kept = nil
	}
}

// show starts the screen.
func (s *sniffer) show() *shown {
	if !s.wantScreen(s.f) {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	// Reports at intervals, and those that SIGUSR1 asks for, have no place; what is
	// said on standard error waits.
	said := &curtain{w: s.stderr, keep: asideMost}
	s.stderr = said
	x := &shown{done: make(chan struct{}), cancel: cancel, curtains: []*curtain{&s.curtain, said}}
	for _, c := range x.curtains {
		c.lower()
	}
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

// leave begins to take the screen away.
func (x *shown) leave() {
	if x != nil {
		x.cancel()
	}
}

// close takes the screen away, and waits until the terminal is as it was.
func (x *shown) close() error {
	if x == nil {
		return nil
	}
	x.cancel()
	<-x.done
	for _, c := range x.curtains {
		c.lift()
	}
	var mistake *screen.Panic
	switch {
	case errors.Is(x.err, context.Canceled):
		return nil
	case errors.As(x.err, &mistake):
		return fmt.Errorf("%w\n%s", x.err, mistake.Stack)
	}
	return x.err
}
