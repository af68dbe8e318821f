package capture

import "encoding/binary"

// Ports of the tunnels over UDP (IANA), as Wireshark has them by default.
const (
	portL2TP   = 1701
	portGTPU   = 2152
	portTeredo = 3544
	portLISP   = 4341
	portVXLAN  = 4789
	portGPE    = 4790
	portGeneve = 6081
	portMPLS   = 6635
)

// The tunnels that are common are peeled here: gopacket's decoders for PPPoE
// and GTP want the whole packet, which a capture with a snap length does not
// have, and cost as much as fifty frames of the plain kind.

// enter goes one packet deeper. It refuses what is nested beyond reason.
func (d *decoder) enter() bool {
	d.mark |= Tunnelled
	return d.deeper()
}

// deeper is enter for a frame inside a frame, or a framing inside itself, which is no
// tunnel: each step reads a few octets only, and a frame may have millions.
func (d *decoder) deeper() bool {
	if d.depth >= maxDepth {
		return d.skip(tunnelDepth)
	}
	d.depth++
	return true
}

// tunnel goes on in the payload of an IP protocol that carries packets. n is
// the payload's length on the wire.
func (d *decoder) tunnel(proto uint8, p []byte, n int, s *Segment) bool {
	if !d.enter() {
		return false
	}
	switch proto {
	case protoIPIP, protoIPIP2: // RFC 2003
		return d.rawIP(p, n, s)
	case protoIPv6: // RFC 4213
		return d.ipv6(p, n, s)
	case protoEtherIP: // RFC 3378: two octets, then an Ethernet frame
		if len(p) < 2 {
			return d.skip(truncatedTunnel)
		}
		return d.ethernet(p[2:], n-2, s)
	case protoMPLS: // RFC 4023
		return d.mpls(p, n, s)
	}
	return d.gre(p, n, s)
}

// gre reads a GRE header (RFC 2784, RFC 2890; version 1: RFC 2637).
func (d *decoder) gre(p []byte, n int, s *Segment) bool {
	if len(p) < 4 {
		return d.skip(truncatedTunnel)
	}
	flags, proto := binary.BigEndian.Uint16(p), binary.BigEndian.Uint16(p[2:])
	size := 4
	if flags&0xc000 != 0 { // checksum or routing: both bring checksum and offset
		size += 4
	}
	if flags&0x4000 != 0 { // source routes: obsolete since RFC 2784
		return d.skip(truncatedTunnel)
	}
	if flags&0x2000 != 0 { // key
		size += 4
	}
	sequenced := flags&0x1000 != 0
	if sequenced {
		size += 4
	}
	if flags&7 == 1 && flags&0x80 != 0 { // PPTP's acknowledgment
		size += 4
	}
	switch proto {
	case 0x88be: // ERSPAN: type I has no header, type II is sequenced and has one
		if sequenced {
			if len(p) > size && p[size]>>4 != 1 {
				return false
			}
			size += 8
		}
		proto = etherTEB
	case 0x22eb: // ERSPAN type III; its last bit announces a subheader
		if len(p) > size && p[size]>>4 != 2 {
			return false
		}
		size += 12
		if len(p) >= size && p[size-1]&1 != 0 {
			size += 8
		}
		proto = etherTEB
	case 0x883e: // WCCP: version 2 has a header, version 1 none
		if len(p) > size && p[size]>>4 != 4 {
			size += 4
		}
		proto = etherIPv4
	}
	if len(p) < size {
		if n >= size && proto != etherIPv4 && proto != etherIPv6 && proto != etherTEB {
			return false
		}
		return d.skip(truncatedTunnel)
	}
	return d.carried(proto, p[size:], n-size, s)
}

// carried goes on from the EtherType that a tunnel names: the frame in it has been
// counted by enter.
func (d *decoder) carried(proto uint16, p []byte, n int, s *Segment) bool {
	if proto == etherTEB {
		return d.ethernet(p, n, s)
	}
	return d.network(proto, p, n, s)
}

