package report

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// heldKey is the 4-tuple of a connection in these tests.
func heldKey(id uint64) (k capture.Key) {
	k.LoPort, k.HiPort = uint16(id), uint16(id>>16)
	return k
}

// What is decided comes through whole and in order, whatever waits and in whatever order it
// is decided: hold is compared with a list that keeps all.
func TestHoldKeepsOrder(t *testing.T) {
	type entry struct {
		id, incarnation uint64
		says            string
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for round := range 40 {
		var all []entry
		var out []string
		keeps := map[[2]uint64]bool{}
		whole := round%2 == 0
		h := newHold(0, whole, func(it *heldItem) {
			switch {
			case it.life != nil:
				out = append(out, fmt.Sprintf("life %d", it.life.ID))
			case whole && !it.opened && it.t.Key != heldKey(it.t.ID):
				t.Fatalf("%v of connection %d", it.t.Key, it.t.ID)
			default:
				it.t.Key = capture.Key{}
				out = append(out, fmt.Sprint(it.t, it.opened))
			}
		})
		incarnation := map[uint64]uint64{}
		var waiting []func()
		end := func(id uint64) {
			row := h.life(id)
			k := [2]uint64{id, incarnation[id]}
			if whole {
				all = append(all, entry{id, k[1], fmt.Sprintf("life %d", id)})
			}
			incarnation[id]++
			keeps[k] = rnd.IntN(3) == 0
			f := func() {
				if keeps[k] {
					h.decide(row, kept, &heldLife{Life: tracker.Life{ID: id, Key: heldKey(id)}})
				} else {
					h.decide(row, dropped, nil)
				}
			}
			if rnd.IntN(4) == 0 {
				waiting = append(waiting, f)
			} else {
				f()
			}
		}
		for range 1000 {
			id := rnd.Uint64N(1<<rnd.IntN(16) + 1)
			if rnd.IntN(5) == 0 {
				end(id)
				continue
			}
			tr := tracker.Transition{ID: id, Key: heldKey(id), Time: int64(rnd.Uint64() >> rnd.IntN(64)), Frame: rnd.Uint64() >> rnd.IntN(64),
				Side: uint8(rnd.IntN(2)), Client: rnd.IntN(2) == 0, From: tracker.State(rnd.IntN(int(tracker.NumStates))),
				To: tracker.State(rnd.IntN(int(tracker.NumStates))), Certainty: tracker.Certainty(rnd.IntN(4)), Rule: tracker.Rule(rnd.IntN(int(tracker.NumRules)))}
			opened := rnd.IntN(7) == 0
			if opened {
				h.opened(&tr)
			} else {
				h.transition(&tr)
			}
			tr.Key = capture.Key{}
			if !whole {
				tr.ID, tr.Frame, tr.Rule = 0, 0, 0
			}
			all = append(all, entry{id, incarnation[id], fmt.Sprint(tr, opened)})
			if rnd.IntN(50) == 0 {
				h.sweep(0, nil) // at any time
			}
		}
		for id := range incarnation {
			if rnd.IntN(2) == 0 {
				end(id)
			}
		}
		for _, f := range waiting {
			f()
		}
		h.release(true)
		var want []string
		for _, e := range all {
			if keeps[[2]uint64{e.id, e.incarnation}] {
				want = append(want, e.says)
			}
		}
		if !slices.Equal(out, want) {
			t.Fatalf("round %d: %d came through, not %d", round, len(out), len(want))
		}
		if h.lost != 0 || h.queue.items != 0 {
			t.Fatalf("%d lost, %d left", h.lost, h.queue.items)
		}
	}
}

// In a flood of openings that are never decided, and beside one connection that stays
// undecided from the first on, the bound holds, and what is given up are the openings: those
// that get on come through whole.
func TestHoldIsBounded(t *testing.T) {
	for _, whole := range []bool{true, false} {
		came := 0
		h := newHold(1<<18, whole, func(it *heldItem) {
			if it.life == nil {
				came++
			}
		})
		said := 0
		say := func(id uint64, n int) {
			for range n {
				said++
				h.transition(&tracker.Transition{ID: id, Key: heldKey(id), Frame: uint64(said), Time: int64(said) * 1000})
				if n := h.octets(); n > h.most {
					t.Fatalf("%d octets are held", n)
				}
			}
		}
		const good, flood = 100, 1000
		say(0, briefItems+1)
		for i := range uint64(good) {
			id := 1 + i*(flood+1)
			say(id, briefItems+1)
			for j := range uint64(flood) {
				say(id+1+j, 2)
			}
			h.decide(h.life(id), kept, &heldLife{Life: tracker.Life{ID: id, Key: heldKey(id)}})
		}
		h.decide(h.life(0), kept, &heldLife{})
		h.release(true)
		if want := (good + 1) * (briefItems + 1); came != want {
			t.Errorf("%d of %d came through", came, want)
		}
		if h.lost == 0 || h.lost > 2*good*flood {
			t.Errorf("%d were given up", h.lost)
		}
		if n := int(h.used); n > 1<<18/slotOctets {
			t.Errorf("%d slots were made", n)
		}
	}
}

// Where all get on and none ends, the oldest are given up.
func TestHoldGivesUpTheOldest(t *testing.T) {
	var out []uint64
	h := newHold(1<<17, true, func(it *heldItem) {
		if it.life == nil {
			out = append(out, it.t.Frame)
		}
	})
	const n, each = 1000, 100
	for i := range uint64(n * each) {
		h.transition(&tracker.Transition{ID: i % n, Key: heldKey(i % n), Frame: i + 1})
		if n := h.octets(); n > h.most {
			t.Fatalf("%d octets are held", n)
		}
	}
	for id := range uint64(n) {
		h.decide(h.life(id), kept, &heldLife{Life: tracker.Life{ID: id, Key: heldKey(id)}})
	}
	if uint64(len(out))+h.lost != n*each || h.lost == 0 || len(out) == 0 {
		t.Fatalf("%d came through, %d were given up", len(out), h.lost)
	}
	for i, f := range out {
		if f != h.lost+uint64(i)+1 {
			t.Fatalf("frame %d is the %d. that came, after %d that were given up", f, i, h.lost)
		}
	}
}

// What is given up is said, to machines and to people.
func TestGivenUpIsSaid(t *testing.T) {
	where, err := ParseWhere(`close.kind == "graceful"`)
	if err != nil {
		t.Fatal(err)
	}
	var machine, people bytes.Buffer
	r := New(Options{Selection: Selection{Where: where}, MaxMemory: 1 << 20,
		Outputs: []Output{{Format: ndjsonFormat, Parts: PartSummary, W: &machine}, {Format: tableFormat, Parts: PartSummary, W: &people}}})
	if n := r.Holding(); n != 1<<20/holdShare {
		t.Errorf("it may hold %d octets", n)
	}
	o := r.Observer()
	r.Begin(&capture.Stats{})
	for i := range uint64(20_000) {
		o.Transition(&tracker.Transition{ID: i, Key: heldKey(i), Frame: i + 1, From: tracker.Closed, To: tracker.SynSent})
	}
	if err := r.End(&capture.Stats{}, tracker.Totals{}, [tracker.NumStates]tracker.StateCount{}); err != nil {
		t.Fatal(err)
	}
	lost := r.hold.lost
	if want := fmt.Sprintf(`"undecided":%d,`, lost); lost == 0 || !strings.Contains(machine.String(), want) {
		t.Errorf("%d were given up: %s", lost, &machine)
	}
	if want := "given up: " + plural(lost, "transition"); !strings.Contains(people.String(), want) {
		t.Errorf("no %q: %s", want, &people)
	}
}
