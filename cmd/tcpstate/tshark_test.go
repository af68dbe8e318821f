package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// lacking skips a test for want of something, saying how to get it. Where
// everything has to be tested, the want is a failure.
func lacking(t testing.TB, want string) {
	t.Helper()
	if os.Getenv("TCPSTATE_REQUIRE_ALL") == "1" {
		t.Fatal("TCPSTATE_REQUIRE_ALL: " + want)
	}
	t.Skip(want)
}

// stream is what Wireshark says of one tcp.stream, and we of a connection.
type stream struct {
	frame        uint64 // the first
	completeness uint
}

// A connection's id, first frame and completeness are Wireshark's.
func TestStreamsAreWiresharks(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		lacking(t, "tshark is not installed (Debian package tshark)")
	}
	for _, file := range captureFiles(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			want, got := wiresharkStreams(t, tshark, file), ourStreams(t, file)
			for id, w := range want {
				if got[id] != w {
					t.Errorf("connection %d: first frame %d and completeness %d, not %d and %d", id, got[id].frame, got[id].completeness, w.frame, w.completeness)
				}
			}
			for id := range got {
				if _, ok := want[id]; !ok {
					t.Errorf("connection %d: Wireshark has none", id)
				}
			}
		})
	}
}

func wiresharkStreams(t *testing.T, tshark, file string) map[uint64]stream {
	t.Helper()
	input := file
	if filepath.Ext(file) == ".zst" { // which not every tshark reads
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		input = filepath.Join(t.TempDir(), "expanded")
		if err := os.WriteFile(input, expand(t, file, b), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(tshark, "-2", "-r", input, "-T", "fields", "-e", "tcp.stream", "-e", "frame.number", "-e", "tcp.completeness",
		"-Y", "tcp && !icmp && !icmpv6")
	// The user's own preferences might hold another numbering.
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil && exitOf(file) == exitOK {
		t.Fatalf("tshark: %v: %s", err, &stderr)
	}
	m := map[uint64]stream{}
	for line := range strings.Lines(string(out)) {
		var id, frame uint64
		var completeness uint
		if _, err := fmt.Sscan(strings.ReplaceAll(line, ",", " "), &id, &frame, &completeness); err != nil {
			t.Fatalf("tshark's line %q: %v", line, err)
		}
		s, known := m[id]
		if !known {
			s.frame = frame
		}
		s.completeness = completeness
		m[id] = s
	}
	return m
}

func ourStreams(t *testing.T, file string) map[uint64]stream {
	t.Helper()
	m := map[uint64]stream{}
	for line := range bytes.Lines(output(t, exitOf(file), nil, "-o", "ndjson", "--show", "connections", file)) {
		var c struct {
			Type         string
			ID           uint64
			FirstFrame   uint64 `json:"first_frame"`
			Completeness uint
			Incarnation  int
		}
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		if c.Type != "connection" {
			continue
		}
		// A stream that lived twice has its first frame from the first life,
		// and its completeness, which goes on through both, from the last.
		s, known := m[c.ID]
		if !known || c.Incarnation == 0 {
			s.frame = c.FirstFrame
		}
		s.completeness = max(s.completeness, c.Completeness)
		m[c.ID] = s
	}
	return m
}
