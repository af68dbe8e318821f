package capture

import (
	"math"
	"slices"
	"strings"

	"tcpstate/reassembly"
)

// reason is why a frame that claims to be IP was not analysed.
type reason uint8

const (
	truncatedIP reason = iota
	badIPVersion
	badIPHeader
	badIPLength
	deepHeaders
	cutTCP
	badTCPLength
	badTCPOffset
	decoderPanic
	tunnelDepth
	truncatedTunnel
	unknownLink
	fragmentIncomplete
	fragmentOverlap
	fragmentLength
	fragmentLimit
	filterLink
	numReasons
)

var reasonNames = [numReasons]string{
	truncatedIP:        "truncated-ip",          // the IP header is cut
	badIPVersion:       "bad-ip-version",        // neither what the layer below says nor 4 or 6
	badIPHeader:        "bad-ip-header",         // header length below 20, or a broken extension header
	badIPLength:        "bad-ip-length",         // total length below the headers', or beyond the frame and the header's checksum is wrong
	deepHeaders:        "too-many-headers",      // IPv6 extension headers beyond maxHeaders
	cutTCP:             "cut-tcp",               // fewer than 16 octets of TCP header
	badTCPLength:       "bad-tcp-length",        // the IP payload is shorter than a TCP header
	badTCPOffset:       "bad-tcp-offset",        // data offset below 5, or beyond the segment
	decoderPanic:       "decoder-panic",         // a library's decoder failed
	tunnelDepth:        "tunnel-depth",          // more than maxDepth packets inside each other
	truncatedTunnel:    "truncated-tunnel",      // a tunnel header inside IP is cut or malformed
	unknownLink:        "unsupported-link-type", // the whole link layer is unknown
	fragmentIncomplete: "fragment-incomplete",   // the rest of the datagram never came
	fragmentOverlap:    "fragment-overlap",      // fragments that overlap where they must not (RFC 5722)
	fragmentLength:     "fragment-length",       // of a length that none can have (RFC 8200 section 4.5), or ends that contradict each other
	fragmentLimit:      "fragment-limit",        // given up for want of room, or in too many pieces
	filterLink:         "filter-link",           // the filter expression makes no sense on the frame's link
}

// reasonOrder sorts the reasons by name, as Stats tells of them.
var reasonOrder = func() (rs [numReasons]reason) {
	for i := range rs {
		rs[i] = reason(i)
	}
	slices.SortFunc(rs[:], func(a, b reason) int { return strings.Compare(reasonNames[a], reasonNames[b]) })
	return rs
}()

// SkipReasons lists all reasons of Stats.Skipped, sorted.
func SkipReasons() []string {
	names := make([]string, 0, numReasons)
	for _, r := range reasonOrder {
		names = append(names, reasonNames[r])
	}
	return names
}

// maxDepth bounds packets inside packets, maxHeaders the headers between an
// IPv6 header and TCP: a frame of nothing but headers must end.
const (
	maxDepth   = 16
	maxHeaders = 16
	maxTags    = 8
)

// never is before the time of any frame.
const never = math.MinInt64

// decoder takes frames apart and writes segments. It is used by one goroutine.
type decoder struct {
	verify bool
	raw    bool      // frames are kept
	sel    *selector // nil: everything is selected
	frags  *reassembly.Fragments

	one [1]frame

	// the frame at hand
	f     *frame
	b     *Batch
	mark  uint8
	depth uint8
	ntags uint8
	match int8 // of the filter: -1 not yet known
	own   bool // the filter takes the frame by itself, not for a fragment before it
	vlan  uint16
	tags  [maxTags]uint16

	// counters
	frames   uint64
	segments uint64
	selected uint64
	quotes   uint64
	tagged   uint64
	timeBack uint64
	backBy   int64
	timed    bool  // a frame had a time
	prev     int64 // of the frame before, if timed
	first    int64
	last     int64
	high     int64 // Batch.Clock
	skips    [numReasons]Skip
}

func newDecoder(sel *selector, verify bool) *decoder {
	d := &decoder{sel: sel, verify: verify, high: never, vlan: NoVLAN}
	d.frags = reassembly.NewFragments(reassembly.FragmentLimits{})
	return d
}

// frame takes one frame, as decode does.
func (d *decoder) frame(f *frame, b *Batch) {
	d.one[0] = *f
	d.decode(d.one[:], b)
}

// decode takes frames and appends their segments to the batch, which must have
// room for one of each.
func (d *decoder) decode(fs []frame, b *Batch) {
	if d.raw {
		d.keepSelected(fs, b)
		return
	}
	d.segmentsOf(fs, b)
}

// segmentsOf is decode without regard to the frames themselves.
func (d *decoder) segmentsOf(fs []frame, b *Batch) {
	if d.sel == nil && !d.verify && d.ordered(fs, b) {
		d.plain(fs, b)
	} else {
		for i := range fs {
			f := &fs[i]
			d.frames++
			d.dissect(f, b, d.turn(f, b))
		}
	}
	b.Clock = d.high
}

