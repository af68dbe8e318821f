//go:build race

package main

// raced: the race detector watches, at ten times the cost. Tests of sizes and of damage,
// which have nothing to do with what runs at the same time, try less of it then.
const raced = true
