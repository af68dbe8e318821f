package tracker

import "tcpstate/capture"

// Whether a segment is ordinary is decided by numbers alone: nothing of this is
// about states. What it is to them, the stage knows: what the same kind of
// segment did to a life that had come to the same stage.

const (
	// plainFlags may be on any segment and mean nothing to states.
	plainFlags = capture.PSH | capture.ECE | capture.CWR
	// promptFin is how soon after the peer's FIN one has to come that acknowledges
	// it, so that it is in time (Conn.plain) whatever the round trip takes.
	promptFin = slack + unheardAfter
	// maxFrames is how many frames after the one before a stroke may be.
	maxFrames = 1 << (32 - strokeFrames)
)

// sketched begins a sketch with s, which is the first segment of an unknown tuple. It
// reports whether it could.
func (t *Tracker) sketched(s *capture.Segment) bool {
	if !t.draws {
		return false
	}
	from := t.firstTurn(s)
	if from == nil {
		return false
	}
	if t.table.lives() >= t.bound.lives {
		t.evict()
	}
	i := t.table.sketches.take()
	k := t.table.sketches.at(i)
	r := kindSketch | (i + 1)
	k.start(s, t.table.named(&s.Key), t.number(s))
	t.table.sketches.add(k).set(s, k, 0, 0, 0)
	t.table.insert(s.Hash, r)
	t.totals.Lives++
	t.totals.Segments++
	for range 2 {
		t.census.add(Closed, Presumed, s.Time)
	}
	t.begin(s.Frame)
	t.k.now = s.Time
	t.turn(r, k, from, s.Time, s.Frame, &s.Key)
	return true
}

// hatch makes a sketch of the embryo at r, if its SYN is ordinary, and returns where.
func (t *Tracker) hatch(r ref, hash uint32) ref {
	x := *t.table.embryos.at(r&indexMask - 1)
	if !t.draws {
		return 0
	}
	s := t.synOf(&x, hash)
	from := t.firstTurn(&s)
	if from == nil {
		return 0
	}
	if t.table.lives() >= t.bound.lives { // an embryo is none of those
		t.evict()
	}
	i := t.table.sketches.take()
	k := t.table.sketches.at(i)
	to := kindSketch | (i + 1)
	k.start(&s, x.name, x.id)
	t.table.sketches.add(k).set(&s, k, 0, 0, 0)
	k.stage, k.client, k.what = from.next, x.held.client, x.held.what
	k.due, k.queued = x.due(), x.due()
	t.alarms.add(k.due, k.id, to)
	t.nextAlarm = min(t.nextAlarm, k.due)
	t.table.move(hash, r, to)
	t.table.embryos.put(r&indexMask - 1)
	return to
}

// start begins k with its SYN.
func (k *sketch) start(s *capture.Segment, n name, id uint64) {
	k.name, k.hash, k.id, k.frame, k.begun, k.vlan = n, s.Hash, id, s.Frame, s.Time, s.VLAN
	k.last, k.lastFrame = s.Time, s.Frame
	if s.Key.V6 {
		k.bits |= sketchV6
	}
	if s.Side&1 != 0 {
		k.bits |= sketchClient
	}
	k.open(s)
}

// firstTurn is what the SYN s does; nil if it is not ordinary.
func (t *Tracker) firstTurn(s *capture.Segment) *turn {
	if s.Flags&^(capture.ECE|capture.CWR) != capture.SYN || s.Mark != 0 || s.Len != 0 || s.Ack != 0 || s.Window == 0 || s.Time <= 0 ||
		s.Key.Self() || s.TSEcr != 0 || !plainOptions(s) {
		return nil
	}
	from := &t.stages.begin[s.Side&1][s.Opts/capture.OptWScale&1]
	if from.next == unknown {
		t.learnBegin(from, s)
	}
	if from.next == departs {
		return nil
	}
	return from
}

// plainOptions reports that nothing of the options would be lost.
func plainOptions(s *capture.Segment) bool {
	return (s.Opts&capture.OptWScale != 0 || s.WScale == capture.NoWScale) && (s.Opts&capture.OptTS != 0 || s.TSVal|s.TSEcr == 0)
}

