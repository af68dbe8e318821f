package tracker

import (
	"maps"
	"math"
	"math/bits"
	"slices"

	"tcpstate/capture"
	"tcpstate/reassembly"
)

// Tracker follows all connections of one capture.
type Tracker struct {
	cfg     Config
	obs     Observer
	table   table
	alarms  alarms
	brood   brood
	census  census
	usage   journal
	counts  Usage
	totals  Totals
	k       sink
	now     int64 // the latest time seen
	ports   answering
	spill   zeekSpill
	quotes  []capture.Quote // of the batch in hand
	books   books
	trails  trails
	told    Case // reused, as last
	last    Life
	stages  stages
	silence silence // of those that ran out
	waiting silence // of those that are left when the capture ends
	quiet   Silent  // reused
	draws   bool    // ordinary lives are sketched
	// Only for Observer.Step: what elapsed since the last step, by slot, and of
	// folded lives, by id.
	timers  map[uint32][]Transition
	elapsed map[uint64][]Transition

	nextAlarm int64   // before it no alarm is due
	folds     alarms  // of entries, by frame
	due       []alarm // lives to fold, reused
	foldNext  uint64  // the next frame at which to fold
	opening   uint32  // SYNs since the last time
	answers   uint32  // SYN,ACKs since then
	passing   uint32  // segments since then
	flooded   bool    // most segments of late were SYNs, and next to none was answered
	scratch   entry
	bound     bound
	forgets   forgets
	paper     []byte         // for packing
	shelves   pool[notebook] // of parcels
	touched   uint64         // keeps what prefetch reads from being left out
	hints     [ahead]ref     // see prefetch

	// Of one in a goroutine of its own (shard.go).
	index, of uint32
	log       *transcript // of the batch in hand
	part      func()      // hands over what is in log so far, where that can be told by itself
	instant   instant

	first [sparseFrom]capture.Key // connections, until sparse is decided
	begun int
	plain bool // a segment was seen that is free of SYN, FIN and RST
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
	Folded   uint64                  // connections without a Life of their own, for want of room; not among Lives
	Joined   uint64                  // ranges seen beyond a hole that were joined with the next, for want of room: a hole is hidden
	Untold   uint64                  // events that trails had no room for (Trail.Missing)
	Evicted  uint64                  // lives that gave way for want of room: told of before their end, forgotten after it, or without a Case
}

// New makes a tracker that reports to obs.
func New(cfg Config, obs Observer) *Tracker {
	t := &Tracker{cfg: cfg, obs: obs, now: math.MinInt64}
	t.k.census, t.census.told = &t.census, obs.Moved
	t.k.cfg = &t.cfg
	t.k.keep = obs.Transition != nil || obs.Step != nil
	if obs.Step != nil {
		t.timers, t.elapsed = map[uint32][]Transition{}, map[uint64][]Transition{}
	}
	t.trails.trailFor = obs.Trails
	t.draws = obs.Transition == nil && obs.Step == nil && !cfg.Unsketched
	t.alarms.shift = alarmShift
	t.brood.due = math.MaxInt64
	t.folds.shift = uint(max(0, bits.Len64(cfg.Fold)-6))
	t.nextAlarm, t.foldNext = math.MinInt64, 1<<t.folds.shift
	t.folds.today = t.folds.day(0)
	t.bound.set(&cfg, 1)
	if cfg.Forget > 0 {
		t.forgetful()
	}
	return t
}

// sparseFrom is how many connections without one plain segment show that a
// filter kept nothing but SYN, FIN and RST (states.md, per direction).
const sparseFrom = 20

// begin empties the sink.
func (t *Tracker) begin(frame uint64) {
	t.k.changes, t.k.frame, t.k.moved = t.k.changes[:0], frame, false
	t.k.sparse = !t.plain && t.begun == sparseFrom
}

