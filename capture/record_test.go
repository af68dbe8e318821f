package capture

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// rawFrames reads all frames that are selected of files given as contents. The frames
// are copies.
func rawFrames(t testing.TB, o Options, files ...[]byte) (fs []Frame, segs []Segment) {
	t.Helper()
	o.Raw = true
	dir := t.TempDir()
	for i, f := range files {
		p := filepath.Join(dir, string(rune('a'+i)))
		if err := os.WriteFile(p, f, 0o600); err != nil {
			t.Fatal(err)
		}
		o.Paths = append(o.Paths, p)
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var b Batch
	for s.Next(&b) == nil {
		for _, f := range b.Frames {
			f.Data = bytes.Clone(f.Data)
			fs = append(fs, f)
		}
		segs = append(segs, b.Segments...)
	}
	return fs, segs
}

// recorded is what an Encoder and a Section make of frames.
func recorded(fs []Frame, comment string) []byte {
	var e Encoder
	var b []byte
	for i := range fs {
		b = e.Append(b, &fs[i], []byte(comment))
	}
	s := Section{Hardware: "amd64", OS: "linux", Application: "a test"}
	file := s.Head(nil)
	if n := s.Take(b, -1); n != len(b) {
		panic("not all of it was taken")
	}
	return s.Tail(append(file, b...), 7, 3)
}

func sameFrames(t *testing.T, got, want []Frame) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d frames, not %d", len(got), len(want))
	}
	for i, g := range got {
		w := want[i]
		if !bytes.Equal(g.Data, w.Data) {
			t.Errorf("frame %d: other octets", i+1)
		}
		g.Data, w.Data, w.Number = nil, nil, g.Number
		if g.Time != w.Time || g.Wire != w.Wire || g.Link != w.Link || g.Snap != w.Snap || g.Untimed != w.Untimed {
			t.Errorf("frame %d: %+v, not %+v", i+1, g, w)
		}
	}
}

// odds are frames of which each has something of its own.
func odds() []byte {
	tcp, arp := plainFrame(plainSeg), eth(0x806, make([]byte, 28))
	n := ng{big: true}
	early := n.iface(1, 96, n.option(optTimeOffset, n.u64(1<<64-3_000_000_000))) // 1874
	return cat(
		n.section(), n.iface(linkEthernet, 65535), n.simple(len(tcp), tcp), n.simple(len(arp)+9, arp),
		n.packet(0, 1_790_000_000_123_456, tcp), n.iface(linkRaw, 0, n.option(9, []byte{9})), n.packet(1, 1_790_000_000_123_456_789, tcp[14:]), n.packet(1, 1<<60, nil),
		early, n.packet(2, 1_000_000, tcp),
		// Another section, in which the numbers are others' interfaces.
		ng{}.section(), ng{}.iface(linkSLL, 65535), ng{}.packet(0, 5, make([]byte, 15)), ng{}.iface(linkEthernet, 65535), ng{}.packet(1, 7, arp[:17]),
		ng{}.block(blockCustom, le32(1), le32(2)), // numbered as a frame, and none
		ng{}.packet(1, 8, make([]byte, 70000)),
	)
}

// What is written is what was read: octets, lengths, times, links.
func TestRecordedIsRead(t *testing.T) {
	for name, file := range map[string][]byte{"odd": odds(), "pcap": pcapFile(1, recs(plainFrame(plainSeg), make([]byte, 3))...), "empty": pcapFile(1)} {
		t.Run(name, func(t *testing.T) {
			want, _ := rawFrames(t, Options{}, file)
			got, _ := rawFrames(t, Options{}, recorded(want, ""))
			sameFrames(t, got, want)
			if n := map[string]int{"odd": 9, "pcap": 2}[name]; len(want) != n {
				t.Errorf("%d frames, not %d", len(want), n)
			}
		})
	}
	want, _ := rawFrames(t, Options{}, odds())
	r := readAll(t, Options{}, recorded(want, "a comment"))
	if len(r.stats.Damage) > 0 || r.stats.Dropped != 7 || r.stats.IfDropped != 3 || r.stats.Packets != uint64(len(want)) {
		t.Errorf("read again: %+v", r.stats)
	}
}

