package detect_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"tcpstate/capture"
	"tcpstate/report/detect"
)

// readCapture analyses a capture file.
func readCapture(t *testing.T, file string) *played {
	t.Helper()
	src, err := capture.Open(capture.Options{Paths: []string{file}})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	p := &played{}
	a := newAnalysis(p, detect.Options{}, 60*time.Second)
	b := &capture.Batch{}
	for {
		err := src.Next(b)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		a.batch(b)
	}
	p.stats = src.Stats()
	a.end()
	return p
}

// All captures of the repository, one line for each finding, so that a change
// of any rule shows. Each finding is sound.
func TestCaptures(t *testing.T) {
	const dir = "../../testdata/pcaps"
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || len(files) == 0 {
		t.Fatalf("no captures in %s: %v", dir, err)
	}
	var list strings.Builder
	for _, e := range files {
		if !strings.Contains(e.Name(), ".pcap") {
			continue
		}
		p := readCapture(t, filepath.Join(dir, e.Name()))
		if !reflect.DeepEqual(p.findings, p.bare) {
			t.Errorf("%s: something else is found with trails left out", e.Name())
		}
		fmt.Fprintln(&list, e.Name())
		for i := range p.findings {
			f := &p.findings[i]
			fmt.Fprintf(&list, "  %s %s: %s, %d\n", f.Severity, f.ID, f.Subject, f.Count)
			for _, bad := range faults(f, p) {
				t.Errorf("%s: %s %s: %s", e.Name(), f.ID, f.Subject, bad)
			}
		}
	}
	checkGolden(t, filepath.Join("testdata", "pcaps.golden"), list.String())
}