// after reports what happened and keeps alarms and ends in step.
func (t *Tracker) after(e *entry, slot uint32) {
	c := &e.conn
	t.transitions()
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
		if t.log == nil && t.usage.full() {
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
		t.alarms.add(d, c.id, slot+1)
		t.nextAlarm = min(t.nextAlarm, d)
	}
	t.queueFold(e, slot)
}

// room makes room for another entry, where there are as many as there may be.
func (t *Tracker) room() {
	if t.table.lives() >= t.bound.lives {
		t.evict()
	}
	t.spare()
}

// over reports that both ends are CLOSED, having been something else or never.
func (c *Conn) over() bool {
	return c.mode&begun != 0 && c.ends[0].state() == Closed && c.ends[1].state() == Closed
}

// segment numbers one segment and applies it. Its life is most likely at hint.
func (t *Tracker) segment(s *capture.Segment, hint ref) {
	at := hint
	if hint == 0 || !t.table.is(hint, &s.Key) {
		at = t.table.find(&s.Key, s.Hash)
	}
	if t.cfg.Forget > 0 && t.outlived(at, s.Time) {
		t.forgive(at, s.Hash)
		at = 0
	}
	found := at != 0
	if !found && Streamless(s) {
		return
	}
	slot := at - 1
	switch {
	case !found && t.flooded && t.conceives(s):
		t.conceive(s)
		return
	case !found && t.sketched(s):
		return
	case !found:
		t.room()
		slot = t.table.add(&s.Key, s.Hash)
	case at&kindMask == kindSketch:
		if t.draw(at, s) {
			return
		}
		slot = t.elaborate(at)
	case at&kindMask == kindParcel:
		slot = t.unpack(at)
	case at&kindMask == kindEmbryo:
		if r := t.hatch(at, s.Hash); r != 0 {
			if t.draw(r, s) {
				return
			}
			slot = t.elaborate(r)
		} else {
			slot = t.bear(at, s.Hash)
		}
	case at&kindMask != kindEntry:
		slot = t.unfold(at, &s.Key, s.Hash, s.Frame)
	}
	if Streamless(s) {
		t.quoted(s, slot)
		return
	}
	e := t.table.at(slot)
	c := &e.conn
	quoted := s.Mark&capture.Quoted != 0
	switch {
	case !found:
		e.stream, e.whole = OpenStream(s), OpenCompleteness(s)
		c.id, c.continues = t.number(s), -1
	case e.stream.Starts(s):
		t.renumber(e, slot, s)
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
		if c.mode&begun == 0 {
			c.lastFrame = s.Frame
			t.queueFold(e, slot)
		}
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
	t.begin(s.Frame)
	var step *Step // on the heap, and only where it is asked for
	if t.obs.Step != nil {
		was := c.before(s)
		was.Sparse = t.k.sparse
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
	if t.obs.Zeek {
		e.zeek.apply(s, &t.spill)
	}
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
	var step *Step
	if t.obs.Quote != nil && t.obs.Step != nil && c.mode&begun != 0 {
		now := c.before(s)
		step = &now
	}
	was := c.steps()
	c.quoted(&t.k, s, q)
	if step != nil {
		c.done(step, reassembly.ClassNone, t.k.changes)
		t.obs.Quote(step, q)
	}
	if t.obs.Case != nil && c.mode&begun != 0 {
		t.quote(t.books.at(slot), c, s, q, was)
	}
	t.after(e, slot)
}

// Elapsed returns the timers that ran out on each connection after its last
// segment, by stream number; only with Observer.Step.
func (t *Tracker) Elapsed() map[uint64][]Transition {
	out := maps.Clone(t.elapsed)
	for slot, ts := range t.timers {
		id := t.table.at(slot).conn.id
		out[id] = append(slices.Clip(out[id]), ts...)
	}
	return out
}

// Census counts endpoints by state, with exact peaks.
func (t *Tracker) Census() [NumStates]StateCount { return t.census.counts() }

// Totals may be called at any time between batches.
func (t *Tracker) Totals() Totals {
	n := t.totals
	n.Joined, n.Untold = t.k.joined, t.trails.missing
	return n
}
