package reassembly

// Class is what a segment is to the sequence space of its direction.
type Class uint8

// One class per segment; where several hold, the first of this list that
// applies wins (the priority table in class.go).
const (
	ClassNone       Class = iota
	New                   // advances the highest sequence number sent, in order
	PureAck               // no payload, SYN or FIN; nothing special
	Duplicate             // the same frame once more: mirror port, -i any
	Retransmission        // all of it was sent before
	Spurious              // all of it was acknowledged before
	Overlap               // part of it is new
	OutOfOrder            // fills a hole, soon enough to be reordering
	Gap                   // begins after the contiguous edge: something is missing
	Keepalive             // 0 or 1 octets, one below the next sequence number
	ZeroWindowProbe       // the same while the peer's window is zero
	WindowUpdate          // a pure ACK that changes nothing but the window
	DupAck                // a pure ACK that changes nothing
	OutsideWindow         // not acceptable to the receiver
	AckUnseen             // acknowledges data that was never seen
	NumClasses
)

var classNames = [NumClasses]string{"", "new", "ack", "duplicate", "retransmission", "spurious-retransmission", "overlap",
	"out-of-order", "gap", "keepalive", "zero-window-probe", "window-update", "dup-ack", "outside-window", "ack-unseen"}

func (c Class) String() string {
	if c < NumClasses {
		return classNames[c]
	}
	return "?"
}
