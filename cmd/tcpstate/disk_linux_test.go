package main

import (
	"os"
	"syscall"
	"testing"
)

// tinyDisk is a directory on a disk that is full soon.
func tinyDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if os.Geteuid() != 0 {
		lacking(t, "a full disk needs root, to mount a small one")
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		lacking(t, "a full disk needs the right to mount a small one: "+err.Error())
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}
