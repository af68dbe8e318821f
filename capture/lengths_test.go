package capture

import (
	"reflect"
	"testing"
)

// claim makes an IPv4 packet behind Ethernet say that it is so long, and sums
// its header again, or leaves the checksum as it was, or leaves it out.
func claim(f []byte, total int, sum string) []byte {
	f = append([]byte(nil), f...)
	copy(f[16:], be16(total))
	switch sum {
	case "right":
		sum4(f[14:])
	case "none":
		f[24], f[25] = 0, 0
	}
	return f
}

// A length beyond the frame is believed of a header that is as it was sent: then the
// frame was cut on its way. Else the frame counts for the numbers of connections and
// for nothing else.
func TestLengthBeyondFrame(t *testing.T) {
	long := plainSeg
	long.payload = make([]byte, 100)
	f := plainFrame(long)
	for _, c := range []struct {
		name string
		data []byte
		wire int
		want uint32
		ok   bool
	}{
		{"right checksum", claim(f, 1040, "right"), 0, 1000, true},
		{"no checksum", claim(f, 1040, "none"), 0, 1000, true},
		{"wrong checksum", claim(f, 1040, "wrong"), 0, 100, false},
		{"by one octet", claim(f, 141, "wrong"), 0, 100, false},
		{"wrong checksum within the frame", claim(f, 139, "wrong"), 0, 99, true},
		{"padding", append(claim(f, 140, "wrong"), 0, 0), 0, 100, true},
		{"snapped", claim(f, 1040, "wrong")[:60], len(f), 100, false},
		{"snapped, within the frame", claim(f, 1040, "wrong")[:60], 1054, 1000, true},
		{"beyond 15 bits", claim(f, 65535, "wrong"), 0, 100, false},
	} {
		for _, verify := range []bool{false, true} {
			d := newDecoder(nil, verify)
			b := Batch{Segments: make([]Segment, 0, 1)}
			d.frame(&frame{data: c.data, wire: max(c.wire, len(c.data)), ifc: &iface{link: linkEthernet}}, &b)
			var st Stats
			d.stats(&st)
			if len(b.Segments) != 1 {
				t.Errorf("%s: no segment, %+v", c.name, st.Skipped)
				continue
			}
			s := b.Segments[0]
			var want []string
			if !c.ok {
				want = []string{"bad-ip-length"}
			}
			if s.Len != c.want || s.Mark&Unselected == 0 != c.ok || st.Segments == 1 != c.ok || !reflect.DeepEqual(reasons(st), want) {
				t.Errorf("%s: length %d, marks %#x, %+v", c.name, s.Len, s.Mark, st)
			}
		}
	}
}

// Whatever stands in a frame that is refused, it counts once, and is not believed.
func TestRefusedOnce(t *testing.T) {
	whole := plainFrame(plainSeg)
	quote := eth(etherIPv4, ip4("10.9.9.9", "10.0.0.1", protoICMP, cat([]byte{3, 1, 0, 0, 0, 0, 0, 0}, whole[14:])))
	gre := eth(etherIPv4, ip4("1.1.1.1", "2.2.2.2", protoGRE, cat([]byte{0, 0, 8, 0}, whole[14:])))
	for _, c := range []struct {
		name    string
		data    []byte
		segment bool
	}{
		{"TCP", whole, true},
		{"in a tunnel", gre, true},
		{"quoted", quote, true},
		{"half a header of TCP", whole[:46], false},
		{"no header of TCP", whole[:34], false},
		{"a broken tunnel", gre[:36], false},
		{"UDP", eth(etherIPv4, ip4("1.1.1.1", "2.2.2.2", protoUDP, make([]byte, 40))), false},
	} {
		s, _, ok, st := decodeOne(linkEthernet, claim(c.data, 1000, "wrong"), 0)
		if ok != c.segment || ok && s.Mark&Unselected == 0 || st.Segments != 0 || st.Quotes != 0 || len(st.Skipped) != 1 || st.Skipped[0] != (Skip{"bad-ip-length", 1, 1}) {
			t.Errorf("%s: segment %v %+v, %+v", c.name, ok, s, st)
		}
	}
	// A fragment of a datagram that is otherwise whole.
	b := plainSeg.bytes()
	fs := pieces4(b, 16)
	fs[0] = claim(fs[0], 100, "wrong")
	r := readAll(t, Options{}, pcapFile(1, recs(fs...)...))
	if want := []Skip{{"bad-ip-length", 1, 1}, {"fragment-incomplete", uint64(len(fs) - 1), 2}}; len(r.segs) != 0 || !reflect.DeepEqual(r.stats.Skipped, want) {
		t.Errorf("a fragment: %+v %+v", r.segs, r.stats.Skipped)
	}
}
