package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tcpstate/capture"
)

// The program as it is built, from root's hands to the end of its interface: it
// says what it has given up, /proc says the same, and an interface that goes down,
// comes back and is removed is told of, with the report of all that was learnt.
func TestLiveLosesItsInterface(t *testing.T) {
	if _, err := capture.Interfaces(); errors.Is(err, capture.ErrNoLibpcap) {
		t.Skip("built without libpcap")
	}
	if !alone(t, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}) {
		return
	}
	sh := func(script string) {
		t.Helper()
		if out, err := exec.Command("sh", "-ec", script).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v %s", script, err, out)
		}
	}
	sh("ip link add near type veth peer name far; ip link set near up; ip link set far up")
	file := filepath.Join(own(t, 0o755), "report")
	c := exec.Command(program(t, "tcpstate"), "-v", "-i", "far", "-Z", "daemon", "--no-screen", "-o", "ndjson="+file, "-o", "table")
	var report strings.Builder
	c.Stdout = &report
	stderr, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(time.Minute, func() { c.Process.Kill() }).Stop()
	said := bufio.NewScanner(stderr)
	// next is the next line on standard error that begins so.
	next := func(begin string) {
		t.Helper()
		for said.Scan() {
			if strings.HasPrefix(said.Text(), "tcpstate: "+begin) {
				return
			}
		}
		t.Fatalf("nothing that begins with %q", begin)
	}
	next("runs as daemon (uid 1); no capabilities and none to be had; no new privileges; the file system ")
	b, err := os.ReadFile("/proc/" + strconv.Itoa(c.Process.Pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []string{
		"Uid:\t1\t1\t1\t1", "Gid:\t1\t1\t1\t1", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000",
		"CapBnd:\t0000000000000000", "NoNewPrivs:\t1",
	} {
		if !strings.Contains(string(b), l+"\n") {
			t.Errorf("no %q in\n%s", l, b)
		}
	}
	sh("ip link set far down")
	next("far: the interface went down; the capture waits for it")
	sh("ip link set far up")
	next("far: the interface is up again after ")
	sh("ip link del far")
	next("far: the interface vanished")
	if _, err := io.Copy(io.Discard, stderr); err != nil {
		t.Error(err)
	}
	if c.Wait(); c.ProcessState.ExitCode() != exitDamaged {
		t.Errorf("status %d", c.ProcessState.ExitCode())
	}
	if !strings.HasPrefix(report.String(), "far: ") || !strings.Contains(report.String(), "How connections ended") {
		t.Errorf("the report is\n%s", &report)
	}
	var st syscall.Stat_t
	if err := syscall.Stat(file, &st); err != nil || st.Uid != 1 || st.Size == 0 {
		t.Errorf("%s is of %d and has %d octets, %v", file, st.Uid, st.Size, err)
	}
}