// Others read it, too.
func TestOthersReadRecords(t *testing.T) {
	frames, _ := rawFrames(t, Options{}, odds())
	name := filepath.Join(t.TempDir(), "odd.pcapng")
	var timed []Frame // of the others tshark has other opinions
	for _, f := range frames {
		if !f.Untimed && f.Time > 0 {
			timed = append(timed, f)
		}
	}
	if err := os.WriteFile(name, recorded(timed, "so it is"), 0o600); err != nil {
		t.Fatal(err)
	}
	for tool, wants := range map[string][]string{
		"tshark":   {"1790000000.123456789\tso it is", "1790000000.123456000\tso it is", "0.000007000\tso it is"},
		"capinfos": {"a test", "Number of interfaces in file: 3", "Number of packets:   6"},
	} {
		path, err := exec.LookPath(tool)
		if err != nil {
			lacking(t, tool+" is not installed (Debian package tshark)")
		}
		args := []string{"-r", name, "-T", "fields", "-e", "frame.time_epoch", "-e", "frame.comment"}
		if tool == "capinfos" {
			args = []string{name}
		}
		cmd := exec.Command(path, args...)
		cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir())
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", tool, err, out)
		}
		for _, w := range wants {
			if !strings.Contains(string(out), w) {
				t.Errorf("%s says nothing of %q:\n%s", tool, w, out)
			}
		}
	}
}

// Files that follow each other are each complete, and none is larger than it may be.
func TestSections(t *testing.T) {
	var e Encoder
	var blocks []byte
	const frames = 200
	for i := range frames {
		blocks = e.Append(blocks, &Frame{Time: int64(i), Data: make([]byte, i), Wire: i, Link: uint32(1 + i/50%2*112)}, nil)
	}
	const most = 4000
	s := Section{Application: "a test"}
	var all []Frame
	files, drops := 0, uint64(0)
	for len(blocks) > 0 {
		file := s.Head(nil)
		n := s.Take(blocks, int64(most-len(file)))
		// As if a part had come later.
		file, blocks = append(file, blocks[:n]...), blocks[n:]
		if file = s.Tail(file, 1, 2); len(file) > most {
			t.Errorf("a file of %d octets", len(file))
		}
		files++
		fs, _ := rawFrames(t, Options{}, file)
		all = append(all, fs...)
		drops += readAll(t, Options{}, file).stats.Dropped
	}
	if files < 6 || drops != uint64(files) {
		t.Errorf("%d files, %d frames lost", files, drops)
	}
	if len(all) != frames {
		t.Fatalf("%d frames", len(all))
	}
	for i, f := range all {
		if f.Time != int64(i) || len(f.Data) != i || f.Link != uint32(1+i/50%2*112) {
			t.Errorf("frame %d: %+v", i, f)
		}
	}
	// One frame is in each file, however small it has to be.
	if b := e.Append(nil, &Frame{Data: make([]byte, 5000), Wire: 5000, Link: 1}, nil); s.Take(s.Head(nil), 0) < 0 || s.Take(b, 10) != len(b) {
		t.Error("a frame without a file")
	}
}

// Sections may have any number of interfaces, and those of a file that is written end
// somewhere: then one without a snap length serves all frames of its link.
func TestManyInterfaces(t *testing.T) {
	var fs []Frame
	for i := range 3 * MaxDescribed {
		f := Frame{Time: int64(i), Data: plainFrame(plainSeg)[:59], Wire: 59, Link: linkEthernet, Snap: uint32(1000 + i)}
		if i%5 == 0 {
			f.Link, f.Data, f.Wire = linkRaw, f.Data[14:], 45
		}
		fs = append(fs, f)
	}
	fs[MaxDescribed+1].Untimed = true
	b := recorded(fs, "")
	got, _ := rawFrames(t, Options{}, b)
	for i := range got {
		if i >= MaxDescribed {
			fs[i].Snap = 0
		}
	}
	fs[MaxDescribed+1].Untimed = false // only frames of the first interface can be without
	sameFrames(t, got, fs)
	if r := readAll(t, Options{}, b); len(r.segs) != len(fs) || r.stats.Damage != nil {
		t.Errorf("%d segments, %+v", len(r.segs), r.stats.Damage)
	}
	var e Encoder
	for i := range fs {
		e.Append(nil, &Frame{Link: uint32(i % 3), Snap: uint32(i)}, nil)
	}
	if n := len(e.ifcs); n != MaxDescribed+2 { // the first has no snap length either
		t.Errorf("%d interfaces", n)
	}
}

// A frame larger than any block may be is cut.
func TestLargestRecord(t *testing.T) {
	f := Frame{Time: 1, Data: make([]byte, MaxBlock), Wire: MaxBlock, Link: 1}
	got, _ := rawFrames(t, Options{}, recorded([]Frame{f}, strings.Repeat("x", 1<<17)))
	if len(got) != 1 || len(got[0].Data) != maxData || got[0].Wire != MaxBlock {
		t.Errorf("%d frames", len(got))
	}
}

