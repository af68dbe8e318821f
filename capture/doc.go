// Package capture turns files, pipes and interfaces into batches of TCP
// segments.
//
// A frame walks one way: a Source reads it, the link, IP and TCP decoders in
// this package take it apart in place, and what later layers need of it is
// written into a Segment, a value without pointers. Link types that they do
// not know go through gopacket's layers (slow.go). No connection is known
// here; the fragments of a datagram are joined with package reassembly.
//
//   - open.go, source.go, batch.go, segment.go, key.go: what callers see
//   - files.go: one Source of many files; file.go, kind.go: one of them, its
//     compression, and what it is if it is no capture
//   - ahead.go: decompression beside all else
//   - window.go, cursor.go, pcap.go, pcapng.go, clock.go: frames out of octets,
//     many at a time
//   - live_libpcap.go, interface.go: frames from an interface
//   - decode.go, plain.go, link.go, ip.go, tcp.go, icmp.go, tunnel.go,
//     slow.go: segments out of frames
//   - raw.go, record.go, section.go: frames kept as they were captured, and
//     written down as pcapng
//   - select.go, filter.go, filter_libpcap.go: which of them are of interest
//
// Frames are numbered from 1 as Wireshark numbers them: every packet record of
// the file counts, filter or not. Selection therefore marks a segment
// (Unselected) and does not hide it: connection numbers have to be those of
// the whole file.
package capture
