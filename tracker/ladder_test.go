package tracker_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tcpstate/capture"
	"tcpstate/report"
	"tcpstate/tracker"
)

// The ladders of testdata/ladders are the tests of the state inference: each
// file is one situation, with both ends' states after every segment, written
// from the specification and not from what the program prints. The grammar is
// that of report/ladderparse.go and of tcpstate explain, so that what explain
// prints of a connection can be dropped into the folder, mended by hand, and
// is a test.
//
// The ladders of one file are one capture: they are replayed together, by
// time. A row that names no rules leaves them open.

var update = flag.Bool("update", false, "draw the ladders of testdata/ladders anew (their expectations and comments stay)")

// capturedAt is when a replayed capture begins, ns. Any time does.
const capturedAt = int64(1e18)

type ladderFile struct {
	name    string // without folder and ending
	text    []byte
	ladders []*report.Ladder
}

func (f *ladderFile) path() string { return filepath.Join("testdata", "ladders", f.name+".ladder") }

func readLadders(t testing.TB) []ladderFile {
	t.Helper()
	paths, err := filepath.Glob("testdata/ladders/*.ladder")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no ladders: %v", err)
	}
	var files []ladderFile
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		ladders, err := report.ParseLadders(bytes.NewReader(text))
		if err != nil || len(ladders) == 0 {
			t.Fatalf("%s: %d ladders, %v", p, len(ladders), err)
		}
		files = append(files, ladderFile{strings.TrimSuffix(filepath.Base(p), ".ladder"), text, ladders})
	}
	return files
}

func readLadder(t testing.TB, name string) ladderFile {
	t.Helper()
	files := readLadders(t)
	i := slices.IndexFunc(files, func(f ladderFile) bool { return f.name == name })
	if i < 0 {
		t.Fatalf("there is no ladder %s", name)
	}
	return files[i]
}

// ladderConfig is the configuration that the ladders of a file ask for.
func (f *ladderFile) config() tracker.Config {
	cfg := tracker.DefaultConfig()
	cfg.Steps, cfg.Transitions = true, true
	for _, l := range f.ladders {
		if l.TimeWait >= 0 {
			cfg.TimeWait = l.TimeWait
		}
		if l.FinTimeout >= 0 {
			cfg.FinTimeout = l.FinTimeout
		}
	}
	return cfg
}

// rows are the rows of all ladders, by time.
func (f *ladderFile) rows() []report.LadderRow {
	var rows []report.LadderRow
	for _, l := range f.ladders {
		rows = append(rows, l.Rows...)
	}
	slices.SortStableFunc(rows, func(a, b report.LadderRow) int { return int(a.Segment.Time - b.Segment.Time) })
	return rows
}

// batches are the rows as a source would hand them out, each segment by itself
// so that a timer's row can let time pass in between.
func (f *ladderFile) batches() []*capture.Batch {
	var all []*capture.Batch
	for _, r := range f.rows() {
		b := &capture.Batch{Now: capturedAt + r.Segment.Time}
		if !r.Timer() {
			s := r.Segment
			s.Time += capturedAt
			s.Hash = s.Key.Hash()
			b.Segments = []capture.Segment{s}
		}
		all = append(all, b)
	}
	return all
}

// segments are the segments alone.
func (f *ladderFile) segments() []capture.Segment {
	var segs []capture.Segment
	for _, b := range f.batches() {
		segs = append(segs, b.Segments...)
	}
	return segs
}

// replayed is what the tracker made of one 4-tuple.
type replayed struct {
	steps []tracker.Step
	late  []tracker.Transition // what elapsed after the last of them
}

// replay sends the capture of a file through a tracker.
func (f *ladderFile) replay() map[capture.Key]*replayed {
	got := map[capture.Key]*replayed{}
	of := func(k capture.Key) *replayed {
		if got[k] == nil {
			got[k] = &replayed{}
		}
		return got[k]
	}
	t := tracker.New(f.config(), tracker.Observer{
		Step: func(s *tracker.Step) {
			r := of(s.Segment.Key)
			r.steps, r.late = append(r.steps, report.CloneStep(s)), nil
		},
		Transition: func(x *tracker.Transition) {
			if x.Frame == 0 {
				r := of(x.Key)
				r.late = append(r.late, *x)
			}
		},
	})
	for _, b := range f.batches() {
		t.Process(b)
	}
	return got
}

// key of a ladder's connection.
func ladderKey(l *report.Ladder) capture.Key {
	for i := range l.Rows {
		if r := &l.Rows[i]; !r.Timer() {
			return r.Segment.Key
		}
	}
	return capture.Key{}
}

// draw makes a ladder of what was replayed, with the head of the one expected.
func (r *replayed) draw(want *report.Ladder) *report.Ladder {
	got := report.NewLadder(r.steps, r.late)
	got.Stream, got.Note, got.ISN = want.Stream, want.Note, want.ISN
	got.TimeWait, got.FinTimeout = want.TimeWait, want.FinTimeout
	return got
}

func print(l *report.Ladder) string {
	var b strings.Builder
	l.Print(&b, report.LadderStyle{Full: true})
	return b.String()
}

// Both ends' states after each segment are as the ladder says.
func TestLadders(t *testing.T) {
	for _, f := range readLadders(t) {
		t.Run(f.name, func(t *testing.T) {
			all := f.replay()
			for _, want := range f.ladders {
				got := all[ladderKey(want)].draw(want)
				if got.Left != want.Left {
					t.Errorf("stream %d: %v is taken for the client", want.Stream, got.Left)
				}
				if d := want.Diff(got); d != "" {
					t.Errorf("stream %d:\n%s\n%s", want.Stream, d, print(got))
				}
			}
		})
	}
}

// A Conn by itself finds the same as a Tracker, as long as the connection is
// one life with one number and the timers are the usual ones.
func TestLaddersThroughConn(t *testing.T) {
	for _, f := range readLadders(t) {
		if f.config().TimeWait != tracker.DefaultConfig().TimeWait || f.config().FinTimeout != tracker.DefaultConfig().FinTimeout || len(f.ladders) > 1 {
			continue
		}
		want := f.replay()[ladderKey(f.ladders[0])]
		if slices.ContainsFunc(want.steps, func(s tracker.Step) bool { return s.ID != 0 }) {
			continue // another number
		}
		t.Run(f.name, func(t *testing.T) {
			var c tracker.Conn
			rows := f.rows()
			for i, w := range want.steps {
				s := w.Segment
				got := c.Apply(&s)
				w.Class, got.Class = 0, 0
				if d := cmp.Diff(w, got, sameStep); d != "" {
					t.Errorf("frame %d (-tracker +conn):\n%s", s.Frame, d)
				}
			}
			for i, e := range want.late {
				_ = i
				_ = e
			}
			if d := cmp.Diff(want.late, c.Expire(capturedAt+rows[len(rows)-1].Segment.Time), sameStep); d != "" {
				t.Errorf("after the last segment (-tracker +conn):\n%s", d)
			}
		})
	}
}