// udp looks for a tunnel by its port, on either side. What does not look like
// one is an ordinary datagram and none of ours.
func (d *decoder) udp(p []byte, n int, s *Segment) bool {
	if len(p) < 16 {
		return false
	}
	sport, dport := binary.BigEndian.Uint16(p), binary.BigEndian.Uint16(p[2:])
	port := dport
	switch dport {
	case portL2TP, portGTPU, portTeredo, portLISP, portVXLAN, portGPE, portGeneve, portMPLS:
	default:
		port = sport
	}
	b, n := p[8:], n-8
	switch port {
	case portVXLAN: // RFC 7348: the flag that says the network id is valid
		if b[0]&0x08 == 0 || !d.enter() {
			return false
		}
		return d.ethernet(b[8:], n-8, s)
	case portGPE: // draft-ietf-nvo3-vxlan-gpe: version 0, and the flag that a protocol is named
		if b[0]&0x34 != 0x04 || !d.enter() {
			return false
		}
		return d.overlaid(b[3], b[8:], n-8, s)
	case portLISP: // RFC 9300 section 5.3: eight octets, then IP
		if len(b) < 9 || b[8]>>4 != 4 && b[8]>>4 != 6 || !d.enter() {
			return false
		}
		return d.rawIP(b[8:], n-8, s)
	case portMPLS: // RFC 7510
		return d.enter() && d.mpls(b, n, s)
	case portGeneve: // RFC 8926: version 0, options in words, an EtherType
		size := 8 + int(b[0]&0x3f)*4
		if b[0]>>6 != 0 || len(b) < size || !d.enter() {
			return false
		}
		return d.carried(binary.BigEndian.Uint16(b[2:]), b[size:], n-size, s)
	case portL2TP:
		return d.l2tp(b, n, s)
	case portGTPU:
		return d.gtp(b, n, s)
	case portTeredo:
		return d.teredo(b, n, s)
	}
	return false
}

// gtp reads GTP-U (3GPP TS 29.281): only message type 255 carries a packet.
func (d *decoder) gtp(p []byte, n int, s *Segment) bool {
	if p[0]>>4 != 3 || p[1] != 255 { // version 1, protocol type GTP
		return false
	}
	size := 8
	if p[0]&7 != 0 {
		size = 12
		if len(p) < size {
			return false
		}
		next := p[11]
		if p[0]&4 == 0 {
			next = 0
		}
		for range maxHeaders {
			if next == 0 {
				break
			}
			if len(p) <= size || p[size] == 0 {
				return false
			}
			size += int(p[size]) * 4
			if len(p) < size {
				return false
			}
			next = p[size-1]
		}
		if next != 0 {
			return false
		}
	}
	if len(p) <= size || p[size]>>4 != 4 && p[size]>>4 != 6 || !d.enter() {
		return false
	}
	return d.rawIP(p[size:], n-size, s)
}

// l2tp reads a data message of L2TP version 2 (RFC 2661 section 3.1), which carries PPP.
func (d *decoder) l2tp(p []byte, n int, s *Segment) bool {
	flags := binary.BigEndian.Uint16(p)
	if flags&0x800f != 2 { // a control message, or another version
		return false
	}
	size := 6
	if flags&0x4000 != 0 { // length: padding may follow what it counts
		size += 2
		n = min(n, int(binary.BigEndian.Uint16(p[2:])))
	}
	if flags&0x0800 != 0 { // sequence numbers
		size += 4
	}
	if flags&0x0200 != 0 { // offset: that many octets more
		if len(p) < size+2 {
			return false
		}
		size += 2 + int(binary.BigEndian.Uint16(p[size:]))
	}
	if len(p) < size || n < size || !d.enter() {
		return false
	}
	return d.ppp(p[size:], n-size, s)
}

// fabricPath reads what stands behind the EtherType of Cisco's FabricPath: a tag of two
// octets, then an Ethernet frame.
func (d *decoder) fabricPath(p []byte, wire int, s *Segment) bool {
	return len(p) >= 2 && d.deeper() && d.ethernet(p[2:], wire-2, s)
}

