package tracker

// page is a notebook that has no dossier as it is read: what its segments come
// to.
type page struct {
	course
	events [maxCarry + jotMax]Event // what a life before left, then all segments
	trail  [maxCarry + jotMax]bool  // which of them are on the trail
	n      int
	recent [2]int8 // the latest event of each side; -1 none
	data   [2]int8 // the latest with payload
	of     *notebook
}

// look reads n.
func (p *trails) look(n *notebook) *page {
	g := &p.page
	if g.of == n && g.lastFrame == n.pen.frame {
		return g // it was read, and nothing was written since
	}
	g.of, g.course = n, course{}
	g.recent, g.data = [2]int8{-1, -1}, [2]int8{-1, -1}
	g.n = p.recall(n.carry, g.events[:maxCarry])
	for i := range g.events[:g.n] {
		g.trail[i] = false
		g.remember(i)
	}
	if n.n == 0 {
		return g
	}
	p.octets = p.leaves.read(p.octets[:0], n.head)
	k, b := pen{at: p.epoch}, p.octets
	noted := -1
	for range n.n {
		i := g.n
		e := &g.events[i]
		how, size := k.get(b, e)
		b = b[size:]
		noted = g.take(how, noted)
	}
	return g
}

// take takes the event that is next, of which becomes how, after the noted one. It returns
// the latest that is noted.
func (g *page) take(how uint8, noted int) int {
	i := g.n
	e := &g.events[i]
	g.plainly(e)
	g.since(e)
	g.trail[i] = how != jotOnly
	if how == jotContext && noted != i-1 {
		g.context(noted)
	}
	if how != jotOnly {
		noted = i
	}
	g.remember(i)
	g.n++
	return noted
}

// remember notes that the event i may become context.
func (g *page) remember(i int) {
	e := &g.events[i]
	g.recent[e.From] = int8(i)
	if e.carries() {
		g.data[e.From] = int8(i)
	}
}

// context puts the latest segments that came after the event noted on the
// trail.
func (g *page) context(noted int) {
	for _, i := range [...]int8{g.recent[0], g.recent[1], g.data[0], g.data[1]} {
		if int(i) > noted {
			g.trail[i] = true
			g.events[i].What |= Context
		}
	}
}

// noted appends the trail to ev.
func (g *page) noted(ev []Event) []Event {
	for i := range g.events[:g.n] {
		if g.trail[i] {
			ev = append(ev, g.events[i])
		}
	}
	return ev
}

// may reports that the event i may become context.
func (g *page) may(i int) bool {
	k := int8(i)
	return k == g.recent[0] || k == g.recent[1] || k == g.data[0] || k == g.data[1]
}

// rest are the events that may become context of the next life, in order.
func (g *page) rest(p *trails) []Event {
	p.some = p.some[:0]
	for i := range g.events[:g.n] {
		if g.may(i) {
			p.some = append(p.some, g.events[i])
		}
	}
	return p.some
}
