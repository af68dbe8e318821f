package tracker

import (
	"math/bits"

	"tcpstate/capture"
)

// pairs finds pairs: by the client and the service, in a table where each has
// its place in one of two lines of the cache. Of as many as maxExact everything
// is kept. Most of what comes beyond has one connection and never a second: that
// is kept in the cell alone, and becomes a group when a second joins.
type pairs struct {
	cells   []pairCell // in lines
	n       uint32
	full    slab[group]
	seed    [4]uint64
	base    int64 // when the first was counted
	touched standing
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

	// restTime is how many bits of rest are the time: three days of nanoseconds.
	restTime = 48

	perLine = 4

	// maxExact is how many pairs are told of whatever they hold.
	maxExact = 1 << 13
	// maxCells bounds the table: it takes 11 MiB.
	maxCells = 11 << 16
)

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

// lines are where a pair may lie.
func (p *pairs) lines(hash uint64) (a, b uint32) {
	n := uint64(len(p.cells) / perLine)
	return uint32(hash>>32*n>>32) * perLine, uint32(hash&(1<<32-1)*n>>32) * perLine
}

// touch has the line of a pair that is to be looked up soon fetched, while
// others are.
func (p *pairs) touch(hash uint64) {
	if len(p.cells) > 0 {
		a, _ := p.lines(hash)
		p.touched ^= p.cells[a].what
	}
}

// find returns a pair's cell; nil if it has none.
func (p *pairs) find(client uint32, key standing, hash uint64) *pairCell {
	if len(p.cells) == 0 {
		return nil
	}
	a, b := p.lines(hash)
	for _, at := range [2]uint32{a, b} {
		line := (*[perLine]pairCell)(p.cells[at:])
		for i := range line {
			if c := &line[i]; c.client == client && c.what&cellKey == key {
				return c
			}
		}
	}
	return nil
}

// add makes a cell for a pair that has none; nil if there is no room.
func (p *pairs) add(client uint32, key standing, hash uint64) *pairCell {
	for {
		if c := p.room(hash); c != nil {
			*c = pairCell{client: client, what: key}
			return c
		}
		if len(p.cells) == maxCells {
			return nil
		}
		p.grow()
	}
}

// room finds a free cell for a pair, or makes one.
func (p *pairs) room(hash uint64) *pairCell {
	if len(p.cells) == 0 {
		return nil
	}
	a, b := p.lines(hash)
	i, j := p.free(a), p.free(b)
	if i < 0 {
		i = j
	} else if j >= 0 && uint32(j)-b < uint32(i)-a {
		i = j // the emptier line
	}
	if i < 0 && len(p.cells) == maxCells && p.n > maxCells/5*4 {
		for _, at := range [2]uint32{a, b} {
			for k := range perLine {
				if c := &p.cells[int(at)+k]; c.idle() {
					return c // nobody asks for it again, most likely
				}
			}
		}
	}
	for depth := 0; i < 0 && depth < 2; depth++ {
		if i = p.clear(a, depth); i < 0 {
			i = p.clear(b, depth)
		}
	}
	if i < 0 {
		return nil
	}
	p.n++
	return &p.cells[i]
}

// free returns a free cell of a line: -1 if there is none. Lines fill from
// their first cell on.
func (p *pairs) free(at uint32) int {
	for k := range perLine {
		if p.cells[int(at)+k].what == 0 {
			return int(at) + k
		}
	}
	return -1
}

// clear frees a cell of a line: what lies there moves to its other line, from
// which others may have to move before.
func (p *pairs) clear(at uint32, depth int) int {
	for k := range perLine {
		c := &p.cells[int(at)+k]
		moves := *c
		a, b := p.lines(p.hash(moves.client, moves.what&cellKey))
		if a == at {
			a = b
		}
		i := p.free(a)
		if i < 0 && depth > 0 && a != at {
			i = p.clear(a, depth-1)
		}
		if c.what != 0 { // it may have moved meanwhile
			if i < 0 || *c != moves {
				continue
			}
			p.cells[i], *c = moves, pairCell{}
		}
		return int(at) + k
	}
	return -1
}

// grow makes the table larger.
func (p *pairs) grow() {
	old := p.cells
	n := min(max(64, 8*len(old)), maxCells)
	for {
		p.cells, p.n = make([]pairCell, n), 0
		if p.fill(old) || n == maxCells {
			return
		}
		n = min(2*n, maxCells)
	}
}

// fill puts cells into an empty table, and reports that all found room.
func (p *pairs) fill(old []pairCell) bool {
	for i := range old {
		if old[i].what == 0 {
			continue
		}
		c := p.room(p.hash(old[i].client, old[i].what&cellKey))
		if c == nil {
			return false
		}
		*c = old[i]
	}
	return true
}

// alone applies a gain to a cell that has no group: false if it comes to more
// than one connection can hold, or is too late to be noted there.
func (p *pairs) alone(c *pairCell, g *gain, in counted) bool {
	const now = standing(inUsed | inWait)
	bits := standing(in)
	switch {
	case g.what&gainRenamed != 0:
		return true
	case g.what&gainMore == 0:
		c.what &^= bits & now
		return true
	case c.what>>hadShift&now&bits != 0, c.what&bits&standing(inOpened) != 0:
		return false
	}
	rest := c.rest
	if in&inOpened != 0 {
		rest = rest>>portBits<<portBits | g.where&(1<<portBits-1)
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
		g.wait.peak = u.peaks.add()
		k := u.peaks.at(g.wait.peak)
		k.at, k.first, k.last = at, at, at
	}
	c.what = g.who | cellFull
	c.rest = uint64(n)
}
