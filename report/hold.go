package report

import (
	"slices"

	"tcpstate/tracker"
)

// hold keeps transitions back until it is known whether --where keeps their
// connection, and lets them through in their order.
//
// It holds all that came since the oldest connection that is still undecided:
// at worst every transition of the capture, about 100 octets each; in a live capture at
// most holdMost, the oldest of which are dropped for others. It is used with --where only.
type hold struct {
	most    int    // 0 for no bound
	lost    uint64 // transitions that were dropped undecided
	out     func(*heldItem)
	items   []heldItem       // from the oldest undecided on
	base    int              // number of items let go so far
	pending map[uint64][]int // by connection: absolute numbers of its items
}

// heldItem is a transition, or a connection that was kept.
type heldItem struct {
	t      tracker.Transition
	opened bool // t tells of a 4-tuple that is new
	life   *heldLife
	fate   fate
}

type heldLife struct {
	tracker.Life
	signs tracker.Sign
}

type fate uint8

const (
	undecided fate = iota
	kept
	dropped
)

// holdMost bounds what is held of a live capture, which may go on for ever.
const holdMost = 1 << 18

func newHold(out func(*heldItem)) *hold { return &hold{out: out, pending: map[uint64][]int{}} }

func (h *hold) transition(t *tracker.Transition) { h.add(heldItem{t: *t}) }

func (h *hold) opened(t *tracker.Transition) { h.add(heldItem{t: *t, opened: true}) }

func (h *hold) add(it heldItem) {
	h.pending[it.t.ID] = append(h.pending[it.t.ID], h.base+len(h.items))
	h.items = append(h.items, it)
	if h.most > 0 && len(h.items) > h.most {
		h.forget()
	}
}

// forget gives up the older half of what is held, as far as it is undecided.
func (h *hold) forget() {
	n := len(h.items) / 2
	for i := range h.items[:n] {
		if it := &h.items[i]; it.fate == undecided {
			it.fate = dropped
			h.lost++
		}
	}
	end := h.base + n
	for id, row := range h.pending {
		k := 0
		for k < len(row) && row[k] < end {
			k++
		}
		if row = row[k:]; len(row) == 0 {
			delete(h.pending, id)
		} else if k > 0 {
			h.pending[id] = slices.Clone(row)
		}
	}
	h.release(false)
}

// life ends the row of a connection's transitions and keeps a place after them
// for itself. It returns the numbers of all these, for decide.
func (h *hold) life(id uint64) []int {
	row := append(h.pending[id], h.base+len(h.items))
	h.items = append(h.items, heldItem{})
	delete(h.pending, id)
	return row
}

// decide says what becomes of a row; l is the connection if it is kept, else nil.
func (h *hold) decide(row []int, l *heldLife) {
	f := dropped
	if l != nil {
		f = kept
		h.items[row[len(row)-1]-h.base].life = l
	}
	for _, i := range row {
		if i >= h.base { // or it was given up
			h.items[i-h.base].fate = f
		}
	}
	h.release(false)
}

// release lets go what is decided, up to the first that is not; at the end,
// all of it.
func (h *hold) release(end bool) {
	n := 0
	for ; n < len(h.items); n++ {
		it := &h.items[n]
		if it.fate == undecided && !end {
			break
		}
		if it.fate == kept {
			h.out(it)
		}
	}
	h.base += n
	h.items = h.items[n:]
	if len(h.items) == 0 {
		h.items = nil // let the memory go
	}
}
