package tracker_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	diff "github.com/google/go-cmp/cmp"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// outcomes is what a tracker tells of lives, cases, the census and usage.
func outcomes(all []*capture.Batch, n int, cfg tracker.Config, o tracker.Observer) (out []string, sketched int) {
	say := func(format string, a ...any) { out = append(out, fmt.Sprintf(format, a...)) }
	if o.Life == nil {
		o.Life = func(l *tracker.Life) { say("life %+v", *l) }
	}
	if o.Trails != 0 {
		o.Cases = func() { say("cases") }
		o.Case = func(c *tracker.Case) {
			l, k := *c.Life, *c
			k.Life = nil
			say("case %+v %+v", l, k)
		}
	}
	if o.SilentCase != nil { // say them all the same
		o.SilentCase = func(s *tracker.Silent) {
			var l tracker.Life
			s.Life(&l)
			o.Case(asCase(s, &l))
		}
		count := o.SilentLife
		o.SilentLife = func(s *tracker.Silent) {
			count(s)
			var l tracker.Life
			s.Life(&l)
			o.Life(&l)
		}
	}
	p := tracker.NewParallel(cfg, n, o)
	for _, b := range all {
		p.Process(b)
		sketched = max(sketched, p.Sketched())
	}
	for p.Wait() != nil {
	}
	p.Finish()
	sayCounts(say, p)
	return out, sketched
}

// asCase is the case of a silent life.
func asCase(s *tracker.Silent, l *tracker.Life) *tracker.Case {
	c := &tracker.Case{Idle: 1, IdleFrames: [2]uint64{1, 1}, Ends: [2]tracker.Account{{Lost: 1}, {Lost: 1}}} // of another before
	s.Case(c, l)
	return c
}

// Whether lives are sketched shows nowhere.
func TestSketchesShowNowhere(t *testing.T) {
	paths, err := filepath.Glob("../testdata/pcaps/*.pcap*")
	if err != nil || len(paths) == 0 {
		t.Fatal("no captures")
	}
	observers := []tracker.Observer{
		{},
		{Zeek: true, Trails: ^tracker.Sign(0)},
		{Trails: ^(tracker.SignLife | tracker.SignSyn | tracker.SignDone | tracker.SignFin)},
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			all := readBatches(t, path, 64)
			for _, fold := range []uint64{32, 1 << 17} {
				for i, o := range observers {
					cfg := tracker.DefaultConfig()
					cfg.Fold = fold
					cfg.Unsketched = true
					want, n := outcomes(all, 1, cfg, o)
					if n != 0 {
						t.Fatal("lives were sketched that should not be")
					}
					cfg.Unsketched = false
					for _, workers := range []int{1, 2, 3} {
						if got, _ := outcomes(all, workers, cfg, o); !slices.Equal(got, want) {
							t.Fatalf("%d workers, fold %d, observer %d: %s", workers, fold, i, diff.Diff(want, got))
						}
					}
				}
			}
		})
	}
}