// teredo reads IPv6 over UDP (RFC 4380 section 5.1.1): authentication and
// origin may stand in front.
func (d *decoder) teredo(p []byte, n int, s *Segment) bool {
	if len(p) >= 4 && p[0] == 0 && p[1] == 1 {
		size := 13 + int(p[2]) + int(p[3])
		if len(p) < size {
			return false
		}
		p, n = p[size:], n-size
	}
	if len(p) >= 8 && p[0] == 0 && p[1] == 0 {
		p, n = p[8:], n-8
	}
	if len(p) < 40 || p[0]>>4 != 6 || !d.enter() {
		return false
	}
	return d.ipv6(p, n, s)
}

// mpls passes over a label stack (RFC 3032). What follows is not named in it:
// the first four bits tell IP, and nought a pseudowire's control word (RFC
// 4385) in front of an Ethernet frame.
func (d *decoder) mpls(p []byte, wire int, s *Segment) bool {
	for {
		if len(p) < 4 {
			return false
		}
		bottom := p[2]&1 != 0
		p, wire = p[4:], wire-4
		if bottom {
			break
		}
	}
	if len(p) == 0 {
		return false
	}
	switch p[0] >> 4 {
	case 4:
		return d.ipv4(p, wire, s)
	case 6:
		return d.ipv6(p, wire, s)
	}
	if p[0]>>4 == 0 && len(p) >= 18 && leads(p[16:]) {
		p, wire = p[4:], wire-4
	} else if len(p) < 14 || !leads(p[12:]) {
		return false
	}
	return d.deeper() && d.ethernet(p, wire, s)
}

// leads reports whether an EtherType that goes on to IP stands here.
func leads(p []byte) bool {
	switch binary.BigEndian.Uint16(p) {
	case etherIPv4, etherIPv6, etherVLAN, etherQinQ:
		return true
	}
	return false
}

// pppoe reads a PPPoE session frame (RFC 2516).
func (d *decoder) pppoe(p []byte, wire int, s *Segment) bool {
	if len(p) < 6 || p[0] != 0x11 || p[1] != 0 {
		return false
	}
	n := int(binary.BigEndian.Uint16(p[4:]))
	p = p[6:]
	if len(p) > n {
		p = p[:n]
	}
	return d.ppp(p, min(wire-6, n), s)
}

// ppp reads a PPP protocol number, which may be compressed to one octet, with
// or without HDLC's address and control (RFC 1661, RFC 1662).
func (d *decoder) ppp(p []byte, wire int, s *Segment) bool {
	if len(p) >= 2 && p[0] == 0xff && p[1] == 3 {
		p, wire = p[2:], wire-2
	}
	if len(p) < 2 {
		return false
	}
	proto, size := uint16(p[0]), 1
	if p[0]&1 == 0 {
		proto, size = binary.BigEndian.Uint16(p), 2
	}
	p, wire = p[size:], wire-size
	switch proto {
	case 0x0021:
		return d.ipv4(p, wire, s)
	case 0x0057:
		return d.ipv6(p, wire, s)
	case 0x0281, 0x0283:
		return d.mpls(p, wire, s)
	}
	return false
}

// llc reads IEEE 802.2: SNAP with an EtherType, or IP by its old SAP.
func (d *decoder) llc(p []byte, wire int, s *Segment) bool {
	if len(p) < 3 {
		return false
	}
	switch {
	case p[0] == 0x06 && p[1] == 0x06 && p[2] == 0x03:
		return d.ipv4(p[3:], wire-3, s)
	case p[0] == 0xaa && p[1] == 0xaa && p[2] == 0x03 && len(p) >= 8:
		if oui := uint32(p[3])<<16 | uint32(p[4])<<8 | uint32(p[5]); oui != 0 && oui != 0xf8 {
			return false // another organisation's numbers
		}
		proto := binary.BigEndian.Uint16(p[6:])
		if proto <= 1500 { // no EtherType: not again a length
			return false
		}
		return d.deeper() && d.network(proto, p[8:], wire-8, s) // a VLAN tag leads here again
	}
	return false
}
