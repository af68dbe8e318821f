package tracker

import (
	"cmp"
	"slices"
)

// Under Config.Forget, what Usage counts of a pair or a service is given up once it holds
// nothing any more and has been quiet for that long, but for the highest peaks: else the
// first that came would have all the room for ever. There is one journal then, whose
// numbers are those of Usage. A number that was given up is another's soon; who has
// noted it sees by the name that it is.

// usageForgets is how far that has come.
type usageForgets struct {
	of    *journal
	every int64 // ns
	next  int64
	most  int // groups
	// pairs and services are for how many rounds each has held nothing, by number less one.
	pairs, services []uint8
	before          int64 // the time of the round before
}

const (
	// rounds is how many of them fill Config.Forget.
	rounds = 4
	// highest is how many of those that hold nothing are kept for their peaks.
	highest = 256

	// mostForgotten and leastForgotten bound the services and the hosts that are known, half as
	// many groups, and twelve times as many cells of pairs: 60 MB at the most, and 4.
	mostForgotten, leastForgotten = 1 << 16, 1 << 12
)

// forgetfulUsage has the usage forget what was quiet for long.
func (t *Tracker) forgetfulUsage() {
	most := uint32(mostForgotten)
	if m := t.cfg.MaxMemory; m > 0 {
		most = uint32(min(max(m>>13, leastForgotten), mostForgotten))
	}
	t.usage.most = most
	t.usage.services.kept, t.usage.hosts.kept = true, true
	t.counts.pairs.most = 12 * int(most)
	t.counts.forgets = &usageForgets{of: &t.usage, every: max(1, int64(t.cfg.Forget/rounds)), most: int(most / 2)}
}

// mostGroups is how many pairs may be groups.
func (u *Usage) mostGroups() int {
	if u.forgets != nil {
		return u.forgets.most
	}
	return maxGroups
}

// keys are the services and hosts by number, less one.
func (u *Usage) keys() ([]listener, [][16]byte) {
	if f := u.forgets; f != nil {
		return f.of.services.name, f.of.hosts.name
	}
	return u.servers.keys(), u.hosts.keys()
}

// check has numbers that became another's looked up again.
func (j *journal) check(x *subject, h *heldBrief) {
	if s := h.what.service(); s != 0 && s != noRoom && j.services.name[s-1] != listenerOf(&x.key, x.client) {
		h.what = h.what.of(0)
	}
	if h.what&standV6 == 0 || h.client == 0 || h.client == noRoom {
		return
	}
	host := &x.key.Lo
	if x.client != 0 {
		host = &x.key.Hi
	}
	if j.hosts.name[h.client-1] != *host {
		h.client = 0
	}
}

// forgetUsage gives up what is to be, once in a while.
func (t *Tracker) forgetUsage() {
	u := &t.counts
	f := u.forgets
	if t.now < f.next {
		return
	}
	t.count()
	if f.next != 0 {
		u.forget(t.now, int64(t.cfg.Forget))
	}
	f.before, f.next = t.now, t.now+f.every
}

// forget is one round, at a time. No gain waits to be applied.
func (u *Usage) forget(now, after int64) {
	f := u.forgets
	for _, i := range u.idlePairs(now-f.before >= after) {
		u.dropPair(i)
	}
	used, heard := make([]bool, f.of.services.n), make([]bool, f.of.hosts.n)
	u.ageCells(now-after, func(c *pairCell) {
		used[c.what.service()-1] = true
		if c.what&standV6 != 0 {
			heard[c.client-1] = true
		}
	})
	for _, i := range u.idleServices(now-f.before >= after, used) {
		u.dropService(i)
	}
	f.of.services.keep(used)
	f.of.hosts.keep(heard)
}

// idlePairs are the groups to give up. long is whether the round before was so long ago
// that this one counts as all.
func (u *Usage) idlePairs(long bool) []uint32 {
	f, p := u.forgets, &u.pairs
	quiet := func(i uint32) bool {
		g := p.full.at(i)
		return g.used.n|g.wait.n == 0 && g.last <= f.before && u.since(&g.used) <= f.before && u.since(&g.wait) <= f.before
	}
	return idle(&f.pairs, p.full.n, long, func(i uint32) bool { return p.full.at(i).who != 0 }, quiet,
		func(i uint32) uint32 { return max(p.full.at(i).used.max, p.full.at(i).wait.max) })
}

