package capture

import "encoding/binary"

// Section is what a file of an Encoder's blocks needs besides them: a head, the
// interfaces that earlier files described, and an end. One Section serves all files
// of a capture, one after the other.
type Section struct {
	// Hardware, OS and Application say who writes.
	Hardware, OS, Application string

	described []byte      // the blocks of all interfaces so far
	last      [][2]uint32 // of each interface: the time of its latest frame, high and low
	started   []bool      // of each interface: it has frames in this file
	frames    bool        // the file has any
}

// Head appends what a file begins with.
func (s *Section) Head(b []byte) []byte {
	b, start := openBlock(b, blockSection)
	b = binary.LittleEndian.AppendUint32(b, byteOrderMagic)
	b = append(b, 1, 0, 0, 0)                           // version 1.0
	b = binary.LittleEndian.AppendUint64(b, ^uint64(0)) // a length that is not known
	for code, v := range [...]string{optHardware: s.Hardware, optOS: s.OS, optApplication: s.Application} {
		if v != "" {
			b = option(b, uint16(code), []byte(v))
		}
	}
	b = closeBlock(endOptions(b), start)
	clear(s.started)
	s.frames = false
	return append(b, s.described...)
}

// Take says how many octets of blocks go into the file that has room for so many, and
// for its end: all of them, or up to the block that would be too much. The first frame
// of a file always goes into it. A room below 0 has no end.
func (s *Section) Take(blocks []byte, room int64) (n int) {
	for n < len(blocks) {
		b := blocks[n:]
		size := int(binary.LittleEndian.Uint32(b[4:]))
		kind := binary.LittleEndian.Uint32(b)
		if room >= 0 && s.frames && int64(n+size+s.tail()) > room {
			break
		}
		switch kind {
		case blockInterface:
			s.described = append(s.described, b[:size]...)
			s.last, s.started = append(s.last, [2]uint32{}), append(s.started, false)
		case blockPacket:
			id := binary.LittleEndian.Uint32(b[8:])
			s.last[id] = [2]uint32{binary.LittleEndian.Uint32(b[12:]), binary.LittleEndian.Uint32(b[16:])}
			s.started[id], s.frames = true, true
		case blockSimple:
			s.started[0], s.frames = true, true
		}
		n += size
	}
	return n
}

// statistics is the length of an Interface Statistics Block as Tail writes it.
const statistics = 12 + 12 + 3*12 + 4

func (s *Section) tail() int { return statistics * max(1, len(s.last)) }

// Tail appends what a file ends with: how many frames were lost while it was written, by
// the kernel (or whoever captured) and by the interface. Of several interfaces, the first
// one that has frames answers for all.
func (s *Section) Tail(b []byte, dropped, ifDropped uint64) []byte {
	for id := range s.last {
		if !s.started[id] && (id > 0 || s.frames) {
			continue
		}
		t := s.last[id]
		var start int
		b, start = openBlock(b, blockStats)
		b = binary.LittleEndian.AppendUint32(b, uint32(id))
		b = binary.LittleEndian.AppendUint32(b, t[0])
		b = binary.LittleEndian.AppendUint32(b, t[1])
		end := binary.LittleEndian.AppendUint32(nil, t[0])
		b = option(b, optEndTime, binary.LittleEndian.AppendUint32(end, t[1]))
		b = option(b, optIfDrop, binary.LittleEndian.AppendUint64(nil, ifDropped))
		b = option(b, optOSDrop, binary.LittleEndian.AppendUint64(nil, dropped))
		b = closeBlock(endOptions(b), start)
		dropped, ifDropped = 0, 0
	}
	return b
}
