package capture

import (
	"testing"
)

func TestTunnels(t *testing.T) {
	tcp := plainSeg.bytes()
	four := ip4("10.0.0.1", "10.0.0.2", protoTCP, tcp)
	six := ip6("fd00::1", "fd00::2", protoTCP, tcp)
	in := func(proto int, parts ...[]byte) []byte {
		return eth(etherIPv4, ip4("1.1.1.1", "2.2.2.2", proto, cat(parts...)))
	}
	udp := func(sport, dport int, parts ...[]byte) []byte {
		b := cat(parts...)
		return in(protoUDP, be16(sport), be16(dport), be16(8+len(b)), be16(0), b)
	}
	vx := []byte{8, 0, 0, 0, 0, 0, 1, 0}
	for _, c := range []struct {
		name string
		data []byte
		vlan uint16
	}{
		{"ip-in-ip", in(protoIPIP, four), NoVLAN},
		{"ip-in-ip-94", in(protoIPIP2, four), NoVLAN},
		{"6in4", in(protoIPv6, six), NoVLAN},
		{"4in6", eth(etherIPv6, ip6("fe80::1", "fe80::2", protoIPIP, four)), NoVLAN},
		{"6in6", eth(etherIPv6, ip6("fe80::1", "fe80::2", protoIPv6, six)), NoVLAN},
		{"gre", in(protoGRE, []byte{0, 0, 8, 0}, four), NoVLAN},
		{"gre-6", in(protoGRE, []byte{0, 0, 0x86, 0xdd}, six), NoVLAN},
		{"gre-all-fields", in(protoGRE, []byte{0xb0, 0, 8, 0}, make([]byte, 12), four), NoVLAN},
		{"gre-ethernet", in(protoGRE, []byte{0x20, 0, 0x65, 0x58, 0, 0, 0, 1}, eth(etherVLAN, vlan(9, etherIPv4, four))), 9},
		{"gre-mpls", in(protoGRE, []byte{0, 0, 0x88, 0x47, 0, 1, 1, 64}, four), NoVLAN},
		{"pptp", in(protoGRE, []byte{0x30, 0x81, 0x88, 0x0b, 0, 1, 0, 1}, make([]byte, 8), []byte{0xff, 3, 0, 0x21}, four), NoVLAN},
		{"erspan-1", in(protoGRE, []byte{0, 0, 0x88, 0xbe}, eth(etherIPv4, four)), NoVLAN},
		{"erspan-2", in(protoGRE, []byte{0x10, 0, 0x88, 0xbe, 0, 0, 0, 1}, []byte{0x10, 0, 0, 0, 0, 0, 0, 0}, eth(etherIPv4, four)), NoVLAN},
		{"erspan-3", in(protoGRE, []byte{0x10, 0, 0x22, 0xeb, 0, 0, 0, 1}, []byte{0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, eth(etherIPv4, four)), NoVLAN},
		{"erspan-3-subheader", in(protoGRE, []byte{0x10, 0, 0x22, 0xeb, 0, 0, 0, 1}, []byte{0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, make([]byte, 8), eth(etherIPv4, four)), NoVLAN},
		{"wccp", in(protoGRE, []byte{0, 0, 0x88, 0x3e, 1, 2, 3, 4}, four), NoVLAN},
		{"etherip", in(protoEtherIP, []byte{0x30, 0}, eth(etherIPv4, four)), NoVLAN},
		{"mpls-in-ip", in(protoMPLS, []byte{0, 1, 1, 64}, four), NoVLAN},
		{"ah", in(protoAH, []byte{protoIPIP, 4, 0, 0}, make([]byte, 20), four), NoVLAN},
		{"vxlan", udp(55555, portVXLAN, vx, eth(etherIPv4, four)), NoVLAN},
		{"vxlan-vlan", eth(etherVLAN, vlan(3, etherIPv4, udp(55555, portVXLAN, vx, eth(etherVLAN, vlan(4, etherIPv6, six)))[14:])), 4},
		{"vxlan-outer-vlan", eth(etherVLAN, vlan(3, etherIPv4, udp(55555, portVXLAN, vx, eth(etherIPv4, four))[14:])), 3},
		{"vxlan-in-6", eth(etherIPv6, ip6("fe80::1", "fe80::2", protoUDP, cat(be16(5), be16(portVXLAN), be16(0), be16(0), vx, eth(etherIPv4, four)))), NoVLAN},
		{"geneve", udp(55555, portGeneve, []byte{0, 0, 0x65, 0x58, 0, 0, 1, 0}, eth(etherIPv4, four)), NoVLAN},
		{"geneve-options", udp(55555, portGeneve, []byte{2, 0, 8, 0, 0, 0, 1, 0}, make([]byte, 8), four), NoVLAN},
		{"gtp", udp(portGTPU, portGTPU, []byte{0x30, 255, 0, 45, 0, 0, 0, 1}, four), NoVLAN},
		{"gtp-sequence", udp(portGTPU, portGTPU, []byte{0x32, 255, 0, 49, 0, 0, 0, 1, 0, 7, 0, 0}, six), NoVLAN},
		{"gtp-extensions", udp(9, portGTPU, []byte{0x34, 255, 0, 57, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0, 0, 0x85, 2, 0, 0, 0, 0, 0, 0, 0}, four), NoVLAN},
		{"l2tp", udp(portL2TP, portL2TP, []byte{0, 2, 0, 1, 0, 2, 0xff, 3, 0, 0x21}, four), NoVLAN},
		{"l2tp-6", udp(portL2TP, 9, []byte{0, 2, 0, 1, 0, 2, 0, 0x57}, six), NoVLAN},
		{"l2tp-all-fields", udp(9, portL2TP, []byte{0x4a, 2}, be16(17+len(four)), []byte{0, 1, 0, 2, 0, 3, 0, 4, 0, 2, 9, 9, 0x21}, four), NoVLAN},
		{"teredo", udp(portTeredo, 9, six), NoVLAN},
		{"teredo-headers", udp(9, portTeredo, []byte{0, 1, 1, 1, 1, 1}, make([]byte, 9), []byte{0, 0, 1, 2, 3, 4, 5, 6}, six), NoVLAN},
		{"gpe-4", udp(9, portGPE, []byte{0x0c, 0, 0, 1, 0, 0, 1, 0}, four), NoVLAN},
		{"gpe-6", udp(9, portGPE, []byte{0x0c, 0, 0, 2, 0, 0, 1, 0}, six), NoVLAN},
		{"gpe-ethernet", udp(portGPE, 9, []byte{0x0c, 0, 0, 3, 0, 0, 1, 0}, eth(etherVLAN, vlan(9, etherIPv4, four))), 9},
		{"gpe-nsh", udp(9, portGPE, []byte{0x0c, 0, 0, 4, 0, 0, 1, 0}, []byte{0x0f, 0xc2, 2, 1, 0, 0, 1, 255}, four), NoVLAN},
		{"gpe-mpls", udp(9, portGPE, []byte{0x0c, 0, 0, 5, 0, 0, 1, 0}, []byte{0, 1, 1, 64}, four), NoVLAN},
		{"lisp", udp(9, portLISP, make([]byte, 8), four), NoVLAN},
		{"lisp-6", udp(9, portLISP, []byte{0x88, 1, 2, 3, 0, 0, 1, 0}, six), NoVLAN},
		{"mpls-in-udp", udp(49152, portMPLS, []byte{0, 1, 0, 64, 0, 2, 1, 64}, four), NoVLAN},
		{"vxlan-in-vxlan", udp(9, portVXLAN, vx, udp(9, portVXLAN, vx, eth(etherIPv4, four))), NoVLAN},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _, ok, st := decodeOne(linkEthernet, c.data, 0)
			if !ok {
				t.Fatalf("no segment; %+v", st.Skipped)
			}
			if s.Seq != 1000 || s.Len != 5 || s.Src().Port() != 40000 || s.Mark&^BadChecksum != Tunnelled || s.VLAN != c.vlan || s.Src().Addr().As16()[15] != 1 {
				t.Errorf("got %+v", s)
			}
			for i := range c.data {
				decodeOne(linkEthernet, c.data[:i], len(c.data))
			}
			// Cut behind the header, as a snap length does.
			if s, _, ok, _ := decodeOne(linkEthernet, c.data[:len(c.data)-5], len(c.data)); !ok || s.Len != 5 {
				t.Errorf("cut behind the TCP header: %v %+v", ok, s)
			}
		})
	}
}

