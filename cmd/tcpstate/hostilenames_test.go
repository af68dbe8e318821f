package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// Text from outside: names of files, and what a pcapng file says of itself.

// evil has what terminals, tables, pages and files of other formats take for more than text.
const evil = "e\x1b[31m\nv\r\x9b1m\x07\x00|`<b>&\"'\xff\xfe\u202e\u2066\u009bZ]]>%0A::error::\u2028"

// evilName is the same as far as a file can be called so.
var evilName = strings.NewReplacer("/", "", "\x00", "").Replace(evil)

// evilCapture is a leak whose sections, interfaces, and packets are called evil names.
func evilCapture(t testing.TB) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("such a file name cannot be")
	}
	b, err := os.ReadFile(leak)
	if err != nil {
		t.Fatal(err)
	}
	w := &ngWriter{order: binary.LittleEndian}
	body := w.u32s(0x1a2b3c4d)
	body = append(body, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
	o := func(codes ...uint16) (l []ngOption) {
		for _, c := range codes {
			l = append(l, ngOption{c, []byte(evil)})
		}
		return l
	}
	w.block(0x0a0d0d0a, append(body, w.options(o(1, 2, 3, 4))...))
	w.iface(1, o(1, 2, 3, 12, 15)...)
	w.stats(0, 0, append(o(1), ngOption{5, w.u64(7)})...)
	nanos := le.Uint32(b) == 0xa1b23c4d
	for at := 24; at < len(b); {
		sec, sub, n := le.Uint32(b[at:]), le.Uint32(b[at+4:]), int(le.Uint32(b[at+8:]))
		if nanos {
			sub /= 1000
		}
		w.packet(0, uint64(sec)*1e6+uint64(sub), b[at+16:at+16+n], o(1)...)
		at += 16 + n
	}
	name := filepath.Join(t.TempDir(), evilName)
	if err := os.WriteFile(name, w.b, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// unfit says what of an output a terminal would not take as text. Tabs are what separates
// columns in a log of Zeek's.
func unfit(s string) string {
	if !utf8.ValidString(s) {
		return "it is no UTF-8"
	}
	for _, r := range s {
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)) {
			return "it has " + strconv.QuoteRuneToASCII(r)
		}
	}
	return ""
}

// tellings are all commands with all formats; the capture's name goes at the end.
func tellings() (all [][]string) {
	for _, f := range []string{"table", "json", "ndjson", "csv", "zeek", "html", "markdown"} {
		all = append(all, []string{"-o", f})
	}
	all = append(all, formats...)
	for _, f := range ladderForms {
		all = append(all, []string{"explain", "-o", f})
	}
	all = append(all, []string{"explain", "--plain"}, []string{"explain", "--full"}, []string{"-v"}, []string{"check", "--init"})
	for _, s := range []string{"ss", "netstat", "table"} {
		all = append(all, []string{"at", "end", "--style", s})
	}
	for _, f := range []string{"json", "csv"} {
		all = append(all, []string{"at", "end", "-o", f})
	}
	for _, f := range []string{"table", "json", "junit", "sarif", "github", "markdown"} {
		all = append(all, []string{"check", "-o", f}, []string{"diff", "-o", f, leak}, []string{"check", "-v", "--fail-on", "note", "-o", f})
	}
	return all
}

