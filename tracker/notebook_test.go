package tracker

import (
	"fmt"
	"slices"
	"testing"

	"tcpstate/capture"
)

// openAll tells a tracker to write of all lives as of those of which there is
// something to say.
func openAll(t *Tracker) {
	for slot := range t.table.entries.n {
		if n := t.books.at(slot); n.marks&opened == 0 {
			n.open(&t.trails)
		}
	}
}

// told sends segments through a tracker, one by one, and returns what is told of
// each life. between is called before each segment.
func told(segs []capture.Segment, between func(*Tracker)) (all []string, t *Tracker) {
	t = New(DefaultConfig(), Observer{Case: func(c *Case) {
		k := *c
		k.Life = nil
		all = append(all, fmt.Sprintf("%+v %+v", *c.Life, k))
	}})
	for i := range segs {
		between(t)
		t.Process(&capture.Batch{Segments: slices.Clone(segs[i : i+1]), Quotes: make([]capture.Quote, 16)})
	}
	t.Finish()
	return all, t
}

// ordinary makes most of the records those of an ordinary conversation.
func ordinary(data []byte) []byte {
	for i := 0; i < len(data); i += fuzzRecord {
		data[i] &= 1
		if i/fuzzRecord%17 != 0 {
			data[i+1] &= 3
			data[i+2] &= 0x7f
			data[i+3] &= 0x7f
			data[i+4] &= 0x2f
			data[i+5] &= 7
		}
	}
	return data
}

// A case is the same whether its life was jotted down or had a dossier from the
// first segment, and all rooms come back.
func TestNotebookOrDossier(t *testing.T) {
	jotted := 0
	for seed := range uint64(150) {
		data := randomRecords(seed, 90)
		if seed%2 == 0 {
			data = ordinary(data)
		}
		segs := fuzzSegments(data)
		if seed%5 == 0 {
			for i := range segs {
				segs[i].Opts |= capture.OptTS
				segs[i].TSVal, segs[i].TSEcr = uint32(segs[i].Time/ms), uint32(i)
				if i%40 == 39 {
					segs[i].Time -= 3 * second
					segs[i].TTL--
				}
				if i%29 == 28 {
					segs[i].Len += 1500
				}
			}
		}
		got, tr := told(segs, func(tr *Tracker) {
			for slot := range tr.table.entries.n {
				if n := tr.books.at(slot); n.n > 3 {
					jotted++
				}
			}
		})
		want, _ := told(segs, openAll)
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d:\n%s", seed, diffOf(got, want))
		}
		checkReturned(t, tr)
	}
	if jotted < 1500 {
		t.Errorf("%d segments came while a notebook was jotted in", jotted)
	}
}

func diffOf(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return got[i] + "\nwithout a notebook\n" + want[i]
		}
	}
	return fmt.Sprintf("%d and %d cases", len(got), len(want))
}

// checkReturned lets all lives be forgotten, and counts what is not free then.
func checkReturned(t *testing.T, tr *Tracker) {
	t.Helper()
	p := &tr.trails
	for slot := range tr.table.entries.n {
		n := tr.books.at(slot)
		n.clear(p)
		n.forget(p)
	}
	free := uint32(0)
	for i := p.leaves.free; i != 0; i = p.leaves.at(i).next {
		free++
	}
	if free != p.leaves.used || len(p.dossiers.free) != int(p.dossiers.n) || len(p.rares.free) != int(p.rares.n) || len(p.spare) != len(p.errors) {
		t.Fatalf("free are %d of %d leaves, %d of %d dossiers, %d of %d rares, %d of %d errors", free, p.leaves.used,
			len(p.dossiers.free), p.dossiers.n, len(p.rares.free), p.rares.n, len(p.spare), len(p.errors))
	}
}

// Where the signs do not ask for the trail it is left out, and nothing else is.
func TestTrailIsLeftOut(t *testing.T) {
	segs := talk(2, 40)
	again := segs[62]
	again.Frame, again.Time = uint64(len(segs)+1), segs[len(segs)-7].Time+10*ms
	all := append(slices.Clone(segs[:len(segs)-6]), again) // one of the two repeats, and stays open
	run := func(mask Sign) (ends [2][2]Account, events [2]int) {
		tr := New(DefaultConfig(), Observer{Case: func(c *Case) {
			ends[c.Life.ID], events[c.Life.ID] = c.Ends, len(c.Trail.Events)
		}})
		tr.trails.trailFor = mask
		tr.Process(&capture.Batch{Segments: slices.Clone(all)})
		tr.Finish()
		return ends, events
	}
	ends, events := run(0)
	if events[0] == 0 || events[1] == 0 {
		t.Fatalf("%d events", events)
	}
	for _, c := range []struct {
		mask Sign
		want [2]int
	}{{SignDataAgain, [2]int{events[0], 0}}, {SignSyn, events}, {SignRst, [2]int{}}} {
		if got, have := run(c.mask); have != c.want || got != ends {
			t.Errorf("mask %b: %d events, want %d; accounts %+v", c.mask, have, c.want, got)
		}
	}
}

// Lives that come and go cost no memory once as many were open.
func TestLivesAllocate(t *testing.T) {
	life := speak(talk(1, 1))
	tr := New(DefaultConfig(), Observer{Case: func(*Case) {}})
	e := &entry{conn: life[len(life)-1].conn}
	l := e.conn.Life()
	run := func() {
		n := tr.books.at(0)
		for i := range life {
			s := &life[i]
			was := s.conn.prior(&s.seg)
			tr.write(n, &s.conn, &s.seg, s.class, &was)
			if i == 5 {
				n.open(&tr.trails)
			}
		}
		tr.tell(&l, e, 0)
		n.clear(&tr.trails)
	}
	run()
	if got := testing.AllocsPerRun(50, run); got != 0 {
		t.Errorf("%v allocations for a life", got)
	}
}

// An ordinary connection that is open, with a request and an answer, takes a
// notebook and two leaves.
func TestOpenConnectionIsSmall(t *testing.T) {
	const conns = 500
	segs := talk(conns, 1)
	segs = append(segs[:4*conns], segs[5*conns:6*conns]...) // the answer acknowledges the request
	tr := New(DefaultConfig(), Observer{Case: func(*Case) {}})
	for i := range segs {
		s := &segs[i]
		s.Frame, s.Time = uint64(i+1)*200, int64(1e18)+int64(i)*second/conns
		s.Opts, s.IPID = capture.OptTS, uint16(i*77)
		s.TSVal, s.TSEcr = 0x9abcdef0+uint32(s.Side)<<24+uint32(s.Time/ms), 0x9abcdef0+uint32(s.Side^1)<<24+uint32(s.Time/ms)-40
	}
	tr.Process(&capture.Batch{Segments: segs})
	if tr.trails.dossiers.n != 0 {
		t.Errorf("%d have a dossier", tr.trails.dossiers.n)
	}
	if n := tr.trails.leaves.used; n != 2*conns {
		t.Errorf("%.2f leaves each", float64(n)/conns)
	}
}
