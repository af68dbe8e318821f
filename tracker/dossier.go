package tracker

import (
	"math"
	"math/bits"
)

// dossier is what is written down of a life that is long, or of which there is
// something to say: the trail, the latest segments that may become its context,
// and both ends' accounts.
type dossier struct {
	kept   [maxCarry + 1]Event // one of them is free for the next
	recent [2]uint8            // the latest segment of each side, its index in kept plus one; 0 none
	data   [2]uint8            // the latest with payload
	free   uint8               // the index of the free one
	course
	rare uint32 // room of the accounts' other part, 0 while there is nothing in it

	// The trail: the first blocks on one strip, each of the others on its own, so
	// that they can go one by one.
	pen     pen
	head    uint32
	later   [trailBlocks - trailHead]uint32 // a ring
	first   uint8                           // of the ring
	blocks  uint8
	in      uint8 // events of the last block
	fill    uint8 // octets of its last leaf
	holed   bool  // events are missing after the first blocks
	nquotes uint8
	quotes  [quoteMax]uint32 // index plus one in trails.errors
	missing uint64
	noted   uint64 // frame of the latest event
}

// write notes a segment. plain, notable: see Event.plain and Event.sign;
// opening: one end has not spoken yet; goesOn: it comes after a FIN or RST.
func (d *dossier) write(n *notebook, p *trails, e *Event, xe, ye *Endpoint, was *prior, plain, notable, opening, goesOn bool) {
	x := e.From
	if plain && d.rare == 0 {
		d.plainly(e)
		d.acct[x].joined(e, ye)
	} else {
		if d.rare == 0 {
			d.rare = p.rares.take() + 1
		}
		r := p.rares.at(d.rare - 1)
		more, shown := d.account(e, ledger{&d.acct[x], &r[x]}, ledger{&d.acct[x^1], &r[x^1]}, xe, ye, was)
		n.signs |= shown
		notable = notable || more
	}
	if e.carries() && d.acct[x].DataSegments > 0 {
		n.marks |= sentPayload << x
	}
	if gap := e.Time - d.lastAt; gap >= ms && d.lastAt != 0 {
		e.Idle = uint32(min(gap/ms, math.MaxUint32))
	}
	behind := d.lastFrame > d.noted || d.noted == 0 // something may become context
	if gap, longer := d.since(e); longer && gap >= idleFrom {
		n.signs |= SignIdle
		notable = true
	}
	ends := e.ends()
	switch {
	case notable || ends || e.Is(FirstData) || n.marks&(awaited<<x) != 0:
		if behind {
			d.addContext(p)
		}
		d.add(p, e)
	case opening && d.acct[x].Segments <= openingMax, goesOn:
		d.add(p, e)
	}
	n.mark(e, notable || ends)
	d.remember(e)
}

// blank is where the next event is made up, so that it need not be copied: one of
// those kept that is free. What it was has to be overwritten.
func (d *dossier) blank() *Event { return &d.kept[d.free] }

// remember keeps a segment that may become context; e is d.blank().
func (d *dossier) remember(e *Event) {
	if e.What&Odd != 0 {
		return
	}
	d.recent[e.From] = d.free + 1
	if e.carries() {
		d.data[e.From] = d.free + 1
	}
	used := uint8(1)<<d.recent[0] | 1<<d.recent[1] | 1<<d.data[0] | 1<<d.data[1] | 1
	d.free = uint8(bits.TrailingZeros8(^used)) - 1
}

// add appends an event to the trail.
func (d *dossier) add(p *trails, e *Event) {
	switch {
	case d.blocks == 0:
		d.blocks = 1
		d.pen = p.pen(e)
	case d.in == blockLen:
		if d.blocks == trailBlocks {
			p.leaves.put(d.later[d.first])
			d.first = (d.first + 1) % uint8(len(d.later))
			d.missing += blockLen
			p.missing += blockLen
			d.blocks--
			d.holed = true
		}
		d.blocks++
		d.in = 0
		if d.blocks > trailHead {
			d.pen = p.pen(e)
		}
	}
	var b [maxEvent]byte
	i := d.pen.put(&b, e, 0)
	if head := p.leaves.write(&d.pen.tail, &d.fill, b[:i]); head != 0 {
		if d.blocks <= trailHead {
			d.head = head
		} else {
			d.later[d.ring(d.blocks-trailHead-1)] = head
		}
	}
	d.in++
	d.noted = e.Frame
}

// ring is the place of the block i after the first ones.
func (d *dossier) ring(i uint8) uint8 { return (d.first + i) % uint8(len(d.later)) }

// trail appends the events to ev.
func (d *dossier) trail(p *trails, ev []Event) []Event {
	strip := func(head uint32, n int) {
		p.octets = p.leaves.read(p.octets[:0], head)
		k, b := pen{at: p.epoch}, p.octets
		for range n {
			ev = append(ev, Event{})
			_, i := k.get(b, &ev[len(ev)-1])
			b = b[i:]
		}
	}
	if d.blocks <= trailHead {
		strip(d.head, max(0, int(d.blocks)-1)*blockLen+int(d.in))
		return ev
	}
	strip(d.head, trailHead*blockLen)
	for i := range d.blocks - trailHead {
		n, hole := blockLen, len(ev)
		if i == d.blocks-trailHead-1 {
			n = int(d.in)
		}
		strip(d.later[d.ring(i)], n)
		if i == 0 && d.holed {
			ev[hole].What |= Holed
		}
	}
	return ev
}

// context appends the latest segments that are not on the trail yet to ev, in
// order.
func (d *dossier) context(ev []Event) []Event {
	var c [4]*Event
	k := 0
	for _, at := range [...]uint8{d.recent[0], d.recent[1], d.data[0], d.data[1]} {
		if at == 0 || d.kept[at-1].Frame <= d.noted {
			continue
		}
		e := &d.kept[at-1]
		i := k
		for i > 0 && c[i-1].Frame > e.Frame {
			i--
		}
		if i > 0 && c[i-1].Frame == e.Frame {
			continue
		}
		copy(c[i+1:k+1], c[i:k])
		c[i] = e
		k++
	}
	for _, e := range c[:k] {
		e.What |= Context
		ev = append(ev, *e)
	}
	return ev
}

// addContext puts the context on the trail.
func (d *dossier) addContext(p *trails) {
	p.some = d.context(p.some[:0])
	for i := range p.some {
		d.add(p, &p.some[i])
	}
}

// rest are the events that may become context, in order, be they on the trail or
// not.
func (d *dossier) rest(p *trails) []Event {
	noted := d.noted
	d.noted = 0
	p.some = d.context(p.some[:0])
	d.noted = noted
	return p.some
}

// rare is the other part of both accounts, nil where there is nothing in it.
func (p *trails) rare(d *dossier) *[2]rare {
	if d.rare == 0 {
		return nil
	}
	return p.rares.at(d.rare - 1)
}

// clear gives back what it holds.
func (d *dossier) clear(p *trails) {
	p.leaves.put(d.head)
	for i := trailHead; i < int(d.blocks); i++ {
		p.leaves.put(d.later[d.ring(uint8(i-trailHead))])
	}
	if d.rare != 0 {
		p.rares.put(d.rare - 1)
	}
	p.spare = append(p.spare, d.quotes[:d.nquotes]...)
}
