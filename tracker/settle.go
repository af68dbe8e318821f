package tracker

import "tcpstate/capture"

// outline is what all lives that end in a stage have in common. It is made of the
// first of them, which is replayed.
type outline struct {
	known   bool
	life    Life
	signs   Sign
	spoke   [2]bool // client, server
	crossed bool
	byRst   bool         // what closed it is the RST
	shape   [2][4]uint32 // of its residue: by whether it is IPv6, and which sides have something unacknowledged
}

// settle tells of the sketch at r, which is over, and leaves a residue of it. It
// reports whether it could.
func (t *Tracker) settle(r ref) bool {
	k := t.table.sketches.at(r&indexMask - 1)
	st := t.stages.all[k.stage]
	shape := t.sketchShape(k, st)
	if shape == 0 || k.id > idMask {
		return false
	}
	if t.obs.Case != nil || t.obs.Life != nil {
		if t.account(k) {
			t.tellSketch(k, t.obs)
		} else {
			slot := t.full(k)
			t.report(t.table.at(slot), slot)
			t.release(slot)
		}
	}
	if t.table.shapes.all[shape].stub {
		i := t.table.stubs.take()
		*t.table.stubs.at(i) = stub{uint64(shape)<<idBits | k.id, k.name, k.iss[k.side()]}
		t.table.move(k.hash, r, kindStub|(i+1))
		t.table.sketches.drop(r&indexMask - 1)
		return true
	}
	i := t.table.residues.take()
	s := t.table.residues.at(i)
	*s = residue{who: uint64(shape)<<idBits | k.id, at: k.last, base: k.iss, nxt: k.nxt, name: k.name, held: k.held().heldBrief}
	to := kindResidue | (i + 1)
	if t.table.shapes.all[shape].holder < 2 {
		s.at = k.twSince + int64(t.cfg.TimeWait)
		t.alarms.add(s.at, k.id, to)
		t.nextAlarm = min(t.nextAlarm, s.at)
	}
	t.table.move(k.hash, r, to)
	t.table.sketches.drop(r&indexMask - 1) // the addresses are the residue's now
	return true
}

// tellSketch tells o of a life that account has just worked out.
func (t *Tracker) tellSketch(k *sketch, o Observer) {
	l, c := &t.last, &t.told
	if t.obs.Zeek {
		t.zeekOf(k, l)
	}
	if o.Case != nil {
		c.Trail.Events, c.Trail.Quotes, c.Trail.Missing = c.Trail.Events[:0], c.Trail.Quotes[:0], 0
		o.Case(c)
	}
	if o.Life != nil {
		o.Life(l)
	}
}

// sketchShape is the index of the shape that k is folded to; 0 where there is no
// room for it.
func (t *Tracker) sketchShape(k *sketch, st *stage) uint32 {
	o := &st.outline
	v6, un := k.bits&sketchV6, 0
	for x := range k.una {
		if st.una[x] && k.una[x] != k.nxt[x] {
			un |= 1 << x
		}
	}
	if i := o.shape[v6][un]; i != 0 {
		return i
	}
	e := &t.scratch
	*e = entry{}
	t.replay(e, k, nil)
	e.zeek.release(&t.spill)
	x := e.foldShape()
	i, ok := t.table.shapes.find(&x)
	if !ok {
		return 0
	}
	o.shape[v6][un] = i
	return i
}

// outline draws the outline of k's stage, if that was not done.
func (t *Tracker) outline(k *sketch) *outline {
	o := &t.stages.all[k.stage].outline
	if o.known {
		return o
	}
	e := &t.scratch
	*e = entry{}
	t.replay(e, k, nil)
	e.zeek.release(&t.spill)
	c := &e.conn
	o.known = true
	o.life = c.life(&t.cfg)
	o.life.Ends[0].Bytes, o.life.Ends[1].Bytes = 0, 0
	o.life.Completeness = e.whole.Value()
	o.signs = SignLife | c.signs(&o.life)
	o.crossed = c.notes.crossed
	if o.byRst = c.notes.rstAt != 0 && o.life.CloseAt == c.notes.rstFrame; c.notes.lastClass != NoReset {
		o.signs |= SignRst
	}
	o.spoke = [2]bool{c.at(c.client).is(spoke), c.at(c.client ^ 1).is(spoke)}
	return o
}

