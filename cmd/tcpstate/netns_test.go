//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tcpstate/capture"
)

// netns is a network namespace of a test. It has no name and lives as long as
// somebody holds it: nothing is left behind, whatever ends the test.
type netns struct {
	label string // for messages
	file  *os.File
}

// needNetns skips where network namespaces cannot be made, or nothing can be
// captured in them.
func needNetns(t *testing.T, programs ...string) {
	t.Helper()
	if _, err := capture.Interfaces(); errors.Is(err, capture.ErrNoLibpcap) {
		t.Skip("built without libpcap")
	}
	if os.Getuid() != 0 {
		lacking(t, "network namespaces are made by root alone")
	}
	for _, p := range append(programs, "ip") {
		if _, err := exec.LookPath(p); err != nil {
			lacking(t, p+" is not installed (Debian packages iproute2 and tcpdump)")
		}
	}
}

// newNetns makes a namespace with nothing in it but its loopback, which is up.
func newNetns(t *testing.T, label string) *netns {
	t.Helper()
	made := make(chan error)
	n := &netns{label: label}
	go func() {
		runtime.LockOSThread() // for ever: the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			n.file, err = os.Open("/proc/thread-self/ns/net")
		}
		made <- err
	}()
	if err := <-made; err != nil {
		lacking(t, "no network namespace can be made: "+err.Error())
	}
	t.Cleanup(func() { n.file.Close() })
	n.ip(t, "link set lo up")
	return n
}

// do calls f on a thread that is in the namespace. Sockets that f makes and
// processes that it starts stay there.
func (n *netns) do(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for ever, as above
		err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET)
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

// path names the namespace for programs.
func (n *netns) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), n.file.Fd()) }

// output runs a program in the namespace.
func (n *netns) output(name string, args ...string) (out []byte, err error) {
	err = n.do(func() error {
		out, err = exec.Command(name, args...).CombinedOutput()
		return err
	})
	return out, err
}

// ip runs one command of iproute2 after another.
func (n *netns) ip(t *testing.T, commands ...string) {
	t.Helper()
	for _, c := range commands {
		if out, err := n.output("ip", strings.Fields(c)...); err != nil {
			t.Fatalf("%s: ip %s: %v: %s", n.label, c, err, out)
		}
	}
}

// veth joins two namespaces by a pair of interfaces.
func veth(t *testing.T, a *netns, nameA string, b *netns, nameB string) {
	t.Helper()
	a.ip(t, "link add "+nameA+" type veth peer name "+nameB+" netns "+b.path(), "link set "+nameA+" up")
	b.ip(t, "link set "+nameB+" up")
}

// onOneCPU keeps the test and all that it starts on one processor. With several,
// packets that are sent at the same time may be captured in one order by one
// program, and in another by the next. It returns what ends that.
func onOneCPU(t *testing.T) (free func()) {
	t.Helper()
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	for i := 0; one.Count() == 0; i++ {
		if all.IsSet(i) {
			one.Set(i)
		}
	}
	set := func(to *unix.CPUSet) {
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range threads {
			id, err := strconv.Atoi(x.Name())
			if err != nil {
				t.Fatal(err)
			}
			if err := unix.SchedSetaffinity(id, to); err != nil && !errors.Is(err, unix.ESRCH) {
				t.Fatal(err)
			}
		}
	}
	// A thread that is made meanwhile may come from one that was not yet kept.
	set(&one)
	set(&one)
	free = sync.OnceFunc(func() { set(&all); set(&all) })
	t.Cleanup(free)
	return free
}

// sysctl sets a value of the namespace.
func (n *netns) sysctl(t *testing.T, name, value string) {
	t.Helper()
	file := "/proc/sys/" + strings.ReplaceAll(name, ".", "/")
	if err := n.do(func() error { return os.WriteFile(file, []byte(value), 0) }); err != nil {
		t.Fatalf("%s: %s: %v", n.label, file, err)
	}
}

// patience is how long a test waits for what has to come.
const patience = 30 * time.Second

// listen makes a listener in the namespace. Before it listens, each of sets is
// called with its socket.
func (n *netns) listen(t *testing.T, addr string, sets ...func(fd int) error) *net.TCPListener {
	t.Helper()
	lc := net.ListenConfig{Control: control(sets), KeepAlive: -1}
	lc.SetMultipathTCP(false) // ss shows what it does as another protocol
	var l net.Listener
	if err := n.do(func() (err error) {
		l, err = lc.Listen(context.Background(), "tcp", addr)
		return err
	}); err != nil {
		t.Fatalf("%s: %v", n.label, err)
	}
	t.Cleanup(func() { l.Close() })
	return l.(*net.TCPListener)
}

// dial connects from the namespace, from the address local if it is not "", and
// gives up when ctx does.
func (n *netns) dial(ctx context.Context, local, remote string, sets ...func(fd int) error) (c *net.TCPConn, err error) {
	d := net.Dialer{Control: control(sets), KeepAlive: -1}
	if local != "" {
		d.LocalAddr = net.TCPAddrFromAddrPort(addrPort(local))
	}
	err = n.do(func() error {
		x, err := d.DialContext(ctx, "tcp", remote)
		if err == nil {
			c = x.(*net.TCPConn)
		}
		return err
	})
	return c, err
}

func control(sets []func(fd int) error) func(string, string, syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error { return onSocket(c, sets...) }
}

// onSocket calls each of sets with the socket.
func onSocket(c syscall.RawConn, sets ...func(fd int) error) (err error) {
	failed := c.Control(func(fd uintptr) {
		for _, set := range sets {
			err = errors.Join(err, set(int(fd)))
		}
	})
	return errors.Join(failed, err)
}

// deaf makes a socket lose all segments that reach it.
func deaf(fd int) error {
	lose := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 0}}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &lose[0]})
}

// narrow gives a socket next to no room for what it has not read.
func narrow(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 2048) }

// vanish makes close say nothing to the peer, as a host does that loses its power.
func vanish(fd int) error {
	const on = 1 // TCP_REPAIR_ON of linux/tcp.h
	return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, on)
}

// eventually waits until ok holds, and fails with what it says if that takes too long.
func eventually(t *testing.T, ok func() (bool, string)) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		done, why := ok()
		if done {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %v: %s", patience, why)
		}
	}
}
