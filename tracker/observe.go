package tracker

import (
	"net/netip"
	"time"

	"tcpstate/capture"
	"tcpstate/reassembly"
)

// Config says how long timers last. The zero value
// is not useful; take DefaultConfig.
type Config struct {
	TimeWait   time.Duration // 2MSL, counted from the last acceptable FIN
	FinTimeout time.Duration // how long an orphan stays in FIN-WAIT-2
	// Linger is how long after its end a life is still held, for stragglers;
	// then it is reported. What comes later is another incarnation.
	Linger time.Duration
	// Fold is how many frames after its latest one a life that is over is
	// folded: it is reported, and but a residue of it is held (residue.go).
	Fold uint64
	// Unpacked is how many lives are held at hand, 0 for no bound; the others are
	// packed (parcel.go). Under MaxMemory there is a bound by itself.
	Unpacked int
	// Unsketched: ordinary lives are followed as all others are (sketch.go). It
	// shows nowhere but in time and memory.
	Unsketched bool
	// MaxConnections bounds how many lives are followed at a time, MaxMemory
	// the octets that all lives may take, told ones included; 0 is no bound.
	// Where a bound is reached the least useful lives give way (evict.go), and
	// are counted in Totals.
	MaxConnections int
	MaxMemory      int64
	// Forget is for how long a folded life is remembered that nothing was seen of and of
	// which both ends are CLOSED, and what Usage counted of hosts that hold nothing any
	// more; 0 for as long as the capture lasts (forget.go). Only a worker that has no
	// others forgets what Usage counted, and three or more need memory for each packet: a
	// capture that goes on for ever has one.
	Forget time.Duration
}

// DefaultConfig is Linux: TIME-WAIT 60 s (TCP_TIMEWAIT_LEN), FIN-WAIT-2 60 s
// (net.ipv4.tcp_fin_timeout).
func DefaultConfig() Config {
	return Config{TimeWait: 60 * time.Second, FinTimeout: 60 * time.Second, Linger: 5 * time.Minute, Fold: foldAfter}
}

// Observer is told what the tracker finds, in the order of (time, frame, id);
// where the capture's time runs backwards, in that of the frames. What is nil is
// not asked for, and not worked out.
type Observer struct {
	// Transition: an endpoint's best estimate changed, or a presumed state was confirmed.
	Transition func(*Transition)
	// Moved: the census counts an endpoint in another state than before, or in the same
	// with another certainty; from is NumStates for one that is new. In the order in
	// which they move, but not of the same with the other calls.
	Moved func(from, to State, at int64)
	// Opened: a 4-tuple is new, and its two ends are CLOSED: From and To are, and Side
	// says nothing. Only for those who ask for Transition, too.
	Opened func(*Transition)
	// Life: one life of a 4-tuple is over, or the capture is.
	Life func(*Life)
	// Case: the same life, with its trail and its ends' accounts, for those who
	// diagnose it; told before Life, and valid during the call.
	Case func(*Case)
	// SilentCase, SilentLife: in place of Case and Life, of a life of one SYN that
	// nobody answered, where a Silent says all that is wanted of it; valid during the
	// call. The tracker is free to tell any such life by the others.
	SilentCase, SilentLife func(*Silent)
	// Trails are the signs of which a life has to show one for the trail of its
	// case to be told; none asks for all trails.
	Trails Sign
	// Cases: all lives that are left when the capture ends have been told by
	// Case; their Life calls follow.
	Cases func()
	// Step: what one segment did, one call per segment.
	Step func(*Step)
	// Quote, with Step: what an ICMP error did that quotes a segment of a connection. The
	// Step's Segment is the quoted one; both are valid during the call.
	Quote func(*Step, *capture.Quote)
	// Only, if it is set, says of a segment whether its connection is followed. Of the
	// others the tracker takes note as one of several does of the others' connections: of the
	// time, and of what the capture as a whole shows. Streams are then numbered among
	// those that are followed. Only Tracker knows it.
	Only func(*capture.Segment) bool
	// Zeek asks for Life.ZeekState and Life.ZeekHistory, which are left empty
	// otherwise.
	Zeek bool
}

// Transition is one change of an endpoint's best estimate.
//
// A Revoked one takes presumptions back: To is the last state that still
// stands. What the segment proves besides is a second transition at the same
// time and frame.
type Transition struct {
	Time      int64  // ns; of the packet, or when the timer ran out
	Frame     uint64 // 0 when a timer did it
	ID        uint64 // Life.ID
	Key       capture.Key
	Side      uint8 // of Key: whose state
	Client    bool  // whether that side is the client
	From, To  State
	Certainty Certainty
	Rule      Rule
}

// EndState is what is known of one endpoint at one moment.
type EndState struct {
	State     State
	Certainty Certainty
}

