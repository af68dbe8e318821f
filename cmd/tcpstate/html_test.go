package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/gopacket/layers"

	"tcpstate/report/detect"
)

// htmlPage runs the program with -o html on standard output.
func htmlPage(t testing.TB, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(append([]string{"-o", "html"}, args...), nil, &stdout, &stderr); code != 0 || stderr.Len() > 0 {
		t.Fatalf("%v: exit status %d, %s", args, code, &stderr)
	}
	return stdout.String()
}

// crowd is a capture with far more findings than a page has room for: servers that refuse,
// each one of its own, and long connections whose segments all have something to them.
var crowd = sync.OnceValue(func() []byte {
	var talks [][]crafted
	for i := range 2500 {
		at := float64(i)
		talks = append(talks, talk(fmt.Sprintf("10.1.%d.%d:40000", i>>8, i&255), fmt.Sprintf("10.2.%d.%d:80", i>>8, i&255), [2]uint32{1, 1},
			fmt.Sprintf("%g > S 0\n%g < RA 0 1", at, at+0.1)))
	}
	for i := range 60 {
		var b strings.Builder
		at := float64(20 * i)
		fmt.Fprintf(&b, "%g > S 0\n%g < SA 0 1\n%g > A 1 1\n", at, at+0.1, at+0.2)
		seq := 1
		for n := range 80 {
			x := at + 1 + float64(n)*3
			fmt.Fprintf(&b, "%g > PA %d 1 len=100\n%g > PA %d 1 len=100\n%g < A 1 %d\n", x, seq, x+1, seq, x+1.1, seq+100)
			seq += 100
		}
		fmt.Fprintf(&b, "%g > RA %d 1\n", at+2000, seq)
		talks = append(talks, talk(fmt.Sprintf("10.3.0.%d:40000", i), fmt.Sprintf("10.4.0.%d:443", i), [2]uint32{5000, 9000}, b.String()))
	}
	return pcapFile(layers.LinkTypeEthernet, wear(inEthernet, merge(talks...)))
})

func crowded(t testing.TB) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "crowd.pcap")
	if err := os.WriteFile(name, crowd(), 0o666); err != nil {
		t.Fatal(err)
	}
	return name
}

// However much there is to tell, the page stays small, and says what is not on it and how to
// see it. It is the same for any number of workers.
func TestPageStaysSmall(t *testing.T) {
	name := crowded(t)
	page := htmlPage(t, "--workers", "1", name)
	if n := len(page); n > 5_000_000 || n < 500_000 {
		t.Errorf("%d octets", n)
	}
	for _, want := range []string{
		`Of 2,\d+ findings, \d+ are shown\. Left out: .*refused 2,\d+.* tcpstate -o ndjson --show findings FILE lists all\.`,
		`Of 2,560 services, the 50 with the most connections are shown`,
		`The table has \d,\d+ of 2,560 connections, those with findings first: tcpstate -o csv FILE lists all\.`,
		`have no ladder here: tcpstate explain --stream N FILE draws the ladder of connection N\.`,
		`… \d+ rows left out`,
	} {
		if !regexp.MustCompile(want).MatchString(page) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if n := len(regexp.MustCompile(`id="ladder-\d+"`).FindAllString(page, -1)); n < 50 || n > 200 {
		t.Errorf("%d ladders", n)
	}
	if other := htmlPage(t, "--workers", "3", name); other != page {
		t.Error("with three workers the page is another")
	}
}

// Each connection that is evidence of a finding has its ladder, in which the frames that
// prove it are marked.
func TestPageHasTheEvidence(t *testing.T) {
	all, err := filepath.Glob("../../testdata/pcaps/*.pcap*")
	if err != nil {
		t.Fatal(err)
	}
	proven := 0
	for _, name := range all {
		if strings.Contains(name, "hostile") {
			continue
		}
		var stdout, stderr bytes.Buffer
		run([]string{"-o", "ndjson", "--show", "findings", name}, nil, &stdout, &stderr)
		stderr.Reset()
		var page bytes.Buffer
		run([]string{"-o", "html", name}, nil, &page, &stderr)
		for _, f := range findingsIn(t, stdout.Bytes()) {
			for _, c := range f.Evidence.Connections {
				proven++
				id := fmt.Sprint(c.ID)
				if c.Incarnation > 0 {
					id += fmt.Sprintf(".%d", c.Incarnation)
				}
				if want := `href="#ladder-` + id + `"`; !strings.Contains(page.String(), want) {
					t.Errorf("%s: %s has no ladder of connection %s", filepath.Base(name), f.ID, id)
				}
				// The first frames may be those of the stream before.
				frame := c.Frames[len(c.Frames)-1].Frame
				if want := fmt.Sprintf(`id="ladder-%s-%d"`, id, frame); !strings.Contains(page.String(), want) {
					t.Errorf("%s: %s: frame %d is not in the ladder of connection %s", filepath.Base(name), f.ID, frame, id)
				}
			}
		}
	}
	if proven < 80 {
		t.Errorf("only %d connections are evidence", proven)
	}
}

// findingsIn reads the findings of an NDJSON report.
func findingsIn(t *testing.T, ndjson []byte) (all []detect.Finding) {
	t.Helper()
	for line := range bytes.Lines(ndjson) {
		var f struct {
			Type     string          `json:"type"`
			ID       string          `json:"id"`
			Evidence detect.Evidence `json:"evidence"`
		}
		if err := json.Unmarshal(line, &f); err != nil {
			t.Fatal(err)
		}
		if f.Type == "finding" {
			all = append(all, detect.Finding{ID: f.ID, Evidence: f.Evidence})
		}
	}
	return all
}

// hostilePage is the page of a capture whose name, link and selection are full of markup, and
// the name of the file.
func hostilePage(t testing.TB) (page, name string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("such a file name cannot be")
	}
	b, err := os.ReadFile(leak)
	if err != nil {
		t.Fatal(err)
	}
	name = filepath.Join(t.TempDir(), `"><img src=x onerror=alert(1)>'{{.}}`+"\x1b[31m\u202e"+`<svg onload=alert(2)>-->`)
	if err := os.WriteFile(name, b, 0o666); err != nil {
		t.Fatal(err)
	}
	return htmlPage(t, "--where", `client.addr != "</script><script>alert(3)</script>"`, name), name
}

