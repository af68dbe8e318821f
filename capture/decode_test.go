package capture

import (
	"bytes"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

// decodeOne takes one frame apart.
func decodeOne(link uint32, data []byte, wire int) (s Segment, q []Quote, ok bool, st Stats) {
	d := newDecoder(nil, true)
	b := Batch{Segments: make([]Segment, 0, 1)}
	d.frame(&frame{time: 5, data: data, wire: max(wire, len(data)), ifc: &iface{link: link}}, &b)
	d.stats(&st)
	if len(b.Segments) == 0 {
		return s, nil, false, st
	}
	return b.Segments[0], b.Quotes, true, st
}

func reasons(st Stats) (r []string) {
	for _, k := range st.Skipped {
		r = append(r, k.Reason)
	}
	return r
}

func TestLinks(t *testing.T) {
	seg := plainSeg.bytes()
	four := ip4("10.0.0.1", "10.0.0.2", protoTCP, seg)
	six := ip6("fd00::1", "fd00::2", protoTCP, seg)
	ppp := cat([]byte{0xff, 3, 0, 0x21}, four)
	sll := func(proto int, p []byte) []byte {
		return cat(be16(0), be16(1), be16(6), make([]byte, 8), be16(proto), p)
	}
	sll2 := func(proto int, p []byte) []byte {
		return cat(be16(proto), be16(0), be32(3), be16(1), []byte{0, 6}, make([]byte, 8), p)
	}
	snap := func(proto int, p []byte) []byte { return cat([]byte{0xaa, 0xaa, 3, 0, 0, 0}, be16(proto), p) }
	dot11 := cat([]byte{0x08, 0x02, 0, 0}, make([]byte, 18), be16(0), snap(etherIPv4, four), []byte{1, 2, 3, 4})
	fddi := cat([]byte{0x50}, make([]byte, 12), snap(etherIPv4, four))
	pflog := cat([]byte{61, 2, 0, 0}, make([]byte, 60), four)
	for _, c := range []struct {
		name string
		link uint32
		data []byte
		vlan uint16
		mark uint8
	}{
		{"ethernet", linkEthernet, eth(etherIPv4, four), NoVLAN, 0},
		{"ethernet-6", linkEthernet, eth(etherIPv6, six), NoVLAN, 0},
		{"ethernet-padded", linkEthernet, cat(eth(etherIPv4, four), make([]byte, 9)), NoVLAN, 0},
		{"ethernet-6-padded", linkEthernet, cat(eth(etherIPv6, six), make([]byte, 9)), NoVLAN, 0},
		{"vlan", linkEthernet, eth(etherVLAN, vlan(0xe005, etherIPv4, four)), 5, 0},
		{"priority-tag", linkEthernet, eth(etherVLAN, vlan(0xe000, etherIPv4, four)), 0, 0},
		{"qinq", linkEthernet, eth(etherQinQ, vlan(7, etherVLAN, vlan(9, etherIPv6, six))), 9, 0},
		{"qinq-old", linkEthernet, eth(etherQinQ1, vlan(7, etherQinQ1, vlan(8, etherVLAN, vlan(4095, etherIPv4, four)))), 4095, 0},
		{"llc-snap", linkEthernet, eth(8+len(four), snap(etherIPv4, four)), NoVLAN, 0},
		{"llc-ip", linkEthernet, eth(3+len(four), cat([]byte{6, 6, 3}, four)), NoVLAN, 0},
		{"vlan-llc", linkEthernet, eth(etherVLAN, vlan(5, 8+len(four), snap(etherIPv4, four))), 5, 0},
		{"pppoe", linkEthernet, eth(etherPPPoE, cat([]byte{0x11, 0, 0, 1}, be16(2+len(four)), []byte{0, 0x21}, four)), NoVLAN, 0},
		{"pppoe-padded", linkEthernet, eth(etherPPPoE, cat([]byte{0x11, 0, 0, 1}, be16(2+len(six)), []byte{0, 0x57}, six, make([]byte, 8))), NoVLAN, 0},
		{"mpls", linkEthernet, eth(etherMPLS, cat([]byte{0, 1, 0, 64}, []byte{0, 2, 1, 64}, four)), NoVLAN, 0},
		{"mpls-6", linkEthernet, eth(etherMPLSm, cat([]byte{0, 2, 1, 64}, six)), NoVLAN, 0},
		{"mpls-pseudowire", linkEthernet, eth(etherMPLS, cat([]byte{0, 2, 1, 64, 0, 0, 0, 0}, eth(etherVLAN, vlan(3, etherIPv4, four)))), 3, 0},
		{"fabricpath", linkEthernet, eth(etherFP, cat([]byte{0x40, 0x20}, eth(etherVLAN, vlan(7, etherIPv4, four)))), 7, 0},
		{"raw", linkRaw, four, NoVLAN, 0},
		{"raw-6", linkRaw, six, NoVLAN, 0},
		{"raw-12", linkRawBSD, four, NoVLAN, 0},
		{"raw-14", linkRawOpenBSD, six, NoVLAN, 0},
		{"ipv4", linkIPv4, four, NoVLAN, 0},
		{"ipv6", linkIPv6, six, NoVLAN, 0},
		{"null", linkNull, cat(le32(2), four), NoVLAN, 0},
		{"null-swapped", linkNull, cat(be32(2), four), NoVLAN, 0},
		{"null-10", linkNull, cat(le32(10), six), NoVLAN, 0},
		{"null-24", linkNull, cat(le32(24), six), NoVLAN, 0},
		{"null-28", linkNull, cat(be32(28), six), NoVLAN, 0},
		{"null-30", linkNull, cat(le32(30), six), NoVLAN, 0},
		{"loop", linkLoop, cat(be32(2), four), NoVLAN, 0},
		{"loop-24", linkLoop, cat(be32(24), six), NoVLAN, 0},
		{"cooked", linkSLL, sll(etherIPv4, four), NoVLAN, 0},
		{"cooked-vlan", linkSLL, sll(etherVLAN, vlan(6, etherIPv6, six)), 6, 0},
		{"cooked-llc", linkSLL, sll(4, snap(etherIPv4, four)), NoVLAN, 0},
		{"cooked2", linkSLL2, sll2(etherIPv6, six), NoVLAN, 0},
		{"cooked2-vlan", linkSLL2, sll2(etherVLAN, vlan(6, etherIPv4, four)), 6, 0},
		{"ppp", linkPPP, ppp, NoVLAN, 0},
		{"ppp-bare", linkPPP, ppp[2:], NoVLAN, 0},
		{"ppp-cisco", linkPPP, cat([]byte{0x0f, 0}, be16(etherIPv4), four), NoVLAN, 0},
		{"ppp-compressed", linkPPP, cat([]byte{0x21}, four), NoVLAN, 0},
		{"ppp-hdlc", linkPPPHDLC, ppp, NoVLAN, 0},
		{"ppp-hdlc-cisco", linkPPPHDLC, cat([]byte{0x0f, 0}, be16(etherIPv4), four), NoVLAN, 0},
		{"ppp-direction", linkPPPWithDir, cat([]byte{1}, ppp), NoVLAN, 0},
		{"ppp-pppd", linkPPPPPPD, cat([]byte{1}, ppp[1:]), NoVLAN, 0},
		{"pppoe-link", linkPPPoE, cat([]byte{0x11, 0, 0, 1}, be16(2+len(four)), []byte{0, 0x21}, four), NoVLAN, 0},
		{"cisco-hdlc", linkCHDLC, cat([]byte{0x0f, 0}, be16(etherIPv6), six), NoVLAN, 0},
		{"enc", linkEnc, cat(make([]byte, 12), four), NoVLAN, 0},
		{"firewire", linkFireWireIP, cat(make([]byte, 16), be16(etherIPv4), four), NoVLAN, 0},
		{"infiniband", linkIPoIB, cat(make([]byte, 40), be16(etherIPv4), be16(0), four), NoVLAN, 0},
		{"infiniband-6", linkIPoIB, cat(make([]byte, 40), be16(etherIPv6), be16(0), six), NoVLAN, 0},
		{"ppi", linkPPI, cat([]byte{0, 0}, le16(12), le32(linkEthernet), make([]byte, 4), eth(etherIPv4, four)), NoVLAN, 0},
		{"pktap", linkPktap, cat(le32(108), le32(1), le32(linkRaw), make([]byte, 96), four), NoVLAN, 0},
		{"nflog", linkNFLOG, cat([]byte{2, 0, 0, 0}, le16(7), le16(1), []byte{1, 2, 3, 0}, le16(4+len(four)), le16(9), four), NoVLAN, 0},
		{"nflog-big", linkNFLOG, cat([]byte{2, 0, 0, 0}, be16(7), be16(1), []byte{1, 2, 3, 0}, be16(4+len(four)), be16(9), four), NoVLAN, 0},
		{"etag", linkEthernet, eth(etherETag, cat(make([]byte, 6), be16(etherIPv4), four)), NoVLAN, 0},
		{"vn-tag", linkEthernet, eth(etherVNTag, cat(make([]byte, 4), be16(etherVLAN), vlan(6, etherIPv4, four))), 6, 0},
		{"cisco-metadata", linkEthernet, eth(etherVLAN, vlan(6, etherCMD, cat([]byte{1, 1, 0, 1, 0, 7}, be16(etherIPv6), six))), 6, 0},
		{"backbone", linkEthernet, eth(etherQinQ, vlan(3, etherPBB, cat([]byte{0, 0, 0, 9}, eth(etherVLAN, vlan(6, etherIPv4, four))))), 6, 0},
		{"nsh-4", linkEthernet, eth(etherNSH, cat([]byte{0x0f, 0xc2, 2, 1, 0, 0, 1, 255}, four)), NoVLAN, 0},
		{"nsh-6", linkEthernet, eth(etherNSH, cat([]byte{0x0f, 0xc6, 1, 2, 0, 0, 1, 255}, make([]byte, 16), six)), NoVLAN, 0},
		{"nsh-ethernet", linkEthernet, eth(etherNSH, cat([]byte{0x0f, 0xc2, 2, 3, 0, 0, 1, 255}, eth(etherIPv4, four))), NoVLAN, 0},
		{"trill", linkEthernet, eth(etherTRILL, cat([]byte{0, 0x3f, 0, 1, 0, 2}, eth(etherVLAN, vlan(6, etherIPv4, four)))), 6, 0},
		{"trill-options", linkEthernet, eth(etherTRILL, cat([]byte{0, 0x7f, 0, 1, 0, 2, 0, 0, 0, 0}, eth(etherIPv6, six))), NoVLAN, 0},
		{"wifi", linkDot11, dot11[:len(dot11)-4], NoVLAN, 0},
		{"wifi-fcs", linkDot11, dot11, NoVLAN, 0},
		{"ppi-wifi", linkPPI, cat([]byte{0, 0}, le16(8), le32(linkDot11), dot11[:len(dot11)-4]), NoVLAN, 0},
		{"radiotap", 127, cat([]byte{0, 0}, le16(8), le32(0), dot11[:len(dot11)-4]), NoVLAN, 0},
		{"fddi", 10, fddi, NoVLAN, 0},
		{"pflog", 117, pflog, NoVLAN, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _, ok, st := decodeOne(c.link, c.data, 0)
			if !ok {
				t.Fatalf("no segment; %+v", st.Skipped)
			}
			if s.Seq != 1000 || s.Ack != 2000 || s.Len != 5 || s.Window != 512 || s.Flags != ACK|PSH || s.Src().Port() != 40000 ||
				s.VLAN != c.vlan || s.Mark&^BadChecksum != c.mark || s.Time != 5 || s.Frame != 1 {
				t.Errorf("got %+v", s)
			}
			if (st.TaggedTCP == 1) != (c.vlan != NoVLAN) {
				t.Errorf("%d tagged", st.TaggedTCP)
			}
			// No cut of it may panic, and none may count as another reason
			// than being cut.
			for i := range c.data {
				_, _, _, st := decodeOne(c.link, c.data[:i], len(c.data))
				for _, r := range reasons(st) {
					switch r {
					case "truncated-ip", "cut-tcp", "decoder-panic":
					default:
						t.Errorf("cut at %d: %s", i, r)
					}
				}
			}
		})
	}
}

