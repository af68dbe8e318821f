package capture

import (
	"encoding/binary"
	"net/netip"
)

// quoteNeeds is how much of a TCP header an ICMP error has to quote: ports and
// sequence number. RFC 792 promises no more than these 8 octets.
const quoteNeeds = 8

// icmp looks for a TCP header in an ICMP error (RFC 792, RFC 1191). src is who
// sent the error.
func (d *decoder) icmp(src, p []byte, s *Segment) bool {
	if len(p) < 8 {
		return false
	}
	q := Quote{Type: p[0], Code: p[1]}
	switch q.Type {
	case 3: // destination unreachable
		if q.Code == 4 { // fragmentation needed
			q.MTU = uint32(binary.BigEndian.Uint16(p[6:]))
		}
	case 4, 5, 11, 12: // source quench, redirect, time exceeded, parameter problem
	default:
		return false
	}
	q.From = netip.AddrFrom4([4]byte(src))
	return d.quote(q, p[8:], s)
}

// icmp6 is the same for ICMPv6 (RFC 4443): destination unreachable, packet
// too big, time exceeded, parameter problem.
func (d *decoder) icmp6(src, p []byte, s *Segment) bool {
	if len(p) < 8 || p[0] < 1 || p[0] > 4 {
		return false
	}
	q := Quote{Type: p[0], Code: p[1], V6: true, From: netip.AddrFrom16([16]byte(src))}
	if q.Type == 2 {
		q.MTU = binary.BigEndian.Uint32(p[4:])
	}
	return d.quote(q, p[8:], s)
}

// quote reads the packet that an error quotes. A quote that is not TCP, or
// not its start, is no segment and no fault.
func (d *decoder) quote(q Quote, p []byte, s *Segment) bool {
	var src, dst []byte
	var ttl uint8
	var id uint16
	if q.V6 {
		if len(p) < 40 || p[0]>>4 != 6 {
			return false
		}
		src, dst, ttl = p[8:24], p[24:40], p[7]
		next := p[6]
		p = p[40:]
		for range maxHeaders {
			if next == protoTCP {
				break
			}
			if len(p) < 8 {
				return false
			}
			size := int(p[1])*8 + 8
			switch next {
			case protoHopByHop, protoDestOpts, protoShim6:
			case protoRouting:
				if size <= len(p) {
					dst = finalHop(p[:size], dst)
				}
			case protoAH:
				size = int(p[1])*4 + 8
			case protoFragment:
				if binary.BigEndian.Uint16(p[2:])&0xfff8 != 0 {
					return false
				}
				size = 8
			default:
				return false
			}
			if size > len(p) {
				return false
			}
			next, p = p[0], p[size:]
		}
		if next != protoTCP {
			return false
		}
	} else {
		if len(p) < 20 || p[0]>>4 != 4 || p[9] != protoTCP || binary.BigEndian.Uint16(p[6:])&0x1fff != 0 {
			return false
		}
		head := int(p[0]&15) * 4
		if head < 20 || head > len(p) {
			return false
		}
		src, dst, ttl, id = p[12:16], p[16:20], p[8], binary.BigEndian.Uint16(p[4:])
		p = p[head:]
	}
	if len(p) < quoteNeeds {
		return false
	}
	*s = Segment{
		Seq: binary.BigEndian.Uint32(p[4:]), Len: uint32(len(d.b.Quotes)), WScale: NoWScale,
		IPID: id, TTL: ttl, Mark: d.mark | Quoted | ShortQuote,
	}
	s.ends(src, dst, binary.BigEndian.Uint16(p), binary.BigEndian.Uint16(p[2:]))
	// Of what a redirect (type 5) quotes Wireshark reads 8 octets of TCP and no more,
	// however long it is: it gives it no stream number.
	if len(p) >= tcpNeeds && (q.V6 || q.Type != 5) {
		s.Mark &^= ShortQuote
		s.Ack, s.Flags, s.Window = binary.BigEndian.Uint32(p[8:]), p[13], binary.BigEndian.Uint16(p[14:])
	}
	d.b.Quotes = append(d.b.Quotes, q)
	return true
}
