package report

import (
	"bufio"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"tcpstate/tracker"
)

// The looks of the two programs that people know. A capture shows both hosts, so a
// connection makes two lines, one for each end; an end that is CLOSED makes none, as on its
// host. What is in the queues of a host no capture shows: these columns hold a dash.

// certaintyMark is ? for what is presumed and ~ for what elapsed.
func certaintyMark(c tracker.Certainty) string {
	switch c {
	case tracker.Confirmed:
		return ""
	case tracker.Elapsed:
		return "~"
	}
	return "?"
}

// ssStates and netstatStates are the states as the two spell them (ss(8) of iproute2,
// netstat(8) of net-tools).
var (
	ssStates = [tracker.NumStates]string{"UNCONN", "LISTEN", "SYN-SENT", "SYN-RECV", "ESTAB", "FIN-WAIT-1", "FIN-WAIT-2",
		"CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT"}
	netstatStates = [tracker.NumStates]string{"CLOSE", "LISTEN", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2",
		"CLOSE_WAIT", "CLOSING", "LAST_ACK", "TIME_WAIT"}
)

// ssHost is an address as ss writes it: IPv6 in brackets.
func ssHost(a netip.Addr) string {
	if a.Is4() {
		return a.String()
	}
	return "[" + a.String() + "]"
}

// ss writes the look of ss -tan: the columns are as wide as what is in them, and an
// address is set against its port. A last column that ss has not, or has for processes,
// says how sure the state is.
func (v *InstantView) ss(w *bufio.Writer) {
	const local, peer = "Local Address", "Peer Address"
	state, near, far := len("State"), [2]int{len(local), len("Port")}, [2]int{len(peer), len("Port")}
	fit := func(w *[2]int, a netip.AddrPort) {
		w[0] = max(w[0], len(ssHost(a.Addr())))
		w[1] = max(w[1], len(strconv.Itoa(int(a.Port()))))
	}
	v.eachEndpoint(func(s *spot, role int, e *spotEnd) {
		state = max(state, len(ssStates[e.state]))
		fit(&near, s.addr(role))
		fit(&far, s.addr(role^1))
	})
	line := func(st, recv, send, lh, lp, ph, pp, mark string) {
		text := fmt.Sprintf("%-*s %-6s %-6s %*s:%-*s %*s:%-*s %s", state, st, recv, send, near[0], lh, near[1], lp, far[0], ph, far[1], pp, mark)
		w.WriteString(strings.TrimRight(text, " ") + "\n")
	}
	line("State", "Recv-Q", "Send-Q", local, "Port", peer, "Port", "Certainty")
	v.eachEndpoint(func(s *spot, role int, e *spotEnd) {
		a, b := s.addr(role), s.addr(role^1)
		line(ssStates[e.state], "-", "-", ssHost(a.Addr()), strconv.Itoa(int(a.Port())), ssHost(b.Addr()), strconv.Itoa(int(b.Port())),
			certaintyMark(e.certainty))
	})
}

// netstat writes the look of netstat -tan. IPv6 stands without brackets there, and no
// address is cut. The certainty is a column that netstat has not.
func (v *InstantView) netstat(w *bufio.Writer) {
	line := func(proto, recv, send, local, foreign, state, mark string) {
		text := fmt.Sprintf("%-5s %6s %6s %-23s %-23s %-11s %s", proto, recv, send, local, foreign, state, mark)
		w.WriteString(strings.TrimRight(text, " ") + "\n")
	}
	w.WriteString("Active Internet connections (w/o servers)\n")
	line("Proto", "Recv-Q", "Send-Q", "Local Address", "Foreign Address", "State", "Certainty")
	addr := func(a netip.AddrPort) string { return a.Addr().String() + ":" + strconv.Itoa(int(a.Port())) }
	v.eachEndpoint(func(s *spot, role int, e *spotEnd) {
		proto := "tcp"
		if s.key.V6 {
			proto = "tcp6"
		}
		line(proto, "-", "-", addr(s.addr(role)), addr(s.addr(role^1)), netstatStates[e.state], certaintyMark(e.certainty))
	})
}
