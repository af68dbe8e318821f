package tracker

import "tcpstate/capture"

// table finds the newest life of a 4-tuple: open addressing over small buckets,
// the connections themselves in a slab without pointers, so that the garbage
// collector has nothing to walk.
type table struct {
	cells []bucket // length a power of two
	used  int
	slab  [][]entry
	n     uint32 // entries in use
}

type bucket struct {
	hash uint32
	slot uint32 // index in the slab plus one; 0 is free
}

// entry is a connection and what numbers and timers need beside it.
type entry struct {
	conn   Conn
	stream StreamBase
	whole  Completeness
	zeek   zeekConn
	queued int64 // due of the alarm that stands for it, 0 none
	endAt  int64 // when both ends were CLOSED
	endFr  uint64
	held   held // what of it Usage counts
}

const slabSize = 256

func (t *table) at(slot uint32) *entry { return &t.slab[slot/slabSize][slot%slabSize] }

// find returns the slot of the key's newest life.
func (t *table) find(k *capture.Key, hash uint32) (uint32, bool) {
	if len(t.cells) == 0 {
		return 0, false
	}
	mask := uint32(len(t.cells) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		c := t.cells[i]
		if c.slot == 0 {
			return 0, false
		}
		if c.hash == hash && t.at(c.slot-1).conn.Key == *k {
			return c.slot - 1, true
		}
	}
}

// add makes room for a key that is not there.
func (t *table) add(k *capture.Key, hash uint32) uint32 {
	if t.used*4 >= len(t.cells)*3 {
		t.grow()
	}
	slot := t.n
	if int(slot/slabSize) == len(t.slab) {
		t.slab = append(t.slab, make([]entry, slabSize))
	}
	t.n++
	t.put(bucket{hash, slot + 1})
	t.used++
	t.at(slot).conn.Key = *k
	return slot
}

func (t *table) put(c bucket) {
	mask := uint32(len(t.cells) - 1)
	i := c.hash & mask
	for t.cells[i].slot != 0 {
		i = (i + 1) & mask
	}
	t.cells[i] = c
}

func (t *table) grow() {
	old := t.cells
	t.cells = make([]bucket, max(1024, 2*len(old)))
	for _, c := range old {
		if c.slot != 0 {
			t.put(c)
		}
	}
}
