package tracker

import (
	"math"

	"tcpstate/capture"
)

// Where room gets tight, lives that are over are folded sooner, and what is
// written down of packed lives of which there is nothing to say is given up:
// findings will not know of them. Where it runs out, lives give way. First those
// that are over: the residues of such as are CLOSED, then of such as are in
// TIME-WAIT; of what goes on, what was only begun, strays, and last what has been
// quiet for longest. A life that goes on is reported as it stands and folded, so
// that its segments still find its number and its states; a residue that gives way
// is forgotten, and what comes of its tuple begins a new number. All are counted.
//
// Who gives way is found by looking at some at a time, from where the last look
// ended: nearly the oldest of the least useful, at the cost of no list.

// bound is how much a tracker may hold.
type bound struct {
	memory                int64 // octets
	whole                 int64 // octets that all of it may take, of a file: see thin
	granted               int64 // what memory was before Squeeze
	lives                 int   // entries
	unpacked              int   // entries from which on others are packed
	tight                 bool  // three quarters of the memory are used up
	strict                bool  // for ever: what is made ahead counts, too, and nothing more is made
	hand, residues, stubs uint32
	sketch                uint32
	pack                  uint32
	parcel                uint32
}

// elsewhere is what of Config.MaxMemory is left for everything but lives: what is
// read and not followed yet, findings, the counts of hosts and services.
const elsewhere = 64 << 20

// eachMore is what another tracker has besides: transcripts, batches on their way, and the
// beginnings of each table.
const eachMore = 20 << 20

// evictLook is how many are looked at to find one that gives way.
const evictLook = 64

// set takes the bounds for one of n trackers.
func (b *bound) set(cfg *Config, n int) {
	b.lives, b.memory, b.unpacked = math.MaxInt, math.MaxInt64, math.MaxInt
	if cfg.Unpacked > 0 {
		b.unpacked = max(1, cfg.Unpacked/n)
	}
	if cfg.MaxConnections > 0 {
		b.lives = max(1, cfg.MaxConnections/n)
	}
	if cfg.MaxMemory > 0 {
		b.memory = max(cfg.MaxMemory-elsewhere, cfg.MaxMemory/4) / int64(n)
		if cfg.Forget > 0 {
			// A live capture has more of that: findings that hold, lives that were over
			// lately, and what the collector has not found yet.
			b.memory = max(cfg.MaxMemory/8*5-elsewhere/8*5, cfg.MaxMemory/4) / int64(n)
			b.unpacked = min(b.unpacked, max(1<<10, int(b.memory/8/(entryOctets+notebookOctets))))
		} else {
			b.whole = max((cfg.MaxMemory-elsewhere-int64(n-1)*eachMore)/8*7, cfg.MaxMemory/4) / int64(n)
		}
		b.unpacked = min(b.unpacked, max(1, unpacked/n))
	}
	b.granted = b.memory
}

// Squeeze leaves lives so many octets less than they have, or may have if that is less, but not
// less than an eighth of Config.MaxMemory; for who sees that all else takes more than was
// thought. It may be called between batches, where there is one worker.
func (p *Parallel) Squeeze(octets int64) {
	t := p.workers[0].Tracker
	if b := &t.bound; p.alone && b.strict && b.memory != math.MaxInt64 {
		b.memory = max(min(b.memory, t.octets(true))-octets, min(b.memory, t.cfg.MaxMemory/8))
	}
}

// Ease takes back an eighth of what Squeeze did, where that is not needed any more.
func (p *Parallel) Ease() {
	if b := &p.workers[0].bound; b.memory < b.granted {
		b.memory = min(b.granted, b.memory+max(b.granted/8, 1))
	}
}

// How many octets things take of which there are many; a test holds them to it.
const (
	entryOctets    = 888
	residueOctets  = 56
	stubOctets     = 24
	embryoOctets   = 88
	addrsOctets    = 32
	chunkOctets    = 64
	bucketOctets   = 8
	agendaOctets   = 64
	litterOctets   = 1000
	notebookOctets = 64
	dossierOctets  = 848
	rareOctets     = 768
	leafOctets     = 64
	sketchOctets   = 320
	strokesOctets  = 84
	alarmOctets    = 24
	ageOctets      = 4
)

