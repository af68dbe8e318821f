//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/gopacket/layers"
	"golang.org/x/sys/unix"
)

// unread starts a live capture in the server whose standard output nobody reads yet.
func (h *hosts) unread(t *testing.T, args ...string) (p *running, r *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	p = h.server.start(t, func(c *exec.Cmd) { c.Stdout = w }, "tcpstate", append([]string{"-i", "eth0"}, args...)...)
	w.Close()
	h.server.captures(t, 1)
	return p, r
}

// A second interrupt ends a report that nobody reads.
func TestLiveInterruptedTwice(t *testing.T) {
	needNetns(t)
	t.Parallel()
	h := newHosts(t)
	p, _ := h.unread(t, "-o", "ndjson", "--show", "connections,transitions")
	for range 400 { // more than a pipe holds
		h.attempt(t)
	}
	p.signal(t, syscall.SIGINT)
	h.server.captures(t, 0)
	select {
	case <-p.over:
		t.Fatalf("it did not wait for its reader: %s", p.err.String())
	case <-time.After(2 * sameSignal): // before that it is taken for the same
	}
	p.signal(t, syscall.SIGINT)
	<-p.over
	if s := p.ProcessState.Sys().(syscall.WaitStatus); !s.Signaled() || s.Signal() != syscall.SIGINT {
		t.Errorf("it ended by %v: %s", p.ProcessState, p.err.String())
	}
}

// Who does not read its output costs no packet: whole lines are dropped, and counted.
func TestLiveUnread(t *testing.T) {
	needNetns(t)
	t.Parallel()
	h := newHosts(t)
	p, r := h.unread(t, "-o", "ndjson", "--show", "summary,transitions")
	h.attempt(t)                   // and the hosts know each other
	const n = 2 * lossyQueue / 480 // one attempt is two transitions, each of 240 octets and more
	h.flood(t, n)
	p.signal(t, syscall.SIGINT)
	h.server.captures(t, 0)
	var transitions int
	var last string
	for in := bufio.NewScanner(r); in.Scan(); {
		last = in.Text()
		if !strings.HasPrefix(last, `{"type":"`) || !strings.HasSuffix(last, "}") {
			t.Fatalf("a line is cut: %s", last)
		}
		if strings.HasPrefix(last, `{"type":"transition"`) {
			transitions++
		}
	}
	if code := p.ended(t); code != exitOK {
		t.Errorf("exit status %d", code)
	}
	if want := fmt.Sprintf(`"segments":%d,`, 2*(n+1)); !strings.HasPrefix(last, `{"type":"summary"`) || !strings.Contains(last, want) {
		t.Errorf("the last line has no %s: %s", want, last)
	}
	var dropped int
	if _, err := fmt.Sscanf(p.err.String(), "tcpstate: %d lines of output were dropped", &dropped); err != nil || dropped == 0 {
		t.Errorf("%v: %s", err, p.err.String())
	}
	if got := transitions + dropped; got != 2*(n+1) {
		t.Errorf("%d transitions and %d lines dropped make %d, not %d", transitions, dropped, got, 2*(n+1))
	}
}

// flood sends n SYNs to where nobody listens, each from another port.
func (h *hosts) flood(t *testing.T, n int) {
	t.Helper()
	src, dst := addrPort(hostA+":1"), addrPort(hostB+":7")
	if err := h.client.do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		for i := range n {
			b := packet(src.Addr(), dst.Addr(), uint16(i), &layers.TCP{SrcPort: layers.TCPPort(30000 + i), DstPort: 7, Seq: uint32(i), SYN: true, Window: 1024}, nil)
			if err := unix.Sendto(fd, b, 0, &unix.SockaddrInet4{Addr: dst.Addr().As4()}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// Once all is open nothing is left of root, and the capture goes on.
func TestLivePowerless(t *testing.T) {
	needNetns(t)
	t.Parallel()
	who, err := user.Lookup("nobody")
	if err != nil {
		lacking(t, err.Error())
	}
	h := newHosts(t)
	file := filepath.Join(t.TempDir(), "file")
	p := h.server.start(t, nil, "tcpstate", "-i", "eth0", "-Z", "nobody", "-v", "-o", "ndjson", "-o", "json="+file, "--show", "summary,transitions")
	h.heard(t, p)
	const none = "0000000000000000"
	want := map[string]string{"NoNewPrivs": "1", "CapEff": none, "CapPrm": none, "CapInh": none, "CapAmb": none,
		"Uid": strings.TrimSpace(strings.Repeat(who.Uid+" ", 4)), "Gid": strings.TrimSpace(strings.Repeat(who.Gid+" ", 4))}
	threads := p.threads(t)
	if len(threads) == 0 {
		t.Error("no threads")
	}
	for _, m := range threads {
		for k, v := range want {
			if m[k] != v {
				t.Errorf("%s of a thread is %s", k, m[k])
			}
		}
	}
	for _, words := range []string{"nobody", "no capabilities", "no new privileges"} {
		p.says(t, words)
	}
	h.heard(t, p)
	p.signal(t, syscall.SIGUSR1)
	eventually(t, func() (bool, string) {
		return strings.Contains(p.out.String(), `"event":"interim"`), "no interim report"
	})
	p.signal(t, syscall.SIGINT)
	if code := p.ended(t); code != exitOK {
		t.Errorf("exit status %d: %s", code, p.err.String())
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := readReport(t, b).int("summary", "segments"); n < 4 {
		t.Errorf("%d segments", n)
	}
}

// threads are the lines of /proc/PID/status of each thread, by name.
func (p *running) threads(t *testing.T) (all []map[string]string) {
	t.Helper()
	dir := "/proc/" + strconv.Itoa(p.Process.Pid) + "/task"
	tasks, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range tasks {
		b, err := os.ReadFile(filepath.Join(dir, x.Name(), "status"))
		if errors.Is(err, syscall.ESRCH) || os.IsNotExist(err) {
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		m := map[string]string{}
		for line := range strings.Lines(string(b)) {
			k, v, _ := strings.Cut(line, ":")
			m[k] = strings.Join(strings.Fields(v), " ")
		}
		all = append(all, m)
	}
	return all
}
