package tracker

import (
	"math/bits"

	"tcpstate/capture"
)

// pairs finds pairs: by the client and the service, in a table where each has
// its cell in one of two places. Of as many as maxExact everything is kept. Most
// of what comes beyond has one connection and never a second: that is kept in the
// cell alone, and becomes a group when a second joins. Where the table is full,
// those go first that hold nothing any more.
type pairs struct {
	cells []pairCell // perPlace to a place
	n     uint32
	full  slab[group]
	gone  uint32 // of n, those of pairs that were given up
	most  int    // cells; 0 for maxCells
	seed  [4]uint64
	base  int64 // when the first was counted
}

// pairCell is a pair in the table. Either rest is the index of its group, or
// all is said here: what it counts in and has counted in, and rest has the
// client's port below a time since the first gain: when the connection was
// confirmed in TIME-WAIT, or was opened.
type pairCell struct {
	client uint32
	what   standing // 0 is free
	rest   uint64
}

const (
	// cellKey is what of pairCell.what belongs to the key.
	cellKey = serviceMask<<serviceShift | standV6
	// hadShift is how far above the bit that it counts in stands that it ever did.
	hadShift = 28
	// cellFull: there is a group.
	cellFull standing = 1 << 31

	// cellGone is what of a cell whose pair was given up: no service has that number.
	cellGone = serviceMask << serviceShift

	// restTime is how many bits of rest are the time: three days of nanoseconds.
	restTime = 48

	perPlace = 8 // two neighbouring lines of the cache

	// maxExact is how many pairs are told of whatever they hold.
	maxExact = 1 << 13
	// maxCells bounds the table: it takes 12 MiB.
	maxCells = 12 << 16
)

// limit is how many cells there may be.
func (p *pairs) limit() int {
	if p.most != 0 {
		return p.most
	}
	return maxCells
}

// idle cells hold one connection that counts no more.
func (c *pairCell) idle() bool { return c.what&(cellFull|standing(inUsed|inWait)) == 0 }

// seeded makes the hash that of this process, as capture's is.
func (p *pairs) seeded() {
	for i := range p.seed {
		k := capture.Key{LoPort: uint16(i), HiPort: 1}
		l := capture.Key{LoPort: uint16(i), HiPort: 2}
		p.seed[i] = uint64(k.Hash())<<32 | uint64(l.Hash()) | 1
	}
}

func (p *pairs) hash(client uint32, key standing) uint64 {
	hi, lo := bits.Mul64(uint64(client)<<32|uint64(key)^p.seed[0], p.seed[1])
	hi, lo = bits.Mul64(hi^lo^p.seed[2], p.seed[3])
	return hi ^ lo
}

// places are the two where a pair may lie, as the first of their cells.
func (p *pairs) places(hash uint64) (a, b uint32) {
	n := uint64(len(p.cells) / perPlace)
	return uint32(hash>>32*n>>32) * perPlace, uint32(hash&(1<<32-1)*n>>32) * perPlace
}

// touch has the places of pairs that are to be looked up soon fetched, all at
// the same time.
func (p *pairs) touch(steps []step) uint32 {
	if len(p.cells) == 0 {
		return 0
	}
	touched := standing(0)
	for i := range steps {
		if h := steps[i].hash; h != 0 {
			a, _ := p.places(h)
			touched ^= p.cells[a].what ^ p.cells[a+perPlace/2].what
		}
	}
	for i := range steps {
		if h := steps[i].hash; h != 0 {
			if a, b := p.places(h); p.cells[a+perPlace-1].what != 0 { // it is full
				touched ^= p.cells[b].what ^ p.cells[b+perPlace/2].what
			}
		}
	}
	return uint32(touched)
}

// find returns a pair's cell; nil if it has none.
func (p *pairs) find(client uint32, key standing, hash uint64) *pairCell {
	if len(p.cells) == 0 {
		return nil
	}
	a, b := p.places(hash)
	for {
		place := (*[perPlace]pairCell)(p.cells[a:])
		for i := range place {
			c := &place[i]
			if c.client == client && c.what&cellKey == key {
				return c
			}
			if c.what == 0 {
				return nil
			}
		}
		if a == b {
			return nil
		}
		a = b // only what found the first one full lies there
	}
}

// add makes a cell for a pair that has none; nil if there is no room.
func (p *pairs) add(client uint32, key standing, hash uint64) *pairCell {
	for {
		if c := p.room(hash); c != nil {
			*c = pairCell{client: client, what: key}
			return c
		}
		if len(p.cells) == p.limit() {
			return nil
		}
		p.grow()
	}
}

