package capture

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// zipper compresses files again and again; making a compressor takes longer than its work.
type zipper struct {
	gz *gzip.Writer
	zs *zstd.Encoder
}

func newZipper(t testing.TB) *zipper {
	gz, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	zs, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(zstd.MinWindowSize))
	if err != nil {
		t.Fatal(err)
	}
	return &zipper{gz, zs}
}

// zip compresses a file, in two members or frames if it is cut somewhere.
func (z *zipper) zip(kind byte, b []byte, at int) []byte {
	if at = min(at, len(b)); at > 0 {
		return append(z.zip(kind, b[:at], 0), z.zip(kind, b[at:], 0)...)
	}
	if kind&1 == 1 {
		return z.zs.EncodeAll(b, nil)
	}
	var out bytes.Buffer // which does not fail
	z.gz.Reset(&out)
	z.gz.Write(b)
	z.gz.Close()
	return out.Bytes()
}

// framesIn reads a file from a pipe and returns its frames, as far as it is read.
func framesIn(file []byte, most uint64) (fs []Frame, st Stats, err error) {
	s, err := Open(Options{Paths: []string{"-"}, Stdin: bytes.NewReader(file), Raw: true, MaxPackets: most})
	if err != nil {
		return nil, st, err
	}
	defer s.Close()
	var b Batch
	for s.Next(&b) == nil {
		for _, f := range b.Frames {
			f.Data = bytes.Clone(f.Data)
			fs = append(fs, f)
		}
	}
	return fs, s.Stats(), nil
}

// FuzzZip reads compressed captures: whole, they are what they were; cut short, a part of
// it, and damage; with octets flipped, or made of any octets, they end in some way.
func FuzzZip(f *testing.F) {
	file := pcapFile(1, recs(plainFrame(plainSeg), eth(0x806, nil), plainFrame(plainSeg))...)
	n, zip := ng{}, newZipper(f).zip
	other := cat(n.section(), n.iface(1, 0), n.packet(0, 1, plainFrame(plainSeg)), n.block(0x7777, make([]byte, 3000)))
	for kind := range byte(2) {
		f.Add(kind, uint16(0), uint16(0), uint16(0), byte(0), file)
		f.Add(kind, uint16(40), uint16(0), uint16(0), byte(0), other)
		f.Add(kind, uint16(0), uint16(9), uint16(0), byte(0), other)
		f.Add(kind, uint16(30), uint16(0), uint16(50), byte(0x10), file)
		f.Add(kind|2, uint16(0), uint16(0), uint16(0), byte(0), zip(kind, file, 0))
		f.Add(kind|2, uint16(0), uint16(0), uint16(0), byte(0), zip(kind, make([]byte, 1<<20), 0))
	}
	f.Add(byte(2), uint16(0), uint16(0), uint16(0), byte(0), []byte{0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4, 0x28, 0xb5, 0x2f, 0xfd, 0x80, 0x20, 0, 0, 0, 1, 0, 0})
	f.Fuzz(func(t *testing.T, kind byte, at, short, flip uint16, mask byte, file []byte) {
		if kind&2 != 0 { // as they are; a small file may hold much, but no more packets than that
			framesIn(file[:min(len(file), 4096)], 10_000)
			return
		}
		file = file[:min(len(file), 1<<16)]
		if zip := looksLike(file); strings.Contains(zip, "again") {
			return // data within data is refused, by its name
		}
		want, stats, err := framesIn(file, 0)
		z := zip(kind, file, int(at))
		whole := len(z)
		z = z[:whole-min(int(short), whole)]
		if len(z) > 0 {
			z[int(flip)%len(z)] ^= mask
		}
		got, st, zerr := framesIn(z, 0)
		switch {
		case mask != 0: // it may be anything
		case len(z) == whole:
			if (err == nil) != (zerr == nil) || len(got) != len(want) || len(st.Damage) != len(stats.Damage) {
				t.Fatalf("%d frames (%v, %+v), not %d (%v, %+v)", len(got), zerr, st.Damage, len(want), err, stats.Damage)
			}
			fallthrough
		default:
			if len(got) > len(want) {
				t.Fatalf("%d frames of %d", len(got), len(want))
			}
			for i := range got {
				if !bytes.Equal(got[i].Data, want[i].Data) || got[i].Time != want[i].Time {
					t.Fatalf("frame %d: %+v, not %+v", i+1, got[i], want[i])
				}
			}
		}
	})
}
