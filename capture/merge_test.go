package capture

import (
	"math/rand"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// A capture that was split and is merged again is the same capture.
func TestMergeOfSplit(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	var all []rec
	for i := range 4000 {
		f := plainFrame(seg{sport: 1024 + i, dport: 80, seq: uint32(i), flags: ACK})
		if i%9 == 0 {
			f = eth(0x806, make([]byte, 28))
		}
		all = append(all, rec{ns: int64(i) * 1000, data: f})
	}
	whole := readAll(t, Options{}, pcapFile(1, all...))
	for _, n := range []int{1, 2, 3, 16, 17, 60} {
		for _, mode := range []string{"rotated", "dealt"} {
			parts := make([][]rec, n)
			for i, r := range all {
				k := i * n / len(all)
				if mode == "dealt" {
					k = rng.Intn(n)
				}
				parts[k] = append(parts[k], r)
			}
			var files [][]byte
			for i, p := range parts {
				f := pcapFile(1, p...)
				switch i % 4 { // compression and format do not matter
				case 1:
					f = gz(f)
				case 2:
					f = zst(f)
				case 3:
					g := ng{i%8 == 3}
					f = cat(g.section(), g.iface(1, 0, g.option(9, []byte{9})))
					for _, r := range p {
						f = append(f, g.packet(0, uint64(r.ns), r.data)...)
					}
				}
				files = append(files, f)
			}
			rng.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
			r := readAll(t, Options{}, files...)
			if r.err != nil || !reflect.DeepEqual(r.segs, whole.segs) || r.stats.TimeBack != 0 || r.stats.Damage != nil {
				t.Fatalf("%d %s: %v, %d segments, %+v", n, mode, r.err, len(r.segs), r.stats)
			}
			var sum uint64
			for _, f := range r.stats.Files {
				sum += f.Packets
			}
			if sum != 4000 || r.stats.Packets != 4000 || r.stats.First != whole.stats.First || r.stats.Last != whole.stats.Last {
				t.Errorf("%d %s: packets %d and %d", n, mode, sum, r.stats.Packets)
			}
			if r.stats.ReadBytes != r.stats.TotalBytes {
				t.Errorf("%d %s: %d octets read of %d", n, mode, r.stats.ReadBytes, r.stats.TotalBytes)
			}
		}
	}
}

// Frames of equal time come in the order of the files, and a file's own order
// is kept even where its times go back.
func TestMergeOrder(t *testing.T) {
	f := func(port int) []byte { return plainFrame(seg{sport: port, dport: 1, flags: ACK}) }
	a := pcapFile(1, rec{5, f(1001), 0}, rec{5, f(1002), 0}, rec{9, f(1003), 0}, rec{3, f(1004), 0})
	b := pcapFile(1, rec{5, f(2001), 0}, rec{7, f(2002), 0}, rec{9, f(2003), 0})
	c := pcapFile(101)
	r := readAll(t, Options{}, a, b, c)
	var ports []uint16
	for i, g := range r.segs {
		ports = append(ports, g.Key.LoPort)
		if g.Frame != uint64(i+1) {
			t.Errorf("frame %d at place %d", g.Frame, i)
		}
		if (g.Mark&TimeBack != 0) != (g.Key.LoPort == 1004) {
			t.Errorf("port %d: marks %#x", g.Key.LoPort, g.Mark)
		}
	}
	if want := []uint16{1001, 1002, 2001, 2002, 1003, 1004, 2003}; !reflect.DeepEqual(ports, want) {
		t.Errorf("order %d, want %d", ports, want)
	}
	if r.stats.TimeBack != 1 || r.stats.Last != 9 {
		t.Errorf("%d frames back in time, last %d", r.stats.TimeBack, r.stats.Last)
	}
}

// The files of a merge are damaged each for itself.
func TestMergeDamage(t *testing.T) {
	good := someFile(300)
	r := readAll(t, Options{}, good, good[:len(good)-3], good)
	if r.err != nil || len(r.stats.Damage) != 1 || r.stats.Damage[0].File != r.stats.Files[1].Name || r.stats.Packets != 899 {
		t.Errorf("%v, %d packets, %+v", r.err, r.stats.Packets, r.stats.Damage)
	}
}

// A file that goes away while it waits for its turn is damage, no crash.
func TestMergeVanished(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	for i := range awake + 4 {
		p := filepath.Join(dir, string(rune('a'+i)))
		if err := os.WriteFile(p, pcapFile(1, rec{int64(i), plainFrame(plainSeg), 0}), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, p)
	}
	s, err := Open(Options{Paths: paths})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	os.Remove(paths[7])
	var b Batch
	n := 0
	for s.Next(&b) == nil {
		n += len(b.Segments)
	}
	if st := s.Stats(); n != awake+3 || len(st.Damage) != 1 || st.Damage[0].File != paths[7] {
		t.Errorf("%d segments, %+v", n, st.Damage)
	}
}

// With a limit, what stands behind the last frame is not looked at, as if the
// files ended there.
func TestMergeLimit(t *testing.T) {
	n := ng{}
	f := plainFrame(plainSeg)
	dropping := cat(n.section(), n.iface(linkEthernet, 0),
		n.packet(0, 1, f), n.packet(0, 2, f, n.option(4, le64(3))), n.packet(0, 30, f, n.option(4, le64(40))))
	for max, dropped := range map[uint64]uint64{1: 0, 2: 3, 6: 43, 0: 43} {
		r := readAll(t, Options{MaxPackets: max}, dropping, pcapFile(linkEthernet, rec{2000, f, 0}, rec{3000, f, 0}, rec{4000, f, 0}))
		if r.stats.Dropped != dropped {
			t.Errorf("limit %d: %d dropped, want %d", max, r.stats.Dropped, dropped)
		}
	}
}

// Each open file of zstd may hold a window: there is room for a few large ones.
func TestMergeOfWindows(t *testing.T) {
	// One raw block in a frame with a window of 1<<log (RFC 8878 section 3.1.1).
	framed := func(log int, b []byte) []byte {
		return cat([]byte{0x28, 0xb5, 0x2f, 0xfd, 0, byte(log-10) << 3}, le32(len(b)<<3 | 1)[:3], b)
	}
	for _, c := range []struct{ log, damaged int }{{23, 0}, {24, 2}, {27, 2}} {
		var together, after [][]byte
		for i := range wideWindows + 2 {
			file := func(first, second int64) []byte {
				return framed(c.log, pcapFile(1, rec{ns: first, data: plainFrame(plainSeg)}, rec{ns: second, data: plainFrame(plainSeg)}))
			}
			together = append(together, file(int64(i), int64(1000+i)))
			after = append(after, file(int64(2*i), int64(2*i+1)))
		}
		r := readAll(t, Options{}, together...)
		if len(r.stats.Damage) != c.damaged || len(r.segs) != 2*(len(together)-c.damaged) {
			t.Errorf("windows of 1<<%d side by side: %d segments, %+v", c.log, len(r.segs), r.stats.Damage)
		}
		for _, d := range r.stats.Damage {
			if d.Reason != "damaged-compression" || d.N != 1 {
				t.Errorf("windows of 1<<%d side by side: %+v", c.log, d)
			}
		}
		if r := readAll(t, Options{}, after...); r.stats.Damage != nil || len(r.segs) != 2*len(after) {
			t.Errorf("windows of 1<<%d one after the other: %d segments, %+v", c.log, len(r.segs), r.stats.Damage)
		}
	}
}
