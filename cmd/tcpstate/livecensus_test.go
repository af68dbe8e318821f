//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// place is where the program and tcpdump capture at the same time.
type place struct {
	name       string
	ns         *netns
	iface      string
	copies     int  // of each packet
	loopback   bool // of the client
	live, dump *running
	json, pcap string // what they write

	read   int // octets of the program's standard output
	states map[socket]history
	// By id and subject, those that were raised and not cleared.
	findings map[string]string
	interims []interim
}

// capture starts both captures, and returns when both have heard something.
func (p *place) capture(t *testing.T, w *world) {
	t.Helper()
	dir := t.TempDir()
	p.json, p.pcap, p.states = filepath.Join(dir, "live.json"), filepath.Join(dir, "dump.pcap"), map[socket]history{}
	p.findings = map[string]string{}
	p.live = p.ns.start(t, func(c *exec.Cmd) { c.Env = append(os.Environ(), "TZ=UTC") }, "tcpstate",
		"-i", p.iface, "--no-screen", "-o", "ndjson", "-o", "json="+p.json, "--show", allParts)
	p.dump = p.ns.start(t, nil, "tcpdump", "-i", p.iface, "-s", "256", "--immediate-mode", "-U", "-Z", "root", "--time-stamp-precision=nano", "-w", p.pcap)
	p.dump.says(t, "listening on")
	p.ns.captures(t, 2)
	eventually(t, func() (bool, string) {
		w.knock(t)
		return len(p.live.out.from(0)) > 0, "the live capture hears nothing: " + p.live.err.String()
	})
}

// allParts are those that JSON shows.
const allParts = "summary,findings,connections,transitions,services"

// knock sends a frame that is no TCP segment past all places.
func (w *world) knock(t *testing.T) {
	t.Helper()
	if err := w.client.do(func() error {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer syscall.Close(fd)
		return syscall.Sendto(fd, []byte("knock"), 0, &syscall.SockaddrInet4{Port: 9, Addr: addrPort(server4 + ":9").Addr().As4()})
	}); err != nil {
		t.Fatal(err)
	}
}

// interim is what the program says when it is asked in the midst of a capture.
type interim struct {
	Event    string
	Segments int
	States   map[string]struct{ Confirmed, Presumed, Elapsed int }
}

// follow reads what the program has written since, and returns what it says of all
// sockets.
func (p *place) follow(t *testing.T) map[socket]history {
	t.Helper()
	b := p.live.out.from(p.read)
	p.read += len(b)
	for line := range bytes.Lines(b) {
		var kind struct{ Type string }
		p.decode(t, line, &kind)
		switch kind.Type {
		case "transition":
			var row struct {
				Local, Remote, To string
				Time              json.Number
			}
			p.decode(t, line, &row)
			s := socket{row.Local, row.Remote}
			p.states[s] = append(p.states[s], change{time: nanos(t, row.Time), state: row.To})
		case "finding":
			var row struct{ Event, ID, Subject string }
			p.decode(t, line, &row)
			switch row.Event {
			case "raised", "changed":
				p.findings[row.ID+" "+row.Subject] = row.Event
			case "cleared":
				delete(p.findings, row.ID+" "+row.Subject)
			}
		case "summary":
			var row interim
			if p.decode(t, line, &row); row.Event == "interim" {
				p.interims = append(p.interims, row)
			}
		}
	}
	return p.states
}

func (p *place) decode(t *testing.T, line []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(line, v); err != nil {
		t.Fatalf("%s: %v: %s", p.name, err, line)
	}
}

// ask makes the program report how it stands, by SIGUSR1.
func (p *place) ask(t *testing.T) interim {
	t.Helper()
	had := len(p.interims)
	p.live.signal(t, syscall.SIGUSR1)
	eventually(t, func() (bool, string) {
		p.follow(t)
		return len(p.interims) > had, p.name + ": no interim report"
	})
	return p.interims[had]
}

// counts is how many ends are in each state, but for those that are CLOSED.
func (i *interim) counts() map[string]int {
	m := map[string]int{}
	for state, n := range i.States {
		if sum := n.Confirmed + n.Presumed + n.Elapsed; sum > 0 && state != "CLOSED" {
			m[state] = sum
		}
	}
	return m
}

// countStates is the same of sockets.
func countStates(sockets map[socket]string) map[string]int {
	m := map[string]int{}
	for _, state := range sockets {
		m[state]++
	}
	return m
}

// at is which sockets are not CLOSED at an instant.
func (p *place) at(now time.Time) map[socket]string {
	m := map[socket]string{}
	for s, h := range p.states {
		if state := h.at(now.UnixNano()); state != "CLOSED" && state != "LISTEN" {
			m[s] = state
		}
	}
	return m
}