// octets is how many all lives take, those that gave way included: their room
// is used again. All of it is what is made ahead and what is listed as free, too.
func (t *Tracker) octets(all bool) int64 {
	n := int64(t.table.entries.n)*entryOctets + int64(t.table.residues.n)*residueOctets + int64(t.table.stubs.n)*stubOctets +
		int64(t.table.embryos.n)*embryoOctets + int64(t.table.wide.n)*addrsOctets + int64(t.table.cells)*bucketOctets +
		int64(t.alarms.agendas.n)*agendaOctets + int64(t.brood.litters.n)*litterOctets + int64(t.table.parcels.n)*chunkOctets + int64(t.shelves.n)*notebookOctets +
		int64(t.table.sketches.n)*sketchOctets + int64(t.table.sketches.more.n)*strokesOctets
	if t.obs.Case != nil {
		n += int64(t.table.entries.n)*notebookOctets + int64(t.trails.leaves.used)*leafOctets +
			int64(t.trails.dossiers.n)*dossierOctets + int64(t.trails.rares.n)*rareOctets
	}
	if all {
		n += int64(t.table.ages.n)*ageOctets + int64(cap(t.alarms.far)+cap(t.alarms.now))*alarmOctets +
			int64(t.table.blocks()-t.table.cells)*bucketOctets + int64(t.table.stubs.n+t.table.residues.n+t.table.embryos.n+t.table.wide.n)/8
	}
	return n
}

// makeRoom sees to it, where the octets are used up, that what comes next finds
// room that was used before.
func (t *Tracker) makeRoom() {
	if t.bound.memory == math.MaxInt64 {
		return
	}
	used := t.octets(t.bound.strict)
	t.bound.tight = used > t.bound.memory/4*3
	if t.bound.strict {
		t.cram(used)
		if used >= t.bound.memory {
			t.reserve()
		}
		return
	}
	t.thin()
	if used < t.bound.memory {
		return
	}
	const spare = 1 << foldSpare
	if t.bound.lives == math.MaxInt {
		t.bound.lives = max(spare, t.table.lives()-spare)
	}
	for t.table.lives() > t.bound.lives && t.evict() {
	}
	for t.table.stubs.spare() < spare && t.table.stubs.inUse() > 0 {
		t.forgetStub()
	}
	for t.table.residues.spare() < spare && t.table.residues.inUse() > 0 {
		t.forgetResidue()
	}
}

// thin sees to it that a flood of SYNs that nobody answers, of which each leaves next to
// nothing, leaves room for all that the process has besides: an eighth is what the
// collector has not found yet, and what is in two places while it grows.
func (t *Tracker) thin() {
	b := &t.table
	used := t.octets(true)
	b.crammed = b.stubs.inUse() > b.inUse()/2 && used+2*int64(b.cells)*bucketOctets > t.bound.whole
	if b.crammed {
		for n := b.inUse() - b.room(); n > 0 && b.stubs.inUse() > 0; n-- {
			t.forgetStub()
		}
	}
	if used >= t.bound.whole {
		for b.stubs.spare() < 1<<foldSpare && b.stubs.inUse() > 0 {
			t.forgetStub()
		}
	}
}

// room is how many the cells have room for without more of them. Each part has nearly as
// many as the others.
func (b *table) room() int { return b.cells/4*3 - 1<<foldSpare }

// cram sees to it that the table needs no more cells, where there is no room for twice
// as many.
func (t *Tracker) cram(used int64) {
	b := &t.table
	b.crammed = used+2*int64(b.cells)*bucketOctets > t.bound.memory
	if !b.crammed {
		return
	}
	for n := b.inUse() - b.room(); n > 0; n-- {
		switch {
		case b.stubs.inUse() > 0:
			t.forgetStub()
		case b.residues.inUse() > 0:
			t.forgetResidue()
		case !t.evict():
			return
		}
	}
}

// reserve sees to it that each pool has what the segments of a batch may take of it: then
// none has to grow.
func (t *Tracker) reserve() {
	const spare = capture.BatchSize
	b, p := &t.table, &t.trails
	for b.stubs.spare() < spare && b.stubs.inUse() > 0 {
		t.forgetStub()
	}
	for b.parcels.spare() < 8*spare && b.parcels.used > 0 && t.evictParcel() {
	}
	for (b.sketches.spare() < spare || b.sketches.more.spare() < 2*spare) && b.sketches.inUse() > 0 && t.evictSketch() {
	}
	for b.entries.spare() < spare && b.entries.inUse() > 0 && t.evictEntry() {
	}
	// Entries have most dossiers, and packed lives some.
	few := func() bool { return t.obs.Case != nil && (p.dossiers.spare() < spare || p.rares.spare() < spare) }
	for n := 0; n < spare && few() && b.entries.inUse() > 0 && t.evictEntry(); n++ {
	}
	for n := 0; n < spare && few() && b.parcels.used > 0 && t.evictParcel(); n++ {
	}
	for b.residues.spare() < 2*spare && b.residues.inUse() > 0 {
		t.forgetResidue()
	}
}