func TestNoTCP(t *testing.T) {
	udp := cat(be16(53), be16(53), be16(8), be16(0), make([]byte, 40))
	for name, f := range map[string][]byte{
		"arp": eth(0x806, make([]byte, 28)), "lldp": eth(0x88cc, make([]byte, 40)), "stp": eth(38, cat([]byte{0x42, 0x42, 3}, make([]byte, 40))),
		"udp": eth(etherIPv4, ip4("1.1.1.1", "2.2.2.2", protoUDP, udp)), "udp6": eth(etherIPv6, ip6("fe80::1", "fe80::2", protoUDP, udp)),
		"echo": eth(etherIPv4, ip4("1.1.1.1", "2.2.2.2", protoICMP, cat([]byte{8}, make([]byte, 60)))),
		"esp":  eth(etherIPv6, ip6("fe80::1", "fe80::2", 50, make([]byte, 60))), "sctp": eth(etherIPv4, ip4("1.1.1.1", "2.2.2.2", 132, make([]byte, 40))),
		"empty": {}, "short": {1, 2, 3}, "udp-fragment": eth(etherIPv4, ip4frag("1.1.1.1", "2.2.2.2", protoUDP, 0x2001, make([]byte, 16))),
		"pppoe-discovery": eth(0x8863, make([]byte, 40)), "ppp-lcp": eth(etherPPPoE, cat([]byte{0x11, 0, 0, 1, 0, 10, 0xc0, 0x21}, make([]byte, 8))),
	} {
		if _, _, ok, st := decodeOne(linkEthernet, f, 0); ok || st.Skipped != nil || st.Packets != 1 {
			t.Errorf("%s: segment %v, %+v", name, ok, st)
		}
	}
}

