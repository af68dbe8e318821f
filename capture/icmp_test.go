package capture

import (
	"net/netip"
	"testing"
)

func TestQuotes(t *testing.T) {
	tcp := plainSeg.bytes()
	four := ip4("10.0.0.1", "10.0.0.2", protoTCP, tcp)
	six := ip6("fd00::1", "fd00::2", protoTCP, tcp)
	icmp := func(kind, code, word int, q []byte) []byte {
		return eth(etherIPv4, ip4("10.9.9.9", "10.0.0.1", protoICMP, cat([]byte{byte(kind), byte(code), 0, 0}, be32(word), q)))
	}
	icmp6 := func(kind, code, word int, q []byte) []byte {
		return eth(etherIPv6, ip6("fd00::9", "fd00::1", protoICMPv6, cat([]byte{byte(kind), byte(code), 0, 0}, be32(word), q)))
	}
	q4 := func(kind, code uint8, mtu uint32) Quote {
		return Quote{From: netip.MustParseAddr("10.9.9.9"), Type: kind, Code: code, MTU: mtu}
	}
	q6 := func(kind, code uint8, mtu uint32) Quote {
		return Quote{From: netip.MustParseAddr("fd00::9"), Type: kind, Code: code, V6: true, MTU: mtu}
	}
	for _, c := range []struct {
		name  string
		data  []byte
		want  Quote
		short bool
	}{
		{"unreachable", icmp(3, 1, 0, four), q4(3, 1, 0), false},
		{"port-unreachable-8-octets", icmp(3, 3, 0, four[:28]), q4(3, 3, 0), true},
		{"15-octets", icmp(3, 3, 0, four[:35]), q4(3, 3, 0), true},
		{"16-octets", icmp(3, 3, 0, four[:36]), q4(3, 3, 0), false},
		{"fragmentation-needed", icmp(3, 4, 1400, four), q4(3, 4, 1400), false},
		{"source-quench", icmp(4, 0, 0, four), q4(4, 0, 0), false},
		{"redirect", icmp(5, 1, 0x0a000001, four), q4(5, 1, 0), true},
		{"time-exceeded", icmp(11, 0, 0, four[:28]), q4(11, 0, 0), true},
		{"parameter-problem", icmp(12, 0, 0x14000000, four), q4(12, 0, 0), false},
		{"quote-with-options", icmp(3, 1, 0, ip4("10.0.0.1", "10.0.0.2", protoTCP, tcp, 1, 1, 1, 0)), q4(3, 1, 0), false},
		{"6-unreachable", icmp6(1, 4, 0, six), q6(1, 4, 0), false},
		{"6-too-big", icmp6(2, 0, 1280, six), q6(2, 0, 1280), false},
		{"6-time-exceeded", icmp6(3, 0, 0, six[:48]), q6(3, 0, 0), true},
		{"6-parameter-problem", icmp6(4, 1, 40, six), q6(4, 1, 0), false},
		{"6-extension", icmp6(1, 0, 0, ip6("fd00::1", "fd00::2", protoDestOpts, cat([]byte{protoTCP, 0, 1, 4, 0, 0, 0, 0}, tcp))), q6(1, 0, 0), false},
		{"6-first-fragment", icmp6(1, 0, 0, ip6("fd00::1", "fd00::2", protoFragment, cat([]byte{protoTCP, 0, 0, 1, 0, 0, 0, 7}, tcp))), q6(1, 0, 0), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, q, ok, st := decodeOne(linkEthernet, c.data, 0)
			if !ok || len(q) != 1 || st.Quotes != 1 || st.Segments != 0 || st.Skipped != nil {
				t.Fatalf("%v %+v %+v", ok, q, st)
			}
			if q[s.Len] != c.want {
				t.Errorf("got %+v, want %+v", q[0], c.want)
			}
			if s.Src().Port() != 40000 || s.Dst().Port() != 80 || s.Seq != 1000 || s.Hash != s.Key.Hash() || s.Time != 5 || s.Frame != 1 {
				t.Errorf("got %+v", s)
			}
			if c.short && (s.Mark != Quoted|ShortQuote || s.Ack != 0) || !c.short && (s.Mark != Quoted || s.Ack != 2000 || s.Flags != ACK|PSH || s.Window != 512) {
				t.Errorf("short %v: %+v", c.short, s)
			}
			for i := range c.data {
				decodeOne(linkEthernet, c.data[:i], len(c.data))
			}
		})
	}
	udp := ip4("10.0.0.1", "10.0.0.2", protoUDP, tcp)
	for name, f := range map[string][]byte{
		"echo-reply": icmp(0, 0, 0, four), "quoted-udp": icmp(3, 3, 0, udp), "7-octets": icmp(3, 3, 0, four[:27]), "later-fragment": icmp(3, 3, 0, ip4frag("10.0.0.1", "10.0.0.2", protoTCP, 5, tcp)),
		"no-quote": icmp(3, 3, 0, nil), "6-echo": icmp6(128, 0, 0, six), "6-neighbour": icmp6(135, 0, 0, six), "6-later-fragment": icmp6(1, 0, 0, ip6("fd00::1", "fd00::2", protoFragment, cat([]byte{protoTCP, 0, 1, 0, 0, 0, 0, 7}, tcp))),
		"4-quoted-in-6": icmp6(1, 0, 0, four), "6-icmp-in-4": eth(etherIPv4, ip4("1.1.1.1", "2.2.2.2", protoICMPv6, cat([]byte{1, 0, 0, 0, 0, 0, 0, 0}, six))),
	} {
		if s, _, ok, st := decodeOne(linkEthernet, f, 0); ok || st.Quotes != 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// Quotes keep their places in a batch among segments, and in the next batch.
func TestQuoteIndexes(t *testing.T) {
	q := ip4("10.0.0.1", "10.0.0.2", protoTCP, plainSeg.bytes())
	var frames [][]byte
	for i := range 3000 {
		frames = append(frames, plainFrame(plainSeg), eth(etherIPv4, ip4("10.9.9.9", "10.0.0.1", protoICMP, cat([]byte{3, 4, 0, 0}, be32(i), q))))
	}
	r := readAll(t, Options{}, pcapFile(1, recs(frames...)...))
	if len(r.quotes) != 3000 || len(r.segs) != 6000 || r.stats.Segments != 3000 || r.stats.Quotes != 3000 {
		t.Fatalf("%d quotes, %d segments, %+v", len(r.quotes), len(r.segs), r.stats)
	}
	for i, q := range r.quotes {
		if q.MTU != uint32(i) {
			t.Fatalf("quote %d has MTU %d", i, q.MTU)
		}
	}
}
