package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
)

// An interrupt while check reads a pipe: what has come so far is judged, the captures that
// were read have their verdicts, and the exit status says that not all was.
func TestInterruptedCheck(t *testing.T) {
	b, err := os.ReadFile(leak)
	if err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	defer w.Close()
	go func() {
		w.Write(b[:len(b)-7])
		w.Write(b[len(b)-7 : len(b)-6]) // returns once that before was taken
		syscall.Kill(os.Getpid(), syscall.SIGINT)
	}()
	var stdout, stderr bytes.Buffer
	if code := run([]string{"check", "--workers", "1", "../../testdata/pcaps/ordinary.pcap", "-"}, r, &stdout, &stderr); code != exitInterrupted {
		t.Errorf("exit status %d", code)
	}
	for _, want := range []string{"PASS  ../../testdata/pcaps/ordinary.pcap", "ERROR  -: 579 packets", "  error     input               interrupted\n", "  fail      close-wait-buildup\n"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, &stdout)
		}
	}
}

// A reader that stops early does not change the status.
func TestClosedStdoutOfCheck(t *testing.T) {
	for _, format := range []string{"table", "json", "junit", "sarif", "github", "markdown"} {
		var stderr bytes.Buffer
		if code := run([]string{"check", "-o", format, leak}, nil, closedPipe{}, &stderr); code != exitFindings || stderr.Len() > 0 {
			t.Errorf("%s: exit status %d, %s", format, code, &stderr)
		}
	}
}
