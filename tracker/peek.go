package tracker

import "math"

// A live capture is looked at while it goes on. What is looked at stays as it is: the
// lives go on, and are told of when they are over as if nobody had looked.

// Peek tells o, by Case, Life and SilentCase, SilentLife, of the lives that were not told
// of yet, as they stand: of all that go on, and of those that are over if a segment of theirs
// came at since or later (ns). Each case comes right before its life. Their order is nobody's
// business. It may be called between batches, when none are in flight.
func (p *Parallel) Peek(since int64, o Observer) { p.look(since, nil, o) }

// PeekAt is Peek for the lives of one number alone.
func (p *Parallel) PeekAt(id uint64, o Observer) {
	p.look(math.MinInt64, func(x uint64) bool { return x == id }, o)
}

func (p *Parallel) look(since int64, wants func(id uint64) bool, o Observer) {
	if len(p.workers) == 1 {
		p.workers[0].look(since, wants, o)
		return
	}
	x := o
	if o.Case != nil {
		x.Case = func(c *Case) {
			l := *c.Life
			p.rename(&l)
			c.Life = &l
			o.Case(c)
		}
	}
	if o.Life != nil {
		x.Life = func(l *Life) {
			p.rename(l)
			o.Life(l)
		}
	}
	x.SilentCase, x.SilentLife = p.renamed(o.SilentCase), p.renamed(o.SilentLife)
	if by := wants; by != nil {
		wants = func(name uint64) bool { return by(p.of(name)) }
	}
	for _, w := range p.workers {
		w.look(since, wants, x)
	}
}

func (t *Tracker) look(since int64, wants func(id uint64) bool, o Observer) {
	obs, totals := t.obs, t.totals // a case that cannot be told counts as evicted
	tell := func(id uint64, at ref) {
		if wants == nil || wants(id) {
			t.tellLeft(leftover{at: at}, true, o)
			t.tellLeft(leftover{at: at}, false, o)
		}
	}
	for slot := range t.table.entries.n {
		c := &t.table.at(slot).conn
		if c.mode&(begun|reported) == begun && (c.last >= since || !c.settled()) {
			tell(c.id, slot+1)
		}
	}
	t.table.eachParcel(func(r ref, p parcel) { tell(p.id(), r) })
	for i := range t.table.sketches.n {
		k := t.table.sketches.at(i)
		if k.n != 0 && (k.last >= since || !t.stages.all[k.stage].settled) {
			tell(k.id, kindSketch|(i+1))
		}
	}
	for i := range t.table.embryos.n {
		if x := t.table.embryos.at(i); x.frame != 0 {
			tell(x.id, kindEmbryo|(i+1))
		}
	}
	t.obs, t.totals = obs, totals
}

// Roles counts the endpoints that are followed, by state and role (Client, Server). A state
// that is presumed counts as any other. Residues of lives count where TIME-WAIT runs. It may
// be called when Peek may.
func (p *Parallel) Roles() (n [NumStates][2]uint64) {
	for _, w := range p.workers {
		w.roles(&n)
	}
	return n
}

func (t *Tracker) roles(n *[NumStates][2]uint64) {
	add := func(client uint8, states [2]State) {
		n[states[client]][Client]++
		n[states[client^1]][Server]++
	}
	for slot := range t.table.entries.n {
		c := &t.table.at(slot).conn
		if c.mode&begun == 0 {
			continue
		}
		if c.Key.Self() {
			n[c.ends[0].state()][Client]++ // it is both, and one endpoint
			continue
		}
		add(c.client&1, [2]State{c.ends[0].state(), c.ends[1].state()})
	}
	t.table.eachParcel(func(r ref, _ parcel) {
		slot := t.open(r)
		c := &t.table.at(slot).conn
		add(c.client&1, [2]State{c.ends[0].state(), c.ends[1].state()})
		t.shut(slot)
	})
	for i := range t.table.sketches.n {
		if k := t.table.sketches.at(i); k.n != 0 {
			ends := &t.outline(k).life.Ends
			n[ends[Client].State][Client]++
			n[ends[Server].State][Server]++
		}
	}
	for i := range t.table.embryos.n {
		if t.table.embryos.at(i).frame != 0 {
			n[SynSent][Client]++
			n[Closed][Server]++
		}
	}
	for i := range t.table.residues.n {
		s := t.table.residues.at(i)
		if s.who == 0 {
			continue
		}
		if x := &t.table.shapes.all[s.who>>idBits]; x.holder < 2 {
			role := Server
			if x.holder == x.client&1 {
				role = Client
			}
			n[TimeWait][role]++
		}
	}
}
