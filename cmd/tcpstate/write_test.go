package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tcpstate/capture"
)

// frames are those of capture files, as they were captured. Their octets are copies.
func frames(t *testing.T, paths ...string) (fs []capture.Frame) {
	t.Helper()
	src, err := capture.Open(capture.Options{Paths: paths, Raw: true})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var b capture.Batch
	for src.Next(&b) == nil {
		for _, f := range b.Frames {
			f.Data = bytes.Clone(f.Data)
			fs = append(fs, f)
		}
	}
	for _, d := range src.Stats().Damage {
		if exitOf(paths[0]) == exitOK {
			t.Errorf("%v: damage: %+v", paths, d)
		}
	}
	return fs
}

// sameFrames compares what of frames a filter or a connection leaves.
func sameFrames(t *testing.T, what string, got, want []capture.Frame) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d frames, not %d", what, len(got), len(want))
		return
	}
	for i := range got {
		g, w := &got[i], &want[i]
		if g.Time != w.Time || g.Wire != w.Wire || g.Link != w.Link || !bytes.Equal(g.Data, w.Data) {
			t.Errorf("%s: frame %d is at %d, of %d octets (link type %d), not at %d, of %d (%d), or its octets differ",
				what, i+1, g.Time, g.Wire, g.Link, w.Time, w.Wire, w.Link)
			return
		}
	}
}

// What is written of a capture, with comments or not, is the capture.
func TestWrittenIsTheCapture(t *testing.T) {
	name := filepath.Join(t.TempDir(), "written.pcapng")
	for _, file := range captureFiles(t) {
		for _, more := range [][]string{nil, {"--annotate"}} {
			want := facts(t, exitOf(file), nil, file)
			if got := facts(t, exitOf(file), nil, append(more, "-w", name, file)...); got != want {
				t.Errorf("%s: -w changes the report:\n%s", file, firstDifference(got, want))
			}
			sameFrames(t, file, frames(t, name), frames(t, file))
			got := facts(t, exitOK, nil, name)
			if exitOf(file) != exitOK {
				got, want = undamaged(got), undamaged(want)
			}
			if got != want {
				t.Errorf("%s written and read again is not the same:\n%s", file, firstDifference(got, want))
			}
		}
	}
}

// undamaged is a report without what it says of damage: what was written has none.
func undamaged(report string) string {
	report = regexp.MustCompile(`"damage":\[[^]]*\]`).ReplaceAllString(report, `"damage":[]`)
	var lines []string
	for line := range strings.Lines(report) {
		if !strings.Contains(line, `"type":"finding"`) {
			lines = append(lines, line)
		}
	}
	return regexp.MustCompile(`"findings":\{[^}]*\}`).ReplaceAllString(strings.Join(lines, ""), "")
}

// A filter selects the frames that it selects for tcpdump.
func TestWrittenAsTcpdump(t *testing.T) {
	if _, err := capture.Interfaces(); errors.Is(err, capture.ErrNoLibpcap) {
		t.Skip("built without libpcap")
	}
	tcpdump, err := exec.LookPath("tcpdump")
	if err != nil {
		lacking(t, "tcpdump is not installed (Debian package tcpdump)")
	}
	dir := t.TempDir()
	ours, theirs := filepath.Join(dir, "ours"), filepath.Join(dir, "theirs")
	compared := 0
	for _, file := range captureFiles(t) {
		if ext := filepath.Ext(file); ext != ".pcap" || exitOf(file) != exitOK {
			continue
		}
		for _, filter := range []string{"tcp", "not tcp", "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", "icmp or icmp6 or arp", "port 8080 or vlan", "greater 100"} {
			args := []string{"-r", file, "--time-stamp-precision=nano", "-w", theirs}
			if os.Geteuid() == 0 {
				args = append(args, "-Z", "root")
			}
			if out, err := exec.Command(tcpdump, append(args, filter)...).CombinedOutput(); err != nil {
				if exits := new(exec.ExitError); errors.As(err, &exits) && (strings.Contains(string(out), "VLAN") || strings.Contains(string(out), "filtering not implemented")) {
					continue // libpcap has no VLANs on this link, or no filters at all, and we say the same
				}
				t.Errorf("tcpdump -r %s %q: %v: %s", file, filter, err, out)
				continue
			}
			output(t, exitOK, nil, "-w", ours, "-q", "-f", filter, file)
			got, want := frames(t, ours), frames(t, theirs)
			sameFrames(t, file+", "+filter, got, want)
			compared += len(want)
		}
	}
	if compared < 1000 {
		t.Errorf("only %d frames were compared", compared)
	}
}

