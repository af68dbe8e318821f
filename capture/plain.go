package capture

import (
	"encoding/binary"
	"math/bits"
)

// What nearly every frame holds is decoded here in one step: a TCP header that
// was captured whole, directly behind an IP header without options, extensions
// or fragmentation. Both functions report false for all else, the faulty
// included, and leave it to the decoders that look at one header after the
// other. For what they take, they write what those would write: all of the
// segment but Time, Frame, VLAN and Mark, which are of the frame.

// plainFrames writes the segments of frames up to the first that is not plain
// Ethernet, and returns how many there were. before is the number of the frame
// in front. ss has as many places as there are frames.
func plainFrames(fs []frame, ss []Segment, before uint64) int {
	for i := range fs {
		f, s := &fs[i], &ss[i]
		p := f.data
		if len(p) < 14 || f.ifc.link != linkEthernet {
			return i
		}
		switch binary.BigEndian.Uint16(p[12:]) {
		case etherIPv4:
			if !plain4(p[14:], f.wire-14, s) {
				return i
			}
		case etherIPv6:
			if !plain6(p[14:], s) {
				return i
			}
		default:
			return i
		}
		before++
		s.Time, s.Frame, s.VLAN, s.Mark = f.time, before, NoVLAN, 0
	}
	return len(fs)
}

// plain4 takes a packet that begins with an IPv4 header (RFC 791), for which the frame
// has wire octets. Nearly all that is read goes through here: it calls nothing for a
// segment as most of them are.
func plain4(p []byte, wire int, s *Segment) bool {
	if len(p) < 40 {
		return false
	}
	h := (*[40]byte)(p)
	total, head := int(binary.BigEndian.Uint16(h[2:])), int(h[32]>>4)*4
	// Of the flags and the offset, all but the reserved bit and Don't Fragment
	// have to be zero. What follows total is padding.
	if h[0] != 0x45 || h[9] != protoTCP || h[6]&0x3f|h[7] != 0 || head < 20 || total < 20+head || len(p) < 20+head || total > wire {
		return false
	}
	lo, hi, side := order4(h)
	k := &s.Key
	k.Lo, k.Hi = [16]byte{}, [16]byte{}
	binary.BigEndian.PutUint32(k.Lo[:], uint32(lo>>16))
	binary.BigEndian.PutUint32(k.Hi[:], uint32(hi>>16))
	k.LoPort, k.HiPort, k.V6 = uint16(lo), uint16(hi), false
	s.Side, s.Flags, s.Hash = side, h[33], hash4(uint32(lo>>16), uint32(hi>>16), lo&0xffff<<16|hi&0xffff)
	s.Seq, s.Ack, s.Len = binary.BigEndian.Uint32(h[24:]), binary.BigEndian.Uint32(h[28:]), uint32(total-20-head)
	s.Window, s.IPID, s.HdrLen, s.TTL = binary.BigEndian.Uint16(h[34:]), binary.BigEndian.Uint16(h[4:]), uint16(20+head), h[8]
	if head == 32 && binary.BigEndian.Uint32(p[40:]) == nopNopTS {
		s.MSS, s.WScale, s.Opts = 0, NoWScale, OptTS
		s.TSVal, s.TSEcr = binary.BigEndian.Uint32(p[44:]), binary.BigEndian.Uint32(p[48:])
		return true
	}
	s.optioned(p[40 : 20+head])
	return true
}

// plain6 takes a packet that begins with an IPv6 header (RFC 8200).
func plain6(p []byte, s *Segment) bool {
	if len(p) < 60 {
		return false
	}
	h := (*[60]byte)(p)
	n, head := int(binary.BigEndian.Uint16(h[4:])), int(h[52]>>4)*4
	if h[0]>>4 != 6 || h[6] != protoTCP || head < 20 || n < head || len(p) < 40+head {
		return false
	}
	s.Seq, s.Ack = binary.BigEndian.Uint32(h[44:]), binary.BigEndian.Uint32(h[48:])
	s.Len = uint32(n - head)
	s.Window, s.IPID, s.HdrLen = binary.BigEndian.Uint16(h[54:]), 0, uint16(40+head)
	s.Flags, s.TTL = h[53], h[7]
	s.optioned(p[60 : 40+head])
	s.ends6((*[16]byte)(h[8:]), (*[16]byte)(h[24:]), binary.BigEndian.Uint16(h[40:]), binary.BigEndian.Uint16(h[42:]))
	return true
}

