package tracker

import "tcpstate/capture"

// quoted takes note of an ICMP error that quotes a segment of the connection:
// the error is on its way to the segment's sender.
//
// In SYN-SENT it ends the attempt: RFC 1122 section 4.2.3.9 asks that of port,
// protocol and fragmentation errors, Linux does it for every unreachable and
// time exceeded (tcp_v4_err, tcp_v6_err). A repeated SYN revokes it. In any
// other state the connection goes on.
func (c *Conn) quoted(k *sink, s *capture.Segment, q *capture.Quote) {
	if c.mode&begun == 0 || !unreachable(q) {
		return
	}
	e := c.at(s.Side)
	if e.state() == SynSent && e.sp.HasISS && uint32(e.sp.ISS) == s.Seq {
		e.closedAt = k.now
		c.enter(k, s.Side, Closed, Presumed, RuleUnreachable)
	}
}

// unreachable reports an error that says that the destination was not
// reached: unreachable but not too big, or time exceeded (RFC 792, RFC 4443).
func unreachable(q *capture.Quote) bool {
	if q.V6 {
		return q.Type == 1 || q.Type == 3
	}
	return q.Type == 3 && q.Code != 4 || q.Type == 11
}
