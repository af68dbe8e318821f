package tracker

// pool holds things without pointers, named by their index. What is given back
// is taken again first: it is still in the caches.
type pool[T any] struct {
	slab [][]T
	cut  cut[T]
	n    uint32   // made
	free []uint32 // given back
}

// slabSize is how many things a slab has.
const slabSize = 256

func (p *pool[T]) at(i uint32) *T { return &p.slab[i/slabSize][i%slabSize] }

// take returns the index of a thing that is zero.
func (p *pool[T]) take() uint32 {
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
	p.free = append(p.free, i)
}

// inUse is how many are taken.
func (p *pool[T]) inUse() int { return int(p.n) - len(p.free) }
