package capture

import (
	"encoding/binary"

	"tcpstate/reassembly"
)

// IP protocol numbers.
const (
	protoHopByHop = 0
	protoICMP     = 1
	protoIPIP     = 4
	protoTCP      = 6
	protoUDP      = 17
	protoIPv6     = 41
	protoRouting  = 43
	protoFragment = 44
	protoGRE      = 47
	protoAH       = 51
	protoICMPv6   = 58
	protoDestOpts = 60
	protoIPIP2    = 94
	protoEtherIP  = 97
	protoMPLS     = 137
	protoShim6    = 140
)

// ipv4 takes an IPv4 packet apart (RFC 791). wire is what the frame had left
// for it on the wire, padding included.
func (d *decoder) ipv4(p []byte, wire int, s *Segment) bool {
	if !d.verify && plain4(p, wire, s) {
		s.Mark = d.mark
		return true
	}
	if len(p) < 20 {
		return d.skip(truncatedIP)
	}
	if p[0]>>4 != 4 {
		return d.skip(badIPVersion)
	}
	head := int(p[0]&15) * 4
	if head < 20 {
		return d.skip(badIPHeader)
	}
	total := int(binary.BigEndian.Uint16(p[2:]))
	if total == 0 {
		// Segmentation offload: the network card would have filled it in.
		total = wire
	}
	if total < head {
		return d.skip(badIPLength)
	}
	if head > len(p) {
		return d.skip(truncatedIP)
	}
	if total > wire && !intact(p[:head]) {
		d.refuse(badIPLength)
		total = max(wire, head)
	}
	if len(p) > total {
		p = p[:total] // what follows is padding
	}
	s.TTL = p[8]
	s.IPID = binary.BigEndian.Uint16(p[4:])
	proto, dst := p[9], p[16:20]
	if head > 20 {
		dst = lastRouted(p[20:head], dst)
	}
	if frag := binary.BigEndian.Uint16(p[6:]) & 0x3fff; frag != 0 {
		return d.fragment4(p, dst, head, total, frag, s)
	}
	if proto == protoTCP {
		ok := d.tcp(p[12:16], dst, p[head:], total-head, s)
		s.HdrLen += uint16(head - 20)
		return ok
	}
	return d.transport(proto, p[12:16], dst, p[head:], total-head, s)
}

// lastRouted is where a source-routed packet ends: the last address of the route, until
// the packet has got there (RFC 791 section 3.1; RFC 1122 section 4.2.3.8: TCP's
// pseudo-header has that one). h is the options, dst what the header says.
func lastRouted(h, dst []byte) []byte {
	const end, nop, loose, strict = 0, 1, 131, 137
	for len(h) > 0 && h[0] != end {
		if h[0] == nop {
			h = h[1:]
			continue
		}
		if len(h) < 2 || h[1] < 2 || int(h[1]) > len(h) {
			break
		}
		n := int(h[1])
		if h[0] == loose || h[0] == strict {
			if n >= 7 && h[2] >= 4 && int(h[2]) <= n-3 {
				return h[n-4 : n]
			}
			break
		}
		h = h[n:]
	}
	return dst
}

// intact reports whether an IPv4 header is as it was sent, by its checksum (RFC 791
// section 3.1). Only of one that is, a length beyond the frame is believed: taps and
// mirror ports cut frames, and there are programs that forget how long a frame was. A
// checksum of 0 was left to the network card.
func intact(h []byte) bool {
	if h[10]|h[11] == 0 {
		return true
	}
	sum := uint32(0)
	for ; len(h) >= 2; h = h[2:] {
		sum += uint32(binary.BigEndian.Uint16(h))
	}
	return (sum>>16+sum)&0xffff == 0xffff
}

// ipv6 takes an IPv6 packet apart (RFC 8200). Its header has no checksum, so that a
// length beyond the frame is always believed.
func (d *decoder) ipv6(p []byte, wire int, s *Segment) bool {
	if !d.verify && plain6(p, s) {
		s.Mark = d.mark
		return true
	}
	if len(p) < 40 {
		return d.skip(truncatedIP)
	}
	if p[0]>>4 != 6 {
		return d.skip(badIPVersion)
	}
	n := int(binary.BigEndian.Uint16(p[4:]))
	if n == 0 && wire > 40 {
		// A jumbogram (RFC 2675) or segmentation offload: the frame's length
		// is right or as near as one gets.
		n = wire - 40
	}
	if len(p) > 40+n {
		p = p[:40+n]
	}
	s.TTL = p[7]
	s.IPID = 0
	if p[6] == protoTCP {
		return d.tcp(p[8:24], p[24:40], p[40:], n, s)
	}
	return d.extensions(p[6], p[8:24], p[24:40], p[40:], n, s)
}