// open notes a SYN or SYN,ACK.
func (k *sketch) open(s *capture.Segment) {
	x := s.Side & 1
	k.iss[x], k.una[x], k.edge[x], k.nxt[x] = s.Seq, s.Seq, s.Seq, s.Seq+1
	k.mss[x], k.opts[x], k.scale[x], k.ttl[x], k.stamp[x] = s.MSS, s.Opts, s.WScale, s.TTL, s.TSVal
}

// set makes p the stroke of s.
func (p *stroke) set(s *capture.Segment, k *sketch, gap uint64, frames uint64, lag uint32) {
	x := uint32(s.Side & 1)
	f := x | uint32(frames)<<strokeFrames
	if us := gap / 1000; us*1000 == gap {
		gap, f = us, f|strokeMicro
	}
	if s.Opts&capture.OptTS != 0 {
		f |= strokeTS
		p.tsVal, p.tsEcr = uint16(s.TSVal-k.stamp[x]), uint16(s.TSEcr-k.stamp[x^1])
	}
	c := uint32(s.Flags)
	f |= c&uint32(capture.FIN)<<1 | c&uint32(capture.PSH)>>1 | c&uint32(capture.ECE|capture.CWR)>>3 // strokeFin, Push, ECE, CWR
	if c&uint32(capture.RST) != 0 {
		f |= strokeRst
		if c&uint32(capture.ACK) != 0 {
			f |= strokePush
		}
	}
	p.gap, p.frame, p.len, p.lag, p.window, p.ipID = uint32(gap), f, uint16(s.Len), uint16(lag), s.Window, s.IPID
}

// draw adds a segment to the sketch at r, if it is ordinary. It reports whether it
// was.
func (t *Tracker) draw(r ref, s *capture.Segment) bool {
	k := t.table.sketches.at(r&indexMask - 1)
	x := s.Side & 1
	y := x ^ 1
	frames := s.Frame - k.lastFrame
	gap := s.Time - k.last
	if s.Mark != 0 || gap < 0 || s.Time < k.fired || gap >= idleFrom || frames-1 >= maxFrames-1 || k.n == sketchMax || gap >= 1<<32 && gap%1000 != 0 {
		return false
	}
	lag := k.nxt[y] - s.Ack
	switch {
	case s.Flags&capture.RST != 0:
		return t.reset(r, k, s, uint64(gap), frames, lag)
	case s.Window == 0:
		return false
	case s.Flags&capture.SYN != 0:
		return t.answered(r, k, s, uint64(gap), frames)
	}
	fin := uint32(s.Flags & capture.FIN)
	if s.Flags&^(plainFlags|capture.FIN) != capture.ACK || k.n < 2 || s.Seq != k.nxt[x] || lag > k.nxt[y]-k.una[y] || lag > 1<<16-1 ||
		s.TTL != k.ttl[x] || !k.holds(s) {
		return false
	}
	// What the states depend on, in one number.
	code := uint32(x) | fin<<1
	if s.Len > 0 {
		// Within the window, and no larger than the path carries (Event.joins).
		limit := uint32(oversized)
		if k.mss[y] != 0 {
			limit = uint32(k.mss[y])
		}
		if s.Len > max(limit, 1460) || int32(k.edge[x]-s.Seq) < 0 {
			return false
		}
		code |= codeData
	}
	if lag == 0 {
		code |= codeAll
	}
	if s.Ack != k.una[y] {
		code |= codeNew
	} else if code&(codeFin|codeData) == 0 {
		return false // it may say something of the window, or of a hole
	}
	if k.una[x] == k.nxt[x] {
		code |= codeIdle
	}
	st, late := t.stages.all[k.stage], false
	switch {
	case st.dead:
		return false
	case st.fin[x] && code&(codeFin|codeData) != 0:
		return false
	case !st.fin[y]:
	case lag != 0 || s.Len > 0:
		return false // sent before the FIN came, or towards a side that sent it
	case fin != 0 && !st.took[x] && s.Time-k.finAt > promptFin:
		late = true
	}
	to := &st.turns[code]
	if late && s.Time-k.finAt > reach(t.rtt(k, x))+unheardAfter {
		to = &st.tardy[code]
	}
	if to.next == unknown {
		*to = t.learnt(k, s)
	}
	if to.next == departs || k.n >= openingMax && !t.stages.all[to.next].spoke {
		return false
	}
	t.table.sketches.add(k).set(s, k, uint64(gap), frames, lag)
	k.last, k.lastFrame = s.Time, s.Frame
	k.nxt[x] += s.Len + fin
	k.una[y] = s.Ack
	w := uint32(s.Window)
	if k.bits&sketchScaled != 0 {
		w <<= min(k.scale[x], 14)
	}
	if edge := s.Ack + w; int32(edge-k.edge[y]) > 0 {
		k.edge[y] = edge
	}
	t.totals.Segments++
	if fin == 0 {
		t.totals.Plain++
	} else if k.finFrame == 0 {
		k.finAt, k.finFrame = s.Time, s.Frame
	}
	t.turn(r, k, to, s.Time, s.Frame, &s.Key)
	return true
}

