package capture

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// everyLink is a frame of each link type that is taken apart here, with TCP in it.
func everyLink() map[uint32][]byte {
	four := ip4("10.0.0.1", "10.0.0.2", protoTCP, plainSeg.bytes())
	six := ip6("fd00::1", "fd00::2", protoTCP, plainSeg.bytes())
	frame := plainFrame(plainSeg)
	ppp := cat([]byte{0xff, 3, 0, 0x21}, four)
	return map[uint32][]byte{
		linkNull: cat(le32(2), four), linkEthernet: frame, linkPPP: ppp, linkRawBSD: four, linkRawOpenBSD: six,
		linkPPPHDLC: ppp, linkPPPoE: cat([]byte{0x11, 0, 0, 1}, be16(len(ppp)), ppp), linkRaw: six,
		linkCHDLC: cat([]byte{0x0f, 0}, be16(etherIPv4), four), linkLoop: cat(be32(24), six),
		linkEnc: cat(le32(2), make([]byte, 8), four), linkSLL: cat(make([]byte, 14), be16(etherIPv6), six),
		linkFireWireIP: cat(make([]byte, 16), be16(etherIPv4), four), linkPPPPPPD: cat([]byte{0, 3, 0, 0x21}, four),
		linkPPI: cat([]byte{0, 0, 8, 0}, le32(linkEthernet), frame), linkPPPWithDir: cat([]byte{1}, ppp),
		linkIPv4: four, linkIPv6: six, linkNFLOG: cat([]byte{2, 0, 0, 0}, le16(8), le16(1), make([]byte, 4), le16(4+len(four)), le16(9), four),
		linkIPoIB: cat(make([]byte, 40), be16(etherIPv4), be16(0), four),
		linkPktap: cat(le32(108), le32(1), le32(linkEthernet), make([]byte, 96), frame), linkSLL2: cat(be16(etherIPv4), make([]byte, 18), four),
	}
}

// A frame of each link type leads to its segment, and so do those that the fuzzer begins with.
func TestEveryLink(t *testing.T) {
	for link, data := range everyLink() {
		if s, _, ok, st := decodeOne(link, data, 0); !ok || s.Seq != plainSeg.seq || s.Len != uint32(len(plainSeg.payload)) {
			t.Errorf("%s: %v %+v %+v", LinkName(link), ok, s, st.Skipped)
		}
	}
}

// FuzzOptions reads options that a TCP header may have, beside gopacket. What it understands
// of them is understood here, and nothing stands in a segment that has no option for it.
func FuzzOptions(f *testing.F) {
	for _, o := range plainOptions {
		f.Add(o, uint32(5))
	}
	f.Add([]byte{5, 18, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 9, 34, 2}, uint32(9))
	f.Add([]byte{254, 12, 0xf9, 0x89, 1, 2, 3, 4, 5, 6, 7, 8, 2, 0, 0, 0}, uint32(9))
	f.Fuzz(func(t *testing.T, o []byte, ack uint32) {
		o = o[:min(len(o), 40)]
		var s Segment
		s.Ack, s.WScale = ack, NoWScale
		s.options(o)
		var again Segment // what stands behind the end of options is no option
		again.Ack, again.WScale = ack, NoWScale
		again.options(append(bytes.Clone(o), kindEnd, kindMSS, 4, 1, 2))
		if s.Opts&OptBad == 0 && unended(o) && again != s {
			t.Fatalf("%x: %+v, and with an end %+v", o, s, again)
		}
		if s.Opts&OptMSS == 0 && s.MSS != 0 || s.Opts&OptWScale == 0 && s.WScale != NoWScale || s.Opts&OptTS == 0 && (s.TSVal != 0 || s.TSEcr != 0) ||
			s.Opts&OptDSACK != 0 && s.Opts&OptSACK == 0 {
			t.Fatalf("%x: %+v", o, s)
		}
		h := seg{sport: 1, dport: 2, seq: 3, ack: ack, flags: ACK, options: o}
		for len(h.options)%4 != 0 {
			h.options = append(h.options[:len(h.options):len(h.options)], kindNop)
		}
		if s.Opts&OptBad == 0 { // else gopacket gives up earlier
			differs(t, linkRaw, ip4("10.0.0.1", "10.0.0.2", protoTCP, h.bytes()), "options")
		}
		agree(t, linkRaw, ip4("10.0.0.1", "10.0.0.2", protoTCP, h.bytes()), 40+len(h.options))
	})
}

