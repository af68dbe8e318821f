package capture

import (
	"reflect"
	"testing"
)

func TestPcapngShapes(t *testing.T) {
	f := plainFrame(plainSeg)
	raw := f[14:]
	ms := func(n ng) []byte { return n.option(9, []byte{3}) }
	le, be := ng{false}, ng{true}
	for _, c := range []struct {
		name  string
		file  []byte
		times []int64
		links []string
		snap  uint32
	}{
		{"microseconds-by-default", cat(le.section(), le.iface(1, 96), le.packet(0, 1_500_000, f)), []int64{1.5e9}, []string{"Ethernet"}, 96},
		{"big-endian", cat(be.section(), be.iface(1, 96), be.packet(0, 1<<33, f)), []int64{1 << 33 * 1000}, []string{"Ethernet"}, 96},
		{"sections-of-either-order", cat(be.section(), be.iface(1, 96), be.packet(0, 1, f), le.section(), le.iface(101, 200), le.packet(0, 2, raw), be.section(), be.iface(101, 96), be.packet(0, 3, raw)),
			[]int64{1000, 2000, 3000}, []string{"Ethernet", "raw IP"}, 200},
		{"interfaces-of-a-section", cat(le.section(), le.iface(1, 96, ms(le)), le.iface(228, 0), le.packet(1, 7, raw), le.packet(0, 7, f)), []int64{7000, 7e6}, []string{"Ethernet", "raw IPv4"}, 0},
		{"base-two", cat(le.section(), le.iface(1, 0, le.option(9, []byte{0x80 | 1})), le.packet(0, 3, f)), []int64{1.5e9}, []string{"Ethernet"}, 0},
		{"finest", cat(le.section(), le.iface(1, 0, le.option(9, []byte{0x80 | 64})), le.packet(0, 1<<63, f)), []int64{5e8}, []string{"Ethernet"}, 0},
		{"absurdly-fine", cat(le.section(), le.iface(1, 0, le.option(9, []byte{0xff})), le.iface(1, 0, le.option(9, []byte{0x7f})), le.packet(0, 1<<63, f), le.packet(1, 1<<63, f)), []int64{0, 0}, []string{"Ethernet"}, 0},
		{"offset", cat(le.section(), le.iface(1, 0, le.option(9, []byte{9}), le.option(14, le64(100))), le.packet(0, 7, f)), []int64{100e9 + 7}, []string{"Ethernet"}, 0},
		{"before-1970", cat(le.section(), le.iface(1, 0, le.option(14, le64(1<<64-100))), le.packet(0, 7, f)), []int64{-100e9 + 7000}, []string{"Ethernet"}, 0},
		{"simple-has-the-time-before", cat(le.section(), le.iface(1, 0), le.simple(len(f), f), le.packet(0, 5, f), le.simple(len(f), f)), []int64{0, 5000, 5000}, []string{"Ethernet"}, 0},
		{"simple-cut-by-snap-length", cat(le.section(), le.iface(1, 54), le.simple(900, f[:54])), []int64{0}, []string{"Ethernet"}, 54},
		{"old-packet-block", cat(le.section(), le.iface(1, 0), le.block(blockOldPacket, le.u16(0), le.u16(3), le.u32(0), le.u32(9), le.u32(len(f)), le.u32(len(f)), f)), []int64{9000}, []string{"Ethernet"}, 0},
		{"unknown-blocks", cat(le.section(), le.block(4, make([]byte, 8)), le.iface(1, 0), le.block(0x80000001, make([]byte, 3<<20)), le.packet(0, 1, f), le.block(10, []byte("secrets "))), []int64{1000}, []string{"Ethernet"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, r := range []read{readAll(t, Options{}, c.file), readStdin(t, Options{}, c.file)} {
				if r.err != nil || r.stats.Damage != nil {
					t.Fatalf("%v %+v", r.err, r.stats.Damage)
				}
				var times []int64
				for _, g := range r.segs {
					times = append(times, g.Time)
				}
				fs := r.stats.Files[0]
				if !reflect.DeepEqual(times, c.times) || !reflect.DeepEqual(fs.LinkTypes, c.links) || fs.SnapLen != c.snap || fs.Format != "pcapng" {
					t.Errorf("times %d, file %+v", times, fs)
				}
			}
		})
	}
}

