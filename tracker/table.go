package tracker

import (
	"encoding/binary"
	"math/bits"

	"tcpstate/capture"
)

// table finds the newest life of a 4-tuple: open addressing over small cells,
// the lives themselves in slabs without pointers, so that the garbage collector
// has nothing to walk. A life that goes on is an entry; one that was told is
// folded into a residue (residue.go).
type table struct {
	parts    [tableParts]part
	entries  pool[entry]
	residues pool[residue]
	stubs    pool[stub]
	ages     pool[age] // of the stubs, by their index; with Config.Forget
	embryos  pool[embryo]
	sketches sketches
	parcels  parcels
	wide     pool[addrs]
	shapes   shapes
	cells    int          // of all parts
	crammed  bool         // there is no room for more cells
	fresh    [32][]bucket // what is left of what was made for parts of the same size, by its power of two
}

// A part is the cells of all keys with the same topmost bits of the hash. Parts
// grow one by one, so that growing takes little room at a time, and little time.
type part struct {
	cells []bucket // length a power of two
	used  int      // cells that are not free
}

const (
	tableParts = 64
	partShift  = 32 - 6
)

// bucket is one cell.
type bucket struct {
	hash uint32
	slot uint32 // a ref; 0 is free
}

// ref says where a life is: what kind of thing it is now, and its index plus
// one in the pool of that kind. 0 is nowhere.
type ref = uint32

const (
	kindEntry ref = iota << 29
	kindResidue
	kindStub
	kindEmbryo
	kindParcel
	kindSketch
	kindMask  = 7 << 29
	indexMask = 1<<29 - 1
)

// entry is a connection and what numbers and timers need beside it. What every
// segment touches stands first.
type entry struct {
	stream StreamBase
	whole  Completeness
	queued int64 // due of the alarm that stands for it, 0 none
	foldAt int64 // the frame of the fold queue at which it is looked at, 0 none
	conn   Conn
	hash   uint32
	held   held  // what of it Usage counts
	endAt  int64 // when both ends were CLOSED
	endFr  uint64
	zeek   zeekConn
}

// lives is how many lives are followed.
func (t *table) lives() int { return t.entries.inUse() + t.parcels.used + t.sketches.inUse() }

// inUse is how many lives have a cell.
func (t *table) inUse() (n int) {
	for i := range t.parts {
		n += t.parts[i].used
	}
	return n
}

// blocks is how many cells there are, with those that were made for parts that have none
// of them yet, or no more: those of a size are made together, and go together.
func (t *table) blocks() (n int) {
	var sizes uint64
	for i := range t.parts {
		if k := len(t.parts[i].cells); k >= 1<<10 {
			sizes |= 1 << bits.TrailingZeros(uint(k))
		} else {
			n += k
		}
	}
	for i := range t.fresh {
		if len(t.fresh[i]) > 0 {
			sizes |= 1 << i
		}
	}
	for ; sizes != 0; sizes &= sizes - 1 {
		n += tableParts << bits.TrailingZeros64(sizes)
	}
	return n
}

// at returns the entry in a slot.
func (t *table) at(slot uint32) *entry { return t.entries.at(slot) }

// find returns where the key's newest life is, or 0.
func (t *table) find(k *capture.Key, hash uint32) ref {
	p := &t.parts[hash>>partShift]
	if len(p.cells) == 0 {
		return 0
	}
	mask := uint32(len(p.cells) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		c := p.cells[i]
		if c.slot == 0 {
			return 0
		}
		if c.hash == hash && t.is(c.slot, k) {
			return c.slot
		}
	}
}

// is reports whether the life at r is one of the key.
func (t *table) is(r ref, k *capture.Key) bool {
	if r&kindMask == kindEntry {
		return same(&t.entries.at(r-1).conn.Key, k)
	}
	return t.names(r, k)
}

// same compares keys word by word: == calls a function for a struct of that
// size.
func same(a, b *capture.Key) bool {
	return a.LoPort == b.LoPort && a.HiPort == b.HiPort && a.V6 == b.V6 &&
		binary.LittleEndian.Uint64(a.Lo[:]) == binary.LittleEndian.Uint64(b.Lo[:]) &&
		binary.LittleEndian.Uint64(a.Hi[:]) == binary.LittleEndian.Uint64(b.Hi[:]) &&
		binary.LittleEndian.Uint64(a.Lo[8:]) == binary.LittleEndian.Uint64(b.Lo[8:]) &&
		binary.LittleEndian.Uint64(a.Hi[8:]) == binary.LittleEndian.Uint64(b.Hi[8:])
}