// Frames are kept as the selection says, and change nothing of what is read.
func TestRawFrames(t *testing.T) {
	other := seg{sport: 1, dport: 2, flags: SYN}
	udp := eth(etherIPv4, ip4("10.0.0.1", "10.0.0.2", protoUDP, make([]byte, 20)))
	arp := eth(0x806, make([]byte, 28))
	whole := plainSeg.bytes()
	parts := [][]byte{
		eth(etherIPv4, ip4frag("10.0.0.1", "10.0.0.2", protoTCP, 0x2000, whole[:24])),
		eth(etherIPv4, ip4frag("10.0.0.1", "10.0.0.2", protoTCP, 3, whole[24:])),
	}
	tagged := eth(etherVLAN, vlan(7, etherIPv4, ip4("10.0.0.1", "10.0.0.2", protoTCP, whole)))
	short := plainFrame(plainSeg)
	short[14+20+12] = 0x10 // a data offset that no TCP sends: a segment, and not selected
	file := pcapFile(1, recs(plainFrame(plainSeg), udp, plainFrame(other), arp, parts[0], parts[1], tagged, short)...)
	for _, c := range []struct {
		name  string
		o     Options
		want  []uint64
		needs bool // libpcap
	}{
		{"all", Options{}, []uint64{1, 2, 3, 4, 5, 6, 7, 8}, false},
		{"checksums", Options{VerifyChecksums: true}, []uint64{1, 2, 3, 4, 5, 6, 7, 8}, false},
		{"count", Options{MaxPackets: 3}, []uint64{1, 2, 3}, false},
		{"port", Options{Selection: Selection{Ports: []uint16{80}}}, []uint64{1, 6, 7, 8}, false},
		{"vlan", Options{Selection: Selection{VLANs: []uint16{7}}}, []uint64{7}, false},
		{"udp", Options{Selection: Selection{Filter: "udp or arp"}}, []uint64{2, 4}, true},
		{"ports by filter", Options{Selection: Selection{Filter: "tcp port 80"}}, []uint64{1, 5, 8}, true},
		{"both", Options{Selection: Selection{Filter: "tcp", Ports: []uint16{2}}}, []uint64{3}, true},
	} {
		if c.needs && !haveLibpcap {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			fs, segs := rawFrames(t, c.o, file)
			var got []uint64
			for _, f := range fs {
				got = append(got, f.Number)
			}
			if len(got) != len(c.want) || !equal(got, c.want) {
				t.Errorf("frames %d, not %d", got, c.want)
			}
			plain := readAll(t, c.o, file)
			if len(plain.segs) != len(segs) {
				t.Fatalf("%d segments, not %d", len(segs), len(plain.segs))
			}
			for i := range segs {
				if segs[i] != plain.segs[i] {
					t.Errorf("segment %d is %+v, not %+v", i, segs[i], plain.segs[i])
				}
			}
		})
	}
	for _, f := range rawOf(t, Options{}, file) {
		if f.Number == 2 && !bytes.Equal(f.Data, udp) {
			t.Error("other octets")
		}
	}
}

func rawOf(t *testing.T, o Options, file []byte) []Frame {
	fs, _ := rawFrames(t, o, file)
	return fs
}

func equal(a, b []uint64) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// A batch of the largest frames does not hold them all, and reading goes on.
func TestRawBatchesAreBounded(t *testing.T) {
	big := eth(0x9999, make([]byte, 100_000))
	var rs []rec
	for i := range 500 {
		rs = append(rs, rec{ns: int64(i), data: big})
	}
	file := pcapFile(1, rs...)
	for _, files := range [][][]byte{{file}, {file, file}} {
		dir := t.TempDir()
		o := Options{Raw: true}
		for i, f := range files {
			o.Paths = append(o.Paths, filepath.Join(dir, string(rune('a'+i))))
			if err := os.WriteFile(o.Paths[i], f, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		var b Batch
		n := 0
		for s.Next(&b) == nil {
			if n += len(b.Frames); len(b.octets) > rawBatch+framesAhead*len(big) {
				t.Errorf("a batch of %d octets", len(b.octets))
			}
		}
		if n != 500*len(files) {
			t.Errorf("%d frames", n)
		}
		if b.Reset(); cap(b.octets) > rawKept {
			t.Errorf("a batch keeps %d octets", cap(b.octets))
		}
		s.Close()
	}
}
