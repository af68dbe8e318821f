package capture

import "net/netip"

// BatchSize is how many segments a batch holds at most.
const BatchSize = 1024

// Batch carries segments from a Source to its reader. It is valid until it is
// handed to Next again; Next keeps its memory.
type Batch struct {
	// Segments are in the order of their frames. Frames without TCP leave
	// gaps in the frame numbers and no segment.
	Segments []Segment
	// Quotes holds the ICMP errors of this batch, found through the Len of
	// the Segments marked Quoted.
	Quotes []Quote
	// Frames are the frames as they were captured, in order, of those that are
	// selected; only where Options.Raw or LiveOptions.Raw asks for them. A filter
	// expression selects frames of all kinds, each by itself; Hosts, Nets, Ports and
	// VLANs those with a segment that they select, of a datagram in fragments the one
	// that completes it.
	Frames []Frame
	// Now is the time of the last frame read, with or without TCP, so that
	// timers run on while no TCP passes. Zero when no frame was read.
	Now int64
	// Start and Clock are the largest time of any frame of the capture up to
	// the beginning and to the end of this batch, a frame without a time
	// counting with the time that it has as a Segment. On an interface the Now
	// of a batch without frames counts, too. Before the first frame they are
	// math.MinInt64.
	Start, Clock int64
	// Monotone: no frame of this batch, with or without TCP, has a time before
	// that of any earlier frame of the capture.
	Monotone bool

	octets []byte // of Frames
}

// Quote is an ICMP or ICMPv6 error that carries the start of a TCP segment.
type Quote struct {
	From netip.Addr // who sent the error
	Type uint8      // ICMP type; see V6
	Code uint8
	V6   bool
	MTU  uint32 // next-hop MTU, where the error has one, else 0
}

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	b.Segments = b.Segments[:0]
	b.Quotes = b.Quotes[:0]
	clear(b.Frames) // they may hold on to memory that has grown too small
	b.Frames, b.octets = b.Frames[:0], b.octets[:0]
	if cap(b.octets) > rawKept {
		b.octets = nil
	}
	b.Now, b.Start, b.Clock, b.Monotone = 0, never, never, true
}
