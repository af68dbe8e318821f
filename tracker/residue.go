package tracker

import (
	"encoding/binary"

	"tcpstate/capture"
)

// A life that is over, was told, and of which nothing was seen for foldAfter
// frames is folded: of its entry there stays a residue, a tenth as large. It
// knows the 4-tuple, its stream number and what decides whether a segment
// belongs to it (Wireshark's rule needs that for as long as the capture lasts),
// both ends' states with how they were reached, their sequence spaces' ends,
// and a TIME-WAIT that runs on. A segment that comes all the same unfolds it,
// and is another incarnation, as one that comes after Config.Linger is.
//
// What it forgets is what only segments of its last moments could have been
// measured against: times within the life (all are as old as its end then),
// round trips, windows, holes.

// foldAfter is Config.Fold of DefaultConfig. Frames, not seconds: they bound
// how much is held, however fast the capture is, and are the same for any
// number of workers. In a capture of fewer frames nothing is folded.
//
// Of a capture so fast that these pass within foldQuiet, eight times as many
// have to; of a life that nothing but timers ended sixteen times as many, for it may
// go on, unless it is a SYN and most of what comes are such SYNs: then an eighth.
const (
	foldAfter = 1 << 17
	foldQuiet = second
)

// residue is a folded life.
type residue struct {
	who  uint64    // id, and above it the index of its shape
	at   int64     // ns: when TIME-WAIT elapses, where it runs; else the life's end
	base [2]uint32 // of StreamBase
	nxt  [2]uint32 // SND.NXT
	name name
	held heldBrief // what its TIME-WAIT counts in
}

// stub is a folded life of one SYN that nobody answered: of a flood there are
// millions.
type stub struct {
	who  uint64
	name name
	base uint32
}

const (
	idBits = 44
	idMask = 1<<idBits - 1
	// maxShapes bounds the shapes. There are some hundreds; where somebody makes
	// more on purpose, lives stay unfolded.
	maxShapes = 1 << (64 - idBits)
)

// name is a Key, smaller: two IPv4 addresses and the ports. Of IPv6 a is the
// index of the addresses in table.wide.
type name struct{ a, b, ports uint32 }

// addrs are the addresses of a Key.
type addrs struct{ lo, hi [16]byte }

// shape is all of a folded life that many have in common.
type shape struct {
	ends        [2]endShape
	whole       Completeness
	known       uint8 // of StreamBase
	mode        connFact
	client      uint8
	roles       RoleReason
	incarnation uint32
	was         toldOf
	holder      uint8 // of the TIME-WAIT that runs: side, or 2
	v6          bool
	stub        bool
	side        uint8 // of a stub: who sent the SYN
}

// endShape is what two ends of the same fate have in common.
type endShape struct {
	path        [pathLen]step8
	depth, deaf uint8
	has         fact
	known       bool // of its Space, as all that follow
	iss         bool // HasISS, and it is the base
	fin, una    bool
	unacked     bool // something it sent was never acknowledged
	acked       bool // it sent acknowledgments
}

// shapes are the shapes in use, and their indexes.
type shapes struct {
	all   []shape
	index map[shape]uint32
	last  shape // the latest found, and where: many in a row are alike
	at    uint32
	free  []uint32 // indexes of those that were given up
}

// find returns the index of a shape, or not ok.
func (s *shapes) find(x *shape) (uint32, bool) {
	if len(s.all) > 0 && s.last == *x {
		return s.at, true
	}
	i, ok := s.index[*x]
	if !ok {
		if len(s.all) == maxShapes && len(s.free) == 0 {
			return 0, false
		}
		if s.index == nil {
			s.index = map[shape]uint32{}
			s.all = []shape{{}} // so that no folded life is all zero
		}
		if k := len(s.free) - 1; k >= 0 {
			i, s.free = s.free[k], s.free[:k]
			s.all[i] = *x
		} else {
			i = uint32(len(s.all))
			s.all = append(s.all, *x)
		}
		s.index[*x] = i
	}
	s.last, s.at = *x, i
	return i, true
}

