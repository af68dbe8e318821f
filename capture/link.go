package capture

import (
	"encoding/binary"
	"strconv"
)

// Link types (LINKTYPE_ values, https://www.tcpdump.org/linktypes.html) whose
// frames are taken apart here. All others that gopacket knows go through
// slow.go.
const (
	linkNull       = 0
	linkEthernet   = 1
	linkPPP        = 9
	linkRawBSD     = 12 // DLT_RAW, which some programs write into files
	linkRawOpenBSD = 14
	linkPPPHDLC    = 50
	linkPPPoE      = 51
	linkRaw        = 101
	linkCHDLC      = 104
	linkDot11      = 105
	linkLoop       = 108
	linkEnc        = 109
	linkSLL        = 113
	linkPrism      = 119
	linkFireWireIP = 138
	linkPPPPPPD    = 166
	linkPPI        = 192
	linkPPPWithDir = 204
	linkUSBLinux   = 220
	linkIPv4       = 228
	linkIPv6       = 229
	linkNFLOG      = 239
	linkIPoIB      = 242
	linkPktap      = 258
	linkSLL2       = 276

	linkNone = 1 << 31 // a frame of no link at all
)

// EtherTypes (IEEE 802 numbers) that lead on to IP.
const (
	etherIPv4  = 0x0800
	etherIPv6  = 0x86dd
	etherVLAN  = 0x8100
	etherQinQ  = 0x88a8
	etherQinQ1 = 0x9100
	etherQinQ2 = 0x9200
	etherMPLS  = 0x8847
	etherMPLSm = 0x8848
	etherPPPoE = 0x8864
	etherPPP   = 0x880b
	etherTEB   = 0x6558 // transparent Ethernet bridging
	etherFP    = 0x8903 // Cisco FabricPath
)

var linkNames = map[uint32]string{
	linkNull: "BSD loopback", linkEthernet: "Ethernet", 6: "Token Ring", 7: "ARCnet", linkPPP: "PPP", 10: "FDDI",
	linkRawBSD: "raw IP", linkRawOpenBSD: "raw IP", linkPPPHDLC: "PPP in HDLC", linkPPPoE: "PPPoE",
	linkRaw: "raw IP", linkCHDLC: "Cisco HDLC", linkDot11: "IEEE 802.11", 107: "Frame Relay", linkLoop: "OpenBSD loopback",
	linkEnc: "OpenBSD IPsec", linkSLL: "Linux cooked v1", 117: "OpenBSD pflog", linkPrism: "Prism 802.11", 127: "radiotap 802.11",
	linkFireWireIP: "IP over FireWire", 147: "user 0", linkPPPPPPD: "PPP of pppd", 189: "USB", linkPPI: "PPI",
	linkPPPWithDir: "PPP with direction", linkUSBLinux: "USB", linkIPv4: "raw IPv4", linkIPv6: "raw IPv6", linkNFLOG: "Linux NFLOG",
	linkIPoIB: "IP over InfiniBand", 249: "USBPcap", 253: "netlink", linkPktap: "Apple pktap", linkSLL2: "Linux cooked v2",
}

// LinkName is what reports call a link type (a LINKTYPE_ value).
func LinkName(link uint32) string {
	if n, ok := linkNames[link]; ok {
		return n
	}
	return "link type " + strconv.FormatUint(uint64(link), 10)
}

// link dispatches on the link type. p is what was captured, wire the frame's
// original length. All decoders below report whether they wrote a segment.
func (d *decoder) link(link uint32, p []byte, wire int, s *Segment) bool {
	if link == linkEthernet { // nearly always
		return d.ethernet(p, wire, s)
	}
	switch link {
	case linkSLL: // LINKTYPE_LINUX_SLL: the protocol ends the 16-octet header
		if len(p) < 16 {
			return false
		}
		return d.network(binary.BigEndian.Uint16(p[14:]), p[16:], wire-16, s)
	case linkSLL2: // LINKTYPE_LINUX_SLL2: the protocol begins the 20-octet header
		if len(p) < 20 {
			return false
		}
		return d.network(binary.BigEndian.Uint16(p), p[20:], wire-20, s)
	case linkRaw, linkRawBSD, linkRawOpenBSD:
		return d.rawIP(p, wire, s)
	case linkIPv4:
		return d.ipv4(p, wire, s)
	case linkIPv6:
		return d.ipv6(p, wire, s)
	case linkNull, linkLoop:
		return d.loopback(p, wire, s)
	case linkNone:
		return false
	}
	return d.rareLink(link, p, wire, s)
}

func (d *decoder) ethernet(p []byte, wire int, s *Segment) bool {
	if len(p) < 14 {
		return false
	}
	proto := binary.BigEndian.Uint16(p[12:])
	if proto == etherIPv4 {
		return d.ipv4(p[14:], wire-14, s)
	}
	return d.network(proto, p[14:], wire-14, s)
}

