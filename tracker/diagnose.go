package tracker

import "tcpstate/capture"

// books are the notebooks of all connections, by slot; kept only where cases
// are asked for.
type books struct {
	slabs [][]notebook
	cut   cut[notebook]
}

func (b *books) at(slot uint32) *notebook {
	for int(slot/slabSize) >= len(b.slabs) {
		b.slabs = append(b.slabs, b.cut.next(slabSize, len(b.slabs)))
	}
	return &b.slabs[slot/slabSize][slot%slabSize]
}

// tell tells of a life as a case, where cases are asked for.
func (t *Tracker) tell(l *Life, e *entry, slot uint32) {
	if t.obs.Case == nil {
		return
	}
	n, p := t.books.at(slot), &t.trails
	if n.marks&untold != 0 {
		t.totals.Evicted++
		return
	}
	var g *page
	var d *dossier
	if n.marks&opened != 0 {
		d = p.dossiers.at(n.head - 1)
	} else {
		g = p.look(n)
	}
	t.tellCase(l, &e.conn, n.signs, n.carry != 0, d, g)
}

// tellCase tells of a life of which there is a dossier, or a page. carry is whether
// something of a life before is on that.
func (t *Tracker) tellCase(l *Life, c *Conn, signs Sign, carry bool, d *dossier, g *page) {
	k, p := &t.told, &t.trails
	k.Life, k.Signs, k.FinAt, k.Now = l, signs|SignLife|c.signs(l), c.notes.firstFin, t.now
	k.Trail.Events, k.Trail.Quotes, k.Trail.Missing = k.Trail.Events[:0], k.Trail.Quotes[:0], 0
	if d != nil {
		k.sum(c, &d.course, p.rare(d))
		k.Trail.Missing = d.missing
		for _, q := range d.quotes[:d.nquotes] {
			k.Trail.Quotes = append(k.Trail.Quotes, p.errors[q-1])
		}
	} else {
		k.sum(c, &g.course, nil)
	}
	k.Signs |= opening(&k.Ends) | closing(&k.Ends, l.HalfClosedFor, c.notes.firstFin, c.notes.finFrame, c.notes.crossed)
	switch {
	case d != nil:
		k.Trail.Events = d.trail(p, k.Trail.Events)
	case carry || p.trailFor == 0 || k.Signs&p.trailFor != 0:
		k.Trail.Events = g.noted(k.Trail.Events)
	}
	for i := range k.Trail.Events {
		e := &k.Trail.Events[i]
		if e.Frame < c.firstFrame {
			e.What |= Earlier
		}
		e.byRole(c)
	}
	if len(k.Trail.Events) > 0 && k.Trail.Events[0].Is(Earlier) {
		k.Signs |= SignOpening
	}
	if p.trailFor != 0 && k.Signs&p.trailFor == 0 {
		k.Trail.Events = k.Trail.Events[:0]
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

// fewSegments of one end may be its SYN and its FIN.
const fewSegments = 2

// opening are the signs of both ends' accounts, and of an opening that is worth a
// look: the SYN,ACK left out window scale or SACK although the SYN offered it. So
// it is if the tuple had been used before, or a SYN came that did not begin the
// life: a life without the sign whose SYN was seen began with it.
func opening(ends *[2]Account) (s Sign) {
	a, b := &ends[Client], &ends[Server]
	if a.SynOpts&^b.SynOpts&(capture.OptWScale|capture.OptSACKOK) != 0 {
		s |= SignOpening
	}
	if a.Lost+b.Lost > 0 {
		s |= SignLost
	}
	if !a.Spoke || !b.Spoke || a.Segments <= fewSegments && b.Segments <= fewSegments {
		s |= SignBare
	}
	return s
}

const (
	// Lingers is how long a life is half-closed that shows SignClosing.
	Lingers = 2 * second
	// Still is how long nothing was said before its first FIN.
	Still = 1800 * ms
)

// closing tells whether a close by FIN is worth a look: the FINs crossed, or came
// Lingers apart or more, or the first was not the last thing said. If it came when
// nothing had been said for Still or longer, and that is all, the accounts tell what
// there is to tell: when the last thing was said.
func closing(ends *[2]Account, half, firstFin int64, finFrame uint64, crossed bool) Sign {
	if firstFin == 0 {
		return 0
	}
	a, b := &ends[Client], &ends[Server]
	said := max(a.LastDataAt, b.LastDataAt)
	switch still := said != 0 && firstFin-said >= Still; {
	case crossed || half >= Lingers || said > firstFin, still && max(a.LastDataFrame, b.LastDataFrame) > finFrame:
		return SignClosing
	case still:
		return SignStill
	}
	return 0
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
		{!l.Ended && !c.settled(), SignOpen},
	} {
		if x.is {
			s |= x.sign
		}
	}
	return s
}