// account tells in t.last and t.told what the life comes to. It reports whether it
// is told by that: not if its trail is wanted.
func (t *Tracker) account(k *sketch) bool {
	o := t.outline(k)
	l, c := &t.last, &t.told
	cl := k.side()
	*l = o.life
	r := t.trace(k)
	l.ID, l.Key, l.Client = k.id, r.seg.Key, cl
	l.Start, l.End, l.FirstFrame, l.LastFrame, l.VLAN = k.begun, k.last, k.frame, k.lastFrame, k.vlan
	l.CloseAt, l.DoneAt, l.HandshakeRTT = k.finFrame, 0, -1
	if o.byRst {
		l.CloseAt = k.lastFrame
	}
	c.Life, c.Now, c.Ends, c.Idle, c.IdleFrames = l, t.now, [2]Account{}, 0, [2]uint64{}
	var speaker *Account
	var pending [2]struct { // whose acknowledgment by an end is awaited, see Endpoint.await
		at  int64
		end uint32
	}
	var resets [2]uint64
	before, beforeFrame, fins := k.begun, k.frame, 0
	for r.next() {
		s := &r.seg
		i := s.Side ^ cl
		a, e := &c.Ends[i], &l.Ends[i]
		if gap := s.Time - before; gap > c.Idle {
			c.Idle, c.IdleFrames = gap, [2]uint64{beforeFrame, s.Frame}
		}
		before, beforeFrame = s.Time, s.Frame
		a.Segments++
		e.Bytes += uint64(s.Len)
		a.LastAt, a.LastFrame = s.Time, s.Frame
		if s.Flags&capture.RST != 0 {
			resets[i]++
			continue
		}
		if s.Opts&capture.OptTS != 0 && (!a.HasTS || int32(s.TSVal-a.MaxTSVal) > 0) {
			a.MaxTSVal, a.HasTS = s.TSVal, true
		}
		p := &pending[i]
		switch {
		case r.i == 1:
			a.SynOpts, a.SynTSVal = s.Opts, s.TSVal
			continue
		case r.i == 2:
			a.SynOpts, a.SynTSVal = s.Opts, s.TSVal
			l.AnsweredAt = s.Time
		case a.SpokeFrame == 0:
			a.SpokeAt, a.SpokeFrame = s.Time, s.Frame
		}
		if i == Client && l.DoneAt == 0 {
			l.DoneAt = s.Time
			if d := s.Time - k.begun; d > 0 {
				l.HandshakeRTT = d
			}
		}
		if p.at != 0 && int32(s.Ack-p.end) >= 0 {
			if d := s.Time - p.at; d > 0 && (a.RTT == 0 || d < a.RTT) {
				a.RTT = d
			}
			p.at = 0
		}
		if n := s.SeqLen(); n > 0 {
			if q := &pending[i^1]; q.at == 0 {
				q.at, q.end = s.Time, s.Seq+n
			}
		}
		if s.Len > 0 {
			a.DataSegments++
			if a.FirstDataAt == 0 {
				a.FirstDataAt = s.Time
			}
			a.LastDataAt, a.LastDataFrame = s.Time, s.Frame
			if speaker != a {
				speaker = a
				a.Turns++
			}
		}
		if s.Flags&capture.FIN != 0 {
			if fins++; fins == 2 {
				l.HalfClosedFor = s.Time - k.finAt
			}
		}
	}
	if fins == 1 {
		l.HalfClosedFor = k.last - k.finAt
	}
	for i := range l.Ends {
		x := cl ^ uint8(i)
		a, e := &c.Ends[i], &l.Ends[i]
		e.Addr, e.Packets, e.MSS, e.TTL = l.Key.End(x), a.Segments, k.mss[x], k.ttl[x]
		if k.opts[x]&capture.OptWScale != 0 {
			e.WScale = int8(min(k.scale[x], 14))
		}
		a.Spoke = o.spoke[i]
		if n := a.Segments - resets[i]; n > 0 {
			a.TTL, a.TTLSeen = k.ttl[x], uint32(n)
		}
	}
	if l.TimeWaitBy != Nobody {
		l.TimeWaitSince, l.TimeWaitUntil = k.twSince, k.twSince+int64(t.cfg.TimeWait)
	}
	if t.obs.Case == nil {
		return true
	}
	c.Signs = o.signs | opening(&c.Ends) | closing(&c.Ends, l.HalfClosedFor, k.finAt, o.crossed)
	return t.trails.trailFor != 0 && c.Signs&t.trails.trailFor == 0
}

// zeekOf tells how Zeek sees k.
func (t *Tracker) zeekOf(k *sketch, l *Life) {
	var z zeekConn
	for r := t.trace(k); r.next(); {
		z.apply(&r.seg, &t.spill)
	}
	l.ZeekState, l.ZeekHistory = z.state(&t.spill), z.hist(&t.spill)
	z.release(&t.spill)
}
