package tracker

import (
	"encoding/binary"
	"math"
	"math/bits"

	"tcpstate/capture"
	"tcpstate/reassembly"
)

// pen writes events one after the other in few octets, and reads them again.
// What usually follows from the events before takes no room; every other event
// fits as well, only longer. The zero pen begins a strip.
type pen struct {
	at     int64     // time of the event before
	frame  uint64    // its frame; 0: there was none
	nxt    [2]uint32 // by side, the sequence number expected next
	ts     [2]uint32 // its latest timestamp
	id     [2]uint16
	window [2]uint16
	ttl    [2]uint8
	states [2]step8 // of both ends after the event before
	tail   uint32   // the leaf it writes on
}

// The head of an event: five octets of bits, then what they announce, in
// their order.
const (
	headLen = 5
	// Flags take bits 0 to 7, the side bit 8, what the notebook makes of it two more.
	bitHow     = 9
	bitMicro   = 11 // the time is in microseconds
	bitStates  = 12 // two bits, see putStates
	bitOpts    = 14 // two bits: none, timestamps alone, an octet
	bitWhat    = 16 // five bits, see commonWhat
	bitClass   = 21 // class and reset class follow: they are not the usual ones
	bitWindow  = 22 // the window follows
	bitExtra   = 23 // an octet of the bits below follows
	bitID      = 24 // the IP identification follows
	bitTime    = 25 // two bits each, how long it is
	bitFrame   = 27
	bitSeq     = 29
	bitAck     = 31
	bitLen     = 33
	bitTSVal   = 35
	bitTSEcr   = 37
	bitTTL     = 39 // the TTL follows
	extraWhat  = 1 << 0
	extraScale = 1 << 1
	extraQuote = 1 << 2
	extraIdle  = 1 << 3
	extraTS    = 1 << 4 // timestamps without the option
)

// maxEvent is more than any event takes; beyond is what may be looked at after
// the last.
const maxEvent = 112

var beyond [maxEvent]byte

// Lengths in octets by their two bits, and the bits by the octets needed.
var (
	timeLen  = [4]uint8{2, 3, 4, 8}
	timeBits = [9]uint8{0, 0, 0, 1, 2, 3, 3, 3, 3}
	frameLen = [4]uint8{1, 2, 3, 8}
	frameFor = [9]uint8{0, 0, 1, 2, 3, 3, 3, 3, 3}
	numLen   = [4]uint8{0, 1, 2, 4}
	numBits  = [5]uint8{0, 1, 2, 3, 3}
)

func octets64(v uint64) int { return (bits.Len64(v) + 7) / 8 }
func octets32(v uint32) int { return (bits.Len32(v) + 7) / 8 }

// commonWhat are the bits of What that most events have some of; they lie side
// by side but for one.
const commonWhat = AtNxt | AcksNew | AcksAll | AcksFin | FirstData

func packWhat(w What) uint64 { return uint64(w>>5&1 | w>>7&0x1e) }

func unpackWhat(v uint64) What { return What(v&1<<5 | v&0x1e<<7) }

// usual is the class of a segment of which there is nothing to say.
func usual(flags uint8, n uint32) reassembly.Class {
	switch {
	case flags&capture.RST != 0:
		return reassembly.ClassNone
	case n > 0 || flags&(capture.SYN|capture.FIN) != 0:
		return reassembly.New
	}
	return reassembly.PureAck
}

// idle is Event.Idle where the segment before is the event before.
func (k *pen) idle(gap int64, quoted bool) uint32 {
	if quoted || k.frame == 0 || gap < ms {
		return 0
	}
	return uint32(min(gap/ms, math.MaxUint32))
}

// zigzag makes numbers near zero, of either sign, small.
func zigzag(d uint32) uint32 { return d<<1 ^ uint32(int32(d)>>31) }
func zagzig(z uint32) uint32 { return z>>1 ^ -(z & 1) }

