package tracker

import (
	"slices"
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

// What runs out all at once in a batch is told in parts, and is the same.
func TestTranscriptsHaveParts(t *testing.T) {
	const syns = 100_000
	follow := func(workers int, end bool) (told []uint64, most int) {
		var c *crowd
		most = 0
		o := Observer{Trails: SignRst, Case: func(*Case) {}, Moved: func(State, State, int64) {}, SilentCase: func(*Silent) {}}
		note := func(id, frame uint64) {
			told = append(told, id, frame)
			if workers == 2 {
				most = max(most, len(c.p.ready[0].items))
			}
		}
		o.Life = func(l *Life) { note(l.ID, l.LastFrame) }
		o.SilentLife = func(s *Silent) { note(s.ID, s.Frame) }
		c = &crowd{p: NewParallel(DefaultConfig(), workers, o), at: 1e18}
		for i := range syns {
			c.at += second / syns
			c.say(i, 0, capture.SYN, 1, 0, 0)
		}
		c.at += 10 * second
		c.say(syns, 0, capture.SYN, 1, 0, 0)
		if !end { // nobody asks any more
			c.p.Process(&c.b)
			c.p.Close()
			<-c.p.workers[0].done
			return nil, 0
		}
		c.flush()
		c.at += 100 * second
		for i := range 2 * syns { // all are folded
			c.at += ms / 1000
			c.say(syns+1+i%7, 0, capture.ACK|capture.PSH, uint32(i), 1, 1)
		}
		c.flush()
		c.p.Finish()
		return told, most
	}
	want, _ := follow(1, true)
	got, most := follow(2, true)
	if len(want) < 2*syns || !slices.Equal(got, want) {
		t.Errorf("%d are told of, not %d, or others", len(got)/2, len(want)/2)
	}
	if most > 4*partItems {
		t.Errorf("a transcript had %d items", most)
	}
	follow(2, false)
}
