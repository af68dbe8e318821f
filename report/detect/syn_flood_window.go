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
	by    [][]attemptSlot
	n     int // slots
	full  bool
}

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
		a.by = append(a.by, nil)
	}
	l := &a.by[server-1]
	for {
		slot := floor(at, a.width)
		i := since(*l, slot)
		switch {
		case i < len(*l) && (*l)[i].slot == slot:
		case a.n < maxSlots:
			*l = slices.Insert(*l, i, attemptSlot{slot: slot})
			a.n++
		case a.full:
			return
		default:
			a.double()
			continue
		}
		(*l)[i].add(attemptCount{1, uint32(one(completed)), uint32(one(open))})
		return
	}
}

// since is the index of the first slot of a listener from that one on: mostly the
// latest.
func since(l []attemptSlot, slot int64) int {
	k := len(l)
	switch {
	case k == 0 || l[k-1].slot < slot:
		return k
	case l[k-1].slot == slot:
		return k - 1
	}
	return sort.Search(k, func(i int) bool { return l[i].slot >= slot })
}

// double makes slots twice as wide. Where that gains little, there are too many
// listeners, as in a scan: those that come later are not counted.
func (a *attemptEnds) double() {
	a.width *= 2
	a.n = 0
	for i, l := range a.by {
		joined := l[:0]
		for _, s := range l {
			s.slot = floor(s.slot, 2)
			if k := len(joined); k > 0 && joined[k-1].slot == s.slot {
				joined[k-1].add(s.attemptCount)
			} else {
				joined = append(joined, s)
			}
		}
		a.by[i] = joined
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
	l := a.by[server-1]
	for _, s := range l[since(l, floor(from, a.width)):] {
		if s.slot > floor(to, a.width) {
			break
		}
		n.add(s.attemptCount)
	}
	return n
}
