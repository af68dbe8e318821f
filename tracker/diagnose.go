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
	n, p := t.books.at(slot), &t.trails
	c := &e.conn
	k := &t.told
	signs := n.signs | SignLife | c.signs(l)
	k.Life, k.Signs, k.Now = l, signs, t.now
	k.Trail.Events, k.Trail.Quotes, k.Trail.Missing = k.Trail.Events[:0], k.Trail.Quotes[:0], 0
	wanted := p.trailFor == 0 || signs&p.trailFor != 0
	if n.marks&opened != 0 {
		d := p.dossiers.at(n.head)
		k.sum(c, &d.course, p.rare(d))
		k.Trail.Missing = d.missing
		if wanted {
			k.Trail.Events = d.trail(p, k.Trail.Events)
		}
		for _, q := range d.quotes[:d.nquotes] {
			k.Trail.Quotes = append(k.Trail.Quotes, p.errors[q-1])
		}
	} else {
		g := p.look(n)
		k.sum(c, &g.course, nil)
		if wanted {
			k.Trail.Events = g.noted(k.Trail.Events)
		}
	}
	for i := range k.Trail.Events {
		e := &k.Trail.Events[i]
		if e.Frame < c.firstFrame {
			e.What |= Earlier
		}
		e.byRole(c)
	}
	t.obs.Case(k)
}

// sum closes the accounts.
func (k *Case) sum(c *Conn, o *course, r *[2]rare) {
	k.Idle, k.IdleFrames = o.idle, o.idleFrames
	for i := range k.Ends {
		side := c.client ^ uint8(i)
		if c.Key.Self() {
			side = uint8(i)
		}
		var more *rare
		if r != nil {
			more = &r[side]
		}
		o.final(&k.Ends[i], side, more, c.at(side))
	}
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
