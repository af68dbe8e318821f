package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// What holds for every capture, however it comes in.

// captureFiles are the captures of testdata/pcaps and testdata/damaged.
func captureFiles(t *testing.T) (names []string) {
	t.Helper()
	for _, pattern := range []string{"*.pcap", "*.pcapng", "*.pcap.gz", "*.pcap.zst"} {
		for _, dir := range []string{pcaps, damaged} {
			m, err := filepath.Glob(filepath.Join(dir, pattern))
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, m...)
		}
	}
	if len(names) < 60 {
		t.Fatalf("only %d captures", len(names))
	}
	slices.Sort(names)
	return names
}

// exitOf is the exit status that a capture is made for.
func exitOf(file string) int {
	for _, r := range recipes {
		if r.file == filepath.Base(file) {
			return r.exit
		}
	}
	return exitOK
}

// formats asks for everything in each format.
var formats = [][]string{
	{"-o", "ndjson", "--show", "summary,findings,connections,transitions,states,services"},
	{"-o", "json", "--show", "summary,findings,connections,transitions,states,services"},
	{"-o", "csv"},
	{"-o", "csv", "--show", "states"},
	{"-o", "zeek"},
	{"-o", "table", "--show", "summary,findings,connections,transitions,states,services,top"},
}

// output runs the program and returns its standard output, which has to come
// with the exit status.
func output(t *testing.T, exit int, stdin io.Reader, args ...string) []byte {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(args, stdin, &stdout, &stderr); code != exit {
		t.Errorf("tcpstate %s: exit status %d, not %d: %s", strings.Join(args, " "), code, exit, &stderr)
	}
	return stdout.Bytes()
}

// facts is an NDJSON report without the line on the files that were read, and
// without their names in the summary's list of damage.
func facts(t *testing.T, exit int, stdin io.Reader, files ...string) string {
	t.Helper()
	_, rest, found := bytes.Cut(output(t, exit, stdin, append(slices.Clone(formats[0]), files...)...), []byte("\n"))
	if !found {
		t.Errorf("%v: no line", files)
	}
	return fileName.ReplaceAllString(string(rest), `"file":"..."`)
}

var fileName = regexp.MustCompile(`"file":"[^"]*"`)

func TestSameBytesTwice(t *testing.T) {
	for _, file := range captureFiles(t) {
		for _, args := range formats {
			args = append(slices.Clone(args), file)
			if a, b := output(t, exitOf(file), nil, args...), output(t, exitOf(file), nil, args...); !bytes.Equal(a, b) {
				t.Errorf("tcpstate %s: two runs differ:\n%s", strings.Join(args, " "), firstDifference(string(a), string(b)))
			}
		}
	}
}

// The number of workers shows nowhere, in no format, whatever else is asked.
func TestSameBytesWithAnyWorkers(t *testing.T) {
	asked := append(slices.Clone(formats), []string{"--where", "duration >= 0"}, []string{"--sort", "-duration", "-o", "csv"})
	for _, file := range captureFiles(t) {
		for _, args := range asked {
			args = append(slices.Clone(args), file)
			want := output(t, exitOf(file), nil, append(args, "--workers", "1")...)
			for _, n := range []string{"2", "5"} {
				if got := output(t, exitOf(file), nil, append(args, "--workers", n)...); !bytes.Equal(got, want) {
					t.Errorf("tcpstate %s: %s workers make another report:\n%s", strings.Join(args, " "), n, firstDifference(string(got), string(want)))
				}
			}
		}
	}
}

// A capture is the same through a pipe, and compressed: in one piece, in two
// members behind each other, and by another program.
func TestPipedAndCompressed(t *testing.T) {
	dir := t.TempDir()
	for _, file := range captureFiles(t) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		exit := exitOf(file)
		want := facts(t, exit, nil, file)
		check := func(how, got string) {
			t.Helper()
			if got != want {
				t.Errorf("%s: %s is not the same:\n%s", file, how, firstDifference(got, want))
			}
		}
		check("standard input", facts(t, exit, bytes.NewReader(b), "-"))
		check("standard input by -r", facts(t, exit, bytes.NewReader(b), "-r", "-"))
		check("octet by octet", facts(t, exit, trickle{bytes.NewReader(b)}, "-"))
		if b = expand(t, file, b); filepath.Ext(file) != ".pcap" {
			check("expanded", facts(t, exit, bytes.NewReader(b), "-"))
		}
		half := len(b) / 2
		for how, z := range map[string][]byte{
			"gz": gzipped(b), "zst": zstded(b),
			"two members.gz": append(gzipped(b[:half]), gzipped(b[half:])...), "two frames.zst": append(zstded(b[:half]), zstded(b[half:])...),
		} {
			name := filepath.Join(dir, "any name")
			if err := os.WriteFile(name, z, 0o644); err != nil {
				t.Fatal(err)
			}
			check(how, facts(t, exit, nil, name))
			check(how+" on standard input", facts(t, exit, bytes.NewReader(z), "-"))
		}
	}
}

// trickle is a pipe that never gives more than asked of a slow line.
type trickle struct{ r io.Reader }

func (t trickle) Read(p []byte) (int, error) { return t.r.Read(p[:min(len(p), 61)]) }

