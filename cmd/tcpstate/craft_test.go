package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
	"github.com/klauspost/compress/zstd"
)

// The parts that captures are made of: conversations written down as text,
// coats to put around their IP packets, and files to lay them in. What is
// wrong with an input is not known here: an error is a mistake in a recipe.

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// crafted is one frame on its way into a file.
type crafted struct {
	at   int64 // ns since 1970
	data []byte
	back bool // from the server
}

// epoch is when made captures begin: 2026-01-01 00:00:00 UTC.
const epoch = 1767225600e9

// talk turns text into the IP packets of one conversation. A line is
//
//	MS DIRECTION FLAGS SEQ [ACK] [KEY=VALUE...]
//
// the milliseconds since epoch; > from the client or < from the server; the
// letters of the control bits, or - for none; the sequence and acknowledgment
// numbers relative to the ISNs. The keys are len (of the payload), win, and
// isn (the sender's from here on). A SYN offers MSS 1460, window scale 7 and
// SACK. IP identifications count up at each end.
func talk(client, server string, isn [2]uint32, text string) []crafted {
	ends := [2]netip.AddrPort{netip.MustParseAddrPort(client), netip.MustParseAddrPort(server)}
	ids := [2]uint16{1000, 2000}
	var out []crafted
	for line := range strings.Lines(strings.TrimSpace(text)) {
		w := strings.Fields(line)
		if len(w) == 0 {
			continue
		}
		ms, err := strconv.ParseFloat(w[0], 64)
		must(err)
		c := crafted{at: epoch + int64(ms*1000)*1000, back: w[1] == "<"}
		from := 0
		if c.back {
			from = 1
		}
		n, keys := []int64{0, 0}, map[string]int64{"win": 502}
		for i, v := range w[3:] {
			k, val, keyed := strings.Cut(v, "=")
			if !keyed {
				k, val = "", v
			}
			x, err := strconv.ParseInt(val, 0, 64)
			must(err)
			if keyed {
				keys[k] = x
			} else {
				n[i] = x
			}
		}
		if v, ok := keys["isn"]; ok {
			isn[from] = uint32(v)
		}
		ids[from]++
		has := func(flag string) bool { return strings.Contains(w[2], flag) }
		tcp := &layers.TCP{
			SrcPort: layers.TCPPort(ends[from].Port()), DstPort: layers.TCPPort(ends[1-from].Port()),
			Seq: isn[from] + uint32(n[0]), Window: uint16(keys["win"]),
			SYN: has("S"), ACK: has("A"), FIN: has("F"), RST: has("R"), PSH: has("P"), URG: has("U"), ECE: has("E"), CWR: has("C"),
		}
		if tcp.ACK {
			tcp.Ack = isn[1-from] + uint32(n[1])
		}
		if tcp.SYN {
			tcp.Window = 64240
			tcp.Options = []layers.TCPOption{
				{OptionType: layers.TCPOptionKindMSS, OptionLength: 4, OptionData: []byte{0x05, 0xb4}},
				{OptionType: layers.TCPOptionKindSACKPermitted, OptionLength: 2},
				{OptionType: layers.TCPOptionKindNop},
				{OptionType: layers.TCPOptionKindWindowScale, OptionLength: 3, OptionData: []byte{7}},
			}
		}
		c.data = packet(ends[from].Addr(), ends[1-from].Addr(), ids[from], tcp, bytes.Repeat([]byte("x"), int(keys["len"])))
		out = append(out, c)
	}
	return out
}

// packet is an IP packet around a TCP segment.
func packet(src, dst netip.Addr, id uint16, tcp *layers.TCP, payload []byte) []byte {
	var ip gopacket.NetworkLayer
	if src.Is4() {
		ip = &layers.IPv4{Version: 4, IHL: 5, TTL: 64, Id: id, Flags: layers.IPv4DontFragment, Protocol: layers.IPProtocolTCP, SrcIP: src.AsSlice(), DstIP: dst.AsSlice()}
	} else {
		ip = &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolTCP, SrcIP: src.AsSlice(), DstIP: dst.AsSlice()}
	}
	must(tcp.SetNetworkLayerForChecksum(ip))
	return pack(ip.(gopacket.SerializableLayer), tcp, gopacket.Payload(payload))
}

func pack(l ...gopacket.SerializableLayer) []byte {
	b := gopacket.NewSerializeBuffer()
	must(gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, l...))
	return slices.Clone(b.Bytes())
}

