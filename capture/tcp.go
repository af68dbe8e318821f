package capture

import (
	"encoding/binary"

	"tcpstate/reassembly"
)

// TCP option kinds (IANA "TCP Option Kind Numbers").
const (
	kindEnd        = 0
	kindNop        = 1
	kindMSS        = 2
	kindWScale     = 3
	kindSACKOK     = 4
	kindSACK       = 5
	kindTS         = 8
	kindTFO        = 34
	kindExperiment = 254
)

// fastOpenID marks the experimental form of fast open (RFC 7413 section 4.1.1
// before the option had a number of its own).
const fastOpenID = 0xf989

// tcpNeeds is how much of the header has to be there: up to the window, which
// is also what Wireshark wants before it gives a stream a number.
const tcpNeeds = 16

// tcp writes the segment. p begins at the TCP header and may be cut; n is the
// length of header and payload on the wire.
func (d *decoder) tcp(src, dst, p []byte, n int, s *Segment) bool {
	if len(p) < tcpNeeds {
		if n < 20 {
			return d.skip(badTCPLength)
		}
		return d.skip(cutTCP)
	}
	head := int(p[12]>>4) * 4
	switch {
	case n < 20:
		d.skip(badTCPLength)
		return d.malformed(src, dst, p, p[13], s)
	case head < 20:
		d.skip(badTCPOffset)
		return d.malformed(src, dst, p, 0, s)
	case head > n:
		d.skip(badTCPOffset)
		return d.malformed(src, dst, p, p[13], s)
	}
	s.ends(src, dst, binary.BigEndian.Uint16(p), binary.BigEndian.Uint16(p[2:]))
	s.Seq = binary.BigEndian.Uint32(p[4:])
	s.Ack = binary.BigEndian.Uint32(p[8:])
	s.Flags = p[13]
	s.Len = uint32(n - head)
	if s.HdrLen = uint16(head + 20); len(src) == 16 {
		s.HdrLen += 20
	}
	s.Mark = d.mark
	s.Window = binary.BigEndian.Uint16(p[14:])
	if len(p) < head {
		s.optioned(nil)
		s.Mark |= Cut
		return true
	}
	s.optioned(p[20:head])
	// A joined datagram is not held whole, so its sum cannot be taken.
	if d.verify && len(p) >= n && s.Mark&Reassembled == 0 && !checksumOK(src, dst, p[:n]) {
		s.Mark |= BadChecksum
	}
	return true
}

// malformed writes what is needed to number a segment whose header no TCP sends.
// Wireshark gives it a stream number, so it has to count for that; nothing else
// is to be learnt of it, as if it were not selected. With a data offset below
// the least header Wireshark does not look at the flags.
func (d *decoder) malformed(src, dst, p []byte, flags uint8, s *Segment) bool {
	s.ends(src, dst, binary.BigEndian.Uint16(p), binary.BigEndian.Uint16(p[2:]))
	s.Seq, s.Ack = binary.BigEndian.Uint32(p[4:]), binary.BigEndian.Uint32(p[8:])
	s.Flags, s.Window = flags, binary.BigEndian.Uint16(p[14:])
	s.Len, s.HdrLen, s.TSVal, s.TSEcr, s.MSS = 0, 0, 0, 0, 0
	s.WScale, s.Opts = NoWScale, 0
	s.Mark = d.mark | Unselected
	return true
}

// options reads the options (RFC 9293 section 3.1). An option of a known kind
// with a wrong length is passed over; only what makes it impossible to find
// the next option sets OptBad.
func (s *Segment) options(o []byte) {
	for len(o) > 0 {
		kind := o[0]
		if kind == kindEnd {
			return
		}
		if kind == kindNop {
			o = o[1:]
			continue
		}
		if len(o) < 2 || o[1] < 2 || int(o[1]) > len(o) {
			s.Opts |= OptBad
			return
		}
		v := o[2:o[1]]
		o = o[o[1]:]
		switch kind {
		case kindMSS:
			if len(v) == 2 {
				s.Opts |= OptMSS
				s.MSS = binary.BigEndian.Uint16(v)
			}
		case kindWScale:
			if len(v) == 1 {
				s.Opts |= OptWScale
				s.WScale = v[0]
			}
		case kindSACKOK:
			if len(v) == 0 {
				s.Opts |= OptSACKOK
			}
		case kindSACK:
			if len(v) >= 8 && len(v)%8 == 0 {
				s.Opts |= OptSACK
				if duplicate(v, s.Ack) {
					s.Opts |= OptDSACK
				}
			}
		case kindTS:
			if len(v) == 8 {
				s.Opts |= OptTS
				s.TSVal, s.TSEcr = binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:])
			}
		case kindTFO: // a request is empty, a cookie has 4 to 16 octets, an even number
			if len(v) == 0 || len(v) >= 4 && len(v) <= 16 && len(v)%2 == 0 {
				s.Opts |= OptTFO
			}
		case kindExperiment:
			if len(v) >= 2 && binary.BigEndian.Uint16(v) == fastOpenID {
				s.Opts |= OptTFO
			}
		}
	}
}

// duplicate reports whether the first SACK block tells of data received twice:
// it lies below the acknowledgment, or inside the second block (RFC 2883
// section 4).
func duplicate(blocks []byte, ack uint32) bool {
	at := func(i int) reassembly.Seq { return reassembly.Seq(binary.BigEndian.Uint32(blocks[i:])) }
	left, right := at(0), at(4)
	if !left.Less(right) {
		return false
	}
	if right.LessEq(reassembly.Seq(ack)) {
		return true
	}
	return len(blocks) >= 16 && at(8).LessEq(left) && right.LessEq(at(12))
}

// checksumOK sums a whole TCP segment with its pseudo header (RFC 9293 section
// 3.1, RFC 8200 section 8.1).
func checksumOK(src, dst, p []byte) bool {
	sum := uint64(protoTCP) + uint64(len(p))
	for _, b := range [...][]byte{src, dst, p} {
		for len(b) >= 4 {
			sum += uint64(binary.BigEndian.Uint32(b))
			b = b[4:]
		}
		if len(b) >= 2 {
			sum += uint64(binary.BigEndian.Uint16(b))
			b = b[2:]
		}
		if len(b) == 1 {
			sum += uint64(b[0]) << 8
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return sum == 0xffff
}
