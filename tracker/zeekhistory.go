package tracker

import "tcpstate/capture"

// The letters of a history, in the order of their 5-bit codes: upper case
// (originator) from 1, lower case (responder) from 1+len(zeekLetters), then ^.
const zeekLetters = "SHADFRIQCGTWX"

// Codes of letters. X (an analyzer gave up) is never ours to write.
const (
	zeekS uint8 = 1 + iota
	zeekH
	zeekA
	zeekD
	zeekF
	zeekR
	zeekI
	zeekQ
	zeekC
	zeekG
	zeekT
	zeekW
)

const (
	zeekResp    = uint8(len(zeekLetters)) // added to a code for the responder
	zeekFlip    = 2*zeekResp + 1
	zeekInline  = 19   // letters that fit in zeekConn.text
	zeekSpilled = 0xff // zeekConn.n: the history is in the spill
)

// Bits of zeekConn.seen. S and H share one, as in TCP_Endpoint::HistoryMasks.
const (
	seenSyn uint8 = 1 << iota
	seenFin
	seenRst
	seenFinRst
	seenData
	seenAck
	seenMulti
)

// letters is update_history. A segment gives one letter at most.
func (z *zeekConn) letters(seg *capture.Segment, side uint8, spill *zeekSpill) {
	me := &z.end[side]
	rel := seg.Seq - me.start
	switch seg.Flags & (capture.SYN | capture.FIN | capture.RST) {
	case 0:
		switch {
		case seg.Len > 0:
			z.flipProductive(spill)
			z.once(seenData, zeekD, side, spill)
		case seg.Has(capture.ACK):
			z.flipProductive(spill)
			z.once(seenAck, zeekA, side, spill)
		}
	case capture.SYN:
		code := zeekS
		if seg.Has(capture.ACK) {
			code = zeekH
		}
		z.again(seenSyn, code, side, &me.syn, rel, spill)
	case capture.FIN:
		// Its number is the one after its payload.
		z.again(seenFin, zeekF, side, &me.fin, rel+seg.Len, spill)
	case capture.RST:
		z.again(seenRst, zeekR, side, &me.rst, rel, spill)
	default:
		if seg.Has(capture.FIN | capture.RST) {
			z.once(seenFinRst, zeekI, side, spill)
		} else {
			z.once(seenMulti, zeekQ, side, spill)
		}
	}
}

// once is CheckHistory: the letter comes the first time only. It reports
// whether it had come before.
func (z *zeekConn) once(bit, code, side uint8, spill *zeekSpill) bool {
	seen := &z.seen[z.role(side)]
	if *seen&bit != 0 {
		return true
	}
	*seen |= bit
	z.add(code, side, spill)
	return false
}

// again writes the letter the first time, and whenever its sequence number
// differs from that of the last one of its kind. The number is kept folded:
// two that differ look the same once in 65536.
func (z *zeekConn) again(bit, code, side uint8, last *uint16, rel uint32, spill *zeekSpill) {
	folded := uint16(rel ^ rel>>16)
	if z.once(bit, code, side, spill) && folded != *last {
		z.add(code, side, spill)
	}
	*last = folded
}

// scaled16 and scaled8 are ScaledHistoryEntry: a letter at the 1st, 10th,
// 100th ... time. The narrow counters stop at their end.
func (z *zeekConn) scaled16(n *uint16, code, side uint8, spill *zeekSpill) {
	if *n == 0xffff {
		return
	}
	if *n++; powerOf10(uint32(*n)) {
		z.add(code, side, spill)
	}
}

func (z *zeekConn) scaled8(n *uint8, code, side uint8, spill *zeekSpill) {
	if *n == 0xff {
		return
	}
	if *n++; powerOf10(uint32(*n)) {
		z.add(code, side, spill)
	}
}

func powerOf10(n uint32) bool {
	switch n {
	case 1, 10, 100, 1000, 10000:
		return true
	}
	return false
}

// add appends a letter for the end on side, in its present role.
func (z *zeekConn) add(code, side uint8, spill *zeekSpill) {
	if code != zeekFlip && z.role(side) != 0 {
		code += zeekResp
	}
	switch {
	case z.n == zeekSpilled:
		spill.add(z.spillID(), zeekLetter(code))
	case z.n < zeekInline:
		z.put(z.n, code)
		z.n++
	case spill != nil:
		// The rare long one moves out as a whole; its place keeps the address.
		id := spill.take(z.hist(nil))
		spill.add(id, zeekLetter(code))
		z.n = zeekSpilled
		z.text = [12]byte{byte(id), byte(id >> 8), byte(id >> 16), byte(id >> 24)}
	}
}

func (z *zeekConn) spillID() uint32 {
	return uint32(z.text[0]) | uint32(z.text[1])<<8 | uint32(z.text[2])<<16 | uint32(z.text[3])<<24
}

// put and code store 5 bits at a time, across octets.
func (z *zeekConn) put(i, code uint8) {
	at := uint(i) * 5
	v := uint16(code) << (at % 8)
	z.text[at/8] |= byte(v)
	if v > 0xff {
		z.text[at/8+1] |= byte(v >> 8)
	}
}

func (z *zeekConn) code(i uint8) uint8 {
	at := uint(i) * 5
	v := uint16(z.text[at/8])
	if at/8+1 < uint(len(z.text)) {
		v |= uint16(z.text[at/8+1]) << 8
	}
	return uint8(v >> (at % 8) & 31)
}

func zeekLetter(code uint8) byte {
	switch {
	case code == zeekFlip:
		return '^'
	case code > zeekResp:
		return zeekLetters[code-zeekResp-1] | 0x20
	}
	return zeekLetters[code-1]
}

// hist is the history as conn.log has it, without its "-" for none.
func (z *zeekConn) hist(spill *zeekSpill) string {
	if z.n == zeekSpilled {
		return spill.text(z.spillID())
	}
	var buf [zeekInline]byte
	for i := range z.n {
		buf[i] = zeekLetter(z.code(i))
	}
	return string(buf[:z.n])
}

// release gives a history's place in the spill back. The zeekConn is spent.
func (z *zeekConn) release(spill *zeekSpill) {
	if z.n == zeekSpilled {
		spill.free = append(spill.free, z.spillID())
		z.n = 0
	}
}

// zeekSpill holds the histories of more than zeekInline letters: those of
// long connections with much loss on both sides. The owner of many zeekConns
// has one; without one (nil), such a history ends after zeekInline letters.
type zeekSpill struct {
	rows [][]byte
	free []uint32
}

func (s *zeekSpill) take(text string) uint32 {
	if n := len(s.free); n > 0 {
		id := s.free[n-1]
		s.free = s.free[:n-1]
		s.rows[id] = append(s.rows[id][:0], text...)
		return id
	}
	s.rows = append(s.rows, []byte(text))
	return uint32(len(s.rows) - 1)
}

// zeekLongest bounds a history, for a flood of RST with ever other numbers
// would make it as long as the capture.
const zeekLongest = 4096

func (s *zeekSpill) add(id uint32, letter byte) {
	if s != nil && len(s.rows[id]) < zeekLongest {
		s.rows[id] = append(s.rows[id], letter)
	}
}

func (s *zeekSpill) text(id uint32) string {
	if s == nil {
		return ""
	}
	return string(s.rows[id])
}
