package capture

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// fuzzRead reads a file from a pipe and from memory in one piece, and wants
// the same of both, within what the file can hold.
func fuzzRead(t *testing.T, file []byte) {
	s, err := Open(Options{Paths: []string{"-"}, Stdin: bytes.NewReader(file)})
	if err != nil {
		return
	}
	defer s.Close()
	var b Batch
	var n uint64
	var frame uint64
	for {
		err := s.Next(&b)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.Segments {
			g := &b.Segments[i]
			if g.Frame <= frame {
				t.Fatalf("frame %d after %d", g.Frame, frame)
			}
			frame = g.Frame
			if g.Hash != g.Key.Hash() {
				t.Fatal("hash")
			}
			if g.Mark&Quoted != 0 {
				_ = b.Quotes[g.Len]
			} else if g.Mark&Unselected == 0 { // else malformed: only counted as skipped
				n++
			}
		}
	}
	st := s.Stats()
	if st.Segments != n || st.Packets < frame || st.Packets > uint64(len(file)) {
		t.Fatalf("%d segments, last frame %d: %+v", n, frame, st)
	}
	for _, d := range st.Damage {
		if d.Offset < 0 || d.N == 0 || len(st.Files) == 1 && st.Files[0].Compression == "" && d.Offset > int64(len(file)) {
			t.Fatalf("%+v", d)
		}
	}
}

// fuzzRecord writes down what can be read of a file, and wants the same to be read of
// that.
func fuzzRecord(t *testing.T, file []byte) {
	frames := func(file []byte) (fs []Frame, damage []Damage) {
		s, err := Open(Options{Paths: []string{"-"}, Stdin: bytes.NewReader(file), Raw: true})
		if err != nil {
			return nil, nil
		}
		defer s.Close()
		var b Batch
		for s.Next(&b) == nil {
			for _, f := range b.Frames {
				f.Data = bytes.Clone(f.Data)
				fs = append(fs, f)
			}
		}
		return fs, s.Stats().Damage
	}
	want, _ := frames(file)
	got, damage := frames(recorded(want, ""))
	if len(damage) > 0 || len(got) != len(want) {
		t.Fatalf("%d frames of %d, damage %+v", len(got), len(want), damage)
	}
	for i, g := range got {
		w := want[i]
		if g.Untimed != w.Untimed && g.Time == 0 {
			w.Untimed = g.Untimed // of another interface than the first
		}
		if !bytes.Equal(g.Data, w.Data) || g.Time != w.Time || g.Untimed != w.Untimed || g.Wire != w.Wire || g.Link != w.Link || g.Snap != w.Snap {
			t.Fatalf("frame %d: %+v, not %+v", i+1, g, w)
		}
	}
}

func FuzzPcap(f *testing.F) {
	f.Add(pcapFile(1, recs(plainFrame(plainSeg), eth(0x806, nil))...))
	f.Add(cat(ng{true}.u32(magicModified), be16(2), be16(2), make([]byte, 40)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, _, ok := pcapMagic(b); !ok {
			b = cat(le32(magicMicro), le16(2), b)
		}
		fuzzRead(t, b)
		fuzzRecord(t, b)
	})
}

func FuzzPcapng(f *testing.F) {
	n := ng{}
	f.Add(cat(n.section(), n.iface(1, 0, n.option(9, []byte{0xc0})), n.packet(0, 1<<63, plainFrame(plainSeg), n.option(4, le64(1<<63))), n.simple(59, plainFrame(plainSeg))))
	f.Add(cat(ng{true}.section(), ng{true}.iface(101, 10), ng{true}.block(5, make([]byte, 12)), n.section(), n.iface(113, 0)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if !bytes.HasPrefix(b, le32(blockSection)) {
			b = cat(n.section(), n.iface(1, 0), b)
		}
		fuzzRead(t, b)
		fuzzRecord(t, b)
	})
}

// FuzzDecode takes a link type and a frame. Nothing a frame holds may panic,
// make two segments, or name octets that it has not.
func FuzzDecode(f *testing.F) {
	f.Add(uint16(linkEthernet), uint16(0), plainFrame(plainSeg))
	f.Add(uint16(linkSLL2), uint16(9), cat(be16(etherIPv6), make([]byte, 18), ip6("fe80::1", "fe80::2", 0, cat([]byte{44, 0, 1, 4, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0}, plainSeg.bytes()))))
	f.Add(uint16(linkRaw), uint16(0), ip4("1.1.1.1", "2.2.2.2", protoGRE, cat([]byte{0, 0, 0x65, 0x58}, plainFrame(plainSeg))))
	for link, data := range everyLink() {
		f.Add(uint16(link), uint16(0), data)
	}
	f.Add(uint16(127), uint16(0), cat([]byte{0, 0, 8, 0, 0, 0, 0, 0, 8, 2}, make([]byte, 22), []byte{0xaa, 0xaa, 3, 0, 0, 0, 8, 0}))
	f.Add(uint16(linkEthernet), uint16(3), claim(plainFrame(plainSeg), 1000, "wrong"))
	f.Add(uint16(linkEthernet), uint16(3), claim(plainFrame(plainSeg), 1000, "right"))
	f.Fuzz(func(t *testing.T, link, extra uint16, data []byte) {
		d := newDecoder(newSelector(&Selection{Ports: []uint16{80}, VLANs: []uint16{1}}, nil), true)
		b := Batch{Segments: make([]Segment, 0, 4)}
		fr := frame{data: data, wire: len(data) + int(extra), ifc: &iface{link: uint32(link)}}
		whole := bytes.Clone(data)
		agree(t, uint32(link), data, fr.wire)
		for range 2 { // twice: fragments meet their copies
			d.frame(&fr, &b)
		}
		if !bytes.Equal(data, whole) {
			t.Fatal("the frame was written to")
		}
		for i := range b.Segments {
			g := &b.Segments[i]
			if g.Mark&Quoted != 0 {
				_ = b.Quotes[g.Len]
			} else if g.Len > uint32(max(fr.wire, 65535)) {
				t.Fatalf("%d octets of payload in a frame of %d", g.Len, fr.wire)
			}
		}
		var st Stats
		d.stats(&st)
		var malformed uint64 // at the most: some of them are no segment at all
		for _, k := range st.Skipped {
			switch k.Reason {
			case reasonNames[badTCPLength], reasonNames[badTCPOffset], reasonNames[badIPLength]:
				malformed += k.N
			}
		}
		if n, have := uint64(len(b.Segments)), st.Segments+st.Quotes; st.Packets != 2 || n < have || n > have+malformed {
			t.Fatalf("%+v", st)
		}
	})
}

// The captures of the repository are what the fuzzers begin with, as far as
// they are small.
func TestFuzzSeeds(t *testing.T) {
	paths, _ := filepath.Glob("../testdata/pcaps/*.pcap*")
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		fuzzRead(t, b)
		fuzzRecord(t, b)
	}
}
