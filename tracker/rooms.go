package tracker

// rooms lends rooms for things of one kind, found by index. It has no pointers
// to walk, never moves what it lent, and lends again what came back.
type rooms[T any] struct {
	halls [][]T
	used  uint32
	spare []uint32
}

const hall = 64 // rooms that are built at once

// at is the room i, as take gave it out.
func (s *rooms[T]) at(i uint32) *T { return &s.halls[(i-1)/hall][(i-1)%hall] }

// take lends an empty room, its index plus one.
func (s *rooms[T]) take() uint32 {
	if k := len(s.spare) - 1; k >= 0 {
		i := s.spare[k]
		s.spare = s.spare[:k]
		var empty T
		*s.at(i) = empty
		return i
	}
	if int(s.used/hall) == len(s.halls) {
		s.halls = append(s.halls, make([]T, hall))
	}
	s.used++
	return s.used
}

func (s *rooms[T]) put(i uint32) { s.spare = append(s.spare, i) }

// leaf is a piece of a strip: octets that belong to one life, in order. It fills a
// line of the caches, and the whole of an ordinary life takes three.
type leaf struct {
	b    [leafLen]byte
	next uint32 // index plus one; 0 none
}

const (
	leafLen  = 60
	leafHall = 1024
)

// leaves lends leaves. The free ones hang together by next.
type leaves struct {
	halls [][]leaf
	used  uint32
	free  uint32
}

func (l *leaves) at(i uint32) *leaf { return &l.halls[(i-1)/leafHall][(i-1)%leafHall] }

func (l *leaves) take() uint32 {
	if i := l.free; i != 0 {
		f := l.at(i)
		l.free, f.next = f.next, 0
		return i
	}
	if int(l.used/leafHall) == len(l.halls) {
		l.halls = append(l.halls, make([]leaf, leafHall))
	}
	l.used++
	return l.used
}

// put takes a whole strip back; head may be 0.
func (l *leaves) put(head uint32) {
	for i := head; i != 0; {
		f := l.at(i)
		next := f.next
		f.next, l.free = l.free, i
		i = next
	}
}

// write appends octets to the strip that ends in the leaf tail, with fill
// octets in it. It returns the strip's head where it begins here: tail was 0.
func (l *leaves) write(tail *uint32, fill *uint8, b []byte) (head uint32) {
	for len(b) > 0 {
		if *tail == 0 || *fill == leafLen {
			i := l.take()
			if *tail == 0 {
				head = i
			} else {
				l.at(*tail).next = i
			}
			*tail, *fill = i, 0
		}
		n := copy(l.at(*tail).b[*fill:], b)
		*fill += uint8(n)
		b = b[n:]
	}
	return head
}

// read appends a strip's octets to b, and as many more as a pen may look at
// beyond them.
func (l *leaves) read(b []byte, head uint32) []byte {
	for i := head; i != 0; {
		f := l.at(i)
		b = append(b, f.b[:]...)
		i = f.next
	}
	return append(b, beyond[:]...)
}
