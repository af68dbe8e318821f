package tracker

// The two tables. A segment is an event for two endpoints: sending it proves
// something of its sender, its delivery presumes something of the receiver.
// Guards (is it a copy, is it of this life, is it in order, must it have
// arrived) stand in opening.go, plain.go, delivery.go and resets.go; they
// decide which event a segment is. What the event does to a state stands here,
// and nowhere else.
//
// A cell holds the states to pass, the last of them the one that is reached; those
// before it are passed at the same instant and are presumed, whatever the last one is.
// An empty cell leaves the state alone: the segment is a repetition there, or
// says nothing that was not known.

// sendEvent is what sending a segment means for its sender.
type sendEvent uint8

const (
	sendSynCrossed sendEvent = iota // SYN,ACK that repeats the number of its own SYN
	sendAny                         // neither SYN nor RST
	sendAckOfFin                    // acknowledges the peer's FIN for the first time
	sendAckOfFin2                   // the same, its own FIN being acknowledged
	sendFin                         // its first FIN, the peer's not acknowledged before or with it
	sendFinAfter                    // its first FIN, the peer's acknowledged before or with it
	sendRst                         // a RST that is its own
	numSendEvents
)

// recvEvent is what the delivery of a segment means for the receiver.
type recvEvent uint8

const (
	recvSynCrossed recvEvent = iota // a SYN, having sent one
	recvSynAck                      // an acceptable SYN,ACK
	recvAckOfSyn                    // the ACK of its SYN
	recvAckOfFin                    // the ACK of its FIN
	recvFin                         // the peer's FIN, in order
	recvRst                         // a RST that it accepts
	numRecvEvents
)

// pass is one state to pass and the rule for it.
type pass struct {
	to   State
	rule Rule
}

// cell is at most two passes; RuleNone ends it.
type cell [2]pass

// sends[state][event]: what sending proves.
var sends = [NumStates][numSendEvents]cell{
	Closed: {
		// Only where its state was taken for a cookie: it has one after all.
		sendAny: {{Established, RuleCookieSpoke}},
	},
	SynSent: {
		sendSynCrossed: {{SynReceived, RuleSynAckCross}},
		sendAny:        {{Established, RuleAckOfSynAck}},
		sendAckOfFin:   {{Established, RuleAckOfSynAck}, {CloseWait, RuleAckFin}},
		sendFin:        {{Established, RuleAckOfSynAck}, {FinWait1, RuleFin}},
		sendRst:        {{Closed, RuleRstSent}},
	},
	SynReceived: {
		sendSynCrossed: {{SynReceived, RuleSynAckCross}},
		sendAny:        {{Established, RuleSpoke}},
		sendAckOfFin:   {{Established, RuleSpoke}, {CloseWait, RuleAckFin}},
		sendFin:        {{Established, RuleSpoke}, {FinWait1, RuleFin}},
		sendRst:        {{Closed, RuleRstSent}},
	},
	Established: {
		sendAny:      {{Established, RuleSpoke}},
		sendAckOfFin: {{CloseWait, RuleAckFin}},
		sendFin:      {{FinWait1, RuleFin}},
		sendRst:      {{Closed, RuleRstSent}},
	},
	FinWait1: {
		// Figure 13 of RFC 9293 if its FIN is on the way, figure 12 if acknowledged.
		sendAckOfFin:  {{Closing, RuleAckFinClosing}},
		sendAckOfFin2: {{FinWait2, RuleAckOfFin}, {TimeWait, RuleAckFinTimeWait}},
		sendFin:       {{FinWait1, RuleFin}},
		sendRst:       {{Closed, RuleRstSent}},
	},
	FinWait2: {
		sendAckOfFin:  {{TimeWait, RuleAckFinTimeWait}},
		sendAckOfFin2: {{TimeWait, RuleAckFinTimeWait}},
		sendRst:       {{Closed, RuleRstSent}},
	},
	CloseWait: {
		sendAckOfFin: {{CloseWait, RuleAckFin}},
		sendFinAfter: {{LastAck, RuleFinLastAck}},
		sendRst:      {{Closed, RuleRstSent}},
	},
	Closing: {
		sendAckOfFin:  {{Closing, RuleAckFinClosing}},
		sendAckOfFin2: {{TimeWait, RuleAckFinTimeWait}},
		sendRst:       {{Closed, RuleRstSent}},
	},
	LastAck: {
		sendRst: {{Closed, RuleRstSent}},
	},
	TimeWait: {
		sendAckOfFin:  {{TimeWait, RuleAckFinTimeWait}},
		sendAckOfFin2: {{TimeWait, RuleAckFinTimeWait}},
		sendRst:       {{Closed, RuleRstSent}},
	},
}

// receives[state][event]: what delivery presumes.
var receives = [NumStates][numRecvEvents]cell{
	SynSent: {
		recvSynCrossed: {{SynReceived, RuleSynCross}},
		recvSynAck:     {{Established, RuleSynAckDelivered}},
		recvRst:        {{Closed, RuleRstRefused}},
	},
	SynReceived: {
		recvSynAck:   {{Established, RuleAckOfSyn}}, // simultaneous open: it carries the ACK
		recvAckOfSyn: {{Established, RuleAckOfSyn}},
		recvFin:      {{Established, RuleAckOfSyn}, {CloseWait, RuleFinDelivered}},
		recvRst:      {{Closed, RuleRstDelivered}},
	},
	Established: {
		recvFin: {{CloseWait, RuleFinDelivered}},
		recvRst: {{Closed, RuleRstDelivered}},
	},
	FinWait1: {
		recvAckOfFin: {{FinWait2, RuleAckOfFin}},
		recvFin:      {{Closing, RuleFinDelivered}},
		recvRst:      {{Closed, RuleRstDelivered}},
	},
	FinWait2: {
		recvFin: {{TimeWait, RuleFinDelivered}},
		recvRst: {{Closed, RuleRstDelivered}},
	},
	CloseWait: {
		recvRst: {{Closed, RuleRstDelivered}},
	},
	Closing: {
		recvAckOfFin: {{TimeWait, RuleAckOfFin}},
		recvRst:      {{Closed, RuleRstDelivered}},
	},
	LastAck: {
		recvAckOfFin: {{Closed, RuleAckOfFin}},
		recvRst:      {{Closed, RuleRstDelivered}},
	},
	TimeWait: {
		recvRst: {{Closed, RuleRstTimeWait}}, // RFC 1337 has the danger of it
	},
}

// send takes side through the cell of sends for ev.
func (c *Conn) send(k *sink, side uint8, ev sendEvent, cert Certainty) {
	c.through(k, side, &sends[c.at(side).state()][ev], cert)
}

// receive takes side through the cell of receives for ev. It reports whether
// the cell has anything.
func (c *Conn) receive(k *sink, side uint8, ev recvEvent) bool {
	return c.through(k, side, &receives[c.at(side).state()][ev], Presumed)
}

func (c *Conn) through(k *sink, side uint8, to *cell, cert Certainty) bool {
	switch {
	case to[0].rule == RuleNone:
		return false
	case to[1].rule == RuleNone:
		c.enter(k, side, to[0].to, cert, to[0].rule)
	default:
		c.enter(k, side, to[0].to, Presumed, to[0].rule)
		c.enter(k, side, to[1].to, cert, to[1].rule)
	}
	return true
}
