package capture

import (
	"bytes"
	"math/rand"
	"os"
	"path/filepath"
	"testing"
)

// dirty is a batch whose memory was used before.
func dirty(n int, octet byte) *Batch {
	b := &Batch{Segments: make([]Segment, n)}
	for i := range b.Segments {
		k := Key{LoPort: uint16(octet) * 257, HiPort: uint16(octet) * 255, V6: octet&1 != 0}
		for j := range k.Lo {
			k.Lo[j], k.Hi[j] = octet, ^octet
		}
		b.Segments[i] = Segment{Time: int64(octet), Frame: uint64(octet), Key: k, Side: octet, Flags: octet, Hash: uint32(octet), Seq: uint32(octet),
			Ack: uint32(octet), Len: uint32(octet), TSVal: uint32(octet), TSEcr: uint32(octet), Window: uint16(octet), IPID: uint16(octet),
			MSS: uint16(octet), VLAN: uint16(octet), HdrLen: uint16(octet), WScale: octet, Opts: octet, TTL: octet, Mark: octet}
	}
	b.Segments = b.Segments[:0]
	return b
}

// agree decodes a frame in one step where that is possible, and header by
// header, which is how checksums are verified. Both have to write all of a
// segment, and the same. It reports whether one step was enough.
func agree(t *testing.T, link uint32, data []byte, wire int) (took bool) {
	t.Helper()
	f := frame{time: 7, data: data, wire: wire, ifc: &iface{link: link}}
	one, each := dirty(1, 0x55), dirty(1, 0xaa)
	d, v := newDecoder(nil, false), newDecoder(nil, true)
	d.frame(&f, one)
	v.frame(&f, each)
	for i := range each.Segments {
		each.Segments[i].Mark &^= BadChecksum
	}
	if len(one.Segments) != len(each.Segments) || len(one.Segments) > 0 && one.Segments[0] != each.Segments[0] {
		t.Fatalf("link %d, %x:\nin one step %+v\nby header   %+v", link, data, one.Segments, each.Segments)
	}
	if d.segments != v.segments || d.selected != v.selected || d.skips != v.skips || d.quotes != v.quotes || len(one.Quotes) != len(each.Quotes) {
		t.Fatalf("link %d, %x: counted %d and %d, %+v and %+v", link, data, d.segments, v.segments, d.skips, v.skips)
	}
	return plainFrames([]frame{f}, dirty(1, 1).Segments[:1], 0) == 1
}

// plainOptions are options as systems send them, and nearly so.
var plainOptions = [][]byte{
	nil,
	{1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8},
	{1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9},
	{2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 3, 3, 7},
	{2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 3, 4, 7},
	{2, 4, 5, 180, 1, 3, 3, 8, 1, 1, 4, 2},
	{2, 4, 5, 180, 1, 3, 3, 6, 1, 1, 8, 10, 9, 9, 9, 9, 0, 0, 0, 0, 4, 2, 0, 0},
	{1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9},
	{2, 4, 5, 180},
	{2, 9, 5, 180},
	{34, 2, 0, 0},
}

