package tracker

import "math/bits"

// numbers turns the frame with which a stream begins into the stream's number:
// how many streams began before. One of several trackers cannot know it, for they do not
// see each other's streams; they name a stream by that frame.
//
// It holds a bit for each frame: an eighth of an octet, where the frame itself
// takes sixteen at least.
type numbers struct {
	words  []uint64
	before []uint32 // streams that began before each group of words; fewer than 2^32
	total  uint64
}

// groupWords is how many words share one count.
const groupWords = 8

// begin notes that a stream begins at a frame. Frames come in order.
func (n *numbers) begin(frame uint64) {
	w := int(frame / 64)
	for len(n.words) <= w {
		if len(n.words)%groupWords == 0 {
			n.before = append(n.before, uint32(n.total))
		}
		n.words = append(n.words, 0)
	}
	n.words[w] |= 1 << (frame % 64)
	n.total++
}

// of returns the number of the stream that began at a frame.
func (n *numbers) of(frame uint64) uint64 {
	w := int(frame / 64)
	g := w / groupWords
	k := n.before[g]
	for _, x := range n.words[g*groupWords : w] {
		k += uint32(bits.OnesCount64(x))
	}
	return uint64(k + uint32(bits.OnesCount64(n.words[w]&(1<<(frame%64)-1))))
}