// network goes on from an EtherType, through any stack of VLAN tags.
func (d *decoder) network(proto uint16, p []byte, wire int, s *Segment) bool {
	for {
		switch proto {
		case etherIPv4:
			return d.ipv4(p, wire, s)
		case etherIPv6:
			return d.ipv6(p, wire, s)
		case etherVLAN, etherQinQ, etherQinQ1, etherQinQ2:
			if len(p) < 4 {
				return false
			}
			d.tag(binary.BigEndian.Uint16(p) & 0x0fff)
			proto = binary.BigEndian.Uint16(p[2:])
			p, wire = p[4:], wire-4
			continue
		case etherMPLS, etherMPLSm:
			return d.mpls(p, wire, s)
		case etherPPPoE:
			return d.pppoe(p, wire, s)
		case etherPPP:
			return d.ppp(p, wire, s)
		case etherTEB:
			return d.deeper() && d.ethernet(p, wire, s)
		case etherFP:
			return d.fabricPath(p, wire, s)
		case etherPBB, etherETag, etherVNTag, etherCMD, etherNSH, etherTRILL:
			return d.shim(proto, p, wire, s)
		case 4: // Linux cooked: 802.2 LLC without a length
			return d.llc(p, wire, s)
		}
		if proto <= 1500 && proto > 4 && len(p) >= 3 { // a length (IEEE 802.3 section 3.2.6)
			return d.llc(p, wire, s)
		}
		return false
	}
}

// rawIP is a packet without link header: its first four bits are the version.
func (d *decoder) rawIP(p []byte, wire int, s *Segment) bool {
	if len(p) == 0 {
		return d.skip(truncatedIP)
	}
	switch p[0] >> 4 {
	case 4:
		return d.ipv4(p, wire, s)
	case 6:
		return d.ipv6(p, wire, s)
	}
	return d.skip(badIPVersion)
}

// loopback has an address family of the capturing system, in its byte order
// (LINKTYPE_NULL) or in network order (LINKTYPE_LOOP). Families are small
// numbers, which tells the order. IPv6 is 24, 28, 30 on the BSDs and macOS
// and 10 on Linux.
func (d *decoder) loopback(p []byte, wire int, s *Segment) bool {
	if len(p) < 4 {
		return false
	}
	af := binary.LittleEndian.Uint32(p)
	if af > 0xffff {
		af = binary.BigEndian.Uint32(p)
	}
	switch af {
	case 2:
		return d.ipv4(p[4:], wire-4, s)
	case 10, 24, 28, 30:
		return d.ipv6(p[4:], wire-4, s)
	}
	if af > 1536 && af <= 0xffff { // some writers put an EtherType there
		return d.network(uint16(af), p[4:], wire-4, s)
	}
	return false
}

// rareLink knows the framings that are a few octets in front of IP, and hands
// the rest to gopacket.
func (d *decoder) rareLink(link uint32, p []byte, wire int, s *Segment) bool {
	at, next := 0, uint32(0)
	switch link {
	case linkPPP:
		if len(p) >= 4 && p[0]&0x7f == 0x0f && p[1] == 0 { // Cisco's framing, unicast or multicast, under this link type
			return d.network(binary.BigEndian.Uint16(p[2:]), p[4:], wire-4, s)
		}
		return d.ppp(p, wire, s)
	case linkPPPWithDir: // an octet in front tells the direction
		if len(p) < 1 {
			return false
		}
		return d.ppp(p[1:], wire-1, s)
	case linkPPPPPPD: // the direction replaces HDLC's address
		if len(p) < 2 || p[1] != 3 {
			return false
		}
		return d.ppp(p[2:], wire-2, s)
	case linkPPPHDLC:
		if len(p) < 4 {
			return false
		}
		if p[0] != 0xff { // RFC 1547: Cisco's framing under this link type
			return d.network(binary.BigEndian.Uint16(p[2:]), p[4:], wire-4, s)
		}
		return d.ppp(p, wire, s)
	case linkCHDLC:
		if len(p) < 4 {
			return false
		}
		return d.network(binary.BigEndian.Uint16(p[2:]), p[4:], wire-4, s)
	case linkPPPoE:
		return d.pppoe(p, wire, s)
	case linkEnc: // family in host order, SPI, flags
		if len(p) < 12 {
			return false
		}
		return d.rawIP(p[12:], wire-12, s)
	case linkFireWireIP:
		if len(p) < 18 {
			return false
		}
		return d.network(binary.BigEndian.Uint16(p[16:]), p[18:], wire-18, s)
	case linkIPoIB: // both addresses, 20 octets each, then the header of RFC 4391 section 6
		if len(p) < 44 {
			return false
		}
		return d.network(binary.BigEndian.Uint16(p[40:]), p[44:], wire-44, s)
	case linkPPI: // version, flags, length, then the link type inside
		if len(p) < 8 {
			return false
		}
		at, next = int(binary.LittleEndian.Uint16(p[2:])), binary.LittleEndian.Uint32(p[4:])
	case linkPktap: // header length, record type, link type inside
		if len(p) < 12 {
			return false
		}
		at, next = int(int32(binary.LittleEndian.Uint32(p))), binary.LittleEndian.Uint32(p[8:])
	case linkNFLOG:
		return d.nflog(p, wire, s)
	default:
		return d.slowLink(link, p, wire, s)
	}
	if at < 8 || at > len(p) || next == linkPPI || next == linkPktap {
		return false
	}
	return d.link(next, p[at:], wire-at, s)
}

// nflog is a family octet, then attributes of length, type and value in the order of
// the host that captured; attribute 9 is the packet. Types are small numbers, which
// tells the order.
func (d *decoder) nflog(p []byte, wire int, s *Segment) bool {
	const payload = 9
	if len(p) < 8 {
		return false
	}
	big := p[6]&0x7f == 0
	for at := 4; at+4 <= len(p); {
		n, t := int(u16(p[at:], big)), u16(p[at+2:], big)
		if n < 4 {
			return false
		}
		if t&0x7fff == payload {
			return d.rawIP(p[at+4:min(at+n, len(p))], wire-at-4, s)
		}
		at += (n + 3) &^ 3
	}
	return false
}
