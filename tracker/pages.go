package tracker

import "unsafe"

// What a million lives take is touched at random: most of the time that it costs
// goes by while the processor looks up where the page is. So what there is much of
// lies in large pages, where the system has them, asked for before it is touched.

// pageChunk is how many octets are asked for at a time: large pages lie at
// multiples of 2 MiB.
const pageChunk = 8 << 20

// large makes n things without pointers, in large pages if they are many.
func large[T any](n int) []T {
	s := make([]T, n)
	if size := n * int(unsafe.Sizeof(s[0])); size >= pageChunk/2 {
		largePages(unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), size))
	}
	return s
}

// perChunk is how many things make a chunk.
func perChunk[T any]() int { return int(pageChunk / unsafe.Sizeof(*new(T))) }
