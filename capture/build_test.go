package capture

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
)

// The tests build their frames by hand, so that they can be wrong in one place.

func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func be16(v int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(v)) }
func be32(v int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(v)) }

func addr(s string) []byte { return netip.MustParseAddr(s).AsSlice() }

// eth is an Ethernet frame.
func eth(proto int, payload []byte) []byte {
	return cat([]byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}, be16(proto), payload)
}

// vlan is what follows a tag's EtherType.
func vlan(id, proto int, payload []byte) []byte { return cat(be16(id), be16(proto), payload) }

// ip4 is an IPv4 packet with a right header checksum.
func ip4(src, dst string, proto int, payload []byte, options ...byte) []byte {
	return ip4frag(src, dst, proto, 0x4000, payload, options...)
}

// ip4frag has the flags and fragment offset given.
func ip4frag(src, dst string, proto, frag int, payload []byte, options ...byte) []byte {
	head := 20 + len(options)
	b := cat([]byte{byte(0x40 | head/4), 0}, be16(head+len(payload)), be16(0x1234), be16(frag), []byte{64, byte(proto), 0, 0},
		addr(src), addr(dst), options, payload)
	sum4(b)
	return b
}

// sum4 sets the header checksum.
func sum4(b []byte) {
	b[10], b[11] = 0, 0
	binary.BigEndian.PutUint16(b[10:], ^fold(b[:int(b[0]&15)*4], 0))
}

