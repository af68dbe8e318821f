package tracker

import (
	"testing"

	"tcpstate/capture"
	"tcpstate/reassembly"
)

// download is a connection on which the client sends so many octets, in order, and then
// both close. Its segments go through send.
func download(octets uint64, iss uint32, handshake bool, send func(s *capture.Segment)) {
	k := capture.Key{Lo: [16]byte{10, 0, 0, 1}, Hi: [16]byte{192, 0, 2, 1}, LoPort: 30000, HiPort: 80}
	at, frame := int64(1e18), uint64(0)
	say := func(side, flags uint8, seq, ack, n uint32) {
		at += ms
		frame++
		send(&capture.Segment{Time: at, Frame: frame, Key: k, Hash: k.Hash(), Side: side, Flags: flags, Seq: seq, Ack: ack, Len: n,
			Window: 60000, TTL: 64, VLAN: capture.NoVLAN, WScale: capture.NoWScale})
	}
	const piece = 60000
	nxt := iss + 1
	if handshake {
		say(0, capture.SYN, iss, 0, 0)
		say(1, capture.SYN|capture.ACK, 4999, nxt, 0)
		say(0, capture.ACK, nxt, 5000, 0)
	}
	for sent := uint64(0); sent < octets; sent += piece {
		say(0, capture.ACK|capture.PSH, nxt, 5000, piece)
		nxt += piece
		say(1, capture.ACK, 5000, nxt, 0)
	}
	say(0, capture.ACK|capture.FIN, nxt, 5000, 0)
	say(1, capture.ACK, 5000, nxt+1, 0)
	say(1, capture.ACK|capture.FIN, 5000, nxt+1, 0)
	say(0, capture.ACK, nxt+1, 5001, 0)
}

// However much a connection carries, its numbers are its own: they come round after
// 4 GiB, and half of them look older than the SYN (RFC 9293 section 3.4).
func TestFarFromISS(t *testing.T) {
	const gib = 1 << 30
	for _, iss := range []uint32{999, 1<<32 - 70000, 1<<31 - 5} {
		for _, handshake := range []bool{true, false} {
			for _, octets := range []uint64{gib - 1e6, gib + 1e6, 2*gib - 1e6, 2*gib + 1e6, 3 * gib, 4*gib - 1e6, 4*gib + 1e6, 9 * gib} {
				var got *Life
				tr := New(DefaultConfig(), Observer{Life: func(l *Life) { got = l }})
				var b capture.Batch
				download(octets, iss, handshake, func(s *capture.Segment) {
					if b.Segments = append(b.Segments, *s); len(b.Segments) == 1024 {
						tr.Process(&b)
						b.Reset()
					}
				})
				tr.Process(&b)
				tr.Finish()
				if got == nil || got.Close != Graceful || got.ClosedBy.String() != "client" || got.Ends[0].State != TimeWait || got.Ends[0].Certainty != Confirmed || got.Ends[1].State != Closed ||
					got.Ends[0].Retransmissions != 0 || got.Ends[1].Retransmissions != 0 || got.Ends[0].Bytes < octets {
					t.Fatalf("%d octets from %d, handshake %v: %+v", octets, iss, handshake, got)
				}
			}
		}
	}
}

// What a packed life knows of that is kept.
func TestFarIsPacked(t *testing.T) {
	var s reassembly.Space
	s.Open(7, 0)
	for q := reassembly.Seq(8); q < 3<<30; q += 1 << 20 {
		s.Send(q, q+1<<20, false)
		s.Acked(q + 1<<20)
	}
	z := packer{}
	z.space(&s)
	var got reassembly.Space
	z = packer{b: z.b, reading: true}
	z.space(&got)
	if got != s || got.BeforeISS(6) || !got.AfterISS(5) || !got.SynAcked() {
		t.Errorf("%+v, not %+v", got, s)
	}
}
