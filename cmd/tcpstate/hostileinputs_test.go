package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// Files that change while they are read, and times beyond those that people think of.

// tampering is what becomes of a file between its two readings.
var tampering = []struct {
	name string
	do   func(file string) error
	exit int
}{
	{"nothing", func(string) error { return nil }, exitOK},
	{"it grows", func(f string) error {
		b, err := os.ReadFile(f)
		if err == nil {
			err = os.WriteFile(f, append(b, b[24:]...), 0o600)
		}
		return err
	}, exitOK},
	{"it shrinks", func(f string) error { return os.Truncate(f, 3000) }, exitOK},
	{"it shrinks to nothing", func(f string) error { return os.Truncate(f, 0) }, exitDamaged},
	{"it vanishes", os.Remove, exitDamaged},
	{"it becomes text", func(f string) error { return os.WriteFile(f, []byte("no more than some words\n"), 0o600) }, exitDamaged},
	{"it becomes a directory", func(f string) error {
		if err := os.Remove(f); err != nil {
			return err
		}
		return os.Mkdir(f, 0o700)
	}, exitDamaged},
}

// A file that changes between its two readings is told of in one line, or makes no
// difference; what was to be written of it is whole or not there.
func TestFileChangesBetweenReadings(t *testing.T) {
	whole, err := os.ReadFile(leak)
	if err != nil {
		t.Fatal(err)
	}
	// So little that all of it is read at once, when it is opened.
	for _, end := range recordEnds(whole) {
		if end > 50_000 {
			whole = whole[:end]
			break
		}
	}
	for _, x := range tampering {
		for _, how := range [][]string{{"explain", "-o", "html=OUT"}, {"explain", "--stream", "0"}, {"-o", "html=OUT"}, {"-w", "OUT", "--stream", "0"}} {
			dir := t.TempDir()
			name, out := filepath.Join(dir, "in.pcap"), filepath.Join(dir, "x")
			if err := os.WriteFile(name, whole, 0o600); err != nil {
				t.Fatal(err)
			}
			var args []string
			for _, a := range how {
				args = append(args, strings.Replace(a, "OUT", out, 1))
			}
			code, said := tampered(t, append(args, name), name, x.do)
			if code != exitOK && code != x.exit && !(x.name == "it shrinks" && code == exitDamaged) {
				t.Errorf("%s: tcpstate %v: exit status %d: %s", x.name, how, code, said)
			}
			if n := strings.Count(said, "\n"); n > 1 || code != exitOK && n == 0 {
				t.Errorf("%s: tcpstate %v: %d lines: %s", x.name, how, n, said)
			}
			if code == exitDamaged {
				if wrong := clearLine(said); wrong != "" {
					t.Errorf("%s: tcpstate %v: %s", x.name, how, wrong)
				}
			}
			b, err := os.ReadFile(out)
			if how[0] == "-w" && (err == nil) != (code == exitOK || x.name == "it shrinks" && err == nil) || err == nil && len(b) == 0 {
				t.Errorf("%s: tcpstate %v: exit status %d, %d octets are written: %v", x.name, how, code, len(b), err)
			}
			if l, _ := filepath.Glob(filepath.Join(dir, ".x.*")); len(l) > 0 {
				t.Errorf("%s: tcpstate %v leaves %v", x.name, how, l)
			}
		}
	}
}

// Of a file that grows while it is read, in pieces that end anywhere, a beginning is reported
// that has at least what was there before.
func TestFileGrowsWhileRead(t *testing.T) {
	whole, err := os.ReadFile(leak)
	if err != nil {
		t.Fatal(err)
	}
	ends := recordEnds(whole)
	n := len(ends) - 1 // the first ends the header
	const before, after = 40, 20
	name := filepath.Join(t.TempDir(), "in.pcap")
	for range 5 {
		records := whole[24:ends[n]]
		if err := os.WriteFile(name, append(slices.Clone(whole[:24]), bytes.Repeat(records, before)...), 0o600); err != nil {
			t.Fatal(err)
		}
		grown := make(chan error, 1)
		go func() {
			f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
			for b := bytes.Repeat(records, after); err == nil && len(b) > 0; {
				n := min(len(b), 997)
				_, err = f.Write(b[:n])
				b = b[n:]
			}
			f.Close()
			grown <- err
		}()
		var stdout, stderr bytes.Buffer
		code := run([]string{"-o", "json", "--show", "summary", name}, nil, &stdout, &stderr)
		if err := <-grown; err != nil {
			t.Fatal(err)
		}
		var said struct{ Summary struct{ Packets int } }
		if err := json.Unmarshal(stdout.Bytes(), &said); err != nil {
			t.Fatalf("exit status %d: %v: %s", code, err, &stderr)
		}
		if p := said.Summary.Packets; p < before*n || p > (before+after)*n {
			t.Errorf("%d packets, and there were %d, then %d", p, before*n, (before+after)*n)
		}
		switch n := strings.Count(stderr.String(), "\n"); {
		case code == exitOK && n == 0:
		case code == exitDamaged && n == 1:
			if wrong := clearLine(stderr.String()); wrong != "" {
				t.Error(wrong)
			}
		default:
			t.Errorf("exit status %d: %s", code, &stderr)
		}
	}
}

