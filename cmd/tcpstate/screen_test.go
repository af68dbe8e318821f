//go:build linux

package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pane is a shell in a terminal of tmux.
type pane struct {
	t            *testing.T
	tmux, socket string
}

func newPane(t *testing.T) *pane {
	t.Helper()
	tmux, err := exec.LookPath("tmux")
	if err != nil {
		lacking(t, "tmux is not installed (Debian package tmux)")
	}
	dir, err := os.MkdirTemp("", "pane") // t.TempDir's names are too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	p := &pane{t, tmux, filepath.Join(dir, "s")}
	t.Cleanup(func() {
		exec.Command(tmux, "-S", p.socket, "kill-server").Run()
		os.RemoveAll(dir)
	})
	p.must("-f", os.DevNull, "new-session", "-d", "-x", "120", "-y", "40", "env", "-u", "TMUX", "PS1=ready> ", "ENV=", "sh")
	p.until("a prompt", prompted)
	return p
}

// prompted reports whether the shell waits for a line.
func prompted(s string) bool { return strings.HasSuffix(strings.TrimSpace(s), "ready>") }

func (p *pane) must(args ...string) string {
	p.t.Helper()
	out, err := exec.Command(p.tmux, append([]string{"-S", p.socket}, args...)...).CombinedOutput()
	if err != nil {
		p.t.Fatalf("tmux %v: %v: %s", args, err, out)
	}
	return string(out)
}

func (p *pane) keys(keys ...string) {
	p.t.Helper()
	p.must(append([]string{"send-keys"}, keys...)...)
}

// text is typed.
func (p *pane) text(s string) {
	p.t.Helper()
	p.must("send-keys", "-l", s)
}

// until waits for a condition of what is seen.
func (p *pane) until(what string, ok func(screen string) bool) {
	p.t.Helper()
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		seen := p.must("capture-pane", "-p")
		if ok(seen) {
			return
		}
		if time.Now().After(end) {
			p.t.Fatalf("%s: not in 60 s:\n%s", what, seen)
		}
	}
}

// sees waits until all is seen at the same time.
func (p *pane) sees(want ...string) {
	p.t.Helper()
	p.until(fmt.Sprintf("%q", want), func(s string) bool {
		for _, w := range want {
			if !strings.Contains(s, w) {
				return false
			}
		}
		return true
	})
}

// row waits for a line with all of it.
func (p *pane) row(want ...string) {
	p.t.Helper()
	p.until(fmt.Sprintf("a line with %q", want), func(s string) bool {
	next:
		for line := range strings.Lines(s) {
			for _, w := range want {
				if !strings.Contains(line, w) {
					continue next
				}
			}
			return true
		}
		return false
	})
}

// loopback is a network of its own, with nothing but a loopback interface, and a
// goroutine in it.
type loopback struct {
	name string
	jobs chan func()
}

func newLoopback(t *testing.T) *loopback {
	t.Helper()
	if os.Getuid() != 0 {
		lacking(t, "making a network namespace needs root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		lacking(t, "ip is not installed (Debian package iproute2)")
	}
	n := &loopback{fmt.Sprintf("tcpstate-screen-%d", os.Getpid()), make(chan func())}
	if out, err := exec.Command("ip", "netns", "add", n.name).CombinedOutput(); err != nil {
		lacking(t, fmt.Sprintf("no network namespaces here: %s", out))
	}
	t.Cleanup(func() { exec.Command("ip", "netns", "delete", n.name).Run() })
	if out, err := exec.Command("ip", "-n", n.name, "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	entered := make(chan error)
	go func() {
		runtime.LockOSThread() // and never back: the thread ends with the goroutine
		entered <- n.enter()
		for f := range n.jobs {
			f()
		}
	}()
	if err := <-entered; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(n.jobs) })
	return n
}

func (n *loopback) enter() error {
	f, err := os.Open("/run/netns/" + n.name)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Setns(int(f.Fd()), unix.CLONE_NEWNET)
}

// do runs f there.
func (n *loopback) do(f func()) {
	done := make(chan bool)
	n.jobs <- func() {
		defer close(done)
		f()
	}
	<-done
}

// conversation is a connection on which both ends have said something.
func (n *loopback) conversation(t *testing.T) (client, server net.Conn) {
	t.Helper()
	n.do(func() {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Error(err)
			return
		}
		defer l.Close()
		if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
			t.Error(err)
			return
		}
		if server, err = l.Accept(); err != nil {
			t.Error(err)
		}
	})
	if server == nil {
		t.FailNow()
	}
	t.Cleanup(func() {
		client.Close()
		server.Close()
	})
	b := make([]byte, 5)
	for _, x := range [][2]net.Conn{{client, server}, {server, client}} {
		if _, err := x[0].Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		if _, err := x[1].Read(b); err != nil {
			t.Fatal(err)
		}
	}
	return client, server
}

// live starts the program on a loopback interface of its own, in a terminal.
func live(t *testing.T, args string) (*pane, *loopback) {
	t.Helper()
	needsCapture(t)
	n := newLoopback(t)
	p := newPane(t)
	program, err := exec.LookPath("tcpstate")
	if err != nil {
		t.Fatal(err)
	}
	p.text("ip netns exec " + n.name + " " + program + " -i lo " + args + "; echo status $?")
	p.keys("Enter")
	p.sees("q quit")
	return p, n
}

