//go:build !linux

package main

import "testing"

func tinyDisk(t *testing.T) string {
	t.Helper()
	lacking(t, "a full disk is made on Linux")
	return ""
}
