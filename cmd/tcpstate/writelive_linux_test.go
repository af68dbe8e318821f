package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"tcpstate/capture"
)

// A live capture in a network of its own: what is written is what was captured, with
// comments, by who goes on without rights; files of a ring are made by the same; a full
// disk is told of once, and the capture goes on; and who closes the pipe ends it.
func TestLiveWrites(t *testing.T) {
	if _, err := capture.Interfaces(); errors.Is(err, capture.ErrNoLibpcap) {
		t.Skip("built without libpcap")
	}
	if !alone(t, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}) {
		return
	}
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	dir := own(t, 0o777)
	exe := program(t, "tcpstate")

	all, report := filepath.Join(dir, "all.pcapng"), filepath.Join(dir, "report.json")
	l := startLive(t, exe, nil, "-w", all, "--annotate", "-o", "json="+report)
	talkOnLoopback(t, 10_000)
	l.waitFor(t, func() bool { // the comment of its last packet
		b, err := os.ReadFile(all)
		return err == nil && bytes.Contains(b, []byte("client TIME-WAIT (confirmed: ack-fin-time-wait), server CLOSED?"))
	})
	l.interrupt(t, exitOK)
	var told struct{ Summary struct{ Packets int } }
	if b, err := os.ReadFile(report); err != nil || json.Unmarshal(b, &told) != nil {
		t.Errorf("the report is %s, %v", b, err)
	}
	if n := len(frames(t, all)); n != told.Summary.Packets || n < 7 {
		t.Errorf("%d packets are written of %d", n, told.Summary.Packets)
	}
	var st syscall.Stat_t
	if err := syscall.Stat(all, &st); err != nil || st.Uid != 1 {
		t.Errorf("the file is of %d, %v", st.Uid, err)
	}

	ring := filepath.Join(dir, "ring")
	l = startLive(t, exe, nil, "-w", ring, "-C", "1", "-W", "2", "-o", "json="+report)
	talkOnLoopback(t, 2_500_000)
	l.waitFor(t, func() bool { // the third file is the first again
		a, errA := os.Stat(ring + "0")
		b, errB := os.Stat(ring + "1")
		return errA == nil && errB == nil && !a.ModTime().Before(b.ModTime()) && b.Size() > 900_000
	})
	l.interrupt(t, exitOK)
	files, err := filepath.Glob(ring + "*")
	if err != nil || !slices.Equal(files, []string{ring + "0", ring + "1"}) {
		t.Errorf("the ring is %v, %v", files, err)
	}
	for _, f := range files {
		if fi, err := os.Stat(f); err != nil || fi.Size() > 1_000_000 || len(frames(t, f)) == 0 {
			t.Errorf("%s: %v, or it is too large, or empty", f, err)
		}
	}

	l = startLive(t, exe, nil, "-w", "/dev/full", "-o", "json="+report)
	talkOnLoopback(t, 1000)
	l.next(t, "-w: cannot write /dev/full: no space left on device; the capture goes on without")
	l.interrupt(t, exitUsage)

	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	l = startLive(t, exe, w, "-w", "-")
	w.Close()
	talkOnLoopback(t, 1000)
	if _, err := io.ReadFull(r, make([]byte, 200)); err != nil {
		t.Error(err)
	}
	r.Close()
	l.waitFor(t, func() bool { // each packet is a chance to see it
		talkOnLoopback(t, 1000)
		return l.over()
	})
	l.ended(t, exitOK)
}

// liveRun is a live capture of the loopback interface by the program as it is built.
type liveRun struct {
	*exec.Cmd
	stderr *bufio.Scanner
	done   chan struct{}
}

// startLive starts it, and returns when it captures.
func startLive(t *testing.T, exe string, stdout *os.File, args ...string) *liveRun {
	t.Helper()
	l := &liveRun{Cmd: exec.Command(exe, append([]string{"-v", "-i", "lo", "-s", "0", "-Z", "daemon", "--no-screen"}, args...)...), done: make(chan struct{})}
	if stdout != nil {
		l.Stdout = stdout
	}
	// Not StderrPipe: Wait is called while it is read.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	l.Stderr, l.stderr = w, bufio.NewScanner(r)
	if err := l.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	time.AfterFunc(time.Minute, func() { l.Process.Kill() })
	go func() {
		l.Wait()
		close(l.done)
	}()
	l.next(t, "runs as daemon")
	return l
}

// next waits for a line on standard error that begins so.
func (l *liveRun) next(t *testing.T, begin string) {
	t.Helper()
	for l.stderr.Scan() {
		if strings.HasPrefix(l.stderr.Text(), "tcpstate: "+begin) {
			return
		}
	}
	t.Fatalf("nothing that begins with %q", begin)
}

func (l *liveRun) over() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// waitFor waits until it is so.
func (l *liveRun) waitFor(t *testing.T, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(50 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not come")
		}
	}
}

func (l *liveRun) interrupt(t *testing.T, exit int) {
	t.Helper()
	l.Process.Signal(os.Interrupt)
	l.ended(t, exit)
}

// ended wants it to end with a status, and with nothing more to say.
func (l *liveRun) ended(t *testing.T, exit int) {
	t.Helper()
	<-l.done
	for l.stderr.Scan() {
		t.Errorf("it says %s", l.stderr.Text())
	}
	if got := l.ProcessState.ExitCode(); got != exit {
		t.Errorf("exit status %d", got)
	}
}

// talkOnLoopback is one connection that carries so many octets.
func talkOnLoopback(t *testing.T, octets int) {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	got := make(chan int64)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			got <- 0
			return
		}
		n, _ := io.Copy(io.Discard, c)
		c.Close()
		got <- n
	}()
	c, err := net.Dial("tcp4", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(make([]byte, octets)); err != nil {
		t.Error(err)
	}
	c.(*net.TCPConn).CloseWrite()
	if n := <-got; n != int64(octets) {
		t.Errorf("%d octets came", n)
	}
	io.Copy(io.Discard, c)
	c.Close()
}
