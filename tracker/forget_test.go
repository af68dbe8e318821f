package tracker

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"tcpstate/capture"
)

// forgetfully is a tracker that folds soon and forgets after four minutes.
func forgetfully() *Tracker {
	cfg := DefaultConfig()
	cfg.Forget, cfg.Fold, cfg.MaxMemory = 4*time.Minute, 32, 512<<20
	return New(cfg, Observer{})
}

// wait lets time go by, with frames of somebody else's, so that what is over is folded.
func wait(t *Tracker, now *int64, frame *uint64, d time.Duration) {
	for range int(d / time.Second) {
		*now += second
		b := &capture.Batch{Now: *now}
		for range 8 {
			*frame++
			k := capture.Key{Lo: [16]byte{9}, Hi: [16]byte{9, 9}, LoPort: 1, HiPort: 2}
			b.Segments = append(b.Segments, capture.Segment{Time: *now, Frame: *frame, Key: k, Hash: k.Hash(), Flags: capture.ACK, Len: 1,
				Seq: uint32(*frame), VLAN: capture.NoVLAN, WScale: capture.NoWScale})
		}
		t.Process(b)
	}
}

// What is over is forgotten after the time that was given, and not before: then what
// comes of its tuple begins a new number.
func TestWhatIsOverIsForgotten(t *testing.T) {
	const n = 300
	segs := talk(n, 1)
	for i := range n { // and as many SYNs that nobody answers
		k := capture.Key{Lo: [16]byte{12, 0, byte(i >> 8), byte(i)}, Hi: [16]byte{13, 0, 0, 1}, LoPort: 40000, HiPort: 81}
		segs = append(segs, capture.Segment{Time: segs[len(segs)-1].Time + 1000, Frame: uint64(len(segs) + 1), Key: k, Hash: k.Hash(), Flags: capture.SYN,
			Seq: 7, Window: 1, VLAN: capture.NoVLAN, WScale: capture.NoWScale})
	}
	tr := forgetfully()
	for _, b := range batches(segs) {
		tr.Process(b)
	}
	last := segs[len(segs)-1]
	now, frame := last.Time, last.Frame
	wait(tr, &now, &frame, 3*time.Minute)
	if r, s := tr.table.residues.inUse(), tr.table.stubs.inUse(); r != n || s != n {
		t.Fatalf("%d residues and %d stubs, not %d of each: nothing is tried", r, s, n)
	}
	straggler := func(s capture.Segment) {
		frame++
		s.Time, s.Frame = now, frame
		tr.Process(&capture.Batch{Segments: []capture.Segment{s}, Now: now})
	}
	before := tr.totals.Streams
	straggler(segs[len(segs)-n-1]) // the last ACK once more
	straggler(last)
	if tr.totals.Streams != before {
		t.Errorf("%d numbers are new after three minutes", tr.totals.Streams-before)
	}
	wait(tr, &now, &frame, 4*time.Minute)
	// TIME-WAIT lasts for another minute, and the background comes by a quarter later.
	if s := tr.table.stubs.inUse(); s > 2 {
		t.Errorf("%d stubs are left", s)
	}
	wait(tr, &now, &frame, 2*time.Minute)
	if r := tr.table.residues.inUse(); r > 2 {
		t.Errorf("%d residues are left", r)
	}
	if got := tr.table.inUse(); got > 8 {
		t.Errorf("%d cells are in use", got)
	}
	before = tr.totals.Streams
	straggler(segs[len(segs)-n-2])
	if tr.totals.Streams != before+1 {
		t.Error("what comes of a tuple that was forgotten has no new number")
	}
	if tr.totals.Evicted != 0 {
		t.Errorf("%d count as evicted", tr.totals.Evicted)
	}
}

