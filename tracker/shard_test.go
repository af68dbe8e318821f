package tracker

import (
	"testing"

	"tcpstate/capture"
)

// Where so many lives are folded in one batch that they would fill memory, no transcript
// keeps the room for them.
func TestTranscriptsShedBursts(t *testing.T) {
	const lives = 2 * keepsLives
	for _, workers := range []int{2, 3} {
		for _, cases := range []bool{false, true} { // whose trails are wanted
			told := 0
			o := Observer{Life: func(*Life) { told++ }, Trails: SignDone}
			if cases {
				o.Trails, o.Case = 0, func(*Case) {}
			}
			cfg := DefaultConfig()
			cfg.Unsketched = cases
			p := NewParallel(cfg, workers, o)
			say := func(frame uint64, segs ...capture.Segment) {
				for i := range segs {
					segs[i].Frame, segs[i].Time = frame+uint64(i), int64(1e18)+int64(frame)*1e6
				}
				p.Process(&capture.Batch{Segments: segs})
			}
			refused := func(i int) []capture.Segment {
				k := capture.Key{Lo: [16]byte{10, 0, byte(i >> 16), byte(i >> 8)}, Hi: [16]byte{192, 0, 2, 1}, LoPort: 30000 + uint16(i&0xff), HiPort: 80}
				s := capture.Segment{Key: k, Hash: k.Hash(), Flags: capture.SYN, Seq: 100, Window: 8192, TTL: 64, VLAN: capture.NoVLAN, WScale: capture.NoWScale}
				a := s
				a.Side, a.Flags, a.Seq, a.Ack, a.Window = 1, capture.RST|capture.ACK, 0, 101, 0
				return []capture.Segment{s, a}
			}
			frame := uint64(1)
			for i := range lives {
				say(frame, refused(i)...)
				frame += 2
			}
			for p.Wait() != nil {
			}
			before := told
			for range InFlight { // each transcript had its turn
				frame += 8 * cfg.Fold
				say(frame, refused(lives)...)
				for p.Wait() != nil {
				}
			}
			if told-before < lives/2 {
				t.Errorf("%d workers: %d of %d lives were folded at once", workers, told-before, lives)
			}
			for _, w := range p.workers {
				for range InFlight {
					j := <-w.free
					for _, n := range []int{cap(j.lives), cap(j.cases), cap(j.silent), cap(j.drawn)} {
						if n > keepsLives {
							t.Errorf("%d workers, cases %v: room for %d lives is kept", workers, cases, n)
						}
					}
					for _, n := range []int{cap(j.items), cap(j.moves), cap(j.events), cap(j.leaves)} {
						if n > keepsRest {
							t.Errorf("%d workers, cases %v: room for %d of the rest is kept", workers, cases, n)
						}
					}
				}
			}
			p.Close()
		}
	}
}
