package detect

import "encoding/binary"

// What a detector keeps of its connections waits for the end as octets: the numbers
// of one are near those of the one before, so that most take one octet or two in
// place of eight, and there is nothing that the garbage collector would walk.

// shorthand writes numbers, or reads them back in the same order: one function names
// the fields of a value for both.
type shorthand struct {
	b       []byte // what is written so far, or left to be read
	reading bool
	begins  uint64 // the connection's first frame, which the others are near
	at      int64  // when the first thing was found in it: other times are near that
}

// unsigned is a number that is small, most likely.
func (s *shorthand) unsigned(v *uint64) {
	if s.reading {
		*v = s.next()
		return
	}
	s.put(*v)
}

// put writes a number.
func (s *shorthand) put(v uint64) { s.b = binary.AppendUvarint(s.b, v) }

// next reads a number.
func (s *shorthand) next() uint64 {
	v := s.b[0]
	if v >= 0x80 {
		return s.long()
	}
	s.b = s.b[1:]
	return uint64(v)
}

// long reads a number of several octets.
func (s *shorthand) long() uint64 {
	v, n := binary.Uvarint(s.b)
	s.b = s.b[n:]
	return v
}

// signed is a number that is near 0, most likely.
func (s *shorthand) signed(v *int64) {
	if s.reading {
		*v = unfold(s.next())
		return
	}
	s.put(fold(*v))
}

// fold makes small numbers of those near 0.
func fold(v int64) uint64 { return uint64(v)<<1 ^ uint64(v>>63) }

// unfold is the counterpart of fold.
func unfold(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// near is a number that is near another, most likely.
func (s *shorthand) near(v *uint64, to uint64) {
	if s.reading {
		*v = to + uint64(unfold(s.next()))
		return
	}
	s.put(fold(int64(*v - to)))
}

// moment is a packet time of the connection.
func (s *shorthand) moment(v *int64) { s.nearTime(v, s.at) }

// nearTime is near for times.
func (s *shorthand) nearTime(v *int64, to int64) {
	if s.reading {
		*v = to + unfold(s.next())
		return
	}
	s.put(fold(*v - to))
}

// frame is the number of a frame, 0 for none.
func (s *shorthand) frame(v *uint64) {
	switch {
	case s.reading:
		if *v = s.next(); *v != 0 {
			*v = s.begins + uint64(unfold(*v-1))
		}
	case *v == 0:
		s.put(0)
	default:
		s.put(fold(int64(*v-s.begins)) + 1)
	}
}

// frames are several.
func (s *shorthand) frames(all ...*uint64) {
	for _, v := range all {
		s.frame(v)
	}
}

// count is a number of 32 bits.
func (s *shorthand) count(v *uint32) {
	if s.reading {
		*v = uint32(s.next())
		return
	}
	s.put(uint64(*v))
}

// octet is one.
func (s *shorthand) octet(v *uint8) {
	if s.reading {
		*v = s.b[0]
		s.b = s.b[1:]
		return
	}
	s.b = append(s.b, *v)
}

// flags are up to eight.
func (s *shorthand) flags(all ...*bool) {
	var o uint8
	for i, v := range all {
		o |= uint8(one(*v)) << i
	}
	s.octet(&o)
	for i, v := range all {
		*v = o>>i&1 != 0
	}
}

// stack is what was written, in pieces that stay where they are: none is copied when
// there is more.
type stack struct{ pieces [][]byte }

const (
	leastPiece = 1 << 9
	mostPiece  = 1 << 14
	// pieceRest is what a connection takes at the most, or a piece grows.
	pieceRest = 128
)

// open returns the piece that has room for one more, for close.
func (s *stack) open() []byte {
	n := len(s.pieces)
	if n > 0 {
		if p := s.pieces[n-1]; cap(p)-len(p) >= pieceRest {
			return p
		}
	}
	s.pieces = append(s.pieces, make([]byte, 0, min(leastPiece<<min(n, 8), mostPiece)))
	return s.pieces[n]
}

// close takes the piece back.
func (s *stack) close(p []byte) { s.pieces[len(s.pieces)-1] = p }