// merge puts several conversations into one, by time.
func merge(talks ...[]crafted) []crafted {
	all := slices.Concat(talks...)
	slices.SortStableFunc(all, func(a, b crafted) int { return cmp.Compare(a.at, b.at) })
	return all
}

// A coat makes the frame that carries an IP packet. back tells the direction.
type coat func(ip []byte, back bool) []byte

// wear puts a coat on every packet.
func wear(c coat, frames []crafted) []crafted {
	out := slices.Clone(frames)
	for i := range out {
		out[i].data = c(out[i].data, out[i].back)
	}
	return out
}

// etherType of an IP packet.
func etherType(ip []byte) layers.EthernetType {
	if ip[0]>>4 == 6 {
		return layers.EthernetTypeIPv6
	}
	return layers.EthernetTypeIPv4
}

var macs = [2]net.HardwareAddr{{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}}

func ethernetHeader(t layers.EthernetType, back bool) *layers.Ethernet {
	if back {
		return &layers.Ethernet{SrcMAC: macs[1], DstMAC: macs[0], EthernetType: t}
	}
	return &layers.Ethernet{SrcMAC: macs[0], DstMAC: macs[1], EthernetType: t}
}

func inEthernet(ip []byte, back bool) []byte {
	return pack(ethernetHeader(etherType(ip), back), gopacket.Payload(ip))
}

func inVLAN(ip []byte, back bool) []byte {
	return pack(ethernetHeader(layers.EthernetTypeDot1Q, back), &layers.Dot1Q{VLANIdentifier: 42, Type: etherType(ip)}, gopacket.Payload(ip))
}

func inQinQ(ip []byte, back bool) []byte {
	return pack(ethernetHeader(layers.EthernetTypeQinQ, back), &layers.Dot1Q{VLANIdentifier: 7, Type: layers.EthernetTypeDot1Q},
		&layers.Dot1Q{VLANIdentifier: 42, Type: etherType(ip)}, gopacket.Payload(ip))
}

func inPPPoE(ip []byte, back bool) []byte {
	return pack(ethernetHeader(layers.EthernetTypePPPoESession, back), &layers.PPPoE{Version: 1, Type: 1, SessionId: 17},
		&layers.PPP{PPPType: layers.PPPTypeIPv4}, gopacket.Payload(ip))
}

func inMPLS(ip []byte, back bool) []byte {
	return pack(ethernetHeader(layers.EthernetTypeMPLSUnicast, back), &layers.MPLS{Label: 100, TTL: 64},
		&layers.MPLS{Label: 200, TTL: 64, StackBottom: true}, gopacket.Payload(ip))
}

// outer is the IP header of a tunnel between two routers.
func outer(p layers.IPProtocol, back bool) *layers.IPv4 {
	a, b := net.IP{198, 51, 100, 1}, net.IP{198, 51, 100, 2}
	if back {
		a, b = b, a
	}
	return &layers.IPv4{Version: 4, IHL: 5, TTL: 60, Protocol: p, SrcIP: a, DstIP: b}
}

func inGRE(ip []byte, back bool) []byte {
	return pack(ethernetHeader(layers.EthernetTypeIPv4, back), outer(layers.IPProtocolGRE, back),
		&layers.GRE{Protocol: etherType(ip), KeyPresent: true, Key: 9}, gopacket.Payload(ip))
}

func inVXLAN(ip []byte, back bool) []byte {
	o := outer(layers.IPProtocolUDP, back)
	udp := &layers.UDP{SrcPort: 50000, DstPort: 4789}
	must(udp.SetNetworkLayerForChecksum(o))
	return pack(ethernetHeader(layers.EthernetTypeIPv4, back), o, udp,
		&layers.VXLAN{ValidIDFlag: true, VNI: 5000}, ethernetHeader(etherType(ip), back), gopacket.Payload(ip))
}

// inCooked is Linux cooked v1: direction, ARPHRD_ETHER, address, EtherType.
func inCooked(ip []byte, back bool) []byte {
	h := []byte{0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0}
	if back {
		h[1] = 0
	}
	binary.BigEndian.PutUint16(h[14:], uint16(etherType(ip)))
	return append(h, ip...)
}

