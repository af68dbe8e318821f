package reassembly

// Class is what a segment is to the sequence space of its direction.
type Class uint8

// One class per segment. Where several hold, the order of the tests in
// Classify decides; it follows Wireshark's sequence analysis where that has a
// name for the case.
const (
	ClassNone       Class = iota // not looked at: a RST, or flags that no TCP sends
	New                          // begins at the highest sequence number sent, or is the SYN
	PureAck                      // no payload, SYN or FIN; acknowledges something new or nothing special
	Duplicate                    // the same frame once more: mirror port, -i any, a duplicating path
	Retransmission               // all of it was sent before
	Spurious                     // all of it was acknowledged before
	Overlap                      // part of it was sent before, part is new
	OutOfOrder                   // fills a hole, soon enough to be reordering
	Gap                          // begins beyond the highest octet sent: something is missing before it
	Keepalive                    // 0 or 1 octets, one below the next sequence number (RFC 9293 section 3.8.4)
	ZeroWindowProbe              // the same while the peer's window is zero (section 3.8.6.1)
	WindowUpdate                 // a pure ACK that changes nothing but the window
	DupAck                       // a pure ACK that changes nothing while data is outstanding (RFC 5681 section 2)
	OutsideWindow                // begins beyond the window that the receiver offered
	AckUnseen                    // acknowledges octets that were never seen: the capture missed them
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

// Probe is a segment as Classify sees it.
type Probe struct {
	Seq     Seq
	Len     uint32 // payload octets
	Ack     Seq    // with HasAck
	Syn     bool
	Fin     bool
	HasAck  bool
	SameAck bool // acknowledgment as in this direction's segment before
	SameWnd bool // window as in this direction's segment before
	ZeroWnd bool // the peer's window is zero
	Soon    bool // so soon after the segment that left the hole that the path may have reordered them
}

// Classify says what p is to s, the space of its own direction, and to peer,
// the space of the other one, before either has taken note of it.
func Classify(s, peer *Space, p Probe) Class {
	n := p.Len
	if p.Syn {
		n++
	}
	if p.Fin {
		n++
	}
	end := p.Seq.Add(n)
	switch {
	case p.Syn && s.HasISS && p.Seq == s.ISS:
		return Retransmission
	case p.Syn || !s.Known:
		return New
	case p.Len <= 1 && !p.Fin && p.Seq == s.Nxt-1 && !s.approx && (p.Len == 0 || s.HasUna && s.Una == s.Nxt || p.ZeroWnd):
		if p.ZeroWnd {
			return ZeroWindowProbe
		}
		return Keepalive
	case p.HasAck && peer.Known && !peer.approx && peer.Nxt.Less(p.Ack) && p.Ack.Diff(peer.Nxt) < 1<<30:
		return AckUnseen
	case n == 0:
		switch {
		case !p.SameAck || !p.HasAck:
			return PureAck
		case !p.SameWnd:
			return WindowUpdate
		case peer.HasUna && peer.Una.Less(peer.Nxt):
			return DupAck
		}
		return PureAck
	case s.HasWnd && s.Wnd.Less(p.Seq) && !s.approx:
		return OutsideWindow
	case s.HasUna && end.LessEq(s.Una):
		return Spurious
	case end.LessEq(s.Nxt):
		if p.Soon && !s.seen(p.Seq, end) {
			return OutOfOrder
		}
		return Retransmission
	case p.Seq.Less(s.Nxt):
		return Overlap
	case p.Seq == s.Nxt || s.approx:
		return New
	}
	return Gap
}
