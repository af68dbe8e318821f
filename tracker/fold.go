package tracker

import (
	"tcpstate/capture"
	"tcpstate/reassembly"
)

// queueFold sees to it that an entry is looked at when it may be folded.
func (t *Tracker) queueFold(e *entry, slot uint32) {
	if e.foldAt == 0 && e.conn.settled() {
		e.foldAt = t.foldFrame(&e.conn)
		t.folds.add(e.foldAt, e.conn.id, slot+1)
	}
}

// foldFrame is the frame from which on a life that is over, if it stays quiet,
// is to be folded.
func (t *Tracker) foldFrame(c *Conn) int64 {
	return int64(c.lastFrame + t.foldAfter(c.waits(), c.unheard()))
}

// waits reports that nothing but timers ended the life, so that it may well go on;
// unheard, that it is a SYN that ran out.
func (c *Conn) waits() bool {
	return c.notes.firstFin == 0 && c.notes.lastClass == NoReset && (c.ends[0].has | c.ends[1].has).any(timedOut|cookie)
}

func (c *Conn) unheard() bool {
	return c.at(c.client).is(timedOut) && c.at(c.client^1).count.packets == 0
}

// foldAfter is how many frames after its latest one a life is folded.
func (t *Tracker) foldAfter(waits, unheard bool) uint64 {
	switch {
	case t.bound.tight, unheard && t.flooded:
		return t.cfg.Fold / 8
	case waits:
		return t.cfg.Fold * 16
	}
	return t.cfg.Fold
}

// foldDue folds what is due at a frame. It does so once in a while (of
// frames), in the order in which the lives ended.
func (t *Tracker) foldDue(frame uint64) {
	t.flooded = 2*t.opening > t.passing && 8*t.answers < t.opening
	t.opening, t.answers, t.passing = 0, 0, 0
	t.folds.turn(int64(frame), func(r ref) (int64, uint64, bool) {
		if r&kindMask == kindSketch {
			k := t.table.sketches.at(r&indexMask - 1)
			return k.foldAt, k.id, k.foldAt != 0
		}
		e := t.table.at(r - 1)
		return e.foldAt, e.conn.id, e.foldAt != 0
	})
	q := &t.folds.now
	due := t.due[:0]
	for len(*q) > 0 { // what is added on the way waits for the next time
		due = append(due, q.pop())
	}
	t.due = due
	for i, a := range due {
		if i%ahead == 0 {
			t.fetch(due[i:min(i+ahead, len(due))])
			if i%partItems == 0 && t.part != nil {
				t.part()
			}
		}
		t.instant.phase, t.instant.at, t.instant.id = folding, a.due, a.id
		if a.ref&kindMask == kindSketch {
			k := t.table.sketches.at(a.ref&indexMask - 1)
			if k.foldAt != a.due {
				continue
			}
			k.foldAt = 0
			st := t.stages.all[k.stage]
			if !st.settled {
				continue
			}
			if at := t.notYet(t.sketchFold(k, st), frame, k.lastFrame, k.last); at != 0 {
				k.foldAt = at
				t.folds.add(at, k.id, a.ref)
				continue
			}
			t.settle(a.ref)
			continue
		}
		slot := a.ref - 1
		e := t.table.at(slot)
		if e.foldAt != a.due {
			continue
		}
		e.foldAt = 0
		if !e.conn.settled() {
			continue
		}
		if at := t.notYet(t.foldFrame(&e.conn), frame, e.conn.lastFrame, e.conn.last); at != 0 {
			e.foldAt = at
			t.folds.add(at, e.conn.id, slot+1)
			continue
		}
		t.fold(e, slot)
	}
	t.makeRoom()
	t.foldNext = (frame>>t.folds.shift + 1) << t.folds.shift
}

