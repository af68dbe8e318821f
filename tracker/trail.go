package tracker

import (
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

// trails are the rooms that notebooks use, of all lives.
type trails struct {
	leaves   leaves
	dossiers pool[dossier]
	rares    pool[[2]rare]
	errors   []capture.Quote // ICMP errors, by the dossiers' quotes
	spare    []uint32        // of these, what is free: index plus one
	missing  uint64          // events that were dropped
	epoch    int64           // the first segment's time: the others are near it
	begun    bool

	// trailFor are the signs of which a life has to show one for its trail to be
	// told; none asks for all.
	trailFor Sign

	page   page
	event  Event // as it is made up
	octets []byte
	some   []Event
}

// pen begins a strip, with e as the first event.
func (p *trails) pen(e *Event) pen {
	if !p.begun {
		p.epoch, p.begun = e.Time, true
	}
	return pen{at: p.epoch}
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

// prior is what a segment's meaning depends on and what applying it changes.
// It has no arrays, so that it is handed over in registers.
type prior struct {
	from, to step8          // the best estimates of the sender and of the other end
	nxt      reassembly.Seq // SND.NXT of the sender
	peerUna  reassembly.Seq
	unseen   uint32 // octets that its acknowledgment covers and nobody saw
	known    bool
	heard    bool // the peer's space had an acknowledgment
}

func (c *Conn) prior(s *capture.Segment) (p prior) {
	xe, ye := c.at(s.Side), c.at(s.Side^1)
	p.from, p.to = xe.step(), ye.step()
	p.nxt, p.known = xe.sp.Nxt, xe.sp.Known
	p.peerUna, p.heard = ye.sp.Una, ye.sp.HasUna
	if s.Flags&(capture.ACK|capture.RST) == capture.ACK && xe.state() != SynSent && ye.sp.Known && c.ackValid(ye, reassembly.Seq(s.Ack)) {
		p.unseen = ye.sp.Unseen(reassembly.Seq(s.Ack))
	}
	return p
}

// steps are both ends' best estimates.
func (c *Conn) steps() [2]step8 { return [2]step8{c.at(0).step(), c.at(1).step()} }

// step is the best estimate and its certainty.
func (e *Endpoint) step() step8 {
	if e.depth == 0 {
		return mk(Closed, Presumed)
	}
	return e.path[(e.depth-1)%pathLen]
}

// write notes a segment that was applied.
func (t *Tracker) write(n *notebook, c *Conn, s *capture.Segment, class reassembly.Class, was *prior) {
	if class == reassembly.Duplicate || n.marks&untold != 0 {
		return
	}
	xe, ye := c.at(s.Side&1), c.at(s.Side&1^1)
	e, d := &t.trails.event, (*dossier)(nil)
	if n.marks&opened != 0 {
		d = t.trails.dossiers.at(n.head - 1)
		e = d.blank()
	}
	sign, notable, opening, goesOn := e.fill(c, n.marks, s, class, was)
	n.signs |= sign
	plain := e.plain(was)
	if d == nil {
		if plain && xe != ye && n.fits(e, ye, opening) {
			n.jot(&t.trails, e, opening || goesOn)
			return
		}
		d = n.open(&t.trails)
		blank := d.blank()
		*blank = *e
		e = blank
	}
	d.write(n, &t.trails, e, xe, ye, was, plain, notable, opening, goesOn)
}

// fill makes e of a segment that was applied. It returns what the segment shows, whether
// it is notable for its class, whether one end has not spoken yet, and whether it comes
// after a FIN or RST.
func (e *Event) fill(c *Conn, marks mark, s *capture.Segment, class reassembly.Class, was *prior) (sign Sign, notable, opening, goesOn bool) {
	x := s.Side & 1
	y := x ^ 1
	xe, ye := c.at(x), c.at(y)
	e.Time, e.Frame, e.Seq, e.Ack, e.Len, e.TSVal, e.TSEcr = s.Time, s.Frame, s.Seq, s.Ack, s.Len, s.TSVal, s.TSEcr
	e.Window, e.IPID, e.From, e.Flags, e.TTL, e.Opts, e.WScale = s.Window, s.IPID, x, s.Flags, s.TTL, s.Opts, s.WScale
	e.Class, e.before[x], e.before[y], e.after[x], e.after[y] = class, was.from, was.to, xe.step(), ye.step()
	e.Quote, e.Idle, e.Reset, e.What = 0, 0, 0, 0
	rst := s.Flags&capture.RST != 0
	switch {
	case odd(s.Flags):
		e.What |= Odd
		sign = SignOdd
	case rst:
		e.Reset = c.notes.lastClass
		e.What |= c.notes.lastWhat
		sign = SignRst
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
	if s.Len > 0 && !rst && marks&(sentPayload<<x) == 0 {
		e.What |= FirstData
	}
	if e.What&Odd == 0 && (class >= reassembly.Retransmission || s.Flags&capture.SYN != 0) {
		var shown Sign
		shown, notable = e.sign(c)
		sign |= shown
	}
	opening = xe == ye || !(xe.is(spoke) && ye.is(spoke))
	goesOn = marks&afterReset != 0 || c.notes.firstFin != 0
	return sign, notable, opening, goesOn
}

// mark is what a notebook remembers to judge the next segment by.
type mark uint8

const (
	awaited     mark = 1 << iota // side 0's next segment is an answer to something notable
	_                            // side 1's
	sentPayload                  // side 0 sent payload in this life
	_                            // side 1 did
	afterReset                   // a RST came
	opened                       // there is a dossier
	untold                       // nothing is written down any more, for want of room
)

// ends reports a segment that begins or ends something: it is on the trail,
// and so is what the other end answers.
func (e *Event) ends() bool {
	return e.Flags&(capture.SYN|capture.FIN|capture.RST) != 0 || e.What&Odd != 0
}

// carries reports payload that belongs to the stream.
func (e *Event) carries() bool { return e.Len > 0 && e.Flags&capture.RST == 0 }

// sign says what a segment that may have been sent shows, and whether it is
// notable for its class.
func (e *Event) sign(c *Conn) (s Sign, notable bool) {
	syn := e.Flags&capture.SYN != 0
	switch {
	case syn && e.Class == reassembly.Retransmission && e.Flags&capture.ACK == 0:
		s = SignSynAgain
	case syn && e.Class == reassembly.Retransmission:
		s = SignSynAckAgain
	case syn:
	case e.Again():
		if e.Flags&capture.FIN != 0 {
			s |= SignFinAgain
		}
		if e.Len > 0 {
			s |= SignDataAgain
		}
		return s, true
	case e.Probe():
		return SignProbe, true
	}
	if e.Flags&(capture.SYN|capture.ACK|capture.RST) == capture.SYN {
		if c.firstFrame != e.Frame {
			s |= SignOpening
		}
		for _, p := range e.before {
			if st := p.state(); st.Synchronised() && st != TimeWait {
				s |= SignSynInside
			}
			if p.state() != Closed && c.firstFrame == e.Frame {
				s |= SignReused
			}
		}
	}
	return s, false
}

// quote notes an ICMP error that quotes a segment of the life.
func (t *Tracker) quote(n *notebook, c *Conn, s *capture.Segment, q *capture.Quote, was [2]step8) {
	if n.marks&untold != 0 {
		return
	}
	n.signs |= SignQuote
	if n.marks&opened == 0 {
		n.open(&t.trails)
	}
	d := t.trails.dossiers.at(n.head - 1)
	if d.nquotes == quoteMax {
		d.missing++
		t.trails.missing++
		return
	}
	d.quotes[d.nquotes] = t.trails.keep(q)
	e := Event{Time: s.Time, Frame: s.Frame, Seq: s.Seq, Quote: uint32(d.nquotes), From: s.Side & 1, What: Quoted,
		before: was, after: c.steps()}
	if s.Mark&capture.ShortQuote == 0 {
		e.Ack, e.Flags, e.Window = s.Ack, s.Flags, s.Window
	}
	d.nquotes++
	d.addContext(&t.trails)
	d.add(&t.trails, &e)
}
