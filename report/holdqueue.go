package report

import (
	"encoding/binary"

	"tcpstate/tracker"
)

// heldQueue is what hold holds, in the order in which it came: differences to the item
// before, in pages that are given back one by one.
type heldQueue struct {
	pages  [][]byte
	items  int
	octets int // of all pages
	write  heldCursor
	read   heldCursor
}

// heldCursor is a place in the queue, and the item before it.
type heldCursor struct {
	page, at    int
	slot        uint32
	time, frame uint64
}

// queued is an item of the queue.
type queued struct {
	kind      queuedKind
	side      uint8
	client    bool
	self      bool
	slot      uint32
	from, to  tracker.State
	certainty tracker.Certainty
	rule      tracker.Rule
	time      int64
	frame     uint64
}

type queuedKind uint8

const (
	queuedMove    queuedKind = iota // a transition
	queuedOpening                   // a 4-tuple that is new
	queuedLife                      // the place of a connection
)

const (
	queuePage = 1 << 14
	// queuedMost are the most octets of an item: three, and three numbers.
	queuedMost = 3 + 3*binary.MaxVarintLen64
)

// put appends an item. Frame, rule and what says whose state it was are kept if whole.
func (h *heldQueue) put(q *queued, whole bool) {
	n := len(h.pages)
	if n == 0 || cap(h.pages[n-1])-len(h.pages[n-1]) < queuedMost {
		h.pages = append(h.pages, make([]byte, 0, queuePage))
		h.octets += queuePage
		n++
	}
	w := &h.write
	b := append(h.pages[n-1], byte(q.kind)|q.side<<2|bit(q.client)<<3|bit(q.self)<<4|byte(q.certainty)<<5)
	b = binary.AppendVarint(b, int64(q.slot)-int64(w.slot))
	w.slot = q.slot
	if q.kind != queuedLife {
		b = append(b, byte(q.from)|byte(q.to)<<4)
		b = binary.AppendVarint(b, int64(uint64(q.time)-w.time)) // wraps around, and back
		w.time = uint64(q.time)
		if whole {
			b = append(b, byte(q.rule))
			b = binary.AppendVarint(b, int64(q.frame-w.frame))
			w.frame = q.frame
		}
	}
	h.pages[n-1] = b
	h.items++
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// get reads the next item.
func (r *heldCursor) get(h *heldQueue, q *queued, whole bool) {
	if r.at == len(h.pages[r.page]) {
		r.page, r.at = r.page+1, 0
	}
	b := h.pages[r.page][r.at:]
	number := func() uint64 {
		v, n := binary.Varint(b)
		b = b[n:]
		return uint64(v)
	}
	octet := func() byte {
		c := b[0]
		b = b[1:]
		return c
	}
	c := octet()
	*q = queued{kind: queuedKind(c & 3), side: c >> 2 & 1, client: c&8 != 0, self: c&16 != 0, certainty: tracker.Certainty(c >> 5)}
	r.slot += uint32(number())
	q.slot = r.slot
	if q.kind != queuedLife {
		c = octet()
		q.from, q.to = tracker.State(c&15), tracker.State(c>>4)
		r.time += number()
		q.time = int64(r.time)
		if whole {
			q.rule = tracker.Rule(octet())
			r.frame += number()
			q.frame = r.frame
		}
	}
	r.at = len(h.pages[r.page]) - len(b)
}

// drop gives back the item that was read before r, which is the first.
func (h *heldQueue) drop(r heldCursor) {
	if h.items--; h.items == 0 {
		*h = heldQueue{pages: [][]byte{h.pages[r.page][:0]}, octets: queuePage}
		return
	}
	if r.page > 0 {
		h.pages[0] = nil
		h.pages = h.pages[1:]
		h.octets -= queuePage
		r.page = 0
	}
	h.read = r
}
