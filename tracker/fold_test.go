package tracker_test

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// told is what a tracker says of a capture.
type told struct {
	Transitions []string
	Census      [tracker.NumStates]tracker.StateCount
	Streams     uint64
	Lives       uint64
	Closes      [tracker.NumCloseKinds]int
}

// tell runs a capture through a tracker that folds so soon.
func tell(t *testing.T, path string, fold uint64) (out told, folded int) {
	t.Helper()
	src, err := capture.Open(capture.Options{Paths: []string{path}})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	cfg := tracker.DefaultConfig()
	cfg.Fold = fold
	tr := tracker.New(cfg, tracker.Observer{
		Transition: func(x *tracker.Transition) {
			out.Transitions = append(out.Transitions, fmt.Sprintln(x.Time, x.Frame, x.ID, x.Side, x.Client, x.From, x.To, x.Certainty, x.Rule))
		},
		Life: func(l *tracker.Life) {
			if l.Incarnation == 0 {
				out.Closes[l.Close]++
			}
		},
	})
	b := new(capture.Batch)
	for {
		err := src.Next(b)
		tr.Process(b)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Log(err)
			}
			break
		}
	}
	folded = tr.Folded()
	tr.Finish()
	out.Census = tr.Census()
	out.Streams, out.Lives = tr.Totals().Streams, tr.Totals().Lives
	return out, folded
}

// Folding changes neither what is found of the states nor how many there are:
// not even of captures in which much comes after a life's end.
func TestFoldingKeepsStates(t *testing.T) {
	paths, err := filepath.Glob("../testdata/pcaps/*.pcap")
	if err != nil || len(paths) == 0 {
		t.Fatal("no captures")
	}
	folded := 0
	for _, p := range paths {
		whole, _ := tell(t, p, 1<<40)
		soon, n := tell(t, p, 32)
		folded += n
		if d := cmp.Diff(whole, soon); d != "" {
			t.Errorf("%s: %s", filepath.Base(p), d)
		}
	}
	if folded < 100 {
		t.Errorf("only %d lives were folded: nothing was tried", folded)
	}
}
