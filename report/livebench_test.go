package report

import (
	"errors"
	"io"
	"os"
	"testing"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// BenchmarkLook is what it takes to ask what is wrong now, and to see how it goes, while as many
// connections as the capture in TCPSTATE_BENCH_CAPTURE leaves are open.
func BenchmarkLook(b *testing.B) {
	path := os.Getenv("TCPSTATE_BENCH_CAPTURE")
	if path == "" {
		b.Skip("no capture")
	}
	src, err := capture.Open(capture.Options{Paths: []string{path}})
	if err != nil {
		b.Fatal(err)
	}
	defer src.Close()
	l := newLiveRun(Options{}, "table")
	batch := new(capture.Batch)
	for n := 0; err == nil; n++ {
		if err = src.Next(batch); err != nil && !errors.Is(err, io.EOF) {
			b.Fatal(err)
		}
		l.st = src.Stats()
		if n == 0 {
			l.r.Begin(&l.st)
		}
		l.t.Process(batch)
		l.now = batch.Clock
	}
	open := 0
	l.t.Peek(l.now, tracker.Observer{Life: func(*tracker.Life) { open++ }})
	b.Run("what is wrong", func(b *testing.B) {
		for b.Loop() {
			l.r.Look(l.standing())
		}
		b.ReportMetric(float64(open), "open")
	})
	b.Run("how it goes", func(b *testing.B) {
		for b.Loop() {
			l.r.Snapshot(l.standing(), Query{})
		}
	})
	b.Run("rows", func(b *testing.B) {
		for b.Loop() {
			l.r.Snapshot(l.standing(), Query{Limit: 50, Sort: "-duration"})
		}
	})
}
