package capture

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

func gz(b []byte) []byte {
	var w bytes.Buffer
	z := gzip.NewWriter(&w)
	z.Write(b)
	z.Close()
	return w.Bytes()
}

func zst(b []byte) []byte {
	e, _ := zstd.NewWriter(nil)
	return e.EncodeAll(b, nil)
}

// someFile has n frames of different kinds.
func someFile(n int) []byte {
	var rs []rec
	for i := range n {
		s := seg{sport: 1024 + i%50, dport: 80, seq: uint32(i), flags: ACK, payload: make([]byte, i%1400)}
		f := plainFrame(s)
		if i%7 == 3 {
			f = eth(0x806, make([]byte, 28))
		}
		rs = append(rs, rec{ns: int64(i) * 1000, data: f})
	}
	return pcapFile(1, rs...)
}

func TestCompressed(t *testing.T) {
	plain := someFile(5000)
	whole := readAll(t, Options{}, plain)
	half := len(plain) / 2
	for name, file := range map[string][]byte{
		"gzip": gz(plain), "zstd": zst(plain),
		"gzip-members":   cat(gz(plain[:half]), gz(plain[half:])),
		"zstd-frames":    cat(zst(plain[:half]), zst(plain[half:])),
		"zstd-skippable": cat(le32(0x184d2a50), le32(3), []byte("abc"), zst(plain)),
	} {
		t.Run(name, func(t *testing.T) {
			for _, r := range []read{readAll(t, Options{}, file), readStdin(t, Options{}, file)} {
				if r.err != nil || !reflect.DeepEqual(r.segs, whole.segs) || r.stats.Damage != nil {
					t.Fatalf("%v, %d segments, %+v", r.err, len(r.segs), r.stats.Damage)
				}
				if fs := r.stats.Files[0]; fs.Compression != name[:4] || r.stats.ReadBytes != int64(len(file)) {
					t.Errorf("%+v, %d of %d octets read", fs, r.stats.ReadBytes, len(file))
				}
			}
			r := readAll(t, Options{}, file[:len(file)*2/3])
			if r.err != nil || len(r.segs) == 0 || len(r.segs) >= len(whole.segs) || len(r.stats.Damage) != 1 || !r.stats.Damage[0].Cut {
				t.Errorf("cut: %v, %d segments, %+v", r.err, len(r.segs), r.stats.Damage)
			}
			if !reflect.DeepEqual(r.segs, whole.segs[:len(r.segs)]) {
				t.Error("cut: other segments")
			}
		})
	}
	// A cut between two records is a cut all the same: the stream does not end.
	z := gz(plain)
	if r := readAll(t, Options{}, z[:len(z)-4]); len(r.segs) != len(whole.segs) || len(r.stats.Damage) != 1 || !r.stats.Damage[0].Cut {
		t.Errorf("without its checksum: %d segments, %+v", len(r.segs), r.stats.Damage)
	}
	z[len(z)-6] ^= 0xff
	if r := readAll(t, Options{}, z); len(r.stats.Damage) != 1 || r.stats.Damage[0].Reason != "damaged-compression" || r.stats.Damage[0].Cut {
		t.Errorf("with a wrong checksum: %+v", r.stats.Damage)
	}
}

func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b := pcapFile(1)
	b[4] = 9
	for _, c := range []struct{ path, want string }{
		{filepath.Join(dir, "missing"), "no such file"},
		{dir, "directory"},
		{write("empty", nil), "empty file"},
		{write("text", []byte("12:00:00 IP 10.0.0.1 > 10.0.0.2\n")), "text"},
		{write("utf8", []byte(strings.Repeat("é", 600))[:511]), "text"},
		{write("snoop", cat([]byte("snoop\x00\x00\x00"), be32(2), be32(4))), "snoop"},
		{write("netmon", cat([]byte("GMBU"), be32(2))), "Network Monitor"},
		{write("erf", cat(make([]byte, 8), []byte{2, 4, 0, 80, 0, 0, 0, 60}, make([]byte, 64))), "ERF"},
		{write("xz", []byte("\xfd7zXZ\x00\x00\x04")), "xz"},
		{write("zip", []byte("PK\x03\x04....")), "zip"},
		{write("odd", []byte{1, 2, 3}), "010203"},
		{write("gzip-gzip", gz(gz(pcapFile(1)))), "gzip data that is gzip data again"},
		{write("gzip-zstd", gz([]byte{0x53, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 9})), "gzip data that is zstd data again"},
		{write("pcap-head", pcapFile(1)[:20]), "cut short inside the pcap file header"},
		{write("pcap-version", b), "version"},
		{write("ng-head", ng{}.section()[:10]), "cut short inside the pcapng section header"},
		{write("ng-order", ng{}.block(blockSection, make([]byte, 16))), "byte order"},
		{write("gz-text", gz([]byte("hello"))), "gzip data that is text"},
		{write("gz-empty", gz(nil)), "gzip data that is an empty file"},
		{write("gz-head", gz([]byte("hello"))[:5]), "gzip data: cut short"},
		{write("gz-body", gz([]byte("hello"))[:10]), "gzip data: cut short"},
		{write("gz-bad", append(gz(nil)[:10], 0xff, 0xff)), "gzip data: damaged"},
		{write("zst-junk", []byte("\x28\xb5\x2f\xfd\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")), "damaged"},
		{self, "executable"},
	} {
		_, err := Open(Options{Paths: []string{c.path}})
		var u *UnreadableError
		if !errors.As(err, &u) || u.Name != c.path || !strings.Contains(u.Reason, c.want) {
			t.Errorf("%s: %v, want %q", c.path, err, c.want)
		}
		// A good file beside it is read all the same, and the bad one told of.
		src, err := Open(Options{Paths: []string{c.path, write("good", pcapFile(1))}})
		if err != nil {
			t.Errorf("%s beside a good file: %v", c.path, err)
			continue
		}
		for b := new(Batch); src.Next(b) == nil; {
		}
		st := src.Stats()
		if d := st.Damage; len(st.Files) != 1 || len(d) != 1 || d[0].File != c.path || d[0].Reason != "unreadable" || d[0].Cut || !strings.Contains(d[0].Detail, c.want) {
			t.Errorf("%s beside a good file: %+v", c.path, st)
		}
		src.Close()
	}
	if _, err := Open(Options{}); err == nil {
		t.Error("no file at all is no error")
	}
	if _, err := Open(Options{Paths: []string{"-", "-"}, Stdin: bytes.NewReader(pcapFile(1))}); err == nil {
		t.Error("standard input twice is no error")
	}
}

