package tracker

import (
	"math"

	"tcpstate/capture"
	"tcpstate/reassembly"
)

// The trail's bounds. The first events of a life tell how it was opened, the
// latest how it ended; what has no room is dropped between them.
const (
	trailHead   = 4  // blocks that stay
	trailBlocks = 24 // blocks of one life
	blockLen    = 6
	quoteMax    = 8  // ICMP errors kept of one life
	openingMax  = 12 // segments of one end that are noted before both have spoken; of a self-connection, its first
)

// idleFrom is how long a silence is notable.
const idleFrom = 30 * second

// block holds events of one life, in order. Blocks come from a pool without
// pointers, and return to it when the life was told.
type block struct {
	ev   [blockLen]Event
	next uint32 // index plus one; 0 none
	n    uint8
}

// trails is the pool.
type trails struct {
	slab [][]block
	used uint32
	free uint32 // index plus one of the first free one

	errors []capture.Quote // ICMP errors, by the notebooks' quotes
	spare  []uint32        // of these, what is free: index plus one
}

const trailSlab = 128

func (p *trails) at(i uint32) *block { return &p.slab[(i-1)/trailSlab][(i-1)%trailSlab] }

// take returns an empty block, its index plus one.
func (p *trails) take() uint32 {
	if i := p.free; i != 0 {
		b := p.at(i)
		p.free = b.next
		b.next, b.n = 0, 0
		return i
	}
	if int(p.used/trailSlab) == len(p.slab) {
		p.slab = append(p.slab, make([]block, trailSlab))
	}
	p.used++
	return p.used
}

// keep stores an ICMP error and returns its index plus one.
func (p *trails) keep(q *capture.Quote) uint32 {
	if k := len(p.spare) - 1; k >= 0 {
		i := p.spare[k]
		p.spare = p.spare[:k]
		p.errors[i-1] = *q
		return i
	}
	p.errors = append(p.errors, *q)
	return uint32(len(p.errors))
}

func (p *trails) put(i uint32) {
	p.at(i).next = p.free
	p.free = i
}

// notebook is what is written down of a life to diagnose it: the trail, the
// latest segments that may become its context, and both ends' accounts. From
// is a side of the Key until the case is told.
type notebook struct {
	recent [2]Event // the latest segment of each side
	data   [2]Event // the latest with payload
	acct   [2]ledger

	head, keep, tail uint32 // blocks
	blocks           uint8
	holed            bool // the block after keep follows a hole
	missing          uint64
	noted            uint64 // frame of the latest event
	signs            Sign
	await            [2]bool // the side's next segment is an answer to something notable
	afterRst         bool
	speaker          int8 // who sent the latest payload: side+1, 0 nobody

	lastAt     int64
	lastFrame  uint64
	idle       int64
	idleFrames [2]uint64
	quotes     [quoteMax]uint32 // index plus one in trails.errors
	nquotes    uint8
}

// add appends an event.
func (n *notebook) add(p *trails, e *Event) {
	if n.tail == 0 {
		n.head = p.take()
		n.tail, n.blocks = n.head, 1
	} else if p.at(n.tail).n == blockLen {
		if n.blocks == trailBlocks {
			gone := p.at(n.keep).next
			b := p.at(gone)
			n.missing += uint64(b.n)
			p.at(n.keep).next = b.next
			p.put(gone)
			n.blocks--
			n.holed = true
		}
		i := p.take()
		p.at(n.tail).next = i
		n.tail = i
		n.blocks++
	}
	if n.blocks == trailHead {
		n.keep = n.tail
	}
	b := p.at(n.tail)
	b.ev[b.n] = *e
	b.n++
	n.noted = e.Frame
}

// clear gives back what it holds and begins anew. What may become context stays.
func (n *notebook) clear(p *trails) {
	for i := n.head; i != 0; {
		next := p.at(i).next
		p.put(i)
		i = next
	}
	p.spare = append(p.spare, n.quotes[:n.nquotes]...)
	*n = notebook{recent: n.recent, data: n.data}
}

// context notes the latest segments that are not on the trail yet, in order.
func (n *notebook) context(p *trails) {
	var c [4]*Event
	k := 0
	for _, e := range [...]*Event{&n.recent[0], &n.recent[1], &n.data[0], &n.data[1]} {
		if e.Frame == 0 || e.Frame <= n.noted {
			continue
		}
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
		n.add(p, e)
	}
}

// prior is what a segment's meaning depends on and what applying it changes.
type prior struct {
	states  [2]step8
	nxt     reassembly.Seq // SND.NXT of the sender
	peerUna reassembly.Seq
	unseen  uint32 // octets that its acknowledgment covers and nobody saw
	known   bool
	heard   bool // the peer's space had an acknowledgment
}

func (c *Conn) prior(s *capture.Segment) prior {
	xe, ye := c.at(s.Side), c.at(s.Side^1)
	p := prior{states: c.steps(), nxt: xe.sp.Nxt, peerUna: ye.sp.Una, known: xe.sp.Known,
		heard: ye.sp.HasUna}
	if s.Flags&(capture.ACK|capture.RST) == capture.ACK && xe.state() != SynSent && ye.sp.Known && c.ackValid(ye, reassembly.Seq(s.Ack)) {
		p.unseen = ye.sp.Unseen(reassembly.Seq(s.Ack))
	}
	return p
}

