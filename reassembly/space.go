package reassembly

// Space is the sequence space of one direction: what one TCP sent, as seen
// from outside, and how much of it its peer acknowledged. It keeps no payload.
//
// The names are those of RFC 9293 section 3.3.1. All of them count SYN and FIN.
type Space struct {
	ISS  Seq // initial send sequence number; one below the first octet seen if HasISS is false
	Nxt  Seq // SND.NXT: one past the highest octet sent
	Una  Seq // SND.UNA: the highest acknowledgment the peer sent
	Edge Seq // everything before it was seen without a hole
	Fin  Seq // the FIN's own sequence number, with HasFin
	Wnd  Seq // right edge of the window that the peer offered, with HasWnd

	Known  bool // anything is known of the space
	HasISS bool // the SYN was seen
	HasFin bool
	HasUna bool
	HasWnd bool
	far    bool // Nxt came so far from ISS that before and after it have no meaning any more
	approx bool // known from the peer's acknowledgments alone

	n     uint8          // isles in use
	isles [maxIsles]span // what was seen beyond Edge, ascending, disjoint
}

// maxIsles bounds what is remembered beyond a hole: three, as many as a SACK
// option with timestamps can report (RFC 2018 section 3). Where more would be
// needed the farthest are merged, which hides a hole but never invents data
// past Nxt.
const maxIsles = 3

type span struct{ lo, hi Seq }

// Open starts the space with a SYN at iss; n octets of payload came with it
// (RFC 7413).
func (s *Space) Open(iss Seq, n uint32) {
	*s = Space{ISS: iss, Nxt: iss.Add(1 + n), Edge: iss.Add(1 + n), Una: iss, Known: true, HasISS: true}
}

// Adopt starts the space in mid-stream with a segment at seq.
func (s *Space) Adopt(seq Seq) {
	*s = Space{ISS: seq - 1, Nxt: seq, Edge: seq, Una: seq, Known: true}
}

// AdoptAck starts the space with what the peer acknowledges.
func (s *Space) AdoptAck(ack Seq) {
	s.Adopt(ack)
	s.approx = true
	s.HasUna = true
}

// Holes reports whether something before the highest octet was not seen.
func (s *Space) Holes() bool { return s.n > 0 }

// FinInOrder reports whether the FIN was seen and nothing before it is missing.
func (s *Space) FinInOrder() bool { return s.HasFin && s.Fin.Less(s.Edge) }

// FinAcked reports whether the peer acknowledged the FIN.
func (s *Space) FinAcked() bool { return s.HasFin && s.HasUna && s.Fin.Less(s.Una) }

// SynAcked reports whether the peer acknowledged the SYN.
func (s *Space) SynAcked() bool { return s.HasISS && s.HasUna && s.AfterISS(s.Una) }

// AfterISS reports whether q comes after the SYN. Once 1 GiB was sent, everything does:
// numbers wrap around after 4 GiB, and whatever of the 2 GiB behind the ISS were then
// taken for older than it would be the connection's own (RFC 9293 section 3.4).
func (s *Space) AfterISS(q Seq) bool { return s.far || s.ISS.Less(q) }

// BeforeISS reports whether q comes before the SYN; see AfterISS.
func (s *Space) BeforeISS(q Seq) bool { return !s.far && q.Less(s.ISS) }

// reach takes Nxt for the highest number that was sent.
func (s *Space) reach(nxt Seq) {
	s.Nxt = nxt
	s.far = s.far || nxt.Diff(s.ISS) > farAway
}

// farAway is from where on nothing is before the ISS: far from what a window can span
// (RFC 7323 section 2.3: 1 GiB) and from where numbers turn to the other side.
const farAway = 1 << 30

// RightmostIsle is the end of the highest range seen beyond a hole; a receiver
// takes a RST there too (RFC 5961 section 3.2 as Linux tcp_validate_incoming does it).
func (s *Space) RightmostIsle() (Seq, bool) {
	if s.n == 0 {
		return 0, false
	}
	return s.isles[s.n-1].hi, true
}

