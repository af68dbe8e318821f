package main

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/gopacket/layers"
)

// Captures that somebody made to break who reads them, and files that are none.

var le = binary.LittleEndian

// pcapHeader is the header of a classic pcap file of our time and byte order.
func pcapHeader(magic, snap, link uint32) []byte {
	b := le.AppendUint32(nil, magic)
	b = append(b, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	return le.AppendUint32(le.AppendUint32(b, snap), link)
}

// pcapRecord is a record that claims what it likes.
func pcapRecord(b []byte, sec, n, wire uint32, data []byte) []byte {
	for _, v := range []uint32{sec, 0, n, wire} {
		b = le.AppendUint32(b, v)
	}
	return append(b, data...)
}

// framesOf is a pcap file of frames that are what they are.
func framesOf(link uint32, frames ...[]byte) []byte {
	b := pcapHeader(0xa1b2c3d4, 0, link)
	for i, f := range frames {
		b = pcapRecord(b, uint32(i), uint32(len(f)), uint32(len(f)), f)
	}
	return b
}

// segmentFrame is the first frame of the ordinary conversation.
func segmentFrame() []byte { return wear(inEthernet, plain())[0].data }

// sectionOf is a pcapng file: a section and what f writes.
func sectionOf(f func(w *ngWriter)) []byte {
	w := &ngWriter{order: binary.LittleEndian}
	w.section()
	f(w)
	return w.b
}

// rawBlock is a block that claims what lengths it likes.
func rawBlock(kind, first, second uint32, body []byte) []byte {
	b := le.AppendUint32(le.AppendUint32(nil, kind), first)
	return le.AppendUint32(append(b, body...), second)
}

func repeated(n int, b ...byte) []byte { return bytes.Repeat(b, n) }

// nested puts layers around a packet until it has about that size.
func nested(size int, inner []byte, wrap func([]byte) []byte) []byte {
	for {
		outer := wrap(inner)
		if len(outer) > size {
			return inner
		}
		inner = outer
	}
}

// packet4 is an IPv4 packet of any protocol around a payload.
func packet4(proto byte, payload []byte) []byte {
	b := []byte{0x45, 0, 0, 0, 0, 1, 0, 0, 64, proto, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2}
	binary.BigEndian.PutUint16(b[2:], uint16(20+len(payload)))
	return append(b, payload...)
}

// packet6 is the same of IPv6.
func packet6(next byte, payload []byte) []byte {
	b := append([]byte{0x60, 0, 0, 0, 0, 0, next, 64}, make([]byte, 32)...)
	b[23], b[39] = 1, 2
	binary.BigEndian.PutUint16(b[4:], uint16(len(payload)))
	return append(b, payload...)
}

func ethernetOf(proto uint16, payload []byte) []byte {
	return append(binary.BigEndian.AppendUint16(repeated(12, 2), proto), payload...)
}

// header is a TCP header that begins a segment, with options as they come.
func header(offset byte, options ...byte) []byte {
	b := []byte{0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, offset << 4, 2, 1, 0, 0, 0, 0, 0}
	return append(b, options...)
}

var hostile = []struct {
	name string
	make func() []byte
	exit int
	says string // what standard error has to match; "" wants it empty
}{
	// Classic pcap.
	{"only magic", func() []byte { return pcapHeader(0xa1b2c3d4, 0, 1)[:4] }, exitDamaged, "cut short inside the pcap file header$"},
	{"half a header", func() []byte { return pcapHeader(0xa1b2c3d4, 0, 1)[:23] }, exitDamaged, "cut short inside the pcap file header$"},
	{"version 3", func() []byte { b := pcapHeader(0xa1b2c3d4, 0, 1); b[4] = 3; return b }, exitDamaged, "pcap file of an unknown version$"},
	{"snap length 0", func() []byte { return framesOf(1, segmentFrame()) }, exitOK, ""},
	{"snap length of all ones", func() []byte {
		return pcapRecord(pcapHeader(0xa1b2c3d4, math.MaxUint32, 1), 0, 54, 54, segmentFrame()[:54])
	}, exitOK, ""},
	{"more captured than there was", func() []byte { return pcapRecord(pcapHeader(0xa1b2c3d4, 65535, 1), 0, 66, 10, segmentFrame()) }, exitOK, ""},
	{"a wire length of all ones", func() []byte {
		return pcapRecord(pcapHeader(0xa1b2c3d4, 65535, 1), 0, 66, math.MaxUint32, segmentFrame())
	}, exitOK, ""},
	{"a captured length of all ones", func() []byte { return pcapRecord(pcapHeader(0xa1b2c3d4, 65535, 1), 0, math.MaxUint32, 66, nil) }, exitDamaged, "impossible length at byte 24"},
	{"a captured length below the snap length, and absent", func() []byte {
		return pcapRecord(pcapHeader(0xa1b2c3d4, math.MaxUint32, 1), 0, 16<<20, 16<<20, nil)
	}, exitDamaged, "cut short inside a record at byte 24"},
	{"times at both ends", func() []byte {
		b := pcapRecord(pcapHeader(0xa1b2c3d4, 0, 1), math.MaxUint32, 66, 66, segmentFrame())
		return pcapRecord(b, 0, 66, 66, segmentFrame())
	}, exitOK, ""},
	{"microseconds beyond a second", func() []byte {
		b := pcapRecord(pcapHeader(0xa1b2c3d4, 0, 1), 1, 66, 66, segmentFrame())
		le.PutUint32(b[28:], math.MaxUint32)
		return b
	}, exitOK, ""},
	{"Kuznetzov's records", func() []byte {
		b := append(pcapHeader(0xa1b2cd34, 65535, 1), 0, 0, 0, 0, 0, 0, 0, 0, 66, 0, 0, 0, 66, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0)
		return append(b, segmentFrame()...)
	}, exitOK, ""},
	{"a frame check sequence told of", func() []byte { return framesOf(0xf4000001, segmentFrame()) }, exitOK, ""},
	{"ten thousand frames without an octet", func() []byte { return append(pcapHeader(0xa1b2c3d4, 0, 1), make([]byte, 160_000)...) }, exitOK, `no TCP segment among the frames \(10000\)`},

	// Frames.
	{"tags without end", func() []byte {
		return framesOf(1, ethernetOf(0x8100, bytes.Repeat([]byte{0, 1, 0x81, 0}, 16_000)))
	}, exitOK, "no TCP"},
	{"labels without end", func() []byte {
		return framesOf(1, ethernetOf(0x8847, bytes.Repeat([]byte{0, 1, 0, 64}, 16_000)))
	}, exitOK, "no TCP"},
	{"Ethernet in Ethernet without end", func() []byte {
		return framesOf(1, bytes.Repeat(ethernetOf(0x6558, nil), 18_000))
	}, exitOK, "no TCP"},
	{"pseudowires without end", func() []byte {
		return framesOf(1, bytes.Repeat(ethernetOf(0x8847, []byte{0, 0, 1, 64, 0, 0, 0, 0}), 10_000))
	}, exitOK, "no TCP"},
	{"PPP in PPPoE without end", func() []byte {
		return framesOf(51, bytes.Repeat([]byte{0x11, 0, 0, 1, 0xff, 0xff, 0x02, 0x81, 0, 0, 1, 64}, 5000))
	}, exitOK, "no TCP"},
	{"IP in IP without end", func() []byte {
		return framesOf(101, nested(60_000, packet4(6, header(5)), func(p []byte) []byte { return packet4(4, p) }))
	}, exitOK, "no TCP"},
	{"GRE without end", func() []byte {
		return framesOf(101, nested(60_000, packet4(6, header(5)), func(p []byte) []byte {
			return packet4(47, append([]byte{0, 0, 0x65, 0x58}, ethernetOf(0x0800, p)...))
		}))
	}, exitOK, "no TCP"},
	{"VXLAN without end", func() []byte {
		return framesOf(101, nested(60_000, packet4(6, header(5)), func(p []byte) []byte {
			udp := append([]byte{0, 1, 0x12, 0xb5, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0}, ethernetOf(0x0800, p)...)
			return packet4(17, udp)
		}))
	}, exitOK, "no TCP"},
	{"seven tunnels", func() []byte {
		p := packet4(6, header(5))
		for range 7 {
			p = packet4(4, p)
		}
		return framesOf(101, p)
	}, exitOK, ""},
	{"extension headers without end", func() []byte {
		return framesOf(101, packet6(0, bytes.Repeat([]byte{60, 0, 1, 4, 0, 0, 0, 0}, 8000)))
	}, exitOK, "no TCP"},
	{"extension headers beyond the packet", func() []byte {
		return framesOf(101, packet6(0, append([]byte{6, 255, 1, 4, 0, 0, 0, 0}, header(5)...)))
	}, exitOK, "no TCP"},
	{"a routing header of no length", func() []byte {
		return framesOf(101, packet6(43, append([]byte{6, 0, 0, 255, 0, 0, 0, 0}, header(5)...)))
	}, exitOK, ""},
	{"authentication in authentication", func() []byte {
		return framesOf(101, packet6(51, bytes.Repeat([]byte{51, 0, 0, 0, 0, 0, 0, 0}, 5000)))
	}, exitOK, "no TCP"},
	{"fragments of nothing", func() []byte {
		return framesOf(101, packet6(44, []byte{6, 0, 0, 1, 0, 0, 0, 1}), packet6(44, []byte{6, 0, 0, 8, 0, 0, 0, 1}))
	}, exitOK, "no TCP"},
	{"fragments that overlap", func() []byte {
		var frames [][]byte
		for i := range 64 {
			p := packet4(6, header(5, repeated(20, 0)...))
			binary.BigEndian.PutUint16(p[6:], 0x2000|uint16(i/2))
			frames = append(frames, p)
		}
		return framesOf(101, frames...)
	}, exitOK, "no TCP"},
	{"a header length of nothing", func() []byte {
		p := packet4(6, header(5))
		p[0] = 0x40
		return framesOf(101, p)
	}, exitOK, "no TCP"},
	{"a total length below the header", func() []byte {
		p := packet4(6, header(5))
		p[2], p[3] = 0, 10
		return framesOf(101, p)
	}, exitOK, "no TCP"},
	{"a total length of nothing", func() []byte {
		p := packet4(6, header(5))
		p[2], p[3] = 0, 0
		return framesOf(101, p)
	}, exitOK, ""},
	{"options of no length", func() []byte { return framesOf(101, packet4(6, header(6, 3, 0, 0, 0))) }, exitOK, ""},
	{"options of length 1", func() []byte { return framesOf(101, packet4(6, header(6, 2, 1, 2, 1))) }, exitOK, ""},
	{"options beyond the header", func() []byte { return framesOf(101, packet4(6, header(6, 5, 255, 0, 0))) }, exitOK, ""},
	{"a data offset beyond the segment", func() []byte { return framesOf(101, packet4(6, header(15))) }, exitOK, "no TCP"},
	{"a data offset of nothing", func() []byte { return framesOf(101, packet4(6, header(0))) }, exitOK, "no TCP"},
	{"an error that quotes an error", func() []byte {
		p := packet4(6, header(5))
		for range 20 {
			p = packet4(1, append([]byte{3, 1, 0, 0, 0, 0, 0, 0}, p...))
		}
		return framesOf(101, p)
	}, exitOK, "no TCP"},
	{"families that nobody has", func() []byte {
		var frames [][]byte
		for _, af := range []uint32{0, 1, 7, 0x1f, 0xffff, 0x10000, 0x02000000, 0x1e000000, math.MaxUint32} {
			frames = append(frames, le.AppendUint32(nil, af), append(le.AppendUint32(nil, af), packet4(6, header(5))...))
		}
		return framesOf(0, frames...)
	}, exitOK, ""},
	{"radiotap with TCP inside", func() []byte {
		b := append([]byte{0, 0, 8, 0, 0, 0, 0, 0}, 0x08, 0x02)
		b = append(append(b, make([]byte, 22)...), 0xaa, 0xaa, 3, 0, 0, 0, 8, 0)
		return framesOf(127, append(b, packet4(6, header(5))...))
	}, exitOK, ""},
	{"attributes of no length", func() []byte { return framesOf(239, append([]byte{2, 0, 0, 0}, make([]byte, 4000)...)) }, exitOK, "no TCP"},
	{"PPI in PPI", func() []byte {
		return framesOf(192, []byte{0, 0, 8, 0, 192, 0, 0, 0, 0, 0, 8, 0, 192, 0, 0, 0}, []byte{0, 0, 255, 255, 1, 0, 0, 0}, []byte{0, 0, 0, 0, 1, 0, 0, 0})
	}, exitOK, "no TCP"},

	// pcapng.
	{"a section without its byte order", func() []byte { return rawBlock(0x0a0d0d0a, 28, 28, make([]byte, 16)) }, exitDamaged, "not a capture: a pcapng section header without its byte order"},
	{"a section cut short", func() []byte { return sectionOf(func(*ngWriter) {})[:9] }, exitDamaged, "cut short inside the pcapng section header"},
	{"a section of a negative length", func() []byte {
		b := sectionOf(func(w *ngWriter) { w.iface(1); w.packet(0, 0, segmentFrame()) })
		copy(b[16:], []byte{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
		return b
	}, exitOK, ""},
	{"a section of version 9", func() []byte {
		b := sectionOf(func(w *ngWriter) { w.iface(1); w.packet(0, 0, segmentFrame()) })
		b[12] = 9
		return b
	}, exitDamaged, "a section of an unknown version at byte 0"},
	{"a block of length 0", func() []byte {
		return sectionOf(func(w *ngWriter) { w.b = append(w.b, rawBlock(6, 0, 0, nil)...) })
	}, exitDamaged, "impossible length at byte 28"},
	{"a block of length 11", func() []byte {
		return sectionOf(func(w *ngWriter) { w.b = append(w.b, rawBlock(6, 11, 11, nil)...) })
	}, exitDamaged, "impossible length at byte 28"},
	{"a block of 4 GiB", func() []byte {
		return sectionOf(func(w *ngWriter) { w.b = append(w.b, rawBlock(99, math.MaxUint32, 0, nil)...) })
	}, exitDamaged, "impossible length at byte 28"},
	{"a block of 16 MiB, and absent", func() []byte {
		return sectionOf(func(w *ngWriter) { w.b = append(w.b, rawBlock(6, 16<<20, 0, nil)...) })
	}, exitDamaged, "cut short inside a record at byte 28"},
	{"a packet longer than its block", func() []byte {
		return sectionOf(func(w *ngWriter) {
			w.iface(1)
			w.block(6, slices.Concat(w.u32s(0, 0, 0, 1<<31, 1<<31), segmentFrame()))
		})
	}, exitDamaged, "a block is wrong at byte"},
	{"packets of no interface", func() []byte {
		return sectionOf(func(w *ngWriter) {
			w.packet(0, 0, segmentFrame())
			w.packet(math.MaxUint32, 0, segmentFrame())
			w.block(3, slices.Concat(w.u32s(66), segmentFrame()))
			w.stats(7, 0)
		})
	}, exitDamaged, "not described at byte 28 .*, 4 times$"},
	{"blocks without a body", func() []byte {
		return sectionOf(func(w *ngWriter) {
			for _, kind := range []uint32{1, 2, 3, 4, 5, 6, 9, 10, 0xbad, 0x40000bad, 0x80000001} {
				w.block(kind, nil)
			}
		})
	}, exitDamaged, "a block is wrong at byte 28"},
	{"options without end", func() []byte {
		return sectionOf(func(w *ngWriter) {
			w.block(1, slices.Concat(w.u32s(1, 0), repeated(60_000, 2, 0, 0, 0)))
			w.packet(0, 0, segmentFrame(), ngOption{4, repeated(65_535, 1)})
		})
	}, exitOK, ""},
	{"options beyond the block", func() []byte {
		return sectionOf(func(w *ngWriter) {
			w.block(1, slices.Concat(w.u32s(1, 0), []byte{9, 0, 255, 255, 1}))
			w.packet(0, 0, segmentFrame())
		})
	}, exitOK, ""},
	{"all resolutions and offsets", func() []byte {
		return sectionOf(func(w *ngWriter) {
			id := uint32(0)
			for _, offset := range []uint64{0, 1 << 63, 1<<63 - 1, math.MaxUint64} {
				for res := range 256 {
					w.iface(1, ngOption{9, []byte{byte(res)}}, ngOption{14, w.u64(offset)})
					for _, ts := range []uint64{0, 1, 1 << 63, math.MaxUint64} {
						w.packet(id, ts, segmentFrame())
					}
					id++
				}
			}
		})
	}, exitOK, ""},
	{"100 000 interfaces", func() []byte {
		return sectionOf(func(w *ngWriter) {
			w.iface(1)
			one := slices.Clone(w.b[28:])
			w.b = append(w.b, bytes.Repeat(one, 100_000)...)
		})
	}, exitDamaged, "more interfaces than any capture has at byte"},
	{"1000 sections", func() []byte {
		one := sectionOf(func(w *ngWriter) { w.iface(1); w.packet(0, 0, segmentFrame()) })
		return bytes.Repeat(one, 1000)
	}, exitOK, ""},
	{"drops beyond 64 bits", func() []byte {
		return sectionOf(func(w *ngWriter) {
			w.iface(1)
			for range 3 {
				w.packet(0, 0, segmentFrame(), ngOption{4, w.u64(math.MaxUint64)})
			}
			w.stats(0, 0, ngOption{5, w.u64(math.MaxUint64)}, ngOption{7, w.u64(math.MaxUint64)})
		})
	}, exitOK, "the capture lost 18446744073709551615 frames"},
	{"simple packets of a snap length", func() []byte {
		return sectionOf(func(w *ngWriter) {
			w.block(1, w.u32s(1, 10))
			w.block(3, slices.Concat(w.u32s(math.MaxUint32), segmentFrame()))
		})
	}, exitOK, "no TCP"},

	// Files of other kinds.
	{"nothing", func() []byte { return nil }, exitDamaged, "not a capture: an empty file$"},
	{"an octet", func() []byte { return []byte{0} }, exitDamaged, "not a capture: of an unknown kind"},
	{"text", func() []byte { return []byte("10:00:00 IP 10.0.0.1.40000 > 10.0.0.2.80: Flags [S]\n") }, exitDamaged, "not a capture: text$"},
	{"snoop", func() []byte {
		return append([]byte("snoop\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x04"), make([]byte, 40)...)
	}, exitDamaged, "a snoop capture"},
	{"Network Monitor", func() []byte { return append([]byte("GMBU\x00\x02"), make([]byte, 200)...) }, exitDamaged, "Network Monitor 2"},
	{"5View", func() []byte { return append([]byte{0xaa, 0xaa, 0xaa, 0xaa, 0x20, 0, 0, 0}, make([]byte, 40)...) }, exitDamaged, "a 5View capture"},
	{"LANalyzer", func() []byte { return append([]byte("\x01\x10\x4c\x00\x01\x05Trace"), make([]byte, 90)...) }, exitDamaged, "a LANalyzer capture"},
	{"nettl", func() []byte { return append([]byte("TR\x00\x64\x00\x00\x00\x00"), make([]byte, 90)...) }, exitDamaged, "an HP-UX nettl capture"},
	{"Observer", func() []byte { return append([]byte("ObserverPktBufferVersion=15.00"), make([]byte, 90)...) }, exitDamaged, "an Observer capture"},
	{"Visual", func() []byte { return append([]byte("\x05VNF\x0b\x00"), make([]byte, 90)...) }, exitDamaged, "a Visual Networks capture"},
	{"XML", func() []byte { return []byte("<?xml version=\"1.0\"?><pdml/>") }, exitDamaged, "XML text"},
	{"zip", func() []byte { return append([]byte("PK\x03\x04"), make([]byte, 40)...) }, exitDamaged, "a zip archive"},
	{"gzip in gzip", func() []byte { return gzipped(gzipped(framesOf(1, segmentFrame()))) }, exitDamaged, "not a capture: gzip data that is .*gzip data"},
	{"zstd in gzip", func() []byte { return gzipped(zstded(framesOf(1, segmentFrame()))) }, exitDamaged, "not a capture: gzip data that is .*zstd data"},
	{"text in zstd", func() []byte { return zstded([]byte("just text\n")) }, exitDamaged, "not a capture: zstd data that is text$"},
	{"nothing in gzip", func() []byte { return gzipped(nil) }, exitDamaged, "not a capture: gzip data that is an empty file$"},
	{"gzip cut in its header", func() []byte { return gzipped(nil)[:5] }, exitDamaged, "gzip data: cut short$"},
	{"gzip of another method", func() []byte { return []byte{0x1f, 0x8b, 7, 0, 0, 0, 0, 0, 0, 0} }, exitDamaged, "gzip data: damaged$"},
	{"gzip with a wrong sum", func() []byte {
		b := gzipped(framesOf(1, segmentFrame()))
		b[len(b)-6] ^= 1
		return b
	}, exitDamaged, "the compressed data is damaged at byte"},
	{"gzip with zeros behind it", func() []byte { return append(gzipped(framesOf(1, segmentFrame())), make([]byte, 100)...) }, exitDamaged, "the compressed data is damaged at byte"},
	{"a zstd window of 2 TiB", func() []byte { return []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xff, 0x01, 0, 0} }, exitDamaged, "zstd data: damaged$"},
	{"a zstd dictionary that nobody has", func() []byte { return []byte{0x28, 0xb5, 0x2f, 0xfd, 0x23, 1, 2, 3, 4, 0, 1, 0, 0} }, exitDamaged, "zstd data: damaged$"},
	{"a skippable frame of 4 GiB", func() []byte { return []byte{0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0xff, 1, 2, 3} }, exitDamaged, "zstd data"},
}

func TestHostile(t *testing.T) {
	dir := t.TempDir()
	for _, h := range hostile {
		t.Run(h.name, func(t *testing.T) {
			file := h.make()
			name := filepath.Join(dir, "capture")
			if err := os.WriteFile(name, file, 0o600); err != nil {
				t.Fatal(err)
			}
			for _, args := range append([][]string{{}, {"--workers", "3"}}, formats...) {
				for _, piped := range []bool{false, true} {
					args, stdin := append(slices.Clone(args), name), bytes.NewReader(nil)
					if piped {
						args[len(args)-1], stdin = "-", bytes.NewReader(file)
					}
					var stdout, stderr bytes.Buffer
					begun := cpuTime()
					code := run(args, stdin, &stdout, &stderr)
					said := stderr.String()
					if code != h.exit {
						t.Errorf("tcpstate %s: exit status %d, not %d: %s", strings.Join(args, " "), code, h.exit, said)
					}
					if took := cpuTime() - begun; took > mutateTime {
						t.Errorf("it took %s", took)
					}
					if code == exitDamaged {
						if wrong := clearLine(said); wrong != "" {
							t.Error(wrong)
						}
					}
					if h.says == "" && said != "" || !regexp.MustCompile("(?m)"+h.says).MatchString(said) {
						t.Errorf("tcpstate %s says %q, not %q", strings.Join(args, " "), said, h.says)
					}
				}
			}
		})
	}
}

// Frames of all link types that there are numbers for: of nothing, of all sorts of rubbish,
// and cut at every octet. Not one of them is damage.
func TestEveryLinkType(t *testing.T) {
	tcp := packet4(6, header(5))
	rng := rand.New(rand.NewPCG(1, 2))
	var shapes [][]byte
	for n := range 24 {
		shapes = append(shapes, make([]byte, n*3), repeated(n*3, 0xff))
	}
	for n := range 40 { // a packet behind so many octets, of which the last are an EtherType
		shapes = append(shapes, append(make([]byte, n), tcp...), append(append(repeated(n, 1), 8, 0), tcp...))
	}
	for range 40 {
		b := make([]byte, rng.IntN(120))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		shapes = append(shapes, b)
	}
	cut := wear(inQinQ, plain())[0].data
	for n := range cut {
		shapes = append(shapes, cut[:n])
	}
	var file []byte
	for link := range 320 { // each in a section of its own
		file = append(file, sectionOf(func(w *ngWriter) {
			w.iface(uint16(link))
			for i, s := range shapes {
				w.packet(0, uint64(i), s)
			}
		})...)
	}
	for _, args := range [][]string{{"-o", "json"}, {"-o", "ndjson", "--show", "summary,findings,connections,transitions,services", "--workers", "3"}, {"--verify-checksums"}} {
		var stdout, stderr bytes.Buffer
		if code := run(append(args, "-"), bytes.NewReader(file), &stdout, &stderr); code != exitOK {
			t.Errorf("tcpstate %s: exit status %d: %s", strings.Join(args, " "), code, &stderr)
		}
	}
}

// Data that is a thousandth of itself when compressed is read as it comes: it takes no memory.
func TestBombs(t *testing.T) {
	size := 64 << 20
	if testing.Short() || raced {
		size = 8 << 20
	}
	conn := wear(inEthernet, plain())
	zeros := append(pcapFile(layers.LinkTypeEthernet, conn), make([]byte, size)...)
	unknown := sectionOf(func(w *ngWriter) {
		w.iface(1)
		w.block(0x7777, make([]byte, 1<<20))
		big := slices.Clone(w.b[len(w.b)-(1<<20)-12:])
		for len(w.b) < size {
			w.b = append(w.b, big...)
		}
		for _, f := range conn {
			w.packet(0, uint64(f.at/1000), f.data)
		}
	})
	for name, file := range map[string][]byte{"zeros.gz": gzipped(zeros), "zeros.zst": zstded(zeros), "unknown.gz": gzipped(unknown), "unknown.zst": zstded(unknown)} {
		if len(file) > size/500 {
			t.Fatalf("%s has %d octets", name, len(file))
		}
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		out, wrong := mutateRun([]string{"-o", "ndjson", "--show", "connections", path}, nil)
		if wrong != "" || !bytes.Contains(out, []byte(`"connection"`)) {
			t.Errorf("%s: %s%s", name, wrong, out)
		}
	}
}
