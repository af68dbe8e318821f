package tracker_test

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tcpstate/tracker"
)

// peeked is what Peek tells, each in words, sorted.
func peeked(p *tracker.Parallel, since int64, cases bool) (out []string) {
	var o tracker.Observer
	o.Life = func(l *tracker.Life) { out = append(out, fmt.Sprintf("life %+v", *l)) }
	if cases {
		o.Case = func(c *tracker.Case) {
			l, k := *c.Life, *c
			k.Life = nil
			out = append(out, fmt.Sprintf("case %+v %+v", l, k))
		}
	}
	p.Peek(since, o)
	slices.Sort(out)
	return out
}

// Who looks on changes nothing, and sees what the end of the capture would tell.
func TestPeekShowsNowhere(t *testing.T) {
	paths, err := filepath.Glob("../testdata/pcaps/*.pcap*")
	if err != nil || len(paths) == 0 {
		t.Fatal("no captures")
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			all := readBatches(t, path, 64)
			for _, unpacked := range []int{0, 3} {
				for _, zeek := range []bool{false, true} {
					cfg := tracker.DefaultConfig()
					cfg.Fold, cfg.Unpacked = 256, unpacked
					run := func(workers int, look bool) (out, left, seen []string) {
						ended := false
						o := tracker.Observer{Zeek: zeek}
						say := func(format string, a ...any) {
							s := fmt.Sprintf(format, a...)
							out = append(out, s)
							if ended {
								left = append(left, s)
							}
						}
						o.Life = func(l *tracker.Life) { say("life %+v", *l) }
						o.Case = func(c *tracker.Case) {
							l, k := *c.Life, *c
							k.Life = nil
							say("case %+v %+v", l, k)
						}
						p := tracker.NewParallel(cfg, workers, o)
						for i, b := range all {
							p.Process(b)
							if look && i%16 == 0 {
								for p.Wait() != nil {
								}
								peeked(p, int64(i%2)*math.MaxInt64, true)
								p.Roles()
							}
						}
						for p.Wait() != nil {
						}
						if look {
							seen = peeked(p, math.MinInt64, true)
						}
						ended = true
						p.Finish()
						sayCounts(say, p)
						slices.Sort(left)
						return out, left, seen
					}
					want, _, _ := run(1, false)
					for _, workers := range []int{1, 2, 3} {
						got, left, seen := run(workers, true)
						if !slices.Equal(got, want) {
							t.Fatalf("%d workers: %s", workers, cmp.Diff(want, got))
						}
						left = slices.DeleteFunc(left, func(s string) bool { return s[:4] != "life" && s[:4] != "case" })
						if !slices.Equal(left, seen) {
							t.Fatalf("%d workers, zeek %v: the end tells (-), a look (+): %s", workers, zeek, cmp.Diff(left, seen))
						}
					}
				}
			}
		})
	}
}

// The endpoints by role are those of the census, as far as they are followed.
func TestEndpointsByRole(t *testing.T) {
	paths, err := filepath.Glob("../testdata/pcaps/*.pcap*")
	if err != nil || len(paths) == 0 {
		t.Fatal("no captures")
	}
	for _, path := range paths {
		p := tracker.NewParallel(tracker.DefaultConfig(), 1, tracker.Observer{Life: func(*tracker.Life) {}, Case: func(*tracker.Case) {}})
		for _, b := range readBatches(t, path, 64) {
			p.Process(b)
			census, roles := p.Census(), p.Roles()
			for s := tracker.Closed + 1; s < tracker.NumStates; s++ {
				n := census[s].Confirmed + census[s].Presumed + census[s].Elapsed
				if got := roles[s][0] + roles[s][1]; got != n {
					t.Fatalf("%s: %d endpoints in %s by role, %d by the census", path, got, s, n)
				}
			}
		}
	}
}
