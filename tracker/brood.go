package tracker

import "math"

// brood names the embryos in the order in which they run out: that in which they
// came, as long as time does not run backwards. Of a flood there are so many that
// to keep them in order as other alarms are would cost more than all else about
// them. One that something came of is named until its turn comes.
type brood struct {
	litters     pool[litter]
	first, last uint32 // index plus one
	at          uint32 // how many of the first are gone
	due         int64  // of the one whose turn is next; MaxInt64: there is none
	latest      int64  // due of the last
	touched     uint64 // keeps what is fetched from being optimised away
}

// litter is some of them.
type litter struct {
	all  [litterSize]expected
	n    uint32
	next uint32 // index plus one
}

const litterSize = 62

// expected is an embryo that is waited for.
type expected struct {
	id   uint64
	ref  ref
	hash uint32
}

// add names one. It reports whether it could: not if it runs out before another
// that came before it.
func (b *brood) add(due int64, x expected) bool {
	switch {
	case b.first == 0:
		b.due = due
	case due < b.latest:
		return false
	}
	b.latest = due
	if b.last == 0 || b.litters.at(b.last-1).n == litterSize {
		i := b.litters.take() + 1
		if b.last == 0 {
			b.first = i
		} else {
			b.litters.at(b.last - 1).next = i
		}
		b.last = i
	}
	l := b.litters.at(b.last - 1)
	l.all[l.n] = x
	l.n++
	return true
}

// head is the one whose turn is next. There has to be one.
func (b *brood) head() *expected { return &b.litters.at(b.first - 1).all[b.at] }

// pop takes it away, and those behind it of which something came.
func (b *brood) pop(of *table) {
	for {
		l := b.litters.at(b.first - 1)
		if b.at++; b.at == l.n {
			i, next := b.first-1, l.next
			b.litters.put(i)
			b.at = 0
			if b.first = next; next == 0 {
				b.last, b.due = 0, math.MaxInt64
				return
			}
			l = b.litters.at(next - 1)
		}
		if b.at%fetched == 0 {
			b.touched += of.touchEmbryos(l.all[b.at:min(b.at+fetched, l.n)])
		}
		if x := of.waits(&l.all[b.at]); x != nil {
			b.due = x.due()
			return
		}
	}
}

// waits returns the embryo, nil if something came of it.
func (t *table) waits(a *expected) *embryo {
	if x := t.embryos.at(a.ref&indexMask - 1); x.frame != 0 && x.id == a.id {
		return x
	}
	return nil
}

// fetched is how many are fetched at a time.
const fetched = 16

// touchEmbryos reads what their end touches. What it returns means nothing.
func (t *table) touchEmbryos(all []expected) (n uint64) {
	for i := range all {
		x := t.embryos.at(all[i].ref&indexMask - 1)
		n += x.frame + uint64(x.vlan) + uint64(t.near(all[i].hash))
	}
	return n
}

// runOut ends the embryo whose turn is next, if it still waits.
func (t *Tracker) runOut() {
	a, due := *t.brood.head(), t.brood.due
	if t.table.waits(&a) != nil {
		t.begin(0)
		t.k.now = due
		t.instant.phase, t.instant.at, t.instant.id = ringing, due, a.id
		t.expireEmbryo(a.ref, a.hash, due)
	}
	t.brood.pop(&t.table)
}

// before reports whether the turn of the one that is next comes before an alarm.
func (b *brood) before(a *alarm) bool {
	return b.due < a.due || b.due == a.due && b.head().id < a.id
}

// nextDue is a time before which nothing is due.
func (t *Tracker) nextDue() int64 { return min(t.alarms.next(), t.brood.due) }
