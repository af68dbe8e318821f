package tracker

import "tcpstate/capture"

// notebook is what is written down of a life to diagnose it: all segments, a
// few octets each, as long as they are few and there is nothing to say of any.
// What an account needs of such a life is worked out when it is told. The others
// get a dossier. From is a side of the Key until the case is told.
type notebook struct {
	pen   pen
	head  uint32 // the strip's first leaf; with opened, the dossier
	carry uint32 // strip of what may become context and belongs to a life before
	signs Sign
	n     uint8 // segments on the strip
	fill  uint8 // octets of its last leaf
	marks mark
}

// jotMax is how many segments a notebook holds: most connections have fewer.
const jotMax = 24

// What becomes of a segment on the strip.
const (
	jotOnly    = iota // it may become context
	jotTrail          // it is on the trail
	jotContext        // and so is the context before it
)

// fits reports that a plain segment towards ye can be jotted down.
func (n *notebook) fits(e *Event, ye *Endpoint, opening bool) bool {
	if _, more := e.joins(ye); more {
		return false
	}
	switch {
	case n.n == 0:
		return e.Time > 0
	case n.n == jotMax, opening && n.n >= openingMax, e.Time < n.pen.at, e.Frame <= n.pen.frame:
		return false
	}
	return e.Time-n.pen.at < idleFrom
}

// jot notes a plain segment. noted is whether it is on the trail though nothing
// in it asks for that.
func (n *notebook) jot(p *trails, e *Event, noted bool) {
	if n.n == 0 {
		n.pen = p.pen(e)
	} else {
		e.Idle = n.pen.idle(e.Time-n.pen.at, false)
	}
	how := n.judge(e, noted)
	var b [maxEvent]byte
	i := n.pen.put(&b, e, how)
	if head := p.leaves.write(&n.pen.tail, &n.fill, b[:i]); head != 0 {
		n.head = head
	}
	n.n++
}

// judge tells what becomes of a plain segment, and remembers what the next are judged by.
func (n *notebook) judge(e *Event, noted bool) uint8 {
	x, ends, how := e.From, e.ends(), uint8(jotOnly)
	switch {
	case ends || e.Is(FirstData) || n.marks&(awaited<<x) != 0:
		how = jotContext
	case noted:
		how = jotTrail
	}
	n.mark(e, ends)
	if e.carries() {
		n.marks |= sentPayload << x
	}
	return how
}

// mark remembers what the next segments are judged by.
func (n *notebook) mark(e *Event, answered bool) {
	x := e.From
	n.marks &^= awaited << x
	if answered {
		n.marks |= awaited << (x ^ 1)
	}
	if e.Flags&capture.RST != 0 {
		n.marks |= afterReset
	}
}

// open turns what was jotted down into a dossier.
func (n *notebook) open(p *trails) *dossier {
	i := p.dossiers.take() + 1
	d := p.dossiers.at(i - 1)
	g := p.look(n)
	d.course = g.course
	for at := range g.events[:g.n] {
		if g.may(at) {
			e := d.blank()
			*e = g.events[at]
			d.remember(e)
		}
	}
	for at := range g.events[:g.n] {
		if g.trail[at] {
			d.add(p, &g.events[at])
		}
	}
	signs, marks := n.signs, n.marks
	n.forget(p)
	n.head, n.signs, n.marks = i, signs, marks|opened
	return d
}

// clear gives back what it holds and begins anew. What may become context stays.
func (n *notebook) clear(p *trails) {
	carry := uint32(0)
	if n.marks&opened != 0 || n.n > 0 {
		carry = p.carry(n.rest(p))
	} else {
		carry, n.carry = n.carry, 0
	}
	n.forget(p)
	n.carry = carry
}

// forget gives back all that it holds and begins anew.
func (n *notebook) forget(p *trails) {
	p.leaves.put(n.carry)
	switch {
	case n.marks&opened != 0:
		p.dossiers.at(n.head - 1).clear(p)
		p.dossiers.put(n.head - 1)
	case n.n > 0:
		p.leaves.put(n.head)
	}
	p.page.of = nil
	*n = notebook{}
}

// rest are the events that may become context of the next life, in order. They
// are read again when the next are asked for.
func (n *notebook) rest(p *trails) []Event {
	if n.marks&opened != 0 {
		return p.dossiers.at(n.head - 1).rest(p)
	}
	return p.look(n).rest(p)
}

// touch reads the first octet of each of the strip's leaves, so that they are
// under way. What it returns means nothing.
func (n *notebook) touch(p *trails) (sum uint64) {
	if n.marks&opened != 0 || n.n == 0 {
		return 0
	}
	for i := n.head; i != 0; {
		f := p.leaves.at(i)
		sum += uint64(f.b[0])
		i = f.next
	}
	return sum
}