// put writes e to b and returns how many octets it took; how is a number of two
// bits that comes with it.
func (k *pen) put(b *[maxEvent]byte, e *Event, how uint8) int {
	x, y := e.From&1, e.From&1^1
	h := uint64(e.Flags) | uint64(x)<<8 | uint64(how&3)<<bitHow | packWhat(e.What)<<bitWhat
	i := headLen
	gap := e.Time - k.at
	d := uint64(gap)
	if d%1000 == 0 {
		h |= 1 << bitMicro
		d /= 1000
	}
	c := timeBits[octets64(d)]
	h |= uint64(c) << bitTime
	binary.LittleEndian.PutUint64(b[i:], d)
	i += int(timeLen[c])
	d = e.Frame - k.frame
	c = frameFor[octets64(d)]
	h |= uint64(c) << bitFrame
	binary.LittleEndian.PutUint64(b[i:], d)
	i += int(frameLen[c])
	num := func(at int, v uint32) {
		c := numBits[octets32(v)]
		h |= uint64(c) << at
		binary.LittleEndian.PutUint32(b[i:], v)
		i += int(numLen[c])
	}
	num(bitSeq, zigzag(e.Seq-k.nxt[x]))
	num(bitAck, k.nxt[y]-e.Ack)
	num(bitLen, e.Len)
	extra := uint8(0)
	switch {
	case e.Opts == 0:
	case e.Opts == capture.OptTS:
		h |= 1 << bitOpts
	default:
		h |= 2 << bitOpts
		b[i] = e.Opts
		i++
	}
	if e.Opts&capture.OptTS != 0 {
		num(bitTSVal, e.TSVal-k.ts[x])
		num(bitTSEcr, k.ts[y]-e.TSEcr)
	} else if e.TSVal|e.TSEcr != 0 {
		extra |= extraTS
	}
	if e.Opts&capture.OptWScale != 0 {
		b[i] = e.WScale
		i++
	} else if e.WScale != capture.NoWScale {
		extra |= extraScale
	}
	if e.before != k.states || e.after != k.states {
		h, i = k.putStates(b, e, h, i)
	}
	if e.Class != usual(e.Flags, e.Len) || e.Reset != 0 {
		h |= 1 << bitClass
		b[i], b[i+1] = uint8(e.Class), uint8(e.Reset)
		i += 2
	}
	if e.Window != k.window[x] {
		h |= 1 << bitWindow
		binary.LittleEndian.PutUint16(b[i:], e.Window)
		i += 2
	}
	if e.IPID != k.nextID(x) {
		h |= 1 << bitID
		binary.LittleEndian.PutUint16(b[i:], e.IPID)
		i += 2
	}
	if e.TTL != k.ttl[x] {
		h |= 1 << bitTTL
		b[i] = e.TTL
		i++
	}
	if e.What&^commonWhat != 0 {
		extra |= extraWhat
	}
	if e.Quote != 0 {
		extra |= extraQuote
	}
	if e.Idle != k.idle(gap, e.What&Quoted != 0) {
		extra |= extraIdle
	}
	if extra != 0 {
		h |= 1 << bitExtra
		i = putExtra(b, e, extra, i)
	}
	binary.LittleEndian.PutUint32(b[:], uint32(h))
	b[4] = uint8(h >> 32)
	k.turn(e, x)
	return i
}

// putStates writes the states of both ends before and after the event: as one
// octet where one end's changed, as two where both did, and as four where
// something happened since the event before.
func (k *pen) putStates(b *[maxEvent]byte, e *Event, h uint64, i int) (uint64, int) {
	if e.before != k.states {
		b[i], b[i+1], b[i+2], b[i+3] = uint8(e.before[0]), uint8(e.before[1]), uint8(e.after[0]), uint8(e.after[1])
		return h | 3<<bitStates, i + 4
	}
	for s := range e.after {
		if p := uint8(e.after[s]); p < 0x80 && e.after[s^1] == e.before[s^1] {
			b[i] = p | uint8(s)<<7
			return h | 1<<bitStates, i + 1
		}
	}
	b[i], b[i+1] = uint8(e.after[0]), uint8(e.after[1])
	return h | 2<<bitStates, i + 2
}

func putExtra(b *[maxEvent]byte, e *Event, extra uint8, i int) int {
	b[i] = extra
	i++
	num := func(v uint32) {
		binary.LittleEndian.PutUint32(b[i:], v)
		i += 4
	}
	if extra&extraWhat != 0 {
		binary.LittleEndian.PutUint16(b[i:], uint16(e.What))
		i += 2
	}
	if extra&extraScale != 0 {
		b[i] = e.WScale
		i++
	}
	if extra&extraQuote != 0 {
		num(e.Quote)
	}
	if extra&extraIdle != 0 {
		num(e.Idle)
	}
	if extra&extraTS != 0 {
		num(e.TSVal)
		num(e.TSEcr)
	}
	return i
}

// nextID is the IP identification expected next: where they are counted, the
// one after, and where there are none, none.
func (k *pen) nextID(x uint8) uint16 {
	if k.id[x] == 0 {
		return 0
	}
	return k.id[x] + 1
}

