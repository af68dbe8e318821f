package tracker

import (
	"math"
	"slices"

	"tcpstate/capture"
	"tcpstate/reassembly"
)

// Tracker follows all connections of one capture.
type Tracker struct {
	cfg    Config
	obs    Observer
	table  table
	alarms alarms
	census census
	usage  journal
	counts Usage
	totals Totals
	k      sink
	next   uint64 // the next stream number
	now    int64  // the latest time seen
	ports  answering
	spill  zeekSpill
	quotes []capture.Quote // of the batch in hand
	books  books
	trails trails
	told   Case                    // reused
	timers map[uint32][]Transition // by slot, what elapsed since the last step; only for Observer.Step
}

// Totals counts over all lives.
type Totals struct {
	Streams  uint64                  // numbers given out, quotes in ICMP errors included
	Lives    uint64                  // lives with at least one selected segment
	Resets   [NumResetClasses]uint64 // every RST seen, by class
	Segments uint64                  // selected segments, without those quoted in ICMP errors
	Plain    uint64                  // of these, free of SYN, FIN and RST
	Cut      uint64                  // of these, with a TCP header that the snap length cut
	Copies   uint64                  // segments recognised as copies of one already seen
	Twice    uint64                  // of these, with SYN, FIN or payload: no burst of ACKs or RSTs that look alike
	Odd      uint64                  // segments with flags that no TCP sends
}

// New makes a tracker that reports to obs.
func New(cfg Config, obs Observer) *Tracker {
	t := &Tracker{cfg: cfg, obs: obs, ports: answering{}, now: math.MinInt64}
	t.k.census = &t.census
	t.k.cfg = &t.cfg
	t.k.keep = obs.Transition != nil || obs.Step != nil
	if obs.Step != nil {
		t.timers = map[uint32][]Transition{}
	}
	return t
}

// sparseFrom is how many connections without one plain segment show that a
// filter kept nothing but SYN, FIN and RST (states.md, per direction).
const sparseFrom = 20

// Process applies the segments of b in order.
func (t *Tracker) Process(b *capture.Batch) {
	t.quotes = b.Quotes
	for i := range b.Segments {
		s := &b.Segments[i]
		if s.Time > t.now {
			t.now = s.Time
			t.advance(s.Time)
			t.usage.clock = s.Time
		}
		t.segment(s)
	}
	if b.Now > t.now && b.Now != 0 {
		t.now = b.Now
		t.advance(b.Now)
		t.usage.clock = b.Now
	}
	t.count()
}

// count applies what connections came to hold.
func (t *Tracker) count() {
	t.counts.apply(&t.usage.log)
	t.usage.log.empty()
}

// advance fires the timers that are due at or before now.
func (t *Tracker) advance(now int64) {
	for len(t.alarms) > 0 && t.alarms[0].due <= now {
		a := t.alarms.pop()
		e := t.table.at(a.slot)
		if e.queued != a.due {
			continue // a later alarm took its place
		}
		e.queued = 0
		t.begin(0)
		t.k.now = a.due
		e.conn.expire(&t.k, a.due)
		if t.obs.Step != nil && len(t.k.changes) > 0 {
			t.timers[a.slot] = append(t.timers[a.slot], t.k.changes...)
		}
		t.after(e, a.slot)
	}
}

// begin empties the sink.
func (t *Tracker) begin(frame uint64) {
	t.k.changes, t.k.frame, t.k.moved = t.k.changes[:0], frame, false
	t.k.sparse = t.totals.Plain == 0 && t.totals.Lives >= sparseFrom
}

// after reports what happened and keeps alarms and ends in step.
func (t *Tracker) after(e *entry, slot uint32) {
	c := &e.conn
	if t.obs.Transition != nil {
		for i := range t.k.changes {
			t.obs.Transition(&t.k.changes[i])
		}
	}
	if c.over() {
		if c.mode&ended == 0 {
			c.mode |= ended
			e.endAt, e.endFr = t.k.now, t.k.frame
		}
	} else {
		c.mode &^= ended
	}
	if t.k.moved {
		t.usage.follow(c, &e.held, &t.k)
		if t.usage.full() {
			t.count()
		}
	}
	d := c.due()
	if c.mode&(ended|reported) == ended {
		switch leave := e.endAt + int64(t.cfg.Linger); {
		case t.k.now >= leave:
			t.report(e, slot)
		case d == 0 || leave < d:
			d = leave
		}
	}
	if d != 0 && (e.queued == 0 || d < e.queued) {
		e.queued = d
		t.alarms.push(alarm{due: d, id: c.id, slot: slot})
	}
}

// over reports that both ends are CLOSED, having been something else or never.
func (c *Conn) over() bool {
	return c.mode&begun != 0 && c.ends[0].state() == Closed && c.ends[1].state() == Closed
}