// No text from outside is markup, nor a control character.
func TestHostilePage(t *testing.T) {
	page, _ := hostilePage(t)
	for _, bad := range []string{"<img", "<svg onload", "<script>alert", "\x1b", "\u202e"} {
		if strings.Contains(page, bad) {
			t.Errorf("%q is on the page", bad)
		}
	}
	for _, want := range []string{"&lt;img src=x onerror=alert(1)&gt;", "&lt;script&gt;alert(3)"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
}

// Names that a pcapng file gives its interfaces, and comments, stay out, or are plain.
func TestHostileInterfaceNames(t *testing.T) {
	w := ngWriter{order: binary.LittleEndian}
	w.section()
	w.iface(1, ngOption{2, []byte("<script>alert(1)</script>")}, ngOption{3, []byte("<img src=x onerror=alert(1)>")})
	for i, f := range wear(inEthernet, talk("10.0.0.1:40000", "10.0.0.2:80", [2]uint32{1, 1}, "0 > S 0\n1 < RA 0 1")) {
		w.packet(0, uint64(f.at/1000), f.data, ngOption{1, []byte(fmt.Sprintf("<b>%d</b>", i))})
	}
	name := filepath.Join(t.TempDir(), "a.pcapng")
	if err := os.WriteFile(name, w.b, 0o666); err != nil {
		t.Fatal(err)
	}
	page := htmlPage(t, name)
	for _, bad := range []string{"<script>alert", "<img", "<b>0"} {
		if strings.Contains(page, bad) {
			t.Errorf("%q is on the page", bad)
		}
	}
	if !strings.Contains(page, `id="ladder-0"`) {
		t.Error("the ladder is missing")
	}
}

// A page that cannot be written ends as any other output.
func TestPageOnFullDisk(t *testing.T) {
	var stderr bytes.Buffer
	if code := run([]string{"-o", "html", leak}, nil, fullDisk{}, &stderr); code != exitUsage || !strings.Contains(stderr.String(), "no space left on device") {
		t.Errorf("exit status %d, %s", code, &stderr)
	}
	stderr.Reset()
	if code := run([]string{"-o", "html", leak}, nil, closedPipe{}, &stderr); code != 0 || stderr.Len() > 0 {
		t.Errorf("exit status %d, %s", code, &stderr)
	}
	dir := tinyDisk(t)
	stderr.Reset()
	if code := run([]string{"-o", "html=" + filepath.Join(dir, "page.html"), crowded(t)}, nil, nil, &stderr); code != exitUsage || !strings.Contains(stderr.String(), "no space left on device") {
		t.Errorf("exit status %d, %s", code, &stderr)
	}
	if l, err := os.ReadDir(dir); err != nil || len(l) > 0 {
		t.Errorf("%v is left: %v", l, err)
	}
}

// What chooses, and how times are shown, is on the page.
func TestPageOfASelection(t *testing.T) {
	page := htmlPage(t, "--stream", "3,5", "--time", "relative", leak)
	for _, want := range []string{"--stream 3,5", "seconds since the first packet", `id="connection-3"`, `id="connection-5"`} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	if strings.Contains(page, `id="connection-4"`) {
		t.Error("connection 4 is on the page")
	}
	ids := regexp.MustCompile(`id="connection-\d+"`).FindAllString(page, -1)
	if slices.Sort(ids); len(slices.Compact(ids)) != 2 {
		t.Errorf("%v", ids)
	}
}
