package screen

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// pipeEnd is the far end of a pipe that a screen is shown on.
type pipeEnd struct {
	mu    sync.Mutex
	text  strings.Builder
	typed *os.File
}

// Write takes what was drawn.
func (p *pipeEnd) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

// wait waits until something was drawn.
func (p *pipeEnd) wait(text string) {
	for there := false; !there; time.Sleep(time.Millisecond) {
		p.mu.Lock()
		there = strings.Contains(p.text.String(), text)
		p.mu.Unlock()
	}
}

// run shows the scene on a pipe, calls keys once it is seen, and returns what was written
// there and how it ended.
func run(t *testing.T, ctx context.Context, feed Feed, noColor bool, keys func(*pipeEnd)) (string, error) {
	t.Helper()
	in, typed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	seen, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &pipeEnd{typed: typed}
	done := make(chan bool)
	go func() {
		io.Copy(p, seen)
		seen.Close()
		close(done)
	}()
	go func() {
		p.wait("10.0.0.1:40022")
		keys(p)
	}()
	err = Run(ctx, feed, Options{In: in, Out: out, NoColor: noColor, Refresh: 10 * time.Millisecond})
	typed.Close()
	out.Close()
	<-done
	return p.text.String(), err
}

const altOn, altOff, cursorOn = "\x1b[?1049h", "\x1b[?1049l", "\x1b[?25h"

// leaves checks that the last thing written leaves the terminal as it was.
func leaves(t *testing.T, out string) {
	t.Helper()
	if !strings.Contains(out, altOn) || strings.LastIndex(out, altOff) < strings.LastIndex(out, altOn) || !strings.Contains(out[strings.LastIndex(out, altOff):], cursorOn) {
		t.Errorf("the terminal stays as it is: %q", out[max(len(out)-200, 0):])
	}
}

func TestRunEnds(t *testing.T) {
	t.Run("by a key", func(t *testing.T) {
		s := newStage(t, 3)
		out, err := run(t, t.Context(), s, true, func(p *pipeEnd) { p.typed.WriteString("q") })
		if err != nil {
			t.Error(err)
		}
		leaves(t, out)
		if m := sgr.FindString(out); m != "" {
			t.Errorf("%q without colour", m)
		}
	})
	t.Run("with its context", func(t *testing.T) {
		s := newStage(t, 3)
		ctx, cancel := context.WithCancel(t.Context())
		out, err := run(t, ctx, s, false, func(*pipeEnd) { cancel() })
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		leaves(t, out)
	})
	t.Run("with the terminal", func(t *testing.T) {
		s := newStage(t, 3)
		out, err := run(t, t.Context(), s, false, func(p *pipeEnd) { p.typed.Close() })
		if err != errGone {
			t.Error(err)
		}
		leaves(t, out)
	})
	t.Run("by a mistake", func(t *testing.T) {
		s := newStage(t, 3)
		out, err := run(t, t.Context(), &broken{s, "update"}, false, func(p *pipeEnd) { p.typed.WriteString("/boom") })
		var p *Panic
		if !errors.As(err, &p) || !strings.Contains(string(p.Stack), "Snapshot") {
			t.Errorf("%v", err)
		}
		leaves(t, out)
	})
}
