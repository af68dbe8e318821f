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
// # One life, six forms
//
// Most lives take an ordinary course, and are kept as a sketch (sketch.go): their
// segments, and the stage that they have come to. What a segment of a kind does at a
// stage is learnt by replaying the first life that takes the turn (stage.go), so that
// every rule is written once, in Conn. A life of which a segment is not ordinary
// (draw.go) becomes an entry of the table (table.go), with a notebook beside it of what
// may be needed to diagnose it. Under Config.MaxMemory an entry that goes on but has
// been quiet is packed (parcel.go). A life that is over is reported and folded to a
// residue, or to a stub if it was a SYN that nobody answered (settle.go, fold.go,
// residue.go); in a flood a SYN is kept as that SYN until something becomes of it
// (embryo.go, unanswered.go). None of them has pointers. Where bounds are reached the
// least useful give way (evict.go). Which form a life has shows nowhere, but for what
// bounds take.
//
// # Several workers
//
// Parallel (parallel.go) makes stages of the work. With two workers one tracker
// follows the connections and writes down what it has to tell (shard.go): transitions,
// lives, gains of Usage, and of lives that are over and were sketches the sketch
// (drawn.go). The caller's goroutine works out what these come to, counts, and tells.
//
// With more than two there are several trackers, and each connection is given to
// one of them by the hash of its 4-tuple. Each goes through all segments, applies those
// of its own connections, and writes down moves of the census and the frames at which
// streams began, too. The merger puts these in the order of one tracker (merge.go), which
// is by segment, and before each segment by what was folded and which timers ran out;
// it counts, numbers the streams (numbers.go), and tells. Nothing is locked, and
// the result is the same to the octet for any number.
//
// # Where the time goes
//
// Of a capture of a million short connections (9.2 packets each, ten thousand at
// a time), one worker, a virtual machine of 2026 on which tcpdump needs 140 to 180 ns a
// packet to copy the file:
//
//	ns a packet
//	    65  read and decode (in a goroutine of its own)
//	   115  find the connection: hash, cells and lives, fetched 32 segments at a time
//	   110  is it ordinary? the stroke, the stage, what that moves in the census
//	    30  a RST, in a tenth of the lives: replayed to ask Conn.apply
//	   120  what Usage counts: 5 gains a life
//	    65  timers
//	    55  the accounts of a life that is over, from its strokes
//	    45  its trail, of the tenth that has something to show: replayed once more
//	   120  detectors: 1.1 us a life
//	    35  tables and tallies of the report
//	    75  folding: residue, shape, what is given back
//	   190  the rest: what the capture as a whole shows, the 3 % of lives that are entries,
//	        the garbage collector, findings and report at the end
//
// Where all lives are entries (Config.Unsketched) the whole takes about half as long
// again. With two workers it takes as much, and overlaps: following connections is
// somewhat more than half of it. Three trackers or more take a fifth more, for each goes
// through all segments. What is left is mostly the wait for
// memory: a life is looked at ten times, thousands of others in between. Things that did
// not help: profile guided optimisation (under 5 %), larger batches, large pages around
// what is smaller than they are.
//
// # Use as a library
//
// Tracker takes batches of segments of a whole capture and tells an Observer.
// A Conn can be used by itself: give it the segments of one connection, in
// order, with Apply, and it tells what each one did.
package tracker
