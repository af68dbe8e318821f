//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/gopacket/layers"
	"golang.org/x/sys/unix"
)

// world is a client and a server with a router between them, each in its own
// namespace. The router sees every packet twice.
type world struct {
	client, router, server *netns
	listeners              map[string]*net.TCPListener
	barriers               int
}

// Addresses of the world. What goes to the second of each, the router
// can lose.
const (
	client4, server4     = "10.9.1.1", "10.9.2.1"
	client6, server6     = "fd00:9:1::1", "fd00:9:2::1"
	clientAlt, serverAlt = "10.9.1.2", "10.9.2.2"
	clientMAC, serverMAC = "02:00:00:00:09:01", "02:00:00:00:09:02"
	nowhere              = "02:00:00:00:09:99" // an Ethernet address that nobody has
)

func newWorld(t *testing.T) *world {
	w := &world{client: newNetns(t, "client"), router: newNetns(t, "router"), server: newNetns(t, "server"), listeners: map[string]*net.TCPListener{}}
	veth(t, w.client, "eth0", w.router, "left")
	veth(t, w.server, "eth0", w.router, "right")
	w.client.ip(t, "link set eth0 address "+clientMAC,
		"addr add "+client4+"/24 dev eth0", "addr add "+clientAlt+"/24 dev eth0", "addr add "+client6+"/64 dev eth0 nodad",
		"route add default via 10.9.1.254", "route add default via fd00:9:1::fe")
	w.server.ip(t, "link set eth0 address "+serverMAC,
		"addr add "+server4+"/24 dev eth0", "addr add "+serverAlt+"/24 dev eth0", "addr add "+server6+"/64 dev eth0 nodad",
		"route add default via 10.9.2.254", "route add default via fd00:9:2::fe")
	w.router.ip(t,
		"addr add 10.9.1.254/24 dev left", "addr add fd00:9:1::fe/64 dev left nodad",
		"addr add 10.9.2.254/24 dev right", "addr add fd00:9:2::fe/64 dev right nodad")
	w.router.sysctl(t, "net.ipv4.ip_forward", "1")
	w.router.sysctl(t, "net.ipv6.conf.all.forwarding", "1")
	return w
}

// lose makes the router lose what goes to the other addresses of both, or not.
func (w *world) lose(t *testing.T, yes bool) {
	t.Helper()
	mac := map[string]string{clientAlt: clientMAC, serverAlt: serverMAC}
	for addr, iface := range map[string]string{clientAlt: "left", serverAlt: "right"} {
		if yes {
			mac[addr] = nowhere
		}
		w.router.ip(t, "neigh replace "+addr+" lladdr "+mac[addr]+" nud permanent dev "+iface)
	}
}

// peers is a connection, both ends of it.
type peers struct{ client, server *net.TCPConn }

// open makes a connection to an address of the server, from local if it is not "".
func (w *world) open(t *testing.T, local, remote string, sets ...func(fd int) error) peers {
	t.Helper()
	l := w.listener(t, remote, sets...)
	c, err := w.client.dial(soon(t), local, remote)
	if err != nil {
		t.Fatal(err)
	}
	l.SetDeadline(time.Now().Add(patience))
	s, err := l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.Close() })
	return peers{c, s}
}

// soon ends when patience does.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// listener is that at an address of the server; sets are for its socket.
func (w *world) listener(t *testing.T, addr string, sets ...func(fd int) error) *net.TCPListener {
	t.Helper()
	if w.listeners[addr] == nil {
		w.listeners[addr] = w.server.listen(t, addr, sets...)
	}
	return w.listeners[addr]
}

// says sends from one end to the other, and waits until it is there.
func says(t *testing.T, from, to *net.TCPConn, what string) {
	t.Helper()
	if _, err := io.WriteString(from, what); err != nil {
		t.Fatal(err)
	}
	to.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(to, make([]byte, len(what))); err != nil {
		t.Fatal(err)
	}
}

