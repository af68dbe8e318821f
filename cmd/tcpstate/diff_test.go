package main

import (
	"bytes"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"tcpstate/report/compare"
)

// What is read only once is compared like a file, a report and a capture.
func TestDiffReadsNamedPipes(t *testing.T) {
	var report, stderr bytes.Buffer
	if code := run([]string{"-o", "json", leak}, nil, &report, &stderr); code != exitOK {
		t.Fatalf("exit status %d: %s", code, &stderr)
	}
	capture, err := os.ReadFile(leak)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var fifos []string
	for i, text := range [][]byte{report.Bytes(), capture} {
		fifo := filepath.Join(dir, string(rune('a'+i)))
		if err := syscall.Mkfifo(fifo, 0o600); err != nil {
			t.Skip(err)
		}
		fifos = append(fifos, fifo)
		go func() {
			if f, err := os.OpenFile(fifo, os.O_WRONLY, 0); err == nil {
				f.Write(text)
				f.Close()
			}
		}()
	}
	var stdout bytes.Buffer
	code := run(append([]string{"diff", "--fail-on", "note"}, fifos...), nil, &stdout, &stderr)
	if code != exitOK || !strings.HasSuffix(stdout.String(), "\nFindings: no difference\n\nNo number differs.\n") {
		t.Errorf("exit status %d: %s\n%s", code, &stderr, &stdout)
	}
}

// What damages a pipe is told under the pipe's name.
func TestDiffNamesDamagedPipes(t *testing.T) {
	capture, err := os.ReadFile(leak)
	if err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Skip(err)
	}
	go func() {
		if f, err := os.OpenFile(fifo, os.O_WRONLY, 0); err == nil {
			f.Write(capture[:len(capture)-7])
			f.Close()
		}
	}()
	var stdout, stderr bytes.Buffer
	if code := run([]string{"diff", leak, fifo}, nil, &stdout, &stderr); code != exitDamaged || !strings.HasPrefix(stderr.String(), "tcpstate: "+fifo+": cut short") {
		t.Errorf("exit status %d: %s", code, &stderr)
	}
}

// An interrupt while one side comes through a pipe compares what has come, and says so.
func TestDiffInterrupted(t *testing.T) {
	r := interruptedPipe(t, leak)
	var stdout, stderr bytes.Buffer
	// With bounded memory one side is read after the other: OLD is whole by then.
	code := run([]string{"diff", "--max-memory", "1GiB", leak, "-"}, r, &stdout, &stderr)
	if code != exitInterrupted || !strings.Contains(stdout.String(), "\nwarning: NEW was not read to its end\n") || !strings.Contains(stdout.String(), "\nFindings: no difference\n") {
		t.Errorf("exit status %d: %s\n%s", code, &stderr, &stdout)
	}
}

// Nothing is compared where an interrupt comes before the first octet.
func TestDiffInterruptedBeforeItBegins(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	begun := make(chan struct{})
	var once bool
	in := readerFunc(func(p []byte) (int, error) {
		if !once {
			once = true
			close(begun)
		}
		return r.Read(p)
	})
	go func() {
		<-begun
		syscall.Kill(os.Getpid(), syscall.SIGINT)
	}()
	var stdout, stderr bytes.Buffer
	if code := run([]string{"diff", leak, "-"}, in, &stdout, &stderr); code != exitInterrupted || stdout.Len() > 0 {
		t.Errorf("exit status %d: %s\n%s", code, &stderr, &stdout)
	}
}

// A reader of the output that has seen enough changes nothing about what fails.
func TestDiffClosedStdout(t *testing.T) {
	for _, format := range []string{"table", "json", "junit", "sarif", "github", "markdown"} {
		var stderr bytes.Buffer
		args := []string{"diff", "-o", format, "--fail-on", "error", "../../testdata/pcaps/refused.pcap", leak}
		if code := run(args, nil, closedPipe{}, &stderr); code != exitFindings || stderr.String() != "tcpstate: --fail-on error: 1 error appeared or grew\n" {
			t.Errorf("%s: exit status %d: %s", format, code, &stderr)
		}
		stderr.Reset()
		if code := run(args, nil, fullDisk{}, &stderr); code != exitUsage || !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("%s: exit status %d: %s", format, code, &stderr)
		}
	}
}

// Each capture of testdata, compared with the next one, is told as the schema says, and
// with itself as no difference.
func TestDiffOfAllCaptures(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(compare.SchemaJSON))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("mem:///diff.json", doc); err != nil {
		t.Fatal(err)
	}
	schema := c.MustCompile("mem:///diff.json")
	files := captureFiles(t)
	for i, f := range files {
		var stdout, stderr bytes.Buffer
		run([]string{"diff", "-o", "json", f, files[(i+1)%len(files)]}, nil, &stdout, &stderr)
		v, err := jsonschema.UnmarshalJSON(&stdout)
		if err == nil {
			err = schema.Validate(v)
		}
		if err != nil {
			t.Errorf("%s: %v %s", f, err, &stderr)
		}
		stdout.Reset()
		if code := run([]string{"diff", "--fail-on", "note", f, f}, nil, &stdout, &stderr); code == exitFindings || !strings.HasSuffix(stdout.String(), "\nFindings: no difference\n\nNo number differs.\n") {
			t.Errorf("%s: exit status %d\n%s", f, code, &stdout)
		}
	}
}

// Whatever the files are called, SARIF is valid, JUnit is XML, a command of GitHub's runner
// is what this program makes of it, and no terminal is told what to do.
func TestDiffOfHostileNames(t *testing.T) {
	const evil = "\x1b[31m\u202e%0A::error::<b>|.pcap"
	dir := t.TempDir()
	var files []string
	for i, from := range []string{"../../testdata/pcaps/refused.pcap", leak} {
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, string(rune('a'+i))+evil)
		if err := os.WriteFile(name, b[:len(b)-3], 0o666); err != nil {
			t.Skip(err)
		}
		files = append(files, name)
	}
	tell := func(format string) string {
		var stdout, stderr bytes.Buffer
		args := append([]string{"diff", "-o", format, "--fail-on", "error"}, files...)
		if code := run(args, nil, &stdout, &stderr); code != exitDamaged {
			t.Errorf("%s: exit status %d: %s", format, code, &stderr)
		}
		for _, text := range []string{stdout.String(), stderr.String()} {
			if strings.ContainsAny(text, "\x1b\u202e") {
				t.Errorf("%s passes the name on:\n%s", format, text)
			}
		}
		return stdout.String()
	}
	log, err := sarif.FromString(tell("sarif"))
	if err == nil {
		err = log.Validate()
	}
	if err != nil {
		t.Error(err)
	} else if len(log.Runs[0].Results) == 0 {
		t.Error("SARIF has no result")
	}
	d := xml.NewDecoder(strings.NewReader(tell("junit")))
	for err = nil; err == nil; {
		_, err = d.Token()
	}
	if err != io.EOF {
		t.Error(err)
	}
	for line := range strings.Lines(tell("github")) {
		if command, _, _ := strings.Cut(strings.TrimPrefix(line, "::"), "::"); strings.HasPrefix(line, "::") && strings.Contains(command, "%0A::") {
			t.Errorf("the name is not escaped: %s", line)
		}
	}
	if md := tell("markdown"); strings.Contains(md, "<b>") {
		t.Errorf("Markdown takes the name for markup:\n%s", md)
	}
	tell("table")
	tell("json")
}