// Options as the usual systems arrange them, as they stand in the header.
const (
	nopNopTS      = 0x0101080a // in nearly every segment behind the SYN
	mssLen        = 0x02040000 // maximum segment size, less its value
	sackOKTS      = 0x0402080a // Linux goes on with SACK permitted and timestamps
	nopWScale     = 0x01030300 // and ends with the window scale, less the shift count
	nopWScaleMask = 0xffffff00
)

// optioned writes the fields of the options. o is all of them.
func (s *Segment) optioned(o []byte) {
	s.MSS, s.WScale, s.Opts = 0, NoWScale, 0
	switch len(o) {
	case 0:
		s.TSVal, s.TSEcr = 0, 0
		return
	case 12:
		if binary.BigEndian.Uint32(o) == nopNopTS {
			s.Opts = OptTS
			s.TSVal, s.TSEcr = binary.BigEndian.Uint32(o[4:]), binary.BigEndian.Uint32(o[8:])
			return
		}
	case 20:
		mss, end := binary.BigEndian.Uint32(o), binary.BigEndian.Uint32(o[16:])
		if mss&0xffff0000 == mssLen && binary.BigEndian.Uint32(o[4:]) == sackOKTS && end&nopWScaleMask == nopWScale {
			s.MSS, s.WScale, s.Opts = uint16(mss), uint8(end), OptMSS|OptSACKOK|OptTS|OptWScale
			s.TSVal, s.TSEcr = binary.BigEndian.Uint32(o[8:]), binary.BigEndian.Uint32(o[12:])
			return
		}
	}
	s.TSVal, s.TSEcr = 0, 0
	s.options(o)
}

// order4 reads addresses and ports, address above port, behind an IPv4 header
// without options, and says on which side the sender is.
func order4(h *[40]byte) (lo, hi uint64, side uint8) {
	return order(uint64(binary.BigEndian.Uint32(h[12:]))<<16|uint64(binary.BigEndian.Uint16(h[20:])),
		uint64(binary.BigEndian.Uint32(h[16:]))<<16|uint64(binary.BigEndian.Uint16(h[22:])))
}

// order says which of two ends is Lo, and on which side x is. That is as good as
// random: it is worked out without a branch.
func order(x, y uint64) (lo, hi uint64, side uint8) {
	_, above := bits.Sub64(y, x, 0) // 1 where x is above y
	flip := (x ^ y) & -above
	return x ^ flip, y ^ flip, uint8(above)
}

// ends4 writes the key, the side of src and the hash of an IPv4 segment.
func (s *Segment) ends4(src, dst uint32, sport, dport uint16) {
	x, y, side := order(uint64(src)<<16|uint64(sport), uint64(dst)<<16|uint64(dport))
	k := &s.Key
	k.Lo = [16]byte{}
	k.Hi = [16]byte{}
	binary.BigEndian.PutUint32(k.Lo[:], uint32(x>>16))
	binary.BigEndian.PutUint32(k.Hi[:], uint32(y>>16))
	k.LoPort, k.HiPort, k.V6 = uint16(x), uint16(y), false
	s.Side = side
	s.Hash = hash4(uint32(x>>16), uint32(y>>16), x&0xffff<<16|y&0xffff)
}

// ends6 is the same for IPv6.
func (s *Segment) ends6(src, dst *[16]byte, sport, dport uint16) {
	a, b, c, d := binary.BigEndian.Uint64(src[:]), binary.BigEndian.Uint64(src[8:]), binary.BigEndian.Uint64(dst[:]), binary.BigEndian.Uint64(dst[8:])
	x, y := uint64(sport), uint64(dport)
	_, side := bits.Sub64(y, x, 0)
	_, side = bits.Sub64(d, b, side)
	_, side = bits.Sub64(c, a, side)
	f0, f1, f2 := (a^c)&-side, (b^d)&-side, (x^y)&-side
	a, b, c, d, x, y = a^f0, b^f1, c^f0, d^f1, x^f2, y^f2
	k := &s.Key
	binary.BigEndian.PutUint64(k.Lo[:], a)
	binary.BigEndian.PutUint64(k.Lo[8:], b)
	binary.BigEndian.PutUint64(k.Hi[:], c)
	binary.BigEndian.PutUint64(k.Hi[8:], d)
	k.LoPort, k.HiPort, k.V6 = uint16(x), uint16(y), true
	s.Side = uint8(side)
	s.Hash = hash6(a, b, c, d, x<<16|y)
}
