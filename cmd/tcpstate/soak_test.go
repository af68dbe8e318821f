package main

import (
	"io"
	"math"
	"os"
	"os/exec"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"testing"
	"time"

	"tcpstate/capture"
	"tcpstate/report"
	"tcpstate/tracker"
)

// These tests follow hours of traffic in minutes, as a live capture is followed, and look
// at what is held meanwhile. The ordinary run has a part of it; all of it takes
// TCPSTATE_SOAK=1.

// traffic is what passes.
type traffic interface {
	Next(*capture.Batch) error
	weight() int64 // octets that it takes itself
	progress() (done, of int, clock int64, st *capture.Stats)
}

// holding is the most that was held within a tenth of the connections.
type holding struct {
	heap     uint64 // octets that are no garbage
	resident uint64 // octets of the process that are in memory; 0 where the system does not tell
}

// soaked is what came of it.
type soaked struct {
	tenths [10]holding
	totals tracker.Totals
}

// residentNow is how much of the process is in memory.
func residentNow() uint64 {
	b, _ := os.ReadFile("/proc/self/statm")
	if w := strings.Fields(string(b)); len(w) > 1 {
		n, _ := strconv.ParseUint(w[1], 10, 64)
		return n * uint64(os.Getpagesize())
	}
	return 0
}

// soak follows what comes, with the flags of a live capture, and looks at it every look of
// packet time.
func soak(t *testing.T, src traffic, look time.Duration, args ...string) (out soaked) {
	f, err := parseFlags(append([]string{"-i", "lo"}, args...))
	if err != nil {
		t.Fatal(err)
	}
	opts := f.report
	opts.Live = &report.LiveOptions{Interface: "lo", Interval: f.interval, Term: termOf(f.tracker.MaxMemory)}
	for _, o := range f.outputs {
		opts.Outputs = append(opts.Outputs, report.Output{Format: o.format, Parts: o.parts, W: io.Discard})
	}
	spares(t)
	keeps := keep(f.tracker.MaxMemory)
	runtime.GC()
	defer sparing(f.tracker.MaxMemory, keeps.limit+src.weight())()
	keeps.limit += src.weight()
	r := report.New(opts)
	k := tracker.NewParallel(f.tracker, f.workers, r.Observer())
	defer k.Close()
	_, of, _, st := src.progress()
	var b capture.Batch
	next, tenth := int64(math.MinInt64), 0
	heap := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	for batches := 0; err == nil; batches++ {
		err = src.Next(&b)
		if batches == 0 {
			r.Begin(st)
		}
		k.Process(&b)
		r.Batch(&b)
		done, _, clock, _ := src.progress()
		if batches%64 == 0 {
			keeps.watch(time.Now(), k)
			metrics.Read(heap)
			h := &out.tenths[min(done*10/of, 9)]
			h.heap = max(h.heap, heap[0].Value.Uint64()-uint64(src.weight()))
			if n := residentNow(); n > 0 {
				h.resident = max(h.resident, n-uint64(src.weight()))
			}
			if n := min(done*10/of, 9); n > tenth {
				t.Logf("%9d connections, %6.0f s of packet time: %s", done, float64(clock-churnStart)/1e9, &out.tenths[tenth])
				tenth = n
			}
		}
		if clock >= next {
			next = clock + int64(look)
			m := &report.Standing{Now: clock, Stats: st, Tracker: k}
			r.Look(m)
			if err := r.Interval(m); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%9d connections: %s", of, &out.tenths[9])
	r.Ending(st, k.Totals(), k.Usage())
	k.Finish()
	out.totals = k.Totals()
	if err := r.End(st, out.totals, k.Census()); err != nil {
		t.Error(err)
	}
	t.Logf("at the end %.1f MB resident; %d lives, %d evicted", float64(residentNow()-uint64(src.weight()))/1e6, out.totals.Lives, out.totals.Evicted)
	return out
}

func (h *holding) String() string {
	return strconv.FormatFloat(float64(h.heap)/1e6, 'f', 1, 64) + " MB in use, " + strconv.FormatFloat(float64(h.resident)/1e6, 'f', 1, 64) + " MB resident"
}

// long reports whether all of it is wanted.
func long() bool { return os.Getenv("TCPSTATE_SOAK") != "" }

// inOwnProcess runs the test that calls it once more, in a process that has done nothing
// else, for what other tests leave behind would count as held. It returns true there.
func inOwnProcess(t *testing.T) bool {
	t.Helper()
	const mark = "TCPSTATE_TEST_OWN_PROCESS"
	if os.Getenv(mark) == t.Name() {
		return true
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), exe, "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=0")
	c.Env = append(os.Environ(), mark+"="+t.Name())
	out, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v", err)
	}
	t.Logf("%s", out)
	return false
}

// An hour of two million connections, ten thousand open at a time, takes no more memory
// than its first minutes.
func TestMemoryStaysFlat(t *testing.T) {
	if raced {
		t.Skip("the race detector needs memory of its own")
	}
	if !inOwnProcess(t) {
		return
	}
	n, rate, open, look := 2_016_000, 560.0, 10_000.0, 30*time.Second
	args := []string{}
	if !long() {
		// The same with a twentieth of all that is open, and shorter: what would grow with
		// the connections grows all the same.
		n, rate, open, look = 240_000, 60, 600, 2*time.Minute
		args = append(args, "--max-memory", "128MiB")
	}
	got := soak(t, newChurn(n, rate, open), look, args...)
	if got.totals.Evicted != 0 {
		t.Errorf("%d lives gave way: the bound was reached", got.totals.Evicted)
	}
	// What the detectors of one term remember comes and goes with it, and chunks are of
	// megabytes.
	first := max(got.tenths[0].heap, got.tenths[1].heap, got.tenths[2].heap)
	for i, h := range got.tenths[3:] {
		if h.heap > first+max(first/6, 12<<20) {
			t.Errorf("tenth %d holds %s; the first three held %.1f MB", i+4, &h, float64(first)/1e6)
		}
	}
}

// Under --max-memory the process stays below that, come what may.
func TestMemoryStaysBelowTheBound(t *testing.T) {
	if !long() {
		t.Skip("it takes minutes: TCPSTATE_SOAK=1 runs it")
	}
	for _, x := range []struct {
		bound string
		most  uint64
	}{{"128MiB", 128 << 20}, {"512MiB", 512 << 20}} {
		check := func(t *testing.T, got soaked) {
			for i := range got.tenths {
				if h := &got.tenths[i]; h.resident > x.most {
					t.Errorf("tenth %d: %s", i+1, h)
				}
			}
		}
		t.Run("flood "+x.bound, func(t *testing.T) {
			check(t, soak(t, newDeluge(10_000_000, 100_000), time.Second, "--max-memory", x.bound))
		})
		t.Run("crowd "+x.bound, func(t *testing.T) {
			c := newChurn(1_500_000, 20_000, 1_000_000)
			c.reserve(1_200_000)
			check(t, soak(t, c, time.Second, "--max-memory", x.bound))
		})
	}
}
