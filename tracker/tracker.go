package tracker

import (
	"cmp"
	"maps"
	"math"
	"math/bits"
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
	now    int64 // the latest time seen
	ports  answering
	spill  zeekSpill
	quotes []capture.Quote // of the batch in hand
	books  books
	trails trails
	told   Case // reused
	// Only for Observer.Step: what elapsed since the last step, by slot, and of
	// folded lives, by id.
	timers  map[uint32][]Transition
	elapsed map[uint64][]Transition

	nextAlarm int64   // before it no alarm is due
	folds     alarms  // of entries, by frame
	due       []alarm // lives to fold, reused
	foldNext  uint64  // the next frame at which to fold
	opening   uint32  // SYNs since the last time
	passing   uint32  // segments since then
	flooded   bool    // most segments of late were SYNs
	scratch   entry
	bound     bound
	paper     []byte         // for packing
	shelves   pool[notebook] // of parcels
	touched   uint64         // keeps what prefetch reads from being left out

	// Of one worker of several (shard.go).
	index, of uint32
	log       *transcript // of the batch in hand
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
	Evicted  uint64                  // lives that gave way for want of room: told of before their end, forgotten after it, or without a Case
}

// New makes a tracker that reports to obs.
func New(cfg Config, obs Observer) *Tracker {
	t := &Tracker{cfg: cfg, obs: obs, ports: answering{}, now: math.MinInt64}
	t.k.census = &t.census
	t.k.cfg = &t.cfg
	t.k.keep = obs.Transition != nil || obs.Step != nil
	if obs.Step != nil {
		t.timers, t.elapsed = map[uint32][]Transition{}, map[uint64][]Transition{}
	}
	t.trails.trailFor = obs.Trails
	t.alarms.shift = alarmShift
	t.folds.shift = uint(max(0, bits.Len64(cfg.Fold)-6))
	t.nextAlarm, t.foldNext = math.MinInt64, 1<<t.folds.shift
	t.folds.today = t.folds.day(0)
	t.bound.set(&cfg, 1)
	return t
}

// alarmShift makes a day of the alarms 67 ms long.
const alarmShift = 26

// sparseFrom is how many connections without one plain segment show that a
// filter kept nothing but SYN, FIN and RST (states.md, per direction).
const sparseFrom = 20

// Process applies the segments of b in order.
func (t *Tracker) Process(b *capture.Batch) {
	t.quotes = b.Quotes
	for i := range b.Segments {
		if i%ahead == 0 {
			t.prefetch(b.Segments[i:min(i+ahead, len(b.Segments))])
		}
		s := &b.Segments[i]
		t.instant.pos = uint32(i)
		if s.Frame >= t.foldNext {
			t.foldDue(s.Frame)
		}
		if s.Time > t.now {
			t.now = s.Time
			t.advance(s.Time)
			t.usage.clock = s.Time
		}
		t.watch(s)
		if t.of > 1 && !t.mine(s.Hash) {
			continue
		}
		t.instant.phase = arriving
		t.segment(s)
	}
	if b.Now > t.now && b.Now != 0 {
		t.now = b.Now
		t.instant.pos = uint32(len(b.Segments))
		t.advance(b.Now)
		t.usage.clock = b.Now
	}
	if t.of <= 1 {
		t.count()
	}
}

// count applies what connections came to hold.
func (t *Tracker) count() {
	t.counts.apply(&t.usage.log)
	t.usage.log.empty()
}

// ahead is for how many segments at a time the memory is fetched that they will
// touch: so many that their waits for it overlap, so few that it is still there
// when their turn comes.
const ahead = 32

// prefetch touches what the segments will touch: first the cells of the table,
// then the entries that these name.
func (t *Tracker) prefetch(segs []capture.Segment) {
	var at [ahead]ref
	n := 0
	for i := range segs {
		if h := segs[i].Hash; t.of <= 1 || t.mine(h) {
			at[n] = t.table.near(h)
			n++
		}
	}
	for _, r := range at[:n] {
		if r == 0 || r&kindMask != kindEntry {
			continue
		}
		t.touched += t.table.touch(r)
		if t.obs.Case != nil {
			t.touched += uint64(t.books.at(r - 1).head)
		}
	}
}