// names reports whether the folded life at r is one of the key.
func (t *table) names(r ref, k *capture.Key) bool {
	var n *name
	var v6 bool
	switch r & kindMask {
	case kindStub:
		s := t.stubs.at(r&indexMask - 1)
		n, v6 = &s.name, t.shapes.all[s.who>>idBits].v6
	case kindParcel:
		return t.parcels.at(r).of(k)
	case kindSketch:
		s := t.sketches.at(r&indexMask - 1)
		n, v6 = &s.name, s.bits&sketchV6 != 0
	case kindEmbryo:
		s := t.embryos.at(r&indexMask - 1)
		n, v6 = &s.name, s.v6
	default:
		s := t.residues.at(r&indexMask - 1)
		n, v6 = &s.name, t.shapes.all[s.who>>idBits].v6
	}
	if n.ports != uint32(k.LoPort)<<16|uint32(k.HiPort) || v6 != k.V6 {
		return false
	}
	if v6 {
		w := t.wide.at(n.a)
		return w.lo == k.Lo && w.hi == k.Hi
	}
	return n.a == binary.BigEndian.Uint32(k.Lo[:]) && n.b == binary.BigEndian.Uint32(k.Hi[:])
}

func (t *table) named(k *capture.Key) name {
	n := name{ports: uint32(k.LoPort)<<16 | uint32(k.HiPort)}
	if k.V6 {
		n.a = t.wide.take()
		*t.wide.at(n.a) = addrs{k.Lo, k.Hi}
	} else {
		n.a, n.b = binary.BigEndian.Uint32(k.Lo[:]), binary.BigEndian.Uint32(k.Hi[:])
	}
	return n
}

func (t *table) key(n *name, v6 bool) (k capture.Key) {
	t.putKey(&k, n, v6)
	return k
}

// putKey writes the Key in place: to copy what was just written in parts is slow.
func (t *table) putKey(k *capture.Key, n *name, v6 bool) {
	*k = capture.Key{}
	k.LoPort, k.HiPort, k.V6 = uint16(n.ports>>16), uint16(n.ports), v6
	if v6 {
		w := t.wide.at(n.a)
		k.Lo, k.Hi = w.lo, w.hi
	} else {
		binary.BigEndian.PutUint32(k.Lo[:], n.a)
		binary.BigEndian.PutUint32(k.Hi[:], n.b)
	}
}

// port is that of one side.
func (n *name) port(side uint8) uint16 {
	if side == 0 {
		return uint16(n.ports >> 16)
	}
	return uint16(n.ports)
}

// shape is what of an entry is alike in many.
func (e *entry) shape() shape {
	c := &e.conn
	x := shape{whole: e.whole, known: e.stream.known, mode: c.mode, client: c.client, roles: c.roles,
		incarnation: c.incarnation, holder: 2, v6: c.Key.V6}
	for i := range c.ends {
		end := &c.ends[i]
		x.ends[i] = endShape{path: end.path, depth: end.depth, deaf: end.deaf, has: end.has,
			known: end.sp.Known, iss: end.sp.HasISS && e.stream.known>>i&1 != 0 && uint32(end.sp.ISS) == e.stream.base[i], fin: end.sp.HasFin, una: end.sp.HasUna,
			unacked: end.sp.HasUna && end.sp.Una != end.sp.Nxt, acked: end.ackAt[0] != 0}
		clear(x.ends[i].path[end.depth:])
		if end.timer == timerTimeWait {
			x.holder = uint8(i)
		}
	}
	if a := &x.ends[c.client]; c.notes.firstFin == 0 && e.stream.known == 1<<c.client && a.iss && a.has&^scaled == sentSyn|timedOut &&
		!x.ends[c.client^1].known && c.ends[c.client].sp.Nxt == c.ends[c.client].sp.ISS+1 && e.held.what.in()&^inOpened == 0 {
		x.stub, x.side = true, c.client
	}
	return x
}
