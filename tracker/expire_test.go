package tracker

import (
	"testing"

	"tcpstate/capture"
)

// The times of a damaged capture lie decades apart: no timer runs out before
// it was set.
func TestRepeatsDecadesApart(t *testing.T) {
	const decade = 10 * 365 * 24 * 3600 * second
	for _, flags := range []uint8{capture.SYN, capture.SYN | capture.ACK, capture.FIN | capture.ACK} {
		segs := fuzzSegments(make([]byte, 5*fuzzRecord))
		for i := range segs {
			s := &segs[i]
			s.Time, s.Flags, s.Side, s.IPID = int64(1+i)*6*decade, flags, 0, uint16(i)
			s.Seq, s.Ack = segs[0].Seq, segs[0].Ack
			if i == len(segs)-1 {
				s.Key = fuzzKeys[1] // time goes on
				s.Time = segs[i-1].Time + decade
			}
		}
		watch(t, segs, 1)
	}
}
