package tracker

// pool holds things without pointers, named by their index. What is given back
// is taken again first: it is still in the caches.
type pool[T any] struct {
	slab [][]T
	rest []T      // of a chunk, for further slabs
	n    uint32   // made
	free []uint32 // given back
}

// slabSize is how many things a slab has. Some slabs are made one by one, for small
// captures; then more at once.
const (
	slabSize  = 256
	smallPool = 16 // slabs
)

func (p *pool[T]) at(i uint32) *T { return &p.slab[i/slabSize][i%slabSize] }

// take returns the index of a thing that is zero.
func (p *pool[T]) take() uint32 {
	if k := len(p.free) - 1; k >= 0 {
		i := p.free[k]
		p.free = p.free[:k]
		return i
	}
	if int(p.n/slabSize) == len(p.slab) {
		p.grow()
	}
	p.n++
	return p.n - 1
}

func (p *pool[T]) grow() {
	if len(p.rest) == 0 {
		n := slabSize
		if len(p.slab) >= smallPool {
			n = max(1, perChunk[T]()/slabSize) * slabSize
		}
		p.rest = large[T](n)
	}
	p.slab = append(p.slab, p.rest[:slabSize:slabSize])
	p.rest = p.rest[slabSize:]
}

// put gives one back.
func (p *pool[T]) put(i uint32) {
	*p.at(i) = *new(T)
	p.free = append(p.free, i)
}

// inUse is how many are taken.
func (p *pool[T]) inUse() int { return int(p.n) - len(p.free) }