// needsCapture skips without libpcap.
func needsCapture(t *testing.T) {
	t.Helper()
	if out, err := exec.Command("tcpstate", "-D").CombinedOutput(); err != nil {
		if strings.Contains(string(out), "without libpcap") {
			t.Skip("built without libpcap")
		}
		lacking(t, "no live capture here: "+string(out))
	}
}

// child is the process that the shell waits for.
func (p *pane) child() (pid int) {
	p.t.Helper()
	shell := strings.TrimSpace(p.must("display-message", "-p", "#{pane_pid}"))
	children, err := os.ReadFile("/proc/" + shell + "/task/" + shell + "/children")
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := fmt.Sscan(string(children), &pid); err != nil {
		p.t.Fatal(err)
	}
	return pid
}

// alternate is whether the terminal shows its alternate screen, and the cursor.
func (p *pane) alternate() string {
	return strings.TrimSpace(p.must("display-message", "-p", "alternate #{alternate_on}, cursor #{cursor_flag}"))
}

// In a real terminal, with real connections: they are seen, sorted, filtered and drawn, and
// the report follows when the screen is left.
func TestScreenOfALiveCapture(t *testing.T) {
	p, n := live(t, "")
	if got := p.alternate(); got != "alternate 1, cursor 0" {
		t.Errorf("while it runs: %s", got)
	}
	client, _ := n.conversation(t)
	halfClient, halfServer := n.conversation(t)
	port := func(c net.Conn) string { return ":" + fmt.Sprint(c.LocalAddr().(*net.TCPAddr).Port) }
	p.row("127.0.0.1"+port(client), "ESTABLISHED", "127.0.0.1")
	halfServer.Close()
	p.row("127.0.0.1"+port(halfClient), "CLOSE-WAIT", "FIN-WAIT-2")
	p.sees("Connections  2 of 2", "tcpstate  lo", "open 2, opened 2")

	p.keys("s")
	p.sees("sort -start")
	p.row("›", port(halfClient))
	p.keys("S")
	p.row("›", port(client))
	p.keys("/")
	p.text(port(halfClient)[1:])
	p.sees("1 of 1")
	p.keys("Enter", "Enter")
	p.sees("connection 1 ", "── SYN 0 win ", "SYN,ACK 0 ack 1", "FIN,ACK 6 ack 6", "LISTEN?", "FIN-WAIT-2")
	halfClient.Close() // it is followed while it is open
	p.sees("TIME-WAIT", "── SYN 0 win ", "FIN,ACK 6 ack 6")
	p.keys("BSpace")
	p.sees("1 of 1")
	p.keys("Escape")
	p.sees("2 of 2")
	p.keys("p")
	p.sees("PAUSED")

	p.keys("q")
	p.sees("States at the end of the capture", "status 0")
	p.until("a prompt", prompted)
	if got := p.alternate(); got != "alternate 0, cursor 1" {
		t.Errorf("afterwards: %s", got)
	}
	p.row("ESTABLISHED", "2")
	p.row("TIME-WAIT", "1")
}

// Ctrl-C is a key while the screen is shown, and means what it means without one; so does
// a signal, or the end of --duration.
func TestScreenEnds(t *testing.T) {
	for _, c := range []struct {
		name, args string
		end        func(*pane, *loopback)
	}{
		{"Ctrl-C", "", func(p *pane, _ *loopback) {
			p.row("127.0.0.1", "ESTABLISHED")
			p.keys("C-c")
		}},
		{"SIGTERM", "", func(p *pane, _ *loopback) {
			p.row("127.0.0.1", "ESTABLISHED")
			unix.Kill(p.child(), unix.SIGTERM)
		}},
		{"SIGUSR1 and SIGINT", "--interval 100ms", func(p *pane, _ *loopback) { // nothing is written across the screen
			p.row("127.0.0.1", "ESTABLISHED")
			unix.Kill(p.child(), unix.SIGUSR1)
			p.keys("s")
			p.sees("sort -start")
			p.until("nothing but the screen", func(s string) bool {
				return strings.HasPrefix(s, "tcpstate  lo") && !strings.Contains(s, "States at")
			})
			unix.Kill(p.child(), unix.SIGINT)
		}},
		{"the interface goes down", "", func(p *pane, n *loopback) { // what is said waits
			if out, err := exec.Command("ip", "-n", n.name, "link", "set", "lo", "down").CombinedOutput(); err != nil {
				p.t.Fatalf("%v: %s", err, out)
			}
			p.sees("lo  is down", "q quit")
			p.keys("q")
			p.sees("the interface went down")
		}},
		{"duration", "--duration 2s", func(p *pane, _ *loopback) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, n := live(t, c.args)
			n.conversation(t)
			c.end(p, n)
			p.sees("States at the end of the capture", "status 0")
			p.until("a prompt", prompted)
			if got := p.alternate(); got != "alternate 0, cursor 1" {
				t.Errorf("afterwards: %s", got)
			}
		})
	}
}