// Step is what one segment did, for those who draw or test it.
type Step struct {
	Segment   capture.Segment
	ID        uint64
	Continues bool // the first segment of a life that goes on from another number
	Sparse    bool // of the capture so far a filter kept nothing but SYN, FIN and RST
	Class     reassembly.Class
	RelSeq    uint32      // Seq relative to the sender's ISS (or its first segment)
	RelAck    uint32      // Ack relative to the receiver's ISS
	Scale     int8        // by how many bits its window is shifted; -1: not known (RFC 7323 section 2)
	Before    [2]EndState // by side of Key
	After     [2]EndState
	Client    uint8        // side of the client, as known so far
	Rules     []Rule       // in the order they applied; valid during the call
	Timers    []Transition // what elapsed on this connection since its last step; valid during the call
	Changes   []Transition // what this segment did; valid during the call
}

// RoleReason says why one end is taken for the client.
type RoleReason uint8

const (
	RoleGuess  RoleReason = iota // the higher port
	RolePort                     // a well-known or already answering port is the server's
	RoleSynAck                   // the SYN,ACK's receiver
	RoleSyn                      // the SYN's sender
)

var roleNames = [...]string{"guess", "port", "syn-ack", "syn"}

func (r RoleReason) String() string { return roleNames[r] }

// Who names one end by role, both, or nobody.
type Who uint8

const (
	Nobody Who = iota
	ByClient
	ByServer
	ByBoth
)

var whoNames = [...]string{"none", "client", "server", "both"}

func (w Who) String() string { return whoNames[w] }

// CloseKind is how a life ended (interface.md gives the definitions).
type CloseKind uint8

const (
	Graceful CloseKind = iota
	Reset
	HalfClosed
	Refused
	Unanswered
	AbortedHandshake
	TimedOut
	Open
	NumCloseKinds
)

var closeNames = [NumCloseKinds]string{"graceful", "reset", "half-closed", "refused", "unanswered", "aborted-handshake", "timed-out", "open"}

func (k CloseKind) String() string { return closeNames[k] }

// ResetClass says what a RST was. NoReset where none was sent.
type ResetClass uint8

const (
	NoReset ResetClass = iota
	ResetRefused
	ResetAbandoned
	ResetStaleSyn
	ResetAfterAccept
	ResetUnreadData
	ResetAbort
	ResetIdleTimeout
	ResetNoConnection
	ResetLateData
	ResetAfterClose
	ResetInexact
	ResetOutOfWindow
	ResetStray
	NumResetClasses
)

var resetNames = [NumResetClasses]string{"", "refused", "abandoned", "stale-syn", "after-accept", "unread-data", "abort",
	"idle-timeout", "no-connection", "late-data", "after-close", "inexact", "out-of-window", "stray"}

func (r ResetClass) String() string { return resetNames[r] }

// Life is everything that is said of one life of a 4-tuple. It is a value:
// the observer may keep it.
type Life struct {
	ID          uint64 // Wireshark's tcp.stream
	Incarnation uint32 // 0, or how often this stream lived again with the same ISN
	Continues   int64  // the stream whose states and spaces this one carries on, or -1
	Key         capture.Key
	Client      uint8 // side of Key
	Roles       RoleReason
	Start, End  int64 // ns, of the first and last segment
	FirstFrame  uint64
	LastFrame   uint64
	VLAN        uint16 // of the first segment; capture.NoVLAN if untagged
	Ends        [2]End // client, server

	Close    CloseKind
	ClosedBy Who
	CloseAt  uint64 // frame of the first FIN or of the RST that closed it; 0 if none
	ResetAs  ResetClass
	// Resumes: it goes on with a life of the same 4-tuple that was told of before
	// its end, for it had been quiet for long: with what close, and in which states
	// of client and server. It is no connection more.
	Resumes   bool
	Was       CloseKind
	WasIn     [2]State
	Midstream bool
	Ended     bool // both ends are CLOSED, or TIME-WAIT and CLOSED with time up; else still open when the capture ended

	AnsweredAt        int64 // when the first SYN,ACK was seen; 0 none
	DoneAt            int64 // when the handshake completed; 0 not seen
	HandshakeRTT      int64 // ns from the SYN's last copy to the ACK that completed; -1 unknown
	SynRetransmits    uint32
	SynAckRetransmits uint32
	TimeWaitBy        Who // who holds (or held) TIME-WAIT; ByBoth after a simultaneous close
	TimeWaitSince     int64
	TimeWaitUntil     int64 // when it elapses, or ended; may lie after the capture
	HalfClosedFor     int64 // ns between the first FIN and the second FIN, RST or last segment; 0 if no FIN
	ZeekState         string
	ZeekHistory       string
	Completeness      uint8 // Wireshark's tcp.completeness
}

// End is one endpoint of a Life.
type End struct {
	Addr            netip.AddrPort
	State           State
	Certainty       Certainty
	Packets         uint64
	Bytes           uint64 // payload octets sent, retransmissions counted again
	Retransmissions uint32
	OutOfOrder      uint32
	Keepalives      uint32
	ZeroWindows     uint32
	MSS             uint16 // 0 if not offered
	WScale          int8   // -1 if not offered
	TTL             uint8  // of its first segment
}
