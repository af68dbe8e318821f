package report

import "tcpstate/tracker"

// hold keeps transitions back until it is known whether --where keeps their
// connection, and lets them through in their order.
//
// It holds all that came since the oldest connection that is still undecided:
// at worst every transition of the capture, about 100 octets each. It is used
// with --where only.
type hold struct {
	out     func(*heldItem)
	items   []heldItem       // from the oldest undecided on
	base    int              // number of items let go so far
	pending map[uint64][]int // by connection: absolute numbers of its items
}

// heldItem is a transition, or a connection that was kept.
type heldItem struct {
	t    tracker.Transition
	life *heldLife
	fate fate
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

func newHold(out func(*heldItem)) *hold { return &hold{out: out, pending: map[uint64][]int{}} }

func (h *hold) transition(t *tracker.Transition) {
	h.pending[t.ID] = append(h.pending[t.ID], h.base+len(h.items))
	h.items = append(h.items, heldItem{t: *t})
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
		h.items[i-h.base].fate = f
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
