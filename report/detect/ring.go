package detect

// ring keeps the latest values of a bounded number, each with a link to the one
// before it of the same owner. A value's number counts all from 1; the numbers of
// those that had to go lead nowhere.
type ring[V any] struct {
	most int
	all  []linked[V]
	last uint32 // number of the latest
}

type linked[V any] struct {
	v      V
	before uint32
}

// add keeps v in place of the oldest, where there are as many as may be, and
// returns its number. before is that of its owner's latest.
func (r *ring[V]) add(v V, before uint32) uint32 {
	r.last++
	l := linked[V]{v, before}
	if i := r.slot(r.last); i == len(r.all) {
		r.all = append(r.all, l)
	} else {
		r.all[i] = l
	}
	return r.last
}

func (r *ring[V]) slot(n uint32) int { return int((n - 1) % uint32(r.most)) }

// at returns a value by its number, and the number of the one before it; nil
// where it is not there any more.
func (r *ring[V]) at(n uint32) (*V, uint32) {
	if n == 0 || n > r.last || r.last-n >= uint32(r.most) {
		return nil, 0
	}
	l := &r.all[r.slot(n)]
	return &l.v, l.before
}