// watch learns from a segment, whoever's it is, what the capture as a whole
// shows.
func (t *Tracker) watch(s *capture.Segment) {
	t.passing++
	switch s.Flags & (capture.SYN | capture.FIN | capture.RST) {
	case 0:
		if t.plain {
			return
		}
		if s.Mark&(capture.Unselected|capture.BadChecksum|capture.Quoted) != 0 {
			return
		}
		t.plain = true
	case capture.SYN:
		if s.Flags&capture.ACK == 0 {
			t.opening++
		} else if s.Mark&(capture.Unselected|capture.BadChecksum|capture.Quoted) == 0 {
			t.ports.add(s)
		}
	}
	if !t.plain && t.begun < sparseFrom && s.Mark&(capture.Unselected|capture.BadChecksum|capture.Quoted) == 0 &&
		!slices.Contains(t.first[:t.begun], s.Key) {
		t.first[t.begun] = s.Key
		t.begun++
	}
}

// advance fires the timers that are due at or before now.
func (t *Tracker) advance(now int64) {
	if now < t.nextAlarm {
		return
	}
	t.alarms.turn(now, t.dueOf)
	q := &t.alarms.now
	for len(*q) > 0 && (*q)[0].due <= now {
		a := q.pop()
		if at, _, ok := t.dueOf(a.ref); !ok || at != a.due {
			continue // a later alarm took its place
		}
		t.begin(0)
		t.k.now = a.due
		t.instant.phase, t.instant.at, t.instant.id = ringing, a.due, a.id
		switch a.ref & kindMask {
		case kindEmbryo:
			t.expireEmbryo(a.ref, a.due)
			continue
		case kindResidue:
			t.expireFolded(a.ref, a.due)
			continue
		}
		slot := a.ref - 1
		if a.ref&kindMask == kindParcel {
			slot = t.unpack(a.ref)
		}
		e := t.table.at(slot)
		e.queued = 0
		e.conn.expire(&t.k, a.due)
		if t.obs.Step != nil && len(t.k.changes) > 0 {
			t.timers[slot] = append(t.timers[slot], t.k.changes...)
		}
		t.after(e, slot)
	}
	t.nextAlarm = t.alarms.next()
}