// inNull is BSD loopback: the address family of a little-endian host.
func inNull(ip []byte, _ bool) []byte {
	family := byte(2)
	if ip[0]>>4 == 6 {
		family = 30 // Darwin's AF_INET6
	}
	return append([]byte{family, 0, 0, 0}, ip...)
}

// inLoop is OpenBSD's, in network order.
func inLoop(ip []byte, back bool) []byte {
	b := inNull(ip, back)
	b[0], b[3] = b[3], b[0]
	return b
}

// linkIPoIB is LINKTYPE_IPOIB, which gopacket has no name for.
const linkIPoIB layers.LinkType = 242

// inIPoIB is IP over InfiniBand: the address of the receiver (20 octets: queue pair and
// GID), that of the sender, EtherType and two octets of nothing.
func inIPoIB(ip []byte, back bool) []byte {
	b := make([]byte, 40, 44+len(ip))
	b[3], b[23] = 0x4a, 0x4b
	b[19], b[39] = 2, 1
	if back {
		b[3], b[23], b[19], b[39] = b[23], b[3], b[39], b[19]
	}
	b = binary.BigEndian.AppendUint16(b, uint16(etherType(ip)))
	return append(append(b, 0, 0), ip...)
}

// extended inserts a hop-by-hop header, destination options and a fragment
// header that fragments nothing.
func extended(ip []byte, _ bool) []byte {
	b := slices.Clone(ip[:40])
	next := b[6]
	b[6] = 0
	b = append(b, 60, 0, 1, 4, 0, 0, 0, 0)
	b = append(b, 44, 0, 1, 4, 0, 0, 0, 0)
	b = append(b, next, 0, 0, 0, 0, 0, 0, 77)
	binary.BigEndian.PutUint16(b[4:], uint16(len(ip)-40+24))
	return append(b, ip[40:]...)
}

// fragments cuts packets with a payload into two, the second one first where
// the server sends.
func fragments(frames []crafted) (out []crafted) {
	const first = 64 // octets after the IP header, a multiple of 8
	for i, f := range frames {
		v6 := f.data[0]>>4 == 6
		head := 20
		if v6 {
			head = 40
		}
		if len(f.data) <= head+first {
			out = append(out, f)
			continue
		}
		piece := func(from, to int, more bool) crafted {
			b := slices.Clone(f.data[:head])
			var flag uint16
			if v6 {
				if more {
					flag = 1
				}
				b = append(b, b[6], 0, 0, 0, 0, 0, 0, byte(i))
				b[6] = 44
				binary.BigEndian.PutUint16(b[42:], uint16(from)|flag)
				binary.BigEndian.PutUint16(b[4:], uint16(to-from+8))
			} else {
				if more {
					flag = 0x2000
				}
				binary.BigEndian.PutUint16(b[6:], uint16(from/8)|flag)
				binary.BigEndian.PutUint16(b[2:], uint16(head+to-from))
				binary.BigEndian.PutUint16(b[10:], 0)
				binary.BigEndian.PutUint16(b[10:], checksum(b))
			}
			return crafted{f.at, append(b, f.data[head+from:head+to]...), f.back}
		}
		a, b := piece(0, first, true), piece(first, len(f.data)-head, false)
		if f.back {
			a, b = b, a
		}
		b.at += 10_000
		out = append(out, a, b)
	}
	return out
}

func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// mirrored shows each packet twice, the second time behind a router.
func mirrored(frames []crafted) (out []crafted) {
	for _, f := range frames {
		c := crafted{f.at + 20_000, slices.Clone(f.data), f.back}
		c.data[8]--
		binary.BigEndian.PutUint16(c.data[10:], 0)
		binary.BigEndian.PutUint16(c.data[10:], checksum(c.data[:20]))
		out = append(out, f, c)
	}
	return out
}

// only keeps the packets with one of the control bits.
func only(bits byte, frames []crafted) []crafted {
	return slices.DeleteFunc(slices.Clone(frames), func(f crafted) bool { return f.data[20+13]&bits == 0 })
}

// pcapFile is a classic pcap file as pcapgo writes it.
func pcapFile(link layers.LinkType, frames []crafted) []byte {
	var b bytes.Buffer
	w := pcapgo.NewWriter(&b)
	must(w.WriteFileHeader(262144, link))
	for _, f := range frames {
		must(w.WritePacket(gopacket.CaptureInfo{Timestamp: time.Unix(0, f.at), CaptureLength: len(f.data), Length: len(f.data)}, f.data))
	}
	return b.Bytes()
}

