package tracker_test

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// readBatches reads a capture in batches of n segments.
func readBatches(t testing.TB, path string, n int) (all []*capture.Batch) {
	t.Helper()
	src, err := capture.Open(capture.Options{Paths: []string{path}})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	for err == nil {
		b := new(capture.Batch)
		err = src.Next(b)
		for part := range slices.Chunk(b.Segments, n) {
			all = append(all, &capture.Batch{Segments: part, Quotes: b.Quotes})
		}
		if b.Now != 0 {
			all = append(all, &capture.Batch{Now: b.Now})
		}
	}
	if !errors.Is(err, io.EOF) {
		t.Logf("%s: %v", path, err)
	}
	return all
}

// everything is all that n workers tell of a capture, in order.
func everything(all []*capture.Batch, n int, fold uint64) []string {
	cfg := tracker.DefaultConfig()
	cfg.Fold = fold
	return allOf(all, n, cfg, true)
}

func allOf(all []*capture.Batch, n int, cfg tracker.Config, zeek bool) (out []string) {
	say := func(format string, a ...any) { out = append(out, fmt.Sprintf(format, a...)) }
	p := tracker.NewParallel(cfg, n, tracker.Observer{
		Zeek:       zeek,
		Transition: func(x *tracker.Transition) { say("transition %+v", *x) },
		Life:       func(l *tracker.Life) { say("life %+v", *l) },
		Cases:      func() { say("cases") },
		Case: func(c *tracker.Case) {
			l, k := *c.Life, *c
			k.Life = nil
			say("case %+v %+v", l, k)
		},
	})
	var got []*capture.Batch
	for _, b := range all {
		if b := p.Process(b); b != nil {
			got = append(got, b)
		}
	}
	for b := p.Wait(); b != nil; b = p.Wait() {
		got = append(got, b)
	}
	if !slices.Equal(got, all) {
		say("%d batches came back of %d, or not in order", len(got), len(all))
	}
	p.Finish()
	sayCounts(say, p)
	return out
}

// sayCounts says what was counted over all lives.
func sayCounts(say func(string, ...any), p *tracker.Parallel) {
	say("%+v", p.Totals())
	say("%+v", p.Census())
	for x := range p.Usage().Pairs {
		say("pair %v %v %d %d %d %d %d %d %s %s", x.Client, x.Server, x.Opened, x.First, x.Last, x.LowPort, x.HighPort, x.UsedWaiting, peakText(&x.Used), peakText(&x.TimeWait))
	}
	for x := range p.Usage().Services {
		say("service %v %s %s %s", x.Server, peakText(&x.TimeWait), peakText(&x.Attempts), peakText(&x.Answered))
	}
}

func peakText(p *tracker.Peak) string {
	return fmt.Sprint(p.Now, p.Max, p.At, p.Frame, p.First, p.Last, p.Samples(), p.Growth(0.5))
}

// Whatever the number of workers, the same is told in the same order: also
// where lives are folded, and where batches end elsewhere.
func TestWorkersAgree(t *testing.T) {
	paths, err := filepath.Glob("../testdata/pcaps/*.pcap*")
	if err != nil || len(paths) == 0 {
		t.Fatal("no captures")
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			for _, fold := range []uint64{32, 1 << 17} {
				want := everything(readBatches(t, path, capture.BatchSize), 1, fold)
				for _, c := range []struct{ workers, batch int }{{1, 7}, {2, capture.BatchSize}, {2, 7}, {3, 7}, {5, 50}} {
					got := everything(readBatches(t, path, c.batch), c.workers, fold)
					if !slices.Equal(got, want) {
						t.Fatalf("%d workers, batches of %d, fold %d: %s", c.workers, c.batch, fold, cmp.Diff(want, got))
					}
				}
			}
		})
	}
}

// Packing loses nothing: the same is told where every life is packed as soon as
// another's segment comes.
func TestPackingShowsNowhere(t *testing.T) {
	paths, err := filepath.Glob("../testdata/pcaps/*.pcap*")
	if err != nil || len(paths) == 0 {
		t.Fatal("no captures")
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			all := readBatches(t, path, capture.BatchSize)
			cfg := tracker.DefaultConfig()
			for _, cfg.Fold = range []uint64{32, 1 << 17} {
				cfg.Unpacked = 1 << 20
				want := allOf(all, 1, cfg, false)
				cfg.Unpacked = 1
				for _, workers := range []int{1, 2, 3} {
					if got := allOf(all, workers, cfg, false); !slices.Equal(got, want) {
						t.Fatalf("%d workers, fold %d: %s", workers, cfg.Fold, cmp.Diff(want, got))
					}
				}
			}
		})
	}
}

// numbers of frames and streams: one bit for each frame must give what counting gives.
func TestNumbersCount(t *testing.T) {
	n, frame := tracker.NewNumbers(), uint64(0)
	var all []uint64
	for i := range 5000 {
		frame += uint64(i*i%97) + 1
		n.Begin(frame)
		all = append(all, frame)
	}
	for i, f := range all {
		if got := n.Of(f); got != uint64(i) {
			t.Fatalf("the stream that began at frame %d has number %d, not %d", f, got, i)
		}
	}
}
