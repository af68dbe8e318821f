package tracker

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
	cut   cut[leaf]
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
		l.halls = append(l.halls, l.cut.next(leafHall, len(l.halls)))
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
