package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tcpstate/report/detect"
)

// grownOut are findings that are right for the beginning of a capture and that
// another one takes the place of later.
var grownOut = map[string][]string{
	"port-scan.pcap":             {"refused"},            // until there are enough ports for a scan
	"accept-queue-overflow.pcap": {"syn-queue-overflow"}, // SYNs that go unanswered until the queue has room
	"syn-flood.pcap":             {"syn-queue-overflow"}, // the same, until the first handshake completes
}

// The beginning of a capture raises nothing that the whole of it does not bear
// out: what is claimed is proven, not guessed from what is yet to come.
func TestBeginningsClaimNothingElse(t *testing.T) {
	const cuts = 24
	for _, file := range captureFiles(t) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		ends := recordEnds(b)
		if len(ends) < 4 || exitOf(file) != exitOK {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			allowed := map[string]bool{}
			for _, f := range findingsOf(t, b) {
				allowed[f.ID] = true
			}
			for i := 1; i < cuts; i++ {
				cut := ends[i*(len(ends)-1)/cuts]
				for _, f := range findingsOf(t, b[:cut]) {
					if f.Severity >= detect.Warning && !allowed[f.ID] && !slices.Contains(grownOut[filepath.Base(file)], f.ID) {
						t.Errorf("the first %d of %d octets raise %s: %s", cut, len(b), f.ID, f.Explanation)
					}
				}
			}
		})
	}
}

func findingsOf(t *testing.T, capture []byte) (all []detect.Finding) {
	t.Helper()
	text := output(t, exitOK, bytes.NewReader(capture), "-o", "ndjson", "--show", "findings", "-")
	for line := range strings.Lines(string(text)) {
		var f detect.Finding
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatal(err)
		}
		if f.ID != "" {
			all = append(all, f)
		}
	}
	return all
}