// A file that may not be read is named in one line.
func TestFileMayNotBeRead(t *testing.T) {
	if os.Geteuid() == 0 || runtime.GOOS == "windows" {
		t.Skip("whoever runs this may read all files")
	}
	name := filepath.Join(t.TempDir(), "in.pcap")
	if err := os.WriteFile(name, pcapHeader(0xa1b2c3d4, 65535, 1), 0); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	code := run([]string{name}, nil, &stdout, &stderr)
	if said := stderr.String(); code != exitDamaged || strings.Count(said, "\n") != 1 || !strings.Contains(said, name) || !strings.Contains(said, "permission denied") {
		t.Errorf("exit status %d: %s", code, said)
	}
}

// tampered runs the program so that do is done when all of the file was read once. The report
// that comes with -w is printed then; of the others a second input comes to its end.
func tampered(t *testing.T, args []string, name string, do func(string) error) (code int, said string) {
	t.Helper()
	done := false
	once := func() {
		if done {
			return
		}
		done = true
		if err := do(name); err != nil {
			t.Error(err)
		}
	}
	var stderr bytes.Buffer
	if args[0] == "-w" {
		code = run(args, nil, writerFunc(func(p []byte) (int, error) { once(); return len(p), nil }), &stderr)
	} else {
		empty := bytes.NewReader(pcapHeader(0xa1b2c3d4, 65535, 1))
		stdin := readerFunc(func(p []byte) (int, error) {
			n, err := empty.Read(p)
			if err != nil {
				once()
			}
			return n, err
		})
		code = run(append(args, "-"), stdin, io.Discard, &stderr)
	}
	if !done {
		t.Errorf("tcpstate %v: nothing was done to the file", args)
	}
	return code, stderr.String()
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// Times before 1970 and after 2106, at the ends of what 64 bits hold, and backwards: there is
// a report in every form, and dates are those that were written.
func TestTimesBeyondOurs(t *testing.T) {
	conv := wear(inEthernet, plain())
	for _, x := range []struct {
		name  string
		start int64 // s since 1970
		year  string
	}{
		{"before 1970", -86400 * 365, "1969-"}, {"long before", -9_000_000_000, "1684-"}, {"after 2106", 4_300_000_000, "2106-"},
		{"in 2242", 8_600_000_000, "2242-"}, {"as late as can be told", math.MaxInt64, "2261-"},
	} {
		w := &ngWriter{order: binary.LittleEndian}
		w.section()
		w.iface(1, ngOption{14, w.u64(uint64(x.start))}) // if_tsoffset: s, signed
		for _, f := range conv {
			w.packet(0, uint64((f.at-conv[0].at)/1000), f.data)
		}
		for _, how := range slices.Concat(formats, [][]string{{"at", "end"}, {"at", "+1ms"}, {"explain", "--stream", "0"}, {"check"}, {"-o", "html"}, {"-o", "markdown"}, {"-o", "zeek"}}) {
			out := output(t, exitOK, bytes.NewReader(w.b), append(slices.Clone(how), "-")...)
			if slices.Contains(how, "json") && (!json.Valid(out) || !bytes.Contains(out, []byte(x.year))) {
				t.Errorf("%s: no year %s", x.name, x.year)
			}
		}
	}
	back := slices.Clone(conv)
	for i := range back {
		back[i].at = conv[len(conv)-1-i].at
	}
	var stdout, stderr bytes.Buffer
	if code := run([]string{"-"}, bytes.NewReader(pcapFile(1, back)), &stdout, &stderr); code != exitOK || !strings.Contains(stdout.String(), "Time runs backwards at 10 frames") {
		t.Errorf("exit status %d: %s%s", code, &stdout, &stderr)
	}
}

// Nothing to analyse is no error, and said; but no policy can be made of it.
func TestNothingOfTCP(t *testing.T) {
	udp := packet4(17, []byte{0, 53, 0, 53, 0, 12, 0, 0, 1, 2, 3, 4})
	for _, x := range []struct {
		name string
		file []byte
		says string
	}{{"no packet", pcapHeader(0xa1b2c3d4, 65535, 1), ""}, {"only UDP", framesOf(101, udp, udp), "tcpstate: no TCP segment among the frames (2)\n"}} {
		for _, how := range tellings() {
			if slices.Contains(how, leak) {
				continue
			}
			name := filepath.Join(t.TempDir(), "in.pcap")
			if err := os.WriteFile(name, x.file, 0o600); err != nil {
				t.Fatal(err)
			}
			var stdout, stderr bytes.Buffer
			code := run(append(slices.Clone(how), name), nil, &stdout, &stderr)
			if slices.Contains(how, "--init") { // a policy that asks for nothing would be one
				if said := stderr.String(); code != exitDamaged || stdout.Len() > 0 || strings.Count(said, "\n") != 1 || !strings.Contains(said, "there is nothing to make a policy of: no ") {
					t.Errorf("%s: tcpstate %v: exit status %d: %s%s", x.name, how, code, &stdout, said)
				}
				continue
			}
			if code != exitOK && code != exitFindings || strings.Count(stderr.String(), "\n") > 1 ||
				x.says != "" && strings.Replace(stderr.String(), name+": ", "", 1) != x.says && stderr.Len() > 0 {
				t.Errorf("%s: tcpstate %v: exit status %d: %s", x.name, how, code, &stderr)
			}
		}
	}
}

// What is no file: one line, and the status of input that cannot be read, or of a mistake.
func TestInputsThatAreNoFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("it has no such files")
	}
	dir := t.TempDir()
	loop, dangling := filepath.Join(dir, "loop"), filepath.Join(dir, "dangling")
	for link, to := range map[string]string{loop: loop, dangling: filepath.Join(dir, "nothing")} {
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
	}
	for _, in := range []string{dir, loop, dangling, "/dev/null", "/dev/zero", filepath.Join(dir, "nothing"), filepath.Join(leak, "x")} {
		for _, how := range [][]string{{}, {"explain"}, {"at", "end"}, {"check"}, {"diff", leak}, {"-o", "html"}, {"-w", filepath.Join(dir, "x")}, {"check", "--init"}} {
			var stdout, stderr bytes.Buffer
			code := run(append(slices.Clone(how), in), bytes.NewReader(nil), &stdout, &stderr)
			said, _ := strings.CutSuffix(stderr.String(), "(tcpstate --help shows all flags)\n")
			if code != exitDamaged && code != exitUsage || strings.Count(said, "\n") != 1 || !strings.Contains(said, in) {
				t.Errorf("tcpstate %v %s: exit status %d: %s", how, in, code, said)
			}
			if _, err := os.Lstat(filepath.Join(dir, "x")); err == nil {
				t.Errorf("tcpstate %v %s: a file is left", how, in)
			}
		}
	}
}

// A socket is told of as one, where it would have to be read twice.
func TestSocketsAreNotReadTwice(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("it has no such files")
	}
	t.Chdir(t.TempDir()) // names of sockets are short
	l, err := net.Listen("unix", "socket")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for how, want := range map[string]string{
		"explain socket":               "tcpstate: socket is a socket, and explain reads a capture twice: ",
		"-w x --where id==3 socket":    "; socket is a socket: save what comes from it to one first\n",
		"explain --where id==3 socket": "socket is a socket",
	} {
		var stdout, stderr bytes.Buffer
		if code := run(strings.Fields(how), nil, &stdout, &stderr); code != exitUsage || !strings.Contains(stderr.String(), want) {
			t.Errorf("tcpstate %s: exit status %d: %s", how, code, &stderr)
		}
	}
}
