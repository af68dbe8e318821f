package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tcpstate/report"
	"tcpstate/tracker"
)

// An interrupt of the first reading draws what has come so far, and says that it is not all.
func TestExplainInterrupted(t *testing.T) {
	r := interruptedPipe(t, leak)
	var stdout, stderr bytes.Buffer
	if code := run([]string{"explain", "--stream", "0", "-q", "-"}, r, &stdout, &stderr); code != exitInterrupted || stderr.Len() > 0 {
		t.Errorf("exit status %d: %s", code, &stderr)
	}
	for _, want := range []string{"stream 0   10.99.0.1:40920", "  542  3.316225  CLOSED", "\nInterrupted: what comes after frame 580 was not read.\n"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("nothing of %q in\n%s", want, &stdout)
		}
	}
}

// One of the second reading draws what that has come to: here it reads from a pipe that has
// a part of the capture and does not end.
func TestExplainInterruptedAgain(t *testing.T) {
	b, err := os.ReadFile(leak)
	if err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Skip(err)
	}
	var stdout bytes.Buffer
	c, f, _ := livesOf(t, &stdout, leak)
	intr := &interrupts{c: make(chan struct{}, 1), ended: make(chan struct{})}
	src, err := c.openSource(f, intr, nil)
	if err != nil {
		t.Fatal(err)
	}
	f.paths = []string{fifo}
	second := &interrupts{ended: make(chan struct{})}
	go func() {
		w, err := os.OpenFile(fifo, os.O_WRONLY, 0)
		if err != nil {
			t.Error(err)
			return
		}
		w.Write(b[:len(b)/2])
		time.Sleep(200 * time.Millisecond)
		close(second.ended)
		t.Cleanup(func() { w.Close() })
	}()
	end, sheet, err := c.ladders(f, src, intr, &twice{c: c, f: f, intr: second})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.writeLadders(f, sheet, make([]*outputFile, 1)); err != nil {
		t.Fatal(err)
	}
	if !end.interrupted || !strings.Contains(stdout.String(), "\nInterrupted") {
		t.Errorf("interrupted: %v, it says\n%s", end.interrupted, &stdout)
	}
}

// livesOf are the connections of a capture, and what explain needs for it.
func livesOf(t *testing.T, stdout io.Writer, file string) (c *cli, f *flags, lives []*tracker.Life) {
	t.Helper()
	c = &cli{stdout: stdout, stderr: io.Discard, env: func(string) string { return "" }}
	f, err := parseFlags([]string{"explain", "-q", "--stream", "0,1", file})
	if err != nil {
		t.Fatal(err)
	}
	tr := tracker.New(tracker.DefaultConfig(), tracker.Observer{Life: func(l *tracker.Life) { x := *l; lives = append(lives, &x) }})
	eachBatch(t, file, tr.Process)
	tr.Finish()
	return c, f, lives
}

// A capture that is another one when it is read again draws nothing wrong, and is told of;
// one that has only grown is none.
func TestExplainWhereTheCaptureChanges(t *testing.T) {
	whole, err := os.ReadFile(leak)
	if err != nil {
		t.Fatal(err)
	}
	const head, frames = 24, 580
	other, err := os.ReadFile(filepath.Join(pcaps, "zero-window.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct {
		second []byte
		frames uint64
		want   string
	}{
		"the same":       {whole, frames, ""},
		"grown":          {append(bytes.Clone(whole), whole[head:]...), frames, ""},
		"cut":            {whole[:len(whole)-10], frames, "the capture changed while it was read: 580 packets, and then 579"},
		"another":        {other, 149, "the capture changed while it was read: connection 0 was in it, and then was not"},
		"no capture now": {[]byte("GET / HTTP/1.1\r\nHost: example.net\r\n\r\n"), frames, "reading again: "},
	} {
		file := filepath.Join(t.TempDir(), "now.pcap")
		if err := os.WriteFile(file, x.second, 0o666); err != nil {
			t.Fatal(err)
		}
		c, f, lives := livesOf(t, io.Discard, leak)
		f.paths = []string{file}
		again := &twice{c: c, f: f, intr: &interrupts{ended: make(chan struct{})}, frames: x.frames}
		drawn, err := again.draw(lives, report.DrawOptions{Full: true})
		switch {
		case x.want == "" && (err != nil || len(drawn) != len(lives)):
			t.Errorf("%s: %d of %d drawn, %v", name, len(drawn), len(lives), err)
		case x.want != "":
			var s statusError
			if !errors.As(err, &s) || s.code != exitDamaged || !strings.Contains(err.Error(), x.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, l := range drawn {
			for _, r := range l.Rows {
				if r.Segment.Frame > x.frames {
					t.Errorf("%s: a row of frame %d", name, r.Segment.Frame)
				}
			}
		}
	}
}
