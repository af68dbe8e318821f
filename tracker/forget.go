package tracker

import "math"

// A capture that goes on for ever cannot remember every life. Under Config.Forget a
// folded one of which both ends are CLOSED, and of which nothing was seen for so long, is
// as if it had never been: what comes of its tuple begins a new number. (A SYN does so
// in any case.) That is decided when it comes, to the nanosecond. In the background such
// lives are sought and their room is given back, some at a time as time goes. They are not
// counted as evicted: they do not go for want of room, and nobody is told less.

// forgets is how far that has come.
type forgets struct {
	at                 int64 // the time up to which it was done
	begun              bool
	residues           uint32  // the latest that was looked at
	stubs              uint32  // likewise
	moreRes, moreStubs float64 // how many are to be looked at next
	shapes             int     // how many there may be before those in use are sought
}

const (
	// sweeps is how often all that is folded is looked at within Config.Forget: what is
	// to be forgotten is held for a quarter longer at the most.
	sweeps = 4
	// fewShapes are not worth to be looked at.
	fewShapes = 1 << 12
	// fewFree are listed of what is free.
	fewFree = 1 << 14
	// scarce is how much memory is so little that it is asked for by small chunks.
	scarce = 384 << 20
)

// forgetful has t forget.
func (t *Tracker) forgetful() {
	t.bound.strict = true
	for _, most := range []*int{&t.table.stubs.most, &t.table.residues.most, &t.table.embryos.most, &t.table.wide.most} {
		*most = fewFree
	}
	if m := t.cfg.MaxMemory; m > 0 && m < scarce {
		p := &t.table
		for _, small := range []*bool{&p.entries.cut.small, &p.residues.cut.small, &p.stubs.cut.small, &p.ages.cut.small, &p.embryos.cut.small,
			&p.sketches.cut.small, &p.sketches.more.cut.small, &p.parcels.cut.small, &p.wide.cut.small, &t.alarms.agendas.cut.small,
			&t.brood.litters.cut.small, &t.books.cut.small, &t.shelves.cut.small, &t.trails.leaves.cut.small, &t.trails.dossiers.cut.small,
			&t.trails.rares.cut.small} {
			*small = true
		}
	}
	t.forgetfulUsage()
}

// age is when a stub's life ended, in seconds. So few bits are enough: it is looked at
// many times before they come round.
type age uint32

func ageOf(at int64) age { return age(at / second) }

// stub makes a stub of a life that ended at a time, and returns where it is.
func (t *Tracker) stub(s stub, end int64) ref {
	i := t.table.stubs.take()
	*t.table.stubs.at(i) = s
	if t.cfg.Forget > 0 {
		for t.table.ages.n <= i {
			t.table.ages.take()
		}
		*t.table.ages.at(i) = ageOf(end)
	}
	return kindStub | (i + 1)
}

// outlived reports that the life at r is to be forgotten as of a time.
func (t *Tracker) outlived(r ref, now int64) bool {
	i := r&indexMask - 1
	switch r & kindMask {
	case kindResidue:
		return t.table.residueOver(i, now-int64(t.cfg.Forget))
	case kindStub:
		return t.table.stubs.at(i).who != 0 && int32(ageOf(now-int64(t.cfg.Forget))-*t.table.ages.at(i)) > 0
	}
	return false
}

// residueOver reports that the residue i is one of a life that was over before a time.
func (t *table) residueOver(i uint32, before int64) bool {
	s := t.residues.at(i)
	if s.who == 0 || s.at >= before {
		return false
	}
	x := &t.shapes.all[s.who>>idBits]
	return x.holder >= 2 && x.ends[0].closed() && x.ends[1].closed()
}

// closed reports that the end's best estimate is CLOSED.
func (x *endShape) closed() bool {
	return x.depth == 0 || x.path[(x.depth-1)%pathLen].state() == Closed
}

// forgive forgets the life at r.
func (t *Tracker) forgive(r ref, hash uint32) {
	if t.obs.Step != nil {
		i, who := r&indexMask-1, uint64(0)
		if r&kindMask == kindStub {
			who = t.table.stubs.at(i).who
		} else {
			who = t.table.residues.at(i).who
		}
		delete(t.elapsed, who&idMask)
	}
	t.table.remove(hash, r)
	t.drop(r)
}

// forgetOld looks for what is to be forgotten, at as many as the time that went by asks
// for.
func (t *Tracker) forgetOld() {
	t.makeRoom()
	f := &t.forgets
	switch {
	case t.now == math.MinInt64:
		return
	case !f.begun:
		f.begun, f.at = true, t.now
	}
	if t.of <= 1 {
		t.forgetUsage()
	}
	part := float64(t.now-f.at) / (float64(t.cfg.Forget) / sweeps)
	f.at = t.now
	for range owed(&f.moreRes, part, t.table.residues.n) {
		if f.residues++; f.residues >= t.table.residues.n {
			f.residues = 0
		}
		if r := kindResidue | (f.residues + 1); t.outlived(r, t.now) {
			s := t.table.residues.at(f.residues)
			t.sweep(r, &s.name, s.who)
		}
	}
	for range owed(&f.moreStubs, part, t.table.stubs.n) {
		if f.stubs++; f.stubs >= t.table.stubs.n {
			f.stubs = 0
		}
		if r := kindStub | (f.stubs + 1); t.outlived(r, t.now) {
			s := t.table.stubs.at(f.stubs)
			t.sweep(r, &s.name, s.who)
		}
	}
	t.forgetShapes()
}

// owed is how many of n are to be looked at, as a part of all and with what was left the
// last time; at the most all.
func owed(left *float64, part float64, n uint32) uint32 {
	more := min(*left+part*float64(n), float64(n))
	whole := uint32(more)
	*left = more - float64(whole)
	return whole
}

// sweep forgets a folded life.
func (t *Tracker) sweep(r ref, n *name, who uint64) {
	k := t.table.key(n, t.table.shapes.all[who>>idBits].v6)
	t.forgive(r, k.Hash())
}

// forgetShapes gives up the shapes that no folded life has any more, once there are many:
// a tuple that lives again and again makes a new one each time.
func (t *Tracker) forgetShapes() {
	g := &t.table.shapes
	limit := max(fewShapes, t.forgets.shapes)
	if len(g.all)-len(g.free) < limit {
		return
	}
	used := make([]bool, len(g.all))
	used[0] = true
	for i := range t.table.residues.n {
		used[t.table.residues.at(i).who>>idBits] = true
	}
	for i := range t.table.stubs.n {
		used[t.table.stubs.at(i).who>>idBits] = true
	}
	for _, st := range t.stages.all {
		if st != nil {
			for _, of := range st.outline.shape {
				for _, i := range of {
					used[i] = true
				}
			}
		}
	}
	for i := range t.silence {
		for _, of := range t.silence[i] {
			for k := range of {
				used[of[k].shape] = true
			}
		}
	}
	g.keep(used)
	t.forgets.shapes = 2 * (len(g.all) - len(g.free))
}

// keep gives up those that are not used.
func (s *shapes) keep(used []bool) {
	s.free = s.free[:0]
	for i := len(used) - 1; i > 0; i-- {
		if !used[i] {
			delete(s.index, s.all[i])
			s.all[i] = shape{}
			s.free = append(s.free, uint32(i))
		}
	}
	s.last, s.at = s.all[0], 0
}
