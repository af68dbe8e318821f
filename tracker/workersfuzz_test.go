package tracker

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tcpstate/capture"
)

// saidBy is all that workers tell of segments, in order, and what they count. Where nobody
// asks for transitions ordinary lives are sketches.
func saidBy(t *testing.T, segs []capture.Segment, cfg Config, workers, size int, look, transitions bool) (out []string, sums [5]uint64) {
	say := func(format string, a ...any) { out = append(out, fmt.Sprintf(format, a...)) }
	o := Observer{
		Zeek: true,
		Life: func(l *Life) {
			say("life %+v", *l)
			sums[0]++
			for i := range l.Ends {
				sums[1] += l.Ends[i].Packets
				sums[2] += l.Ends[i].Bytes
			}
		},
		Cases: func() { say("cases") },
		Case: func(c *Case) {
			k := *c
			k.Life = nil
			say("case %+v %+v", *c.Life, k)
		},
	}
	if transitions {
		o.Transition = func(x *Transition) { say("transition %+v", *x) }
	}
	p := NewParallel(cfg, workers, o)
	for b := range slices.Chunk(segs, size) {
		batch := capture.Batch{Segments: slices.Clone(b), Quotes: []capture.Quote{{Type: 3, Code: 1}}, Now: b[len(b)-1].Time, Clock: b[len(b)-1].Time, Start: b[0].Time, Monotone: true}
		p.Process(&batch)
		if look {
			for p.Wait() != nil {
			}
			p.Peek(math.MinInt64, Observer{Life: func(*Life) {}, Case: func(*Case) {}})
			p.Roles()
		}
	}
	for p.Wait() != nil {
	}
	p.Finish()
	n := p.Totals()
	say("%+v %+v", n, p.Census())
	if n.Lives != sums[0] {
		t.Errorf("%d lives, %d told of", n.Lives, sums[0])
	}
	sums[3], sums[4] = n.Segments, n.Copies
	p.Close()
	return out, sums
}

// FuzzWorkers has any number of workers tell the same of any segments, in batches of any
// size, and whoever looks on change nothing; nor does it where ordinary lives are sketches.
// What lives count adds up to what there was.
func FuzzWorkers(f *testing.F) {
	for seed := range uint64(6) {
		f.Add(randomRecords(seed, 40), uint8(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte, how uint8) {
		segs := fuzzSegments(data[:min(len(data), 200*fuzzRecord)])
		if len(segs) == 0 {
			return
		}
		var packets, octets uint64
		for i := range segs {
			if segs[i].Mark&(capture.Quoted|capture.Unselected|capture.BadChecksum) == 0 {
				packets++
				octets += uint64(segs[i].Len)
			}
		}
		cfg := DefaultConfig()
		if how&1 != 0 {
			cfg.Fold = 64
		}
		transitions := how&2 != 0
		cfg.Unsketched = true
		want, sums := saidBy(t, segs, cfg, 1, len(segs), false, transitions)
		cfg.Unsketched = false
		if sums[3] != packets || sums[1] != packets || sums[2] != octets || sums[4] > packets { // a copy is a packet, too
			t.Errorf("of %d segments with %d octets, %d in lives with %d, %d of all and %d copies", packets, octets, sums[1], sums[2], sums[3], sums[4])
		}
		for _, x := range []struct {
			workers, size int
			look          bool
		}{{1, 1 + int(how>>1), false}, {2 + int(how&3), 1 + int(how>>2), false}, {2 + int(how>>2&1), 5, true}} {
			if got, _ := saidBy(t, segs, cfg, x.workers, x.size, x.look, transitions); !slices.Equal(got, want) {
				t.Errorf("%+v tell something else:\n%s", x, cmp.Diff(want, got))
			}
		}
	})
}