// unended reports whether options end without saying so.
func unended(o []byte) bool {
	for len(o) > 0 {
		switch {
		case o[0] == kindEnd:
			return false
		case o[0] == kindNop:
			o = o[1:]
		case len(o) < 2 || o[1] < 2 || int(o[1]) > len(o):
			return false
		default:
			o = o[o[1]:]
		}
	}
	return true
}

// FuzzQuote reads ICMP errors. What they quote is a segment of the packet that stands in
// them, or nothing.
func FuzzQuote(f *testing.F) {
	four, six := ip4("10.0.0.1", "10.0.0.2", protoTCP, plainSeg.bytes()), ip6("fd00::1", "fd00::2", protoTCP, plainSeg.bytes())
	f.Add(false, cat([]byte{3, 4, 0, 0}, be32(1400), four))
	f.Add(false, cat([]byte{11, 0, 0, 0}, be32(0), four[:28]))
	f.Add(true, cat([]byte{2, 0, 0, 0}, be32(1280), six))
	f.Add(true, cat([]byte{1, 4, 0, 0}, be32(0), ip6("fd00::1", "fd00::2", protoRouting, cat([]byte{protoTCP, 2, 0, 1, 0, 0, 0, 0}, addr("fd00::7"), plainSeg.bytes()))))
	f.Add(true, cat([]byte{1, 4, 0, 0}, be32(0), ip6("fd00::1", "fd00::2", protoFragment, cat([]byte{protoTCP, 0, 0, 1, 0, 0, 0, 7}, plainSeg.bytes()))))
	f.Fuzz(func(t *testing.T, v6 bool, p []byte) {
		p = p[:min(len(p), 2000)]
		frame, head := ip4("10.9.9.9", "10.0.0.1", protoICMP, p), 20
		if v6 {
			frame, head = ip6("fd00::9", "fd00::1", protoICMPv6, p), 40
		}
		s, quotes, ok, st := decodeOne(linkRaw, frame, 0)
		if !ok {
			return
		}
		if st.Quotes != 1 || st.Segments != 0 || len(quotes) != 1 || s.Mark&Quoted == 0 || s.Hash != s.Key.Hash() {
			t.Fatalf("%+v %+v %+v", s, quotes, st)
		}
		q := quotes[s.Len]
		if q.V6 != v6 || q.Type != p[0] || q.Code != p[1] || len(q.From.AsSlice()) != (head-20)*12/20+4 {
			t.Fatalf("%+v of %x", q, p)
		}
		// The numbers are somewhere in what was quoted.
		if seq := binary.BigEndian.AppendUint32(nil, s.Seq); !bytes.Contains(p[8:], seq) {
			t.Fatalf("%x is not in %x", seq, p)
		}
	})
}

