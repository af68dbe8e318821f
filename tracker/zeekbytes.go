package tracker

import "tcpstate/capture"

// zeekIPBytes is the length of the IP packet that carried the segment, as
// conn.log counts it (IP_Hdr::TotalLen).
func zeekIPBytes(seg *capture.Segment) uint64 {
	return uint64(seg.HdrLen) + uint64(seg.Len)
}