func TestPlainAgrees(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	took, tried := 0, 0
	try := func(link uint32, data []byte, wire int) {
		tried++
		if agree(t, link, data, wire) {
			took++
		}
	}
	var frames [][]byte
	for i, o := range plainOptions {
		s := seg{sport: 40000, dport: 80, seq: 1 << 31, ack: 9, flags: uint8(1 << (i % 8)), win: 512, options: o, payload: make([]byte, i%3*7)}
		four, six := ip4("10.0.0.1", "10.0.0.2", protoTCP, s.bytes()), ip6("fd00::1", "fd00::2", protoTCP, s.bytes())
		frames = append(frames,
			eth(etherIPv4, four), eth(etherIPv6, six),
			eth(etherIPv4, ip4("10.0.0.9", "10.0.0.2", protoTCP, s.bytes())), // the other end sends
			eth(etherIPv6, ip6("fd00::1:0:0:0", "fd00::2", protoTCP, s.bytes())),
			eth(etherIPv4, ip4("1.1.1.1", "1.1.1.1", protoTCP, s.bytes())), // ports decide
			eth(etherIPv6, ip6("fe80::1", "fe80::1", protoTCP, s.bytes())),
			eth(etherIPv4, cat(four, make([]byte, 6))), // padded
			eth(etherIPv6, cat(six, make([]byte, 6))),
			eth(etherIPv4, ip4("10.0.0.1", "10.0.0.2", protoTCP, s.bytes(), 1, 1, 1, 1)),
			eth(etherIPv4, ip4frag("10.0.0.1", "10.0.0.2", protoTCP, 0x8000, s.bytes())), // reserved bit
			eth(etherIPv4, ip4frag("10.0.0.1", "10.0.0.2", protoTCP, 0x2000, s.bytes())),
			eth(etherIPv4, ip4frag("10.0.0.1", "10.0.0.2", protoTCP, 1, s.bytes())),
			eth(etherVLAN, vlan(7, etherIPv4, four)),
		)
	}
	for _, f := range frames {
		try(linkEthernet, f, len(f))
		for n := range f {
			try(linkEthernet, f[:n], len(f))
		}
		for range 150 {
			g := bytes.Clone(f)
			for range 1 + rng.Intn(3) {
				g[12+rng.Intn(len(g)-12)] = byte(rng.Intn(256))
			}
			try(linkEthernet, g, len(g)+rng.Intn(3))
		}
	}
	if took < tried/4 || took > tried*9/10 {
		t.Errorf("%d of %d frames were plain", took, tried)
	}
}

// The captures of the repository: most of what is TCP in Ethernet is plain.
func TestPlainCaptures(t *testing.T) {
	paths, _ := filepath.Glob("../testdata/pcaps/*.pcap")
	took, tried := 0, 0
	for _, p := range paths {
		file, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		r, reason := newPcap(walk{w: window{r: bytes.NewReader(file)}})
		if reason != "" {
			continue
		}
		var fs [framesAhead]frame
		for {
			n, err := r.next(fs[:])
			if err != nil {
				break
			}
			for i := range fs[:n] {
				tried++
				if agree(t, fs[i].ifc.link, fs[i].data, fs[i].wire) {
					took++
				}
			}
		}
	}
	if took < tried/2 {
		t.Errorf("%d of %d frames were plain", took, tried)
	}
}

// Options that are known by their arrangement say what they say one by one.
func TestArrangedOptions(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	for _, o := range plainOptions {
		for try := range 500 {
			o := bytes.Clone(o)
			if try > 0 && len(o) > 0 {
				o[rng.Intn(len(o))] = byte(rng.Intn(12))
			}
			whole, each := dirty(1, 0x55).Segments[:1], Segment{Ack: 0x55, WScale: NoWScale}
			whole[0].optioned(o)
			each.options(o)
			g, w := &whole[0], &each
			if g.MSS != w.MSS || g.WScale != w.WScale || g.Opts != w.Opts || g.TSVal != w.TSVal || g.TSEcr != w.TSEcr {
				t.Fatalf("%x: %+v, want %+v", o, g, w)
			}
		}
	}
}

// Key, side and hash without a branch are those that the definition of Key
// gives.
func TestEnds(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	for range 20000 {
		n := []int{4, 16}[rng.Intn(2)]
		src, dst := make([]byte, n), make([]byte, n)
		for i := range src { // alike up to some octet, or throughout
			src[i] = byte(rng.Intn(256))
		}
		copy(dst, src)
		for i := rng.Intn(2 * n); i < n; i++ {
			dst[i] = byte(rng.Intn(256))
		}
		ports := [2]uint16{uint16(rng.Intn(3)) << 15, uint16(rng.Intn(3)) << 15}
		want := Segment{Key: Key{LoPort: ports[0], HiPort: ports[1], V6: n == 16}}
		lo, hi := src, dst
		if c := bytes.Compare(src, dst); c > 0 || c == 0 && ports[0] > ports[1] {
			lo, hi, want.Side = dst, src, 1
			want.Key.LoPort, want.Key.HiPort = ports[1], ports[0]
		}
		copy(want.Key.Lo[:], lo)
		copy(want.Key.Hi[:], hi)
		got := dirty(1, 0x55).Segments[:1][0]
		got.ends(src, dst, ports[0], ports[1])
		if got.Key != want.Key || got.Side != want.Side || got.Hash != want.Key.Hash() {
			t.Fatalf("%x %d > %x %d: %+v, want %+v", src, ports[0], dst, ports[1], got, want)
		}
	}
}
