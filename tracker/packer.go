package tracker

import (
	"encoding/binary"

	"tcpstate/capture"
	"tcpstate/reassembly"
)

// packer writes an entry down in as few octets as its values need, or reads
// one: the same calls in the same order do both, so that they cannot differ.
// Each method takes a value and returns what it is: itself, or what was read.
type packer struct {
	b       []byte // what is read, or written so far
	reading bool
	base    int64 // times are as differences from it
	last    int64 // the time before
}

func (z *packer) u(v uint64) uint64 {
	if !z.reading {
		z.b = binary.AppendUvarint(z.b, v)
		return v
	}
	v, n := binary.Uvarint(z.b)
	z.b = z.b[n:]
	return v
}

// zig and zag make small numbers of either sign small.
func zig(v int64) uint64 { return uint64(v<<1) ^ uint64(v>>63) }
func zag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

func (z *packer) i(v int64) int64 { return zag(z.u(zig(v))) }

// time writes a time: zero, the same as the one before, or the difference.
func (z *packer) time(v int64) int64 {
	const zero, same, far, first = 0, 1, 2, 3
	if z.reading {
		switch u := z.u(0); u {
		case zero:
			return 0
		case same:
		case far:
			z.last = int64(z.u64(0))
		default:
			z.last = z.base - zag(u-first)
		}
		return z.last
	}
	switch d := zig(z.base - v); {
	case v == 0:
		z.u(zero)
		return 0
	case v == z.last:
		z.u(same)
	case d >= 1<<63:
		z.u(far)
		z.u64(uint64(v))
	default:
		z.u(d + first)
	}
	z.last = v
	return v
}

// near writes a sequence number by its distance from another.
func (z *packer) near(v, to reassembly.Seq) reassembly.Seq {
	return reassembly.Seq(uint32(to) + uint32(int32(z.i(int64(int32(uint32(v)-uint32(to)))))))
}

func (z *packer) u8(v uint8) uint8 {
	if !z.reading {
		z.b = append(z.b, v)
		return v
	}
	v = z.b[0]
	z.b = z.b[1:]
	return v
}

func (z *packer) u16(v uint16) uint16 {
	if !z.reading {
		z.b = binary.LittleEndian.AppendUint16(z.b, v)
		return v
	}
	v = binary.LittleEndian.Uint16(z.b)
	z.b = z.b[2:]
	return v
}

func (z *packer) u32(v uint32) uint32 {
	if !z.reading {
		z.b = binary.LittleEndian.AppendUint32(z.b, v)
		return v
	}
	v = binary.LittleEndian.Uint32(z.b)
	z.b = z.b[4:]
	return v
}

func (z *packer) u64(v uint64) uint64 {
	if !z.reading {
		z.b = binary.LittleEndian.AppendUint64(z.b, v)
		return v
	}
	v = binary.LittleEndian.Uint64(z.b)
	z.b = z.b[8:]
	return v
}

// bools writes up to eight of them.
func (z *packer) bools(all ...*bool) {
	var bits uint8
	for i, p := range all {
		if *p {
			bits |= 1 << i
		}
	}
	bits = z.u8(bits)
	for i, p := range all {
		*p = bits>>i&1 != 0
	}
}

// any reports, and writes, whether there is anything of a group that is mostly
// zero.
func (z *packer) any(is bool) bool {
	z.bools(&is)
	return is
}

// key writes both ends at their full length, where they can be compared.
func (z *packer) key(k *capture.Key) {
	z.bools(&k.V6)
	k.LoPort, k.HiPort = z.u16(k.LoPort), z.u16(k.HiPort)
	n := 4
	if k.V6 {
		n = 16
	}
	for _, a := range []*[16]byte{&k.Lo, &k.Hi} {
		if z.reading {
			copy(a[:n], z.b)
			z.b = z.b[n:]
		} else {
			z.b = append(z.b, a[:n]...)
		}
	}
}

