package capture

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

func selected(r read) (frames []uint64) {
	for _, g := range r.segs {
		if g.Mark&Unselected == 0 {
			frames = append(frames, g.Frame)
		}
	}
	return frames
}

// selectionFile has eight frames, seven of them TCP.
func selectionFile() []byte {
	f := func(src, dst string, sport, dport int) []byte {
		return ip4(src, dst, protoTCP, seg{sport: sport, dport: dport, flags: ACK}.bytes())
	}
	return pcapFile(1, recs(
		eth(etherIPv4, f("10.0.0.1", "10.0.0.2", 1000, 80)),
		eth(etherIPv4, f("10.0.0.2", "10.0.0.1", 80, 1000)),
		eth(etherVLAN, vlan(5, etherIPv4, f("10.0.0.1", "10.0.1.2", 1000, 443))),
		eth(0x806, make([]byte, 28)),
		eth(etherQinQ, vlan(7, etherVLAN, vlan(5, etherIPv4, f("10.0.0.3", "10.0.1.2", 1001, 443)))),
		eth(etherIPv6, ip6("fd00::1", "fd00::2", protoTCP, seg{sport: 80, dport: 1000, flags: SYN}.bytes())),
		eth(etherIPv4, ip4("10.0.0.9", "10.0.0.1", protoICMP, cat([]byte{3, 1, 0, 0, 0, 0, 0, 0}, f("10.0.0.1", "10.0.0.2", 1000, 80)))),
		eth(etherIPv4, f("192.0.2.1", "198.51.100.1", 5, 6)),
	)...)
}

func TestSelection(t *testing.T) {
	a, p := netip.MustParseAddr, netip.MustParsePrefix
	for _, c := range []struct {
		name string
		s    Selection
		want []uint64
	}{
		{"all", Selection{}, []uint64{1, 2, 3, 5, 6, 7, 8}},
		{"host", Selection{Hosts: []netip.Addr{a("10.0.0.2")}}, []uint64{1, 2, 7}},
		{"hosts", Selection{Hosts: []netip.Addr{a("10.0.0.3"), a("fd00::2")}}, []uint64{5, 6}},
		{"mapped-host-is-another", Selection{Hosts: []netip.Addr{a("::ffff:10.0.0.2")}}, nil},
		{"zoned-host", Selection{Hosts: []netip.Addr{a("fd00::2%eth0")}}, []uint64{6}},
		{"net", Selection{Nets: []netip.Prefix{p("10.0.1.9/24")}}, []uint64{3, 5}},
		{"nets", Selection{Nets: []netip.Prefix{p("fd00::/64"), p("192.0.2.0/24")}}, []uint64{6, 8}},
		{"invalid-net", Selection{Nets: []netip.Prefix{{}}}, nil},
		{"port", Selection{Ports: []uint16{1000}}, []uint64{1, 2, 3, 6, 7}},
		{"vlan", Selection{VLANs: []uint16{5}}, []uint64{3, 5}},
		{"outer-vlan", Selection{VLANs: []uint16{7}}, []uint64{5}},
		{"port-and-net", Selection{Ports: []uint16{443}, Nets: []netip.Prefix{p("10.0.0.3/32")}}, []uint64{5}},
		{"host-and-vlan", Selection{Hosts: []netip.Addr{a("10.0.0.2")}, VLANs: []uint16{5}}, nil},
	} {
		r := readAll(t, Options{Selection: c.s}, selectionFile())
		if got := selected(r); !reflect.DeepEqual(got, c.want) || r.err != nil {
			t.Errorf("%s: %d, want %d (%v)", c.name, got, c.want, r.err)
		}
		n := uint64(len(c.want))
		for _, f := range c.want {
			if f == 7 { // a quote is no segment
				n--
			}
		}
		if r.stats.Segments != 6 || r.stats.Selected != n || len(r.segs) != 7 || r.stats.TaggedTCP != 2 {
			t.Errorf("%s: %+v", c.name, r.stats)
		}
	}
}

func TestFilter(t *testing.T) {
	if !haveLibpcap {
		_, err := Open(Options{Paths: []string{"-"}, Selection: Selection{Filter: "tcp"}})
		if !errors.Is(err, ErrNoLibpcap) {
			t.Errorf("got %v", err)
		}
		return
	}
	for _, c := range []struct {
		expr string
		want []uint64
	}{
		{"tcp", []uint64{1, 2, 6, 8}},
		{"tcp port 80", []uint64{1, 2, 6}},
		{"host 10.0.0.9", []uint64{7}},
		{"vlan and tcp", []uint64{3}},
		{"vlan 7 and vlan 5 and tcp", []uint64{5}},
		{"tcp or (vlan and tcp)", []uint64{1, 2, 3, 6, 8}},
		{"tcp[tcpflags] & tcp-syn != 0 or ip6", []uint64{6}},
		{"greater 80", []uint64{7}},
		{"less 60", []uint64{1, 2, 3, 8}},
		{"src host 10.0.0.1", []uint64{1}},
		{"udp", nil},
	} {
		r := readAll(t, Options{Selection: Selection{Filter: c.expr}}, selectionFile())
		if got := selected(r); !reflect.DeepEqual(got, c.want) || r.err != nil {
			t.Errorf("%s: %d, want %d (%v)", c.expr, got, c.want, r.err)
		}
	}
	for _, expr := range []string{"tcp prot 80", "host", "port 99999", "((", "ether host 1:2:3"} {
		for _, file := range [][]byte{selectionFile(), ng{}.section()} {
			var fe *FilterError
			if r := readAll(t, Options{Selection: Selection{Filter: expr}}, file); !errors.As(r.err, &fe) || fe.Expr != expr || fe.Reason == "" {
				t.Errorf("%s: %v", expr, r.err)
			}
		}
	}
}