// Send records [seq, end), fin telling whether its last octet is a FIN. It reports whether
// ranges had to be joined over a hole for want of room.
func (s *Space) Send(seq, end Seq, fin bool) (joined bool) {
	if !s.Known {
		s.Adopt(seq)
	}
	if s.approx {
		// The peer's acknowledgment is a lower bound: what lies between
		// was sent before the capture began.
		if s.Edge.Less(seq) {
			s.Edge = seq
		}
		if s.Nxt.Less(seq) {
			s.reach(seq)
		}
		s.approx = false
	}
	if fin {
		s.HasFin, s.Fin = true, end-1
	}
	s.reach(s.Nxt.Max(end))
	return seq != end && s.cover(seq, end)
}

// Acked records an acknowledgment by the peer and reports whether it is new.
// One beyond Nxt means that the capture missed segments; the space follows it.
func (s *Space) Acked(ack Seq) bool {
	if !s.Known {
		s.AdoptAck(ack)
		return true
	}
	if s.HasUna && ack.LessEq(s.Una) {
		return false
	}
	s.Una, s.HasUna = ack, true
	s.reach(s.Nxt.Max(ack))
	if s.Edge.Less(ack) {
		s.Edge = ack
		s.absorb()
	}
	return true
}

// cover adds [lo, hi) to what was seen, and reports whether that hid a hole.
func (s *Space) cover(lo, hi Seq) (joined bool) {
	if hi.LessEq(s.Edge) {
		return false
	}
	if lo.LessEq(s.Edge) {
		s.Edge = hi
		s.absorb()
		return false
	}
	// Insert in order, joining neighbours.
	i := uint8(0)
	for i < s.n && s.isles[i].hi.Less(lo) {
		i++
	}
	j := i
	for j < s.n && s.isles[j].lo.LessEq(hi) {
		if s.isles[j].lo.Less(lo) {
			lo = s.isles[j].lo
		}
		hi = hi.Max(s.isles[j].hi)
		j++
	}
	if i == j {
		if s.n == maxIsles {
			if i == maxIsles {
				s.isles[i-1].hi = hi // merges the farthest
			} else {
				s.isles[i].lo = lo // merges with the next
			}
			return true
		}
		copy(s.isles[i+1:s.n+1], s.isles[i:s.n])
		s.isles[i] = span{lo, hi}
		s.n++
		return false
	}
	s.isles[i] = span{lo, hi}
	copy(s.isles[i+1:], s.isles[j:s.n])
	s.n -= j - i - 1
	return false
}

// absorb moves the edge over isles that it has reached.
func (s *Space) absorb() {
	k := uint8(0)
	for k < s.n && s.isles[k].lo.LessEq(s.Edge) {
		s.Edge = s.Edge.Max(s.isles[k].hi)
		k++
	}
	if k > 0 {
		copy(s.isles[:], s.isles[k:s.n])
		s.n -= k
	}
}

// seen reports whether [lo, hi) was seen before, whole.
func (s *Space) seen(lo, hi Seq) bool {
	if hi.LessEq(s.Edge) {
		return true
	}
	if lo.Less(s.Edge) {
		lo = s.Edge
	}
	for _, p := range s.isles[:s.n] {
		if p.lo.LessEq(lo) && hi.LessEq(p.hi) {
			return true
		}
	}
	return false
}

// Unseen counts the octets that ack acknowledges anew and that were not seen.
// In mid-stream, where the space is known from acknowledgments alone, nothing
// can be told: 0.
func (s *Space) Unseen(ack Seq) uint32 {
	if !s.Known || s.approx || ack.LessEq(s.Edge) {
		return 0
	}
	n := uint32(ack.Diff(s.Edge))
	for _, p := range s.isles[:s.n] {
		if p.lo.Less(ack) {
			hi := p.hi
			if ack.Less(hi) {
				hi = ack
			}
			n -= uint32(hi.Diff(p.lo))
		}
	}
	return n
}
