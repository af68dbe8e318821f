package tracker

import (
	"net/netip"

	"tcpstate/capture"
	"tcpstate/reassembly"
)

// Client and Server index what is said of both ends of a life.
const (
	Client = 0
	Server = 1
)

// Sign says in one bit what a life has to show, so that who looks for one
// thing need not look at every life.
type Sign uint32

const (
	SignLife        Sign = 1 << iota // every life
	SignSyn                          // its opening SYN was seen
	SignDone                         // its handshake was seen to complete
	SignSynAgain                     // a SYN was repeated
	SignSynAckAgain                  // a SYN,ACK was repeated
	SignFinAgain                     // a FIN was repeated
	SignDataAgain                    // payload was repeated
	SignRst                          // a RST
	SignFin                          // a FIN
	SignHalf                         // one side's FIN, and none of the other
	SignQuote                        // an ICMP error quotes one of its segments
	SignOdd                          // flags that no TCP sends
	SignProbe                        // a keepalive or zero window probe
	SignZero                         // a window of zero
	SignIdle                         // idle for 30 s or more between two segments
	SignLate                         // payload towards a side that has sent FIN
	SignOneSided                     // one end was never seen to send
	SignReused                       // it began while an end of the tuple was not CLOSED
	SignSynInside                    // a SYN while an end was synchronised
	SignSelf                         // both ends are the same endpoint
	SignBothOpened                   // bare SYNs of both ends
	SignUnseen                       // octets acknowledged that were never seen
	SignOpen                         // not over when the capture ended, nor in TIME-WAIT
	SignLost                         // payload of it was lost on the way
	SignBare                         // there may be no segment without SYN, FIN and RST, or an end sent nothing but SYN and RST
	SignOpening                      // its opening is worth a look: see opening
	SignClosing                      // its close is worth a look: see closing
	SignStill                        // nothing had been said for Still or longer when its first FIN came: the accounts tell
)

// What says why a segment is on the trail, and what it is to its connection.
type What uint16

const (
	// Context: it is there because of a notable segment after it.
	Context What = 1 << iota
	// Earlier: it belongs to the stream that this one carries on, or whose tuple
	// it took over.
	Earlier
	// Holed: events before it are missing, see Trail.Missing.
	Holed
	// Quoted: not a segment of From, but an ICMP error on its way to From that
	// quotes one: Seq (and Ack, Flags) are the quoted segment's; Trail.Quotes[Event.Quote].
	Quoted
	// Answers: a RST whose number is the acknowledgment of a segment that drew it
	// (RFC 9293 section 3.10.7.1).
	Answers
	// AtNxt: its number is its sender's SND.NXT before it.
	AtNxt
	// Own: a RST that is its sender's own, as far as can be told.
	Own
	// Took: a RST that its receiver is presumed to take.
	Took
	// AcksNew: its acknowledgment goes beyond every one before.
	AcksNew
	// AcksAll: it acknowledges everything that was seen of the other end.
	AcksAll
	// AcksFin: it acknowledges the other end's FIN.
	AcksFin
	// FirstData: the first payload of its sender in this life.
	FirstData
	// Odd: flags that no TCP sends.
	Odd
)

// Event is one notable segment of a life, or an ICMP error that quotes one.
type Event struct {
	Time     int64 // ns
	Frame    uint64
	Seq, Ack uint32 // as in the header
	Len      uint32 // payload octets
	TSVal    uint32 // with Opts&capture.OptTS
	TSEcr    uint32
	Quote    uint32 // index in Trail.Quotes, with What&Quoted
	Idle     uint32 // ms since the life's segment before, of either end; 0 for its first
	Window   uint16 // unscaled
	IPID     uint16
	From     uint8 // Client or Server
	Flags    uint8
	TTL      uint8
	Opts     uint8
	WScale   uint8
	Class    reassembly.Class
	Reset    ResetClass // of a RST
	What     What
	before   [2]step8
	after    [2]step8
}

// Is reports whether any bit of w is set.
func (e *Event) Is(w What) bool { return e.What&w != 0 }

// Has reports whether all control bits of mask are set.
func (e *Event) Has(mask uint8) bool { return e.Flags&mask == mask }

// Syn reports a SYN without ACK, SynAck one with. Quotes are neither.
func (e *Event) Syn() bool {
	return e.Flags&(capture.SYN|capture.ACK|capture.RST|capture.FIN) == capture.SYN && !e.Is(Quoted)
}

// SynAck reports a SYN,ACK.
func (e *Event) SynAck() bool {
	return e.Flags&(capture.SYN|capture.ACK|capture.RST|capture.FIN) == capture.SYN|capture.ACK && !e.Is(Quoted)
}

// Fin reports a FIN that a TCP may have sent.
func (e *Event) Fin() bool { return e.Flags&capture.FIN != 0 && !e.Is(Quoted|Odd) }

// Rst reports a RST.
func (e *Event) Rst() bool { return e.Flags&capture.RST != 0 && !e.Is(Quoted|Odd) }

// Plain reports a segment that is neither SYN nor RST: its sender is
// synchronised.
func (e *Event) Plain() bool {
	return e.Flags&(capture.SYN|capture.RST) == 0 && !e.Is(Quoted|Odd)
}

// End is the sequence number after the segment, SYN and FIN counted.
func (e *Event) End() reassembly.Seq {
	return reassembly.Seq(e.Seq).Add(e.Len + uint32(e.Flags>>1&1) + uint32(e.Flags&1))
}

