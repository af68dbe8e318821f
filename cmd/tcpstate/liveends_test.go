//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hosts are two namespaces that reach each other through eth0 of each.
type hosts struct {
	client, server *netns
	attempts       int
}

const hostA, hostB = "10.9.3.1", "10.9.3.2"

func newHosts(t *testing.T) *hosts {
	h := &hosts{client: newNetns(t, "client"), server: newNetns(t, "server")}
	veth(t, h.client, "eth0", h.server, "eth0")
	h.client.ip(t, "addr add "+hostA+"/24 dev eth0")
	h.server.ip(t, "addr add "+hostB+"/24 dev eth0")
	return h
}

// attempt tries to connect where nobody listens, once, and returns the client's end.
// It gives up soon, for the way there may be down.
func (h *hosts) attempt(t *testing.T) socket {
	t.Helper()
	h.attempts++
	s := socket{fmt.Sprintf("%s:%d", hostA, 20000+h.attempts), hostB + ":7"}
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	_, err := h.client.dial(ctx, s.local, s.remote)
	if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, context.DeadlineExceeded) && !os.IsTimeout(err) && !errors.Is(err, syscall.EHOSTUNREACH) {
		t.Fatal(err)
	}
	return s
}

// heard tries to connect until p tells of it.
func (h *hosts) heard(t *testing.T, p *running) {
	t.Helper()
	eventually(t, func() (bool, string) {
		s := h.attempt(t)
		for range 20 {
			if strings.Contains(p.out.String(), s.local) {
				return true, ""
			}
			time.Sleep(20 * time.Millisecond)
		}
		return false, "nothing is heard: " + p.err.String()
	})
}

// An interface that is removed ends the capture, which says so, reports, and fails.
func TestLiveInterfaceRemoved(t *testing.T) {
	needNetns(t)
	t.Parallel()
	h := newHosts(t)
	p := h.server.start(t, nil, "tcpstate", "-i", "eth0", "-o", "ndjson", "--show", "summary,transitions")
	h.heard(t, p)
	h.server.ip(t, "link del eth0")
	if code := p.ended(t); code != exitDamaged {
		t.Errorf("exit status %d", code)
	}
	if got := p.err.String(); got != "tcpstate: eth0: the interface vanished\n" {
		t.Errorf("standard error: %s", got)
	}
	if last := p.lastLine(); !strings.HasPrefix(last, `{"type":"summary"`) {
		t.Errorf("the last line is %s", last)
	}
}

// lastLine of what it wrote.
func (p *running) lastLine() string {
	s := strings.TrimSuffix(p.out.String(), "\n")
	return s[strings.LastIndexByte(s, '\n')+1:]
}

// An interface that goes down is waited for.
func TestLiveInterfaceDown(t *testing.T) {
	needNetns(t)
	t.Parallel()
	h := newHosts(t)
	p := h.server.start(t, nil, "tcpstate", "-i", "eth0", "-o", "ndjson", "--show", "summary,transitions")
	h.heard(t, p)
	for range 2 {
		h.server.ip(t, "link set eth0 down")
		p.says(t, "eth0: the interface went down; the capture waits for it\n")
		h.server.ip(t, "link set eth0 up")
		p.says(t, "eth0: the interface is up again after ")
		h.heard(t, p)
	}
	p.signal(t, syscall.SIGINT)
	if code := p.ended(t); code != exitOK {
		t.Errorf("exit status %d: %s", code, p.err.String())
	}
	if last := p.lastLine(); !strings.HasPrefix(last, `{"type":"summary"`) {
		t.Errorf("the last line is %s", last)
	}
}

// On an idle interface TIME-WAIT ends all the same.
func TestLiveIdle(t *testing.T) {
	needNetns(t)
	t.Parallel()
	n := newNetns(t, "host")
	p := n.start(t, nil, "tcpstate", "-i", "lo", "-o", "ndjson", "--show", "transitions", "--time-wait", "1s")
	l := n.listen(t, "127.0.0.1:8001")
	n.captures(t, 1)
	eventually(t, func() (bool, string) {
		c, err := n.dial(soon(t), "", "127.0.0.1:8001")
		if err != nil {
			t.Fatal(err)
		}
		s, err := l.AcceptTCP()
		if err != nil {
			t.Fatal(err)
		}
		peers{c, s}.close(t, c, s)
		time.Sleep(500 * time.Millisecond) // or it was not yet heard
		return strings.Contains(p.out.String(), `"to":"TIME-WAIT"`), "no TIME-WAIT: " + p.out.String()
	})
	eventually(t, func() (bool, string) {
		return strings.Contains(p.out.String(), `"from":"TIME-WAIT","to":"CLOSED","certainty":"elapsed"`), "TIME-WAIT does not end: " + p.out.String()
	})
}

// Who closes our standard output has seen enough, but other outputs go on.
func TestLiveClosedStdout(t *testing.T) {
	needNetns(t)
	t.Parallel()
	for _, alone := range []bool{true, false} {
		h := newHosts(t)
		file, args := filepath.Join(t.TempDir(), "file"), []string{"-o", "ndjson", "--show", "summary,transitions"}
		if !alone {
			args = append(args, "-o", "json="+file)
		}
		p, r := h.unread(t, args...)
		one := make(chan error, 1)
		go func() {
			_, err := bufio.NewReader(r).ReadString('\n')
			one <- errors.Join(err, r.Close())
		}()
		eventually(t, func() (bool, string) {
			h.attempt(t)
			select {
			case err := <-one:
				return err == nil, fmt.Sprint(err)
			default:
				return false, "it says nothing"
			}
		})
		// It learns of that when it writes.
		for i := 0; !alone && i < 20; i++ {
			h.attempt(t)
			time.Sleep(50 * time.Millisecond)
		}
		eventually(t, func() (bool, string) {
			h.attempt(t)
			select {
			case <-p.over:
				return true, ""
			default:
				if !alone {
					p.signal(t, syscall.SIGINT)
				}
				return !alone, "it goes on"
			}
		})
		if code := p.ended(t); code != exitOK || p.err.String() != "" {
			t.Errorf("exit status %d, standard error: %s", code, p.err.String())
		}
		if alone {
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if n := readReport(t, b).int("summary", "segments"); n < 40 || n > 2*h.attempts {
			t.Errorf("%d segments of %d attempts in the file, of which 20 came when nobody listened", n, h.attempts)
		}
	}
}

// A report in the midst of it, and the end while somebody else still reads.
func TestLiveReports(t *testing.T) {
	needNetns(t)
	t.Parallel()
	h := newHosts(t)
	p := h.server.start(t, nil, "tcpstate", "-i", "eth0", "--interval", "300ms", "--show", "summary,connections")
	h.server.captures(t, 1)
	eventually(t, func() (bool, string) {
		h.attempt(t)
		p.signal(t, syscall.SIGUSR1)
		time.Sleep(100 * time.Millisecond)
		return strings.Contains(p.out.String(), "interim report"), "no interim report: " + p.out.String() + p.err.String()
	})
	had := len(p.out.String())
	eventually(t, func() (bool, string) {
		return strings.Count(p.out.String()[had:], " open, ") >= 3, "no reports at intervals: " + p.out.String()
	})
	p.signal(t, syscall.SIGTERM)
	if code := p.ended(t); code != exitOK || p.err.String() != "" {
		t.Errorf("exit status %d, standard error: %s", code, p.err.String())
	}
	if last := p.out.String()[strings.LastIndex(p.out.String(), "interim report"):]; strings.Count(last, "\neth0: ") != 1 {
		t.Errorf("after the last interim report comes not one more: %s", last)
	}
}