// chatter is what n connections say, interleaved: most in the ordinary way, some
// with what is not, at any place.
func chatter(rnd *rand.Rand, n int) []capture.Segment {
	var all []capture.Segment
	for i := range n {
		var own []capture.Segment
		w := newWire(rnd, i)
		at := int64(1e18) + rnd.Int64N(int64(n)*2e6)
		say := func(who int, flags uint8, n uint32) {
			at += wait(rnd)
			own = append(own, w.say(at, who, flags, n))
		}
		const ack, psh, syn, fin, rst = capture.ACK, capture.PSH | capture.ACK, capture.SYN, capture.FIN | capture.ACK, capture.RST
		say(0, syn, 0)
		if rnd.IntN(10) == 0 {
			say(1, rst|ack, 0)
			own[1].Seq, own[1].Window = 0, 0
			all = append(all, spoil(rnd, own)...)
			continue
		}
		say(1, syn|ack, 0)
		say(0, ack, 0)
		for range rnd.IntN(4) {
			who := rnd.IntN(2)
			for range 1 + rnd.IntN(3) {
				say(who, psh, 1+rnd.Uint32N(1460))
			}
			if rnd.IntN(3) > 0 {
				say(who^1, ack, 0)
			}
		}
		switch first := rnd.IntN(2); rnd.IntN(8) {
		case 0:
			say(first, rst|ack*uint8(rnd.IntN(2)), 0)
			own[len(own)-1].Window = 0
		case 1: // it goes on
		case 2:
			say(first, fin, rnd.Uint32N(2)*100)
			say(first^1, fin, 0)
			say(first, ack, 0)
		case 3:
			say(first, fin, 0)
			say(first^1, ack, 0)
			say(first^1, psh, 10)
			say(first, ack, 0)
			say(first^1, fin, 0)
			say(first, ack, 0)
		default:
			say(first, fin, 0)
			say(first^1, ack, 0)
			say(first^1, fin, 0)
			say(first, ack, 0)
		}
		all = append(all, spoil(rnd, own)...)
	}
	slices.SortStableFunc(all, func(a, b capture.Segment) int { return cmp.Compare(a.Time, b.Time) })
	for i := range all {
		all[i].Frame = uint64(i + 1)
	}
	return all
}

// wait is a time between two segments: often of the size of a threshold.
func wait(rnd *rand.Rand) int64 {
	switch rnd.IntN(12) {
	case 0:
		return 0
	case 1:
		return rnd.Int64N(1e9)
	case 2:
		return rnd.Int64N(40e9)
	case 3:
		return 154e6 + rnd.Int64N(3e6)
	case 4:
		return rnd.Int64N(50e6)
	}
	return rnd.Int64N(1000) * 1000
}

// wire writes the segments of one connection.
type wire struct {
	key  capture.Key
	side uint8 // of the client
	nxt  [2]uint32
	ts   [2]uint32
	id   [2]uint16
	opts [2]uint8
	win  [2]uint16
}

func newWire(rnd *rand.Rand, i int) *wire {
	w := &wire{}
	w.key = capture.Key{Lo: [16]byte{10, 0, byte(i >> 8), byte(i)}, Hi: [16]byte{192, 0, 2, byte(rnd.IntN(3))}, LoPort: uint16(rnd.Uint32()), HiPort: 80}
	if rnd.IntN(8) == 0 {
		w.key.V6, w.key.Lo[15], w.key.Hi[15] = true, 1, 2
	}
	if rnd.IntN(8) == 0 {
		w.key.LoPort, w.key.HiPort = w.key.HiPort, w.key.LoPort
		w.side = 1
	}
	for x := range 2 {
		w.nxt[x], w.ts[x], w.win[x] = rnd.Uint32(), rnd.Uint32(), uint16(200+rnd.Uint32N(1<<15))
		if rnd.IntN(3) > 0 {
			w.opts[x] |= capture.OptTS
		}
		if rnd.IntN(3) > 0 {
			w.opts[x] |= capture.OptWScale
		}
		if rnd.IntN(3) > 0 {
			w.opts[x] |= capture.OptMSS
		}
	}
	return w
}

func (w *wire) say(at int64, who int, flags uint8, n uint32) capture.Segment {
	s := capture.Segment{Time: at, Key: w.key, Side: w.side ^ uint8(who), Hash: w.key.Hash(), Flags: flags, Seq: w.nxt[who], Len: n,
		Window: w.win[who], TTL: 64, VLAN: capture.NoVLAN, WScale: capture.NoWScale}
	if flags&capture.ACK != 0 {
		s.Ack = w.nxt[who^1]
	}
	w.nxt[who] += s.SeqLen()
	w.id[who]++
	s.IPID = w.id[who]
	if w.opts[0]&w.opts[1]&capture.OptTS != 0 || flags&capture.SYN != 0 && w.opts[who]&capture.OptTS != 0 {
		s.Opts, s.TSVal = capture.OptTS, w.ts[who]+uint32(at/1e6)
		if flags&capture.ACK != 0 {
			s.TSEcr = w.ts[who^1] + uint32(at/1e6)
		}
	}
	if flags&capture.SYN != 0 {
		s.Opts |= w.opts[who]
		if s.Opts&capture.OptWScale != 0 {
			s.WScale = 7
		}
		if s.Opts&capture.OptMSS != 0 {
			s.MSS = 1460
		}
	}
	return s
}

