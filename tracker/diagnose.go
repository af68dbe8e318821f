package tracker

// books are the notebooks of all connections, by slot; kept only where cases
// are asked for.
type books [][]notebook

func (b *books) at(slot uint32) *notebook {
	for int(slot/slabSize) >= len(*b) {
		*b = append(*b, make([]notebook, slabSize))
	}
	return &(*b)[slot/slabSize][slot%slabSize]
}

// tell tells of a life as a case, where cases are asked for.
func (t *Tracker) tell(l *Life, e *entry, slot uint32) {
	if t.obs.Case == nil {
		return
	}
	n := t.books.at(slot)
	c := &e.conn
	k := &t.told
	*k = Case{Life: l, Signs: n.signs | SignLife, Idle: n.idle, IdleFrames: n.idleFrames, Now: t.now,
		Trail: Trail{Events: k.Trail.Events[:0], Missing: n.missing, Quotes: k.Trail.Quotes[:0]}}
	for i := range k.Ends {
		side := c.client ^ uint8(i)
		if c.Key.Self() {
			side = uint8(i)
		}
		k.Ends[i] = n.acct[side].final(c.at(side), n.lastAt)
	}
	k.Signs |= c.signs(l)
	for i := n.head; i != 0; {
		b := t.trails.at(i)
		for j := range b.ev[:b.n] {
			ev := b.ev[j]
			if n.holed && j == 0 && i == t.trails.at(n.keep).next {
				ev.What |= Holed
			}
			if ev.Frame < c.firstFrame {
				ev.What |= Earlier
			}
			ev.byRole(c)
			k.Trail.Events = append(k.Trail.Events, ev)
		}
		i = b.next
	}
	for _, q := range n.quotes[:n.nquotes] {
		k.Trail.Quotes = append(k.Trail.Quotes, t.trails.errors[q-1])
	}
	t.obs.Case(k)
}

// byRole turns sides of the Key into roles.
func (e *Event) byRole(c *Conn) {
	if c.client != 0 && !c.Key.Self() {
		e.From ^= 1
		e.before[0], e.before[1] = e.before[1], e.before[0]
		e.after[0], e.after[1] = e.after[1], e.after[0]
	}
}

// signs are those that the whole life shows.
func (c *Conn) signs(l *Life) (s Sign) {
	cl, sv := c.at(c.client), c.at(c.client^1)
	for _, x := range [...]struct {
		is   bool
		sign Sign
	}{
		{cl.is(sentSyn), SignSyn},
		{c.notes.doneAt != 0, SignDone},
		{c.notes.firstFin != 0, SignFin},
		{c.notes.firstFin != 0 && c.notes.secondFin == 0, SignHalf},
		{cl.count.packets == 0 || sv.count.packets == 0, SignOneSided},
		{c.Key.Self(), SignSelf},
		{cl.is(sentSyn) && sv.is(sentSyn) && !c.Key.Self(), SignBothOpened},
		{!l.Ended, SignOpen},
	} {
		if x.is {
			s |= x.sign
		}
	}
	return s
}
