package tracker

import (
	"tcpstate/capture"
	"tcpstate/reassembly"
)

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
	switch {
	case t.log != nil && t.of == 1:
		t.leaveDrawn(k)
	case t.obs.Case != nil || t.obs.Life != nil:
		if t.account(k) {
			t.tellSketch(k, t.obs)
		} else {
			t.recount(k, t.obs)
		}
	}
	if t.table.shapes.all[shape].stub {
		t.table.move(k.hash, r, t.stub(stub{uint64(shape)<<idBits | k.id, k.name, k.iss[k.side()]}, k.last))
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

// recount tells o of a life with its trail: k is replayed, and its events go on a page as
// those of a notebook would.
func (t *Tracker) recount(k *sketch, o Observer) {
	e := &t.scratch
	*e = entry{}
	var n notebook
	g := &t.trails.page
	g.of, g.course, g.n = nil, course{}, 0
	g.recent, g.data = [2]int8{-1, -1}, [2]int8{-1, -1}
	noted, before := -1, k.begun
	t.replay(e, k, func(c *Conn, s *capture.Segment, class reassembly.Class, was *prior) {
		x := &g.events[g.n]
		sign, _, opening, goesOn := x.fill(c, n.marks, s, class, was)
		if gap := s.Time - before; gap >= ms {
			x.Idle = uint32(gap / ms)
		}
		before = s.Time
		n.signs |= sign
		noted = g.take(n.judge(x, opening || goesOn), noted)
	})
	t.last = t.life(e)
	if o.Case != nil {
		was := t.obs.Case
		t.obs.Case = o.Case
		t.tellCase(&t.last, &e.conn, n.signs, false, nil, g)
		t.obs.Case = was
	}
	if o.Life != nil {
		o.Life(&t.last)
	}
	e.zeek.release(&t.spill)
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
	l.ID, l.Key, l.Client = k.id, t.table.key(&k.name, k.bits&sketchV6 != 0), cl
	l.Start, l.End, l.FirstFrame, l.LastFrame, l.VLAN = k.begun, k.last, k.frame, k.lastFrame, k.vlan
	l.CloseAt, l.DoneAt, l.HandshakeRTT = k.finFrame, 0, -1
	if o.byRst {
		l.CloseAt = k.lastFrame
	}
	c.Life, c.Now, c.Ends, c.Idle, c.IdleFrames, c.FinAt = l, t.now, [2]Account{}, 0, [2]uint64{}, k.finAt
	var speaker *Account
	var pending [2]struct { // whose acknowledgment by an end is awaited, see Endpoint.await
		at  int64
		end uint32
	}
	var resets [2]uint64
	now, frame, nxt, fins := k.begun, k.frame, k.iss, 0
	leaf := k.strokes[:]
	for i, j, more := 0, 0, k.more; i < int(k.n); i, j = i+1, j+1 {
		if j == len(leaf) {
			m := t.table.sketches.more.at(more - 1)
			leaf, more, j = m.s[:], m.next, 0
		}
		p := &leaf[j]
		x := uint8(p.frame & strokeSide)
		role := x ^ cl
		a := &c.Ends[role]
		if gap := p.since(); gap > 0 {
			if gap > c.Idle {
				c.Idle, c.IdleFrames = gap, [2]uint64{frame, frame + uint64(p.frame>>strokeFrames)}
			}
			now += gap
		}
		frame += uint64(p.frame >> strokeFrames)
		a.Segments++
		a.LastAt, a.LastFrame = now, frame
		if p.frame&strokeRst != 0 {
			resets[role]++
			continue
		}
		if p.frame&strokeTS != 0 {
			if ts := k.stamp[x] + uint32(p.tsVal); !a.HasTS || int32(ts-a.MaxTSVal) > 0 {
				a.MaxTSVal, a.HasTS = ts, true
			}
		}
		fin := p.frame / strokeFin & 1
		end := nxt[x] + uint32(p.len) + fin
		if i < 2 {
			a.SynOpts, a.SynTSVal = k.opts[x], k.stamp[x]
			if end++; i == 0 {
				nxt[x] = end
				continue
			}
			l.AnsweredAt = now
		} else if a.SpokeFrame == 0 {
			a.SpokeAt, a.SpokeFrame = now, frame
			if role == Client { // it completes the handshake
				if l.DoneAt = now; now > k.begun {
					l.HandshakeRTT = now - k.begun
				}
			}
		}
		if q := &pending[role]; q.at != 0 && int32(nxt[x^1]-uint32(p.lag)-q.end) >= 0 {
			if d := now - q.at; d > 0 && (a.RTT == 0 || d < a.RTT) {
				a.RTT = d
			}
			q.at = 0
		}
		if end != nxt[x] {
			if q := &pending[role^1]; q.at == 0 {
				q.at, q.end = now, end
			}
			nxt[x] = end
		}
		if p.len > 0 {
			l.Ends[role].Bytes += uint64(p.len)
			a.DataSegments++
			if a.FirstDataAt == 0 {
				a.FirstDataAt = now
			}
			a.LastDataAt, a.LastDataFrame = now, frame
			if speaker != a {
				speaker = a
				a.Turns++
			}
		}
		if fin != 0 {
			if fins++; fins == 2 {
				l.HalfClosedFor = now - k.finAt
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
	c.Signs = o.signs | opening(&c.Ends) | closing(&c.Ends, l.HalfClosedFor, k.finAt, k.finFrame, o.crossed)
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
