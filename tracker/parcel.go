package tracker

import (
	"encoding/binary"

	"tcpstate/capture"
)

// Where memory is bounded, only so many of the lives that go on are kept as
// entries as segments keep touching. The others are packed: a third as large, and
// nothing is lost. The next segment or timer unpacks them, which costs some
// microseconds. Which are packed shows nowhere.

// Where Zeek's view of lives is asked for, or what each segment did, none is packed.

// unpacked is how many are not packed under Config.MaxMemory: as entries they
// take 60 MiB.
const unpacked = 1 << 16

// parcel is the first part of a packed life: a header of fixed form, the key, and
// the beginning of what packer writes.
//
//	0   8  when its alarm is due, 0 none
//	8   8  id
//	16  4  index of its notebook among the shelved ones, plus one; 0 none, or shelfUntold
//	20     packer.key, which ends within the part
type parcel []byte

const (
	parcelID    = 8
	parcelShelf = 16
	parcelKey   = 20

	// shelfUntold: the notebook was given up for want of room.
	shelfUntold = 1<<32 - 1
)

func (p parcel) due() int64    { return int64(binary.LittleEndian.Uint64(p)) }
func (p parcel) id() uint64    { return binary.LittleEndian.Uint64(p[parcelID:]) }
func (p parcel) shelf() uint32 { return binary.LittleEndian.Uint32(p[parcelShelf:]) }

// of reports whether it is one of the key.
func (p parcel) of(k *capture.Key) bool {
	b := p[parcelKey:]
	if (b[0] != 0) != k.V6 || binary.LittleEndian.Uint16(b[1:]) != k.LoPort || binary.LittleEndian.Uint16(b[3:]) != k.HiPort {
		return false
	}
	n := 4
	if k.V6 {
		n = 16
	}
	return string(b[5:5+n]) == string(k.Lo[:n]) && string(b[5+n:5+2*n]) == string(k.Hi[:n])
}

// parcels keep packed lives in chains of chunks: a life that is packed again and
// again grows meanwhile, and rooms of its size would be left behind.
type parcels struct {
	pool[chunk]
	used int
}

// chunk is a part of a parcel.
type chunk struct {
	b    [chunkLen]byte
	next uint32 // index plus one, and chunkHead
}

const (
	chunkLen  = 60
	chunkHead = 1 << 31 // of the first one
)

// at returns the first part of the parcel at r; nil if it is none any more.
func (p *parcels) at(r ref) parcel {
	c := p.pool.at(r&indexMask - 1)
	if c.next&chunkHead == 0 {
		return nil
	}
	return c.b[:]
}

// put stores octets, and returns where.
func (p *parcels) put(b []byte) ref {
	p.used++
	head := p.take()
	c := p.pool.at(head)
	c.next = chunkHead
	for n := copy(c.b[:], b); n < len(b); {
		i := p.take()
		c.next |= i + 1
		c = p.pool.at(i)
		n += copy(c.b[:], b[n:])
	}
	return kindParcel | (head + 1)
}

// read appends a parcel's octets, and some more.
func (p *parcels) read(b []byte, r ref) []byte {
	for i := r & indexMask; i != 0; {
		c := p.pool.at(i - 1)
		b = append(b, c.b[:]...)
		i = c.next &^ chunkHead
	}
	return b
}

// drop gives its chunks back.
func (p *parcels) drop(r ref) {
	p.used--
	for i := r & indexMask; i != 0; {
		next := p.pool.at(i-1).next &^ chunkHead
		p.pool.put(i - 1)
		i = next
	}
}

// next returns one from the hand on: by where it lies, not by where the table has it, for
// that hangs on the seed of the hash. There has to be one.
func (p *parcels) next(hand *uint32) ref {
	for {
		i := *hand % p.n
		*hand = i + 1
		if p.pool.at(i).next&chunkHead != 0 {
			return kindParcel | (i + 1)
		}
	}
}

