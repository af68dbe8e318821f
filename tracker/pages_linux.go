package tracker

import "syscall"

// largePages asks for them. Where there are none, nothing is lost.
func largePages(b []byte) { _ = syscall.Madvise(b, syscall.MADV_HUGEPAGE) }
