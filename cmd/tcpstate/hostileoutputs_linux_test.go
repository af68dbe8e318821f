package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Where outputs go: places that take nothing, and programs that are killed.

// writings are the ways to write a file. OUT is its name; the capture's goes at the end.
var writings = [][]string{
	{"-o", "json=OUT"}, {"-o", "table", "-o", "ndjson=OUT"}, {"-o", "html=OUT"}, {"-o", "markdown=OUT"}, {"-o", "csv=OUT"}, {"-o", "zeek=OUT"},
	{"-w", "OUT"}, {"-w", "OUT", "--stream", "0"}, {"-w", "OUT", "--annotate"},
	{"explain", "-o", "table=OUT"}, {"explain", "-o", "markdown=OUT"}, {"explain", "-o", "html=OUT"},
	{"at", "end", "-o", "json=OUT"}, {"at", "end", "-o", "csv=OUT"},
	{"check", "-o", "json=OUT"}, {"check", "-o", "junit=OUT"}, {"check", "-o", "sarif=OUT"},
	{"check", "--baseline", "OUT", "--update-baseline"}, {"check", "--init", "--policy", "OUT"},
	{"diff", leak, "-o", "json=OUT"},
}

// into is one of them into a file.
func into(how []string, out, in string) (args []string) {
	for _, a := range how {
		args = append(args, strings.Replace(a, "OUT", out, 1))
	}
	return append(args, in)
}

// lines is how many there are on standard error, without that about --help.
func lines(stderr string) int {
	return strings.Count(strings.Replace(stderr, "(tcpstate --help shows all flags)\n", "", 1), "\n")
}