// The moment is that of the segment, however far the background is.
func TestForgettingIsExact(t *testing.T) {
	for _, x := range []struct {
		after time.Duration
		more  uint64
	}{{4*time.Minute - time.Second, 0}, {4*time.Minute + time.Second, 1}} {
		tr := forgetfully()
		r := kindResidue | (tr.table.residues.take() + 1)
		i, _ := tr.table.shapes.find(&shape{holder: 2, mode: begun | folded | reported, known: 3})
		k := capture.Key{Lo: [16]byte{1}, Hi: [16]byte{2}, LoPort: 3, HiPort: 4}
		*tr.table.residues.at(0) = residue{who: uint64(i) << idBits, at: 1e18, name: tr.table.named(&k)}
		tr.table.insert(k.Hash(), r)
		tr.Process(&capture.Batch{Segments: []capture.Segment{{Time: 1e18 + int64(x.after), Frame: 5, Key: k, Hash: k.Hash(), Flags: capture.ACK, VLAN: capture.NoVLAN}}})
		if tr.totals.Streams != x.more {
			t.Errorf("after %s %d numbers are new, not %d", x.after, tr.totals.Streams, x.more)
		}
	}
}

// Shapes that no life has any more go, and the others stay where they are.
func TestShapesAreGivenUp(t *testing.T) {
	tr := forgetfully()
	at := map[uint32]uint32{}
	for i := range uint32(3 * fewShapes) {
		k, ok := tr.table.shapes.find(&shape{holder: 2, incarnation: i + 1})
		if !ok {
			t.Fatal("no room")
		}
		if i%10 == 0 {
			at[i+1] = k
			tr.table.residues.at(tr.table.residues.take()).who = uint64(k)<<idBits | 1
		}
	}
	tr.forgetShapes()
	g := &tr.table.shapes
	if n := len(g.all) - len(g.free); n != len(at)+1 {
		t.Errorf("%d are left, not %d", n, len(at)+1)
	}
	for inc, k := range at {
		if got, _ := g.find(&shape{holder: 2, incarnation: inc}); got != k {
			t.Fatalf("incarnation %d has moved", inc)
		}
	}
	if k, _ := g.find(&shape{holder: 2, incarnation: 1 << 20}); int(k) >= 3*fewShapes+1 {
		t.Error("the room of those that went is not used")
	}
}

// A pool that lists few of what is free gives out each of them once.
func TestPoolsMarkWhatIsFree(t *testing.T) {
	p := pool[uint32]{most: 8}
	r := rand.New(rand.NewPCG(1, 1))
	taken := map[uint32]bool{}
	var all []uint32
	for range 20_000 {
		if r.IntN(2) == 0 || len(all) == 0 {
			for range 20 {
				i := p.take()
				if taken[i] || *p.at(i) != 0 {
					t.Fatalf("%d is given out twice, or is not zero", i)
				}
				taken[i] = true
				*p.at(i) = 1
				all = append(all, i)
			}
			continue
		}
		for range min(20, len(all)) {
			k := r.IntN(len(all))
			i := all[k]
			all[k] = all[len(all)-1]
			all = all[:len(all)-1]
			delete(taken, i)
			p.put(i)
		}
		if p.inUse() != len(all) {
			t.Fatalf("%d are in use, not %d", p.inUse(), len(all))
		}
	}
	if cap(p.free) > 256 {
		t.Errorf("%d are listed", cap(p.free))
	}
}

