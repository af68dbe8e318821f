package main

import (
	"math"
	"runtime"
	"runtime/debug"
	"sync"
)

const (
	// sparePercent has the garbage collector work early: nearly all that an analysis
	// holds lies in slabs without pointers, of which it has nothing to walk, so
	// that what is left behind costs more than another round.
	sparePercent = 40
	// boundPercent is for where memory is bounded. The bound is not the collector's: it
	// would work without end where nothing is left to collect.
	boundPercent = 10
	// spareFrom is how much memory is in use before its first round. A round goes
	// through the tables of the libraries whatever the heap has, and while that
	// grows from next to nothing, there would be one for every few packets.
	spareFrom = 32 << 20
)

// sparing has the garbage collector work as suits an analysis, whose lives take at most
// maxMemory if that is not 0. It returns what ends that.
func sparing(maxMemory int64) (end func()) {
	often, from := sparePercent, int64(spareFrom)
	if maxMemory > 0 {
		often, from = boundPercent, min(spareFrom, maxMemory)
	}
	percent, limit := debug.SetGCPercent(-1), debug.SetMemoryLimit(from)
	var mu sync.Mutex
	over := false
	runtime.SetFinalizer(&struct{ int }{}, func(any) { // the first round finds it
		mu.Lock()
		defer mu.Unlock()
		if !over {
			debug.SetMemoryLimit(math.MaxInt64)
			debug.SetGCPercent(often)
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		over = true
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}
}

// termOf is how many connections the detectors of a live capture remember that takes at
// most so many octets; 0 is the report's own choice.
func termOf(maxMemory int64) int {
	if maxMemory == 0 {
		return 0
	}
	return int(min(max(maxMemory>>12, 1<<13), 1<<17))
}