// notYet is the frame at which a life has to be looked at again that was to be folded at
// the frame at; 0 if it is to be folded now. Its latest segment had the frame and time last.
func (t *Tracker) notYet(at int64, frame, lastFrame uint64, last int64) int64 {
	if t.now-last < foldQuiet && !t.flooded && !t.bound.tight {
		at = max(at, int64(min(frame+t.cfg.Fold/2, lastFrame+8*t.cfg.Fold)))
	}
	if t.folds.day(at) > t.folds.today {
		return at
	}
	return 0
}

// fetch touches what folding lives touches: they have been quiet for long, and
// what is known of them lies far away.
func (t *Tracker) fetch(due []alarm) {
	for _, a := range due {
		if a.ref&kindMask == kindSketch {
			t.touched += t.table.sketches.touchAll(a.ref&indexMask - 1)
			continue
		}
		t.touched += t.table.touchAll(a.ref)
		if t.obs.Case != nil {
			t.touched += uint64(t.books.at(a.ref - 1).head)
		}
	}
	for _, a := range due {
		switch {
		case a.ref&kindMask == kindSketch:
			k := t.table.sketches.at(a.ref&indexMask - 1)
			t.touched += uint64(t.table.near(k.hash))
			if k.more != 0 {
				t.touched += uint64(t.table.sketches.more.at(k.more - 1).s[0].gap)
			}
		case t.obs.Case != nil:
			t.touched += t.books.at(a.ref - 1).touch(&t.trails)
		}
	}
}

// fold tells of a life and leaves a residue of it. It reports whether it could.
func (t *Tracker) fold(e *entry, slot uint32) bool {
	c := &e.conn
	x := e.foldShape()
	i, ok := t.table.shapes.find(&x)
	if !ok || c.id > idMask {
		return false
	}
	c.mode |= folded
	t.report(e, slot)
	who := uint64(i)<<idBits | c.id
	n := t.table.named(&c.Key)
	var r ref
	if x.stub {
		r = t.stub(stub{who, n, e.stream.base[x.side]}, c.last)
	} else {
		k := t.table.residues.take()
		s := t.table.residues.at(k)
		*s = residue{who: who, at: c.last, base: e.stream.base, name: n, held: e.held.heldBrief,
			nxt: [2]uint32{uint32(c.ends[0].sp.Nxt), uint32(c.ends[1].sp.Nxt)}}
		r = kindResidue | (k + 1)
		if x.holder < 2 {
			s.at = c.ends[x.holder].due
			t.alarms.add(s.at, c.id, r)
			t.nextAlarm = min(t.nextAlarm, s.at)
		}
	}
	t.table.move(e.hash, slot+1, r)
	if t.obs.Step != nil {
		t.elapsed[c.id] = append(t.elapsed[c.id], t.timers[slot]...)
		delete(t.timers, slot)
	}
	t.release(slot)
	return true
}

// foldShape is the shape that it is folded to.
func (e *entry) foldShape() shape {
	c := &e.conn
	x := e.shape()
	if x.mode |= folded; x.mode&begun != 0 {
		x.mode |= reported
	}
	if kind, who, _ := c.closing(); who == Nobody && c.notes.class == NoReset && c.mode&(begun|reported) == begun {
		x.mode |= unfinished
		x.was = toldOf{kind, [2]State{c.at(c.client).state(), c.at(c.client ^ 1).state()}}
	}
	return x
}

// unfold makes an entry of what was folded at r, and returns its slot.
func (t *Tracker) unfold(r ref, k *capture.Key, hash uint32, frame uint64) uint32 {
	t.room()
	slot := t.table.entries.take()
	e := t.table.at(slot)
	e.hash = hash
	t.restore(e, r, k)
	t.table.move(hash, r, slot+1)
	t.drop(r)
	if d := e.conn.due(); d != 0 {
		e.queued = d
		t.alarms.add(d, e.conn.id, slot+1)
		t.nextAlarm = min(t.nextAlarm, d)
	}
	e.conn.lastFrame = frame
	t.queueFold(e, slot)
	return slot
}

