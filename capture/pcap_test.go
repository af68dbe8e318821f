package capture

import (
	"encoding/binary"
	"reflect"
	"strings"
	"testing"
)

func TestPcapHeaders(t *testing.T) {
	frame := plainFrame(plainSeg)
	for _, c := range []struct {
		name  string
		magic uint32
		big   bool
		minor int
		frac  int // as written
		want  int64
	}{
		{"micro", magicMicro, false, 4, 250000, 7e9 + 250e6},
		{"micro-swapped", magicMicro, true, 4, 250000, 7e9 + 250e6},
		{"nano", magicNano, false, 4, 250000001, 7e9 + 250000001},
		{"nano-swapped", magicNano, true, 4, 250000001, 7e9 + 250000001},
		{"modified", magicModified, false, 4, 1, 7e9 + 1000},
		{"modified-swapped", magicModified, true, 4, 1, 7e9 + 1000},
		{"swapped-lengths", magicMicro, false, 2, 1, 7e9 + 1000},
		{"swapped-lengths-of-2.3", magicMicro, false, 3, 1, 7e9 + 1000},
		{"lengths-of-2.3", magicMicro, false, 3, 1, 7e9 + 1000},
		{"fraction-too-large", magicMicro, false, 4, 0xffffffff, 7e9 + 0xffffffff*1000},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := ng{c.big}
			b := cat(n.u32(int(c.magic)), n.u16(2), n.u16(c.minor), n.u32(0), n.u32(0), n.u32(96), n.u32(1))
			lens := cat(n.u32(len(frame)), n.u32(len(frame)+10))
			if strings.HasPrefix(c.name, "swapped-lengths") {
				lens = cat(n.u32(len(frame)+10), n.u32(len(frame)))
			}
			b = cat(b, n.u32(7), n.u32(c.frac), lens)
			if c.magic == magicModified {
				b = cat(b, make([]byte, 8))
			}
			r := readAll(t, Options{}, cat(b, frame))
			if r.err != nil || len(r.segs) != 1 {
				t.Fatalf("%v, %d segments, %+v", r.err, len(r.segs), r.stats)
			}
			if g := r.segs[0]; g.Time != c.want || g.Frame != 1 || g.Seq != 1000 || g.Len != 5 {
				t.Errorf("got %+v", g)
			}
			f := r.stats.Files[0]
			if f.Format != "pcap" || f.SnapLen != 96 || !reflect.DeepEqual(f.LinkTypes, []string{"Ethernet"}) || f.Packets != 1 {
				t.Errorf("file: %+v", f)
			}
			if r.stats.First != c.want || r.stats.Last != c.want || r.stats.Damage != nil {
				t.Errorf("stats: %+v", r.stats)
			}
		})
	}
}

func TestPcapEmpty(t *testing.T) {
	r := readAll(t, Options{}, pcapFile(1))
	if r.err != nil || r.stats.Packets != 0 || r.stats.First != 0 || r.stats.Damage != nil {
		t.Errorf("%v %+v", r.err, r.stats)
	}
}

func TestPcapDamage(t *testing.T) {
	good := pcapRec(rec{ns: 1, data: plainFrame(plainSeg)})
	for _, c := range []struct {
		name   string
		file   []byte
		segs   int
		damage []Damage
	}{
		{"cut-in-record", cat(pcapFile(1), good, good[:len(good)-1]), 1, []Damage{{Reason: "cut-short", Offset: int64(24 + len(good)), N: 1, Cut: true}}},
		{"cut-in-header", cat(pcapFile(1), good, good[:15]), 1, []Damage{{Reason: "cut-short", Offset: int64(24 + len(good)), N: 1, Cut: true}}},
		{"record-too-large", cat(pcapFile(1), good, le32(1), le32(1), le32(MaxRecord+1), le32(MaxRecord+1), good), 1,
			[]Damage{{Reason: "record-too-large", Offset: int64(24 + len(good)), N: 1}}},
		{"record-longer-than-file", cat(pcapFile(1), le32(1), le32(1), le32(MaxRecord), le32(MaxRecord), good), 0,
			[]Damage{{Reason: "cut-short", Offset: 24, N: 1, Cut: true}}},
		{"empty-records", cat(pcapFile(1), make([]byte, 16*3)), 0, nil},
		{"wire-below-captured", cat(pcapFile(1), le32(1), le32(1), le32(59), le32(0), plainFrame(plainSeg)), 1, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := readAll(t, Options{}, c.file)
			for i := range c.damage {
				c.damage[i].File = r.stats.Files[0].Name
			}
			if r.err != nil || len(r.segs) != c.segs || !reflect.DeepEqual(r.stats.Damage, c.damage) {
				t.Errorf("%v, %d segments, damage %+v", r.err, len(r.segs), r.stats.Damage)
			}
			p := readStdin(t, Options{}, c.file)
			if len(p.segs) != c.segs || len(p.stats.Damage) != len(c.damage) {
				t.Errorf("from a pipe: %d segments, damage %+v", len(p.segs), p.stats.Damage)
			}
		})
	}
}