// The packets of a connection are those that Wireshark finds.
func TestWrittenStreamsAreWiresharks(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		lacking(t, "tshark is not installed (Debian package tshark)")
	}
	for _, file := range captureFiles(t) {
		if filepath.Ext(file) == ".zst" || exitOf(file) != exitOK {
			continue // not every tshark reads it; the same file is there without
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(tshark, "-r", file, "-T", "fields", "-e", "frame.number", "-e", "tcp.stream", "-Y", "tcp")
			cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir())
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			all := map[string][]uint64{}
			for line := range strings.Lines(string(out)) {
				var frame uint64
				number, streams, _ := strings.Cut(strings.TrimSpace(line), "\t")
				fmt.Sscan(number, &frame)
				for _, s := range slices.Compact(strings.Split(streams, ",")) {
					all[s] = append(all[s], frame)
				}
			}
			if filepath.Base(file) == "icmp-unreachable.pcap" {
				// Of eight octets of TCP header Wireshark makes nothing, and of a
				// SYN that nobody saw but the ICMP error a stream without a packet.
				all["0"], all["1"] = []uint64{1, 2, 4, 5}, nil
			}
			whole := frames(t, file)
			name := filepath.Join(t.TempDir(), "stream.pcapng")
			for _, s := range []string{"0", "1", "2", "7", "40"} {
				if all[s] == nil {
					continue
				}
				var want []capture.Frame
				for _, n := range all[s] {
					want = append(want, whole[n-1])
				}
				output(t, exitOK, nil, "-w", name, "-q", "--stream", s, file)
				sameFrames(t, "stream "+s, frames(t, name), want)
			}
		})
	}
}

// Wireshark shows the comments.
func TestAnnotated(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		lacking(t, "tshark is not installed (Debian package tshark)")
	}
	dir := t.TempDir()
	once, chosen := filepath.Join(dir, "once"), filepath.Join(dir, "chosen")
	output(t, exitOK, nil, "--annotate", "-w", once, "-q", pcaps+"/client-closes-first.pcap")
	output(t, exitOK, nil, "--annotate", "-w", chosen, "-q", "--stream", "0", pcaps+"/client-closes-first.pcap")
	for _, file := range []string{once, chosen} {
		cmd := exec.Command(tshark, "-r", file, "-T", "fields", "-e", "frame.comment", "-Y", "tcp.stream == 0")
		cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir())
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if want := `client SYN-SENT (CLOSED -> SYN-SENT: syn), server LISTEN?
client ESTABLISHED? (SYN-SENT -> ESTABLISHED?: syn-ack-delivered), server SYN-RECEIVED? (CLOSED -> SYN-RECEIVED?: syn-ack)
client ESTABLISHED (confirmed: spoke), server ESTABLISHED? (SYN-RECEIVED -> ESTABLISHED?: ack-of-syn)
client ESTABLISHED, server ESTABLISHED?
client ESTABLISHED, server ESTABLISHED (confirmed: spoke)
` + strings.Repeat("client ESTABLISHED, server ESTABLISHED\n", 12) + `client FIN-WAIT-1 (ESTABLISHED -> FIN-WAIT-1: fin), server CLOSE-WAIT? (ESTABLISHED -> CLOSE-WAIT?: fin-delivered)
client FIN-WAIT-2? (FIN-WAIT-1 -> FIN-WAIT-2?: ack-of-fin), server CLOSE-WAIT (confirmed: ack-fin)
client TIME-WAIT? (FIN-WAIT-2 -> TIME-WAIT?: fin-delivered), server LAST-ACK (CLOSE-WAIT -> LAST-ACK: fin-last-ack)
client TIME-WAIT (confirmed: ack-fin-time-wait), server CLOSED? (LAST-ACK -> CLOSED?: ack-of-fin)
`; string(out) != want {
			t.Errorf("the comments are\n%s", out)
		}
	}
}

