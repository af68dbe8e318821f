package tracker

import (
	"cmp"
	"math"
	"slices"
)

// Finish ends the capture at its last packet's time: lives that are over are
// reported by when they ended, then those still open by id; all cases come before
// all lives. The tracker is
// then spent.
func (t *Tracker) Finish() {
	order := t.left(make([]leftover, 0, t.leave()), 0)
	t.close()
	sortLeft(order)
	for _, x := range order {
		t.tellLeft(x, true, t.obs)
	}
	if t.obs.Cases != nil {
		t.obs.Cases()
	}
	for _, x := range order {
		t.tellLeft(x, false, t.obs)
	}
}

// leftover is a life that was not reported yet when the capture ended.
type leftover struct {
	endAt  int64 // MaxInt64 if it is not over
	endFr  uint64
	id     uint64
	at     ref
	worker uint32
}

// leave is how many lives are left at the most.
func (t *Tracker) leave() int { return t.table.lives() + t.table.embryos.inUse() }

// close gives up what is of no use once it is known who is left: where there are many, to
// tell of them takes as much.
func (t *Tracker) close() {
	b := &t.table
	b.parts, b.fresh, b.cells = [tableParts]part{}, [32][]bucket{}, 0
	b.residues, b.stubs, b.ages = pool[residue]{}, pool[stub]{}, pool[age]{}
	t.alarms, t.folds, t.brood = alarms{}, alarms{}, brood{}
}

// left appends the lives that are left.
func (t *Tracker) left(all []leftover, worker int) []leftover {
	for slot := range t.table.entries.n {
		e := t.table.at(slot)
		if e.conn.mode&(begun|reported) != begun {
			continue
		}
		x := leftover{math.MaxInt64, 0, e.conn.id, slot + 1, uint32(worker)}
		if e.conn.mode&ended != 0 {
			x.endAt, x.endFr = e.endAt, e.endFr
		}
		all = append(all, x)
	}
	t.table.eachParcel(func(r ref, p parcel) {
		all = append(all, leftover{math.MaxInt64, 0, p.id(), r, uint32(worker)})
	})
	for i := range t.table.sketches.n {
		k := t.table.sketches.at(i)
		if k.n == 0 {
			continue
		}
		x := leftover{math.MaxInt64, 0, k.id, kindSketch | (i + 1), uint32(worker)}
		if t.stages.all[k.stage].over {
			x.endAt, x.endFr = k.ended()
		}
		all = append(all, x)
	}
	for i := range t.table.embryos.n {
		if x := t.table.embryos.at(i); x.frame != 0 {
			all = append(all, leftover{math.MaxInt64, 0, x.id, kindEmbryo | (i + 1), uint32(worker)})
		}
	}
	return all
}

// tellLeft tells o of a life that is left: its case, or the life itself. Both
// are worked out twice, for to keep them all would take their memory once more.
func (t *Tracker) tellLeft(x leftover, asCase bool, o Observer) {
	if asCase && o.Case == nil || !asCase && o.Life == nil {
		return
	}
	if asCase {
		o.Life = nil
	} else {
		o.Case = nil
	}
	slot := x.at - 1
	switch x.at & kindMask {
	case kindSketch:
		k := t.table.sketches.at(x.at&indexMask - 1)
		if t.account(k) || !asCase {
			t.tellSketch(k, o)
		} else {
			t.recount(k, o)
		}
		return
	case kindParcel:
		slot = t.open(x.at)
		defer t.shut(slot)
	case kindEmbryo:
		y := t.table.embryos.at(x.at&indexMask - 1)
		if t.tellEmbryo(y, asCase, &o) {
			return
		}
		slot = t.gestate(y, 0)
		defer t.release(slot)
	}
	e := t.table.at(slot)
	t.last = t.life(e)
	if asCase {
		t.obs.Case = o.Case
		t.tell(&t.last, e, slot)
	} else {
		o.Life(&t.last)
	}
}

// sortLeft puts them in the order of their reports.
func sortLeft(all []leftover) {
	slices.SortFunc(all, func(a, b leftover) int {
		return cmp.Or(cmp.Compare(a.endAt, b.endAt), cmp.Compare(a.endFr, b.endFr), cmp.Compare(a.id, b.id))
	})
}
