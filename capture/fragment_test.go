package capture

import (
	"testing"
)

// pieces cuts a payload into fragments of n octets.
func pieces4(b []byte, n int) (fs [][]byte) {
	for at := 0; at < len(b); at += n {
		end, more := at+n, 0x2000
		if end >= len(b) {
			end, more = len(b), 0
		}
		fs = append(fs, eth(etherIPv4, ip4frag("10.0.0.1", "10.0.0.2", protoTCP, more|at/8, b[at:end])))
	}
	return fs
}

func pieces6(b []byte, n int) (fs [][]byte) {
	for at := 0; at < len(b); at += n {
		end, more := at+n, 1
		if end >= len(b) {
			end, more = len(b), 0
		}
		fs = append(fs, eth(etherIPv6, ip6("fd00::1", "fd00::2", protoFragment, cat([]byte{protoTCP, 0}, be16(at|more), be32(9), b[at:end]))))
	}
	return fs
}

func TestFragmentsJoined(t *testing.T) {
	whole := plainSeg
	whole.options = []byte{1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2}
	whole.payload = make([]byte, 3000)
	b := whole.bytes()
	for _, n := range []int{8, 16, 24, 1480} {
		for v, fs := range [][][]byte{pieces4(b, n), pieces6(b, n)} {
			if len(fs) > 128 {
				continue
			}
			r := readAll(t, Options{VerifyChecksums: true}, pcapFile(1, recs(fs...)...))
			if len(r.segs) != 1 || r.stats.Skipped != nil {
				t.Fatalf("%d octets, %d: %d segments, %+v", n, v, len(r.segs), r.stats)
			}
			g := r.segs[0]
			if g.Frame != uint64(len(fs)) || g.Len != 3000 || g.Opts != OptTS || g.TSEcr != 2 || g.Mark != Reassembled {
				t.Errorf("%d octets, %d: %+v", n, v, g)
			}
			// Backwards, too.
			for i, j := 0, len(fs)-1; i < j; i, j = i+1, j-1 {
				fs[i], fs[j] = fs[j], fs[i]
			}
			if r := readAll(t, Options{}, pcapFile(1, recs(fs...)...)); len(r.segs) != 1 || r.segs[0].Len != 3000 {
				t.Errorf("%d octets, %d backwards: %+v", n, v, r.stats)
			}
		}
	}
	// Only the start of each was captured.
	var rs []rec
	for i, f := range pieces4(b, 1480) {
		rs = append(rs, rec{ns: int64(i), data: f[:min(len(f), 96)], wire: len(f)})
	}
	if r := readAll(t, Options{}, pcapFile(1, rs...)); len(r.segs) != 1 || r.segs[0].Len != 3000 || r.segs[0].Mark&Cut != 0 {
		t.Errorf("snapped: %+v %+v", r.segs, r.stats)
	}
	// A hole, and the last one missing.
	fs := pieces4(b, 1480)
	for _, part := range [][][]byte{{fs[0], fs[2]}, {fs[0], fs[1]}, {fs[1], fs[2]}} {
		r := readAll(t, Options{}, pcapFile(1, recs(part...)...))
		if len(r.segs) != 0 || len(r.stats.Skipped) != 1 || r.stats.Skipped[0] != (Skip{"fragment-incomplete", 2, 1}) {
			t.Errorf("%+v", r.stats)
		}
	}
	// Different VLANs are different networks.
	r := readAll(t, Options{}, pcapFile(1, recs(eth(etherVLAN, vlan(1, etherIPv4, fs[0][14:])), eth(etherVLAN, vlan(2, etherIPv4, fs[1][14:])), eth(etherVLAN, vlan(1, etherIPv4, fs[2][14:])))...))
	if len(r.segs) != 0 {
		t.Errorf("joined across VLANs: %+v", r.segs)
	}
}

// Fragments inside a joined datagram: GRE in fragments, in it IP in fragments.
func TestFragmentsNested(t *testing.T) {
	whole := plainSeg
	whole.payload = make([]byte, 200)
	b := whole.bytes()
	var out [][]byte
	for i, p := range [][]byte{b[:120], b[120:]} {
		inner := ip4frag("10.0.0.1", "10.0.0.2", protoTCP, []int{0x2000, 15}[i], p)
		g := cat([]byte{0, 0, 8, 0}, inner)
		one, two := ip4frag("1.1.1.1", "2.2.2.2", protoGRE, 0x2000, g[:64]), ip4frag("1.1.1.1", "2.2.2.2", protoGRE, 8, g[64:])
		out = append(out, eth(etherIPv4, one), eth(etherIPv4, two))
	}
	r := readAll(t, Options{}, pcapFile(1, recs(out...)...))
	if len(r.segs) != 1 || r.segs[0].Len != 200 || r.segs[0].Frame != 4 || r.segs[0].Src().Port() != 40000 || r.segs[0].Src().Addr().String() != "10.0.0.1" || r.segs[0].Mark != Reassembled|Tunnelled {
		t.Errorf("%+v %+v", r.segs, r.stats)
	}
}
