package tracker

import "math/bits"

// pool holds things without pointers, named by their index. What is given back
// is taken again first: it is still in the caches.
type pool[T any] struct {
	slab [][]T
	cut  cut[T]
	n    uint32   // made
	free []uint32 // given back
	// Where most is set, so many of those given back are listed at the most, and the others
	// are marked, by index: the list would take an eighth of what it lists.
	most   int
	marks  []uint64
	marked int
	hand   int // the word of marks from which on the next are sought
}

// slabSize is how many things a slab has.
const slabSize = 256

func (p *pool[T]) at(i uint32) *T { return &p.slab[i/slabSize][i%slabSize] }

// take returns the index of a thing that is zero.
func (p *pool[T]) take() uint32 {
	if len(p.free) == 0 && p.marked > 0 {
		p.list()
	}
	if k := len(p.free) - 1; k >= 0 {
		i := p.free[k]
		p.free = p.free[:k]
		return i
	}
	if int(p.n/slabSize) == len(p.slab) {
		p.slab = append(p.slab, p.cut.next(slabSize, len(p.slab)))
	}
	p.n++
	return p.n - 1
}

// put gives one back.
func (p *pool[T]) put(i uint32) {
	*p.at(i) = *new(T)
	if p.most != 0 && len(p.free) >= p.most {
		p.mark(i)
		return
	}
	p.free = append(p.free, i)
}

// mark marks one that is given back.
func (p *pool[T]) mark(i uint32) {
	if k := int(p.n+63) / 64; k > len(p.marks) {
		p.marks = append(make([]uint64, 0, k+k/4), p.marks...)[:k]
	}
	p.marks[i/64] |= 1 << (i % 64)
	p.marked++
}

// list lists some of those that are marked.
func (p *pool[T]) list() {
	for len(p.free) <= p.most/2 && p.marked > 0 {
		p.hand++
		if p.hand >= len(p.marks) {
			p.hand = 0
		}
		for w := &p.marks[p.hand]; *w != 0; *w &= *w - 1 {
			p.free = append(p.free, uint32(p.hand*64+bits.TrailingZeros64(*w)))
			p.marked--
		}
	}
}

// spare is how many were given back, and inUse how many are taken.
func (p *pool[T]) spare() int { return len(p.free) + p.marked }
func (p *pool[T]) inUse() int { return int(p.n) - p.spare() }
