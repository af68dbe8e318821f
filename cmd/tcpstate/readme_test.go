package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"tcpstate/capture"
	"tcpstate/report"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

const root = "../.."

func readPage(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What README.md shows is what the program prints, what compiles and what can be
// found. -update puts all of it into the page.
func TestReadmeShowsWhatIs(t *testing.T) {
	page := readPage(t, "README.md")
	example := exampleText(t)
	t.Chdir(root)
	t.Setenv("CLICOLOR_FORCE", "")
	t.Setenv("COLUMNS", "")
	n := 0
	now := regexp.MustCompile("(?s)```(console|go)\n(.*?)```\n").ReplaceAllStringFunc(page, func(block string) string {
		n++
		if strings.HasPrefix(block, "```go\n") {
			return "```go\n" + example + "```\n"
		}
		command, _, _ := strings.Cut(strings.TrimPrefix(block, "```console\n"), "\n")
		words, status := strings.CutSuffix(strings.TrimPrefix(command, "$ tcpstate "), "; echo $?")
		var stdout, stderr bytes.Buffer
		code := run(strings.Fields(words), nil, &stdout, &stderr)
		switch {
		case status:
			fmt.Fprintf(&stdout, "%s%d\n", &stderr, code)
		case code != exitOK || stderr.Len() > 0:
			t.Errorf("%s: exit status %d: %s", command, code, &stderr)
		}
		return "```console\n" + command + "\n" + stdout.String() + "```\n"
	})
	if n < 3 {
		t.Errorf("only %d blocks", n)
	}
	table := regexp.MustCompile(`(?s)(<!-- findings:[^\n]*-->\n).*?(<!-- end of findings -->\n)`)
	if !table.MatchString(now) {
		t.Error("no table of findings")
	}
	now = table.ReplaceAllString(now, "${1}\n"+strings.ReplaceAll(report.CatalogueMarkdown(detect.Catalogue), "$", "$$")+"\n${2}")
	if now == page {
		return
	}
	if *update {
		if err := os.WriteFile("README.md", []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("README.md shows something else; -update mends it:\n%s", firstDifference(now, page))
}

// The commands that set it up are the ones that are tested elsewhere, letter
// for letter.
func TestReadmeSetUp(t *testing.T) {
	page := readPage(t, "README.md")
	for _, command := range []string{
		"CGO_ENABLED=0 go run ./cmd/tcpstate testdata/pcaps/close-wait-leak.pcap",
		".ci/with-deps go test ./...",
	} {
		if !strings.Contains(page, "\n    "+command+"\n") {
			t.Errorf("README.md lacks the command %q", command)
		}
	}
	if !strings.Contains(readPage(t, ".ci/run"), "\n.ci/with-deps go test ./...\n") {
		t.Error(".ci/run does not run the README's test command")
	}
}

// The pages name no flag and no file that does not exist.
func TestPagesNameWhatIs(t *testing.T) {
	known := map[string]bool{}
	define(&flags{}, &raw{}).VisitAll(func(f *pflag.Flag) { known["--"+f.Name] = true })
	for _, f := range regexp.MustCompile(`--[a-z][a-z-]+`).FindAllString(readPage(t, "README.md"), -1) {
		if !known[f] {
			t.Errorf("README.md names the flag %s", f)
		}
	}
	path := regexp.MustCompile("[`( ]((?:capture|tracker|report|cmd|testdata|reassembly|\\.ci)(?:/[A-Za-z0-9_.-]+)+|[a-z_]+_test\\.go)")
	for _, name := range []string{"README.md", "CONTRIBUTING.md"} {
		for _, m := range path.FindAllStringSubmatch(readPage(t, name), -1) {
			f := strings.TrimRight(m[1], ".")
			if _, err := os.Stat(filepath.Join(root, f)); err == nil {
				continue
			}
			if some, _ := filepath.Glob(filepath.Join(root, "*", f)); len(some) > 0 {
				continue // named within its package: testdata/script
			}
			if some, _ := filepath.Glob(filepath.Join(root, "cmd", "*", f)); len(some) == 0 {
				t.Errorf("%s names %s", name, f)
			}
		}
	}
}

// Each capture has its line, and a recipe or a record if the line says so.
func TestCapturesAreDescribed(t *testing.T) {
	lines := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| .* \\| ([^|]+) \\|$").FindAllStringSubmatch(readPage(t, "testdata/pcaps/README.md"), -1) {
		if lines[m[1]] != "" {
			t.Errorf("%s is described twice", m[1])
		}
		lines[m[1]] = m[2]
	}
	made := map[string]bool{}
	for _, r := range recipes {
		made[r.file] = true
	}
	for _, file := range captureFiles(t) {
		name := filepath.Base(file)
		from := lines[name]
		delete(lines, name)
		_, err := os.Stat(strings.TrimSuffix(file, ".pcap") + ".truth.jsonl")
		switch {
		case from == "":
			t.Errorf("%s is not described", name)
		case made[name] != (from == "made"):
			t.Errorf("%s is from %q, which its recipe, or the lack of one, contradicts", name, from)
		case strings.HasPrefix(from, "kernel, ") != (err == nil):
			t.Errorf("%s is from %q, which its record, or the lack of one, contradicts", name, from)
		}
		if fi, err := os.Stat(file); err != nil || fi.Size() > 500_000 {
			t.Errorf("%s: %v, or larger than 500 kB", name, err)
		}
	}
	for name := range lines {
		t.Errorf("%s is described and does not exist", name)
	}
}

// exampleText is the body of Example_library as it stands in this file.
func exampleText(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("readme_test.go")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?s)\nfunc Example_library\(\) \{\n(.*?)\n\t// Output:`).FindSubmatch(b)
	if m == nil {
		t.Fatal("no Example_library")
	}
	text := strings.ReplaceAll("\n"+string(m[1]), "\n\t", "\n")[1:] + "\n"
	return strings.ReplaceAll(text, root+"/", "")
}

func Example_library() {
	src, err := capture.Open(capture.Options{Paths: []string{"../../testdata/pcaps/client-closes-first.pcap"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer src.Close()
	t := tracker.New(tracker.DefaultConfig(), tracker.Observer{
		Life: func(l *tracker.Life) {
			fmt.Println(l.ID, l.Close, l.ClosedBy, l.Ends[0].State, l.Ends[1].State)
		},
	})
	for b := new(capture.Batch); src.Next(b) == nil; {
		t.Process(b)
	}
	t.Finish()
	// Output: 0 graceful client TIME-WAIT CLOSED
}