func TestSkips(t *testing.T) {
	seg := plainSeg.bytes()
	edit := func(at int, v ...byte) []byte {
		f := plainFrame(plainSeg)
		copy(f[at:], v)
		return f
	}
	chain := seg
	for range maxHeaders + 1 {
		chain = cat([]byte{protoDestOpts, 0, 1, 4, 0, 0, 0, 0}, chain)
	}
	nest := ip4("10.0.0.1", "10.0.0.2", protoTCP, seg)
	for range maxDepth + 1 {
		nest = ip4("10.0.0.1", "10.0.0.2", protoIPIP, nest)
	}
	for _, c := range []struct {
		want string
		link uint32
		data []byte
	}{
		{"truncated-ip", linkEthernet, plainFrame(plainSeg)[:30]},
		{"truncated-ip", linkRaw, nil},
		{"truncated-ip", linkEthernet, eth(etherIPv6, make([]byte, 39))},
		{"truncated-ip", linkEthernet, eth(etherIPv4, ip4("10.0.0.1", "10.0.0.2", protoTCP, seg, make([]byte, 40)...))[:60]},
		{"bad-ip-version", linkEthernet, edit(14, 0x65)},
		{"bad-ip-version", linkRaw, []byte{0x50, 0}},
		{"bad-ip-header", linkEthernet, edit(14, 0x44)},
		{"bad-ip-length", linkEthernet, edit(16, 0, 19)},
		{"bad-ip-header", linkEthernet, eth(etherIPv6, ip6("fe80::1", "fe80::2", 0, []byte{6, 9, 0, 0, 0, 0, 0, 0}))},
		{"too-many-headers", linkEthernet, eth(etherIPv6, ip6("fe80::1", "fe80::2", protoDestOpts, chain))},
		{"cut-tcp", linkEthernet, plainFrame(plainSeg)[:34+15]},
		{"bad-tcp-length", linkEthernet, edit(16, 0, 39)},
		{"bad-tcp-offset", linkEthernet, edit(46, 0x40)},
		{"bad-tcp-offset", linkEthernet, edit(46, 0xf0)},
		{"tunnel-depth", linkEthernet, eth(etherIPv4, nest)},
		{"truncated-tunnel", linkEthernet, eth(etherIPv4, ip4("1.1.1.1", "2.2.2.2", protoGRE, []byte{0x80, 0, 8, 0}))},
		{"unsupported-link-type", 7777, seg},
		{"unsupported-link-type", 147, seg},
		{"unsupported-link-type", linkUSBLinux, make([]byte, 80)},
		{"fragment-incomplete", linkEthernet, eth(etherIPv4, ip4frag("1.1.1.1", "2.2.2.2", protoTCP, 0x2000, seg[:24]))},
		{"fragment-length", linkEthernet, eth(etherIPv4, ip4frag("1.1.1.1", "2.2.2.2", protoTCP, 0x2000, seg[:23]))},
		{"fragment-length", linkEthernet, eth(etherIPv4, ip4frag("1.1.1.1", "2.2.2.2", protoTCP, 0x1fff, seg[:24]))},
	} {
		s, _, ok, st := decodeOne(c.link, c.data, 0)
		// A malformed TCP header still counts for the stream numbers.
		if strings.HasPrefix(c.want, "bad-tcp-") {
			ok = !ok || s.Mark&Unselected == 0 || s.Len != 0
		}
		if ok || !reflect.DeepEqual(reasons(st), []string{c.want}) || st.Skipped[0].N != 1 || st.Skipped[0].Frame != 1 || st.Segments != 0 {
			t.Errorf("%s: segment %v, %+v", c.want, ok, st)
		}
	}
}

