package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/metrics"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"
)

// What holds for every capture, however it is damaged: it is read as far as it goes, within
// its time and its memory, and what is wrong with it is told in one line.

const (
	mutateHead  = 4 << 10          // where every octet is cut at and flipped
	mutateTime  = 10 * time.Second // of the processor, the most that one run may take: other programs do not count
	mutateHangs = 5 * time.Minute  // by the clock, which a loaded machine must not come near
	mutateAlloc = 64 << 20         // the most octets that one run may ask for, of a capture below 300 kB
	mutateRSS   = 1 << 30          // the most that the process may hold
)

// mutateWays are the ways in which the program is run on damaged captures, in turn.
var mutateWays = append([][]string{{}, {"--workers", "3"}, {"--where", "duration >= 0", "--verify-checksums"}}, formats...)

// mutation is one way to damage a capture.
type mutation struct {
	cut  bool
	at   int
	mask byte
}

func (m mutation) String() string {
	if m.cut {
		return fmt.Sprintf("cut at %d", m.at)
	}
	return fmt.Sprintf("octet %d xor %#02x", m.at, m.mask)
}

// mutations are those of a capture of n octets. All of its head are many: stride takes only
// each so manieth, from another one on for each kind; beyond the head flips are wider apart.
func mutations(n, stride, file int) (ms []mutation) {
	head := min(n, mutateHead)
	for at := file % stride; at < head; at += stride {
		ms = append(ms, mutation{cut: true, at: at})
	}
	for i, mask := range []byte{0xff, 0x01} {
		for at := (file + 5*i + 3) % stride; at < head; at += stride {
			ms = append(ms, mutation{at: at, mask: mask})
		}
		for at := head + (file+i)%97; at < n; at += 97 * stride {
			ms = append(ms, mutation{at: at, mask: mask})
		}
	}
	return ms
}

// cpuTime is what the process has used of the processor.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// mutateRun runs the program once and checks how it ends. It returns what it printed.
func mutateRun(args []string, stdin io.Reader) (out []byte, wrong string) {
	var stdout, stderr bytes.Buffer
	heap := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(heap)
	before, begun := heap[0].Value.Uint64(), cpuTime()
	code := run(args, stdin, &stdout, &stderr)
	took := cpuTime() - begun
	metrics.Read(heap)
	switch n := heap[0].Value.Uint64() - before; {
	case code != exitOK && code != exitDamaged:
		wrong = fmt.Sprintf("exit status %d: %s", code, &stderr)
	case code == exitDamaged:
		wrong = clearLine(stderr.String())
	case took > mutateTime:
		wrong = fmt.Sprintf("it took %s", took)
	case n > mutateAlloc:
		wrong = fmt.Sprintf("%d MiB allocated", n>>20)
	}
	return stdout.Bytes(), wrong
}

// unclear are words that tell a programmer something, and a user nothing.
var unclear = []string{"panic", "runtime", "goroutine", "EOF", "nil", "%!", "0x", "errno", "invalid argument", "gopacket", "errors."}

// clearLine says what is wrong with the message that comes with status 3: it is one line, for
// people.
func clearLine(s string) string {
	line, end := strings.CutSuffix(s, "\n")
	_, words, ours := strings.Cut(line, "tcpstate: ")
	switch {
	case s == "":
		return "status 3 without a word"
	case !end || strings.Contains(line, "\n"):
		return "not one line: " + s
	case !ours || len(words) < 20 || len(line) > 400 || !utf8.ValidString(line):
		return "no clear line: " + s
	}
	for _, r := range line {
		if r < ' ' || r == 0x7f {
			return fmt.Sprintf("control characters: %q", s)
		}
	}
	for _, w := range unclear {
		if strings.Contains(words, w) {
			return "no word for a user: " + s
		}
	}
	return ""
}

// Each capture of the repository, cut at every octet of its first 4 KiB and with every one of
// them flipped. The ordinary run takes some of them; all of it takes TCPSTATE_SOAK=1.
func TestMutatedCaptures(t *testing.T) {
	stride := 509
	switch {
	case long():
		stride = 1
	case testing.Short(), raced:
		stride = 2039
	}
	dir := t.TempDir()
	var doing string
	watchdog := time.AfterFunc(time.Hour, func() { panic(doing + " hangs; the file is in " + dir) })
	defer watchdog.Stop()
	runs, failed := 0, 0
	most := uint64(0)
	for k, file := range captureFiles(t) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// One file is damaged and mended again: whoever reads it sees a real one.
		name := filepath.Join(dir, "mutated-"+filepath.Base(file))
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(b); err != nil {
			t.Fatal(err)
		}
		begun, n := time.Now(), 0
		for i, m := range mutations(len(b), stride, k) {
			bad := slices.Clone(b)
			if m.cut {
				bad = bad[:m.at]
				err = f.Truncate(int64(m.at))
			} else {
				bad[m.at] ^= m.mask
				_, err = f.WriteAt(bad[m.at:m.at+1], int64(m.at))
			}
			if err != nil {
				t.Fatal(err)
			}
			args := slices.Clone(mutateWays[(i+k)%len(mutateWays)])
			var stdin io.Reader
			if i/len(mutateWays)%5 == 4 {
				args, stdin = append(args, "-"), bytes.NewReader(bad)
			} else {
				args = append(args, name)
			}
			doing = fmt.Sprintf("%s, %s: tcpstate %s", file, m, strings.Join(args, " "))
			watchdog.Reset(mutateHangs)
			out, wrong := mutateRun(args, stdin)
			switch {
			case wrong != "":
			case slices.Contains(args, "3"):
				one, _ := mutateRun([]string{"--workers", "1", args[len(args)-1]}, bytes.NewReader(bad))
				if !bytes.Equal(out, one) {
					wrong = "three workers make another report:\n" + firstDifference(string(out), string(one))
				}
			case slices.Contains(args, "json") && len(out) > 0 && !json.Valid(out):
				wrong = "no JSON: " + string(out)
			}
			if wrong != "" {
				t.Errorf("%s: %s", doing, wrong)
				if failed++; failed > 300 {
					t.Fatal("and so on")
				}
			}
			if m.cut {
				_, err = f.WriteAt(b[m.at:], int64(m.at))
			} else {
				_, err = f.WriteAt(b[m.at:m.at+1], int64(m.at))
			}
			if err != nil {
				t.Fatal(err)
			}
			runs++
			if n++; n%64 == 0 {
				most = max(most, residentNow())
			}
		}
		f.Close()
		most = max(most, residentNow())
		if long() {
			t.Logf("%s: %d runs in %s", file, n, time.Since(begun).Round(time.Millisecond))
		}
	}
	t.Logf("%d runs, %d MiB resident at the most", runs, most>>20)
	if most > mutateRSS && !raced {
		t.Errorf("%d MiB resident", most>>20)
	}
}
