package capture

import (
	"encoding/binary"
	"io"
	"math"
)

// Block types of pcapng (draft-ietf-opsawg-pcapng, section 4 and the
// registry in section 10.1).
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockOldPacket = 2 // obsolete Packet Block
	blockSimple    = 3
	blockStats     = 5
	blockJournal   = 9 // systemd journal entry
	blockCustom    = 0x00000bad
	blockCustomNC  = 0x40000bad // not to be copied
	blockPacket    = 6          // Enhanced Packet Block
)

// byteOrderMagic stands in each section header in the section's byte order.
const byteOrderMagic = 0x1a2b3c4d

// pcapngReader walks the blocks of a pcapng file. Blocks that carry no frame,
// no interface and no counters are passed over, whatever their type.
type pcapngReader struct {
	walk
	big     bool
	section bool // a section header was seen
	ifcs    []*iface
	last    int64 // time of the frame before: simple packets have none of their own
	timed   bool  // there was one
}

func newPcapng(c walk) *pcapngReader {
	r := &pcapngReader{walk: c}
	r.format = "pcapng"
	return r
}

func (r *pcapngReader) next(fs []frame) (k int, err error) {
	if k = r.plain(fs); k > 0 || len(fs) == 0 {
		return k, nil
	}
	if err := r.one(&fs[0]); err != nil {
		return 0, err
	}
	return 1, nil
}

// plain walks the blocks that are nearly all of a file: Enhanced Packet Blocks
// in the byte order of our time, whole, in view and sound. It returns how many
// of fs it filled, and stops at any other block.
func (r *pcapngReader) plain(fs []frame) (k int) {
	if r.over || r.big || !r.section {
		return 0
	}
	w := &r.w
	b := w.buf[w.pos:w.end]
	for k < len(fs) && len(b) >= 32 {
		h := (*[28]byte)(b)
		size, id, n := binary.LittleEndian.Uint32(h[4:]), binary.LittleEndian.Uint32(h[8:]), binary.LittleEndian.Uint32(h[20:])
		if binary.LittleEndian.Uint32(h[:]) != blockPacket || size < 32 || size&3 != 0 || size > MaxBlock || uint64(size) > uint64(len(b)) {
			break
		}
		block := b[:size]
		end := block[size-4:]
		if binary.LittleEndian.Uint32(end) != size || uint64(id) >= uint64(len(r.ifcs)) || uint64(n) > uint64(size-32) {
			break
		}
		f := &fs[k]
		f.ifc = r.ifcs[id]
		f.time, f.untimed = f.ifc.res.nanos(uint64(binary.LittleEndian.Uint32(h[12:]))<<32|uint64(binary.LittleEndian.Uint32(h[16:]))), false
		f.data = block[28 : 28+n : 28+n]
		f.wire = max(int(binary.LittleEndian.Uint32(h[24:])&0x7fffffff), int(n))
		if rest := (n + 3) &^ 3; size-32 > rest {
			r.drop(f.ifc, block[28+rest:size-4])
		}
		b = b[size:]
		k++
	}
	if k > 0 {
		r.last, r.timed = fs[k-1].time, true
		r.packets += uint64(k)
		w.pos = w.end - len(b)
	}
	return k
}

// one moves on to the next frame over blocks of all kinds.
func (r *pcapngReader) one(f *frame) error {
	w := &r.w
	for {
		if r.over {
			return io.EOF
		}
		if !w.need(12) {
			return r.dry()
		}
		h := w.buf[w.pos : w.pos+12]
		kind := u32(h, r.big)
		if kind == blockSection { // reads the same in either byte order
			switch {
			case binary.LittleEndian.Uint32(h[8:]) == byteOrderMagic:
				r.big = false
			case binary.BigEndian.Uint32(h[8:]) == byteOrderMagic:
				r.big = true
			default:
				return r.stop("bad-section-header", w.offset())
			}
		} else if !r.section {
			return r.stop("bad-section-header", w.offset())
		}
		size := u32(h[4:], r.big)
		// Some writers forget that blocks are padded to 32 bits.
		whole := (size + 3) &^ 3
		if size < 12 || size > MaxBlock {
			return r.stop("bad-block-length", w.offset())
		}
		if !r.known(kind) {
			at := w.offset()
			if !w.skip(int64(whole)) {
				if w.why() == errYield { // cannot go back: wait for the rest
					w.hold = false
					w.skip(at + int64(whole) - w.offset())
				}
				if w.offset() < at+int64(whole) {
					return r.dryInside()
				}
			}
			continue
		}
		if !w.need(int(whole)) {
			return r.dry()
		}
		b := w.buf[w.pos : w.pos+int(whole)]
		at := w.offset()
		w.pos += int(whole)
		if u32(b[whole-4:], r.big) != size && u32(b[whole-4:], r.big) != whole {
			// The block begins where the one before ended and is whole: its
			// first length is more likely right than its second.
			r.hurt("block-lengths-differ", at, false)
		}
		if r.block(kind, b[8:whole-4], at, f) {
			r.packets++
			if !f.untimed {
				r.last, r.timed = f.time, true
			}
			return nil
		}
	}
}

