package tracker

import (
	"tcpstate/capture"
	"tcpstate/reassembly"
)

// In mid-stream, a FIN that comes first in the capture may be the second of
// its connection: the peer closed before the capture began, has been silent
// but for its ACKs since, and is in FIN-WAIT-2. How it acknowledges the FIN
// tells them apart where its system is Linux: from ESTABLISHED it puts the
// acknowledgment of a FIN off (tcp_fin enters pingpong mode, so that
// __tcp_ack_snd_check waits for 40 ms at least), from FIN-WAIT-2 it sends it at
// once (tcp_fin calls tcp_send_ack). Other systems always do the latter; then
// what the peer sends next, its own FIN or data, revokes the presumption.
// (oracle 31_midstream)

// promptAck is less than the shortest delayed acknowledgment, TCP_DELACK_MIN,
// so that no round trip needs to be known.
const promptAck = 35 * ms

// closedBefore reports that x, in acknowledging y's FIN, shows that it had
// sent its own before the capture began.
func (c *Conn) closedBefore(k *sink, xe, ye *Endpoint) bool {
	return c.mode&midstream != 0 && xe != ye && !xe.is(sentData) && !xe.sp.HasFin &&
		ye.is(finAlone) && k.now-ye.finAt < promptAck &&
		(xe.presumed(CloseWait) || xe.presumed(Established)) && ye.presumed(FinWait1)
}

// closeBefore puts both ends where they are if x closed before the capture began.
func (c *Conn) closeBefore(k *sink, x uint8) {
	y := x ^ 1
	xe, ye := c.at(x), c.at(y)
	c.mode |= halfBefore
	c.cut(k, x, 0, RuleClosedBefore)
	c.enter(k, x, FinWait2, Presumed, RuleClosedBefore)
	c.enter(k, x, TimeWait, Presumed, RuleAckFinTimeWait)
	c.cut(k, y, 0, RuleClosedBefore)
	c.enter(k, y, CloseWait, Presumed, RuleClosedBefore)
	c.enter(k, y, LastAck, Presumed, RuleFinLastAck)
	xe.has |= ackedFin
	ye.has |= finTaken
}

// notClosedBefore takes it back: x, which sends s, has something to send.
func (c *Conn) notClosedBefore(k *sink, s *capture.Segment, x uint8) {
	y := x ^ 1
	xe, ye := c.at(x), c.at(y)
	if c.mode&halfBefore == 0 || !xe.is(ackedFin) || s.SeqLen() == 0 || reassembly.Seq(s.Seq).Less(xe.sp.Nxt) {
		return
	}
	c.mode &^= halfBefore
	c.cut(k, x, 0, RuleClosedBeforeNot)
	c.enter(k, x, Established, Presumed, RuleMidstream)
	c.enter(k, x, CloseWait, Presumed, RuleAckFin)
	c.cut(k, y, 0, RuleClosedBeforeNot)
	c.enter(k, y, Established, Presumed, RuleMidstream)
	c.enter(k, y, FinWait1, Presumed, RuleFin)
	if ye.is(finHeard) {
		c.receive(k, y, recvAckOfFin)
	}
}