// segment numbers one segment and applies it.
func (t *Tracker) segment(s *capture.Segment) {
	slot, found := t.table.find(&s.Key, s.Hash)
	if Streamless(s) {
		if found {
			t.quoted(s, slot)
		}
		return
	}
	if !found {
		slot = t.table.add(&s.Key, s.Hash)
	}
	e := t.table.at(slot)
	c := &e.conn
	quoted := s.Mark&capture.Quoted != 0
	switch {
	case !found:
		e.stream, e.whole = OpenStream(s), OpenCompleteness(s)
		c.id, c.continues = t.number(), -1
	case e.stream.Starts(s):
		t.renumber(e, slot)
		e.whole = ReopenCompleteness(s)
	default:
		e.whole.Apply(s)
		if c.livesAgain(s) {
			t.again(e, slot, true)
		} else if c.mode&reported != 0 && s.Mark&(capture.Quoted|capture.Unselected) == 0 {
			t.again(e, slot, false)
		}
	}
	if s.Mark&(capture.Unselected|capture.BadChecksum) != 0 {
		return
	}
	if quoted {
		t.quoted(s, slot)
		return
	}
	if c.mode&begun == 0 {
		t.totals.Lives++
		t.enlist(c, s)
	}
	t.totals.Segments++
	if s.Flags&(capture.SYN|capture.FIN|capture.RST) == 0 {
		t.totals.Plain++
	}
	if s.Mark&capture.Cut != 0 {
		t.totals.Cut++
	}
	if s.Has(capture.SYN | capture.ACK) {
		t.ports.add(s)
	}
	t.begin(s.Frame)
	var step *Step // on the heap, and only where it is asked for
	if t.obs.Step != nil {
		was := c.before(s)
		step = &was
		step.Timers = t.timers[slot]
		delete(t.timers, slot)
	}
	var was prior
	if t.obs.Case != nil {
		was = c.prior(s)
	}
	class := c.apply(&t.k, s)
	if t.obs.Case != nil {
		t.write(t.books.at(slot), c, s, class, &was)
	}
	e.zeek.apply(s, &t.spill)
	switch class {
	case reassembly.Duplicate:
		t.totals.Copies++
		if s.SeqLen() > 0 {
			t.totals.Twice++
		}
	case reassembly.ClassNone:
		if s.Flags&capture.RST != 0 && !odd(s.Flags) {
			t.totals.Resets[c.notes.lastClass]++
		} else {
			t.totals.Odd++
		}
	}
	if step != nil {
		c.done(step, class, t.k.changes)
		t.obs.Step(step)
	}
	t.after(e, slot)
}

// quoted applies an ICMP error that quotes a segment of a known 4-tuple. One
// with eight octets of TCP header, as RFC 792 asks for, has no number with
// Wireshark but says the same.
func (t *Tracker) quoted(s *capture.Segment, slot uint32) {
	if int(s.Len) >= len(t.quotes) || s.Mark&(capture.Unselected|capture.BadChecksum) != 0 {
		return // a header without its error: nothing to learn
	}
	e := t.table.at(slot)
	c, q := &e.conn, &t.quotes[s.Len]
	t.begin(s.Frame)
	t.k.now = s.Time
	was := c.steps()
	c.quoted(&t.k, s, q)
	if t.obs.Case != nil && c.mode&begun != 0 {
		t.quote(t.books.at(slot), c, s, q, was)
	}
	t.after(e, slot)
}

func (t *Tracker) number() uint64 {
	n := t.next
	t.next++
	t.totals.Streams++
	return n
}

// enlist counts the endpoints of a life that begins.
func (t *Tracker) enlist(c *Conn, s *capture.Segment) {
	if c.mode&carried == 0 {
		n := 2
		if c.Key.Self() {
			n = 1
		}
		for i := 0; i < n; i++ {
			t.census.add(Closed, Presumed, s.Time)
		}
	}
	if (s.Flags&capture.SYN == 0 || odd(s.Flags)) && c.mode&rolesFixed == 0 && c.roles == RoleGuess {
		c.guessRoles(s, t.ports.has(&s.Key, 0), t.ports.has(&s.Key, 1))
	}
}

// renumber begins another stream number on the same 4-tuple. States belong to
// the 4-tuple: they carry over, and the segment that began the number says
// what becomes of them.
func (t *Tracker) renumber(e *entry, slot uint32) {
	old := e.conn
	t.report(e, slot)
	n := Conn{Key: old.Key, continues: -1, id: t.number(), ends: old.ends}
	for i := range n.ends {
		n.ends[i].count = counters{}
		n.ends[i].ttl = 0
	}
	if old.mode&begun != 0 {
		n.mode |= carried
		if !old.settled() {
			n.continues = int64(old.id)
			n.client, n.roles = old.client, old.roles
			n.mode |= old.mode & (midstream | rolesFixed | loneAck)
		}
	} else if old.mode&carried != 0 {
		n.mode |= carried
		n.continues = old.continues
	}
	e.conn = n // with its timers: the alarm that stands for them goes on
	e.zeek.release(&t.spill)
	e.zeek = zeekConn{}
}

