package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tcpstate/capture"
)

const leak = "../../testdata/pcaps/close-wait-leak.pcap"

// An interrupt while a pipe is read prints what has come so far, though the
// other side has not closed it.
func TestInterruptedPipe(t *testing.T) {
	b, err := os.ReadFile(leak)
	if err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	defer w.Close()
	go func() {
		w.Write(b[:len(b)-7]) // the last record stays incomplete
		time.Sleep(200 * time.Millisecond)
		syscall.Kill(os.Getpid(), syscall.SIGINT)
	}()
	var stdout, stderr bytes.Buffer
	if code := run([]string{"-o", "ndjson", "-r", "-"}, r, &stdout, &stderr); code != exitInterrupted {
		t.Errorf("exit status %d", code)
	}
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	if last := lines[len(lines)-1]; !strings.Contains(last, `"packets":579,`) {
		t.Errorf("the last line is %s", last)
	}
	if stderr.Len() > 0 {
		t.Errorf("standard error: %s", &stderr)
	}
}

// An interrupt ends the program though a named pipe that nobody writes to
// keeps it from opening its input.
func TestInterruptedOpen(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Skip(err)
	}
	go func() {
		time.Sleep(200 * time.Millisecond)
		syscall.Kill(os.Getpid(), syscall.SIGINT)
	}()
	var stdout, stderr bytes.Buffer
	if code := run([]string{fifo}, nil, &stdout, &stderr); code != exitInterrupted || stdout.Len()+stderr.Len() > 0 {
		t.Errorf("exit status %d, %q, %q", code, &stdout, &stderr)
	}
}

// A reader that has seen enough is no error.
func TestClosedStdout(t *testing.T) {
	var stderr bytes.Buffer
	if code := run([]string{"-o", "ndjson", leak}, nil, closedPipe{}, &stderr); code != exitOK || stderr.Len() > 0 {
		t.Errorf("exit status %d, standard error: %s", code, &stderr)
	}
}

// Nor does a reader that stops early change what --fail-on says of a file, though
// the output breaks long before its end.
func TestClosedStdoutFails(t *testing.T) {
	args := []string{"-o", "ndjson", "--show", "transitions", "--fail-on", "error"}
	for _, f := range []string{"half-close", "close-wait-leak", "loss", "syn-flood"} {
		args = append(args, "../../testdata/pcaps/"+f+".pcap")
	}
	var stderr bytes.Buffer
	if code := run(args, nil, closedPipe{}, &stderr); code != exitFindings || stderr.String() != "tcpstate: --fail-on error: 1 error\n" {
		t.Errorf("exit status %d, standard error: %s", code, &stderr)
	}
}

type closedPipe struct{}

func (closedPipe) Write([]byte) (int, error) {
	return 0, &os.PathError{Op: "write", Err: syscall.EPIPE}
}

func TestFullDisk(t *testing.T) {
	var stderr bytes.Buffer
	if code := run([]string{"-o", "ndjson", leak}, nil, fullDisk{}, &stderr); code != exitUsage || !strings.Contains(stderr.String(), "no space left") {
		t.Errorf("exit status %d, standard error: %s", code, &stderr)
	}
}

// So does what is written without a capture.
func TestFullDiskWithoutCapture(t *testing.T) {
	ways := [][]string{{"--help"}, {"--version"}, {"findings"}, {"findings", "refused"}}
	if ifs, err := capture.Interfaces(); err == nil && len(ifs) > 0 {
		ways = append(ways, []string{"-D"})
	}
	for _, args := range ways {
		var stderr bytes.Buffer
		if code := run(args, nil, fullDisk{}, &stderr); code != exitUsage || strings.Count(stderr.String(), "\n") != 1 || !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("tcpstate %v: exit status %d: %s", args, code, &stderr)
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// endable hands on what was read before the end, however its reader asks, and
// stops at the end though there would be more.
func TestEndable(t *testing.T) {
	end := make(chan struct{})
	var once sync.Once
	n := 0
	src := readerFunc(func(p []byte) (int, error) {
		n++
		if n == 5 {
			once.Do(func() { close(end) })
		}
		return copy(p, "abc"), nil
	})
	got, err := io.ReadAll(&endable{r: src, end: end})
	if err != nil || len(got) < 5*3-2*3 || strings.Trim(string(got), "abc") != "" {
		t.Errorf("read %q, %v", got, err)
	}
	boom := errors.New("boom")
	if _, err := io.ReadAll(&endable{r: readerFunc(func([]byte) (int, error) { return 0, boom })}); err != boom {
		t.Errorf("the reader's error becomes %v", err)
	}
}

// What reads ahead of somebody who gave up ends, too.
func TestEndableForgotten(t *testing.T) {
	over := make(chan struct{})
	data, free := make(chan chunk, 1), make(chan []byte, 1)
	free <- make([]byte, 1)
	go func() {
		readChunks(readerFunc(func(p []byte) (int, error) { return len(p), nil }), data, free)
		close(over)
	}()
	<-data
	close(free)
	<-over

	e := &endable{r: readerFunc(func(p []byte) (int, error) { return len(p), nil })}
	if n, err := e.Read(make([]byte, 10)); n != 10 || err != nil {
		t.Fatal(n, err)
	}
	given := e.free
	for range endableChunks - 1 { // one was taken by Read
		<-e.data // so that there is nothing left to read into
	}
	runtime.KeepAlive(e)
	e = nil
	runtime.GC()
	if _, open := <-given; open {
		t.Error("it goes on reading")
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// interruptedPipe gives a capture and does not end; when all of it was taken, the process
// is interrupted.
func interruptedPipe(t *testing.T, file string) io.Reader {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	t.Cleanup(func() { w.Close() })
	go func() {
		w.Write(b)
		w.Write(nil) // returns when a reader asks for more
		syscall.Kill(os.Getpid(), syscall.SIGINT)
	}()
	return r
}
