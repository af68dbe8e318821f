package capture

import (
	"encoding/binary"
	"io"
)

// pcapReader walks a classic pcap file (draft-ietf-opsawg-pcap): a header of
// 24 octets, then records of a 16-octet header and the captured octets.
type pcapReader struct {
	walk
	ifc   iface
	limit uint32 // largest captured length that is believed
	head  int    // octets of a record header: 16, or 24 in the modified form
	unit  int64  // nanoseconds per unit of the fraction
	big   bool   // byte order of the file
	swap  bool   // versions before 2.3 hold the two lengths the other way round
	near  byte   // for fetchAhead to have a result
}

// Magic numbers as they read in the file's own byte order.
const (
	magicMicro    = 0xa1b2c3d4
	magicNano     = 0xa1b23c4d
	magicModified = 0xa1b2cd34 // Kuznetzov's patched libpcap: 8 more octets per record
)

// pcapMagic reports whether b begins a classic pcap file, and its shape.
func pcapMagic(b []byte) (magic uint32, big, ok bool) {
	if len(b) < 4 {
		return 0, false, false
	}
	for _, big := range []bool{false, true} {
		m := u32(b, big)
		if m == magicMicro || m == magicNano || m == magicModified {
			return m, big, true
		}
	}
	return 0, false, false
}

// newPcap reads the file header. The window stands at the magic number.
func newPcap(c walk) (*pcapReader, string) {
	r := &pcapReader{walk: c, head: 16, unit: 1000}
	r.format = "pcap"
	if !r.w.need(24) {
		return nil, "cut short inside the pcap file header"
	}
	h := r.w.buf[r.w.pos : r.w.pos+24]
	magic, big, _ := pcapMagic(h)
	r.big = big
	switch magic {
	case magicNano:
		r.unit = 1
	case magicModified:
		r.head = 24
	}
	if v := u16(h[4:], big); v != 2 {
		return nil, "pcap file of an unknown version"
	}
	r.swap = u16(h[6:], big) < 4
	// The link type has 16 bits; those above it tell of a frame check
	// sequence, which lies behind the packet and is of no interest here.
	r.ifc = iface{link: u32(h[20:], big) & 0xffff, snap: u32(h[16:], big)}
	r.limit = max(MaxRecord, min(r.ifc.snap, MaxBlock))
	r.see(&r.ifc)
	r.w.pos += 24
	return r, ""
}

// fetchAhead is how many octets behind a record what is read later is fetched. Where
// the next record begins is known only once this one has come, so that without it
// each of them is waited for.
const fetchAhead = 1024

func (r *pcapReader) next(fs []frame) (k int, err error) {
	if r.over {
		return 0, io.EOF
	}
	w := &r.w
	b := w.buf[w.pos:w.end]
	near := byte(0)
	for k < len(fs) {
		size := r.head
		if len(b) >= size {
			h := (*[16]byte)(b)
			var sec, frac, n, wire uint32
			if r.big {
				sec, frac = binary.BigEndian.Uint32(h[:]), binary.BigEndian.Uint32(h[4:])
				n, wire = binary.BigEndian.Uint32(h[8:]), binary.BigEndian.Uint32(h[12:])
			} else {
				sec, frac = binary.LittleEndian.Uint32(h[:]), binary.LittleEndian.Uint32(h[4:])
				n, wire = binary.LittleEndian.Uint32(h[8:]), binary.LittleEndian.Uint32(h[12:])
			}
			if r.swap && n > wire {
				n, wire = wire, n
			}
			if n > r.limit {
				if k > 0 {
					break
				}
				return 0, r.stop("record-too-large", w.offset())
			}
			size += int(n)
			if len(b) >= size {
				f := &fs[k]
				f.time = int64(sec)*1e9 + int64(frac)*r.unit
				f.data = b[r.head:size:size]
				f.wire = max(int(wire&0x7fffffff), int(n))
				f.ifc = &r.ifc
				b = b[size:]
				if len(b) > fetchAhead {
					near ^= b[fetchAhead]
				}
				k++
				continue
			}
		}
		if k > 0 {
			break
		}
		if !w.fill(size) {
			return 0, r.dry()
		}
		b = w.buf[w.pos:w.end]
	}
	w.pos = w.end - len(b)
	r.packets += uint64(k)
	r.near = near
	return k, nil
}

func u16(b []byte, big bool) uint16 {
	if big {
		return binary.BigEndian.Uint16(b)
	}
	return binary.LittleEndian.Uint16(b)
}

func u32(b []byte, big bool) uint32 {
	if big {
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b)
}

func u64(b []byte, big bool) uint64 {
	if big {
		return binary.BigEndian.Uint64(b)
	}
	return binary.LittleEndian.Uint64(b)
}
