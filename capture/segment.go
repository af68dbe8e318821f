package capture

import (
	"net/netip"
)

// TCP control bits as they stand in octet 13 of the header (RFC 9293 section 3.1).
const (
	FIN uint8 = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// Option bits: which TCP options the segment carried in well-formed shape.
const (
	OptMSS    uint8 = 1 << iota // maximum segment size (RFC 9293 section 3.7.1), value in Segment.MSS
	OptWScale                   // window scale (RFC 7323 section 2), value in Segment.WScale
	OptSACKOK                   // SACK permitted (RFC 2018 section 2)
	OptSACK                     // at least one SACK block (RFC 2018 section 3)
	OptTS                       // timestamps (RFC 7323 section 3), values in TSVal and TSEcr
	OptTFO                      // fast open cookie or request (RFC 7413, and the experimental form)
	OptBad                      // the options did not parse to their end
	OptDSACK                    // the first SACK block reports a duplicate (RFC 2883 section 4)
)

// Mark bits say what is special about how a segment came to be here.
const (
	// Unselected: a filter or --host, --net, --port, --vlan left the segment
	// out, or a header is malformed. It still counts for the numbers of
	// frames and connections.
	Unselected uint8 = 1 << iota
	// Quoted: not a segment on its way but the start of one, quoted in an
	// ICMP or ICMPv6 error. Only Key, Side, Seq and, if the quote was long
	// enough (not ShortQuote), Ack, Flags and Window are known. Len is the index of the error
	// in Batch.Quotes.
	Quoted
	// Cut: the snap length ended inside the TCP header; options are unknown.
	Cut
	// BadChecksum: checksums are verified and this one is wrong.
	BadChecksum
	// Reassembled: joined from fragments; it carries the frame number and
	// time of the fragment that completed it.
	Reassembled
	// Tunnelled: found inside another packet (GRE, IP in IP, VXLAN ...).
	Tunnelled
	// TimeBack: the frame's time is before that of the frame before it.
	TimeBack
	// ShortQuote: a quote of fewer than 16 octets of TCP header, or in a redirect;
	// Ack, Flags and Window are unknown. Wireshark gives no stream number for such a one.
	ShortQuote
)

// NoVLAN is the VLAN of an untagged frame; priority-tagged frames have VLAN 0.
const NoVLAN uint16 = 0xffff

// NoWScale is Segment.WScale where the option is absent.
const NoWScale uint8 = 0xff

// Key names the two ends of a connection without direction. It is comparable,
// of fixed size and free of pointers. The end that is lower by (address, port),
// compared as octets, is Lo. IPv4 addresses stand in the first four octets, the rest zero,
// with V6 false, so that an IPv4 address and its IPv4-mapped form differ, as
// they do on the wire.
type Key struct {
	Lo, Hi         [16]byte
	LoPort, HiPort uint16
	V6             bool
}

// Segment is all that later layers know of one TCP segment. It holds no
// pointer: batches of it are of no interest to the garbage collector.
//
// Len is the payload's length on the wire, by the IP header, whatever the
// snap length kept; where segmentation offload left the IP length zero, it
// comes from the frame's original length. An IP length beyond that is taken
// for a frame that was cut on its way here, unless the header's checksum says
// that the length is wrong.
type Segment struct {
	Time   int64  // nanoseconds since 1970 UTC
	Frame  uint64 // from 1, over all files
	Key    Key
	Side   uint8  // who sent it: 0 the Lo end of Key, 1 the Hi end. 0 when both are the same
	Flags  uint8  // FIN ... CWR
	Hash   uint32 // of Key, seeded, the same for both directions
	Seq    uint32
	Ack    uint32 // as in the header, whether or not ACK is set
	Len    uint32 // payload octets, without SYN and FIN
	TSVal  uint32 // valid with OptTS
	TSEcr  uint32 // valid with OptTS
	Window uint16 // as in the header, unscaled
	IPID   uint16 // IPv4 identification; 0 for IPv6 (the flow label is not an id)
	MSS    uint16 // valid with OptMSS
	VLAN   uint16 // innermost 802.1Q id, or NoVLAN
	HdrLen uint16 // octets of IP and TCP headers, options and extension headers included
	WScale uint8  // shift count, or NoWScale
	Opts   uint8  // OptMSS ...
	TTL    uint8  // or hop limit
	Mark   uint8  // Unselected ...
}

// Has reports whether all control bits of mask are set.
func (s *Segment) Has(mask uint8) bool { return s.Flags&mask == mask }

// SeqLen is the sequence space that the segment takes: its payload, and one
// each for SYN and FIN (RFC 9293 section 3.4).
func (s *Segment) SeqLen() uint32 {
	return s.Len + uint32(s.Flags>>1&1) + uint32(s.Flags&1)
}

// Src returns the address and port of the sender.
func (s *Segment) Src() netip.AddrPort { return s.Key.End(s.Side) }

// Dst returns the address and port of the receiver.
func (s *Segment) Dst() netip.AddrPort { return s.Key.End(s.Side ^ 1) }

// End returns address and port of the Lo end (side 0) or the Hi end (side 1).
func (k *Key) End(side uint8) netip.AddrPort {
	a, p := &k.Lo, k.LoPort
	if side != 0 {
		a, p = &k.Hi, k.HiPort
	}
	if k.V6 {
		return netip.AddrPortFrom(netip.AddrFrom16(*a), p)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(a[:4])), p)
}

// Self reports whether both ends are the same: a connection to itself.
func (k *Key) Self() bool { return k.LoPort == k.HiPort && k.Lo == k.Hi }
