package tracker

import (
	"testing"

	"tcpstate/capture"
	"tcpstate/reassembly"
)

// cases sends segments of any connections through a tracker and returns what
// is told, with trails of their own.
func cases(segs []capture.Segment) (all []Case, t *Tracker) {
	t = New(DefaultConfig(), Observer{Case: func(c *Case) {
		k, l := *c, *c.Life
		k.Life = &l
		k.Trail.Events = append([]Event(nil), c.Trail.Events...)
		all = append(all, k)
	}})
	t.Process(&capture.Batch{Segments: segs})
	t.Finish()
	return all, t
}

// The first events stay and the latest, and what is missing is counted and
// marked.
func TestTrailBound(t *testing.T) {
	segs := talk(1, 1)
	open, data, rest := segs[:3], segs[3], segs[4:]
	long := append([]capture.Segment(nil), open...)
	const repeats = 1000
	for range repeats {
		long = append(long, data)
	}
	long = append(long, rest...)
	for i := range long {
		long[i].Frame, long[i].Time = uint64(i+1), int64(1e18)+int64(i)*1e8
	}
	all, _ := cases(long)
	if len(all) != 1 {
		t.Fatalf("%d cases", len(all))
	}
	c := &all[0]
	ev := c.Trail.Events
	if len(ev) <= (trailBlocks-1)*blockLen || uint64(len(ev))+c.Trail.Missing != uint64(len(long)) {
		t.Errorf("%d events and %d missing of %d", len(ev), c.Trail.Missing, len(long))
	}
	holed := 0
	for i := range ev {
		if ev[i].Is(Holed) {
			holed++
			if i != trailHead*blockLen || ev[i].Frame != ev[i-1].Frame+1+c.Trail.Missing {
				t.Errorf("the hole is before event %d, frame %d after %d", i, ev[i].Frame, ev[i-1].Frame)
			}
		}
	}
	if holed != 1 {
		t.Errorf("%d holes are marked", holed)
	}
	if ev[0].Frame != 1 || ev[len(ev)-1].Frame != uint64(len(long)) {
		t.Errorf("it goes from frame %d to %d", ev[0].Frame, ev[len(ev)-1].Frame)
	}
	if a := &c.Ends[Client]; a.Repeated != repeats-1 || a.DataSegments != repeats {
		t.Errorf("%+v", *a)
	}
}

// Data that goes its way leaves no trace but the first, and the latest before the end.
func TestTrailOfOrdinaryLife(t *testing.T) {
	all, tr := cases(talk(1, 500))
	ev := all[0].Trail.Events
	if len(ev) > 14 || all[0].Trail.Missing != 0 {
		t.Errorf("%d events", len(ev))
	}
	for i := range ev {
		if ev[i].Class == reassembly.Duplicate || i > 0 && ev[i].Frame <= ev[i-1].Frame {
			t.Errorf("event %d: %+v", i, ev[i])
		}
	}
	if last := ev[len(ev)-1]; !last.Is(AcksFin) || last.After(Client).State != TimeWait || last.From != Client {
		t.Errorf("the last event is %+v", last)
	}
	if tr.trails.leaves.used == 0 {
		t.Error("no leaf was used")
	}
}

// A tuple that lives again begins a trail of its own, with the end of the one
// before as its context, and the blocks are used again.
func TestTrailIsReused(t *testing.T) {
	life := talk(1, 3)
	var segs []capture.Segment
	const lives = 400
	for n := range lives {
		for i := range life {
			s := life[i]
			s.Time += int64(n) * 70 * second
			s.Seq += uint32(n) << 20
			if s.Flags&capture.ACK != 0 {
				s.Ack += uint32(n) << 20
			}
			s.Frame = uint64(len(segs) + 1)
			segs = append(segs, s)
		}
	}
	all, tr := cases(segs)
	if len(all) != lives {
		t.Fatalf("%d cases", len(all))
	}
	for i := range all {
		ev := all[i].Trail.Events
		first := 0
		for first < len(ev) && ev[first].Is(Earlier) {
			first++
		}
		if (first > 0) != (i > 0) || !ev[first].Syn() || ev[first].Frame != all[i].Life.FirstFrame {
			t.Fatalf("life %d: %d events of the one before, then %+v", i, first, ev[first])
		}
	}
	if n := tr.trails.leaves.used; n > 12 {
		t.Errorf("%d leaves for one tuple", n)
	}
}

// Notes cost no memory while segments pass that are not notable.
func TestCasesAllocate(t *testing.T) {
	const conns, requests = 50, 200
	segs := talk(conns, requests)
	tr := New(DefaultConfig(), Observer{Case: func(*Case) {}})
	warm := len(segs) / 4
	tr.Process(&capture.Batch{Segments: segs[:warm]})
	rest := segs[warm : len(segs)-3*conns]
	const runs = 20
	n := len(rest) / (runs + 1)
	at := 0
	if got := testing.AllocsPerRun(runs, func() {
		tr.Process(&capture.Batch{Segments: rest[at : at+n]})
		at += n
	}); got != 0 {
		t.Errorf("%v allocations for %d segments", got, n)
	}
}

// An ICMP error takes the room of one whose life was told.
func TestQuotesAreReused(t *testing.T) {
	var p trails
	var n notebook
	for i := range 100 {
		n.open(&p)
		d := p.dossiers.at(n.head - 1)
		d.quotes[0], d.nquotes = p.keep(&capture.Quote{Type: uint8(i)}), 1
		if got := p.errors[d.quotes[0]-1].Type; got != uint8(i) {
			t.Fatalf("error %d is kept as %d", i, got)
		}
		n.clear(&p)
	}
	if len(p.errors) != 1 {
		t.Errorf("room for %d", len(p.errors))
	}
}