// Services that were only tried are given up, and others have their room; those that hold
// something, or held the most, stay.
func TestServicesAreGivenUp(t *testing.T) {
	tr := forgetfully()
	now, frame := int64(1e18), uint64(0)
	syn := func(port, from int) {
		frame++
		k := capture.Key{Lo: [16]byte{10, 0, 0, 1}, Hi: [16]byte{11, 0, 0, 1}, LoPort: uint16(from), HiPort: uint16(port)}
		tr.Process(&capture.Batch{Segments: []capture.Segment{{Time: now, Frame: frame, Key: k, Hash: k.Hash(), Flags: capture.SYN, Seq: uint32(frame),
			Window: 1, VLAN: capture.NoVLAN, WScale: capture.NoWScale}}, Now: now})
	}
	for i := range 20 {
		syn(80, 2000+i)
	}
	const ports = 3000
	for i := range ports {
		syn(1000+i, 50000)
	}
	if n := tr.Usage().services.n; n != ports+1 {
		t.Fatalf("%d services", n)
	}
	wait(tr, &now, &frame, 12*time.Minute)
	var left []uint16
	tr.Usage().Services(func(s *Service) bool { left = append(left, s.Server.Port()); return true })
	if len(left) != highest || !slices.Contains(left, 80) {
		t.Errorf("%d services are left, not %d; port 80 is among them: %v", len(left), highest, slices.Contains(left, 80))
	}
	for i := range ports - highest {
		syn(20000+i, 50001)
	}
	if n := tr.Usage().services.n; n > ports+1 {
		t.Errorf("%d services were made: the room is not used again", n)
	}
	trying := map[uint16]int{}
	tr.Usage().Services(func(s *Service) bool {
		if s.Attempts.Now != 0 {
			trying[s.Server.Port()] = s.Attempts.Now
		}
		return true
	})
	for i := range ports - highest {
		if trying[uint16(20000+i)] != 1 {
			t.Fatalf("port %d: %d attempts, not one", 20000+i, trying[uint16(20000+i)])
		}
	}
	if len(trying) != ports-highest {
		t.Errorf("%d services are tried, not %d", len(trying), ports-highest)
	}
}

// A service of which no gain had room is announced all the same.
func TestServicesWithoutGains(t *testing.T) {
	j := journal{workers: 1 << 16} // two hosts, four services
	var u Usage
	change := func(client, port byte) {
		x := subject{key: capture.Key{Lo: [16]byte{client}, Hi: [16]byte{99}, LoPort: 5, HiPort: uint16(port), V6: true}, first: 1}
		var h held
		j.change(&x, &h, moment{time: 1e18, where: 1, life: 1}, inUsed|inOpened)
		u.apply(&j.log)
		j.log.empty()
	}
	change(1, 1)
	change(2, 2)
	change(3, 3) // no room for the host
	change(1, 4)
	var ports []uint16
	u.Pairs(func(p *Pair) bool { ports = append(ports, p.Server.Port()); return true })
	if !slices.Equal(ports, []uint16{1, 2, 4}) {
		t.Errorf("pairs with the ports %v", ports)
	}
}

// Under a bound no pool grows beyond it, however the kinds of lives change.
func TestStrictBound(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Forget, cfg.MaxMemory = 4*time.Minute, 32<<20
	tr := New(cfg, Observer{Case: func(*Case) {}})
	segs := talk(60_000, 1)
	for i := range segs { // every third connection is no ordinary one
		if s := &segs[i]; s.Key.Lo[3]%3 == 0 && s.Len == 200 {
			s.Flags |= capture.URG
		}
	}
	most := int64(0)
	for _, b := range batches(segs) {
		tr.Process(b)
		most = max(most, tr.octets(true))
	}
	if bound := tr.bound.memory; most > bound+bound/2+4<<20 || bound == math.MaxInt64 {
		t.Errorf("%d octets, for a bound of %d", most, bound)
	}
	if tr.totals.Evicted == 0 {
		t.Error("nothing gave way: nothing was tried")
	}
}

// Room that was taken from lives comes back where all else needs it no more, and no more
// of it than there was.
func TestSqueezeAndEase(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxMemory, cfg.Forget = 512<<20, time.Minute
	p := NewParallel(cfg, 1, Observer{Life: func(*Life) {}})
	before := p.workers[0].bound.memory
	p.Squeeze(1 << 40)
	least := p.workers[0].bound.memory
	if least <= 0 || least >= before {
		t.Fatalf("%d octets were squeezed to %d", before, least)
	}
	for range 20 {
		was := p.workers[0].bound.memory
		p.Ease()
		if now := p.workers[0].bound.memory; now < was || now > before {
			t.Fatalf("%d octets were eased to %d of %d", was, now, before)
		}
	}
	if p.workers[0].bound.memory != before {
		t.Errorf("%d of %d octets came back", p.workers[0].bound.memory, before)
	}
}
