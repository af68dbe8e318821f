package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"tcpstate/report/detect"
)

// A finding's display filter selects, in Wireshark, every frame of its evidence.
func TestFiltersSelectTheEvidence(t *testing.T) {
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
			for line := range strings.Lines(string(output(t, exitOK, nil, "-o", "ndjson", "--show", "findings", file))) {
				var f detect.Finding
				if err := json.Unmarshal([]byte(line), &f); err != nil || f.ID == "" {
					continue // the capture's own line
				}
				selected := map[uint64]bool{}
				if f.Wireshark != "" {
					cmd := exec.Command(tshark, "-r", file, "-T", "fields", "-e", "frame.number", "-Y", f.Wireshark)
					cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir())
					out, err := cmd.Output()
					if err != nil {
						t.Errorf("%s: %q: %v", f.ID, f.Wireshark, err)
						continue
					}
					for n := range strings.FieldsSeq(string(out)) {
						frame, _ := strconv.ParseUint(n, 10, 64)
						selected[frame] = true
					}
				}
				for _, c := range f.Evidence.Connections {
					for _, p := range c.Frames {
						if !selected[p.Frame] {
							t.Errorf("%s: %q does not select frame %d (%s)", f.ID, f.Wireshark, p.Frame, p.Text)
						}
					}
				}
			}
		})
	}
}