// FuzzFragmented takes frames apart one after the other that may be fragments of a datagram:
// the first octet of each says how much of what, and whether more follows.
func FuzzFragmented(f *testing.F) {
	f.Add(false, []byte{0x80 | 2, 0, 0x80 | 2, 2, 3, 4}, plainSeg.bytes())
	f.Add(true, []byte{0x80 | 1, 0, 0x80 | 1, 1, 9, 2}, cat(plainSeg.bytes(), make([]byte, 40)))
	f.Add(false, []byte{0x80 | 1, 1, 0x80 | 1, 0, 9, 2, 9, 2}, cat(plainSeg.bytes(), make([]byte, 40)))
	f.Fuzz(func(t *testing.T, v6 bool, plan, whole []byte) {
		whole = whole[:min(len(whole), 4000)]
		d := newDecoder(nil, false)
		b := Batch{Segments: make([]Segment, 0, 300)}
		n := min(len(plan)/2, 256)
		for i := range n {
			at, size, more := int(plan[2*i+1])*8, int(plan[2*i]&0x7f)*8, int(plan[2*i]>>7)
			at = min(at, len(whole)&^7)
			part := whole[at:min(len(whole), at+size)]
			var p []byte
			if v6 {
				p = ip6("fd00::1", "fd00::2", protoFragment, cat([]byte{protoTCP, 0}, be16(at|more), be32(7), part))
			} else {
				p = ip4frag("10.0.0.1", "10.0.0.2", protoTCP, at/8|more<<13, part)
			}
			fr := frame{time: int64(i), data: p, wire: len(p), ifc: &iface{link: linkRaw}}
			before := bytes.Clone(p)
			d.frame(&fr, &b)
			if !bytes.Equal(p, before) {
				t.Fatal("the frame was written to")
			}
		}
		var st Stats
		d.stats(&st)
		skipped := uint64(0)
		for _, k := range st.Skipped {
			skipped += k.N
		}
		if st.Packets != uint64(n) || st.Segments > st.Packets || skipped > 2*st.Packets {
			t.Fatalf("%+v", st)
		}
		for i := range b.Segments {
			g := &b.Segments[i]
			if g.Mark&Unselected == 0 && (len(whole) < 16 || g.Seq != binary.BigEndian.Uint32(whole[4:]) || int(g.Len) > len(whole)) {
				t.Fatalf("%+v of %x", g, whole)
			}
		}
	})
}

// FuzzFilter compiles expressions and runs them. Those with words that are none of the
// language are left out: libpcap looks up names of hosts.
func FuzzFilter(f *testing.F) {
	if !haveLibpcap {
		f.Skip(ErrNoLibpcap)
	}
	for _, e := range []string{"tcp", "port 80 or port 443", "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", "vlan 7 and host 10.0.0.1", "ip6 and greater 60", "net 10.0.0.0/8 and not ip[0] & 0xf != 5",
		"ether[12:2] = 0x800", "len <= 1500 and len - 14 > ip[2:2]", "(((tcp)))", "tcp portrange 1-65535", "mpls 1 and mpls 2 and ip", "pppoes and ip", "not (tcp or udp or icmp)"} {
		f.Add(e, uint8(linkEthernet))
		f.Add(e, uint8(linkRaw))
	}
	frames := everyLink()
	var links []uint32
	for l := range uint32(300) {
		if frames[l] != nil {
			links = append(links, l)
		}
	}
	f.Fuzz(func(t *testing.T, expr string, link uint8) {
		if len(expr) > 200 || !spoken(expr) {
			return
		}
		x, err := newFilter(expr)
		if x == nil || err != nil {
			return
		}
		l := links[int(link)%len(links)]
		p, err := x.program(l)
		if err != nil {
			if fe, ok := err.(*FilterError); !ok || fe.Reason == "" {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		data := frames[l]
		for n := 0; n <= len(data); n += 5 {
			if took := p.match(data[:n], len(data)); took != p.match(data[:n], len(data)) {
				t.Fatal("it says so once, and not again")
			}
			p.match(data[:n], n)
		}
	})
}

// spoken reports whether all words are of the language of filters, or numbers.
func spoken(expr string) bool {
	const words = " tcp udp icmp icmp6 ip ip6 arp rarp ether host net port portrange src dst and or not vlan mpls pppoes pppoed greater less len mask proto protochain " +
		"broadcast multicast gateway tcpflags tcp-syn tcp-fin tcp-rst tcp-push tcp-ack tcp-urg icmptype icmpcode inbound outbound geneve sctp igmp ah esp "
	for i := 0; i < len(expr); {
		j := i
		for j < len(expr) && (expr[j] >= 'a' && expr[j] <= 'z' || expr[j] >= 'A' && expr[j] <= 'Z' || expr[j] >= '0' && expr[j] <= '9' || expr[j] >= 0x80 || expr[j] == '-' || expr[j] == '_' || expr[j] == '.' || expr[j] == ':' || expr[j] == '\\') {
			j++
		}
		w := expr[i:j]
		if w != "" && (w[0] < '0' || w[0] > '9') && w[0] != ':' && w[0] != '-' && !bytes.Contains([]byte(words), []byte(" "+w+" ")) {
			return false
		}
		i = max(j, i+1)
	}
	return true
}
