package report

import "tcpstate/tracker"

// hold keeps transitions back until it is known whether --where keeps their
// connection, and lets them through in their order.
//
// It holds what came since the oldest connection that is still undecided, without what is
// dropped: some 10 octets for each transition (holdqueue.go), some 20 for each connection, and
// its Life where one is kept whose turn has not come. Where that is more than most,
// transitions are given up undecided, and counted. It is used with --where only.
type hold struct {
	most  int64 // octets; 0 for no bound
	whole bool  // transitions are shown, and connections between them; else they are only counted
	out   func(*heldItem)

	queue   heldQueue
	dead    int // items of the queue that are dropped
	slots   [][]heldSlot
	free    []uint32
	used    uint32               // slots that were ever given out
	pending map[uint64]*heldIDs  // by connection: the slot of one that goes on
	lives   map[uint32]*heldLife // by slot: those that are kept and wait for their turn
	lost    uint64               // transitions that were given up undecided
}

// heldItem is what is let through: a transition, or a connection that was kept.
type heldItem struct {
	t      tracker.Transition // without the ends and the rule, unless hold.whole
	opened bool               // t tells of a 4-tuple that is new
	self   bool               // of one whose ends are the same
	life   *heldLife
}

type heldLife struct {
	tracker.Life
	signs tracker.Sign
}

// heldSlot is a connection of which something is in the queue, or that is undecided.
type heldSlot struct {
	id    uint64
	items uint32 // in the queue
	fate  fate
	over  bool // its life came: it is no longer pending
}

type fate uint8

const (
	undecided fate = iota
	kept
	dropped
)

const (
	// holdShare is the part of --max-memory that hold may take.
	holdShare = 8
	// holdPage is how many slots are made at once.
	holdPage = 1 << 12
	// holdSweep is from how many items on those that are dropped are worth a walk.
	holdSweep = 1 << 14
	// briefItems are the most transitions of a connection of which nothing but its opening came:
	// such are given up first.
	briefItems = 3

	slotOctets, idsOctets, lifeOctets = 16, 320, 640 // what each takes, about
)

// heldIDs are the slots of as many connections with numbers in a row, plus one.
type heldIDs struct {
	n    int
	slot [64]uint32
}

func newHold(most int64, whole bool, out func(*heldItem)) *hold {
	return &hold{most: most, whole: whole, out: out, pending: map[uint64]*heldIDs{}, lives: map[uint32]*heldLife{}}
}

func (h *hold) transition(t *tracker.Transition) { h.note(t, queuedMove) }

func (h *hold) opened(t *tracker.Transition) { h.note(t, queuedOpening) }

func (h *hold) note(t *tracker.Transition, kind queuedKind) {
	h.put(h.slotOf(t.ID), &queued{
		kind: kind, time: t.Time, frame: t.Frame, side: t.Side, client: t.Client, self: t.Key.Self(),
		from: t.From, to: t.To, certainty: t.Certainty, rule: t.Rule,
	})
	if h.most > 0 && h.octets() > h.most {
		h.relieve()
	}
}

func (h *hold) put(slot uint32, q *queued) {
	q.slot = slot
	h.queue.put(q, h.whole)
	h.at(slot).items++
}

func (h *hold) at(slot uint32) *heldSlot { return &h.slots[slot/holdPage][slot%holdPage] }

// slotOf is the slot of a connection that goes on.
func (h *hold) slotOf(id uint64) uint32 {
	p := h.pending[id/64]
	if p == nil {
		p = &heldIDs{}
		h.pending[id/64] = p
	}
	s := &p.slot[id%64]
	if *s == 0 {
		p.n++
		*s = h.take(id) + 1
	}
	return *s - 1
}

// settle takes a connection from those that go on, and returns its slot.
func (h *hold) settle(id uint64) (slot uint32, ok bool) {
	p := h.pending[id/64]
	if p == nil || p.slot[id%64] == 0 {
		return 0, false
	}
	slot = p.slot[id%64] - 1
	p.slot[id%64] = 0
	if p.n--; p.n == 0 {
		delete(h.pending, id/64)
	}
	return slot, true
}

