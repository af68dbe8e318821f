// Package tracker infers, from the segments that a capture holds, in which
// state of RFC 9293 each end of each connection is, and how sure that is.
//
// # The vantage point
//
// A capture shows segments that were sent. It stands somewhere between two
// TCPs: a segment seen may still be lost before it arrives, and one that
// arrived may have been missed by the capture. So a segment is two events.
// Sending it proves something of its sender, for only a TCP in certain states
// sends it: that is Confirmed. Its delivery would change its receiver, if it
// is delivered: that is Presumed, until the receiver's own segments bear it
// out or contradict it. What is contradicted is Revoked, back to the last
// state that still stands. What follows from time alone is Elapsed.
//
// The two tables in transitions.go hold what sending proves and what delivery
// presumes; rules.go names each row and gives its source. The guards before
// them decide which event a segment is:
//
//	opening.go   SYN and SYN,ACK: lives, cookies, full accept queues, simultaneous open
//	plain.go     everything else that is no RST: proof, FIN and its acknowledgment
//	delivery.go  what a receiver would accept, and what a repeated FIN says
//	resets.go    whose RST it is, and whether the other end takes it
//	expire.go    timers, in packet time
//
// How long a segment takes to arrive is measured: the smallest time from a
// segment towards an endpoint to its acknowledgment, from where the capture
// stands (Endpoint.rtt). What was sent longer ago than that must have arrived;
// what the endpoint sends then must show it.
//
// # What may be wrong
//
// A Confirmed state is wrong only by forgery, or where a FIN was lost or
// waited in the sender's queue before the vantage point. A finding may rest on
// it. A Presumed state may be revoked. No packet at all tells of a timeout, a
// crash, or an orphan's FIN-WAIT-2 that ran out.
//
// # Lives
//
// Stream numbers are Wireshark's tcp.stream (stream.go). States belong to the
// 4-tuple: where a number begins inside a life that goes on, they carry over
// (Life.Continues). Zeek's conn_state and history (zeek.go) and Wireshark's
// tcp.completeness (completeness.go) are kept beside, by their own rules.
//
// # Use as a library
//
// Tracker takes batches of segments of a whole capture and tells an Observer.
// A Conn can be used by itself: give it the segments of one connection, in
// order, with Apply, and it tells what each one did.
package tracker