// A port is no proof: other datagrams on it are let be.
func TestNotTunnels(t *testing.T) {
	// A control message of L2TP, and version 3, which has no PPP in it.
	for _, flags := range []byte{0xc8, 0} {
		b := cat([]byte{flags, 3 - flags>>7, 0, 80, 0, 1, 0, 2, 0, 0x21}, ip4("10.0.0.1", "10.0.0.2", protoTCP, plainSeg.bytes()))
		f := eth(etherIPv4, ip4("1.1.1.1", "2.2.2.2", protoUDP, cat(be16(9), be16(portL2TP), be16(8+len(b)), be16(0), b)))
		if s, _, ok, _ := decodeOne(linkEthernet, f, 0); ok {
			t.Errorf("L2TP with flags %#x: %+v", flags, s)
		}
	}
	for _, port := range []int{portVXLAN, portGeneve, portGTPU, portL2TP, portTeredo, portGPE, portLISP, portMPLS} {
		for _, b := range [][]byte{make([]byte, 8), make([]byte, 60), {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")} {
			f := eth(etherIPv4, ip4("1.1.1.1", "2.2.2.2", protoUDP, cat(be16(9), be16(port), be16(8+len(b)), be16(0), b)))
			if s, _, ok, _ := decodeOne(linkEthernet, f, 0); ok {
				t.Errorf("port %d, %x: %+v", port, b, s)
			}
		}
	}
}