// manyFrames is a capture of more than four million octets, with comments of none.
func manyFrames(t *testing.T) string {
	t.Helper()
	var all []string
	for _, f := range []string{"loss", "syn-flood", "half-close", "close-wait-leak"} {
		all = append(all, filepath.Join(pcaps, f+".pcap"))
	}
	var e capture.Encoder
	var blocks []byte
	for n := 0; len(blocks) < 4_200_000; {
		for _, f := range frames(t, all...) {
			n++
			f.Time = 1e18 + int64(n)*1e6
			blocks = e.Append(blocks, &f, nil)
		}
	}
	s := capture.Section{Application: "a test"}
	name := filepath.Join(t.TempDir(), "many.pcapng")
	if err := os.WriteFile(name, append(s.Head(nil), blocks...), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// Files follow each other, none larger than -C says, each whole by itself.
func TestRotation(t *testing.T) {
	many := manyFrames(t)
	want := frames(t, many)
	dir := t.TempDir()
	out := filepath.Join(dir, "ring")
	names := func() (l []string) {
		t.Helper()
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			fi, err := e.Info()
			if err != nil {
				t.Fatal(err)
			}
			if fi.Size() > 1_000_000 || fi.Size() < 100 {
				t.Errorf("%s has %d octets", e.Name(), fi.Size())
			}
			l = append(l, e.Name())
		}
		return l
	}
	paths := func(l ...string) (p []string) {
		for _, n := range l {
			p = append(p, filepath.Join(dir, n))
		}
		return p
	}
	output(t, exitOK, nil, "-w", out, "-C", "1", "-q", many)
	if l := names(); !slices.Equal(l, []string{"ring", "ring1", "ring2", "ring3", "ring4"}) {
		t.Fatalf("files are %v", l)
	}
	var got []capture.Frame
	for _, p := range paths("ring", "ring1", "ring2", "ring3", "ring4") {
		fs := frames(t, p)
		if len(fs) < 100 {
			t.Errorf("%s has %d frames", p, len(fs))
		}
		got = append(got, fs...)
	}
	sameFrames(t, "rotated", got, want)
	last := frames(t, filepath.Join(dir, "ring4"))

	for _, n := range names() {
		os.Remove(filepath.Join(dir, n))
	}
	output(t, exitOK, nil, "-w", out, "-C", "1", "-W", "3", "-q", many)
	if l := names(); !slices.Equal(l, []string{"ring0", "ring1", "ring2"}) {
		t.Fatalf("files of a ring are %v", l)
	}
	sameFrames(t, "the newest of a ring", frames(t, filepath.Join(dir, "ring1")), last)
}

// Who follows standard output gets each packet soon after it came in.
func TestWrittenSoon(t *testing.T) {
	b, err := os.ReadFile(leak)
	if err != nil {
		t.Fatal(err)
	}
	in, feed := io.Pipe()
	out, stdout := io.Pipe()
	done := make(chan int)
	go func() {
		var stderr bytes.Buffer
		code := run([]string{"-w", "-", "-"}, in, stdout, &stderr)
		stdout.Close()
		done <- code
	}()
	ends := recordEnds(b)
	go feed.Write(b[:ends[300]])
	src, err := capture.Open(capture.Options{Paths: []string{"-"}, Stdin: out, Raw: true})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var batch capture.Batch
	n := 0
	for n < 300 { // or the test runs into its deadline
		if err := src.Next(&batch); err != nil {
			t.Fatal(err)
		}
		n += len(batch.Frames)
	}
	feed.Write(b[ends[300]:])
	feed.Close()
	for src.Next(&batch) == nil {
		n += len(batch.Frames)
	}
	if code := <-done; code != exitOK || n != len(ends)-1 {
		t.Errorf("exit status %d, %d frames", code, n)
	}
}

// A reader of the packets that has seen enough is no error, and other outputs are whole.
func TestClosedPackets(t *testing.T) {
	var stderr bytes.Buffer
	if code := run([]string{"-w", "-", leak}, nil, closedPipe{}, &stderr); code != exitOK || stderr.Len() > 0 {
		t.Errorf("exit status %d, standard error: %s", code, &stderr)
	}
	name := filepath.Join(t.TempDir(), "report")
	if code := run([]string{"-w", "-", "-o", "csv=" + name, leak}, nil, closedPipe{}, &stderr); code != exitOK || stderr.Len() > 0 {
		t.Errorf("exit status %d, standard error: %s", code, &stderr)
	}
	if b, err := os.ReadFile(name); err != nil || bytes.Count(b, []byte("\n")) != 61 {
		t.Errorf("the report has %d lines: %v", bytes.Count(b, []byte("\n")), err)
	}
	// Nor is one that has seen enough of the report: the packets were asked for, too.
	name += ".pcapng"
	for _, more := range [][]string{nil, {"--stream", "0,1"}} {
		if code := run(append(more, "-w", name, "-o", "ndjson", leak), nil, closedPipe{}, &stderr); code != exitOK || stderr.Len() > 0 {
			t.Errorf("exit status %d, standard error: %s", code, &stderr)
		}
		if fs := frames(t, name); len(fs) != 580 && more == nil || len(fs) == 0 {
			t.Errorf("%d frames", len(fs))
		}
		os.Remove(name)
	}
}

// A full disk ends it with one line, and leaves nothing.
func TestFullDiskOfPackets(t *testing.T) {
	many := manyFrames(t)
	full := func(name string, more ...string) {
		t.Helper()
		var stdout, stderr bytes.Buffer
		code := run(append(more, "-w", name, many), nil, &stdout, &stderr)
		if want := "tcpstate: -w: cannot write " + name + ": no space left on device\n"; code != exitUsage || stderr.String() != want {
			t.Errorf("%v: exit status %d, standard error: %s", more, code, &stderr)
		}
	}
	report := filepath.Join(t.TempDir(), "report")
	if _, err := os.Stat("/dev/full"); err == nil {
		full("/dev/full")
		full("/dev/full", "--stream", "0")
		full("/dev/full", "-o", "csv="+report)
	}
	if _, err := os.Stat(report); err == nil {
		t.Error("a report is there that is not complete")
	}
	var stderr bytes.Buffer
	if code := run([]string{"-w", "-", leak}, nil, fullDisk{}, &stderr); code != exitUsage || stderr.String() != "tcpstate: -w: cannot write standard output: no space left on device\n" {
		t.Errorf("exit status %d, standard error: %s", code, &stderr)
	}
	dir := tinyDisk(t)
	full(filepath.Join(dir, "packets"))
	if l, err := os.ReadDir(dir); err != nil || len(l) > 0 {
		t.Errorf("%v is left: %v", l, err)
	}
}

// An interrupt while the files are read again leaves no file that is half there.
func TestInterruptedSecondReading(t *testing.T) {
	dir := t.TempDir()
	f, err := parseFlags([]string{"-w", filepath.Join(dir, "x"), "--stream", "0", leak})
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	c := &cli{stdout: io.Discard, stderr: &stderr, env: func(string) string { return "" }}
	intr := watchSignals()
	defer intr.stop()
	rec, err := c.newRecorder(f, false)
	if err != nil {
		t.Fatal(err)
	}
	end := ending{interrupted: true}
	if err := c.written(f, rec, nil, intr, &end, nil); err != nil {
		t.Error(err)
	}
	if l, err := os.ReadDir(dir); err != nil || len(l) > 0 {
		t.Errorf("%v is left: %v", l, err)
	}
	if want := "tcpstate: interrupted: " + f.write + " is not written\n"; stderr.String() != want {
		t.Errorf("standard error: %s", &stderr)
	}
	rec, err = c.newRecorder(f, false)
	if err != nil {
		t.Fatal(err)
	}
	close(intr.ended)
	if err := c.writeChosen(f, rec, intr); !errors.Is(err, errInterrupted) {
		t.Errorf("the second reading ends with %v", err)
	}
	rec.discard()
}

// stuckDisk is one that takes nothing until it is opened.
type stuckDisk struct {
	open chan struct{}
	mu   sync.Mutex
	bytes.Buffer
}

func (g *stuckDisk) Write(b []byte) (int, error) {
	<-g.open
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.Buffer.Write(b)
}

// A live capture does not wait for a slow disk: what the queue does not hold is dropped,
// whole packets, and counted, in the file, too.
func TestSlowDiskLive(t *testing.T) {
	g := &stuckDisk{open: make(chan struct{})}
	c := &cli{stdout: g}
	rec, err := c.newRecorder(&flags{iface: "lo", write: "-"}, true)
	if err != nil {
		t.Fatal(err)
	}
	b := &capture.Batch{}
	for i := range 1000 {
		b.Frames = append(b.Frames, capture.Frame{Time: int64(i + 1), Number: uint64(i + 1), Data: make([]byte, 1000), Wire: 1500, Link: 1, Snap: 1000})
	}
	rec.note(&capture.Stats{Packets: 1000, First: 1, Dropped: 5, IfDropped: 2})
	const batches = 60 // of a million octets
	for range batches {
		rec.batch(b)
	}
	lost := rec.lost()
	if least := uint64(batches*1000 - 34000); lost < least || lost > least+3000 {
		t.Errorf("%d packets were dropped", lost)
	}
	if rec.fault() != nil {
		t.Error(rec.fault())
	}
	close(g.open)
	if err := rec.close(); err != nil {
		t.Error(err)
	}
	src, err := capture.Open(capture.Options{Paths: []string{"-"}, Stdin: &g.Buffer, Raw: true})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for src.Next(b) == nil {
		n += len(b.Frames)
	}
	if st := src.Stats(); uint64(n)+lost != batches*1000 || len(st.Damage) > 0 || st.Dropped != 5+lost || st.IfDropped != 2 {
		t.Errorf("%d packets are there, %d are not: %+v", n, lost, st)
	}
}

// Nor does it wait at its end for a disk that takes nothing any more.
func TestStuckDiskLive(t *testing.T) {
	g := newGate()
	defer close(g.open)
	c := &cli{stdout: g}
	rec, err := c.newRecorder(&flags{iface: "lo", write: "-"}, true)
	if err != nil {
		t.Fatal(err)
	}
	rec.batch(&capture.Batch{Frames: []capture.Frame{{Time: 1, Number: 1, Data: make([]byte, 100), Wire: 100, Link: 1}}})
	rec.spool.patience = time.Millisecond
	if err := rec.close(); err == nil || err.Error() != "-w: cannot write standard output: it takes nothing" {
		t.Errorf("the error is %v", err)
	}
}

// Nor does it end where the disk is full: it goes on without.
func TestFullDiskLive(t *testing.T) {
	c := &cli{stdout: fullDisk{}}
	rec, err := c.newRecorder(&flags{iface: "lo", write: "-"}, true)
	if err != nil {
		t.Fatal(err)
	}
	b := &capture.Batch{Frames: []capture.Frame{{Time: 1, Number: 1, Data: make([]byte, 100), Wire: 100, Link: 1}}}
	for deadline := time.Now().Add(time.Minute); rec.fault() == nil && time.Now().Before(deadline); {
		rec.batch(b)
	}
	before := rec.lost()
	rec.batch(b)
	if rec.lost() <= before {
		t.Error("what is not written is not counted")
	}
	if err := rec.close(); err == nil || err.Error() != "-w: cannot write standard output: no space left on device" {
		t.Errorf("the error is %v", err)
	}
}

// A file is there under its name from the start where it is written live, and a reader
// can follow it.
func TestFollowedLive(t *testing.T) {
	name := filepath.Join(t.TempDir(), "live.pcapng")
	c := &cli{stdout: io.Discard}
	rec, err := c.newRecorder(&flags{iface: "lo", write: name}, true)
	if err != nil {
		t.Fatal(err)
	}
	b := &capture.Batch{Frames: []capture.Frame{{Time: 1, Number: 1, Data: make([]byte, 100), Wire: 100, Link: 1}}}
	for i := range 3 {
		rec.batch(b)
		for deadline := time.Now().Add(time.Minute); ; rec.batch(&capture.Batch{}) { // as the next tick does
			if fi, err := os.Stat(name); err == nil && fi.Size() > 0 {
				if fs := frames(t, name); len(fs) == i+1 {
					break
				}
			}
			if time.Now().After(deadline) {
				t.Fatal("the packet does not come")
			}
		}
	}
	if err := rec.close(); err != nil {
		t.Error(err)
	}
}

// Nothing is written, and nobody is asked, without -w.
func TestNoRecorder(t *testing.T) {
	rec, err := (&cli{}).newRecorder(&flags{}, true)
	if rec != nil || err != nil {
		t.Fatalf("%v, %v", rec, err)
	}
	rec.note(&capture.Stats{})
	rec.batch(&capture.Batch{})
	rec.discard()
	if rec.close() != nil || rec.fault() != nil || rec.lost() != 0 {
		t.Error("nobody does something")
	}
}
