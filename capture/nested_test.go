package capture

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/google/gopacket/layers"
)

// Frames that lead into themselves every few octets end at maxDepth: each step
// would cost stack.
func TestFramesInFrames(t *testing.T) {
	four := ip4("10.0.0.1", "10.0.0.2", protoTCP, plainSeg.bytes())
	teb := eth(etherTEB, nil)
	snap := cat([]byte{0xaa, 0xaa, 3, 0, 0, 0}, be16(etherVLAN), be16(1), be16(8))
	fp := eth(etherFP, []byte{0, 0})
	for _, c := range []struct {
		name             string
		first, one, last []byte
	}{
		{"ethernet", nil, teb, eth(etherIPv4, four)},
		{"llc", eth(8, nil), snap, cat([]byte{6, 6, 3}, four)},
		{"fabricpath", nil, fp, eth(etherIPv4, four)},
	} {
		for _, n := range []int{1, maxDepth, maxDepth + 1, 100_000} {
			s, _, ok, st := decodeOne(linkEthernet, cat(c.first, bytes.Repeat(c.one, n), c.last), 0)
			if fits := n <= maxDepth; ok != fits || fits && (s.Seq != plainSeg.seq || s.Len != 5) || !fits && !reflect.DeepEqual(reasons(st), []string{"tunnel-depth"}) {
				t.Errorf("%s, %d times: %v %+v %+v", c.name, n, ok, s, st.Skipped)
			}
		}
	}
}

// A tunnel that carries frames is as deep as one that carries packets.
func TestFramesInTunnels(t *testing.T) {
	for _, n := range []int{maxDepth, maxDepth + 1} {
		p := eth(etherIPv4, ip4("10.0.0.1", "10.0.0.2", protoTCP, plainSeg.bytes()))
		for i := range n {
			if i%2 == 0 {
				p = eth(etherIPv4, ip4("10.0.0.1", "10.0.0.2", protoGRE, cat(be16(0), be16(etherTEB), p)))
			} else {
				udp := cat(be16(9), be16(portGeneve), be16(16+len(p)), be16(0), []byte{0, 0}, be16(etherTEB), make([]byte, 4), p)
				p = eth(etherIPv4, ip4("10.0.0.1", "10.0.0.2", protoUDP, udp))
			}
		}
		if s, _, ok, st := decodeOne(linkEthernet, p, 0); ok != (n <= maxDepth) || ok && s.Mark&Tunnelled == 0 {
			t.Errorf("%d: %v %+v", n, ok, st.Skipped)
		}
	}
}

// Of a frame with nothing but elements no more than one is looked at.
func TestElementsOfBeacons(t *testing.T) {
	beacon := func(n int) []byte { return cat([]byte{0x80, 0}, make([]byte, 34), make([]byte, 2*n)) }
	for _, c := range []struct {
		link uint32
		head []byte
	}{{105, nil}, {127, cat([]byte{0, 0}, le16(8), le32(0))}} {
		few, many := cat(c.head, beacon(10)), cat(c.head, beacon(10_000))
		count := func(f []byte) float64 {
			return testing.AllocsPerRun(10, func() {
				if kind, _ := peel(layers.LinkType(c.link), f); kind != landedNowhere {
					t.Fatal("landed")
				}
			})
		}
		if a, b := count(few), count(many); b > a+2 {
			t.Errorf("link %d: %v allocations for 10 elements, %v for 10 000", c.link, a, b)
		}
	}
}