// eachParcel calls f for all.
func (t *table) eachParcel(f func(ref, parcel)) {
	for i := range t.parts {
		for _, c := range t.parts[i].cells {
			if c.slot&kindMask == kindParcel {
				f(c.slot, t.parcels.at(c.slot))
			}
		}
	}
}

// packs reports whether an entry can be packed: it goes on, and waits for
// nothing but segments and its alarm.
func (e *entry) packs() bool {
	return e.foldAt == 0 && e.conn.mode&(begun|reported) == begun
}

// spare packs lives until there is room for another entry, if any can be.
func (t *Tracker) spare() {
	if t.obs.Zeek || t.obs.Step != nil {
		return
	}
	for t.table.entries.inUse() >= t.bound.unpacked && t.pack() {
	}
}

// packLook is how many entries are looked at to find one that has been quiet
// for longer than the others.
const packLook = 8

// pack packs one life. It reports whether it found one.
func (t *Tracker) pack() bool {
	var best uint32
	var since uint64
	for i, n := 0, 0; n < packLook && i < 8*packLook; i++ {
		slot := t.bound.pack % t.table.entries.n
		t.bound.pack = slot + 1
		if e := t.table.at(slot); e.packs() {
			if n++; since == 0 || e.conn.lastFrame < since {
				best, since = slot, e.conn.lastFrame
			}
		}
	}
	if since == 0 {
		return false
	}
	e := t.table.at(best)
	z := packer{b: t.paper[:0]}
	z.u64(uint64(e.queued))
	z.u64(e.conn.id)
	z.u32(0)
	z.key(&e.conn.Key)
	z.entry(e)
	t.paper = z.b
	r := t.table.parcels.put(z.b)
	if t.obs.Case != nil {
		n := t.books.at(best)
		if t.bound.tight && (n.marks&opened == 0 || t.bound.strict) {
			n.forget(&t.trails)
			n.marks = untold
		}
		if n.marks&untold != 0 {
			*n = notebook{}
			binary.LittleEndian.PutUint32(t.table.parcels.at(r)[parcelShelf:], shelfUntold)
		} else if *n != (notebook{}) {
			i := t.shelves.take()
			*t.shelves.at(i) = *n
			*n = notebook{}
			binary.LittleEndian.PutUint32(t.table.parcels.at(r)[parcelShelf:], i+1)
		}
	}
	t.table.move(e.hash, best+1, r)
	if e.queued != 0 {
		t.alarms.add(e.queued, e.conn.id, r)
		t.nextAlarm = min(t.nextAlarm, e.queued)
	}
	t.table.entries.put(best)
	return true
}

// unpack makes an entry of a parcel again, and returns its slot.
func (t *Tracker) unpack(r ref) uint32 {
	t.spare()
	slot := t.open(r)
	e := t.table.at(slot)
	t.table.move(e.hash, r, slot+1)
	if e.queued != 0 {
		t.alarms.add(e.queued, e.conn.id, slot+1)
		t.nextAlarm = min(t.nextAlarm, e.queued)
	}
	if i := t.table.parcels.at(r).shelf(); i != 0 && i != shelfUntold {
		t.shelves.put(i - 1)
	}
	t.table.parcels.drop(r)
	return slot
}

// open fills an entry, which the table does not know yet, from a parcel, whose
// notebook it has from now on.
func (t *Tracker) open(r ref) uint32 {
	t.paper = t.table.parcels.read(t.paper[:0], r)
	p := parcel(t.paper)
	slot := t.table.entries.take()
	e := t.table.at(slot)
	z := packer{b: p[parcelKey:], reading: true}
	e.queued, e.conn.id = p.due(), p.id()
	z.key(&e.conn.Key)
	z.entry(e)
	switch i := p.shelf(); i {
	case 0:
	case shelfUntold:
		t.books.at(slot).marks = untold
	default:
		*t.books.at(slot) = *t.shelves.at(i - 1)
	}
	return slot
}

// shut is the counterpart of open for an entry that was only looked at.
func (t *Tracker) shut(slot uint32) {
	if t.obs.Case != nil {
		*t.books.at(slot) = notebook{}
	}
	t.table.entries.put(slot)
}
