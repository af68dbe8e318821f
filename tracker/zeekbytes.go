package tracker

import "tcpstate/capture"

// zeekIPBytes is the length of the IP packet that carried the segment, as far
// as a Segment tells: the least IP header (20 octets, IPv6 40), the TCP header
// with the options that the Segment names in the padding that stacks commonly
// give them, and the payload. IP options, extension headers, other TCP options
// and SACK blocks after the first are not in it.
func zeekIPBytes(seg *capture.Segment) uint64 {
	n := uint64(20)
	if seg.Key.V6 {
		n = 40
	}
	has := func(bit uint8, octets uint64) uint64 {
		if seg.Opts&bit == 0 {
			return 0
		}
		return octets
	}
	opts := has(capture.OptMSS, 4) + has(capture.OptSACKOK, 2) + has(capture.OptWScale, 3) + has(capture.OptTS, 10)
	if opts > 0 {
		opts = (opts + 3) / 4 * 4 // NOPs, or the end of options
	}
	return n + 20 + opts + has(capture.OptSACK, 12) + uint64(seg.Len)
}
