package reassembly

import "slices"

// FragmentKey names the datagram that a fragment is of: RFC 791 has source,
// destination, protocol and identification, RFC 8200 section 4.5 leaves the
// protocol out. The VLAN is added, because one capture may see two networks
// with the same addresses.
type FragmentKey struct {
	Src, Dst [16]byte // IPv4 in the first four octets
	ID       uint32
	VLAN     uint16
	Proto    uint8 // 0 for IPv6
	V6       bool
}

// Fragment is one piece of a datagram. Offset and Len are octets of the
// datagram's payload on the wire; Data is what was captured of them and may be
// shorter.
type Fragment struct {
	Time   int64  // packet time, ns
	Frame  uint64 // number of its frame
	Offset int
	Len    int
	Data   []byte
	More   bool
	Flag   bool  // handed through: Joined.Flag is set if any fragment's was
	Proto  uint8 // what the payload is; the first fragment's counts
}

// Joined is a datagram with no piece missing.
type Joined struct {
	// Head is the start of the payload, as far as it was captured without a
	// gap, at most HeadLen octets. It is valid until the next Add.
	Head  []byte
	Len   int // of the whole payload, octets
	Proto uint8
	Flag  bool
}

// Lost tells of fragments that never became a datagram.
type Lost struct {
	Fragments uint64
	First     uint64 // frame of the earliest; 0 if none
}

func (l *Lost) add(n uint64, first uint64) {
	if n > 0 && (l.First == 0 || first < l.First) {
		l.First = first
	}
	l.Fragments += n
}

// Bounds of the fragment table. Of a datagram only the first octets are kept:
// enough for any headers, and no more than a flood of fragments may cost.
const (
	// HeadLen is how many octets from the start of a datagram are held.
	HeadLen = 512
	// MaxPieces is how many fragments one datagram may have: IPv4's smallest
	// common MTU, 576, makes 119 of the longest datagram.
	MaxPieces = 128
	// maxDatagram is the longest payload that offsets of 13 bits can name.
	maxDatagram = 65535
)

// FragmentLimits bounds a table. A zero field stands for the default.
type FragmentLimits struct {
	Datagrams int   // held at once; 4096. Memory is at most about 1.5 KiB for each
	Age       int64 // ns of packet time from the first fragment to arrive; 30 s, as Linux has it for IPv4
}

// Fragments joins the fragments of datagrams. It is bounded in the number of
// datagrams, the octets held of each, and the time that they wait.
//
// Where IPv4 fragments overlap, the octets that came first stand. Where they
// disagree on the datagram's end, and where IPv6 fragments overlap at all
// (RFC 5722) unless one is the exact copy of another, the datagram is given
// up, with all its fragments still to come. So is one of too many pieces. A
// fragment of a length that none can have (RFC 791 section 3.2, RFC 8200
// section 4.5) is not taken.
type Fragments struct {
	limits FragmentLimits
	byKey  map[FragmentKey]*datagram
	// head and tail of the list in order of arrival: the oldest is the first
	// to expire and the first to make room.
	oldest, newest *datagram
	free           *datagram
	done           *datagram // its memory is lent out as Joined.Head

	lost [numDeaths]Lost
}

// datagram is one under construction.
type datagram struct {
	key        FragmentKey
	prev, next *datagram
	since      int64 // time of the first fragment to arrive
	frame      uint64
	fragments  uint64
	end        int // payload length; -1 until the last fragment is here
	pieces     []piece
	head       [HeadLen]byte
	proto      uint8
	flag       bool
	dead       death
}

// death is why a datagram was given up.
type death uint8

const (
	alive       death = iota // not yet; counted under it: aged out
	overlapping              // its fragments overlap
	misfit                   // their lengths and offsets contradict each other
	crowded                  // more than MaxPieces, or others needed the room
	numDeaths
)

// piece is [from, to) of the payload; got is how far it was captured. Pieces
// are sorted and do not overlap.
type piece struct{ from, to, got uint16 }

// NewFragments returns an empty table.
func NewFragments(l FragmentLimits) *Fragments {
	if l.Datagrams <= 0 {
		l.Datagrams = 4096
	}
	if l.Age <= 0 {
		l.Age = 30e9
	}
	return &Fragments{limits: l, byKey: make(map[FragmentKey]*datagram)}
}

// Held is how many datagrams are incomplete now.
func (t *Fragments) Held() int { return len(t.byKey) }

// Incomplete counts the fragments whose datagram aged out or is still waiting.
func (t *Fragments) Incomplete() Lost { return t.lostTo(alive) }

// Overlapping counts the fragments of datagrams whose fragments overlap where
// they must not.
func (t *Fragments) Overlapping() Lost { return t.lostTo(overlapping) }

// Misfit counts the fragments of datagrams that contradict themselves about
// their length, and fragments of a length that none can have.
func (t *Fragments) Misfit() Lost { return t.lostTo(misfit) }

// Evicted counts the fragments of datagrams that had to make room, and of those
// that were in more than MaxPieces.
func (t *Fragments) Evicted() Lost { return t.lostTo(crowded) }

// lostTo counts the fragments of the datagrams that are gone and of those still held.
func (t *Fragments) lostTo(why death) Lost {
	l := t.lost[why]
	for d := t.oldest; d != nil; d = d.next {
		if d.dead == why {
			l.add(d.fragments, d.frame)
		}
	}
	return l
}