// Places that take no file: the status is 2, one line names the place, nothing is left.
func TestOutputsThatCannotBe(t *testing.T) {
	base := t.TempDir()
	made := func(name string) string {
		dir := filepath.Join(base, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	places := []struct{ name, out, says string }{
		{"a full device", "/dev/full", "no space left on device"},
		{"a directory", made("directory"), "is a directory"},
		{"a folder that is not there", filepath.Join(base, "nowhere", "x"), "no such file or directory"},
		{"a folder that is a file", filepath.Join(base, "file", "x"), "not a directory"},
	}
	if err := os.WriteFile(filepath.Join(base, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		dir := made("readonly")
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_RDONLY, ""); err == nil {
			defer syscall.Unmount(dir, 0)
			places = append(places, struct{ name, out, says string }{"a folder that is not written to", filepath.Join(dir, "x"), "read-only file system"})
		}
		full := made("full")
		if err := syscall.Mount("tmpfs", full, "tmpfs", 0, "size=4k"); err == nil {
			defer syscall.Unmount(full, 0)
			if err := os.WriteFile(filepath.Join(full, "fill"), make([]byte, 4096), 0o600); err != nil {
				t.Fatal(err)
			}
			places = append(places, struct{ name, out, says string }{"a full disk", filepath.Join(full, "x"), "no space left on device"})
		}
	}
	for _, p := range places {
		for _, how := range writings {
			args := into(how, p.out, leak)
			if p.out == "/dev/full" && strings.Contains(strings.Join(how, " "), "-policy") || strings.Contains(strings.Join(how, " "), "-baseline") && p.name == "a full device" {
				continue // they are read first, or have to be new
			}
			var stdout, stderr bytes.Buffer
			code := run(args, nil, &stdout, &stderr)
			said := stderr.String()
			ok := strings.Contains(said, p.says) || strings.Contains(said, "exists; name another file")
			if code != exitUsage || lines(said) != 1 || !ok || !strings.Contains(said, p.out) {
				t.Errorf("%s: tcpstate %v: exit status %d: %s", p.name, args, code, said)
			}
			if l, _ := filepath.Glob(filepath.Join(filepath.Dir(p.out), ".x.*")); len(l) > 0 {
				t.Errorf("%s: tcpstate %v leaves %v", p.name, args, l)
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(p.out), "x")); err == nil {
				t.Errorf("%s: tcpstate %v makes a file", p.name, args)
			}
		}
	}
}

// The folder vanishes while the capture is read.
func TestOutputFolderVanishes(t *testing.T) {
	b, err := os.ReadFile(leak)
	if err != nil {
		t.Fatal(err)
	}
	for _, how := range writings {
		if strings.Contains(strings.Join(how, " "), "--stream") {
			continue // not from a pipe
		}
		dir := filepath.Join(t.TempDir(), "folder")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		gone := false
		first := bytes.NewReader(b)
		stdin := readerFunc(func(p []byte) (int, error) {
			n, err := first.Read(p)
			if err != nil && !gone { // the outputs may be open by now, or not yet
				gone = true
				for range 100 {
					if l, _ := os.ReadDir(dir); len(l) > 0 {
						break
					}
					time.Sleep(2 * time.Millisecond)
				}
				os.RemoveAll(dir)
			}
			return n, err
		})
		var stdout, stderr bytes.Buffer
		args := into(how, filepath.Join(dir, "x"), "-")
		code := run(args, stdin, &stdout, &stderr)
		if code != exitUsage || lines(stderr.String()) != 1 ||
			!strings.Contains(stderr.String(), filepath.Join(dir, "x")+": no such file or directory") || strings.Contains(stderr.String(), ".x.") {
			t.Errorf("tcpstate %v: exit status %d: %s", args, code, &stderr)
		}
	}
}

// What is read is not written over, under whatever name.
func TestOutputIsInput(t *testing.T) {
	dir := t.TempDir()
	b, err := os.ReadFile(leak)
	if err != nil {
		t.Fatal(err)
	}
	name, other, hard := filepath.Join(dir, "in.pcap"), filepath.Join(dir, "link"), filepath.Join(dir, "hard")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(name, other); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(name, hard); err != nil {
		t.Fatal(err)
	}
	for _, how := range writings {
		for _, out := range []string{name, other, hard} {
			var stdout, stderr bytes.Buffer
			args := into(how, out, name)
			if code := run(args, nil, &stdout, &stderr); code != exitUsage || lines(stderr.String()) != 1 {
				t.Errorf("tcpstate %v: exit status %d: %s", args, code, &stderr)
			}
			if now, err := os.ReadFile(name); err != nil || !bytes.Equal(now, b) {
				t.Fatalf("tcpstate %v has written over its input", args)
			}
		}
	}
}

// Standard input that comes from a file is not written over, either: by that file's name or by
// that of standard input.
func TestOutputIsStandardInput(t *testing.T) {
	b, err := os.ReadFile(leak)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "in.pcap")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	defer func(was *os.File) { os.Stdin = was }(os.Stdin)
	os.Stdin = f
	for _, how := range writings {
		for _, out := range []string{name, fmt.Sprintf("/proc/self/fd/%d", f.Fd())} {
			var stdout, stderr bytes.Buffer
			if _, err := f.Seek(0, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			args := into(how, out, "-")
			if code := run(args, f, &stdout, &stderr); code != exitUsage || lines(stderr.String()) != 1 {
				t.Errorf("tcpstate %v: exit status %d: %s", args, code, &stderr)
			}
			if now, err := os.ReadFile(name); err != nil || !bytes.Equal(now, b) {
				t.Fatalf("tcpstate %v has written over its input", args)
			}
		}
	}
}

// What an output names that is a link goes to where that leads, be it there or not, and the
// link stays one; where links lead round in a circle, that is said.
func TestOutputsThroughLinks(t *testing.T) {
	for _, how := range writings {
		if slices.Contains(how, "--init") {
			continue // it writes to no name that there is
		}
		top := t.TempDir()
		dir, behind := filepath.Join(top, "a", "b"), filepath.Join(top, "c", "x")
		for _, d := range []string{dir, filepath.Dir(behind)} {
			if err := os.MkdirAll(d, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		name, loop := filepath.Join(dir, "name"), filepath.Join(dir, "loop")
		// By way of a directory that is a link itself: .. is that of what it leads to.
		for link, to := range map[string]string{name: filepath.Join("d", "second"), filepath.Join(dir, "d"): filepath.Join(top, "c"),
			filepath.Join(top, "c", "second"): filepath.Join("..", "c", "x"), loop: "loop"} {
			if err := os.Symlink(to, link); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 { // the first time nothing is there
			var stdout, stderr bytes.Buffer
			if code := run(into(how, name, leak), nil, &stdout, &stderr); code > exitFindings {
				t.Fatalf("tcpstate %v: exit status %d: %s", how, code, &stderr)
			}
			if fi, err := os.Lstat(name); err != nil || fi.Mode()&os.ModeSymlink == 0 {
				t.Errorf("tcpstate %v: the link is no more: %v", how, err)
			}
			if fi, err := os.Lstat(behind); err != nil || !fi.Mode().IsRegular() || fi.Size() == 0 {
				t.Errorf("tcpstate %v: what the link leads to: %v", how, err)
			}
		}
		var stdout, stderr bytes.Buffer
		if code := run(into(how, loop, leak), nil, &stdout, &stderr); code != exitUsage || lines(stderr.String()) != 1 {
			t.Errorf("tcpstate %v into a circle of links: exit status %d: %s", how, code, &stderr)
		}
		if fi, err := os.Lstat(loop); err != nil || fi.Mode()&os.ModeSymlink == 0 {
			t.Errorf("tcpstate %v: the circle is no more: %v", how, err)
		}
	}
}

// left are the files in a directory, and whether one has the final name.
func left(t *testing.T, dir, final string) (l []string, there bool) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		l = append(l, e.Name())
		there = there || e.Name() == final
	}
	return l, there
}

// temporary is the name of a file that is not complete.
var temporary = regexp.MustCompile(`^\.x\.[0-9a-f]{8}$`)

// The program as it is built is killed in the midst of reading a pipe: what had the name of the
// output before has it still, and is whole; a file that was begun has another name.
func TestKilled(t *testing.T) {
	exe := program(t, "tcpstate")
	b, err := os.ReadFile(leak)
	if err != nil {
		t.Fatal(err)
	}
	for i, how := range writings {
		if strings.Contains(strings.Join(how, " "), "--stream") {
			continue // not from a pipe
		}
		for _, before := range []bool{false, true} {
			dir := t.TempDir()
			out := filepath.Join(dir, "x")
			if before && strings.Contains(strings.Join(how, " "), "-policy") {
				continue // it has to be new
			}
			const old = `{"schema":"tcpstate-verdict-v1","files":[]}`
			if before && strings.Contains(strings.Join(how, " "), "-baseline") {
				continue // it has to be a verdict
			}
			if before {
				if err := os.WriteFile(out, []byte(old), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			c := exec.Command(exe, into(how, out, "-")...)
			stdin, err := c.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			stdin.Write(b[:len(b)/20*(1+i%19)])
			for range 500 { // until an output was begun, which not all do before the end
				if l, _ := filepath.Glob(filepath.Join(dir, ".x.*")); len(l) > 0 {
					break
				}
				if i := strings.Join(how, " "); strings.Contains(i, "-policy") || strings.Contains(i, "-baseline") {
					break
				}
				time.Sleep(2 * time.Millisecond)
			}
			if i%2 == 1 { // at its end
				stdin.Write(b[len(b)/20*(1+i%19):])
				stdin.Close()
			}
			c.Process.Kill()
			c.Wait()
			stdin.Close()
			l, there := left(t, dir, "x")
			for _, name := range l {
				if name != "x" && !temporary.MatchString(name) {
					t.Errorf("tcpstate %v leaves %s", how, name)
				}
			}
			now, _ := os.ReadFile(out)
			switch whole := i%2 == 1 && len(now) > 0 && string(now) != old; {
			case whole: // it had come to its end
			case there != before, before && string(now) != old:
				t.Errorf("tcpstate %v, killed, leaves %d octets under the final name: %.100s", how, len(now), now)
			}
		}
	}
}