// ordered reports whether the times of all frames are known and in order, and
// keeps them if they are: else each frame takes its turn.
func (d *decoder) ordered(fs []frame, b *Batch) bool {
	high := d.high
	if !d.timed || len(fs) == 0 {
		return false
	}
	for i := range fs {
		f := &fs[i]
		if f.time < high || f.untimed {
			return false
		}
		high = f.time
	}
	d.prev, d.last, d.high, b.Now = high, high, high, high
	return true
}

// plain decodes frames that need nothing but their segments, the usual ones
// without looking at the decoder's state.
func (d *decoder) plain(fs []frame, b *Batch) {
	for {
		n := len(b.Segments)
		k := plainFrames(fs, b.Segments[n:n+len(fs)], d.frames)
		b.Segments = b.Segments[:n+k]
		d.frames += uint64(k)
		d.segments += uint64(k)
		d.selected += uint64(k)
		if k == len(fs) {
			return
		}
		d.frames++
		d.dissect(&fs[k], b, 0)
		fs = fs[k+1:]
	}
}

// turn keeps the time of a frame that has none, or not a later one than all
// before it, or is the first. It returns TimeBack if that is the segment's mark.
func (d *decoder) turn(f *frame, b *Batch) (back uint8) {
	b.Monotone = b.Monotone && f.time >= d.high
	d.high = max(d.high, f.time)
	if f.untimed {
		return 0
	}
	if !d.timed {
		d.timed, d.first, d.last = true, f.time, f.time
	} else if f.time < d.prev {
		back = TimeBack
		d.timeBack++
		d.backBy = max(d.backBy, d.prev-f.time)
	}
	d.prev = f.time
	d.last = max(d.last, f.time)
	b.Now = f.time
	return back
}

// dissect decodes one frame, whatever it is.
func (d *decoder) dissect(f *frame, b *Batch, back uint8) {
	d.f, d.b = f, b
	d.mark, d.depth, d.match = 0, 0, -1
	d.ntags, d.vlan = 0, NoVLAN
	n := len(b.Segments)
	s := &b.Segments[:n+1][n]
	if !d.link(f.ifc.link, f.data, f.wire, s) {
		return
	}
	b.Segments = b.Segments[:n+1]
	s.Time, s.Frame, s.VLAN = f.time, d.frames, d.vlan
	s.Mark |= back
	if s.Mark&Unselected != 0 {
		return // malformed or refused: counted under its reason
	}
	if s.Mark&Quoted != 0 {
		d.quotes++
		if d.sel != nil && !d.sel.keeps(d, s) {
			s.Mark |= Unselected
		}
		return
	}
	d.segments++
	if d.ntags > 0 {
		d.tagged++
	}
	if d.sel != nil && !d.sel.keeps(d, s) {
		s.Mark |= Unselected
		return
	}
	d.selected++
}

// skip counts the frame at hand as not analysed. It returns false, for the
// decoders' use.
func (d *decoder) skip(r reason) bool {
	if d.mark&Unselected != 0 {
		return false // refused before
	}
	k := &d.skips[r]
	if k.N == 0 {
		k.Frame = d.frames
	}
	k.N++
	return false
}

// refuse counts the frame at hand as not analysed and goes on with it, for a segment in
// it counts for the numbers that Wireshark gives (see malformed).
func (d *decoder) refuse(r reason) {
	d.skip(r)
	d.mark |= Unselected
}

// tag notes a VLAN tag of the frame; the last one is the innermost, and counts however many
// there are: it is what the connection shows.
func (d *decoder) tag(id uint16) {
	d.vlan = id
	if d.ntags < maxTags {
		d.ntags++
	}
	d.tags[d.ntags-1] = id
}

// stats fills in what the decoder counts.
func (d *decoder) stats(st *Stats) {
	st.Packets, st.Segments, st.Selected = d.frames, d.segments, d.selected
	st.Quotes, st.TaggedTCP, st.TimeBack, st.BackBy = d.quotes, d.tagged, d.timeBack, d.backBy
	if d.timed {
		st.First, st.Last = d.first, d.last
	}
	for _, r := range reasonOrder {
		k := d.skips[r]
		switch r {
		case fragmentIncomplete:
			k = lost(d.frags.Incomplete())
		case fragmentOverlap:
			k = lost(d.frags.Overlapping())
		case fragmentLength:
			k = lost(d.frags.Misfit())
		case fragmentLimit:
			k = lost(d.frags.Evicted())
		}
		if k.N > 0 {
			k.Reason = reasonNames[r]
			st.Skipped = append(st.Skipped, k)
		}
	}
}

func lost(l reassembly.Lost) Skip { return Skip{N: l.Fragments, Frame: l.First} }