// idleServices is the counterpart for services. used says which have pairs still, and
// after it which are kept.
func (u *Usage) idleServices(long bool, used []bool) []uint32 {
	f, s := u.forgets, &u.services
	quiet := func(i uint32) bool {
		g := s.at(i)
		return g.held.n|g.attempts.n|g.answered.n == 0 && !used[i-1] &&
			max(u.since(&g.held), u.since(&g.attempts), u.since(&g.answered)) <= f.before
	}
	gone := idle(&f.services, s.n, long, func(i uint32) bool { return s.at(i).used }, quiet,
		func(i uint32) uint32 { return max(s.at(i).held.max, s.at(i).attempts.max, s.at(i).answered.max) })
	for i := range s.n {
		used[i] = used[i] || s.at(i+1).used
	}
	for _, i := range gone {
		used[i-1] = false
	}
	return gone
}

// since is when the latest was counted in, as far as that is known.
func (u *Usage) since(t *tally) int64 {
	if t.peak == 0 {
		return 0
	}
	return u.peaks.at(t.peak).last
}

// idle counts the rounds in which each of n has been quiet, and returns those that
// were for as many as it takes, without the highest.
func idle(counts *[]uint8, n uint32, long bool, is, quiet func(uint32) bool, height func(uint32) uint32) (all []uint32) {
	for len(*counts) < int(n) {
		*counts = append(*counts, 0)
	}
	for k := range *counts {
		c, i := &(*counts)[k], uint32(k+1)
		switch {
		case !is(i), !quiet(i):
			*c = 0
		case long:
			*c = rounds
		default:
			*c = min(*c+1, rounds)
		}
		if *c == rounds {
			all = append(all, i)
		}
	}
	if len(all) <= highest {
		return nil
	}
	slices.SortFunc(all, func(a, b uint32) int { return cmp.Or(-cmp.Compare(height(a), height(b)), cmp.Compare(a, b)) })
	return all[highest:]
}

// dropPair gives up a group.
func (u *Usage) dropPair(i uint32) {
	p := &u.pairs
	g := p.full.at(i)
	if c := p.find(g.client, g.who, p.hash(g.client, g.who)); c != nil && c.what&cellFull != 0 && uint32(c.rest) == i {
		p.drop(c)
	}
	u.dropPeak(&g.used)
	u.dropPeak(&g.wait)
	p.full.put(i)
}

// dropService gives up what was counted of a service.
func (u *Usage) dropService(i uint32) {
	g := u.services.at(i)
	u.dropPeak(&g.held)
	u.dropPeak(&g.attempts)
	u.dropPeak(&g.answered)
	*g = service{}
}

// dropPeak gives up all that is remembered of a peak.
func (u *Usage) dropPeak(t *tally) {
	if t.peak == 0 {
		return
	}
	s := u.summits.at(t.peak)
	for _, i := range s.samples {
		if i != 0 {
			u.samples.put(i)
		}
	}
	if s.climb != 0 {
		u.climbs.put(s.climb)
	}
	u.peaks.put(t.peak)
	u.summits.put(t.peak) // in step with the peaks
}

// drop gives up a cell's pair. The cell may not become a free one: what is behind would
// not be found.
func (p *pairs) drop(c *pairCell) {
	*c = pairCell{what: cellGone}
	p.gone++
}

// ageCells gives up the pairs of which all is said in their cell and that have held
// nothing since a time, and calls f for the others. Times in cells, which cannot tell more than
// three days, are counted from that time on; what is older has it.
func (u *Usage) ageCells(before int64, f func(*pairCell)) {
	p := &u.pairs
	shift := before - p.base
	for i := range p.cells {
		c := &p.cells[i]
		switch {
		case c.what == 0, c.what == cellGone:
			continue
		case c.what&cellFull != 0:
		default:
			at := int64(c.rest >> portBits)
			if c.idle() && at < shift {
				p.drop(c)
				continue
			}
			if shift > 0 {
				c.rest = c.rest&(1<<portBits-1) | uint64(max(0, at-shift))<<portBits
			}
		}
		f(c)
	}
	if shift > 0 {
		p.base = before
	}
}

// keep gives up the keys that are not used, by number less one.
func (x *index[K]) keep(used []bool) {
	gone := false
	for i := range x.cells {
		if c := &x.cells[i]; c.i != 0 && !used[c.i-1] {
			x.free = append(x.free, c.i)
			x.name[c.i-1] = *new(K)
			*c = indexCell[K]{}
			gone = true
		}
	}
	if gone { // what is behind a gap would not be found
		x.grow(len(x.cells))
	}
}
