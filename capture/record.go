package capture

import "encoding/binary"

// Options of pcapng blocks that are written (draft-ietf-opsawg-pcapng, section 3.5
// and those of the blocks).
const (
	optComment       = 1
	optHardware      = 2 // of a section
	optOS            = 3
	optApplication   = 4
	optName          = 2 // of an interface
	optResolution    = 9
	optTimeOffset    = 14
	optEndTime       = 3 // of statistics
	optIfDrop        = 5
	optOSDrop        = 7
	nanosecondDigits = 9
)

// maxData is how much of a frame is written: with all that goes around it, the block
// stays within what readers take.
const maxData = MaxBlock - 1<<17

// MaxComment is how long the comment of a frame may be, in octets.
const MaxComment = 1<<16 - 4

// MaxDescribed is how many interfaces are written by link type and snap length. Of a
// link that comes after them there is one without a snap length: a file has as many
// sections, each with other interfaces, as it likes.
const MaxDescribed = 4096

// Encoder turns frames into blocks of pcapng, one interface for each link type and
// snap length. Where the blocks go is the business of a Section.
type Encoder struct {
	// Interface is the name of the interface, for a live capture.
	Interface string

	ifcs map[described]int // their numbers
	last described         // of the frame before
	id   int               // the number of its interface
	snap uint32            // and what that says
}

// described is an interface whose block was written.
type described struct {
	link, snap uint32
	early      bool // frames before 1970
}

// Append appends the block of a frame, with a comment if there is one, behind that
// of its interface if it is the first of it.
func (e *Encoder) Append(b []byte, f *Frame, comment []byte) []byte {
	i := described{f.Link, f.Snap, f.Time < 0}
	if i != e.last || e.ifcs == nil { // else as the frame before
		e.last = i
		id, known := e.ifcs[i]
		if !known && len(e.ifcs) >= MaxDescribed {
			i.snap = 0
			id, known = e.ifcs[i]
		}
		if !known {
			if e.ifcs == nil {
				e.ifcs = map[described]int{}
			}
			id = len(e.ifcs)
			e.ifcs[i] = id
			b = e.describe(b, i)
		}
		e.id, e.snap = id, i.snap
	}
	data := f.Data[:min(len(f.Data), maxData)]
	if f.Untimed && e.id == 0 && len(comment) == 0 && (len(data)%4 == 0 || len(data) == f.Wire || len(data) == int(e.snap)) {
		return simplePacket(b, data, f.Wire)
	}
	t := uint64(f.Time)
	if i.early {
		t = uint64(f.Time + lastTime)
	}
	b, start := openBlock(b, blockPacket)
	b = binary.LittleEndian.AppendUint32(b, uint32(e.id))
	b = binary.LittleEndian.AppendUint32(b, uint32(t>>32))
	b = binary.LittleEndian.AppendUint32(b, uint32(t))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	b = binary.LittleEndian.AppendUint32(b, uint32(f.Wire))
	b = padded(append(b, data...), len(data))
	if len(comment) > 0 {
		b = option(b, optComment, comment[:min(len(comment), MaxComment)])
		b = endOptions(b)
	}
	return closeBlock(b, start)
}

// simplePacket is how a frame without a time is written. How much of it was captured
// has to follow from the lengths of frame and block and the first interface's snap length.
func simplePacket(b, data []byte, wire int) []byte {
	b, start := openBlock(b, blockSimple)
	b = binary.LittleEndian.AppendUint32(b, uint32(wire))
	b = padded(append(b, data...), len(data))
	return closeBlock(b, start)
}

// describe appends an Interface Description Block. Times are nanoseconds: since 1970,
// or for what was before it, since lastTime before 1970.
func (e *Encoder) describe(b []byte, i described) []byte {
	b, start := openBlock(b, blockInterface)
	b = binary.LittleEndian.AppendUint16(b, uint16(i.link))
	b = append(b, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, i.snap)
	if e.Interface != "" {
		b = option(b, optName, []byte(e.Interface))
	}
	b = option(b, optResolution, []byte{nanosecondDigits})
	if i.early {
		seconds := -int64(lastTime / 1e9)
		b = option(b, optTimeOffset, binary.LittleEndian.AppendUint64(nil, uint64(seconds)))
	}
	return closeBlock(endOptions(b), start)
}

// openBlock begins a block whose length closeBlock fills in.
func openBlock(b []byte, kind uint32) (_ []byte, start int) {
	start = len(b)
	b = binary.LittleEndian.AppendUint32(b, kind)
	return append(b, 0, 0, 0, 0), start
}

func closeBlock(b []byte, start int) []byte {
	size := uint32(len(b) - start + 4)
	binary.LittleEndian.PutUint32(b[start+4:], size)
	return binary.LittleEndian.AppendUint32(b, size)
}

// padded fills up to 32 bits what has n octets.
func padded(b []byte, n int) []byte {
	return append(b, make([]byte, -n&3)...)
}

func option(b []byte, code uint16, v []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, code)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(v)))
	return padded(append(b, v...), len(v))
}

func endOptions(b []byte) []byte { return append(b, 0, 0, 0, 0) }