func fold(b []byte, sum uint32) uint16 {
	for i := range b {
		sum += uint32(b[i]) << (8 * uint(1-i%2))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

func ip6(src, dst string, next int, payload []byte) []byte {
	return cat([]byte{0x60, 0, 0, 0}, be16(len(payload)), []byte{byte(next), 63}, addr(src), addr(dst), payload)
}

// seg is a TCP header and payload; options are padded to words.
type seg struct {
	sport, dport int
	seq, ack     uint32
	flags        uint8
	win          int
	options      []byte
	payload      []byte
}

func (t seg) bytes() []byte {
	o := append([]byte(nil), t.options...)
	for len(o)%4 != 0 {
		o = append(o, 0)
	}
	b := cat(be16(t.sport), be16(t.dport), be32(int(t.seq)), be32(int(t.ack)),
		[]byte{byte((20 + len(o)) / 4 << 4), t.flags}, be16(t.win), []byte{0, 0, 0, 0}, o, t.payload)
	return b
}

// summed sets the TCP checksum for the addresses.
func summed(src, dst string, b []byte) []byte {
	b = append([]byte(nil), b...)
	b[16], b[17] = 0, 0
	s := uint32(fold(cat(addr(src), addr(dst)), 0)) + uint32(len(b)) + protoTCP
	binary.BigEndian.PutUint16(b[16:], ^fold(b, s))
	return b
}

var plainSeg = seg{sport: 40000, dport: 80, seq: 1000, ack: 2000, flags: ACK | PSH, win: 512, payload: []byte("hello")}

// plainFrame is a segment in IPv4 in Ethernet from 10.0.0.1:40000 to 10.0.0.2:80.
func plainFrame(t seg) []byte {
	return eth(etherIPv4, ip4("10.0.0.1", "10.0.0.2", protoTCP, t.bytes()))
}

// rec is a frame of a file.
type rec struct {
	ns   int64
	data []byte
	wire int // 0: len(data)
}

func recs(frames ...[]byte) (rs []rec) {
	for i, f := range frames {
		rs = append(rs, rec{ns: int64(i) * 1e6, data: f})
	}
	return rs
}

// pcapFile is a classic pcap file in nanoseconds, little endian.
func pcapFile(link int, rs ...rec) []byte {
	b := cat(le32(magicNano), le16(2), le16(4), le32(0), le32(0), le32(MaxRecord), le32(link))
	for _, r := range rs {
		b = append(b, pcapRec(r)...)
	}
	return b
}

func pcapRec(r rec) []byte {
	return cat(le32(int(r.ns/1e9)), le32(int(r.ns%1e9)), le32(len(r.data)), le32(max(r.wire, len(r.data))), r.data)
}

func le16(v int) []byte    { return binary.LittleEndian.AppendUint16(nil, uint16(v)) }
func le32(v int) []byte    { return binary.LittleEndian.AppendUint32(nil, uint32(v)) }
func le64(v uint64) []byte { return binary.LittleEndian.AppendUint64(nil, v) }

// ng writes pcapng blocks in one byte order.
type ng struct{ big bool }

func (n ng) u16(v int) []byte {
	if n.big {
		return be16(v)
	}
	return le16(v)
}

func (n ng) u32(v int) []byte {
	if n.big {
		return be32(v)
	}
	return le32(v)
}

func (n ng) u64(v uint64) []byte {
	if n.big {
		return binary.BigEndian.AppendUint64(nil, v)
	}
	return le64(v)
}

func pad(b []byte) []byte { return append(b[:len(b):len(b)], make([]byte, -len(b)&3)...) }

func (n ng) block(kind int, body ...[]byte) []byte {
	b := pad(cat(body...))
	return cat(n.u32(kind), n.u32(12+len(b)), b, n.u32(12+len(b)))
}

func (n ng) section() []byte {
	return n.block(blockSection, n.u32(byteOrderMagic), n.u16(1), n.u16(0), n.u64(1<<64-1))
}

func (n ng) option(code int, v []byte) []byte { return cat(n.u16(code), n.u16(len(v)), pad(v)) }

func (n ng) iface(link, snap int, options ...[]byte) []byte {
	return n.block(blockInterface, n.u16(link), n.u16(0), n.u32(snap), cat(options...))
}

func (n ng) packet(id int, ts uint64, data []byte, options ...[]byte) []byte {
	return n.block(blockPacket, n.u32(id), n.u32(int(ts>>32)), n.u32(int(ts&0xffffffff)), n.u32(len(data)), n.u32(len(data)), pad(data), cat(options...))
}

func (n ng) simple(wire int, data []byte) []byte {
	return n.block(blockSimple, n.u32(wire), data)
}

// read is what a source gave.
type read struct {
	segs   []Segment
	quotes []Quote // in the order of the quoting segments
	stats  Stats
	err    error // of Open, or of Next if not io.EOF
}

// readAll reads files given as contents.
func readAll(t testing.TB, o Options, files ...[]byte) read {
	t.Helper()
	dir := t.TempDir()
	for i, f := range files {
		p := filepath.Join(dir, string(rune('a'+i)))
		if err := os.WriteFile(p, f, 0o600); err != nil {
			t.Fatal(err)
		}
		o.Paths = append(o.Paths, p)
	}
	return readPaths(t, o)
}

func readPaths(t testing.TB, o Options) (r read) {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		return read{err: err}
	}
	defer s.Close()
	var b Batch
	for {
		if err := s.Next(&b); err != nil {
			if err != io.EOF {
				r.err = err
			}
			if len(b.Segments) != 0 {
				t.Errorf("Next returned %v with %d segments", err, len(b.Segments))
			}
			break
		}
		if len(b.Segments) > BatchSize {
			t.Errorf("a batch of %d segments", len(b.Segments))
		}
		for _, g := range b.Segments {
			if g.Mark&Quoted != 0 {
				r.quotes = append(r.quotes, b.Quotes[g.Len])
				g.Len = uint32(len(r.quotes) - 1)
			}
			r.segs = append(r.segs, g)
		}
	}
	r.stats = s.Stats()
	return r
}

// readStdin reads contents through standard input: no path, no size.
func readStdin(t testing.TB, o Options, file []byte) read {
	t.Helper()
	o.Paths, o.Stdin = []string{"-"}, bytes.NewReader(file)
	return readPaths(t, o)
}
