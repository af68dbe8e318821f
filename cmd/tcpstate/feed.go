package main

import (
	"sync/atomic"
	"time"

	"tcpstate/report"
)

// feed hands the latest snapshot to who looks on from other goroutines, and what they
// want to see back.
type feed struct {
	latest atomic.Pointer[report.Snapshot]
	asked  atomic.Pointer[report.Query]
	every  time.Duration // how often there is a new one; 0: nobody looks
}

// Snapshot returns the latest, nil before the first.
func (f *feed) Snapshot() *report.Snapshot { return f.latest.Load() }

// Ask says what the next ones are to show.
func (f *feed) Ask(q report.Query) { f.asked.Store(&q) }

func (f *feed) wanted() bool { return f.every > 0 }

func (f *feed) put(s *report.Snapshot) { f.latest.Store(s) }

func (f *feed) query() report.Query {
	if q := f.asked.Load(); q != nil {
		return *q
	}
	return report.Query{}
}