// A source-routed packet belongs to the end of its route, as TCP's checksum says.
func TestSourceRoute(t *testing.T) {
	route := func(kind, pointer byte) []byte {
		return cat([]byte{1, 7, 7, 4, 0, 0, 0, 0, kind, 11, pointer}, addr("10.0.0.9"), addr("10.0.0.2"), []byte{0})
	}
	b := summed("10.0.0.1", "10.0.0.2", plainSeg.bytes())
	for _, c := range []struct {
		name    string
		options []byte
		want    string
	}{
		{"loose", route(131, 4), "10.0.0.2"},
		{"strict, at the second hop", route(137, 8), "10.0.0.2"},
		{"arrived", route(131, 12), "10.0.0.8"},
		{"a record of the route", route(7, 4), "10.0.0.8"},
		{"a pointer beneath all", route(131, 3), "10.0.0.8"},
		{"too short for an address", []byte{131, 6, 4, 0, 0, 0, 0, 0}, "10.0.0.8"},
		{"longer than the header", []byte{131, 12, 4, 10, 0, 0, 2, 0}, "10.0.0.8"},
		{"of no length", []byte{131, 0, 4, 10, 0, 0, 2, 0}, "10.0.0.8"},
		{"behind the end", cat([]byte{0}, route(131, 4)[1:]), "10.0.0.8"},
	} {
		p := ip4("10.0.0.1", "10.0.0.8", protoTCP, b, c.options...)
		for _, whole := range []bool{true, false} {
			frames := recs(eth(etherIPv4, p))
			if !whole {
				head := 20 + len(c.options)
				frames = recs(eth(etherIPv4, ip4frag("10.0.0.1", "10.0.0.8", protoTCP, 0x2000, p[head:head+24], c.options...)),
					eth(etherIPv4, ip4frag("10.0.0.1", "10.0.0.8", protoTCP, 3, p[head+24:], c.options...)))
			}
			r := readAll(t, Options{VerifyChecksums: true}, pcapFile(1, frames...))
			if len(r.segs) != 1 {
				t.Fatalf("%s: %d segments, %+v", c.name, len(r.segs), r.stats.Skipped)
			}
			s := r.segs[0]
			if s.Dst().Addr().String() != c.want || whole && (s.Mark&BadChecksum == 0) != (c.want == "10.0.0.2") {
				t.Errorf("%s: to %v, marks %x", c.name, s.Dst(), s.Mark)
			}
		}
	}
}

