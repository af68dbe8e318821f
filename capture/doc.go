// Package capture turns files, pipes and interfaces into batches of TCP
// segments.
//
// A frame walks one way: a Source reads it, the link, IP and TCP decoders in
// this package take it apart in place, and what later layers need of it is
// written into a Segment, a value without pointers. What the fast decoders do
// not know goes through gopacket's layers (slow.go). No connection is known
// here; the fragments of a datagram are joined with package reassembly.
//
// Frames are numbered from 1 as Wireshark numbers them: every packet record of
// the file counts, filter or not. Selection therefore marks a segment
// (Unselected) and does not hide it: connection numbers have to be those of
// the whole file.
package capture