// A snap length may allow records beyond the usual limit.
func TestPcapLargeRecord(t *testing.T) {
	for _, size := range []int{MaxRecord, MaxRecord + 1, 3 << 20} {
		b := pcapFile(1)
		binary.LittleEndian.PutUint32(b[16:], uint32(size))
		frame := append(plainFrame(plainSeg), make([]byte, size)...)[:size]
		b = cat(b, pcapRec(rec{data: frame}), pcapRec(rec{data: plainFrame(plainSeg)}))
		if r := readAll(t, Options{}, b); len(r.segs) != 2 || r.stats.Damage != nil {
			t.Errorf("%d octets: %d segments, %+v", size, len(r.segs), r.stats.Damage)
		}
	}
}

func TestMaxPackets(t *testing.T) {
	b := pcapFile(1, recs(plainFrame(plainSeg), eth(0x806, nil), plainFrame(plainSeg), plainFrame(plainSeg))...)
	for _, c := range []struct{ max, packets, segs uint64 }{{0, 4, 3}, {1, 1, 1}, {2, 2, 1}, {3, 3, 2}, {4, 4, 3}, {9, 4, 3}} {
		r := readAll(t, Options{MaxPackets: c.max}, b)
		if r.stats.Packets != c.packets || r.stats.Segments != c.segs {
			t.Errorf("max %d: %d packets, %d segments", c.max, r.stats.Packets, r.stats.Segments)
		}
		if r := readAll(t, Options{MaxPackets: c.max}, b, pcapFile(1)); r.stats.Packets != c.packets {
			t.Errorf("merged, max %d: %d packets", c.max, r.stats.Packets)
		}
	}
}

// Any prefix of a capture is read without panic, gives a prefix of the
// segments, and says that it is cut unless it ends between frames.
func TestPrefixes(t *testing.T) {
	frames := [][]byte{plainFrame(plainSeg), eth(0x806, make([]byte, 28)), plainFrame(seg{sport: 7, dport: 80, flags: SYN, options: []byte{2, 4, 5, 180}})}
	n := ng{}
	for name, file := range map[string][]byte{
		"pcap": pcapFile(1, recs(frames...)...),
		"pcapng": cat(n.section(), n.iface(1, 0, n.option(9, []byte{9})), n.packet(0, 1, frames[0]), n.block(0x4711, make([]byte, 40)),
			n.packet(0, 2, frames[1]), n.simple(len(frames[2]), frames[2]), ng{true}.section(), ng{true}.iface(101, 0), ng{true}.packet(0, 3, frames[0][14:])),
	} {
		t.Run(name, func(t *testing.T) {
			whole := readStdin(t, Options{}, file)
			if whole.err != nil || len(whole.segs) < 2 || whole.stats.Damage != nil {
				t.Fatalf("whole file: %v %+v", whole.err, whole.stats)
			}
			clean := 0
			for i := range file {
				r := readStdin(t, Options{}, file[:i])
				if r.err != nil {
					if i > 24 {
						t.Errorf("%d octets: %v", i, r.err)
					}
					continue
				}
				if len(r.segs) > len(whole.segs) || len(r.segs) > 0 && !reflect.DeepEqual(r.segs, whole.segs[:len(r.segs)]) {
					t.Errorf("%d octets: other segments", i)
				}
				switch d := r.stats.Damage; {
				case len(d) == 0:
					clean++
				case len(d) != 1 || !d[0].Cut:
					t.Errorf("%d octets: %+v", i, d)
				}
			}
			if clean > 10 {
				t.Errorf("%d prefixes pass for whole files", clean)
			}
		})
	}
}