func TestTCPFields(t *testing.T) {
	ts := []byte{8, 10, 0, 0, 0, 7, 0, 0, 0, 9}
	for _, c := range []struct {
		name string
		t    seg
		want Segment // fields beside the addresses
	}{
		{"plain", plainSeg, Segment{Seq: 1000, Ack: 2000, Flags: ACK | PSH, Window: 512, Len: 5, WScale: NoWScale}},
		{"syn", seg{sport: 1, dport: 2, seq: 1, flags: SYN, win: 65535, options: []byte{2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 7, 0, 0, 0, 0, 1, 3, 3, 7}},
			Segment{Seq: 1, Flags: SYN, Window: 65535, MSS: 1460, WScale: 7, TSVal: 7, Opts: OptMSS | OptSACKOK | OptTS | OptWScale}},
		{"scale-beyond-14", seg{sport: 1, dport: 2, options: []byte{3, 3, 255}}, Segment{WScale: 255, Opts: OptWScale}},
		{"usual-timestamps", seg{sport: 1, dport: 2, options: cat([]byte{1, 1}, ts)}, Segment{WScale: NoWScale, TSVal: 7, TSEcr: 9, Opts: OptTS}},
		{"timestamps-elsewhere", seg{sport: 1, dport: 2, options: cat(ts, []byte{1, 1})}, Segment{WScale: NoWScale, TSVal: 7, TSEcr: 9, Opts: OptTS}},
		{"sack", seg{sport: 1, dport: 2, ack: 100, options: cat([]byte{1, 1, 5, 10}, be32(200), be32(300))}, Segment{Ack: 100, WScale: NoWScale, Opts: OptSACK}},
		{"dsack-below-ack", seg{sport: 1, dport: 2, ack: 100, options: cat([]byte{5, 10}, be32(50), be32(100))}, Segment{Ack: 100, WScale: NoWScale, Opts: OptSACK | OptDSACK}},
		{"dsack-in-second-block", seg{sport: 1, dport: 2, ack: 100, options: cat([]byte{5, 18}, be32(250), be32(260), be32(200), be32(300))}, Segment{Ack: 100, WScale: NoWScale, Opts: OptSACK | OptDSACK}},
		{"no-dsack-beside-second-block", seg{sport: 1, dport: 2, ack: 100, options: cat([]byte{5, 18}, be32(250), be32(310), be32(200), be32(300))}, Segment{Ack: 100, WScale: NoWScale, Opts: OptSACK}},
		{"dsack-across-the-wrap", seg{sport: 1, dport: 2, ack: 5, options: cat([]byte{5, 10}, be32(1<<32-10), be32(3))}, Segment{Ack: 5, WScale: NoWScale, Opts: OptSACK | OptDSACK}},
		{"backward-block", seg{sport: 1, dport: 2, ack: 100, options: cat([]byte{5, 10}, be32(60), be32(50))}, Segment{Ack: 100, WScale: NoWScale, Opts: OptSACK}},
		{"odd-sack", seg{sport: 1, dport: 2, options: cat([]byte{5, 9}, make([]byte, 7))}, Segment{WScale: NoWScale}},
		{"fast-open-request", seg{sport: 1, dport: 2, flags: SYN, options: []byte{34, 2}}, Segment{Flags: SYN, WScale: NoWScale, Opts: OptTFO}},
		{"fast-open-cookie", seg{sport: 1, dport: 2, flags: SYN, options: cat([]byte{34, 10}, make([]byte, 8)), payload: []byte("x")}, Segment{Flags: SYN, Len: 1, WScale: NoWScale, Opts: OptTFO}},
		{"fast-open-odd", seg{sport: 1, dport: 2, flags: SYN, options: cat([]byte{34, 5}, make([]byte, 3))}, Segment{Flags: SYN, WScale: NoWScale}},
		{"fast-open-experimental", seg{sport: 1, dport: 2, flags: SYN, options: []byte{254, 4, 0xf9, 0x89}}, Segment{Flags: SYN, WScale: NoWScale, Opts: OptTFO}},
		{"experiment-of-others", seg{sport: 1, dport: 2, flags: SYN, options: []byte{254, 4, 0xf9, 0x88}}, Segment{Flags: SYN, WScale: NoWScale}},
		{"end-hides-the-rest", seg{sport: 1, dport: 2, options: []byte{0, 2, 4, 5, 180, 0, 0, 0}}, Segment{WScale: NoWScale}},
		{"length-0", seg{sport: 1, dport: 2, options: []byte{2, 4, 5, 180, 9, 0, 3, 3}}, Segment{MSS: 1460, WScale: NoWScale, Opts: OptMSS | OptBad}},
		{"length-beyond", seg{sport: 1, dport: 2, options: []byte{8, 10, 0, 0}}, Segment{WScale: NoWScale, Opts: OptBad}},
		{"kind-at-the-end", seg{sport: 1, dport: 2, options: []byte{1, 1, 1, 2}}, Segment{WScale: NoWScale, Opts: OptBad}},
		{"mss-of-3", seg{sport: 1, dport: 2, options: []byte{2, 3, 5, 1}}, Segment{WScale: NoWScale}},
		{"all-flags", seg{sport: 1, dport: 2, flags: 0xff}, Segment{Flags: 0xff, WScale: NoWScale}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _, ok, st := decodeOne(linkEthernet, eth(etherIPv4, ip4("10.0.0.1", "10.0.0.2", protoTCP, summed("10.0.0.1", "10.0.0.2", c.t.bytes()))), 0)
			if !ok {
				t.Fatal(st.Skipped)
			}
			w := c.want
			w.Time, w.Frame, w.IPID, w.TTL, w.VLAN = 5, 1, 0x1234, 64, NoVLAN
			w.Key, w.Hash, w.Side = s.Key, s.Hash, s.Side
			w.HdrLen = uint16(40 + (len(c.t.options)+3)/4*4)
			if s != w {
				t.Errorf("got  %+v\nwant %+v", s, w)
			}
		})
	}
}