// Each link type has its own program, and the lengths are those of the wire.
func TestFilterLinks(t *testing.T) {
	if !haveLibpcap {
		t.Skip("built without libpcap")
	}
	n := ng{}
	tcp := func(port int) []byte {
		return ip4("10.0.0.1", "10.0.0.2", protoTCP, seg{sport: port, dport: 1, flags: ACK}.bytes())
	}
	cooked := func(p []byte) []byte { return cat(be16(4), be16(1), be16(6), make([]byte, 8), be16(etherIPv4), p) }
	cooked2 := func(p []byte) []byte {
		return cat(be16(etherIPv4), be16(0), be32(3), be16(1), []byte{4, 6}, make([]byte, 8), p)
	}
	links := []int{linkEthernet, linkRaw, linkSLL, linkSLL2, linkIPv4, linkNull, linkLoop, linkRawBSD, linkPPP}
	wrap := []func([]byte) []byte{func(p []byte) []byte { return eth(etherIPv4, p) }, func(p []byte) []byte { return p }, cooked, cooked2, func(p []byte) []byte { return p },
		func(p []byte) []byte { return cat(le32(2), p) }, func(p []byte) []byte { return cat(be32(2), p) }, func(p []byte) []byte { return p }, func(p []byte) []byte { return cat([]byte{0xff, 3, 0, 0x21}, p) }}
	file := n.section()
	for _, l := range links {
		file = cat(file, n.iface(l, 0))
	}
	var want []uint64
	for i := range links {
		file = cat(file, n.packet(i, 1, wrap[i](tcp(7))), n.packet(i, 1, wrap[i](tcp(8))))
		want = append(want, uint64(2*i+2))
	}
	r := readAll(t, Options{Selection: Selection{Filter: "tcp src port 8"}}, file)
	if got := selected(r); !reflect.DeepEqual(got, want) || r.err != nil {
		t.Errorf("frames %d, want %d (%v)", got, want, r.err)
	}
	// On a link type found later on, on which it makes no sense, it selects nothing.
	file = cat(n.section(), n.iface(linkEthernet, 0), n.iface(linkRaw, 0), n.packet(0, 1, wrap[0](tcp(7))), n.packet(1, 1, tcp(7)), n.packet(0, 1, wrap[0](tcp(7))))
	for _, raw := range []bool{false, true} {
		r := readAll(t, Options{Selection: Selection{Filter: "ether multicast or tcp"}, Raw: raw}, file)
		if got := selected(r); !reflect.DeepEqual(got, []uint64{1, 3}) || r.err != nil || !reflect.DeepEqual(r.stats.Skipped, []Skip{{Reason: "filter-link", N: 1, Frame: 2}}) {
			t.Errorf("frames %d, %v, %+v", got, r.err, r.stats.Skipped)
		}
	}
	// "len" is the frame's length, not that of what was kept of it.
	f := plainFrame(seg{sport: 1, dport: 2, payload: make([]byte, 500)})
	b := pcapFile(1, rec{data: f[:60], wire: len(f)}, rec{data: plainFrame(plainSeg)}, rec{data: f[:60], wire: len(f)})
	if got := selected(readAll(t, Options{Selection: Selection{Filter: "greater 200"}}, b)); !reflect.DeepEqual(got, []uint64{1, 3}) {
		t.Errorf("greater 200: frames %d", got)
	}
	// A load beyond what was kept rejects.
	if got := selected(readAll(t, Options{Selection: Selection{Filter: "ether[100] = 0"}}, b)); got != nil {
		t.Errorf("beyond the snap length: frames %d", got)
	}
}

// A datagram is selected if any of its fragments is.
func TestFilterFragments(t *testing.T) {
	if !haveLibpcap {
		t.Skip("built without libpcap")
	}
	b := seg{sport: 1, dport: 80, payload: make([]byte, 100)}.bytes()
	file := pcapFile(1, recs(
		eth(etherIPv4, ip4frag("10.0.0.1", "10.0.0.2", protoTCP, 0x2000, b[:40])),
		eth(etherIPv4, ip4frag("10.0.0.1", "10.0.0.2", protoTCP, 5, b[40:])))...)
	for expr, want := range map[string][]uint64{"tcp port 80": {2}, "tcp port 81": nil, "ip[6:2] & 0x1fff != 0": {2}} {
		r := readAll(t, Options{Selection: Selection{Filter: expr}}, file)
		if got := selected(r); !reflect.DeepEqual(got, want) || len(r.segs) != 1 || r.segs[0].Mark&Reassembled == 0 || r.segs[0].Len != 100 {
			t.Errorf("%s: %d, want %d; %+v", expr, got, want, r.segs)
		}
	}
}

// Of a long filter its error quotes the beginning.
func TestFilterErrorIsShort(t *testing.T) {
	long := &FilterError{Expr: strings.Repeat("host é or ", 6000), Reason: "it is too long"}
	if got, want := long.Error(), "filter \"host é or host"; !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "…\": it is too long") || len(got) > 300 {
		t.Errorf("%d octets: %.300s", len(got), got)
	}
	short := &FilterError{Expr: strings.Repeat("é", 200), Reason: "no"}
	if got, want := short.Error(), `filter "`+short.Expr+`": no`; got != want {
		t.Errorf("%s", got)
	}
}
