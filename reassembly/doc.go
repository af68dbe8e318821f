// Package reassembly keeps order in one direction of a TCP connection and in
// the fragments of one IP datagram.
//
// It is a leaf: it knows numbers and bytes, no packets, no connections and no
// states. Sequence numbers are compared here and nowhere else.
//
//   - seq.go: modular arithmetic on sequence numbers (RFC 9293 section 3.4)
//   - space.go: the sequence space of one direction
//   - class.go: what a segment is to that space
//   - fragment.go: bounded IPv4 and IPv6 defragmentation
package reassembly