// Add takes a fragment and reports whether it completes its datagram.
func (t *Fragments) Add(k *FragmentKey, f *Fragment) (Joined, bool) {
	// A fragment may lie inside the datagram joined last (a tunnel): that
	// memory is free only when this fragment has been copied.
	if lent := t.done; lent != nil {
		t.done = nil
		defer func() { lent.next, t.free = t.free, lent }()
	}
	t.expire(f.Time)
	end := f.Offset + f.Len
	if f.Len <= 0 || f.Offset < 0 || end > maxDatagram || f.More && f.Len&7 != 0 {
		t.lost[misfit].add(1, f.Frame)
		return Joined{}, false
	}
	d := t.byKey[*k]
	if d == nil {
		d = t.start(k, f)
	}
	d.fragments++
	d.flag = d.flag || f.Flag
	if f.Frame < d.frame {
		d.frame = f.Frame
	}
	if d.dead != alive {
		return Joined{}, false
	}
	if d.dead = d.put(f); d.dead != alive {
		d.pieces = d.pieces[:0]
		return Joined{}, false
	}
	if d.end < 0 || !d.whole() {
		return Joined{}, false
	}
	t.unlink(d)
	t.done = d
	return Joined{Head: d.head[:d.captured()], Len: d.end, Proto: d.proto, Flag: d.flag}, true
}

// put enters a fragment into the datagram and reports whether that ends it.
func (d *datagram) put(f *Fragment) death {
	from, to := f.Offset, f.Offset+f.Len
	if !f.More {
		if d.end >= 0 && d.end != to {
			return misfit
		}
		d.end = to
	}
	if d.end >= 0 && (to > d.end || len(d.pieces) > 0 && int(d.pieces[len(d.pieces)-1].to) > d.end) {
		return misfit
	}
	if from == 0 {
		d.proto = f.Proto
	}
	// i is the first piece that ends after from.
	i := 0
	for i < len(d.pieces) && int(d.pieces[i].to) <= from {
		i++
	}
	if i < len(d.pieces) && int(d.pieces[i].from) < to { // overlap
		if p := d.pieces[i]; int(p.from) == from && int(p.to) == to {
			return alive // a copy, as a capture on two interfaces has it
		}
		if d.key.V6 {
			return overlapping
		}
	}
	// Fill the gaps between the pieces that are there.
	for at := from; at < to; {
		if i < len(d.pieces) && int(d.pieces[i].from) <= at {
			at = max(at, int(d.pieces[i].to))
			i++
			continue
		}
		stop := to
		if i < len(d.pieces) {
			stop = min(stop, int(d.pieces[i].from))
		}
		if len(d.pieces) >= MaxPieces {
			return crowded
		}
		got := min(stop, f.Offset+len(f.Data))
		if got < at {
			got = at
		}
		if at < HeadLen && got > at {
			copy(d.head[at:], f.Data[at-f.Offset:got-f.Offset])
		}
		d.pieces = slices.Insert(d.pieces, i, piece{uint16(at), uint16(stop), uint16(got)})
		i++
		at = stop
	}
	return alive
}

// whole reports whether the pieces leave no gap up to the end.
func (d *datagram) whole() bool {
	at := 0
	for _, p := range d.pieces {
		if int(p.from) != at {
			return false
		}
		at = int(p.to)
	}
	return at == d.end
}

// captured is how many octets of the head were captured without a gap.
func (d *datagram) captured() int {
	at := 0
	for _, p := range d.pieces {
		if int(p.from) != at || at >= HeadLen {
			break
		}
		at = int(p.got)
		if p.got != p.to {
			break
		}
	}
	return min(at, HeadLen)
}

// start makes an entry, and room for it.
func (t *Fragments) start(k *FragmentKey, f *Fragment) *datagram {
	if len(t.byKey) >= t.limits.Datagrams {
		t.drop(t.oldest, crowded)
	}
	d := t.free
	if d == nil {
		d = new(datagram)
	} else {
		t.free = d.next
	}
	*d = datagram{key: *k, since: f.Time, frame: f.Frame, end: -1, pieces: d.pieces[:0], proto: f.Proto, prev: t.newest}
	if t.newest != nil {
		t.newest.next = d
	} else {
		t.oldest = d
	}
	t.newest = d
	t.byKey[*k] = d
	return d
}

// expire drops what waited too long. Packet time that jumps back expires
// nothing.
func (t *Fragments) expire(now int64) {
	for d := t.oldest; d != nil && now > d.since && now-d.since > t.limits.Age; d = t.oldest {
		t.drop(d, alive)
	}
}

// drop counts the fragments of a datagram, under why if it was not given up
// before, and frees its entry for reuse.
func (t *Fragments) drop(d *datagram, why death) {
	if d.dead != alive {
		why = d.dead
	}
	t.lost[why].add(d.fragments, d.frame)
	t.unlink(d)
	d.next, t.free = t.free, d
}

func (t *Fragments) unlink(d *datagram) {
	delete(t.byKey, d.key)
	if d.prev != nil {
		d.prev.next = d.next
	} else {
		t.oldest = d.next
	}
	if d.next != nil {
		d.next.prev = d.prev
	} else {
		t.newest = d.prev
	}
	d.prev, d.next = nil, nil
}