// room is a cell that may be overwritten by a pair of which none is kept: a free
// one; where the table is about to be full, an idle one; and otherwise one of
// which the pair moves to its other place. nil if there is none.
func (p *pairs) room(hash uint64) *pairCell {
	most := uint32(p.limit())
	if p.n >= uint32(len(p.cells))/8*7 && len(p.cells) < int(most) {
		return nil
	}
	a, b := p.places(hash)
	c := p.spare(a, false)
	if c == nil {
		c = p.spare(b, false)
	}
	full := p.n > most/5*4
	if c == nil && full {
		if c = p.spare(a, true); c == nil {
			c = p.spare(b, true)
		}
	}
	far := 1
	if p.n > most/16*15 {
		far = 0 // by then the way is long, and idle ones are near if there are any
	}
	for depth := 0; c == nil && depth <= far; depth++ {
		if c = p.vacate(a, full, depth); c == nil {
			c = p.vacate(b, full, depth)
		}
	}
	return c
}

// vacate finds another cell for a pair of the place, and returns its old one. In
// the pair's other place another may have to go before.
func (p *pairs) vacate(at uint32, idle bool, depth int) *pairCell {
	for k := range uint32(perPlace) {
		c := &p.cells[at+k]
		x, y := p.places(p.hash(c.client, c.what&cellKey))
		if x == at {
			x = y
		}
		to := p.spare(x, idle)
		if to == nil && depth > 0 {
			to = p.vacate(x, idle, depth-1)
		}
		if to != nil {
			*to = *c
			return c
		}
	}
	return nil
}

// spare is a free cell of a place, or an idle one; nil if there is none. A place
// fills from its first cell on, and is never emptied.
func (p *pairs) spare(at uint32, idle bool) *pairCell {
	place := (*[perPlace]pairCell)(p.cells[at:])
	for i := range place {
		if c := &place[i]; c.what == 0 {
			p.n++
			return c
		} else if idle && c.idle() {
			return c
		}
	}
	return nil
}

// grow makes the table larger: while it is small, by so much that little is moved
// again; then by less, for what stays empty takes memory, too.
func (p *pairs) grow() {
	old := p.cells
	n := max(64, 8*len(old))
	if len(old) >= 1<<15 {
		n = 2 * len(old)
	}
	if most := p.limit(); n > most/2 {
		n = most
	}
	if p.gone > p.n/2 {
		n = len(old)
	}
	p.cells, p.n, p.gone = large[pairCell](n), 0, 0
	for i := range old {
		if old[i].what == 0 || old[i].what == cellGone {
			continue
		}
		if c := p.room(p.hash(old[i].client, old[i].what&cellKey)); c != nil {
			*c = old[i]
		}
	}
}

// leave counts a connection out in a cell that has no group.
func (c *pairCell) leave(out counted) { c.what &^= standing(out & (inUsed | inWait)) }

// alone applies what a gain counts in to a cell that has no group: false if it comes to
// more than one connection can hold, or is too late to be noted there.
func (p *pairs) alone(c *pairCell, g *gain, in counted) bool {
	const now = standing(inUsed | inWait)
	bits := standing(in)
	switch {
	case g.what&gainRenamed != 0:
		return true
	case c.what>>hadShift&now&bits != 0, c.what&bits&standing(inOpened) != 0:
		return false
	}
	rest := c.rest
	if in&inOpened != 0 {
		rest = rest>>portBits<<portBits | uint64(g.port())
	}
	if in&(inOpened|inWait) != 0 {
		t := uint64(g.time - p.base)
		if t >= 1<<restTime {
			return false
		}
		rest = rest&(1<<portBits-1) | t<<portBits
	}
	c.rest = rest
	c.what |= bits&(now|standing(inOpened)) | bits&now<<hadShift
	return true
}

// group makes a group of what is said in a cell. Of its connection the number
// and the frames are not known: it is no sample.
func (u *Usage) group(c *pairCell) {
	p := &u.pairs
	n := p.full.add()
	g := p.full.at(n)
	g.client, g.who = c.client, c.what&cellKey
	in, had := c.what.in(), counted(c.what>>hadShift)
	at := p.base + int64(c.rest>>portBits)
	if in&inOpened != 0 {
		g.opens(at, uint16(c.rest))
	}
	g.used = tally{n: uint32(in & inUsed), max: uint32(had & inUsed)}
	g.wait = tally{n: uint32(in & inWait >> 1), max: uint32(had & inWait >> 1)}
	if g.wait.max != 0 {
		g.wait.peak = u.summit(at)
		u.peaks.at(g.wait.peak).last, u.summits.at(g.wait.peak).at = at, at
	}
	c.what = g.who | cellFull
	c.rest = uint64(n)
}
