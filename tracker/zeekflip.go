package tracker

import (
	"net/netip"

	"tcpstate/capture"
)

// begin makes a record of its first segment: Connection's constructor after
// WantConnection of TCP.cc, which guesses that roles are the other way round.
func (z *zeekConn) begin(seg *capture.Segment, side uint8, spill *zeekSpill) {
	z.bits = zeekBegun
	if side != 0 {
		z.bits |= zeekOrigHi
	}
	if seg.Flags&(capture.SYN|capture.ACK) == capture.SYN {
		return
	}
	src, dst := seg.Src(), seg.Dst()
	flip := zeekServerPort(src.Port())
	if flip && zeekServerPort(dst.Port()) {
		// Both are plausible: not on a SYN,ACK, which may be a scan.
		flip = !seg.Has(capture.SYN) && src.Port() < dst.Port()
	}
	if flip && dst.Addr() != broadcast4 {
		z.flip(spill)
	}
}

var broadcast4 = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// flip is Connection::FlipRoles. Letters seen and first_packet_seen: the
// former stay with the roles, the latter go with the ends.
func (z *zeekConn) flip(spill *zeekSpill) {
	b := z.bits&^(zeekSawOrig|zeekSawResp|zeekIsPartial) ^ zeekOrigHi
	if z.bits&zeekSawOrig != 0 {
		b |= zeekSawResp
	}
	if z.bits&zeekSawResp != 0 {
		b |= zeekSawOrig
	}
	z.bits = b
	z.add(zeekFlip, 0, spill)
}

// flipProductive is the start of TCP_Endpoint::CheckHistory: a record that
// consists of a SYN,ACK and goes on with an ACK or data, of either end, was no
// scan; its SYN was missed.
func (z *zeekConn) flipProductive(spill *zeekSpill) {
	if z.n != 1 || z.code(0) != zeekH {
		return
	}
	z.flip(spill)
	z.n, z.text = 0, [12]byte{}
	z.add(zeekFlip, 0, spill)
	z.add(zeekH, z.orig()^1, spill)
	z.bits |= zeekSawOrig
}

// zeekServerPort is likely_server_ports of a Zeek with its default scripts:
// the TCP ports that they register analyzers for (Analyzer::register_for_ports
// adds them by itself since Zeek 8.1; before, MySQL's, PostgreSQL's, MQTT's,
// LDAP's and syslog's were not among them).
func zeekServerPort(port uint16) bool {
	switch port {
	case 21, 2811, // FTP
		22,      // SSH
		25, 587, // SMTP
		53,                                        // DNS
		79,                                        // finger
		80, 81, 631, 1080, 3128, 8000, 8080, 8888, // HTTP, 1080 SOCKS too
		88,       // Kerberos
		135,      // DCE/RPC
		139, 445, // SMB
		143,       // IMAP
		389, 3268, // LDAP
		443, 563, 585, 614, 636, 989, 990, 992, 993, 995, 5223, // TLS
		502,        // Modbus
		514,        // syslog
		1434, 3306, // MySQL
		1883,       // MQTT
		3389,       // RDP
		5222, 5269, // XMPP
		5432,                   // PostgreSQL
		6379,                   // Redis
		6666, 6667, 6668, 6669, // IRC
		20000: // DNP3
		return true
	}
	return false
}