// take finds a free slot.
func (h *hold) take(id uint64) (slot uint32) {
	if k := len(h.free) - 1; k >= 0 {
		slot, h.free = h.free[k], h.free[:k]
	} else {
		if slot = h.used; slot%holdPage == 0 {
			h.slots = append(h.slots, make([]heldSlot, holdPage))
		}
		h.used++
	}
	*h.at(slot) = heldSlot{id: id}
	return slot
}

// spent frees a slot that is decided if nothing of it is in the queue.
func (h *hold) spent(slot uint32, s *heldSlot) {
	if s.items == 0 && s.fate != undecided {
		h.free = append(h.free, slot)
	}
}

// life ends the row of a connection's transitions, and keeps a place after them for itself
// where connections are shown between them. It returns what decide wants.
func (h *hold) life(id uint64) (row uint32) {
	slot, ok := h.settle(id)
	if !ok {
		slot = h.take(id)
	}
	h.at(slot).over = true
	if h.whole {
		h.put(slot, &queued{kind: queuedLife})
	}
	return slot
}

// decide says what becomes of a row; of one that is kept l is the connection, if whole.
func (h *hold) decide(row uint32, f fate, l *heldLife) {
	s := h.at(row)
	s.fate = f
	if f == dropped {
		h.dead += int(s.items)
	} else if h.whole {
		h.lives[row] = l
	}
	h.spent(row, s)
	h.release(false)
	if h.dead > holdSweep && h.dead > h.queue.items/2 {
		h.sweep(0, nil)
	}
}

// release lets go what is decided, up to the first that is not; at the end,
// all of it.
func (h *hold) release(end bool) {
	var q queued
	var it heldItem
	for h.queue.items > 0 {
		r := h.queue.read
		r.get(&h.queue, &q, h.whole)
		s := h.at(q.slot)
		if s.fate == undecided && !end {
			return
		}
		h.queue.drop(r)
		s.items--
		switch s.fate {
		case kept:
			h.let(&it, &q)
		case dropped:
			h.dead--
		}
		h.spent(q.slot, s)
	}
}

// let lets one item through.
func (h *hold) let(it *heldItem, q *queued) {
	*it = heldItem{opened: q.kind == queuedOpening, self: q.self}
	l := h.lives[q.slot] // nil unless whole
	if q.kind == queuedLife {
		it.life = l
		delete(h.lives, q.slot)
	} else {
		it.t = tracker.Transition{Time: q.time, Frame: q.frame, Side: q.side, Client: q.client,
			From: q.from, To: q.to, Certainty: q.certainty, Rule: q.rule}
		if l != nil {
			it.t.ID, it.t.Key = l.ID, l.Key
		}
	}
	h.out(it)
}

// octets is how much it holds.
func (h *hold) octets() int64 {
	return int64(h.queue.octets) + int64(int(h.used)-len(h.free))*slotOctets + int64(len(h.pending))*idsOctets + int64(len(h.lives))*lifeOctets
}

// relieve brings what is held to three quarters of what it may be. First goes what is dropped;
// then, of the older half, what is undecided: first the connections of which there is hardly
// anything yet, as in a flood, then any.
func (h *hold) relieve() {
	h.sweep(0, nil)
	for _, give := range [...]func(*heldSlot) bool{
		func(s *heldSlot) bool { return s.items <= briefItems },
		func(*heldSlot) bool { return true },
	} {
		if h.octets() <= h.most/4*3 {
			return
		}
		h.sweep((h.queue.items+1)/2, give)
		h.release(false)
	}
}

// sweep takes out of the queue what is dropped; and of the first items so many those that
// are undecided and that give gives up.
func (h *hold) sweep(first int, give func(*heldSlot) bool) {
	from := h.queue
	h.queue, h.dead = heldQueue{}, 0
	var q queued
	for i := 0; from.items > 0; i++ {
		r := from.read
		r.get(&from, &q, h.whole)
		from.drop(r)
		s := h.at(q.slot)
		switch {
		case s.fate == dropped:
		case i < first && s.fate == undecided && q.kind != queuedLife && give(s):
			h.lost++
			if s.items == 1 && !s.over {
				h.settle(s.id)
				s.fate = dropped
			}
		default:
			h.queue.put(&q, h.whole)
			continue
		}
		s.items--
		h.spent(q.slot, s)
	}
}
