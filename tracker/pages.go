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

// cut makes things in parts that stay where they are: a few by themselves, for small
// captures; then many at once, which are cut up.
type cut[T any] struct {
	rest  []T
	small bool // little at a time, where memory is scarce
}

// smallChunk is how many octets are asked for where memory is scarce.
const smallChunk = 1 << 20

// smallCut is how many parts are made by themselves.
const smallCut = 16

// next makes a part of n things, where there are so many parts already.
func (c *cut[T]) next(n, parts int) []T {
	if len(c.rest) == 0 {
		many := n
		if parts >= smallCut {
			many = max(1, perChunk[T]()/n) * n
			if c.small || parts*n < perChunk[T]() {
				many = max(1, smallChunk/int(unsafe.Sizeof(*new(T)))/n) * n
			}
		}
		c.rest = large[T](many)
	}
	part := c.rest[:n:n]
	c.rest = c.rest[n:]
	return part
}

// perChunk is how many things make a chunk.
func perChunk[T any]() int { return int(pageChunk / unsafe.Sizeof(*new(T))) }