// spoil changes the segments of one connection, mostly in nothing.
func spoil(rnd *rand.Rand, segs []capture.Segment) []capture.Segment {
	if rnd.IntN(3) > 0 {
		return segs
	}
	i := rnd.IntN(len(segs))
	s := &segs[i]
	switch rnd.IntN(14) {
	case 0:
		return slices.Delete(segs, i, i+1)
	case 1:
		again := *s
		again.Time += wait(rnd)
		again.IPID++
		return append(segs, again)
	case 2:
		s.Time += wait(rnd)
	case 3:
		s.Window = 0
	case 4:
		s.Ack += rnd.Uint32N(3) - 1
	case 5:
		s.Seq += rnd.Uint32N(3) - 1
	case 6:
		s.Flags ^= 1 << rnd.IntN(8)
	case 7:
		s.TSVal += rnd.Uint32()
	case 8:
		s.TTL -= 5
	case 9:
		s.Mark |= 1 << rnd.IntN(8) &^ capture.Quoted
	case 10:
		s.Len += 3000
	case 11:
		return append(segs, *s)
	case 12:
		s.Window = 1
	case 13: // it begins, or ends, in the middle
		if rnd.IntN(2) == 0 {
			return segs[i:]
		}
		return segs[:i]
	}
	return segs
}

// Of ordinary lives and of such as are nearly so, sketches tell the same as
// entries.
func TestSketchesOfChatter(t *testing.T) {
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		segs := chatter(rnd, 300)
		var all []*capture.Batch
		for b := range slices.Chunk(segs, 64) {
			all = append(all, &capture.Batch{Segments: b})
		}
		cfg := tracker.DefaultConfig()
		cfg.Fold = []uint64{64, 1 << 17}[seed%2]
		o := tracker.Observer{Zeek: seed%5 == 0, Trails: tracker.SignRst | tracker.SignOpening | tracker.SignClosing | tracker.SignSynAgain}
		cfg.Unsketched = true
		want, _ := outcomes(all, 1, cfg, o)
		cfg.Unsketched = false
		got, n := outcomes(all, 1+int(seed%3), cfg, o)
		if seed%3 == 0 && n < 10 {
			t.Errorf("seed %d: at most %d lives were sketched at a time", seed, n)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d: %s", seed, diff.Diff(want, got))
		}
	}
}

// Of a flood of SYNs the same is told, however it is worked out.
func TestFloodIsToldTheSame(t *testing.T) {
	all := flood(30_000)
	for _, trails := range []tracker.Sign{^tracker.Sign(0), tracker.SignRst} {
		cfg := tracker.DefaultConfig()
		cfg.Fold = 1024
		cfg.Unsketched = true
		want, _ := outcomes(all, 1, cfg, tracker.Observer{Trails: trails})
		cfg.Unsketched = false
		for _, workers := range []int{1, 2, 3} {
			if got, _ := outcomes(all, workers, cfg, tracker.Observer{Trails: trails}); !slices.Equal(got, want) {
				t.Fatalf("%d workers: %s", workers, diff.Diff(want, got))
			}
			if trails != tracker.SignRst {
				continue // a Silent has no trail
			}
			silent := 0
			o := tracker.Observer{Trails: trails, SilentCase: func(*tracker.Silent) {}, SilentLife: func(*tracker.Silent) { silent++ }}
			if got, _ := outcomes(all, workers, cfg, o); !slices.Equal(got, want) {
				t.Fatalf("%d workers, silent: %s", workers, diff.Diff(want, got))
			}
			if silent < 10_000 {
				t.Errorf("%d workers: %d lives were told as silent ones", workers, silent)
			}
		}
	}
}