// Wireshark numbers journal entries and custom blocks as frames.
func TestPcapngNumbers(t *testing.T) {
	n, f := ng{}, plainFrame(plainSeg)
	r := readAll(t, Options{}, cat(n.section(), n.iface(1, 0), n.packet(0, 1, f), n.block(blockJournal, []byte("A=b\n")), n.packet(0, 2, f),
		n.block(blockCustom, n.u32(32473)), n.packet(0, 3, f), n.block(5, n.u32(0), n.u64(0)), n.packet(0, 4, f)))
	var got []uint64
	for _, g := range r.segs {
		got = append(got, g.Frame)
	}
	if want := []uint64{1, 3, 5, 6}; !reflect.DeepEqual(got, want) || r.stats.Packets != 6 {
		t.Errorf("frames %d, want %d; %d packets", got, want, r.stats.Packets)
	}
}

// Frames before the first one with a time do not make the capture begin in
// 1970.
func TestPcapngUntimed(t *testing.T) {
	n, f := ng{}, plainFrame(plainSeg)
	r := readAll(t, Options{}, cat(n.section(), n.iface(1, 0), n.simple(len(f), f), n.packet(0, 1e15, f), n.simple(len(f), f), n.packet(0, 2e15, f)))
	if r.stats.First != 1e18 || r.stats.Last != 2e18 || r.stats.TimeBack != 0 || r.segs[0].Time != 0 || r.segs[2].Time != 1e18 {
		t.Errorf("%+v", r.stats)
	}
	if r := readAll(t, Options{}, cat(n.section(), n.iface(1, 0), n.simple(len(f), f))); r.stats.First != 0 || r.stats.Last != 0 || r.stats.Packets != 1 {
		t.Errorf("no times at all: %+v", r.stats)
	}
}

func TestPcapngDrops(t *testing.T) {
	n, f := ng{}, plainFrame(plainSeg)
	drop := n.option(4, le64(3))
	isb := func(id int, ifd, osd uint64) []byte {
		return n.block(blockStats, n.u32(id), n.u64(0), n.option(5, le64(ifd)), n.option(7, le64(osd)))
	}
	for _, c := range []struct {
		name         string
		body         []byte
		dropped, ifd uint64
	}{
		{"packets", cat(n.packet(0, 1, f, drop), n.packet(0, 2, f, drop)), 6, 0},
		{"last-statistics-hold", cat(isb(0, 1, 2), isb(0, 5, 7)), 7, 5},
		{"both-are-the-same-drops", cat(n.packet(0, 1, f, drop), isb(0, 0, 7)), 7, 0},
		{"interfaces-add-up", cat(n.iface(1, 0), isb(0, 1, 2), isb(1, 10, 20)), 22, 11},
		{"sections-add-up", cat(isb(0, 1, 2), n.section(), n.iface(1, 0), isb(0, 10, 20)), 22, 11},
		{"no-wrap", cat(n.iface(1, 0), isb(0, 1<<64-1, 1<<64-1), isb(1, 1<<64-1, 5)), 1<<64 - 1, 1<<64 - 1},
		{"old-packet", n.block(blockOldPacket, n.u16(0), n.u16(4), n.u64(0), n.u32(0), n.u32(0)), 4, 0},
		{"old-packet-unknown", n.block(blockOldPacket, n.u16(0), n.u16(0xffff), n.u64(0), n.u32(0), n.u32(0)), 0, 0},
	} {
		r := readAll(t, Options{}, cat(n.section(), n.iface(1, 0), c.body))
		if r.stats.Dropped != c.dropped || r.stats.IfDropped != c.ifd || r.stats.Damage != nil {
			t.Errorf("%s: dropped %d and %d, damage %+v", c.name, r.stats.Dropped, r.stats.IfDropped, r.stats.Damage)
		}
	}
}