// hears waits until an end has seen its peer's FIN.
func hears(t *testing.T, c *net.TCPConn) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(patience))
	if n, err := io.Copy(io.Discard, c); err != nil || n > 0 {
		t.Fatalf("%d octets, %v", n, err)
	}
}

// ended closes a connection, and waits until both know.
func (k peers) close(t *testing.T, first, second *net.TCPConn) {
	t.Helper()
	first.CloseWrite()
	hears(t, second)
	second.CloseWrite()
	hears(t, first)
	first.Close()
	second.Close()
}

// churn opens and closes n connections, as many ways as there are to be orderly,
// and some that are not.
func (w *world) churn(t *testing.T, n int, remote string) {
	t.Helper()
	l := w.listener(t, remote)
	l.SetDeadline(time.Now().Add(patience))
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range n {
			s, err := l.AcceptTCP()
			if err != nil {
				t.Error(err)
				return
			}
			if i%4 == 0 { // the server closes first
				s.CloseWrite()
			}
			s.SetReadDeadline(time.Now().Add(patience))
			io.Copy(s, s) // an error is an abort's
			s.Close()
		}
	})
	for i := range n {
		c, err := w.client.dial(soon(t), "", remote)
		if err != nil {
			t.Error(err)
			break
		}
		c.SetDeadline(time.Now().Add(patience))
		switch i % 4 {
		case 0:
			io.Copy(io.Discard, c)
		case 1, 2:
			fmt.Fprintf(c, "request %d\n", i)
			c.CloseWrite()
			io.Copy(io.Discard, c)
		case 3:
			fmt.Fprintf(c, "request %d\n", i)
			io.ReadFull(c, make([]byte, 8))
			c.SetLinger(0)
		}
		c.Close()
	}
	wg.Wait()
}

// addrPort reads an address and port that the test itself wrote.
func addrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// ends of a connection as ss and the program name them.
func (k peers) ends() (client, server socket) {
	a, b := k.client.LocalAddr().String(), k.client.RemoteAddr().String()
	return socket{a, b}, socket{b, a}
}

// refused tries to connect from an address to a port of the server that nobody
// listens at.
func (w *world) refused(t *testing.T, local, remote string) {
	t.Helper()
	_, err := w.client.dial(soon(t), local, remote)
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("%v, not refused", err)
	}
}

// forge sends a segment from the client, whoever is said to be its sender.
func (w *world) forge(t *testing.T, as socket, tcp *layers.TCP) {
	t.Helper()
	src, dst := addrPort(as.local), addrPort(as.remote)
	tcp.SrcPort, tcp.DstPort = layers.TCPPort(src.Port()), layers.TCPPort(dst.Port())
	b := packet(src.Addr(), dst.Addr(), 1, tcp, nil)
	if err := w.client.do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Sendto(fd, b, 0, &unix.SockaddrInet4{Addr: dst.Addr().As4()})
	}); err != nil {
		t.Fatal(err)
	}
}

// cross makes both ends of a connection open it: what the router has lost of
// their first SYNs comes once more.
func (w *world) cross(t *testing.T, client, server string) peers {
	t.Helper()
	type opened struct {
		c   *net.TCPConn
		err error
	}
	sides := [2]chan opened{make(chan opened, 1), make(chan opened, 1)}
	for i, from := range []struct {
		n             *netns
		local, remote string
	}{{w.client, client, server}, {w.server, server, client}} {
		go func() {
			c, err := from.n.dial(soon(t), from.local, from.remote)
			sides[i] <- opened{c, err}
		}()
	}
	eventually(t, func() (bool, string) {
		a, b := w.client.states(t)[socket{client, server}], w.server.states(t)[socket{server, client}]
		return a == "SYN-SENT" && b == "SYN-SENT", "the ends are in " + a + " and " + b
	})
	w.lose(t, false)
	var k peers
	for i, c := range []**net.TCPConn{&k.client, &k.server} {
		o := <-sides[i]
		if o.err != nil {
			t.Fatal(o.err)
		}
		*c = o.c
		t.Cleanup(func() { o.c.Close() })
	}
	return k
}
