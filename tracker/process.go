package tracker

import (
	"slices"

	"tcpstate/capture"
)

// alarmShift makes a day of the alarms 8 ms long: few are due on one, so that they are
// soon put in order.
const alarmShift = 23

// Process applies the segments of b in order.
func (t *Tracker) Process(b *capture.Batch) {
	t.quotes = b.Quotes
	for i := range b.Segments {
		if i%ahead == 0 && t.obs.Only == nil {
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
		if t.of > 1 && !t.mine(s.Hash) || t.obs.Only != nil && !t.obs.Only(s) {
			continue
		}
		t.instant.phase = arriving
		t.segment(s, t.hints[i%ahead])
	}
	if b.Now > t.now && b.Now != 0 {
		t.now = b.Now
		t.instant.pos = uint32(len(b.Segments))
		t.advance(b.Now)
		t.usage.clock = b.Now
	}
	if t.log == nil && t.usage.full() {
		t.count()
	}
	if t.cfg.Forget > 0 {
		t.forgetOld()
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
// then the lives that these name. It notes where these are: that is right unless
// something moves before the segment's turn comes, which table.is tells.
func (t *Tracker) prefetch(segs []capture.Segment) {
	for i := range segs {
		if h := segs[i].Hash; t.of <= 1 || t.mine(h) {
			t.touched += uint64(t.table.near(h))
		}
	}
	for i := range segs {
		h := segs[i].Hash
		if t.of > 1 && !t.mine(h) {
			continue
		}
		r := t.table.probe(h)
		t.hints[i] = r
		switch r & kindMask {
		case kindSketch:
			t.touched += t.table.sketches.touch(r&indexMask - 1)
		case kindEntry:
			if r != 0 {
				t.touched += t.table.touch(r)
				if t.obs.Case != nil {
					t.touched += uint64(t.books.at(r - 1).head)
				}
			}
		case kindParcel:
			t.hints[i] = 0
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
			break
		}
		t.answers++
		if s.Mark&(capture.Unselected|capture.BadChecksum|capture.Quoted) == 0 {
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
	for rung := 1; ; rung++ {
		if rung%(1<<foldSpare) == 0 {
			t.makeRoom() // what rings may take more room than it did
		}
		if rung%partItems == 0 && t.part != nil {
			t.part()
		}
		rings := len(*q) > 0 && (*q)[0].due <= now
		if t.brood.due <= now && (!rings || t.brood.before(&(*q)[0])) {
			t.runOut()
			continue
		}
		if !rings {
			break
		}
		a := q.pop()
		if at, _, ok := t.dueOf(a.ref); !ok || at != a.due {
			continue // a later alarm took its place
		}
		t.begin(0)
		t.k.now = a.due
		t.instant.phase, t.instant.at, t.instant.id = ringing, a.due, a.id
		switch a.ref & kindMask {
		case kindEmbryo:
			x := t.table.embryos.at(a.ref&indexMask - 1)
			k := t.table.key(&x.name, x.v6)
			t.expireEmbryo(a.ref, k.Hash(), a.due)
			continue
		case kindResidue:
			t.expireFolded(a.ref, a.due)
			continue
		case kindSketch:
			t.ring(a.ref, a.due)
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
	t.nextAlarm = t.nextDue()
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
	case kindSketch:
		k := t.table.sketches.at(r&indexMask - 1)
		return k.queued, k.id, k.queued != 0
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