// holds reports that nothing of the options of a segment other than SYN would be lost.
func (k *sketch) holds(s *capture.Segment) bool {
	x := s.Side & 1
	switch {
	case s.Opts == 0:
		return s.TSVal|s.TSEcr == 0 && s.WScale == capture.NoWScale
	case s.Opts != capture.OptTS || s.WScale != capture.NoWScale:
		return false
	}
	return k.opts[x]&capture.OptTS != 0 && s.TSVal-k.stamp[x] <= 1<<16-1 && s.TSEcr-k.stamp[x^1] <= 1<<16-1
}

// reset adds a RST that ends both ends. What it is depends on times and numbers, so
// that Conn.apply is asked about each.
func (t *Tracker) reset(r ref, k *sketch, s *capture.Segment, gap, frames uint64, lag uint32) bool {
	x := s.Side & 1
	refused := k.n == 1 && x != k.side() && s.Seq == 0
	if t.stages.all[k.stage].dead || s.Flags&^(capture.RST|capture.ACK) != 0 || s.Len != 0 || !refused && (k.n < 2 || s.Seq != k.nxt[x] || s.TTL != k.ttl[x]) || !k.holds(s) {
		return false
	}
	if s.Flags&capture.ACK == 0 {
		if lag = 0; s.Ack != 0 {
			return false
		}
	} else if lag > 1<<16-1 {
		return false
	}
	to := t.learnt(k, s)
	if to.next == departs || !t.stages.all[to.next].dead {
		return false
	}
	if refused {
		k.iss[x], k.ttl[x] = s.Seq-1, s.TTL // StreamBase.learn
	}
	t.table.sketches.add(k).set(s, k, gap, frames, lag)
	k.last, k.lastFrame = s.Time, s.Frame
	t.totals.Segments++
	t.totals.Resets[t.stages.all[to.next].reset]++
	t.turn(r, k, &to, s.Time, s.Frame, &s.Key)
	return true
}

// answered adds the SYN,ACK.
func (t *Tracker) answered(r ref, k *sketch, s *capture.Segment, gap, frames uint64) bool {
	x := s.Side & 1
	y := x ^ 1
	if k.n != 1 || x == k.side() || s.Flags&^(capture.ECE|capture.CWR) != capture.SYN|capture.ACK || s.Len != 0 || s.Ack != k.nxt[y] || !plainOptions(s) ||
		s.Opts&capture.OptTS != 0 && s.TSEcr-k.stamp[y] > 1<<16-1 {
		return false
	}
	to := &t.stages.all[k.stage].answer[s.Opts/capture.OptWScale&1]
	if to.next == unknown {
		*to = t.learnt(k, s)
	}
	if to.next == departs {
		return false
	}
	k.open(s)
	if k.opts[0]&k.opts[1]&capture.OptWScale != 0 {
		k.bits |= sketchScaled
	}
	t.table.sketches.add(k).set(s, k, gap, frames, 0)
	k.last, k.lastFrame = s.Time, s.Frame
	k.una[y] = s.Ack
	k.edge[y] = s.Ack + uint32(s.Window) // not scaled (RFC 7323 section 2.2)
	t.totals.Segments++
	t.turn(r, k, to, s.Time, s.Frame, &s.Key)
	return true
}

// The bits of a code, beside the sender's side.
const (
	codeFin  = 1 << 1
	codeData = 1 << 2 // payload
	codeAll  = 1 << 3 // it acknowledges all that the other end sent
	codeNew  = 1 << 4 // its acknowledgment is new
	codeIdle = 1 << 5 // all that its sender sent before was acknowledged
	numCodes = 1 << 6
)