// entry writes all of an entry but for what stands in the header of a parcel.
func (z *packer) entry(e *entry) {
	c := &e.conn
	o := &c.notes
	c.last = z.i(c.last)
	z.base, z.last = c.last, c.last
	c.lastFrame = z.u(c.lastFrame)
	c.firstFrame = c.lastFrame - uint64(z.i(int64(c.lastFrame-c.firstFrame)))
	c.start = z.time(c.start)
	c.vlan, c.client, c.roles = z.u16(c.vlan), z.u8(c.client), RoleReason(z.u8(uint8(c.roles)))
	c.mode = connFact(z.u16(uint16(c.mode)))
	c.continues, c.incarnation = z.i(c.continues), uint32(z.u(uint64(c.incarnation)))
	if z.any(c.mode&resumes != 0) {
		c.was.kind = CloseKind(z.u8(uint8(c.was.kind)))
		c.was.ends[0], c.was.ends[1] = State(z.u8(uint8(c.was.ends[0]))), State(z.u8(uint8(c.was.ends[1])))
	}
	e.whole.bits, e.whole.held = z.u8(e.whole.bits), z.u8(e.whole.held)
	e.hash = z.u32(e.hash)
	if h := &e.held; z.any(*h != held{}) {
		h.client, h.what, h.name, h.syn = z.u32(h.client), standing(z.u32(uint32(h.what))), z.u32(h.name), z.u32(h.syn)
	}
	if z.any(e.endAt != 0 || e.endFr != 0) {
		e.endAt, e.endFr = z.time(e.endAt), z.u(e.endFr)
	}
	for i := range c.ends {
		z.space(&c.ends[i].sp)
	}
	e.stream.known = z.u8(e.stream.known)
	for i := range c.ends {
		z.end(&c.ends[i], c.ends[i^1].sp.Nxt)
		e.stream.base[i] = uint32(z.near(reassembly.Seq(e.stream.base[i]), c.ends[i].sp.ISS))
	}
	o.idleSince, o.doneAt, o.answeredAt, o.rtt = z.time(o.idleSince), z.time(o.doneAt), z.time(o.answeredAt), z.i(o.rtt)
	for i, n := range o.unanswered {
		o.unanswered[i] = uint16(z.u(uint64(n)))
	}
	z.bools(&o.crossed, &o.gave)
	if z.any(o.firstFin != 0 || o.secondFin != 0 || o.rstAt != 0 || o.lastClass != 0 || o.class != 0 || o.lastWhat != 0 || o.finFrame != 0 || o.rstFrame != 0) {
		o.firstFin, o.secondFin, o.rstAt = z.time(o.firstFin), z.time(o.secondFin), z.time(o.rstAt)
		o.finFrame, o.rstFrame = z.u(o.finFrame), z.u(o.rstFrame)
		o.finSide, o.rstSide = z.u8(o.finSide), z.u8(o.rstSide)
		o.class, o.lastClass = ResetClass(z.u8(uint8(o.class))), ResetClass(z.u8(uint8(o.lastClass)))
		o.lastWhat = What(z.u16(uint16(o.lastWhat)))
	}
}

// space writes a sequence space through what reassembly tells of it.
func (z *packer) space(s *reassembly.Space) {
	c := s.Compact()
	z.bools(&c.Known, &c.HasISS, &c.HasFin, &c.HasUna, &c.HasWnd, &c.Approx, &c.Far)
	if c.Known {
		c.ISS = reassembly.Seq(z.u32(uint32(c.ISS)))
		c.Nxt = z.near(c.Nxt, c.ISS)
		c.Una, c.Edge, c.Fin, c.Wnd = z.near(c.Una, c.Nxt), z.near(c.Edge, c.Nxt), z.near(c.Fin, c.Nxt), z.near(c.Wnd, c.Nxt)
		c.Islands = z.u8(c.Islands)
		for i := range c.Isles[:c.Islands] {
			c.Isles[i][0], c.Isles[i][1] = z.near(c.Isles[i][0], c.Nxt), z.near(c.Isles[i][1], c.Nxt)
		}
	}
	if z.reading {
		*s = c.Space()
	}
}

// end writes the rest of an endpoint; peer is the other's SND.NXT.
func (z *packer) end(e *Endpoint, peer reassembly.Seq) {
	e.depth = z.u8(e.depth)
	for i := range e.path[:e.depth] {
		e.path[i] = step8(z.u8(uint8(e.path[i])))
	}
	e.has, e.timer = fact(z.u(uint64(e.has))), timerKind(z.u8(uint8(e.timer)))
	e.wnd, e.mss, e.scale, e.ttl = z.u16(e.wnd), z.u16(e.mss), z.u8(e.scale), z.u8(e.ttl)
	e.lastAt, e.lastSg, e.rtt = z.time(e.lastAt), z.u64(e.lastSg), z.i(e.rtt)
	for i := range e.acks {
		e.ackAt[i], e.acks[i] = z.time(e.ackAt[i]), z.near(e.acks[i], peer)
	}
	e.pendAt, e.pendEnd = z.time(e.pendAt), z.near(e.pendEnd, peer)
	n := &e.count
	n.packets, n.bytes = z.u(n.packets), z.u(n.bytes)
	if z.any(n.retransmissions != 0 || n.outOfOrder != 0 || n.keepalives != 0 || n.zeroWnd != 0) {
		n.retransmissions, n.outOfOrder = uint32(z.u(uint64(n.retransmissions))), uint32(z.u(uint64(n.outOfOrder)))
		n.keepalives, n.zeroWnd = uint32(z.u(uint64(n.keepalives))), uint32(z.u(uint64(n.zeroWnd)))
	}
	n.syns, n.synAcks = uint16(z.u(uint64(n.syns))), uint16(z.u(uint64(n.synAcks)))
	e.firstData, e.synAt, e.synAckAt, e.gap, e.due = z.time(e.firstData), z.time(e.synAt), z.time(e.synAckAt), z.i(e.gap), z.time(e.due)
	if z.any(e.finAt != 0 || e.finLast != 0 || e.finAckAt != 0 || e.closedAt != 0 || e.twSince != 0 || e.finSig != 0 || e.rstSeq != 0 || e.deaf != 0) {
		e.finAt, e.finLast, e.finAckAt, e.closedAt, e.twSince = z.time(e.finAt), z.time(e.finLast), z.time(e.finAckAt), z.time(e.closedAt), z.time(e.twSince)
		e.finSig, e.rstSeq, e.deaf = z.u(e.finSig), reassembly.Seq(z.u32(uint32(e.rstSeq))), z.u8(e.deaf)
	}
}
