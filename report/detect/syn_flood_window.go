package detect

import "net/netip"

// attemptEnds counts, for each listener and each short slot of time, the
// attempts that began in it, and what became of them. Slots become wider where
// there come to be too many.
type attemptEnds struct {
	width int64 // of a slot, ns
	by    map[attemptSlot]attemptCount
	full  bool
}

type attemptSlot struct {
	server netip.AddrPort
	slot   int64
}

// attemptCount counts attempts: all, those that completed, and those of which it
// is not known yet.
type attemptCount struct{ began, completed, open int }

func (n *attemptCount) add(m attemptCount) {
	n.began += m.began
	n.completed += m.completed
	n.open += m.open
}

func (a *attemptEnds) add(server netip.AddrPort, at int64, completed, open bool) {
	if a.by == nil {
		a.by = map[attemptSlot]attemptCount{}
	}
	k := attemptSlot{server, floor(at, a.width)}
	n, ok := a.by[k]
	for !ok && len(a.by) >= maxItems {
		if a.full {
			return
		}
		a.double()
		k.slot = floor(at, a.width)
		n, ok = a.by[k]
	}
	n.add(attemptCount{1, one(completed), one(open)})
	a.by[k] = n
}

// double makes slots twice as wide. Where that gains little, there are too many
// listeners, as in a scan: those that come later are not counted.
func (a *attemptEnds) double() {
	old := a.by
	a.by = make(map[attemptSlot]attemptCount, len(old)/2)
	a.width *= 2
	for k, n := range old {
		k.slot = floor(k.slot, 2)
		n.add(a.by[k])
		a.by[k] = n
	}
	a.full = len(a.by) > maxItems/2
}

// between counts the attempts that began from one time to another, in whole
// slots.
func (a *attemptEnds) between(server netip.AddrPort, from, to int64) (n attemptCount) {
	for s := floor(from, a.width); s <= floor(to, a.width); s++ {
		n.add(a.by[attemptSlot{server, s}])
	}
	return n
}