// A rotated capture is the capture.
func TestSplitInThree(t *testing.T) {
	for _, file := range captureFiles(t) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		ends := recordEnds(b)
		if len(ends) < 4 || exitOf(file) != exitOK {
			continue
		}
		dir := t.TempDir()
		var parts []string
		from := ends[0]
		for i, to := range []int{ends[len(ends)/3], ends[2*len(ends)/3], ends[len(ends)-1]} {
			name := filepath.Join(dir, fmt.Sprintf("part%d.pcap", i))
			if err := os.WriteFile(name, slices.Concat(b[:24], b[from:to]), 0o644); err != nil {
				t.Fatal(err)
			}
			parts, from = append(parts, name), to
		}
		want := facts(t, exitOK, nil, file)
		if got := facts(t, exitOK, nil, parts...); got != want {
			t.Errorf("%s in three parts is not the same:\n%s", file, firstDifference(got, want))
		}
		slices.Reverse(parts)
		if got := facts(t, exitOK, nil, parts...); got != want {
			t.Errorf("%s in three parts, the last first, is not the same:\n%s", file, firstDifference(got, want))
		}
		zeek := []string{"-o", "zeek"}
		if got, want := output(t, exitOK, nil, append(zeek, parts...)...), output(t, exitOK, nil, append(zeek, file)...); !bytes.Equal(got, want) {
			t.Errorf("%s in three parts has another conn.log:\n%s", file, firstDifference(string(got), string(want)))
		}
	}
}

// recordEnds are the offsets at which a plain pcap file can be cut: behind its
// header and behind each record. It is nil for other files.
func recordEnds(b []byte) []int {
	if len(b) < 24 {
		return nil
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch binary.BigEndian.Uint32(b) {
	case 0xa1b2c3d4, 0xa1b23c4d:
		order = binary.BigEndian
	case 0xd4c3b2a1, 0x4d3cb2a1:
	default:
		return nil
	}
	ends := []int{24}
	for at := 24; at+16 <= len(b); {
		at += 16 + int(order.Uint32(b[at+8:]))
		if at > len(b) {
			break
		}
		ends = append(ends, at)
	}
	return ends
}

// A capture cut at any octet is reported as far as it goes.
func TestCutAnywhere(t *testing.T) {
	every := map[string]bool{ // cut at each octet; others here and there
		"ordinary.pcap": true, "ordinary.pcap.gz": true, "ordinary.pcap.zst": true, "pcapng-sections.pcapng": true,
	}
	for _, file := range captureFiles(t) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		ends := recordEnds(b)
		step := max(1, len(b)/23)
		if every[filepath.Base(file)] {
			step = 1
			if raced {
				step = 11
			}
		}
		before := 0
		for n := 0; n < len(b); n += step {
			var stdout, stderr bytes.Buffer
			code := run([]string{"-o", "ndjson", "--show", "summary,connections,transitions", "-"}, bytes.NewReader(b[:n]), &stdout, &stderr)
			lines := bytes.Split(bytes.TrimSpace(stdout.Bytes()), []byte("\n"))
			var summary struct {
				Type    string
				Packets int
			}
			if err := json.Unmarshal(lines[len(lines)-1], &summary); stdout.Len() > 0 && (err != nil || summary.Type != "summary") {
				t.Fatalf("%s, %d octets: the last line is %s", file, n, lines[len(lines)-1])
			}
			for _, l := range lines {
				if stdout.Len() > 0 && !json.Valid(l) {
					t.Fatalf("%s, %d octets: %s", file, n, l)
				}
			}
			if code != exitOK && code != exitDamaged || code == exitDamaged && stderr.Len() == 0 {
				t.Errorf("%s, %d octets: exit status %d, standard error: %s", file, n, code, &stderr)
			}
			if summary.Packets < before {
				t.Errorf("%s, %d octets: %d packets, after %d in a shorter part", file, n, summary.Packets, before)
			}
			before = summary.Packets
			if ends == nil {
				continue
			}
			whole, exact := slices.BinarySearch(ends, n)
			if !exact {
				whole--
			}
			if summary.Packets != max(whole, 0) {
				t.Errorf("%s, %d octets: %d packets reported of %d whole ones", file, n, summary.Packets, max(whole, 0))
			}
			if exact != (code == exitOK) {
				t.Errorf("%s, %d octets: exit status %d", file, n, code)
			}
		}
	}
}

// What a file claims costs nothing: memory grows with what it holds.
func TestClaimsCostNothing(t *testing.T) {
	for _, file := range captureFiles(t) {
		if !strings.HasPrefix(filepath.Base(file), "hostile-") {
			continue
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		facts(t, exitOf(file), nil, file)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 24<<20 {
			t.Errorf("%s: %d MiB allocated", file, n>>20)
		}
	}
}

// firstDifference shows where two reports part.
func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		var a, b string
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			n := 0
			for n < min(len(a), len(b)) && a[n] == b[n] {
				n++
			}
			n = max(0, n-60)
			return fmt.Sprintf("line %d, from column %d\n got %.160s\nwant %.160s", i+1, n+1, a[n:], b[n:])
		}
	}
	return "no difference"
}