// dueOf tells when an alarm of r is due, and the id of its life.
func (t *Tracker) dueOf(r ref) (at int64, id uint64, ok bool) {
	switch r & kindMask {
	case kindEntry:
		e := t.table.at(r - 1)
		return e.queued, e.conn.id, e.queued != 0
	case kindEmbryo:
		s := t.table.embryos.at(r&indexMask - 1)
		return s.due(), s.id, s.due() != 0
	case kindParcel:
		p := t.table.parcels.at(r)
		if p == nil || p.due() == 0 {
			return 0, 0, false
		}
		return p.due(), p.id(), true
	}
	s := t.table.residues.at(r&indexMask - 1)
	return s.at, s.who & idMask, s.who != 0 && t.table.shapes.all[s.who>>idBits].holder < 2
}

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
		if t.of <= 1 && t.usage.full() {
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

// segment numbers one segment and applies it.
func (t *Tracker) segment(s *capture.Segment) {
	at := t.table.find(&s.Key, s.Hash)
	found := at != 0
	if !found && Streamless(s) {
		return
	}
	slot := at - 1
	switch {
	case !found && t.flooded && t.conceives(s):
		t.conceive(s)
		return
	case !found:
		t.room()
		slot = t.table.add(&s.Key, s.Hash)
	case at&kindMask == kindParcel:
		slot = t.unpack(at)
	case at&kindMask == kindEmbryo:
		slot = t.bear(at, s.Hash)
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
	was := c.steps()
	c.quoted(&t.k, s, q)
	if t.obs.Case != nil && c.mode&begun != 0 {
		t.quote(t.books.at(slot), c, s, q, was)
	}
	t.after(e, slot)
}

// number returns the number of the stream that s begins. A worker does not know
// it, and names the stream by the frame.
func (t *Tracker) number(s *capture.Segment) uint64 {
	t.totals.Streams++
	if t.of > 1 {
		t.log.opened = append(t.log.opened, s.Frame)
		return s.Frame
	}
	return t.totals.Streams - 1
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
func (t *Tracker) renumber(e *entry, slot uint32, s *capture.Segment) {
	old := e.conn
	t.report(e, slot)
	n := Conn{Key: old.Key, continues: -1, id: t.number(s), ends: old.ends}
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

// report tells of a life that is over. What is written down of it is forgotten,
// but for what may become context, unless the life is about to be folded.
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
	if t.obs.Case != nil && e.conn.mode&folded == 0 {
		t.books.at(slot).clear(&t.trails)
	}
}

// life says everything of the connection.
func (t *Tracker) life(e *entry) Life {
	l := e.conn.life(&t.cfg)
	l.Completeness = e.whole.Value()
	if t.obs.Zeek {
		l.ZeekState, l.ZeekHistory = e.zeek.state(&t.spill), e.zeek.hist(&t.spill)
	}
	return l
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

// Finish ends the capture at its last packet's time: lives that are over are
// reported by when they ended, then those still open by id; all cases come before
// all lives. The tracker is
// then spent.
func (t *Tracker) Finish() {
	order := t.left(nil, 0)
	sortLeft(order)
	for _, x := range order {
		t.tellLeft(x, true, t.obs)
	}
	if t.obs.Cases != nil {
		t.obs.Cases()
	}
	for _, x := range order {
		t.tellLeft(x, false, t.obs)
	}
}

// leftover is a life that was not reported yet when the capture ended.
type leftover struct {
	endAt  int64 // MaxInt64 if it is not over
	endFr  uint64
	id     uint64
	at     ref
	worker uint32
}

// left appends the lives that are left.
func (t *Tracker) left(all []leftover, worker int) []leftover {
	all = slices.Grow(all, t.table.entries.inUse()+t.table.embryos.inUse()+t.table.parcels.used)
	for slot := range t.table.entries.n {
		e := t.table.at(slot)
		if e.conn.mode&(begun|reported) != begun {
			continue
		}
		x := leftover{math.MaxInt64, 0, e.conn.id, slot + 1, uint32(worker)}
		if e.conn.mode&ended != 0 {
			x.endAt, x.endFr = e.endAt, e.endFr
		}
		all = append(all, x)
	}
	t.table.eachParcel(func(r ref, p parcel) {
		all = append(all, leftover{math.MaxInt64, 0, p.id(), r, uint32(worker)})
	})
	for i := range t.table.embryos.n {
		if x := t.table.embryos.at(i); x.frame != 0 {
			all = append(all, leftover{math.MaxInt64, 0, x.id, kindEmbryo | (i + 1), uint32(worker)})
		}
	}
	return all
}

// tellLeft tells o of a life that is left: its case, or the life itself. Both
// are worked out twice, for to keep them all would take their memory once more.
func (t *Tracker) tellLeft(x leftover, asCase bool, o Observer) {
	if asCase && o.Case == nil || !asCase && o.Life == nil {
		return
	}
	slot := x.at - 1
	switch x.at & kindMask {
	case kindParcel:
		slot = t.open(x.at)
		defer t.shut(slot)
	case kindEmbryo:
		slot = t.gestate(t.table.embryos.at(x.at&indexMask-1), 0)
		defer t.release(slot)
	}
	e := t.table.at(slot)
	l := t.life(e)
	if asCase {
		t.obs.Case = o.Case
		t.tell(&l, e, slot)
	} else {
		o.Life(&l)
	}
}

// sortLeft puts them in the order of their reports.
func sortLeft(all []leftover) {
	slices.SortFunc(all, func(a, b leftover) int {
		return cmp.Or(cmp.Compare(a.endAt, b.endAt), cmp.Compare(a.endFr, b.endFr), cmp.Compare(a.id, b.id))
	})
}

// Census counts endpoints by state, with exact peaks.
func (t *Tracker) Census() [NumStates]StateCount { return t.census.counts() }

// Totals may be called at any time between batches.
func (t *Tracker) Totals() Totals { return t.totals }