func TestNoPermission(t *testing.T) {
	p := filepath.Join(t.TempDir(), "secret.pcap")
	if err := os.WriteFile(p, pcapFile(1), 0); err != nil {
		t.Fatal(err)
	}
	if f, err := os.Open(p); err == nil {
		f.Close()
		t.Skip("this user may read everything")
	}
	var u *UnreadableError
	if _, err := Open(Options{Paths: []string{p}}); !errors.As(err, &u) || !strings.Contains(u.Reason, "permission") {
		t.Errorf("got %v", err)
	}
}

// failing gives its octets and then an error of the device.
type failing struct{ r io.Reader }

func (f *failing) Read(b []byte) (int, error) {
	n, err := f.r.Read(b)
	if err == io.EOF {
		err = &os.PathError{Op: "read", Path: "x", Err: errors.New("input/output error")}
	}
	return n, err
}

func TestReadError(t *testing.T) {
	plain := someFile(100)
	for name, file := range map[string][]byte{"plain": plain, "gzip": gz(plain)[:1000]} {
		r := readPaths(t, Options{Paths: []string{"-"}, Stdin: &failing{bytes.NewReader(file)}})
		if r.err != nil || len(r.stats.Damage) != 1 || r.stats.Damage[0].Reason != "read-error" || r.stats.Damage[0].Detail != "input/output error" || r.stats.Damage[0].Cut {
			t.Errorf("%s: %v %+v", name, r.err, r.stats.Damage)
		}
	}
	var u *UnreadableError
	if _, err := Open(Options{Paths: []string{"-"}, Stdin: &failing{bytes.NewReader(nil)}}); !errors.As(err, &u) {
		t.Errorf("nothing but an error: %v", err)
	}
}

// A pipe that pauses does not hold back what arrived.
func TestPipeDelivers(t *testing.T) {
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pr.Close()
	go pw.Write(pcapFile(1))
	s, err := Open(Options{Paths: []string{"-"}, Stdin: pr})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var b Batch
	for i := range 5 {
		r := pcapRec(rec{ns: int64(i) * 1e9, data: plainFrame(plainSeg)})
		if i == 3 { // frames without TCP move the clock
			r = pcapRec(rec{ns: 3e9, data: eth(0x806, nil)})
		}
		go func() { // in two halves
			pw.Write(r[:20])
			pw.Write(r[20:])
		}()
		if err := s.Next(&b); err != nil || b.Now != int64(i)*1e9 || (len(b.Segments) == 1) != (i != 3) {
			t.Fatalf("record %d: %v, now %d, %d segments", i, err, b.Now, len(b.Segments))
		}
	}
	pw.Close()
	if err := s.Next(&b); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
	if st := s.Stats(); st.TotalBytes != -1 || st.ReadBytes == 0 || st.Damage != nil {
		t.Errorf("%+v", st)
	}
}

func TestStop(t *testing.T) {
	for _, n := range []int{1, 2} {
		var paths []string
		for range n {
			p := filepath.Join(t.TempDir(), "a.pcap")
			os.WriteFile(p, someFile(5000), 0o600)
			paths = append(paths, p)
		}
		s, err := Open(Options{Paths: paths})
		if err != nil {
			t.Fatal(err)
		}
		var b Batch
		if err := s.Next(&b); err != nil {
			t.Fatal(err)
		}
		s.(Stopper).Stop()
		if err := s.Next(&b); err != io.EOF || len(b.Segments) != 0 {
			t.Errorf("after Stop: %v", err)
		}
		s.Close()
		if err := s.Next(&b); err != io.EOF {
			t.Errorf("after Close: %v", err)
		}
		s.Close()
	}
}

// A long stretch without TCP does not keep Next from returning.
func TestPause(t *testing.T) {
	file := pcapFile(1)
	arp := pcapRec(rec{ns: 5, data: eth(0x806, nil)})
	for range 2*pause + 10 {
		file = append(file, arp...)
	}
	s, err := Open(Options{Paths: []string{"-"}, Stdin: bytes.NewReader(file)})
	if err != nil {
		t.Fatal(err)
	}
	var b Batch
	calls := 0
	for s.Next(&b) == nil {
		calls++
		if b.Now != 5 {
			t.Errorf("now %d", b.Now)
		}
	}
	if calls < 3 || calls > 10 || s.Stats().Packets != 2*pause+10 {
		t.Errorf("%d calls, %d packets", calls, s.Stats().Packets)
	}
}
