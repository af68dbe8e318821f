package tracker

import (
	"math"
	"slices"

	"tcpstate/capture"
)

// number gives the streams that began their numbers.
func (p *Parallel) number() {
	at := make([]int, 0, 16)
	at = append(at, make([]int, len(p.ready))...)
	for {
		best := -1
		for i, j := range p.ready {
			if at[i] < len(j.opened) && (best < 0 || j.opened[at[i]] < p.ready[best].opened[at[best]]) {
				best = i
			}
		}
		if best < 0 {
			return
		}
		p.numbers.begin(p.ready[best].opened[at[best]])
		at[best]++
	}
}

// movers are the moves of one worker that are left.
type movers struct {
	moves []move
	rung  []rung
}

// before puts the first moves of two workers in order.
func (m *movers) before(o *movers) bool {
	a, b := &m.moves[0], &o.moves[0]
	if a.pos != b.pos {
		return a.pos < b.pos
	}
	// A segment is one worker's: what others do at its place they do before.
	if !a.rings || !b.rings {
		return a.rings
	}
	return m.rung[0].before(&o.rung[0].instant)
}

// count brings the census into step, in the order in which the endpoints moved:
// its peaks depend on that. The moves of one worker are taken in a row up to the
// place of the next that is another's.
func (p *Parallel) count(b *capture.Batch) {
	left := make([]movers, 0, 16)
	for _, j := range p.ready {
		if len(j.moves) > 0 {
			left = append(left, movers{j.moves, j.rung})
		}
	}
	for len(left) > 0 {
		first, others := 0, uint32(math.MaxUint32)
		for i := 1; i < len(left); i++ {
			next := i
			if left[i].before(&left[first]) {
				first, next = i, first
			}
			others = min(others, left[next].moves[0].pos)
		}
		m := &left[first]
		k := 0
		for k == 0 || k < len(m.moves) && m.moves[k].pos < others {
			p.move(b, m, &m.moves[k])
			k++
		}
		if m.moves = m.moves[k:]; len(m.moves) == 0 {
			left = slices.Delete(left, first, first+1)
		}
	}
}

// move is one of them.
func (p *Parallel) move(b *capture.Batch, m *movers, x *move) {
	c, s := &p.census, x.to.state()
	from := NumStates
	if x.from != noState {
		from = x.from.state()
		c.n[from][x.from.certainty()]--
	}
	higher := c.enter(s, x.to.certainty())
	if x.rings {
		if higher {
			c.when[s] = m.rung[0].now
		}
		if p.obs.Moved != nil {
			p.obs.Moved(from, s, m.rung[0].now)
		}
		m.rung = m.rung[1:]
		return
	}
	if higher {
		c.when[s] = b.Segments[x.pos].Time
	}
	if p.obs.Moved != nil {
		p.obs.Moved(from, s, b.Segments[x.pos].Time)
	}
}

// tell tells of transitions and lives, in order.
func (p *Parallel) tell() {
	at := make([]int, 0, 16)
	at = append(at, make([]int, len(p.ready))...)
	for {
		var best *item
		of := 0
		for i, j := range p.ready {
			if at[i] < len(j.items) {
				if x := &j.items[at[i]]; best == nil || x.before(&best.instant) {
					best, of = x, i
				}
			}
		}
		if best == nil {
			return
		}
		at[of]++
		j := p.ready[of]
		switch best.kind {
		case itemTransition:
			s := &j.steps[best.index]
			s.ID = p.of(s.ID)
			p.obs.Transition(s)
			continue
		case itemOpened:
			s := &j.steps[best.index]
			s.ID = p.of(s.ID)
			p.obs.Opened(s)
			continue
		case itemDrawn:
			d := &j.drawn[best.index]
			p.teller.tellDrawn(d, j.leaves[d.leaf:])
			continue
		case itemSilent:
			s := &j.silent[best.index]
			s.ID = p.of(s.ID)
			if p.obs.Case != nil {
				p.obs.SilentCase(s)
			}
			if p.obs.Life != nil {
				p.obs.SilentLife(s)
			}
			continue
		}
		l := &j.lives[best.index]
		p.rename(l)
		if p.obs.Case != nil {
			c := &j.cases[best.index]
			from := j.trails[best.index]
			to := span{len(j.events), len(j.quotes)}
			if int(best.index)+1 < len(j.trails) {
				to = j.trails[best.index+1]
			}
			c.Life, c.Trail.Events, c.Trail.Quotes = l, j.events[from.event:to.event], j.quotes[from.quote:to.quote]
			if c.Signs != 0 {
				p.obs.Case(c)
			}
		}
		if p.obs.Life != nil {
			p.obs.Life(l)
		}
	}
}

// add adds up.
func (t *Totals) add(o *Totals) {
	t.Streams += o.Streams
	t.Lives += o.Lives
	for i, n := range o.Resets {
		t.Resets[i] += n
	}
	t.Segments += o.Segments
	t.Plain += o.Plain
	t.Cut += o.Cut
	t.Copies += o.Copies
	t.Twice += o.Twice
	t.Odd += o.Odd
	t.Joined += o.Joined
	t.Untold += o.Untold
	t.Evicted += o.Evicted
	t.Folded += o.Folded
}

// Less leaves what was counted after o; but Plain, which says what kind of capture it
// is, of however quiet a time.
func (t *Totals) Less(o *Totals) {
	t.Streams -= o.Streams
	t.Lives -= o.Lives
	for i, n := range o.Resets {
		t.Resets[i] -= n
	}
	t.Segments -= o.Segments
	t.Cut -= o.Cut
	t.Copies -= o.Copies
	t.Twice -= o.Twice
	t.Odd -= o.Odd
	t.Joined -= o.Joined
	t.Untold -= o.Untold
	t.Evicted -= o.Evicted
	t.Folded -= o.Folded
}
