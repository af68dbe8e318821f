package tracker

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

// count brings the census into step, in the order in which the endpoints moved:
// its peaks depend on that.
func (p *Parallel) count() {
	at := make([]int, 0, 16)
	at = append(at, make([]int, len(p.ready))...)
	for {
		var best *move
		of := 0
		for i, j := range p.ready {
			if at[i] < len(j.moves) {
				if m := &j.moves[at[i]]; best == nil || m.before(&best.instant) {
					best, of = m, i
				}
			}
		}
		if best == nil {
			return
		}
		at[of]++
		if best.from != noState {
			p.census.n[best.from.state()][best.from.certainty()]--
		}
		p.census.count(best.to.state(), best.to.certainty(), best.now)
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
			s.ID = p.numbers.of(s.ID)
			p.obs.Transition(s)
			continue
		case itemSilent:
			s := &j.silent[best.index]
			s.ID = p.numbers.of(s.ID)
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
	t.Evicted += o.Evicted
	t.Folded += o.Folded
}
