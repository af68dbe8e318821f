//go:build linux

package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// running is a process in a namespace whose standard output and error are heard
// while it runs.
type running struct {
	*exec.Cmd
	out, err heard
	over     chan struct{} // closed when it has ended
}

// heard gathers what is written. Any goroutine may look at it.
type heard struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.Write(p)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.String()
}

// from is what was written after the first n octets, to the end of the last line.
func (h *heard) from(n int) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.b.Bytes()[n:]
	return bytes.Clone(b[:bytes.LastIndexByte(b, '\n')+1])
}

// start runs a program in the namespace. change, unless nil, may change how.
func (n *netns) start(t *testing.T, change func(*exec.Cmd), name string, args ...string) *running {
	t.Helper()
	p := &running{Cmd: exec.Command(name, args...), over: make(chan struct{})}
	p.Stdout, p.Stderr = &p.out, &p.err
	if change != nil {
		change(p.Cmd)
	}
	if err := n.do(p.Cmd.Start); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.Cmd.Wait()
		close(p.over)
	}()
	t.Cleanup(func() {
		p.Process.Kill()
		<-p.over
	})
	return p
}

// signal sends a signal to the program.
func (p *running) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// ended waits until the program has ended, and returns its exit status: -1 of one
// that a signal ended.
func (p *running) ended(t *testing.T) int {
	t.Helper()
	select {
	case <-p.over:
		return p.ProcessState.ExitCode()
	case <-time.After(patience):
		p.Process.Signal(syscall.SIGQUIT) // where it hangs
		select {
		case <-p.over:
		case <-time.After(time.Second):
		}
		t.Fatalf("%s does not end: %s", p.Args, p.err.String())
		return 0
	}
}

// says waits until standard error has a text.
func (p *running) says(t *testing.T, text string) {
	t.Helper()
	eventually(t, func() (bool, string) {
		got := p.err.String()
		return strings.Contains(got, text), "standard error has no " + text + ": " + got
	})
}

// captures waits until n sockets in the namespace capture. What comes
// after that may still be missed by one that is about to set its filter.
func (n *netns) captures(t *testing.T, want int) {
	t.Helper()
	eventually(t, func() (bool, string) {
		var b []byte
		if err := n.do(func() (err error) {
			b, err = os.ReadFile("/proc/thread-self/net/packet")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		running := 0
		for line := range strings.Lines(string(b)) {
			// sk RefCnt Type Proto Iface R Rmem User Inode
			if f := strings.Fields(line); len(f) == 9 && f[5] == "1" {
				running++
			}
		}
		return running == want, "captures that run:\n" + string(b)
	})
}

// asked fails unless something went wrong as it had to.
func asked(t *testing.T, err error, want syscall.Errno) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%v, not %v", err, want)
	}
}
