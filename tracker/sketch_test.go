package tracker_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// outcomes is what a tracker tells of lives, cases, the census and usage.
func outcomes(all []*capture.Batch, n int, cfg tracker.Config, o tracker.Observer) (out []string, sketched int) {
	say := func(format string, a ...any) { out = append(out, fmt.Sprintf(format, a...)) }
	if o.Life == nil {
		o.Life = func(l *tracker.Life) { say("life %+v", *l) }
	}
	if o.Trails != 0 {
		o.Cases = func() { say("cases") }
		o.Case = func(c *tracker.Case) {
			l, k := *c.Life, *c
			k.Life = nil
			say("case %+v %+v", l, k)
		}
	}
	p := tracker.NewParallel(cfg, n, o)
	for _, b := range all {
		p.Process(b)
		sketched = max(sketched, p.Sketched())
	}
	for p.Wait() != nil {
	}
	p.Finish()
	say("%+v", p.Totals())
	say("%+v", p.Census())
	for x := range p.Usage().Pairs {
		say("pair %v %v %d %d %d %d %d %d %s %s", x.Client, x.Server, x.Opened, x.First, x.Last, x.LowPort, x.HighPort, x.UsedWaiting, peakText(&x.Used), peakText(&x.TimeWait))
	}
	for x := range p.Usage().Services {
		say("service %v %s %s %s", x.Server, peakText(&x.TimeWait), peakText(&x.Attempts), peakText(&x.Answered))
	}
	return out, sketched
}

// Whether lives are sketched shows nowhere.
func TestSketchesShowNowhere(t *testing.T) {
	paths, err := filepath.Glob("../testdata/pcaps/*.pcap*")
	if err != nil || len(paths) == 0 {
		t.Fatal("no captures")
	}
	observers := []tracker.Observer{
		{},
		{Zeek: true, Trails: ^tracker.Sign(0)},
		{Trails: ^(tracker.SignLife | tracker.SignSyn | tracker.SignDone | tracker.SignFin | tracker.SignOpen)},
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			all := readBatches(t, path, 64)
			for _, fold := range []uint64{32, 1 << 17} {
				for i, o := range observers {
					cfg := tracker.DefaultConfig()
					cfg.Fold = fold
					cfg.Unsketched = true
					want, n := outcomes(all, 1, cfg, o)
					if n != 0 {
						t.Fatal("lives were sketched that should not be")
					}
					cfg.Unsketched = false
					for _, workers := range []int{1, 2} {
						if got, _ := outcomes(all, workers, cfg, o); !slices.Equal(got, want) {
							t.Fatalf("%d workers, fold %d, observer %d: %s", workers, fold, i, cmp.Diff(want, got))
						}
					}
				}
			}
		})
	}
}
