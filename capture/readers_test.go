package capture

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/pcapgo"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Who else reads captures sees the same frames in them: as many, at the same times, of the
// same lengths.

// repository are the captures that are read, damaged ones too.
func repository(t *testing.T) (paths []string) {
	for _, pattern := range []string{"pcaps/*.pcap*", "damaged/*.pcap*"} {
		l, err := filepath.Glob(filepath.Join("..", "testdata", pattern))
		if err != nil || len(l) == 0 {
			t.Fatal("no captures")
		}
		paths = append(paths, l...)
	}
	return paths
}

// Frame by frame as pcapgo has them, up to where it stops reading.
func TestReadersPcapgo(t *testing.T) {
	compared := 0
	for _, path := range repository(t) {
		if filepath.Base(path) == "hostile-resolution.pcapng" {
			continue // pcapgo divides by zero
		}
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		ours, _, err := framesIn(file, 0)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		switch filepath.Ext(path) {
		case ".gz":
			z, err := gzip.NewReader(bytes.NewReader(file))
			if err == nil {
				file, err = io.ReadAll(z)
			}
			if err != nil {
				t.Fatal(err)
			}
		case ".zst":
			z, err := zstd.NewReader(nil)
			if err == nil {
				file, err = z.DecodeAll(file, nil)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		var next func() ([]byte, gopacket.CaptureInfo, error)
		if _, _, ok := pcapMagic(file); ok {
			r, err := pcapgo.NewReader(bytes.NewReader(file))
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			next = r.ReadPacketData
		} else {
			o := pcapgo.NgReaderOptions{WantMixedLinkType: true, SkipUnknownVersion: true}
			r, err := pcapgo.NewNgReader(bytes.NewReader(file), o)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			next = r.ReadPacketData
		}
		for i := range ours {
			data, ci, err := next()
			if err != nil {
				break // it is stricter
			}
			f := &ours[i]
			if !bytes.Equal(data, f.Data) || ci.Length != f.Wire {
				t.Fatalf("%s, frame %d: %d of %d octets; pcapgo has %d of %d", path, i+1, len(f.Data), f.Wire, len(data), ci.Length)
			}
			apart := int64(0)
			if filepath.Ext(path) == ".pcapng" {
				apart = 5000 // it does not take powers of two exactly
			}
			if ns := ci.Timestamp.UnixNano(); max(ns-f.Time, f.Time-ns) > apart && !f.Untimed {
				t.Fatalf("%s, frame %d at %d; pcapgo has it at %d", path, i+1, f.Time, ns)
			}
			compared++
		}
	}
	if compared < 4000 {
		t.Errorf("only %d frames compared", compared)
	}
}

// The same frames as tshark numbers them, and no more or fewer.
func TestReadersTshark(t *testing.T) {
	bin, err := exec.LookPath("tshark")
	if err != nil {
		lacking(t, "tshark is not installed (Debian package tshark)")
	}
	for _, path := range repository(t) {
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		ours, _, err := framesIn(file, 0)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		// Without dissectors it is quick: the file alone is of interest.
		cmd := exec.Command(bin, "-n", "-r", path, "--disable-protocol", "eth", "-T", "fields", "-e", "frame.number", "-e", "frame.time_epoch", "-e", "frame.len", "-e", "frame.cap_len")
		cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir())
		out, _ := cmd.Output() // of damaged files it has a complaint, and what it could read
		lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
		if len(out) == 0 {
			lines = nil
		}
		if len(lines) != len(ours) {
			t.Errorf("%s: %d frames; tshark has %d", path, len(ours), len(lines))
		}
		for i := range min(len(lines), len(ours)) {
			f, w := &ours[i], strings.Split(lines[i], "\t")
			if want := fmt.Sprintf("%d %d %d", i+1, f.Wire, len(f.Data)); w[0]+" "+w[2]+" "+w[3] != want {
				t.Fatalf("%s: %s; tshark has %q", path, want, w)
			}
			if f.Untimed || filepath.Base(path) == "hostile-resolution.pcapng" {
				continue
			}
			if ns, err := epochNanos(w[1]); err != nil || ns != f.Time {
				t.Fatalf("%s, frame %d at %d; tshark has it at %s", path, i+1, f.Time, w[1])
			}
		}
	}
}

// epochNanos reads seconds since 1970 with nine decimals.
func epochNanos(s string) (int64, error) {
	sec, frac, _ := strings.Cut(s, ".")
	return strconv.ParseInt(sec+(frac + "000000000")[:9], 10, 64)
}
