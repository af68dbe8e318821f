package capture

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"unsafe"
)

// speedFile is a capture of small segments, a tenth of them IPv6, as a busy
// server's first 96 octets are.
func speedFile(n int) []byte {
	var rs []rec
	for i := range n {
		s := seg{sport: 1024 + i%50000, dport: 443, seq: uint32(i) * 7, flags: ACK, win: 512, options: []byte{1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2}}
		f := plainFrame(s)
		if i%10 == 0 {
			f = eth(etherIPv6, ip6("fd00::1", "fd00::2", protoTCP, s.bytes()))
		}
		rs = append(rs, rec{ns: int64(i) * 1000, data: f})
	}
	return pcapFile(1, rs...)
}

// A segment is what goes from goroutine to goroutine, by the million.
func TestSegmentSize(t *testing.T) {
	if n := unsafe.Sizeof(Segment{}); n > 96 {
		t.Errorf("a segment has %d octets", n)
	}
}

// Reading and decoding leave nothing for the garbage collector.
func TestNoAllocations(t *testing.T) {
	n := ng{}
	frames := map[string][]byte{
		"tcp":       plainFrame(plainSeg),
		"tcp6":      eth(etherIPv6, ip6("fd00::1", "fd00::2", protoTCP, plainSeg.bytes())),
		"vlan":      eth(etherVLAN, vlan(1, etherIPv4, ip4("1.1.1.1", "2.2.2.2", protoTCP, plainSeg.bytes()))),
		"extension": eth(etherIPv6, ip6("fd00::1", "fd00::2", 0, cat([]byte{protoTCP, 0, 1, 4, 0, 0, 0, 0}, plainSeg.bytes()))),
		"gre":       eth(etherIPv4, ip4("1.1.1.1", "2.2.2.2", protoGRE, cat([]byte{0, 0, 8, 0}, ip4("1.1.1.1", "2.2.2.2", protoTCP, plainSeg.bytes())))),
		"quote":     eth(etherIPv4, ip4("1.1.1.1", "2.2.2.2", protoICMP, cat(make([]byte, 0), []byte{3, 1, 0, 0, 0, 0, 0, 0}, ip4("1.1.1.1", "2.2.2.2", protoTCP, plainSeg.bytes())))),
		"arp":       eth(0x806, make([]byte, 28)),
		"fragment":  eth(etherIPv4, ip4frag("1.1.1.1", "2.2.2.2", protoTCP, 0x2000, plainSeg.bytes()[:24])),
	}
	for name, f := range frames {
		d := newDecoder(newSelector(&Selection{Ports: []uint16{80}}, nil), true)
		b := Batch{Segments: make([]Segment, 0, 1), Quotes: make([]Quote, 0, 1)}
		fr := frame{data: f, wire: len(f), ifc: &iface{link: linkEthernet}}
		if a := testing.AllocsPerRun(200, func() { b.Reset(); d.frame(&fr, &b) }); a != 0 {
			t.Errorf("%s: %v allocations a frame", name, a)
		}
	}
	var blocks []byte
	for range 5000 {
		blocks = append(blocks, n.packet(0, 1, frames["tcp"], n.option(4, le64(0)))...)
	}
	pcapng := cat(n.section(), n.iface(1, 0), blocks)
	for _, c := range []struct {
		name  string
		files [][]byte
	}{
		{"pcap", [][]byte{speedFile(5000)}}, {"pcapng", [][]byte{pcapng}},
		{"merge", [][]byte{speedFile(5000), pcapng, speedFile(5000)}},
	} {
		var paths []string
		for _, f := range c.files {
			paths = append(paths, filepath.Join(t.TempDir(), "a"))
			if err := os.WriteFile(paths[len(paths)-1], f, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s, err := Open(Options{Paths: paths})
		if err != nil {
			t.Fatal(err)
		}
		var b Batch
		var st Stats
		s.Next(&b) // makes the buffers
		s.StatsInto(&st)
		if a := testing.AllocsPerRun(2, func() { s.Next(&b) }); a != 0 || len(b.Segments) != BatchSize {
			t.Errorf("%s: %v allocations for a batch of %d", c.name, a, len(b.Segments))
		}
		if a := testing.AllocsPerRun(10, func() { s.StatsInto(&st) }); a != 0 || len(st.Files) != len(paths) {
			t.Errorf("%s: %v allocations for statistics", c.name, a)
		}
		s.Close()
	}
}

// What each frame goes through, and is too small to be called.
func TestInlined(t *testing.T) {
	tool, err := exec.LookPath("go")
	if err != nil {
		lacking(t, "the go tool in PATH")
	}
	out, err := exec.Command(tool, "build", "-gcflags=-m", ".").CombinedOutput()
	if err != nil {
		t.Skipf("go build: %v, %s", err, out)
	}
	for _, f := range []string{
		"mix", "hash4", "order", "order4", "(*clock).nanos", "(*window).need", "(*decoder).skip", "(*decoder).tag", "(*input).known", "(*input).before",
		"(*Segment).Has", "(*Segment).SeqLen", "u32",
	} {
		if !bytes.Contains(out, []byte(": can inline "+f+"\n")) {
			t.Errorf("%s is called", f)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	plain := speedFile(100000)
	n := ng{}
	blocks := cat(n.section(), n.iface(1, 0))
	for i := range 100000 {
		blocks = append(blocks, n.packet(0, uint64(i), plainFrame(plainSeg))...)
	}
	for _, c := range []struct {
		name  string
		files [][]byte
	}{
		{"pcap", [][]byte{plain}}, {"pcapng", [][]byte{blocks}}, {"merge", [][]byte{plain, plain}}, {"gzip", [][]byte{gz(plain)}}, {"zstd", [][]byte{zst(plain)}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var paths []string
			for _, f := range c.files {
				p := filepath.Join(b.TempDir(), "a")
				if err := os.WriteFile(p, f, 0o600); err != nil {
					b.Fatal(err)
				}
				paths = append(paths, p)
			}
			var batch Batch
			var packets uint64
			for b.Loop() {
				s, err := Open(Options{Paths: paths})
				if err != nil {
					b.Fatal(err)
				}
				for s.Next(&batch) == nil {
				}
				packets += s.Stats().Packets
				s.Close()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(packets), "ns/packet")
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	in4, in6 := ip4("1.1.1.1", "2.2.2.2", protoTCP, plainSeg.bytes()), ip6("fd00::1", "fd00::2", protoTCP, plainSeg.bytes())
	dot11 := cat([]byte{0, 0}, le16(8), le32(0), []byte{0x08, 0x02, 0, 0}, make([]byte, 20), []byte{0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, in4)
	for _, c := range []struct {
		name string
		link uint32
		data []byte
	}{
		{"ipv4", linkEthernet, eth(etherIPv4, in4)}, {"ipv6", linkEthernet, eth(etherIPv6, in6)}, {"vlan", linkEthernet, eth(etherVLAN, vlan(1, etherIPv4, in4))},
		{"gre", linkEthernet, eth(etherIPv4, ip4("1.1.1.1", "2.2.2.2", protoGRE, cat([]byte{0, 0, 8, 0}, in4)))}, {"arp", linkEthernet, eth(0x806, make([]byte, 28))},
		{"wifi-through-gopacket", 127, dot11},
	} {
		b.Run(c.name, func(b *testing.B) {
			d := newDecoder(nil, false)
			batch := Batch{Segments: make([]Segment, 0, 1)}
			fr := frame{data: bytes.Clone(c.data), wire: len(c.data), ifc: &iface{link: c.link}}
			b.ReportAllocs()
			for b.Loop() {
				batch.Reset()
				d.frame(&fr, &batch)
			}
		})
	}
}