// Again reports that all of the segment had been sent before.
func (e *Event) Again() bool {
	return e.Class == reassembly.Retransmission || e.Class == reassembly.Spurious
}

// Probe reports a keepalive or zero window probe.
func (e *Event) Probe() bool {
	return e.Class == reassembly.Keepalive || e.Class == reassembly.ZeroWindowProbe
}

// Before is the state of an end (Client or Server) before the segment.
func (e *Event) Before(end int) EndState {
	p := e.before[end]
	return EndState{p.state(), p.certainty()}
}

// After is the state of an end after the segment.
func (e *Event) After(end int) EndState {
	p := e.after[end]
	return EndState{p.state(), p.certainty()}
}

// Confirmed reports that the end was confirmed in s after the segment.
func (e *Event) Confirmed(end int, s State) bool { return e.after[end] == mk(s, Confirmed) }

// Trail is what is kept of a life's segments, in order: all SYN, FIN, RST,
// repeats and probes; the handshake until both ends have spoken; what comes after a
// FIN or RST; windows of zero and their reopening; the first segment that comes back
// after any of these; and before each the latest segment and the latest payload of both ends.
// Ordinary data in between is not on it.
//
// It is bounded: where a life has more, events in the middle are dropped, the
// first and the latest stay.
type Trail struct {
	Events  []Event
	Missing uint64          // events dropped, before the one marked Holed
	Quotes  []capture.Quote // ICMP errors
}

// Account is what one end did over a whole life.
type Account struct {
	Segments      uint64 // copies left out
	DataSegments  uint64 // with payload
	Repeated      uint64 // of these, sent again (spurious ones, too), the first copy seen or lost before it came here
	Spurious      uint64 // of these, needless: acknowledged before, or the peer said that it had it (RFC 2883)
	OutOfOrder    uint64 // overtaken on the way, or doubled there: not sent again
	Unseen        uint64 // octets of it that the peer acknowledged and that were never seen
	UnseenFrame   uint64 // the first acknowledgment of such octets
	Oversized     uint64 // segments with far more payload than the MSS: segmentation offload
	Turns         uint32 // how often it began to send payload, first or after the peer's: requests or answers
	RTT           int64  // ns from a segment towards it to its acknowledgment, smallest; 0 unknown
	TTL           uint8  // the usual one
	TTLSeen       uint32 // segments with that, in this life
	MaxTSVal      uint32 // newest timestamp, with HasTS
	HasTS         bool
	Spoke         bool  // it sent a segment that is neither SYN nor RST
	SpokeAt       int64 // the first of those
	SpokeFrame    uint64
	SynOpts       uint8 // of its first SYN or SYN,ACK: the options, and the timestamp
	SynTSVal      uint32
	FirstDataAt   int64 // 0 none
	LastDataAt    int64
	LastDataFrame uint64
	LastAt        int64 // its latest segment
	LastFrame     uint64

	// Keepalive probes that it sent (RFC 9293 section 3.8.4).
	Probes        uint32
	Answered      uint32 // of these, answered before the next one, by anything but a RST
	ProbeIdle     int64  // ns idle before the first of the latest row
	ProbeInterval int64  // ns between the latest two in a row; 0 if there were none
	ProbeFrames   [2]uint64

	// Windows of zero that it offered while the peer had more to send: the peer
	// probed, was acknowledged only in part, or went on at once when it opened.
	Stalled      int64 // ns, all of them
	LongestStall int64
	StallFrames  [3]uint64 // of the longest: zero offered, probe or 0, opened or 0 if it never was
	Stalls       uint32
	StallOpen    bool // the latest lasted to the end

	// Payload that it sent to a side that had sent FIN: in the segment that
	// acknowledges that FIN, or later.
	LateOctets uint64
	LateFrom   int64
	LateTo     int64
	LateFrames [2]uint64

	Lost   uint64 // of the repeated segments, neither spurious nor against a window of zero: the network lost a copy
	Joined uint64 // how many more segments the oversized ones are on the wire
}

// Case is one life as it is diagnosed: over, or still open when the capture
// ended.
type Case struct {
	Life  *Life
	Signs Sign
	Trail Trail
	Ends  [2]Account // Client, Server
	// Idle is the longest time between two segments, ns, and their frames;
	// the time from the last one to the capture's end is not counted.
	Idle       int64
	IdleFrames [2]uint64
	FinAt      int64 // packet time of its first FIN; 0 if there was none
	Now        int64 // packet time at which it is looked at
}

// Addr returns the endpoint of an end.
func (c *Case) Addr(end int) netip.AddrPort { return c.Life.Ends[end].Addr }

// Has reports whether the life shows any of the signs.
func (c *Case) Has(s Sign) bool { return c.Signs&s != 0 }

// RTT is the round trip from the vantage point to an end and back, ns: what was
// measured, or bound where nothing was.
func (c *Case) RTT(end int, bound int64) int64 {
	if r := c.Ends[end].RTT; r > 0 {
		return r
	}
	return bound
}

// Path is the round trip between both ends, ns: of the handshake, or the sum of
// both parts; 0 unknown.
func (c *Case) Path() int64 {
	if c.Life.HandshakeRTT > 0 {
		return c.Life.HandshakeRTT
	}
	a, b := c.Ends[Client].RTT, c.Ends[Server].RTT
	if a == 0 || b == 0 {
		return 0
	}
	return a + b
}
