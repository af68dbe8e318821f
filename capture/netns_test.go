//go:build linux && cgo && !nolibpcap

package capture

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// inNamespace runs the test that calls it once more, in a process with a
// network of its own, and with a /sys that shows it. It returns true there,
// where the test goes on.
func inNamespace(t *testing.T) bool {
	t.Helper()
	const mark = "TCPSTATE_TEST_NAMESPACE"
	if os.Getenv(mark) != "" {
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount("sysfs", "/sys", "sysfs", 0, ""); err != nil {
			t.Fatal(err)
		}
		return true
	}
	if os.Geteuid() != 0 {
		lacking(t, "network namespaces are root's to make")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		lacking(t, "no ip (package iproute2)")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+regexp.QuoteMeta(t.Name())+"$", "-test.v")
	c.Env = append(os.Environ(), mark+"=1")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	out, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// ip runs iproute2's ip with the words of a line.
func ip(t *testing.T, line string) {
	t.Helper()
	if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v %s", line, err, out)
	}
}

// pair makes two interfaces that are joined by a cable: what is sent from
// near arrives at far.
func pair(t *testing.T) {
	t.Helper()
	ip(t, "link add near type veth peer name far")
	ip(t, "link set near up")
	ip(t, "link set far up")
}

// sender sends frames from an interface.
type sender struct {
	t    *testing.T
	fd   int
	to   unix.SockaddrLinklayer
	sent int
}

func sendFrom(t *testing.T, name string) *sender {
	t.Helper()
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	q, _ := unix.NewIfreq(name)
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, q); err != nil {
		t.Fatal(err)
	}
	return &sender{t: t, fd: fd, to: unix.SockaddrLinklayer{Ifindex: int(q.Uint32())}}
}

// send sends n frames, each with a TCP segment whose sequence number counts
// them, and so many octets of data.
func (s *sender) send(n, data int) {
	s.t.Helper()
	for range n {
		s.sent++
		f := plainFrame(seg{sport: 40000, dport: 80, seq: uint32(s.sent), flags: ACK, payload: make([]byte, data)})
		if err := unix.Sendto(s.fd, f, 0, &s.to); err != nil {
			s.t.Fatal(err)
		}
	}
}

// receive calls Next until n segments have come or an error, or the time that
// any machine needs is over. It returns their sequence numbers.
func receive(t *testing.T, s Source, n int) (seqs []uint32, err error) {
	t.Helper()
	var b Batch
	for until := time.Now().Add(20 * time.Second); len(seqs) < n && time.Now().Before(until); {
		if err = s.Next(&b); err != nil {
			break
		}
		for i := range b.Segments {
			seqs = append(seqs, b.Segments[i].Seq)
		}
	}
	return seqs, err
}

// await calls Next until the link is as wanted.
func await(t *testing.T, s Source, want LinkState) {
	t.Helper()
	var b Batch
	for until := time.Now().Add(20 * time.Second); s.Stats().Link.State != want; {
		if time.Now().After(until) {
			t.Fatalf("the link is %+v, not %d", s.Stats().Link, want)
		}
		if err := s.Next(&b); err != nil {
			t.Fatal(err)
		}
	}
}

// mustOpen opens an interface for what is sent by a sender alone.
func mustOpen(t *testing.T, o LiveOptions) Source {
	t.Helper()
	if o.Filter == "" {
		o.Filter = "tcp port 80"
	}
	s, err := OpenLive(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
