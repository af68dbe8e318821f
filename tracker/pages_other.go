//go:build !linux

package tracker

func largePages([]byte) {}