// steps are both ends' best estimates.
func (c *Conn) steps() (p [2]step8) {
	for i := range p {
		e := c.at(uint8(i))
		p[i] = mk(e.state(), e.certainty())
	}
	return p
}

// write notes a segment that was applied, if it is notable.
func (t *Tracker) write(n *notebook, c *Conn, s *capture.Segment, class reassembly.Class, was *prior) {
	x := s.Side & 1
	y := x ^ 1
	xe, ye := c.at(x), c.at(y)
	if class == reassembly.Duplicate {
		return
	}
	e := Event{Time: s.Time, Frame: s.Frame, Seq: s.Seq, Ack: s.Ack, Len: s.Len, TSVal: s.TSVal, TSEcr: s.TSEcr,
		Window: s.Window, IPID: s.IPID, From: x, Flags: s.Flags, TTL: s.TTL, Opts: s.Opts, WScale: s.WScale,
		Class: class, before: was.states, after: c.steps()}
	rst := s.Flags&capture.RST != 0
	switch {
	case odd(s.Flags):
		e.What |= Odd
		n.signs |= SignOdd
	case rst:
		e.Reset = c.notes.lastClass
		e.What |= c.notes.lastWhat
		n.signs |= SignRst
	}
	if was.known && reassembly.Seq(s.Seq) == was.nxt {
		e.What |= AtNxt
	}
	if s.Flags&capture.ACK != 0 && ye.sp.Known {
		ack := reassembly.Seq(s.Ack)
		if !was.heard || was.peerUna.Less(ack) {
			e.What |= AcksNew
		}
		if ack == ye.sp.Nxt {
			e.What |= AcksAll
		}
		if ye.sp.HasFin && ye.sp.Fin.Less(ack) {
			e.What |= AcksFin
		}
	}
	if s.Len > 0 && !rst && n.acct[x].DataSegments == 0 {
		e.What |= FirstData
	}
	notable := n.account(&e, xe, ye, was)
	if e.What&Odd == 0 {
		notable = n.sign(&e, c, s, class) || notable
	}
	opening := (xe == ye || !(xe.is(spoke) && ye.is(spoke))) && n.acct[x].Segments <= openingMax
	ends := s.Flags&(capture.SYN|capture.FIN|capture.RST) != 0 || e.What&Odd != 0
	if gap := s.Time - n.lastAt; n.lastAt != 0 && gap > 0 {
		if gap >= ms {
			e.Idle = uint32(min(gap/ms, math.MaxUint32))
		}
		if gap > n.idle {
			n.idle, n.idleFrames = gap, [2]uint64{n.lastFrame, s.Frame}
			if gap >= idleFrom {
				n.signs |= SignIdle
				notable = true
			}
		}
	}
	switch {
	case notable || ends || e.Is(FirstData) || n.await[x]:
		n.context(&t.trails)
		n.add(&t.trails, &e)
	case opening, n.afterRst, c.notes.firstFin != 0:
		n.add(&t.trails, &e)
	}
	n.await[x] = false
	if notable || ends {
		n.await[y] = true
	}
	n.afterRst = n.afterRst || rst
	n.lastAt, n.lastFrame = max(n.lastAt, s.Time), s.Frame
	if e.What&Odd == 0 {
		n.recent[x] = e
		if s.Len > 0 && !rst {
			n.data[x] = e
		}
	}
}

// sign notes what the segment shows, and reports whether it is notable for
// its class.
func (n *notebook) sign(e *Event, c *Conn, s *capture.Segment, class reassembly.Class) bool {
	syn := s.Flags&capture.SYN != 0
	switch {
	case syn && class == reassembly.Retransmission && s.Flags&capture.ACK == 0:
		n.signs |= SignSynAgain
	case syn && class == reassembly.Retransmission:
		n.signs |= SignSynAckAgain
	case syn:
	case class == reassembly.Retransmission, class == reassembly.Spurious:
		if s.Flags&capture.FIN != 0 {
			n.signs |= SignFinAgain
		}
		if s.Len > 0 {
			n.signs |= SignDataAgain
		}
		return true
	case class == reassembly.Keepalive, class == reassembly.ZeroWindowProbe:
		n.signs |= SignProbe
		return true
	}
	if s.Flags&(capture.SYN|capture.ACK|capture.RST) == capture.SYN {
		if c.firstFrame != s.Frame {
			n.signs |= SignOpening
		}
		for _, p := range e.before {
			if st := p.state(); st.Synchronised() && st != TimeWait {
				n.signs |= SignSynInside
			}
			if p.state() != Closed && c.firstFrame == s.Frame {
				n.signs |= SignReused
			}
		}
	}
	return false
}

// quote notes an ICMP error that quotes a segment of the life.
func (t *Tracker) quote(n *notebook, c *Conn, s *capture.Segment, q *capture.Quote, was [2]step8) {
	n.signs |= SignQuote
	if n.nquotes == quoteMax {
		return
	}
	n.quotes[n.nquotes] = t.trails.keep(q)
	e := Event{Time: s.Time, Frame: s.Frame, Seq: s.Seq, Quote: uint32(n.nquotes), From: s.Side & 1, What: Quoted,
		before: was, after: c.steps()}
	if s.Mark&capture.ShortQuote == 0 {
		e.Ack, e.Flags, e.Window = s.Ack, s.Flags, s.Window
	}
	n.nquotes++
	n.context(&t.trails)
	n.add(&t.trails, &e)
}
