//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/google/gopacket/layers"
)

// What a live capture says at its end is what the analysis says of the packets that
// tcpdump captured at the same place, and what it says on the way is what the
// kernels at both ends say.
func TestLiveIsOffline(t *testing.T) {
	needNetns(t, "ss", "tcpdump")
	free := onOneCPU(t)
	w := newWorld(t)
	places := []*place{
		{name: "at the client", ns: w.client, iface: "any", copies: 1, loopback: true},
		{name: "on the way", ns: w.router, iface: "any", copies: 2},
		{name: "at the server", ns: w.server, iface: "eth0", copies: 1},
	}
	for _, p := range places {
		p.capture(t, w)
	}
	left := w.live(t, places)
	quiet := time.Now()
	last := w.barrier(t, places)
	for _, p := range places {
		p.holds(t, last)
	}
	for _, p := range places {
		p.dump.signal(t, syscall.SIGINT)
		p.live.signal(t, syscall.SIGINT)
	}
	free()
	for _, p := range places {
		if code := p.dump.ended(t); code != exitOK {
			t.Fatalf("tcpdump: exit status %d: %s", code, p.dump.err.String())
		}
		if code := p.live.ended(t); code != exitOK || p.live.err.String() != "" {
			t.Errorf("%s: exit status %d, standard error: %s", p.name, code, p.live.err.String())
		}
	}
	idle := time.Since(quiet)
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) { p.compare(t, left, idle) })
	}
}

// live is what happens in the world, and what is compared while it does. It returns
// what the kernels say at the end.
func (w *world) live(t *testing.T, places []*place) map[socket]string {
	at := func(port int) string { return fmt.Sprintf("%s:%d", server4, port) }
	at6 := func(port int) string { return fmt.Sprintf("[%s]:%d", server6, port) }
	vanished := map[socket]string{}

	// A SYN that nobody answers.
	ctx, giveUp := context.WithCancel(context.Background())
	w.listener(t, at(8001), deaf)
	defer giveUp()
	done := make(chan error, 1)
	go func() {
		_, err := w.client.dial(ctx, "", at(8001))
		done <- err
	}()
	// One from an address that nobody has: the server answers, and waits.
	w.listener(t, at(8002))
	w.router.ip(t, "neigh replace 10.9.1.66 lladdr "+nowhere+" nud permanent dev left")
	nobody := socket{"10.9.1.66:10041", at(8002)}
	w.forge(t, nobody, &layers.TCP{Seq: 1000, SYN: true, Window: 1024})
	vanished[nobody] = "ESTABLISHED"

	// Refused, of both families.
	for i, remote := range []string{at(8003), at(8003), at6(8003)} {
		local := fmt.Sprintf("%s:%d", client4, 10001+i)
		if i == 2 {
			local = "[" + client6 + "]:10003"
		}
		w.refused(t, local, remote)
	}
	// Orderly: TIME-WAIT at the client, and at the server.
	for _, remote := range []string{at(8004), at6(8004)} {
		for _, serverFirst := range []bool{false, true} {
			k := w.open(t, "", remote)
			says(t, k.client, k.server, "a request")
			says(t, k.server, k.client, "an answer")
			if serverFirst {
				k.close(t, k.server, k.client)
			} else {
				k.close(t, k.client, k.server)
			}
		}
	}
	// Open and idle, with keepalives at one of them.
	idle := w.open(t, "", at(8005))
	says(t, idle.client, idle.server, "hello")
	kept := w.open(t, "", at6(8005))
	if err := kept.client.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 3}); err != nil {
		t.Fatal(err)
	}
	// Half-closed: the server goes on for a while.
	half := w.open(t, "", at(8006))
	half.client.CloseWrite()
	hears(t, half.server)
	says(t, half.server, half.client, "still talking")
	// The server never closes: the client's orphans wait for it.
	for range 12 {
		k := w.open(t, "", at(8007))
		says(t, k.client, k.server, "bye")
		k.client.Close()
		hears(t, k.server)
	}
	// Nobody reads what the client sends.
	full := w.open(t, "", at(8008), narrow)
	full.client.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
	if n, err := full.client.Write(make([]byte, 8<<20)); err == nil {
		t.Fatalf("a small buffer takes %d octets", n)
	}
	// Both open at once, and do not know of each other at first.
	w.lose(t, true)
	crossed := w.cross(t, clientAlt+":10011", serverAlt+":10012")
	// Aborted: by linger 0 with data under way, and with data unread.
	abort := w.open(t, client4+":10021", at(8009))
	says(t, abort.client, abort.server, "a request")
	abort.server.SetLinger(0)
	abort.server.Close()
	abort.client.SetReadDeadline(time.Now().Add(patience))
	_, err := abort.client.Read(make([]byte, 1))
	asked(t, err, syscall.ECONNRESET)
	abort.client.Close()
	unread := w.open(t, "", at(8009))
	io.WriteString(unread.client, "nobody reads this")
	full.client.SetWriteDeadline(time.Time{})
	// And the ports of an aborted one again.
	again := w.open(t, client4+":10021", at(8009))
	says(t, again.client, again.server, "once more")

	// In the client itself: connected to itself, and to a peer.
	self := addrPort("127.0.0.1:10031").String()
	mirror, err := w.client.dial(soon(t), self, self)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mirror.Close() })
	says(t, mirror, mirror, "to myself")

	w.agree(t, places, vanished)

	// Both close at once.
	w.lose(t, true)
	crossed.client.CloseWrite()
	crossed.server.CloseWrite()
	w.lose(t, false)
	hears(t, crossed.client)
	hears(t, crossed.server)
	crossed.client.Close()
	crossed.server.Close()
	unread.server.Close()
	// What is half-closed is closed, and what is full is emptied.
	half.server.CloseWrite()
	hears(t, half.client)
	half.client.Close()
	half.server.Close()
	full.client.CloseWrite()
	full.server.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.Copy(io.Discard, full.server); err != nil {
		t.Fatal(err)
	}
	// A client that vanishes leaves the server half-open.
	gone := w.open(t, "", at(8010))
	says(t, gone.client, gone.server, "see you")
	end, _ := gone.ends()
	vanished[end] = "ESTABLISHED"
	raw, err := gone.client.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := onSocket(raw, vanish); err != nil {
		t.Fatal(err)
	}
	gone.client.Close()

	w.agree(t, places, vanished)

	// It learns of it when it speaks.
	io.WriteString(gone.server, "are you there?")
	gone.server.SetReadDeadline(time.Now().Add(patience))
	_, err = gone.server.Read(make([]byte, 1))
	asked(t, err, syscall.ECONNRESET)
	delete(vanished, end)
	// What would send something now and then ends: after its last packet a live
	// capture's clock goes on, and that of a file does not.
	giveUp()
	if err := <-done; err == nil {
		t.Error("a deaf server answers")
	}
	w.forge(t, nobody, &layers.TCP{Seq: 1001, RST: true})
	delete(vanished, nobody)
	kept.close(t, kept.server, kept.client)
	mirror.CloseWrite()
	hears(t, mirror)
	mirror.Close()
	w.churn(t, 400, at(8011))

	left := w.agree(t, places, vanished)
	t.Logf("the kernels' census at the end: %v", countStates(left))
	return left
}
