package capture

// Frame is a frame as it was captured, for those who write it down again.
type Frame struct {
	Time   int64  // nanoseconds since 1970 UTC
	Number uint64 // from 1, over all files: Segment.Frame
	Data   []byte // what was captured; valid as long as its batch
	Wire   int    // octets on the wire, at least len(Data)
	Link   uint32 // LINKTYPE_ value
	Snap   uint32 // snap length of its interface; 0: unlimited
	// Untimed: neither this frame nor one before it in its file has a time;
	// Time is 0 and says nothing.
	Untimed bool
}

// rawBatch is how many octets of frames end a batch: of the largest frames,
// BatchSize would be a gigabyte. rawKept is what a batch keeps for the next ones.
const (
	rawBatch = 1 << 20
	rawKept  = 4 * rawBatch
)

// full reports whether the batch has as many octets of frames as it should.
func (b *Batch) full() bool { return len(b.octets) >= rawBatch }

// keep copies a frame into the batch: what it points to is gone when the next is read.
// What Wireshark numbers as a frame and is none (a journal entry) is left out.
func (b *Batch) keep(f *frame, number uint64) {
	if f.ifc.link == linkNone {
		return
	}
	n := len(b.octets)
	b.octets = append(b.octets, f.data...) // earlier frames keep the memory that they are in
	b.Frames = append(b.Frames, Frame{
		Time: f.time, Number: number, Data: b.octets[n:len(b.octets):len(b.octets)], Wire: f.wire,
		Link: f.ifc.link, Snap: f.ifc.snap, Untimed: f.untimed,
	})
}

// keepSelected is decode, and keeps the frames that are selected.
func (d *decoder) keepSelected(fs []frame, b *Batch) {
	if d.sel == nil {
		before := d.frames
		d.segmentsOf(fs, b)
		for i := range fs {
			b.keep(&fs[i], before+uint64(i)+1)
		}
		return
	}
	for i := range fs {
		n := len(b.Segments)
		d.segmentsOf(fs[i:i+1], b)
		if d.sel.takes(d, b.Segments[n:]) {
			b.keep(&fs[i], d.frames)
		}
	}
}
