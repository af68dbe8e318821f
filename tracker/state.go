package tracker

// State is a state of RFC 9293 section 3.3.2.
type State uint8

// The states, CLOSED first so that the zero value is "no connection".
const (
	Closed State = iota
	Listen
	SynSent
	SynReceived
	Established
	FinWait1
	FinWait2
	CloseWait
	Closing
	LastAck
	TimeWait
	NumStates
)

var stateNames = [NumStates]string{
	"CLOSED", "LISTEN", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED",
	"FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT",
}

// String spells the state as RFC 9293 does.
func (s State) String() string {
	if s < NumStates {
		return stateNames[s]
	}
	return "?"
}

// Synchronised reports whether both ends have agreed on sequence numbers
// (RFC 9293 section 3.10.7.4 treats these states together).
func (s State) Synchronised() bool { return s >= SynReceived }

// Certainty says how a state is known.
type Certainty uint8

const (
	// Presumed: the segment that causes the state was seen on its way, would be
	// acceptable, and nothing since contradicts it. It may be revoked.
	Presumed Certainty = iota
	// Confirmed: a segment that the endpoint itself sent proves it.
	Confirmed
	// Elapsed: a timer ran out in packet time.
	Elapsed
	// Revoked appears in transitions only: the presumption that is taken back.
	Revoked
)

var certaintyNames = [...]string{"presumed", "confirmed", "elapsed", "revoked"}

func (c Certainty) String() string {
	if int(c) < len(certaintyNames) {
		return certaintyNames[c]
	}
	return "?"
}