// The payload's length is that of the wire.
func TestLengths(t *testing.T) {
	long := plainSeg
	long.payload = make([]byte, 1400)
	f := plainFrame(long)
	six := eth(etherIPv6, ip6("fe80::1", "fe80::2", protoTCP, long.bytes()))
	offload := func(f []byte, at int) []byte {
		f = append([]byte(nil), f...)
		f[at], f[at+1] = 0, 0
		return f
	}
	for _, c := range []struct {
		name string
		data []byte
		wire int
		want uint32
		mark uint8
	}{
		{"whole", f, 0, 1400, 0},
		{"snapped", f[:96], len(f), 1400, 0},
		{"snapped-after-header", f[:54], len(f), 1400, 0},
		{"snapped-6", six[:96], len(six), 1400, 0},
		{"offload", offload(f, 16), 0, 1400, 0},
		{"offload-snapped", offload(f, 16)[:96], 65535, 65535 - 54, 0},
		{"offload-6", offload(six, 18)[:96], 70000, 70000 - 74, 0},
		{"cut-options", plainFrame(seg{sport: 1, dport: 2, options: make([]byte, 20), payload: make([]byte, 99)})[:60], 173, 99, Cut},
		{"cut-header", f[:50], len(f), 1400, Cut},
		{"lost-frame-length", f[:96], 96, 1400, 0},
	} {
		s, _, ok, st := decodeOne(linkEthernet, c.data, c.wire)
		if !ok || s.Len != c.want || s.Mark&^BadChecksum != c.mark {
			t.Errorf("%s: length %d, marks %#x, want %d, %#x; %v", c.name, s.Len, s.Mark, c.want, c.mark, st.Skipped)
		}
	}
}

