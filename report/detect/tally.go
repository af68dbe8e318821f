package detect

import "math"

// tally counts by key, such that what is counted often or was counted lately is
// there at the end. A small part that is in use lies where the processor finds it
// soon; what leaves it, those with the least first, goes to a log of which the
// latest entries are kept. Where many keys were counted once long ago, they are
// forgotten.
type tally struct {
	sets [][4]tallied // tallySets of them, each a line of the processor's cache
	log  []tallied
	next int // of the log, where it is full
	// kept are counts of keys that stay; what leaves the sets is added to them.
	kept  table[[2]uint32]
	stays []uint64             // a bit for each key that stays, shared by some that do not
	total map[uint64][2]uint64 // nil until it is asked for
}

const (
	tallySets = 1 << 10
	maxLogged = 1 << 15
)

// tallied are two numbers of a key; both 0 where there is none.
type tallied struct {
	key uint64
	n   [2]uint32
}

// add adds numbers, not both 0, to those of a key.
func (t *tally) add(key uint64, a, b uint64) {
	if t.sets == nil {
		t.sets = make([][4]tallied, tallySets)
	}
	set := &t.sets[place(key, tallySets)]
	least := &set[0]
	for i := range set {
		x := &set[i]
		if x.key == key {
			plus(&x.n, a, b)
			return
		}
		if uint64(x.n[0])+uint64(x.n[1]) < uint64(least.n[0])+uint64(least.n[1]) {
			least = x
		}
	}
	t.spill(least)
	*least = tallied{key: key}
	plus(&least.n, a, b)
}

// fetch reads from where a key is counted, see fetcher.
func (t *tally) fetch(key uint64) uint64 {
	if t.sets == nil {
		return 0
	}
	return t.sets[place(key, tallySets)][0].key
}

func plus(n *[2]uint32, a, b uint64) {
	n[0] = uint32(min(uint64(n[0])+a, math.MaxUint32))
	n[1] = uint32(min(uint64(n[1])+b, math.MaxUint32))
}

// spill takes what leaves the sets.
func (t *tally) spill(x *tallied) {
	switch {
	case x.n == [2]uint32{}:
		return
	case t.mayStay(x.key):
		if n := t.kept.find(x.key); n != nil {
			plus(n, uint64(x.n[0]), uint64(x.n[1]))
			return
		}
	}
	if len(t.log) < maxLogged {
		t.log = append(roomy(t.log, maxLogged), *x)
		return
	}
	t.log[t.next] = *x
	t.next = (t.next + 1) % maxLogged
}

// keep says that what is counted of a key from now on stays.
func (t *tally) keep(key uint64) {
	t.kept.at(key)
	if t.stays == nil {
		t.stays = make([]uint64, stayBits/64)
	}
	i := place(key, stayBits)
	t.stays[i/64] |= 1 << (i % 64)
}

// mayStay reports whether a key may be one that stays: of most that leave the sets this
// is answered from a few lines of memory.
func (t *tally) mayStay(key uint64) bool {
	if t.stays == nil {
		return false
	}
	i := place(key, stayBits)
	return t.stays[i/64]>>(i%64)&1 != 0
}

// stayBits is several times as many as keys stay in most captures.
const stayBits = 1 << 17

// of returns what is known of a key at the end.
func (t *tally) of(key uint64) [2]uint64 {
	if t.total == nil {
		t.total = make(map[uint64][2]uint64, len(t.log))
		sum := func(key uint64, n [2]uint32) {
			x := t.total[key]
			t.total[key] = [2]uint64{x[0] + uint64(n[0]), x[1] + uint64(n[1])}
		}
		for i := range t.sets {
			for _, x := range t.sets[i] {
				sum(x.key, x.n)
			}
		}
		for _, x := range t.log {
			sum(x.key, x.n)
		}
		for i := range t.kept.slots {
			sum(t.kept.slots[i].key, t.kept.slots[i].v)
		}
	}
	return t.total[key]
}
