package tracker

// source is what Usage knows of one journal: its numbers for services and
// hosts, as indices plus one of them, and how far its log was applied.
type source struct {
	services []uint32
	hosts    []uint32
	log      *usageLog
	next     int    // gain
	fresh    [2]int // the next service and host that the log announces
	clock    int64  // the latest time of a gain
}

// step is a gain that is about to be applied.
type step struct {
	g      *gain
	what   standing // that of the gain, with the service by the number of Usage
	client uint32
	in     counted  // what it counts in, or goes on to count in
	out    counted  // what it counts out, before
	hash   uint64   // of the pair; 0 where none is meant, and hardly ever else: that is fetched late
	of     *service // nil where no count of a service is meant
}

// gainsAhead is how many gains are looked at before they are applied: what they will
// touch is then fetched for many at a time.
const gainsAhead = 64

// apply counts what the journals wrote down, always the same in the same order.
// Each log is in order of time, and all reach as far.
func (u *Usage) apply(logs ...*usageLog) {
	if len(u.sources) == 0 {
		u.pairs.seeded()
	}
	for len(u.sources) < len(logs) {
		u.sources = append(u.sources, source{})
	}
	for i, l := range logs {
		s := &u.sources[i]
		s.log, s.next, s.fresh = l, 0, [2]int{}
		u.Lost += l.lost
	}
	var block [gainsAhead]step
	for {
		n := 0
		for n < gainsAhead {
			s := u.first(len(logs))
			if s == nil {
				break
			}
			g := &s.log.gains[s.next]
			s.next++
			if g.what&inAll != 0 {
				u.look(&block[n], s, g)
				n++
			}
		}
		u.touched ^= u.pairs.touch(block[:n])
		for i := range block[:n] {
			u.step(&block[i])
		}
		if n < gainsAhead {
			break
		}
	}
	for i, l := range logs { // those of which no gain had room
		s := &u.sources[i]
		for u.forgets == nil && s.fresh[0] < len(l.services) {
			u.announced(s)
		}
		for u.forgets == nil && s.fresh[1] < len(l.hosts) {
			u.announcedHost(s)
		}
	}
}

// first is the source of the earliest gain that is left.
func (u *Usage) first(n int) (first *source) {
	var p int64
	var q uint64
	for i := range u.sources[:n] {
		s := &u.sources[i]
		if s.next == len(s.log.gains) {
			continue
		}
		if n == 1 {
			return s
		}
		g := &s.log.gains[s.next]
		s.clock = max(s.clock, g.time) // time may run backwards
		place := g.frame()<<1 | 1
		if g.what&gainTimer != 0 { // before the segments of that time
			place = 0
		}
		switch {
		case first == nil || s.clock < p || s.clock == p && place < q,
			s.clock == p && place == q && (g.time < first.log.gains[first.next].time || g.time == first.log.gains[first.next].time && g.name < first.log.gains[first.next].name):
			first, p, q = s, s.clock, place
		}
	}
	return first
}

// look translates the gain's numbers.
func (u *Usage) look(x *step, s *source, g *gain) {
	n := g.what.service()
	if u.forgets == nil {
		for int(n) > len(s.services) {
			u.announced(s)
		}
		n = s.services[n-1]
	}
	x.g, x.what, x.hash, x.of = g, g.what.of(n), 0, nil
	x.in, x.out = g.what.in(), g.out()
	if g.what&(gainMore|gainRenamed) == 0 {
		x.in = 0
	}
	in := x.in | x.out
	if in&inService != 0 {
		for u.services.n < n {
			u.services.add()
		}
		x.of = u.services.at(n)
	}
	if in&inPair == 0 {
		return
	}
	x.client = g.client
	if g.what&standV6 != 0 && u.forgets == nil {
		for int(x.client) > len(s.hosts) {
			u.announcedHost(s)
		}
		x.client = s.hosts[x.client-1]
	}
	x.hash = u.pairs.hash(x.client, x.what&cellKey)
}

// announced takes the next service of a log that names it first.
func (u *Usage) announced(s *source) {
	l := s.log.services[s.fresh[0]]
	s.fresh[0]++
	n, _ := u.servers.find(l, l.hash(), serviceMask-1)
	s.services = append(s.services, n)
}

// announcedHost takes the next host.
func (u *Usage) announcedHost(s *source) {
	h := s.log.hosts[s.fresh[1]]
	s.fresh[1]++
	n, _ := u.hosts.find(h, hostHash(&h), serviceMask-1)
	s.hosts = append(s.hosts, n)
}

// step applies one gain.
func (u *Usage) step(x *step) {
	in, out := x.in, x.out
	if (in|out)&inPair != 0 {
		u.pair(x)
	}
	s := x.of
	if s == nil {
		return
	}
	s.used = true
	if out&inHeld != 0 {
		u.less(&s.held, x.g)
	}
	if out&inAttempts != 0 {
		u.less(&s.attempts, x.g)
	}
	if out&inAnswered != 0 {
		u.less(&s.answered, x.g)
	}
	if in&inHeld != 0 {
		u.count(&s.held, 0, 1, x.g)
	}
	if in&inAttempts != 0 {
		u.count(&s.attempts, 0, Few, x.g)
	}
	if in&inAnswered != 0 {
		u.count(&s.answered, 0, Few, x.g)
	}
}

// pair applies what a gain has for its pair.
func (u *Usage) pair(x *step) {
	g, p := x.g, &u.pairs
	in, out := x.in, x.out
	c := p.find(x.client, x.what&cellKey, x.hash)
	if c == nil {
		if g.in()&inPair == 0 {
			return // it found no room, or what it counted in had none
		}
		if p.n == 0 {
			p.base = g.time
		}
		if c = p.add(x.client, x.what&cellKey, x.hash); c == nil {
			u.Lost++
			return
		}
		if p.full.inUse() < maxExact {
			u.group(c)
		}
	}
	if c.what&cellFull == 0 {
		c.leave(out)
		if p.alone(c, g, in) {
			return
		}
		out = 0
		if p.full.inUse() >= u.mostGroups() {
			u.Lost++
			return
		}
		u.group(c)
	}
	f := p.full.at(uint32(c.rest))
	if out&inUsed != 0 {
		u.less(&f.used, g)
	}
	if out&inWait != 0 {
		u.less(&f.wait, g)
	}
	if in&inOpened != 0 {
		f.opens(g.time, g.port())
	}
	if in&inUsed != 0 {
		u.count(&f.used, f.wait.n, Few, g)
	}
	if in&inWait != 0 {
		u.count(&f.wait, f.wait.n, 1, g)
	}
}