func TestChecksum(t *testing.T) {
	for _, payload := range []string{"", "a", "ab", "abc", "abcd", "abcdefghi"} {
		x := plainSeg
		x.payload = []byte(payload)
		four := eth(etherIPv4, ip4("10.0.0.1", "10.0.0.2", protoTCP, summed("10.0.0.1", "10.0.0.2", x.bytes())))
		six := eth(etherIPv6, ip6("fe80::1", "fe80::2", protoTCP, summed("fe80::1", "fe80::2", x.bytes())))
		for _, f := range [][]byte{four, six} {
			if s, _, _, _ := decodeOne(linkEthernet, f, 0); s.Mark != 0 {
				t.Errorf("%q: marks %#x", payload, s.Mark)
			}
			if s, _, _, _ := decodeOne(linkEthernet, append(f[:len(f):len(f)], 1, 2), 0); s.Mark != 0 {
				t.Errorf("%q padded: marks %#x", payload, s.Mark)
			}
			f[len(f)-1] ^= 1
			if s, _, _, _ := decodeOne(linkEthernet, f, 0); s.Mark != BadChecksum {
				t.Errorf("%q damaged: marks %#x", payload, s.Mark)
			}
			if len(payload) > 0 {
				if s, _, _, _ := decodeOne(linkEthernet, f[:len(f)-1], len(f)); s.Mark != 0 {
					t.Errorf("%q cut: marks %#x", payload, s.Mark)
				}
			}
		}
	}
}

func TestExtensionHeaders(t *testing.T) {
	tcp := plainSeg.bytes()
	opts := func(next byte) []byte { return []byte{next, 0, 1, 4, 0, 0, 0, 0} }
	route := func(kind, left byte) []byte {
		return cat([]byte{protoTCP, 2, kind, left, 0, 0, 0, 0}, addr("fe80::77"))
	}
	ah := cat([]byte{protoTCP, 4, 0, 0}, make([]byte, 20))
	for _, c := range []struct {
		name  string
		first int
		body  []byte
		dst   string
	}{
		{"hop-by-hop", 0, opts(protoTCP), "fe80::2"},
		{"chain", 0, cat(opts(protoDestOpts), opts(protoShim6), opts(protoTCP)), "fe80::2"},
		{"ah", protoAH, ah, "fe80::2"},
		{"atomic-fragment", protoFragment, []byte{protoTCP, 0, 0, 6, 0, 0, 0, 1}, "fe80::2"},
		{"segment-routing-on-its-way", protoRouting, route(4, 1), "fe80::77"},
		{"segment-routing-arrived", protoRouting, route(4, 0), "fe80::2"},
		{"source-route", protoRouting, route(0, 1), "fe80::77"},
		{"home-address", protoRouting, route(2, 1), "fe80::77"},
	} {
		s, _, ok, st := decodeOne(linkEthernet, eth(etherIPv6, ip6("fe80::1", "fe80::2", c.first, cat(c.body, tcp))), 0)
		if !ok || s.Dst().Addr() != netip.MustParseAddr(c.dst) || s.Len != 5 || s.TTL != 63 || s.IPID != 0 {
			t.Errorf("%s: %v %+v %v", c.name, ok, s, st.Skipped)
		}
	}
}