// dryInside is dry for a place where even a clean end is a cut.
func (r *pcapngReader) dryInside() error {
	at, n := r.w.offset(), len(r.damage)
	err := r.dry()
	if len(r.damage) == n {
		r.hurt("cut-short", at, true)
	}
	return err
}

// known are the blocks that are looked into, and so have to be in the window.
func (r *pcapngReader) known(kind uint32) bool {
	switch kind {
	case blockSection, blockInterface, blockOldPacket, blockSimple, blockPacket, blockStats, blockJournal, blockCustom, blockCustomNC:
		return true
	}
	return false
}

// block takes one block apart and reports whether it is a frame.
func (r *pcapngReader) block(kind uint32, b []byte, at int64, f *frame) bool {
	switch kind {
	case blockPacket:
		return r.packet(b, at, f)
	case blockOldPacket:
		return r.oldPacket(b, at, f)
	case blockSimple:
		return r.simple(b, at, f)
	case blockInterface:
		r.describe(b, at)
	case blockStats:
		r.counters(b, at)
	case blockSection:
		r.open(b, at)
	case blockJournal, blockCustom, blockCustomNC:
		if kind != blockJournal && len(b) < 4 {
			return false // not even the number of whose block it is
		}
		// Wireshark numbers these as frames. They hold none.
		*f = frame{ifc: &noLink}
		r.untimed(f)
		return true
	}
	return false
}

// noLink is the interface of what came from none.
var noLink = iface{link: linkNone, noProg: true, counted: true}

// open begins a section: interfaces are numbered anew.
func (r *pcapngReader) open(b []byte, at int64) {
	r.section = true
	r.settle()
	r.ifcs = r.ifcs[:0]
	if len(b) < 16 {
		r.hurt("bad-section-header", at, false)
		return
	}
	if u16(b[4:], r.big) != 1 {
		r.hurt("unknown-version", at, false)
	}
}

// describe reads an Interface Description Block.
func (r *pcapngReader) describe(b []byte, at int64) {
	if len(r.ifcs) >= MaxInterfaces {
		r.stop("too-many-interfaces", at)
		return
	}
	i := &iface{link: linkNone, res: microseconds, noProg: true}
	r.ifcs = append(r.ifcs, i) // even a damaged one has a number
	if len(b) < 8 {
		r.hurt("bad-block", at, false)
		return
	}
	i.link, i.snap, i.noProg = uint32(u16(b, r.big)), u32(b[4:], r.big), false
	var offset int64
	options(b[8:], r.big, func(code uint16, v []byte) {
		switch {
		case code == 9 && len(v) == 1: // if_tsresol
			i.res = newClock(v[0])
		case code == 14 && len(v) == 8: // if_tsoffset
			offset = int64(u64(v, r.big))
		}
	})
	i.res.offset = offset
	r.see(i)
}

// packet reads an Enhanced Packet Block.
func (r *pcapngReader) packet(b []byte, at int64, f *frame) bool {
	if len(b) < 20 {
		r.hurt("bad-block", at, false)
		return false
	}
	var id, hi, lo, n, wire uint32
	if r.big {
		id, hi, lo = binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
		n, wire = binary.BigEndian.Uint32(b[12:]), binary.BigEndian.Uint32(b[16:])
	} else {
		id, hi, lo = binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])
		n, wire = binary.LittleEndian.Uint32(b[12:]), binary.LittleEndian.Uint32(b[16:])
	}
	if !r.fill(f, id, uint64(hi)<<32|uint64(lo), b[20:], n, wire, at) {
		return false
	}
	if rest := (int(n) + 3) &^ 3; len(b)-20 > rest {
		r.drop(f.ifc, b[20+rest:])
	}
	return true
}