// Damage that leaves the next block findable is passed over; a length that
// cannot be true ends the file.
func TestPcapngDamage(t *testing.T) {
	n, f := ng{}, plainFrame(plainSeg)
	head := cat(n.section(), n.iface(1, 0))
	ok := n.packet(0, 1, f)
	trailer := append([]byte(nil), ok...)
	trailer[len(trailer)-1] = 9
	for _, c := range []struct {
		name   string
		middle []byte
		segs   int
		reason string
	}{
		{"unknown-interface", n.packet(7, 1, f), 2, "unknown-interface"},
		{"no-such-interface", n.packet(1<<32-1, 1, f), 2, "unknown-interface"},
		{"captured-beyond-block", n.block(blockPacket, n.u32(0), n.u64(0), n.u32(1000), n.u32(1000), f), 2, "bad-block"},
		{"captured-all-ones", n.block(blockPacket, n.u32(0), n.u64(0), n.u32(1<<32-1), n.u32(1<<32-1), f), 2, "bad-block"},
		{"short-packet-block", n.block(blockPacket, n.u32(0)), 2, "bad-block"},
		{"short-interface-block", n.block(blockInterface, n.u32(1)), 2, "bad-block"},
		{"short-statistics-block", n.block(blockStats, n.u32(0)), 2, "bad-block"},
		{"statistics-of-nobody", n.block(blockStats, n.u32(9), n.u64(0)), 2, "unknown-interface"},
		{"lengths-differ", trailer, 3, "block-lengths-differ"},
		{"length-zero", cat(n.u32(6), n.u32(0), n.u32(0)), 1, "bad-block-length"},
		{"length-eleven", cat(n.u32(6), n.u32(11), n.u32(11)), 1, "bad-block-length"},
		{"length-two-gib", cat(n.u32(6), n.u32(1<<31), n.u32(0)), 1, "bad-block-length"},
		{"length-all-ones", cat(n.u32(0x777), n.u32(1<<32-1), n.u32(0)), 1, "bad-block-length"},
		{"section-without-order", n.block(blockSection, n.u32(0x12345678), n.u32(0), n.u64(0)), 1, "bad-section-header"},
		{"longer-than-the-file", cat(n.u32(6), n.u32(MaxBlock), n.u32(0)), 1, "cut-short"},
		{"unknown-longer-than-the-file", cat(n.u32(0x777), n.u32(MaxBlock), n.u32(0)), 1, "cut-short"},
		{"option-beyond-block", n.block(blockPacket, n.u32(0), n.u64(0), n.u32(0), n.u32(0), n.u16(4), n.u16(60000)), 2, ""},
		{"unpadded-block", cat(n.u32(0x99), n.u32(13), []byte{1, 0, 0, 0}, n.u32(13)), 2, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := cat(head, ok, c.middle, ok)
			for _, r := range []read{readAll(t, Options{}, file), readStdin(t, Options{}, file)} {
				if r.err != nil || len(r.segs) != c.segs {
					t.Fatalf("%v, %d segments, %+v", r.err, len(r.segs), r.stats.Damage)
				}
				if c.reason == "" && r.stats.Damage == nil {
					continue
				}
				if len(r.stats.Damage) != 1 || r.stats.Damage[0].Reason != c.reason || r.stats.Damage[0].Offset != int64(len(head)+len(ok)) && c.reason != "cut-short" {
					t.Errorf("%+v, want %s at %d", r.stats.Damage, c.reason, len(head)+len(ok))
				}
			}
		})
	}
}

func TestPcapngManyInterfaces(t *testing.T) {
	n := ng{}
	file := n.section()
	one := n.iface(1, 0)
	for range MaxInterfaces + 1 {
		file = append(file, one...)
	}
	file = append(file, n.packet(0, 1, plainFrame(plainSeg))...)
	r := readAll(t, Options{}, file)
	if len(r.stats.Damage) != 1 || r.stats.Damage[0].Reason != "too-many-interfaces" || len(r.segs) != 0 {
		t.Errorf("%d segments, %+v", len(r.segs), r.stats.Damage)
	}
}