// turn brings k, whose segment or timer it is at now, to another stage, and does what
// Tracker.after does of an entry. A timer has no frame.
func (t *Tracker) turn(r ref, k *sketch, to *turn, now int64, frame uint64, key *capture.Key) {
	if k.stage == to.next {
		return
	}
	was, is := t.stages.all[k.stage], t.stages.all[to.next]
	if was == nil {
		was = &noStage
	}
	k.stage = to.next
	t.k.now, t.k.frame = now, frame
	for _, m := range to.moves[:to.n] {
		t.census.move(m[0].state(), m[0].certainty(), m[1].state(), m[1].certainty(), now)
	}
	switch {
	case is.over && was.over:
	case is.over:
		k.endAt, k.due = now, now+int64(t.cfg.Linger)
		if k.bits &^= sketchElapsed; frame == 0 {
			k.bits |= sketchElapsed
		}
	case was.over || is.timers != was.timers:
		k.wait(t, was, is, now)
	}
	if is.in != was.in {
		m := moment{time: now, where: frame, life: lifeID(k.id, 0)}
		if frame == 0 {
			m.where, m.timer = k.lastFrame, gainTimer
		}
		h := k.held()
		t.usage.change(&subject{key: *key, client: k.side(), first: k.frame, syn: k.n == 1 && frame != 0, finSide: is.finSide, finFrame: k.finFrame},
			&h, m, is.in)
		k.client, k.what = h.client, h.what
		if t.log == nil && t.usage.full() {
			t.count()
		}
	}
	if k.due != 0 && (k.queued == 0 || k.due < k.queued) {
		k.queued = k.due
		t.alarms.add(k.due, k.id, r)
		t.nextAlarm = min(t.nextAlarm, k.due)
	}
	if is.settled && k.foldAt == 0 {
		k.foldAt = t.sketchFold(k, is)
		t.folds.add(k.foldAt, k.id, r)
	}
}

var noStage stage

// wait notes when the timer fires that runs now; the earlier of two, or something
// before that. What ran before keeps its time.
func (k *sketch) wait(t *Tracker, was, is *stage, now int64) {
	before := k.due
	k.due = 0
	for i, timer := range is.timers {
		due := before
		if timer == timerNone {
			continue
		}
		if was.timers[i] != timer {
			switch timer {
			case timerCookie:
				due = max(k.answeredAt()+cookieAfterSyn, now+cookieAfter)
			case timerTimeWait:
				due = now + int64(t.cfg.TimeWait)
				k.twSince = now
			default:
				due = now + late(second)
			}
		}
		if k.due == 0 || due < k.due {
			k.due = due
		}
	}
}

// answeredAt is the time of the SYN,ACK.
func (k *sketch) answeredAt() int64 {
	return k.begun + k.strokes[1].since()
}

// sketchFold is foldFrame of a sketch that has come to the stage is.
func (t *Tracker) sketchFold(k *sketch, is *stage) int64 {
	return int64(k.lastFrame + t.foldAfter(is.waits, is.unheard))
}

// ring does what is due of the sketch at r.
func (t *Tracker) ring(r ref, now int64) {
	k := t.table.sketches.at(r&indexMask - 1)
	k.queued = 0
	switch {
	case k.due == 0:
		return
	case k.due > now:
		k.queued = k.due
		t.alarms.add(k.due, k.id, r)
		return
	}
	if t.elapse(r, k, now) {
		return
	}
	slot := t.elaborate(r)
	e := t.table.at(slot)
	e.conn.expire(&t.k, now)
	if e.queued == now {
		e.queued = 0
	}
	t.after(e, slot)
}

// elapse lets the only timer of k run out, if its life is ordinary after that. It
// reports whether it is.
func (t *Tracker) elapse(r ref, k *sketch, now int64) bool {
	st := t.stages.all[k.stage]
	if st.over || t.k.sparse || st.timers[0] != timerNone && st.timers[1] != timerNone {
		return false
	}
	if st.elapse.next == unknown {
		st.elapse = t.learnElapse(k, now)
	}
	if st.elapse.next == departs {
		return false
	}
	k.fired = now
	key := t.table.key(&k.name, k.bits&sketchV6 != 0)
	t.turn(r, k, &st.elapse, now, 0, &key)
	return true
}