// No control character of a name or a comment comes out of any command in any format, what
// is said on standard error is one line for each thing, and what programs read is valid.
func TestNoTextFromOutsideControls(t *testing.T) {
	name := evilCapture(t)
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	short := filepath.Join(filepath.Dir(name), "cut"+evilName)
	if err := os.WriteFile(short, whole[:len(whole)-5], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, how := range tellings() {
		for _, file := range []string{name, short, name + " is missing"} {
			args := append(slices.Clone(how), file)
			var stdout, stderr bytes.Buffer
			code := run(args, nil, &stdout, &stderr)
			what := "tcpstate " + strings.Join(how, " ") + " of " + strings.TrimPrefix(file, filepath.Dir(file)+"/")
			if code != exitOK && code != exitFindings && code != exitDamaged {
				t.Fatalf("%q: exit status %d: %s", what, code, &stderr)
			}
			out := stdout.String()
			if slices.Contains(how, "zeek") {
				out = strings.ReplaceAll(out, "\t", " ")
			}
			if wrong := unfit(out); wrong != "" {
				t.Errorf("%q: %s", what, wrong)
			}
			if wrong := unfit(stderr.String()); wrong != "" {
				t.Errorf("%q: standard error: %s", what, wrong)
			}
			for line := range strings.Lines(stderr.String()) {
				if !strings.HasPrefix(line, "tcpstate: ") {
					t.Errorf("%q: a line of its own on standard error: %q", what, line)
				}
			}
			if file == short && code != exitDamaged || code == exitDamaged && stderr.Len() == 0 {
				t.Errorf("%q: exit status %d, standard error: %s", what, code, &stderr)
			}
			switch {
			case stdout.Len() == 0:
			case slices.Contains(how, "json"), slices.Contains(how, "sarif"):
				if !json.Valid(stdout.Bytes()) {
					t.Errorf("%q is no JSON", what)
				}
			case slices.Contains(how, "ndjson"):
				for line := range bytes.Lines(stdout.Bytes()) {
					if !json.Valid(line) {
						t.Errorf("%q: no JSON: %s", what, line)
					}
				}
			case slices.Contains(how, "junit"):
				d := xml.NewDecoder(&stdout) // refuses what XML 1.0 does not have
				for err == nil {
					_, err = d.Token()
				}
				if !errors.Is(err, io.EOF) {
					t.Errorf("%q is no XML: %v", what, err)
				}
				err = nil
			case slices.Contains(how, "github"):
				for line := range strings.Lines(out) {
					if strings.HasPrefix(line, "::error::") {
						t.Errorf("%q: a name is a command of the runner", what)
					}
				}
			}
		}
	}
}

// Colour is the only thing for a terminal, and only where it is wanted.
func TestOnlyColourControls(t *testing.T) {
	name := evilCapture(t)
	for _, how := range [][]string{{}, {"explain"}, {"at", "end"}, {"check"}, {"diff", leak}} {
		var stdout, stderr bytes.Buffer
		run(append(slices.Clone(how), "--color", "always", name), nil, &stdout, &stderr)
		rest, colours := withoutColour(stdout.String())
		if wrong := unfit(rest); wrong != "" || strings.Contains(rest, "[31m") && !strings.Contains(rest, `\x1b[31m`) {
			t.Errorf("%v: %s", how, wrong)
		}
		if colours == 0 && len(how) == 0 {
			t.Error("nothing is coloured")
		}
	}
}

// withoutColour takes out SGR sequences (ECMA-48 section 8.3.117).
func withoutColour(s string) (rest string, n int) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if strings.HasPrefix(s[i:], "\x1b[") {
			if end := strings.IndexFunc(s[i+2:], func(r rune) bool { return r != ';' && (r < '0' || r > '9') }); end >= 0 && s[i+2+end] == 'm' {
				i, n = i+2+end, n+1
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String(), n
}

// A line break in the name of a file makes no second line on standard error, wherever the
// name was given.
func TestOneLineForAName(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("such a file name cannot be")
	}
	gone := filepath.Join(t.TempDir(), "no\nsuch", "thing")
	for _, args := range [][]string{
		{gone}, {"-r", gone}, {"explain", gone}, {"at", "end", gone}, {"check", gone}, {"check", leak, gone}, {"diff", leak, gone}, {"diff", gone, leak},
		{"-o", "json=" + gone, leak}, {"-o=json=" + gone, leak}, {"-w", gone, leak}, {"-w", gone, "--stream", "0", leak},
		{"explain", "-o", "html=" + gone, leak}, {"at", "end", "-o", "csv=" + gone, leak}, {"check", "-o", "junit=" + gone, leak},
		{"check", "--init", "--policy", gone, leak}, {"check", "--policy=" + gone, leak}, {"check", "--baseline", gone, leak},
		{"check", "--baseline", gone, "--update-baseline", leak}, {"-F", gone, leak}, {leak, gone},
	} {
		var stdout, stderr bytes.Buffer
		code := run(args, nil, &stdout, &stderr)
		said, _ := strings.CutSuffix(stderr.String(), "\n(tcpstate --help shows all flags)\n")
		said = strings.TrimSuffix(said, "\n")
		if code != exitUsage && code != exitDamaged || strings.Contains(said, "\n") || !strings.Contains(said, `no\x0asuch`) {
			t.Errorf("%q: exit status %d, %q", args, code, said)
		}
	}
}

// A name may be as long as the file system lets it, and what is too long is told of.
func TestLongNames(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{strings.Repeat("n", 255), strings.Repeat("ü", 127), strings.Repeat("😀", 63)} {
		for _, args := range [][]string{{"-w", filepath.Join(dir, name)}, {"-o", "json=" + filepath.Join(dir, name)}} {
			var stdout, stderr bytes.Buffer
			if code := run(append(args, leak), nil, &stdout, &stderr); code != exitOK {
				t.Errorf("exit status %d: %s", code, &stderr)
			}
		}
	}
	for _, args := range [][]string{{strings.Repeat("n", 4096)}, {"-o", "json=" + strings.Repeat("n", 4096), leak}, {"-w", filepath.Join(dir, strings.Repeat("n", 256)), leak}} {
		var stdout, stderr bytes.Buffer
		if code := run(args, nil, &stdout, &stderr); code != exitUsage && code != exitDamaged || !strings.HasSuffix(stderr.String(), ": file name too long\n") {
			t.Errorf("exit status %d: %s", code, &stderr)
		}
	}
	if l, err := os.ReadDir(dir); err != nil || len(l) != 3 {
		t.Errorf("%v: %v", l, err)
	}
}

// What is read whole has an end: a device in place of a policy does not fill the memory.
func TestEndlessSettings(t *testing.T) {
	if _, err := os.Stat("/dev/zero"); err != nil {
		t.Skip(err)
	}
	for _, args := range [][]string{{"check", "--policy", "/dev/zero"}, {"check", "--baseline", "/dev/zero"}, {"check", "--baseline", "/dev/zero", "--update-baseline"}, {"-F", "/dev/zero"}} {
		var stdout, stderr bytes.Buffer
		if code := run(append(args, leak), nil, &stdout, &stderr); code != exitUsage || !strings.Contains(stderr.String(), "/dev/zero: longer than 64 MiB\n") {
			t.Errorf("%v: exit status %d: %s", args, code, &stderr)
		}
	}
}