// drop reads the options of an Enhanced Packet Block for how many packets were
// dropped before it.
func (r *pcapngReader) drop(i *iface, b []byte) {
	options(b, r.big, func(code uint16, v []byte) {
		if code == 4 && len(v) == 8 { // epb_dropcount
			i.drops = addSat(i.drops, u64(v, r.big))
		}
	})
}

// oldPacket reads a Packet Block, which differs in having a drop count where
// the other half of the interface number is now.
func (r *pcapngReader) oldPacket(b []byte, at int64, f *frame) bool {
	if len(b) < 20 {
		r.hurt("bad-block", at, false)
		return false
	}
	ts := uint64(u32(b[4:], r.big))<<32 | uint64(u32(b[8:], r.big))
	if !r.fill(f, uint32(u16(b, r.big)), ts, b[20:], u32(b[12:], r.big), u32(b[16:], r.big), at) {
		return false
	}
	if d := u16(b[2:], r.big); d != 0xffff { // all ones: not known
		f.ifc.drops = addSat(f.ifc.drops, uint64(d))
	}
	return true
}

// simple reads a Simple Packet Block: the first interface, no time, and the
// captured length has to be worked out.
func (r *pcapngReader) simple(b []byte, at int64, f *frame) bool {
	if len(b) < 4 || len(r.ifcs) == 0 {
		reason := "bad-block"
		if len(r.ifcs) == 0 {
			reason = "unknown-interface"
		}
		r.hurt(reason, at, false)
		return false
	}
	wire := u32(b, r.big)
	n := min(wire, uint32(len(b)-4))
	if s := r.ifcs[0].snap; s != 0 {
		n = min(n, s)
	}
	if !r.fill(f, 0, 0, b[4:], n, wire, at) {
		return false
	}
	r.untimed(f)
	return true
}

// untimed gives a frame without a time that of the frame before it.
func (r *pcapngReader) untimed(f *frame) { f.time, f.untimed = r.last, !r.timed }

// fill makes the frame, if the lengths allow it.
func (r *pcapngReader) fill(f *frame, id uint32, ts uint64, data []byte, n, wire uint32, at int64) bool {
	if uint64(id) >= uint64(len(r.ifcs)) {
		r.hurt("unknown-interface", at, false)
		return false
	}
	if uint64(n) > uint64(len(data)) {
		r.hurt("bad-block", at, false)
		return false
	}
	f.ifc = r.ifcs[id]
	f.time, f.untimed = f.ifc.res.nanos(ts), false
	f.data = data[:n:n]
	f.wire = max(int(wire&0x7fffffff), int(n))
	return true
}

// counters reads an Interface Statistics Block. Its counters run from the
// start of the capture: the last one of an interface holds.
func (r *pcapngReader) counters(b []byte, at int64) {
	if len(b) < 12 {
		r.hurt("bad-block", at, false)
		return
	}
	id := u32(b, r.big)
	if uint64(id) >= uint64(len(r.ifcs)) {
		r.hurt("unknown-interface", at, false)
		return
	}
	i := r.ifcs[id]
	options(b[12:], r.big, func(code uint16, v []byte) {
		switch {
		case code == 5 && len(v) == 8: // isb_ifdrop
			i.ifDrop = u64(v, r.big)
		case code == 7 && len(v) == 8: // isb_osdrop
			i.osDrop = u64(v, r.big)
		}
	})
}

// settle adds the drop counters of the section's interfaces to those of the
// file. The drops told with each packet and those of the statistics block are
// the same ones, counted by different writers.
func (r *pcapngReader) settle() {
	r.dropped, r.ifDrop = r.drops()
	for _, i := range r.ifcs {
		i.drops, i.osDrop, i.ifDrop = 0, 0, 0
	}
}

func (r *pcapngReader) drops() (dropped, ifDrop uint64) {
	dropped, ifDrop = r.dropped, r.ifDrop
	for _, i := range r.ifcs {
		dropped = addSat(dropped, max(i.drops, i.osDrop))
		ifDrop = addSat(ifDrop, i.ifDrop)
	}
	return dropped, ifDrop
}

// addSat adds without wrapping: a counter in a file may hold anything.
func addSat(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}

// options calls f for each option of a block; a malformed rest is ignored,
// because options are, and what they stand behind is already read.
func options(b []byte, big bool, f func(code uint16, v []byte)) {
	for len(b) >= 4 {
		code, n := u16(b, big), int(u16(b[2:], big))
		if code == 0 || n > len(b)-4 {
			return
		}
		f(code, b[4:4+n])
		b = b[min(len(b), 4+(n+3)&^3):]
	}
}
