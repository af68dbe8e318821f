package tracker

import "tcpstate/capture"

// In a flood, a life that has but one SYN is kept as that SYN, a tenth as large
// as an entry: most come to nothing. When anything else of its tuple comes, or
// the SYN's repeat does not, the SYN is applied once more, to an entry, without
// a word to anybody: all was said when it came.

// embryo is a life of one SYN.
type embryo struct {
	id     uint64
	time   int64
	frame  uint64
	name   name
	held   heldBrief // it counts as an attempt
	seq    uint32
	tsVal  uint32
	tsEcr  uint32
	ack    uint32
	window uint16
	ipID   uint16
	mss    uint16
	vlan   uint16
	hdrLen uint16
	flags  uint8
	opts   uint8
	wScale uint8
	ttl    uint8
	side   uint8
	mark   uint8
	v6     bool
}

// due is when its repeat is missing; 0 of none.
func (x *embryo) due() int64 {
	if x.frame == 0 {
		return 0
	}
	return x.time + late(second)
}

// conceives reports whether a segment of an unknown tuple can be kept as an embryo.
func (t *Tracker) conceives(s *capture.Segment) bool {
	return s.Flags&^(capture.ECE|capture.CWR) == capture.SYN && s.Len == 0 && !s.Key.Self() && t.obs.Step == nil &&
		s.Mark&(capture.Unselected|capture.BadChecksum|capture.Quoted|capture.Cut) == 0
}

// conceive begins a life with its SYN.
func (t *Tracker) conceive(s *capture.Segment) {
	id := t.number(s)
	t.totals.Lives++
	t.totals.Segments++
	t.begin(s.Frame)
	var h held
	if t.draws {
		h = t.attempt(s, id)
	} else {
		h = t.attemptInFull(s, id)
	}
	i := t.table.embryos.take()
	x := t.table.embryos.at(i)
	x.id, x.time, x.frame, x.name = id, s.Time, s.Frame, t.table.named(&s.Key)
	x.held, x.seq, x.tsVal, x.tsEcr, x.ack = h.heldBrief, s.Seq, s.TSVal, s.TSEcr, s.Ack
	x.window, x.ipID, x.mss, x.vlan, x.hdrLen = s.Window, s.IPID, s.MSS, s.VLAN, s.HdrLen
	x.flags, x.opts, x.wScale, x.ttl, x.side, x.mark, x.v6 = s.Flags, s.Opts, s.WScale, s.TTL, s.Side, s.Mark, s.Key.V6
	r := kindEmbryo | (i + 1)
	t.table.insert(s.Hash, r)
	due := x.due()
	if !t.brood.add(due, expected{id, r, s.Hash}) {
		t.alarms.add(due, id, r)
	}
	t.nextAlarm = min(t.nextAlarm, due)
}

// attempt counts a life that begins with its SYN as Conn.apply would.
func (t *Tracker) attempt(s *capture.Segment, id uint64) (h held) {
	t.census.add(Closed, Presumed, s.Time)
	t.census.add(Closed, Presumed, s.Time)
	t.census.move(Closed, Presumed, SynSent, Confirmed, s.Time)
	x := subject{key: s.Key, first: s.Frame, client: s.Side, syn: true}
	t.usage.change(&x, &h, moment{time: s.Time, where: s.Frame, life: lifeID(id, 0)}, inAttempts)
	return h
}

// attemptInFull applies the SYN to an entry, which is forgotten again.
func (t *Tracker) attemptInFull(s *capture.Segment, id uint64) held {
	e := &t.scratch
	*e = entry{}
	c := &e.conn
	c.Key, c.id, c.continues = s.Key, id, -1
	e.stream, e.whole = OpenStream(s), OpenCompleteness(s)
	t.enlist(c, s)
	c.apply(&t.k, s)
	t.transitions()
	t.usage.follow(c, &e.held, &t.k)
	return e.held
}

// synOf is the SYN of an embryo.
func (t *Tracker) synOf(x *embryo, hash uint32) capture.Segment {
	return capture.Segment{Time: x.time, Frame: x.frame, Key: t.table.key(&x.name, x.v6), Side: x.side, Flags: x.flags, Hash: hash,
		Seq: x.seq, Ack: x.ack, TSVal: x.tsVal, TSEcr: x.tsEcr, Window: x.window, IPID: x.ipID, MSS: x.mss, VLAN: x.vlan, HdrLen: x.hdrLen,
		WScale: x.wScale, Opts: x.opts, TTL: x.ttl, Mark: x.mark}
}

// bear makes an entry of an embryo, and returns its slot.
func (t *Tracker) bear(r ref, hash uint32) uint32 {
	t.room()
	x := t.table.embryos.at(r&indexMask - 1)
	slot := t.gestate(x, hash)
	e := t.table.at(slot)
	e.queued = e.conn.due()
	t.table.move(hash, r, slot+1)
	t.alarms.add(e.queued, e.conn.id, slot+1)
	t.nextAlarm = min(t.nextAlarm, e.queued)
	if x.v6 {
		t.table.wide.put(x.name.a)
	}
	t.table.embryos.put(r&indexMask - 1)
	return slot
}

// gestate fills an entry, which the table does not know yet, with what an embryo
// would be.
func (t *Tracker) gestate(x *embryo, hash uint32) uint32 {
	slot := t.table.entries.take()
	e := t.table.at(slot)
	s := t.synOf(x, hash)
	c := &e.conn
	e.hash, c.Key, c.id, c.continues = hash, s.Key, x.id, -1
	e.stream, e.whole = OpenStream(&s), OpenCompleteness(&s)
	k := sink{cfg: &t.cfg}
	var was prior
	if t.obs.Case != nil {
		was = c.prior(&s)
	}
	class := c.apply(&k, &s)
	if t.obs.Case != nil {
		t.write(t.books.at(slot), c, &s, class, &was)
	}
	if t.obs.Zeek {
		e.zeek.apply(&s, &t.spill)
	}
	e.held = held{x.held, uint32(s.Frame)}
	return slot
}

// release gives back an entry that is not in the table.
func (t *Tracker) release(slot uint32) {
	if t.obs.Case != nil {
		t.books.at(slot).forget(&t.trails)
	}
	t.table.at(slot).zeek.release(&t.spill)
	t.table.entries.put(slot)
}

// expireEmbryo ends an embryo whose SYN was not repeated: it is told of, and
// folded.
func (t *Tracker) expireEmbryo(r ref, hash uint32, due int64) {
	if t.unanswered(r, hash, due) {
		return
	}
	if !t.flooded {
		if at := t.hatch(r, hash); at != 0 {
			t.ring(at, due)
			return
		}
	}
	x := *t.table.embryos.at(r&indexMask - 1)
	slot := t.bear(r, hash)
	e := t.table.at(slot)
	e.queued = 0
	e.conn.expire(&t.k, due)
	if !t.flooded {
		t.after(e, slot)
		return
	}
	t.transitions()
	e.conn.mode |= ended
	e.endAt, e.endFr = due, 0
	t.usage.follow(&e.conn, &e.held, &t.k)
	t.hush(e, &x)
	if !t.fold(e, slot) {
		t.after(e, slot)
	}
}

// transitions tells what the segment or timer in hand did.
func (t *Tracker) transitions() {
	if t.obs.Transition != nil {
		for i := range t.k.changes {
			t.obs.Transition(&t.k.changes[i])
		}
	}
}
