package detect

import (
	"slices"
	"sort"
)

// attemptEnds counts, for each listener and each short slot of time, the
// attempts that began in it, and what became of them. Slots become wider where
// there come to be too many.
type attemptEnds struct {
	width int64 // of a slot, ns
	by    []attemptSlots
	n     int // slots
	full  bool
}

// attemptSlots are those of one listener.
type attemptSlots struct {
	latest attemptSlot
	before []attemptSlot // by time
}

func (l *attemptSlots) some() bool { return l.latest.began > 0 }

// maxSlots bounds the slots of all listeners.
const maxSlots = 1 << 16

// attemptSlot counts what began in one slot.
type attemptSlot struct {
	slot int64
	attemptCount
}

// attemptCount counts attempts: all, those that completed, and those of which it
// is not known yet.
type attemptCount struct{ began, completed, open uint32 }

func (n *attemptCount) add(m attemptCount) {
	n.began += m.began
	n.completed += m.completed
	n.open += m.open
}

// add counts an attempt on a listener, by the index of its service plus one.
func (a *attemptEnds) add(server uint32, at int64, completed, open bool) {
	if server == 0 {
		return
	}
	for int(server) > len(a.by) {
		a.by = append(a.by, attemptSlots{})
	}
	n := attemptCount{1, uint32(one(completed)), uint32(one(open))}
	for !a.by[server-1].add(floor(at, a.width), n, a) {
		if a.full {
			return
		}
		a.double()
	}
}

// add counts in a slot. It reports false where there is no room for a new one.
func (l *attemptSlots) add(slot int64, n attemptCount, a *attemptEnds) bool {
	if l.some() && l.latest.slot == slot {
		l.latest.add(n)
		return true
	}
	i := 0
	if l.some() && slot < l.latest.slot {
		// Of a life that ended long after this.
		if i = lately(l.before, slot); i < len(l.before) && l.before[i].slot == slot {
			l.before[i].add(n)
			return true
		}
	}
	if a.n >= maxSlots {
		return false
	}
	a.n++
	x := attemptSlot{slot, n}
	switch {
	case !l.some():
		l.latest = x
	case slot < l.latest.slot:
		l.before = slices.Insert(l.before, i, x)
	default:
		l.before, l.latest = append(l.before, l.latest), x
	}
	return true
}

// since is the index of the first slot from that one on.
func since(l []attemptSlot, slot int64) int {
	return sort.Search(len(l), func(i int) bool { return l[i].slot >= slot })
}

// lately is since for a slot that most likely is not long ago.
func lately(l []attemptSlot, slot int64) int {
	i := len(l)
	for range 8 {
		if i == 0 || l[i-1].slot < slot {
			return i
		}
		i--
	}
	return since(l[:i], slot)
}

// double makes slots twice as wide. Where that gains little, there are too many
// listeners, as in a scan: those that come later are not counted.
func (a *attemptEnds) double() {
	a.width *= 2
	a.n = 0
	for i := range a.by {
		l := &a.by[i]
		if !l.some() {
			continue
		}
		all := append(l.before, l.latest)
		joined := all[:0]
		for _, s := range all {
			s.slot = floor(s.slot, 2)
			if k := len(joined); k > 0 && joined[k-1].slot == s.slot {
				joined[k-1].add(s.attemptCount)
			} else {
				joined = append(joined, s)
			}
		}
		k := len(joined) - 1
		l.latest, l.before = joined[k], joined[:k]
		a.n += len(joined)
	}
	a.full = a.n > maxSlots/2
}

// between counts the attempts that began from one time to another, in whole
// slots.
func (a *attemptEnds) between(server uint32, from, to int64) (n attemptCount) {
	if server == 0 || int(server) > len(a.by) {
		return n
	}
	l := &a.by[server-1]
	from, to = floor(from, a.width), floor(to, a.width)
	for _, s := range l.before[since(l.before, from):] {
		if s.slot <= to {
			n.add(s.attemptCount)
		}
	}
	if l.some() && l.latest.slot >= from && l.latest.slot <= to {
		n.add(l.latest.attemptCount)
	}
	return n
}