// barrier returns when all places have told of what was sent until now. It leaves
// nothing behind but a refused connection.
func (w *world) barrier(t *testing.T, places []*place) (local string) {
	t.Helper()
	w.barriers++
	local = fmt.Sprintf("%s:%d", client4, barrierPorts+w.barriers)
	remote := fmt.Sprintf("%s:%d", server4, nobodysPort)
	w.refused(t, local, remote)
	for _, p := range places {
		eventually(t, func() (bool, string) {
			h := p.follow(t)[socket{local, remote}]
			return len(h) > 0 && h[len(h)-1].state == "CLOSED", p.name + " does not tell of " + local
		})
	}
	return local
}

const (
	nobodysPort  = 7999
	barrierPorts = 20000 // and above: below those that clients choose
)

// states are what the kernel of a namespace says.
func (n *netns) states(t *testing.T) map[socket]string {
	t.Helper()
	out, err := n.output("ss", "-tanH")
	if err != nil {
		t.Fatalf("ss: %v: %s", err, out)
	}
	m := map[socket]string{}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) < 5 {
			t.Fatalf("ss says %q", line)
		}
		state, known := ssWords[f[0]]
		if !known {
			t.Fatalf("ss says %q", line)
		}
		if state != "" {
			m[socket{f[3], f[4]}] = state
		}
	}
	return m
}

// ssWords are the states in the words of ss. Those without a peer are not compared.
var ssWords = map[string]string{
	"ESTAB": "ESTABLISHED", "SYN-SENT": "SYN-SENT", "SYN-RECV": "SYN-RECEIVED", "FIN-WAIT-1": "FIN-WAIT-1", "FIN-WAIT-2": "FIN-WAIT-2",
	"TIME-WAIT": "TIME-WAIT", "CLOSE-WAIT": "CLOSE-WAIT", "LAST-ACK": "LAST-ACK", "CLOSING": "CLOSING", "LISTEN": "", "UNCONN": "",
}

// isLoopback reports whether a socket's packets stay in its host.
func (s socket) isLoopback() bool { return addrPort(s.local).Addr().IsLoopback() }

// agree compares what is said at each place with the kernels at both ends, at one
// instant at which nothing happens. No packet tells of the sockets that vanished or
// never were: they must be where their peer has reason to believe. It returns what the kernels said,
// and those.
func (w *world) agree(t *testing.T, places []*place, vanished map[socket]string) map[socket]string {
	t.Helper()
	var all map[socket]string
	eventually(t, func() (bool, string) {
		w.barrier(t, places)
		before := time.Now()
		client, server := w.client.states(t), w.server.states(t)
		after := time.Now()
		w.barrier(t, places)
		all = maps.Clone(vanished)
		if all == nil {
			all = map[socket]string{}
		}
		maps.Copy(all, client)
		maps.Copy(all, server)
		var wrong []string
		for _, p := range places {
			want := p.hears(all)
			for _, now := range []time.Time{before, after} {
				wrong = append(wrong, differ(p.name, p.at(now), want)...)
			}
			i := p.ask(t)
			if got, want := i.counts(), countStates(want); !maps.Equal(got, want) {
				wrong = append(wrong, fmt.Sprintf("%s counts %v, and the kernels %v", p.name, got, want))
			}
		}
		return len(wrong) == 0, strings.Join(wrong, "\n")
	})
	return all
}

// hears is what of the kernels' sockets the place can know.
func (p *place) hears(all map[socket]string) map[socket]string {
	m := maps.Clone(all)
	maps.DeleteFunc(m, func(s socket, _ string) bool { return s.isLoopback() && !p.loopback })
	return m
}

func differ(name string, got, want map[socket]string) (wrong []string) {
	both := maps.Clone(got)
	maps.Copy(both, want)
	for s := range both {
		if got[s] != want[s] {
			wrong = append(wrong, fmt.Sprintf("%s: %s to %s is %q, and the kernel says %q", name, s.local, s.remote, got[s], want[s]))
		}
	}
	slices.Sort(wrong)
	return wrong
}

// holds waits until tcpdump has written each copy of a barrier's RST, and the program
// has seen as much.
func (p *place) holds(t *testing.T, local string) {
	t.Helper()
	port, err := strconv.Atoi(local[strings.LastIndexByte(local, ':')+1:])
	if err != nil {
		t.Fatal(err)
	}
	// Its TCP header begins with both ports and the sequence number 0.
	rst := []byte{nobodysPort >> 8, nobodysPort & 255, byte(port >> 8), byte(port), 0, 0, 0, 0}
	eventually(t, func() (bool, string) {
		b, err := os.ReadFile(p.pcap)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Count(b, rst) == p.copies, p.name + ": tcpdump has not written the last packet: " + p.dump.err.String()
	})
	written := 0
	for s, at := range instants(t, p.pcap) {
		if written += len(at); s.local == s.remote {
			written += len(at) // as two sockets
		}
	}
	written /= 2
	eventually(t, func() (bool, string) {
		i := p.ask(t)
		return i.Segments == written, fmt.Sprintf("%s: %d segments live, tcpdump wrote %d", p.name, i.Segments, written)
	})
}
