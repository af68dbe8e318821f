package main

import "runtime/debug"

// sparing has the garbage collector work early: nearly all that an analysis
// holds lies in slabs without pointers, of which it has nothing to walk, so that
// what is left behind costs more than another round. It returns what ends that.
func sparing(maxMemory int64) (end func()) {
	percent := debug.SetGCPercent(40)
	limit := int64(-1)
	if maxMemory > 0 {
		limit = debug.SetMemoryLimit(maxMemory)
	}
	return func() {
		debug.SetGCPercent(percent)
		if limit >= 0 {
			debug.SetMemoryLimit(limit)
		}
	}
}
