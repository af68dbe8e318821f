package tracker_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// told is what a tracker says of a capture.
type told struct {
	Transitions []string
	Census      [tracker.NumStates]tracker.StateCount
	Streams     uint64
	Lives       uint64
	Closes      [tracker.NumCloseKinds]int
}

// tell runs a capture through a tracker that folds so soon.
func tell(batches []*capture.Batch, fold uint64) (out told, folded int) {
	cfg := tracker.DefaultConfig()
	cfg.Fold = fold
	tr := tracker.New(cfg, tracker.Observer{
		Transition: func(x *tracker.Transition) {
			out.Transitions = append(out.Transitions, fmt.Sprintln(x.Time, x.Frame, x.ID, x.Side, x.Client, x.From, x.To, x.Certainty, x.Rule))
		},
		Life: func(l *tracker.Life) {
			out.Closes[l.Close]++
			out.Lives++
			if l.Resumes { // it was told of before
				out.Closes[l.Was]--
				out.Lives--
			}
		},
	})
	for _, b := range batches {
		tr.Process(b)
		folded = max(folded, tr.Folded())
	}
	tr.Finish()
	out.Census = tr.Census()
	out.Streams = tr.Totals().Streams
	return out, folded
}

// Folding changes neither what is found of the states nor how many there are:
// not even of captures in which much comes after a life's end.
func TestFoldingKeepsStates(t *testing.T) {
	paths, err := filepath.Glob("../testdata/pcaps/*.pcap")
	if err != nil || len(paths) == 0 {
		t.Fatal("no captures")
	}
	folded := 0
	for _, p := range paths {
		all := readBatches(t, p, capture.BatchSize)
		whole, _ := tell(all, 1<<40)
		soon, n := tell(all, 32)
		folded += n
		if d := cmp.Diff(whole, soon); d != "" {
			t.Errorf("%s: %s", filepath.Base(p), d)
		}
	}
	if folded < 100 {
		t.Errorf("only %d lives were folded: nothing was tried", folded)
	}
}

// flood is a capture of n SYNs of as many sources, of which every hundredth is
// repeated, answered or refused, and ten seconds of silence.
func flood(n int) []*capture.Batch {
	var segs []capture.Segment
	add := func(at int64, i int, side, flags uint8, seq, ack uint32) {
		s := capture.Segment{Time: 1e18 + at, Frame: uint64(len(segs) + 1), Side: side, Flags: flags, Seq: seq, Ack: ack, Window: 1024,
			TTL: 60, VLAN: capture.NoVLAN, WScale: capture.NoWScale}
		s.Key = capture.Key{Lo: [16]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}, Hi: [16]byte{192, 0, 2, 1}, LoPort: uint16(1024 + i%50000), HiPort: 80}
		if i%7 == 0 {
			s.Key.V6 = true
			s.Key.Lo[15], s.Key.Hi[15] = 1, 2
		}
		if i%13 == 0 {
			s.Key.Lo, s.Key.Hi, s.Key.LoPort, s.Key.HiPort = s.Key.Hi, s.Key.Lo, s.Key.HiPort, s.Key.LoPort
			s.Side ^= 1
		}
		if i%5 == 0 && flags&capture.SYN != 0 {
			s.Opts, s.MSS, s.WScale = capture.OptMSS|capture.OptWScale|capture.OptSACKOK, uint16(1400+i%3), uint8(i%16)
		}
		if i%4 == 0 {
			s.Opts |= capture.OptTS
			s.TSVal = uint32(i)
		}
		s.Hash = s.Key.Hash()
		segs = append(segs, s)
	}
	const gap = 10_000
	for i := range n {
		at := int64(i) * gap
		seq := uint32(i) * 7919
		add(at, i, 0, capture.SYN, seq, 0)
		switch i % 300 {
		case 0:
			add(at+gap/2, i, 1, capture.SYN|capture.ACK, 77, seq+1)
		case 100:
			add(at+gap/2, i, 1, capture.RST|capture.ACK, 0, seq+1)
		}
		if j := i - n/2; j >= 0 && j%300 == 200 {
			add(at+gap/3, j, 0, capture.SYN, uint32(j)*7919, 0) // long after it was given up
		}
	}
	add(int64(n)*gap+10e9, n, 0, capture.SYN, 1, 0)
	var all []*capture.Batch
	for b := range slices.Chunk(segs, capture.BatchSize) {
		all = append(all, &capture.Batch{Segments: b})
	}
	return all
}

// What of a flood is kept as the SYN that it is, is told of as if it had been an
// entry.
func TestFloodIsCountedExactly(t *testing.T) {
	all := flood(200_000)
	whole, n := tell(all, 1<<40)
	if n != 0 {
		t.Fatalf("%d lives were folded", n)
	}
	soon, n := tell(all, 1024)
	if n < 100_000 {
		t.Errorf("only %d lives were folded", n)
	}
	if d := cmp.Diff(whole, soon); d != "" {
		t.Error(d)
	}
}