// extensions walks the headers between IPv6 and what it carries. n is the
// length on the wire of what p begins. Header types: RFC 7045
// section 4, without mobility and host identity, behind which nothing comes.
func (d *decoder) extensions(next uint8, src, dst, p []byte, n int, s *Segment) bool {
	all := n
	for range maxHeaders {
		var size int
		switch next {
		case protoHopByHop, protoDestOpts, protoShim6, protoRouting:
			if len(p) < 8 {
				return d.cutHeader(n, 8)
			}
			size = int(p[1])*8 + 8
			if next == protoRouting && size <= len(p) {
				dst = finalHop(p[:size], dst)
			}
		case protoAH: // counted in words of 32 bits (RFC 4302 section 2.2)
			if len(p) < 8 {
				return d.cutHeader(n, 8)
			}
			size = int(p[1])*4 + 8
		case protoFragment:
			if len(p) < 8 {
				return d.cutHeader(n, 8)
			}
			if binary.BigEndian.Uint16(p[2:])&0xfff9 != 0 {
				return d.fragment6(src, dst, p, n, s)
			}
			size = 8 // alone: an atomic fragment (RFC 6946)
		default:
			ok := d.transport(next, src, dst, p, n, s)
			if next == protoTCP {
				s.HdrLen += uint16(all - n)
			}
			return ok
		}
		if size > n || size > len(p) {
			return d.cutHeader(n, size)
		}
		next, p, n = p[0], p[size:], n-size
	}
	return d.skip(deepHeaders)
}

// cutHeader counts an extension header that is not all there: because the
// packet is too short for it, or the capture.
func (d *decoder) cutHeader(n, size int) bool {
	if size > n {
		return d.skip(badIPHeader)
	}
	return d.skip(truncatedIP)
}

// finalHop is where a source-routed packet ends: its TCP header belongs to
// that address (RFC 8200 section 8.1), though the IPv6 header names the next
// hop. h is the routing header.
func finalHop(h, dst []byte) []byte {
	left := h[3]
	if left == 0 {
		return dst
	}
	switch {
	case h[2] == 4 && len(h) >= 24: // segment routing (RFC 8754): the list is backwards
		return h[8:24]
	case (h[2] == 0 || h[2] == 2) && len(h) >= 24: // RFC 2460, RFC 6275
		return h[len(h)-16:]
	}
	return dst
}

// transport goes on from a protocol number. n is the payload's length on the
// wire, p what was captured of it.
func (d *decoder) transport(proto uint8, src, dst, p []byte, n int, s *Segment) bool {
	switch proto {
	case protoTCP:
		return d.tcp(src, dst, p, n, s)
	case protoUDP:
		return d.udp(p, n, s)
	case protoICMP:
		return len(src) == 4 && d.icmp(src, p, s)
	case protoICMPv6:
		return len(src) == 16 && d.icmp6(src, p, s)
	case protoIPIP, protoIPIP2, protoIPv6, protoGRE, protoEtherIP, protoMPLS:
		return d.tunnel(proto, p, n, s)
	case protoAH:
		return d.extensions(proto, src, dst, p, n, s)
	}
	return false
}

// wanted are the protocols whose fragments are joined: TCP, and what may hold
// it. UDP is not among them: a tunnel over UDP shows the inner headers in its
// first fragment.
func wanted(proto uint8) bool {
	switch proto {
	case protoTCP, protoIPIP, protoIPIP2, protoIPv6, protoGRE, protoEtherIP, protoMPLS, protoAH,
		protoDestOpts, protoRouting, protoHopByHop, protoShim6:
		return true
	}
	return false
}

func (d *decoder) fragment4(p, dst []byte, head, total int, frag uint16, s *Segment) bool {
	proto := p[9]
	if !wanted(proto) || proto == protoHopByHop {
		if proto == protoUDP && frag&0x1fff == 0 {
			return d.transport(proto, p[12:16], dst, p[head:], total-head, s)
		}
		return false
	}
	k := reassembly.FragmentKey{ID: uint32(binary.BigEndian.Uint16(p[4:])), Proto: proto, VLAN: d.vlan}
	copy(k.Src[:], p[12:16])
	copy(k.Dst[:], dst)
	return d.join(k, reassembly.Fragment{
		Offset: int(frag&0x1fff) * 8, More: frag&0x2000 != 0, Len: total - head, Data: p[head:], Proto: proto,
	}, s)
}

// fragment6 gets the fragment header (RFC 8200 section 4.5) and what follows.
func (d *decoder) fragment6(src, dst, p []byte, n int, s *Segment) bool {
	if n < 8 {
		return d.skip(badIPLength)
	}
	v := binary.BigEndian.Uint16(p[2:])
	if !wanted(p[0]) {
		if p[0] == protoUDP && v&0xfff8 == 0 {
			return d.transport(protoUDP, src, dst, p[8:], n-8, s)
		}
		return false
	}
	k := reassembly.FragmentKey{V6: true, ID: binary.BigEndian.Uint32(p[4:]), VLAN: d.vlan}
	copy(k.Src[:], src)
	copy(k.Dst[:], dst)
	return d.join(k, reassembly.Fragment{
		Offset: int(v &^ 7), More: v&1 != 0, Len: n - 8, Data: p[8:], Proto: p[0],
	}, s)
}

func (d *decoder) join(k reassembly.FragmentKey, f reassembly.Fragment, s *Segment) bool {
	if d.mark&Unselected != 0 {
		return false // refused: nothing is put together with it
	}
	f.Time, f.Frame = d.f.time, d.frames
	f.Flag = d.sel != nil && d.sel.expr != nil && d.sel.matches(d)
	j, ok := d.frags.Add(&k, &f)
	if !ok {
		return false
	}
	if j.Flag {
		d.match = 1 // one fragment that the filter takes takes them all
	}
	d.mark |= Reassembled
	// The addresses are the key's, not the frame's: a datagram joined inside
	// a joined one may be put together where the frame's bytes now are.
	if k.V6 {
		return d.extensions(j.Proto, k.Src[:], k.Dst[:], j.Head, j.Len, s)
	}
	return d.transport(j.Proto, k.Src[:4], k.Dst[:4], j.Head, j.Len, s)
}