// settled reports that nothing of the life goes on: each end is CLOSED or in
// TIME-WAIT.
func (c *Conn) settled() bool {
	for i := range c.ends {
		if s := c.ends[i].state(); s != Closed && s != TimeWait {
			return false
		}
	}
	return true
}

// livesAgain reports a SYN with the ISN of a life that is over: Wireshark
// keeps its number.
func (c *Conn) livesAgain(s *capture.Segment) bool {
	if s.Flags&(capture.SYN|capture.ACK|capture.RST|capture.FIN) != capture.SYN || s.Mark&(capture.Quoted|capture.Unselected) != 0 {
		return false
	}
	x := c.at(s.Side)
	if !x.sp.HasISS || uint32(x.sp.ISS) != s.Seq || !c.settled() || s.Time-c.last <= copyWithin {
		return false
	}
	return x.is(sentRst) && x.certainty() == Confirmed || x.passed(LastAck) || x.passed(TimeWait)
}

// again begins another incarnation under the same number.
//
// fresh: it lives again, with the same ISN. Otherwise it is what came after
// the life was reported: states and spaces go on.
func (t *Tracker) again(e *entry, slot uint32, fresh bool) {
	old := e.conn
	t.report(e, slot)
	n := Conn{Key: old.Key, continues: -1, id: old.id, incarnation: old.incarnation + 1, ends: old.ends, mode: carried}
	if !fresh {
		n.client, n.roles = old.client, old.roles
		n.mode |= old.mode & (midstream | rolesFixed)
	}
	for i := range n.ends {
		n.ends[i].count = counters{}
		if fresh {
			n.ends[i].sp.HasISS = false
		}
	}
	e.conn = n // with its timers: the alarm that stands for them goes on
	e.zeek.release(&t.spill)
	e.zeek = zeekConn{}
}

// report tells of a life that is over, and forgets what is written down of it.
func (t *Tracker) report(e *entry, slot uint32) {
	if e.conn.mode&begun != 0 && e.conn.mode&reported == 0 {
		e.conn.mode |= reported
		if t.obs.Case != nil || t.obs.Life != nil {
			l := t.life(e)
			t.tell(&l, e, slot)
			if t.obs.Life != nil {
				t.obs.Life(&l)
			}
		}
	}
	if t.obs.Case != nil {
		t.books.at(slot).clear(&t.trails)
	}
}

// life says everything of the connection.
func (t *Tracker) life(e *entry) Life {
	l := e.conn.life(&t.cfg)
	l.Completeness = e.whole.Value()
	l.ZeekState, l.ZeekHistory = e.zeek.state(&t.spill), e.zeek.hist(&t.spill)
	return l
}

// Elapsed returns the timers that ran out on each connection after its last
// segment, by stream number; only with Observer.Step.
func (t *Tracker) Elapsed() map[uint64][]Transition {
	out := map[uint64][]Transition{}
	for slot, ts := range t.timers {
		out[t.table.at(slot).conn.id] = ts
	}
	return out
}

// Finish ends the capture at its last packet's time: lives that are over are
// reported by when they ended, then those still open by id; all cases come before
// all lives. The tracker is
// then spent.
func (t *Tracker) Finish() {
	var order []uint32
	for slot := uint32(0); slot < t.table.n; slot++ {
		if t.table.at(slot).conn.mode&(begun|reported) == begun {
			order = append(order, slot)
		}
	}
	slices.SortFunc(order, func(a, b uint32) int {
		x, y := t.table.at(a), t.table.at(b)
		xo, yo := x.conn.mode&ended == 0, y.conn.mode&ended == 0
		switch {
		case xo != yo:
			if yo {
				return -1
			}
			return 1
		case !xo && x.endAt != y.endAt:
			return cmp64(x.endAt, y.endAt)
		case !xo && x.endFr != y.endFr:
			return cmp64(int64(x.endFr), int64(y.endFr))
		}
		return cmp64(int64(x.conn.id), int64(y.conn.id))
	})
	if t.obs.Case != nil {
		for _, slot := range order {
			l := t.life(t.table.at(slot))
			t.tell(&l, t.table.at(slot), slot)
		}
	}
	if t.obs.Cases != nil {
		t.obs.Cases()
	}
	for _, slot := range order {
		e := t.table.at(slot)
		e.conn.mode |= reported
		if t.obs.Life != nil {
			l := t.life(e) // again: to keep them all would take their memory twice
			t.obs.Life(&l)
		}
	}
}

func cmp64(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Census counts endpoints by state, with exact peaks.
func (t *Tracker) Census() [NumStates]StateCount { return t.census.counts() }

// Totals may be called at any time between batches.
func (t *Tracker) Totals() Totals { return t.totals }
