package detect

import (
	"fmt"
	"net/netip"

	"tcpstate/tracker"
)

// The words of half-open: what happened, and what to do about it, by level.

// blame says who must act: the side that lost its connections without a word;
// the one that does not close what its peer has closed; or whoever looks after
// the path, where nothing tells a dead host from a dead path.
func (v *vanished) blame() Blame {
	switch {
	case v.level == provenRestart && v.holder == tracker.CloseWait:
		return blameOf(int(v.gone ^ 1))
	case v.level <= provenRestart:
		return blameOf(int(v.gone))
	}
	return BlameNetwork
}

// seenBy is what the application of the end that is left saw; there is nobody
// on the other one.
func (v *vanished) seenBy() SeenBy {
	what := SawNothing
	switch {
	case v.level == provenRestart && v.holder == tracker.CloseWait:
		what = SawPipe // Linux tcp_reset
	case v.level <= provenRestart:
		what = SawReset
	case v.level == deadKeepalive && v.gaveUp:
		what = SawTimeout // Linux tcp_keepalive_timer; a retransmission timer gives up without RST
	}
	return sawAt(int(v.gone^1), what)
}

// explain says what happened on the connection that shows it best, and how many
// more there were.
func (v *vanished) explain(g *Group[netip.AddrPort, vanished]) string {
	gone, holder := sideNames[v.gone], sideNames[v.gone^1]
	var s string
	switch v.level {
	case provenReboot:
		s = fmt.Sprintf("proven-reboot: the %s %s had lost or dropped the connection with %s, and no FIN or RST told the %s. After %s of silence it answered the %s's "+
			"segment with a RST without ACK, as a host does that knows no such connection.",
			gone, g.Key, v.peer, holder, span(v.silence), holder)
		if v.outlived {
			s += fmt.Sprintf(" A warning only: the %s had sent in vain and closed before, and a FIN or RST of the %s may have been lost like the answers.", holder, gone)
		}
	case provenRestart:
		s = fmt.Sprintf("proven-restart: the %s %s opened a connection with %s anew that the %s still held in %s. "+
			"It answered the challenge ACK of the old connection with RST: it knew nothing of it any more.",
			gone, g.Key, v.peer, holder, v.holder)
	case deadKeepalive:
		s = fmt.Sprintf("dead-keepalive: the %s %s did not answer %s of %s in a row, and nothing came from it for %s before the last. "+
			"It is gone, or the path to it or back is cut.", gone, g.Key, plural(v.rounds, "keepalive probe"), v.peer, span(v.silence))
	case probableDead:
		s = fmt.Sprintf("probable-dead: %s repeated one segment %s with growing gaps, and nothing came from the %s %s for %s before the last. "+
			"It is probably gone, or the path to it or back is cut.", v.peer, times(v.rounds), gone, g.Key, span(v.silence))
	case silentAfterHandshake:
		s = fmt.Sprintf("silent-after-handshake: the %s %s sent its SYN,ACK to %s and then nothing, though the client repeated its segment %s with growing gaps. "+
			"It is gone, does not take the connection, or a filter drops what comes after the handshake.", gone, g.Key, v.peer, times(v.rounds))
	}
	if v.gaveUp {
		s += fmt.Sprintf(" The %s gave up with RST.", holder)
	}
	if n := g.Count() - 1; n > 0 {
		s += fmt.Sprintf(" %s of the same endpoint hung half-open, too.", plural(n, "more connection"))
	}
	return s
}

// advise says who has to do what.
func (v *vanished) advise(gone netip.AddrPort) string {
	holder := sideNames[v.gone^1]
	switch {
	case v.level == provenRestart && v.holder == tracker.CloseWait:
		return fmt.Sprintf("The %s's application has to close what its peer has closed: \"ss -tnp state close-wait\" names the process. "+
			"Until then each new connection from the same port is delayed by the challenge ACK.", holder)
	case v.level <= provenRestart:
		return fmt.Sprintf("Find out whether %s restarted, failed over or was cut off shortly before, or whether its process was killed and its FIN or RST lost. "+
			"The %s's application gets ECONNRESET only when it sends; to learn of it sooner it needs a heartbeat, or SO_KEEPALIVE with TCP_KEEPIDLE on the socket "+
			"(net.ipv4.tcp_keepalive_time, 7200 s by default, is that of all sockets of the host which ask for keepalive).", gone.Addr(), holder)
	case v.level == deadKeepalive:
		return fmt.Sprintf("Check the host %s and the path to it. Linux ends such a connection after 9 probes, 75 s apart (net.ipv4.tcp_keepalive_probes, net.ipv4.tcp_keepalive_intvl); "+
			"fewer or closer ones also end connections in short outages, so set TCP_KEEPCNT and TCP_KEEPINTVL on the sockets that need it.", gone.Addr())
	}
	return fmt.Sprintf("Check the host %s and the path to it. Linux goes on for about 15 minutes (net.ipv4.tcp_retries2); where that is too long set TCP_USER_TIMEOUT "+
		"on the %s's socket: a smaller tcp_retries2 ends all connections of the host in outages that they would survive.", gone.Addr(), holder)
}
