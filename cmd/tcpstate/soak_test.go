package main

import (
	"io"
	"os"
	"runtime"
	"runtime/metrics"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"

	"tcpstate/capture"
	"tcpstate/report"
	"tcpstate/tracker"
)

// held is what an analysis holds at one moment.
type held struct {
	began    int
	heap     uint64 // octets, of what is not garbage
	resident uint64 // 0 where the system does not tell
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

func heapNow() uint64 {
	runtime.GC()
	runtime.GC()
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// traffic is what passes.
type traffic interface {
	Next(*capture.Batch) error
	progress() (done, of int, clock int64, st *capture.Stats)
}

// soak follows what a source brings as a live capture is followed, and tells after each
// tenth of the connections what is held.
func soak(t *testing.T, src traffic, args ...string) (all []held, tot tracker.Totals) {
	f, err := parseFlags(append([]string{"-i", "lo"}, args...))
	if err != nil {
		t.Fatal(err)
	}
	opts := f.report
	opts.Live = &report.LiveOptions{Interface: "lo", Interval: f.interval, Term: termOf(f.tracker.MaxMemory)}
	for _, o := range f.outputs {
		opts.Outputs = append(opts.Outputs, report.Output{Format: o.format, Parts: o.parts, W: io.Discard})
	}
	defer sparing(f.tracker.MaxMemory)()
	r := report.New(opts)
	k := tracker.NewParallel(f.tracker, f.workers, r.Observer())
	defer k.Close()
	base := heapNow()
	_, of, _, st := src.progress()
	highest := uint64(0)
	_ = highest
	var b capture.Batch
	begun := false
	look := int64(0)
	for err := error(nil); err == nil; {
		err = src.Next(&b)
		if !begun {
			begun = true
			r.Begin(st)
		}
		k.Process(&b)
		r.Batch(&b)
		done, _, clock, _ := src.progress()
		if clock > look {
			look = clock + 30e9
			m := &report.Standing{Now: clock, Stats: st, Tracker: k}
			r.Look(m)
			r.Interval(m)
		}
		if n := len(all); n < 10 && done >= (n+1)*(of/10) {
			h := held{done, heapNow() - base, residentNow()}
			all = append(all, h)
			t.Logf("%9d connections: %6.1f MB in use, %6.1f MB resident; %s of packet time", h.began, float64(h.heap)/1e6, float64(h.resident)/1e6, showFor(clock-churnStart))
			if p := os.Getenv("SOAK_PROFILE"); p != "" && (n == 0 || n == 9) {
				w, _ := os.Create(p + strconv.Itoa(n))
				pprof.Lookup("heap").WriteTo(w, 0)
				w.Close()
			}
		}
	}
	tot = k.Totals()
	r.Ending(st, tot, k.Usage())
	k.Finish()
	if err := r.End(st, k.Totals(), k.Census()); err != nil {
		t.Error(err)
	}
	t.Logf("ended: %6.1f MB resident; %+v", float64(residentNow())/1e6, k.Totals())
	return all, tot
}

func showFor(ns int64) string { return strconv.FormatInt(ns/1e9, 10) + " s" }

func TestSoak(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("TCPSTATE_SOAK"))
	if n == 0 {
		n = 200_000
	}
	soak(t, newChurn(n, 560, 10_000))
}

func TestDeluge(t *testing.T) {
	soak(t, newDeluge(10_000_000, 100_000), "--max-memory", os.Getenv("MM"))
}

func TestCrowd(t *testing.T) {
	c := newChurn(2_500_000, 20_000, 1_000_000)
	c.reserve(1_300_000)
	soak(t, c, "--max-memory", os.Getenv("MM"))
}
