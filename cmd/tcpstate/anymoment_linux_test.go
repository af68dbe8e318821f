package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A signal at any moment of a run over a slow pipe or a large file ends in a report or in
// nothing, with one line at the most, and leaves no file that is not complete.
func TestSignalAtAnyMoment(t *testing.T) {
	exe := program(t, "tcpstate")
	small, err := os.ReadFile(leak)
	if err != nil {
		t.Fatal(err)
	}
	big := filepath.Join(t.TempDir(), "big.pcap")
	if err := os.WriteFile(big, manySYNs(60_000), 0o600); err != nil {
		t.Fatal(err)
	}
	points := 20
	if testing.Short() {
		points = 4
	}
	ways := [][]string{{"-o", "ndjson=OUT", "-o", "table"}, {"explain", "-o", "html=OUT", "-o", "table"}, {"at", "end", "-o", "json=OUT", "-o", "table"},
		{"check", "-o", "json=OUT", "-o", "table"}, {"diff", leak, "-o", "json=OUT", "-o", "table"}}
	for w, how := range ways {
		ended, interrupted := 0, 0
		for i := range points {
			sig := []syscall.Signal{syscall.SIGINT, syscall.SIGTERM}[(i+w)%2]
			dir := t.TempDir()
			in := "-"
			if i%2 == 1 {
				in = big
			}
			c := exec.Command(exe, into(how, filepath.Join(dir, "x"), in)...)
			var stdout, stderr bytes.Buffer
			c.Stdout, c.Stderr = &stdout, &stderr
			var stdin *os.File
			if in == "-" {
				end, into, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				c.Stdin, stdin = end, into
				defer end.Close()
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			dog := time.AfterFunc(time.Minute, func() { c.Process.Kill() })
			if stdin != nil {
				stdin.Write(small[:len(small)*i/points])
				if i >= points/2 {
					drained(t, stdin) // however long it took to begin, it has
				}
			}
			time.Sleep(time.Duration(i) * 15 * time.Millisecond) // chooses the moment, and decides nothing
			c.Process.Signal(sig)
			err := c.Wait()
			dog.Stop()
			if stdin != nil {
				stdin.Close()
			}
			var x *exec.ExitError
			if err != nil && !errors.As(err, &x) {
				t.Fatal(err)
			}
			status := c.ProcessState.Sys().(syscall.WaitStatus)
			what := "tcpstate " + strings.Join(how, " ") + " on " + filepath.Base(in)
			l, there := left(t, dir, "x")
			switch {
			case status.Signaled() && status.Signal() == sig && stdout.Len() == 0 && len(l) == 0:
				continue // before it had begun: it does what any program does
			case status.Signaled():
				t.Errorf("%s, moment %d: ended by %s, leaves %v", what, i, status.Signal(), l)
				continue
			}
			switch code := status.ExitStatus(); {
			case code == exitInterrupted:
				interrupted++
			case code == exitOK && in == big, code == exitFindings && in == big:
				ended++
			default:
				t.Errorf("%s, moment %d: exit status %d: %s", what, i, code, &stderr)
			}
			if n := strings.Count(stderr.String(), "\n"); n > 1 {
				t.Errorf("%s, moment %d: %d lines on standard error:\n%s", what, i, n, &stderr)
			}
			if len(l) > 1 || len(l) == 1 && !there {
				t.Errorf("%s, moment %d: leaves %v", what, i, l)
			}
			if there {
				b, _ := os.ReadFile(filepath.Join(dir, "x"))
				if whole := bytes.TrimSpace(b); len(whole) == 0 || whole[len(whole)-1] != '}' && !bytes.HasSuffix(whole, []byte("</html>")) {
					t.Errorf("%s, moment %d: a file that ends in %q", what, i, whole[max(0, len(whole)-60):])
				}
			}
		}
		if interrupted == 0 {
			t.Errorf("tcpstate %v: none of %d was interrupted (%d ended): nothing is tried", how, points, ended)
		}
	}
}

// drained waits until what was written into a pipe is read.
func drained(t *testing.T, pipe *os.File) {
	t.Helper()
	raw, err := pipe.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for range 3000 {
		left := 0
		raw.Control(func(fd uintptr) { left, err = unix.IoctlGetInt(int(fd), unix.TIOCINQ) }) // FIONREAD
		if err != nil {
			t.Fatal(err)
		}
		if left == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("what was piped is not read")
}

// Tables are seeded in each process; what is reported is the same in all of them.
func TestSameBytesInEveryProcess(t *testing.T) {
	exe := program(t, "tcpstate")
	var first []byte
	for range 3 {
		c := exec.Command(exe, "check", "-o", "json", "--fail-on", "never", pcaps)
		out, err := c.Output()
		if x := (*exec.ExitError)(nil); err != nil && !errors.As(err, &x) || len(out) < 10_000 {
			t.Fatalf("%v, %d octets", err, len(out))
		}
		if first == nil {
			first = out
		} else if !bytes.Equal(first, out) {
			t.Fatal("another process reports differently:\n" + firstDifference(string(out), string(first)))
		}
	}
}