// foldSpare is the power of two of how many lives may begin, or be folded, until
// it is looked at again whether there is room.
const foldSpare = 12

// evict folds one life, if there is one that can be. It reports whether it did.
func (t *Tracker) evict() bool {
	if t.table.parcels.used > t.table.entries.inUse() {
		return t.evictParcel()
	}
	if t.table.sketches.inUse() > t.table.entries.inUse() {
		return t.evictSketch()
	}
	return t.evictEntry()
}

// evictEntry is evict, of an entry.
func (t *Tracker) evictEntry() bool {
	var best uint32
	var worth uint64
	found := false
	for i := uint32(0); i < t.table.entries.n && (i < evictLook || !found); i++ {
		slot := t.bound.hand % t.table.entries.n
		t.bound.hand = slot + 1
		e := t.table.at(slot)
		if e.hash == 0 && e.conn.mode == 0 { // free
			continue
		}
		if w := e.conn.worth(); !found || w < worth {
			best, worth, found = slot, w, true
		}
	}
	if !found {
		return false
	}
	e := t.table.at(best)
	goesOn := !e.conn.settled() && e.conn.mode&reported == 0
	if !t.fold(e, best) {
		return false
	}
	if goesOn {
		t.totals.Evicted++
	}
	return true
}

// evictParcel is evict, of a packed life. There has to be one.
func (t *Tracker) evictParcel() bool {
	slot := t.unpack(t.table.parcels.next(&t.bound.parcel))
	if !t.fold(t.table.at(slot), slot) {
		return false
	}
	t.totals.Evicted++
	return true
}

// evictSketch is evict, of a sketch. There has to be one.
func (t *Tracker) evictSketch() bool {
	p := &t.table.sketches
	var best uint32
	var worth uint64
	found := false
	for i := uint32(0); i < p.n && (i < evictLook || !found); i++ {
		at := t.bound.sketch % p.n
		t.bound.sketch = at + 1
		k := p.at(at)
		if k.n == 0 { // free
			continue
		}
		w := min(uint64(k.n), 3)<<62 | k.lastFrame&(1<<62-1)
		if t.stages.all[k.stage].settled {
			w &= 1<<62 - 1
		}
		if !found || w < worth {
			best, worth, found = at, w, true
		}
	}
	if !t.stages.all[p.at(best).stage].settled {
		t.totals.Evicted++
	}
	slot := t.elaborate(kindSketch | (best + 1))
	return t.fold(t.table.at(slot), slot)
}

// worth orders lives by how useful it is to go on with them: by what they are,
// and then by how long ago they were heard of.
func (c *Conn) worth() uint64 {
	class := uint64(3)
	cl, sv := c.at(c.client), c.at(c.client^1)
	switch {
	case c.settled():
		class = 0
	case cl.state() == SynSent && sv.count.packets == 0:
		class = 1
	case cl.depth == 0 || sv.depth == 0 || !cl.is(spoke) && !sv.is(spoke):
		class = 2
	}
	return class<<62 | c.lastFrame&(1<<62-1)
}

// forgetStub forgets a SYN that nobody answered.
func (t *Tracker) forgetStub() {
	p := &t.table.stubs
	for {
		i := t.bound.stubs % p.n
		t.bound.stubs = i + 1
		if s := p.at(i); s.who != 0 {
			t.forget(kindStub|(i+1), &s.name, s.who)
			return
		}
	}
}

// forgetResidue forgets a life that is over; one in TIME-WAIT is taken for
// CLOSED.
func (t *Tracker) forgetResidue() {
	p := &t.table.residues
	var last uint32
	found := false
	for look := uint32(0); look < p.n && (look < evictLook || !found); look++ {
		i := t.bound.residues % p.n
		t.bound.residues = i + 1
		s := p.at(i)
		if s.who == 0 {
			continue
		}
		if !found || s.at < p.at(last).at {
			last, found = i, true
		}
		if t.table.shapes.all[s.who>>idBits].holder >= 2 {
			last = i
			break
		}
	}
	if !found {
		return
	}
	s := p.at(last)
	r := kindResidue | (last + 1)
	if t.table.shapes.all[s.who>>idBits].holder < 2 {
		t.begin(0)
		t.k.now = t.now
		t.instant.phase, t.instant.at, t.instant.id = folding, math.MaxInt64, s.who&idMask
		t.expireFolded(r, s.at)
	}
	t.forget(r, &s.name, s.who)
}

// forget takes a folded life out of the table.
func (t *Tracker) forget(r ref, n *name, who uint64) {
	k := t.table.key(n, t.table.shapes.all[who>>idBits].v6)
	t.table.remove(k.Hash(), r)
	t.drop(r)
	t.totals.Evicted++
}