// turn takes note of what was written or read.
func (k *pen) turn(e *Event, x uint8) {
	k.at, k.frame, k.states = e.Time, e.Frame, e.after
	if e.Flags&capture.RST == 0 {
		k.nxt[x] = uint32(e.End())
	}
	if e.Flags&capture.ACK != 0 && k.nxt[x^1] == 0 {
		k.nxt[x^1] = e.Ack
	}
	if e.Opts&capture.OptTS != 0 {
		k.ts[x] = e.TSVal
	}
	k.id[x], k.window[x], k.ttl[x] = e.IPID, e.Window, e.TTL
}

// get reads what put wrote to b, and returns how many octets it took. Beyond
// the event b has maxEvent octets more.
func (k *pen) get(b []byte, e *Event) (how uint8, n int) {
	h := binary.LittleEndian.Uint64(b)
	x, y := uint8(h>>8&1), uint8(h>>8&1^1)
	how = uint8(h >> bitHow & 3)
	*e = Event{}
	e.Flags, e.From, e.What, e.WScale = uint8(h), x, unpackWhat(h>>bitWhat), capture.NoWScale
	i := headLen
	size := timeLen[h>>bitTime&3]
	gap := int64(binary.LittleEndian.Uint64(b[i:]) & (^uint64(0) >> (64 - 8*size)))
	i += int(size)
	if h>>bitMicro&1 != 0 {
		gap *= 1000
	}
	e.Time = k.at + gap
	size = frameLen[h>>bitFrame&3]
	e.Frame = k.frame + binary.LittleEndian.Uint64(b[i:])&(^uint64(0)>>(64-8*size))
	i += int(size)
	num := func(at int) uint32 {
		size := numLen[h>>at&3]
		v := binary.LittleEndian.Uint32(b[i:]) & uint32(uint64(1)<<(8*size)-1)
		i += int(size)
		return v
	}
	e.Seq = k.nxt[x] + zagzig(num(bitSeq))
	e.Ack = k.nxt[y] - num(bitAck)
	e.Len = num(bitLen)
	switch h >> bitOpts & 3 {
	case 1:
		e.Opts = capture.OptTS
	case 2:
		e.Opts = b[i]
		i++
	}
	if e.Opts&capture.OptTS != 0 {
		e.TSVal = k.ts[x] + num(bitTSVal)
		e.TSEcr = k.ts[y] - num(bitTSEcr)
	}
	if e.Opts&capture.OptWScale != 0 {
		e.WScale = b[i]
		i++
	}
	e.before, e.after = k.states, k.states
	switch h >> bitStates & 3 {
	case 1:
		e.after[b[i]>>7] = step8(b[i] & 0x7f)
		i++
	case 2:
		e.after[0], e.after[1] = step8(b[i]), step8(b[i+1])
		i += 2
	case 3:
		e.before[0], e.before[1] = step8(b[i]), step8(b[i+1])
		e.after[0], e.after[1] = step8(b[i+2]), step8(b[i+3])
		i += 4
	}
	if h>>bitClass&1 != 0 {
		e.Class, e.Reset = reassembly.Class(b[i]), ResetClass(b[i+1])
		i += 2
	} else {
		e.Class = usual(e.Flags, e.Len)
	}
	e.Window, e.IPID, e.TTL = k.window[x], k.nextID(x), k.ttl[x]
	if h>>bitWindow&1 != 0 {
		e.Window = binary.LittleEndian.Uint16(b[i:])
		i += 2
	}
	if h>>bitID&1 != 0 {
		e.IPID = binary.LittleEndian.Uint16(b[i:])
		i += 2
	}
	if h>>bitTTL&1 != 0 {
		e.TTL = b[i]
		i++
	}
	if h>>bitExtra&1 == 0 {
		e.Idle = k.idle(gap, false)
	} else {
		i = k.getExtra(b, e, gap, i)
	}
	k.turn(e, x)
	return how, i
}

func (k *pen) getExtra(b []byte, e *Event, gap int64, i int) int {
	extra := b[i]
	i++
	num := func() uint32 {
		i += 4
		return binary.LittleEndian.Uint32(b[i-4:])
	}
	if extra&extraWhat != 0 {
		e.What = What(binary.LittleEndian.Uint16(b[i:]))
		i += 2
	}
	if extra&extraScale != 0 {
		e.WScale = b[i]
		i++
	}
	if extra&extraQuote != 0 {
		e.Quote = num()
	}
	if extra&extraIdle != 0 {
		e.Idle = num()
	} else {
		e.Idle = k.idle(gap, e.What&Quoted != 0)
	}
	if extra&extraTS != 0 {
		e.TSVal, e.TSEcr = num(), num()
	}
	return i
}