// bigEndianNanos is a pcap file with nanoseconds from a big-endian machine.
func bigEndianNanos(link uint32, frames []crafted) []byte {
	be := binary.BigEndian
	b := be.AppendUint32(nil, 0xa1b23c4d)
	b = append(b, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0)
	b = be.AppendUint32(be.AppendUint32(b, 65535), link)
	for _, f := range frames {
		for _, v := range []uint32{uint32(f.at / 1e9), uint32(f.at % 1e9), uint32(len(f.data)), uint32(len(f.data))} {
			b = be.AppendUint32(b, v)
		}
		b = append(b, f.data...)
	}
	return b
}

// ngWriter writes pcapng block by block in either byte order, also what no
// honest program writes.
type ngWriter struct {
	order interface {
		binary.ByteOrder
		binary.AppendByteOrder
	}
	b []byte
}

type ngOption struct {
	code uint16
	v    []byte
}

func (w *ngWriter) options(o []ngOption) (b []byte) {
	for _, o := range o {
		b = w.order.AppendUint16(w.order.AppendUint16(b, o.code), uint16(len(o.v)))
		b = pad4(append(b, o.v...))
	}
	if len(o) > 0 {
		b = append(b, 0, 0, 0, 0)
	}
	return b
}

func pad4(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func (w *ngWriter) u32s(v ...uint32) (b []byte) {
	for _, v := range v {
		b = w.order.AppendUint32(b, v)
	}
	return b
}

func (w *ngWriter) u64(v uint64) []byte { return w.order.AppendUint64(nil, v) }

func (w *ngWriter) block(kind uint32, body []byte) {
	body = pad4(body)
	n := uint32(len(body) + 12)
	w.b = slices.Concat(w.b, w.u32s(kind, n), body, w.u32s(n))
}

func (w *ngWriter) section() {
	body := w.u32s(0x1a2b3c4d)
	body = w.order.AppendUint16(w.order.AppendUint16(body, 1), 0)
	w.block(0x0a0d0d0a, append(body, bytes.Repeat([]byte{0xff}, 8)...))
}

func (w *ngWriter) iface(link uint16, o ...ngOption) {
	body := w.order.AppendUint16(w.order.AppendUint16(nil, link), 0)
	w.block(1, slices.Concat(body, w.u32s(262144), w.options(o)))
}

func (w *ngWriter) packet(iface uint32, ticks uint64, data []byte, o ...ngOption) {
	n := uint32(len(data))
	w.block(6, slices.Concat(w.u32s(iface, uint32(ticks>>32), uint32(ticks), n, n), pad4(slices.Clone(data)), w.options(o)))
}

func (w *ngWriter) stats(iface uint32, ticks uint64, o ...ngOption) {
	w.block(5, slices.Concat(w.u32s(iface, uint32(ticks>>32), uint32(ticks)), w.options(o)))
}

func gzipped(b []byte) []byte {
	var z bytes.Buffer
	w, err := gzip.NewWriterLevel(&z, gzip.BestCompression)
	must(err)
	_, err = w.Write(b)
	must(err)
	must(w.Close())
	return z.Bytes()
}

func zstded(b []byte) []byte {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	must(err)
	return w.EncodeAll(b, nil)
}

// unreachable is the ICMP or ICMPv6 error that a router sends back for a
// packet, quoting n octets of its TCP header.
func unreachable(f crafted, after time.Duration, n int) crafted {
	var b []byte
	if f.data[0]>>4 == 4 {
		ip := &layers.IPv4{Version: 4, IHL: 5, TTL: 63, Protocol: layers.IPProtocolICMPv4, SrcIP: net.IP{10, 0, 0, 254}, DstIP: f.data[12:16]}
		b = pack(ip, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(3, 1)}, gopacket.Payload(f.data[:20+n]))
	} else {
		router := netip.MustParseAddr("2001:db8::fe")
		ip := &layers.IPv6{Version: 6, HopLimit: 63, NextHeader: layers.IPProtocolICMPv6, SrcIP: router.AsSlice(), DstIP: f.data[8:24]}
		icmp := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(1, 3)}
		must(icmp.SetNetworkLayerForChecksum(ip))
		b = pack(ip, icmp, gopacket.Payload(append([]byte{0, 0, 0, 0}, f.data[:40+n]...)))
	}
	return crafted{f.at + int64(after), b, !f.back}
}
