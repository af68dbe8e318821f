package capture

import "encoding/binary"

// EtherTypes of what switches and overlays put in front of a frame or a packet.
const (
	etherPBB   = 0x88e7 // provider backbone bridging (IEEE 802.1Q section 9.7)
	etherETag  = 0x893f // port extension (IEEE 802.1BR section 7.4)
	etherVNTag = 0x8926 // Cisco's tag of virtual interfaces
	etherCMD   = 0x8909 // Cisco metadata: a security group
	etherNSH   = 0x894f // network service header (RFC 8300)
	etherTRILL = 0x22f3 // RFC 6325
)

// shim goes on behind such a header, as Wireshark does by default.
func (d *decoder) shim(proto uint16, p []byte, wire int, s *Segment) bool {
	size := 6 // what stands between this EtherType and the next one
	switch proto {
	case etherVNTag:
		size = 4
	case etherPBB: // flags and a service of 24 bits, then the customer's whole frame
		return len(p) >= 4 && d.deeper() && d.ethernet(p[4:], wire-4, s)
	case etherNSH:
		return d.nsh(p, wire, s)
	case etherTRILL: // the lowest three bits of the first octet and two more: words of options
		if len(p) < 6 {
			return false
		}
		size += int(binary.BigEndian.Uint16(p)>>6&31) * 4
		return len(p) >= size && d.deeper() && d.ethernet(p[size:], wire-size, s)
	}
	if len(p) < size+2 || !d.deeper() {
		return false
	}
	return d.network(binary.BigEndian.Uint16(p[size:]), p[size+2:], wire-size-2, s)
}

// nsh reads a network service header: its length in words, then what follows (RFC 8300
// section 2.2).
func (d *decoder) nsh(p []byte, wire int, s *Segment) bool {
	if len(p) < 8 {
		return false
	}
	size := int(p[1]&0x3f) * 4
	if size < 8 || len(p) < size || !d.deeper() {
		return false
	}
	return d.overlaid(p[3], p[size:], wire-size, s)
}

// overlaid goes on from the protocol number that NSH and VXLAN-GPE share.
func (d *decoder) overlaid(next uint8, p []byte, n int, s *Segment) bool {
	switch next {
	case 1:
		return d.ipv4(p, n, s)
	case 2:
		return d.ipv6(p, n, s)
	case 3:
		return d.ethernet(p, n, s)
	case 4:
		return d.nsh(p, n, s)
	case 5:
		return d.mpls(p, n, s)
	}
	return false
}