// add makes an entry for a key that is not there, and returns its slot.
func (t *table) add(k *capture.Key, hash uint32) uint32 {
	slot := t.entries.take()
	t.insert(hash, slot+1)
	e := t.entries.at(slot)
	e.conn.Key, e.hash = *k, hash
	return slot
}

func (t *table) insert(hash uint32, r ref) {
	p := &t.parts[hash>>partShift]
	if p.used*4 >= len(p.cells)*3 && (!t.crammed || p.used*16 >= len(p.cells)*15) {
		t.grow(p)
	}
	p.put(bucket{hash, r})
	p.used++
}

// move tells the table that a life is somewhere else now.
func (t *table) move(hash uint32, from, to ref) {
	p := &t.parts[hash>>partShift]
	mask := uint32(len(p.cells) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		if p.cells[i].slot == from {
			p.cells[i].slot = to
			return
		}
	}
}

// remove takes a life out of the table, and closes the gap that it leaves
// in the run of cells (linear probing, Knuth 6.4 algorithm R).
func (t *table) remove(hash uint32, r ref) {
	p := &t.parts[hash>>partShift]
	mask := uint32(len(p.cells) - 1)
	i := hash & mask
	for p.cells[i].slot != r {
		if p.cells[i].slot == 0 {
			return // not of that hash
		}
		i = (i + 1) & mask
	}
	p.used--
	for j := i; ; {
		p.cells[i] = bucket{}
		for {
			j = (j + 1) & mask
			c := p.cells[j]
			if c.slot == 0 {
				return
			}
			home := c.hash & mask
			if (j-home)&mask >= (j-i)&mask {
				p.cells[i] = c
				i = j
				break
			}
		}
	}
}

func (p *part) put(c bucket) {
	mask := uint32(len(p.cells) - 1)
	i := c.hash & mask
	for p.cells[i].slot != 0 {
		i = (i + 1) & mask
	}
	p.cells[i] = c
}

func (t *table) grow(p *part) {
	old := p.cells
	p.cells = t.roomFor(max(16, 2*len(old)))
	t.cells += len(p.cells) - len(old)
	for _, c := range old {
		if c.slot != 0 {
			p.put(c)
		}
	}
}

// roomFor makes n cells. All parts come to the same size at about the same time.
func (t *table) roomFor(n int) []bucket {
	if n < 1<<10 {
		return make([]bucket, n)
	}
	fresh := &t.fresh[bits.TrailingZeros32(uint32(n))]
	if len(*fresh) == 0 {
		*fresh = large[bucket](n * tableParts)
	}
	cells := (*fresh)[:n:n]
	if *fresh = (*fresh)[n:]; len(*fresh) == 0 {
		*fresh = nil // or it would go on to hold what all parts have left
	}
	return cells
}

// near returns what lies in the cell where the search for a hash begins: most
// often what is searched for.
func (t *table) near(hash uint32) ref {
	p := &t.parts[hash>>partShift]
	if len(p.cells) == 0 {
		return 0
	}
	return p.cells[hash&uint32(len(p.cells)-1)].slot
}

// probe returns what is most likely the place of the life with that hash; 0 if there is
// none.
func (t *table) probe(hash uint32) ref {
	p := &t.parts[hash>>partShift]
	if len(p.cells) == 0 {
		return 0
	}
	mask := uint32(len(p.cells) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		if c := p.cells[i]; c.hash == hash || c.slot == 0 {
			return c.slot
		}
	}
}

// touch reads the lines of an entry that a segment touches, so that they are
// under way when they are looked at in earnest, several at a time. What it
// returns means nothing.
func (t *table) touch(r ref) uint64 {
	e := t.entries.at(r - 1)
	c := &e.conn
	a, b := &c.ends[0], &c.ends[1]
	return uint64(e.queued) + uint64(c.last) + uint64(c.notes.firstFin) +
		uint64(a.sp.Nxt) + uint64(a.lastAt) + uint64(a.acks[0]) + a.count.packets + uint64(a.finAt) +
		uint64(b.sp.Nxt) + uint64(b.lastAt) + uint64(b.acks[0]) + b.count.packets + uint64(b.finAt)
}

// touchAll reads the rest of them, too.
func (t *table) touchAll(r ref) uint64 {
	e := t.entries.at(r - 1)
	c := &e.conn
	return t.touch(r) + uint64(c.notes.rtt) + uint64(c.start) + uint64(e.hash) + uint64(c.ends[0].twSince) + uint64(c.ends[1].twSince) +
		uint64(t.near(e.hash))
}
