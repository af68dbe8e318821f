package main

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"

	"tcpstate/tracker"
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

// ownsProcess: the process does nothing but one analysis, so that its collector may be
// set to suit that. Tests that make many in one process say otherwise: above spareFrom each
// would begin with rounds of its own.
var ownsProcess = true

// sparing has the garbage collector work as suits an analysis, whose lives take at most
// maxMemory if that is not 0. In the end the runtime is to have at most so many octets as
// limit says, if that is not 0. It returns what ends that.
func sparing(maxMemory, limit int64) (end func()) {
	if !ownsProcess {
		return func() {}
	}
	often, from := sparePercent, int64(spareFrom)
	if maxMemory > 0 {
		often, from = boundPercent, min(spareFrom, maxMemory)
	}
	percent, before := debug.SetGCPercent(-1), debug.SetMemoryLimit(from)
	var mu sync.Mutex
	over := false
	// Large enough to lie by itself: beside something small that is in use it would never
	// be found.
	runtime.SetFinalizer(new([8]uint64), func(any) { // the first round finds it
		mu.Lock()
		defer mu.Unlock()
		if !over {
			if limit == 0 {
				debug.SetMemoryLimit(math.MaxInt64)
			} else {
				debug.SetMemoryLimit(limit)
			}
			debug.SetGCPercent(often)
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		over = true
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(before)
	}
}

// keeper keeps a live capture below its bound for ever. The collector works the harder the
// nearer it comes, and lives get the less room the more all else takes. It never gets to
// where the collector would have nothing left to collect.
type keeper struct {
	limit int64 // of what the runtime has; 0 is none
	next  time.Time
	live  [1]metrics.Sample
}

const (
	// outside is what of the bound is not the runtime's: the program itself, libpcap.
	outside = 40 << 20
	// keepEvery is how often it is looked at.
	keepEvery = time.Second
)

// keep begins to, and has the collector know.
func keep(maxMemory int64) *keeper {
	k := &keeper{}
	if maxMemory > 0 {
		k.limit = max(maxMemory-outside, maxMemory/2)
		k.live[0].Name = "/gc/heap/live:bytes"
	}
	return k
}

// watch gives lives less room where what is not garbage comes near the limit.
func (k *keeper) watch(now time.Time, t *tracker.Parallel) {
	if k.limit == 0 || now.Before(k.next) {
		return
	}
	k.next = now.Add(keepEvery)
	metrics.Read(k.live[:])
	if over := int64(k.live[0].Value.Uint64()) - k.limit/8*7; over > 0 {
		t.Squeeze(over)
	} else if over < -k.limit/8 {
		t.Ease()
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