func TestEndsAndHash(t *testing.T) {
	for _, c := range []struct {
		src, dst     string
		sport, dport int
		side         uint8
	}{
		{"10.0.0.1", "10.0.0.2", 5, 4, 0}, {"10.0.0.2", "10.0.0.1", 4, 5, 1},
		{"10.0.0.1", "10.0.0.1", 5, 4, 1}, {"10.0.0.1", "10.0.0.1", 4, 5, 0}, {"10.0.0.1", "10.0.0.1", 5, 5, 0},
		{"9.255.255.255", "10.0.0.0", 1, 1, 0}, {"255.0.0.0", "1.0.0.0", 1, 1, 1},
		{"fe80::1", "fe80::2", 5, 4, 0}, {"fe80::2", "fe80::1", 4, 5, 1}, {"::1", "::1", 9, 9, 0}, {"::1", "::1", 9, 8, 1},
		{"::ffff:10.0.0.1", "::ffff:10.0.0.2", 5, 4, 0},
	} {
		f := func(src, dst string, sport, dport int) Segment {
			t.Helper()
			x := seg{sport: sport, dport: dport}.bytes()
			var p []byte
			if len(addr(src)) == 16 {
				p = eth(etherIPv6, ip6(src, dst, protoTCP, x))
			} else {
				p = eth(etherIPv4, ip4(src, dst, protoTCP, x))
			}
			s, _, ok, st := decodeOne(linkEthernet, p, 0)
			if !ok {
				t.Fatal(st)
			}
			return s
		}
		a, b := f(c.src, c.dst, c.sport, c.dport), f(c.dst, c.src, c.dport, c.sport)
		if a.Key != b.Key || a.Hash != b.Hash || a.Hash != a.Key.Hash() {
			t.Errorf("%v: the two directions differ: %+v %+v", c, a, b)
		}
		if a.Side != c.side || b.Side != c.side^1 && !a.Key.Self() {
			t.Errorf("%v: sides %d and %d", c, a.Side, b.Side)
		}
		if a.Src() != netip.AddrPortFrom(netip.MustParseAddr(c.src), uint16(c.sport)) || a.Dst() != netip.AddrPortFrom(netip.MustParseAddr(c.dst), uint16(c.dport)) {
			t.Errorf("%v: from %v to %v", c, a.Src(), a.Dst())
		}
	}
}

// Neighbouring connections fall evenly into the slots of a table, by the low
// and by the high bits.
func TestHashSpreads(t *testing.T) {
	const slots, n = 1 << 10, 1 << 16
	for _, v6 := range []bool{false, true} {
		for _, shift := range []int{0, 22} {
			var count [slots]int
			for i := range n {
				k := Key{V6: v6, LoPort: 80, HiPort: uint16(32768 + i%28000)}
				k.Lo, k.Hi = [16]byte{10, 0, 0, 1}, [16]byte{10, 0, byte(i / 28000), 2}
				count[k.Hash()>>shift%slots]++
			}
			var chi float64
			for _, c := range count {
				d := float64(c) - n/slots
				chi += d * d / (n / slots)
			}
			if chi-slots > 6*math.Sqrt(2*slots) { // more even than chance is no fault
				t.Errorf("v6 %v, shift %d: chi square %.0f of %d slots", v6, shift, chi, slots)
			}
		}
	}
}

func TestSeedHash(t *testing.T) {
	old := hashSeed
	defer func() { hashSeed = old }()
	k := Key{LoPort: 1, HiPort: 2}
	SeedHash(1)
	a := k.Hash()
	SeedHash(2)
	b := k.Hash()
	SeedHash(1)
	if a != k.Hash() || a == b {
		t.Errorf("%x, %x, %x", a, b, k.Hash())
	}
}

// A library's decoder does not write to the frame: it may be recorded afterwards.
func TestSlowLinkLeavesTheFrame(t *testing.T) {
	// Radiotap with flags that tell of padding, and a data frame of 802.11 behind it.
	data := cat([]byte{0, 0, 9, 0, 2, 0, 0, 0, 0x20, 0x88, 2}, make([]byte, 24), []byte{1, 2, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, ip4("10.0.0.1", "10.0.0.2", protoTCP, plainSeg.bytes()))
	whole := bytes.Clone(data)
	decodeOne(127, data, 0)
	if !bytes.Equal(data, whole) {
		t.Errorf("%x became\n%x", whole, data)
	}
}