// drop gives back what a folded life took.
func (t *Tracker) drop(r ref) {
	i := r&indexMask - 1
	if r&kindMask == kindStub {
		s := t.table.stubs.at(i)
		if t.table.shapes.all[s.who>>idBits].v6 {
			t.table.wide.put(s.name.a)
		}
		t.table.stubs.put(i)
		return
	}
	s := t.table.residues.at(i)
	if t.table.shapes.all[s.who>>idBits].v6 {
		t.table.wide.put(s.name.a)
	}
	t.table.residues.put(i)
}

// restore fills an entry from what was folded at r.
func (t *Tracker) restore(e *entry, r ref, k *capture.Key) {
	var s residue
	if r&kindMask == kindStub {
		b := t.table.stubs.at(r&indexMask - 1)
		side := t.table.shapes.all[b.who>>idBits].side
		s.who = b.who
		s.base[side], s.nxt[side] = b.base, b.base+1
	} else {
		s = *t.table.residues.at(r&indexMask - 1)
	}
	x := &t.table.shapes.all[s.who>>idBits]
	c := &e.conn
	c.Key, c.id, c.continues, c.incarnation = *k, s.who&idMask, -1, x.incarnation
	c.mode, c.client, c.roles, c.was = x.mode, x.client, x.roles, x.was
	e.whole, e.stream = x.whole, StreamBase{s.base, x.known}
	e.held = held{heldBrief: s.held}
	end := s.at
	if x.holder < 2 {
		end -= int64(t.cfg.TimeWait)
	}
	c.start, c.last = end, end
	e.endAt = end
	for i := range c.ends {
		c.ends[i].restore(&x.ends[i], reassembly.Seq(s.base[i]), reassembly.Seq(s.nxt[i]), end)
		if x.ends[i].acked {
			c.ends[i].acks[0], c.ends[i].ackAt[0] = reassembly.Seq(s.nxt[i^1]), end
		}
	}
	if x.holder < 2 {
		c.ends[x.holder].arm(timerTimeWait, s.at)
	}
}

// restore fills an endpoint of a life that ended at the time end.
func (e *Endpoint) restore(x *endShape, base, nxt reassembly.Seq, end int64) {
	e.path, e.depth, e.deaf, e.has = x.path, x.depth, x.deaf, x.has
	if !x.known {
		return
	}
	if x.iss {
		e.sp.Open(base, 0)
		e.sp.Nxt, e.sp.Edge = nxt, nxt
	} else {
		e.sp.Adopt(nxt)
	}
	e.sp.HasUna, e.sp.HasFin = x.una, x.fin
	if x.una && !x.unacked {
		e.sp.Una = nxt
	}
	if x.fin {
		e.sp.Fin = nxt - 1
	}
	e.lastAt, e.synAt, e.finAt, e.finLast, e.finAckAt, e.closedAt, e.twSince, e.firstData = end, end, end, end, end, end, end, end
	if !e.is(sentData) {
		e.firstData = 0
	}
	if !e.is(finHeard) {
		e.finAckAt = 0
	}
}

// expireFolded fires the TIME-WAIT of a folded life.
func (t *Tracker) expireFolded(r ref, due int64) {
	s := t.table.residues.at(r&indexMask - 1)
	x := &t.table.shapes.all[s.who>>idBits]
	k := t.table.key(&s.name, x.v6)
	e := &t.scratch
	*e = entry{}
	t.restore(e, r, &k)
	e.conn.expire(&t.k, due)
	t.transitions()
	if t.obs.Step != nil {
		t.elapsed[e.conn.id] = append(t.elapsed[e.conn.id], t.k.changes...)
	}
	t.usage.follow(&e.conn, &e.held, &t.k)
	if e.conn.over() {
		e.conn.mode |= ended
	}
	y := e.shape()
	y.stub = false
	if i, ok := t.table.shapes.find(&y); ok {
		s.who = uint64(i)<<idBits | s.who&idMask
		s.at, s.held = due, e.held.heldBrief
	}
}
