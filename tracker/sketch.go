package tracker

import (
	"tcpstate/capture"
	"tcpstate/reassembly"
)

// Most lives take an ordinary course: SYN, SYN,ACK, ACK, payload in order and
// acknowledged, a FIN of each end. Of such a life there is nothing to say but its
// numbers, and what its segments do to the states was seen in thousands of lives
// before it. It is kept as a sketch: its segments, 20 octets each, the stage
// that it has come to (stage.go), and the few numbers by which it is told whether
// the next segment is ordinary, too (draw.go). When one is not, the sketch is
// elaborated: its segments are applied, one after the other, to an entry, as if it
// had been one from the beginning. When the life is over, it is told from the
// segments (settle.go).
//
// Whether lives are sketched shows nowhere. They are not where transitions or steps
// are asked for, which only Conn.apply tells.

// sketch is an ordinary life. What every segment touches stands first; by side of
// the Key where there are two.
type sketch struct {
	name      name
	hash      uint32
	last      int64 // the latest segment's time
	lastFrame uint64
	nxt       [2]uint32 // SND.NXT
	una       [2]uint32 // SND.UNA
	edge      [2]uint32 // of the window that the other end offers
	stage     uint16
	n         uint8 // segments
	bits      sketchBits
	more      uint32 // the first further leaf; 0 none

	due    int64 // of its first timer, or when it is reported; 0 neither
	queued int64 // as entry.queued
	foldAt int64 // as entry.foldAt
	id     uint64
	frame  uint64 // the first
	begun  int64
	fired  int64  // when the latest timer ran out; 0 none did
	client uint32 // of heldBrief, as what; the rest of held is the first frame
	what   standing

	finAt    int64 // the first FIN
	finFrame uint64
	twSince  int64     // entered TIME-WAIT; 0 nobody did
	endAt    int64     // as entry.endAt
	stamp    [2]uint32 // the timestamp of its SYN or SYN,ACK
	iss      [2]uint32
	mss      [2]uint16
	vlan     uint16
	opts     [2]uint8 // of its SYN or SYN,ACK
	scale    [2]uint8 // the same: Segment.WScale
	ttl      [2]uint8
	strokes  [sketchInline]stroke
	_        uint64 // so that each begins a line of the caches
}

type sketchBits uint8

const (
	sketchV6      sketchBits = 1 << iota
	sketchClient             // the client is side 1
	sketchScaled             // both ends scale their windows
	sketchElapsed            // a timer made both ends CLOSED, the latest time
)

// side is the client's.
func (k *sketch) side() uint8 { return uint8(k.bits / sketchClient & 1) }

// held is what its entry would remember of what it counts in.
func (k *sketch) held() held {
	if k.what == 0 {
		return held{}
	}
	return held{heldBrief{k.client, k.what, uint32(k.frame)}, uint32(k.frame)}
}

// ended is when both ends were CLOSED, and at what frame, if they are. What is CLOSED
// by a segment has none after it.
func (k *sketch) ended() (at int64, frame uint64) {
	if k.bits&sketchElapsed != 0 {
		return k.endAt, 0
	}
	return k.endAt, k.lastFrame
}

// stroke is one segment of a sketch. What it leaves out follows from those before.
type stroke struct {
	gap    uint32 // since the one before, ns; or us with strokeMicro
	frame  uint32 // flags, and above them frames since the one before
	tsVal  uint16 // since sketch.stamp, with strokeTS
	tsEcr  uint16 // since the peer's
	len    uint16
	lag    uint16 // octets of the peer that it leaves unacknowledged
	window uint16
	ipID   uint16
}

// since is the time since the stroke before.
func (p *stroke) since() int64 {
	if p.frame&strokeMicro != 0 {
		return int64(p.gap) * 1000
	}
	return int64(p.gap)
}

// The flags of a stroke. SYN is of the first two alone, and ACK of all but the first.
const (
	strokeSide = 1 << iota
	strokeFin
	strokePush // with strokeRst: ACK
	strokeECE
	strokeCWR
	strokeTS
	strokeMicro
	strokeRst
	strokeFrames = 8
)

const (
	sketchInline = 6 // strokes in the sketch itself
	sketchMax    = jotMax
	strokesMore  = 4 // in a further leaf
)

// strokes is a further leaf.
type strokes struct {
	s    [strokesMore]stroke
	next uint32 // index plus one
}

// sketches are all of them.
type sketches struct {
	pool[sketch]
	more pool[strokes]
}

// add makes room for one stroke more of k, and returns it.
func (p *sketches) add(k *sketch) *stroke {
	i := int(k.n)
	k.n++
	if i < sketchInline {
		return &k.strokes[i]
	}
	i -= sketchInline
	at := &k.more
	for ; i >= strokesMore; i -= strokesMore {
		at = &p.more.at(*at - 1).next
	}
	if i == 0 {
		*at = p.more.take() + 1
	}
	return &p.more.at(*at - 1).s[i]
}

// drop gives back what the sketch i takes.
func (p *sketches) drop(i uint32) {
	for m := p.at(i).more; m != 0; {
		next := p.more.at(m - 1).next
		p.more.put(m - 1)
		m = next
	}
	p.put(i)
}

// tracer reads the segments of a sketch, in order.
type tracer struct {
	*sketch
	of   *sketches
	leaf *strokes
	seg  capture.Segment // the latest read
	at   [2]uint32       // SND.NXT as of that
	i    int
}

// trace begins to read k, which is one of t's.
func (t *Tracker) trace(k *sketch) tracer {
	r := tracer{sketch: k, of: &t.table.sketches, at: k.iss}
	r.seg.Key = t.table.key(&k.name, k.bits&sketchV6 != 0)
	r.seg.Hash, r.seg.VLAN, r.seg.Time, r.seg.Frame = k.hash, k.vlan, k.begun, k.frame
	return r
}

// next reads one segment into seg, if there is one.
func (r *tracer) next() bool {
	if r.i == int(r.n) {
		return false
	}
	p := r.stroke()
	s := &r.seg
	x := uint8(p.frame & strokeSide)
	y := x ^ 1
	s.Time += p.since()
	s.Frame += uint64(p.frame >> strokeFrames)
	s.Side, s.Seq, s.Len, s.Window, s.IPID, s.TTL = x, r.at[x], uint32(p.len), p.window, p.ipID, r.ttl[x]
	s.Flags, s.Ack, s.Opts, s.WScale, s.MSS = capture.ACK, r.at[y]-uint32(p.lag), 0, capture.NoWScale, 0
	s.TSVal, s.TSEcr = 0, 0
	switch r.i {
	case 0:
		s.Flags, s.Ack = capture.SYN, 0
	case 1:
		s.Flags |= capture.SYN
	}
	if p.frame&strokeRst != 0 {
		r.reset(p)
	} else if r.i < 2 {
		s.Opts, s.WScale, s.MSS = r.opts[x], r.scale[x], r.mss[x]
	} else if p.frame&strokeTS != 0 {
		s.Opts = capture.OptTS
	}
	if p.frame&strokeTS != 0 {
		s.TSVal = r.stamp[x] + uint32(p.tsVal)
		if r.i > 0 {
			s.TSEcr = r.stamp[y] + uint32(p.tsEcr)
		}
	}
	if p.frame&strokeFin != 0 {
		s.Flags |= capture.FIN
	}
	if p.frame&(strokePush|strokeRst) == strokePush {
		s.Flags |= capture.PSH
	}
	if p.frame&strokeECE != 0 {
		s.Flags |= capture.ECE
	}
	if p.frame&strokeCWR != 0 {
		s.Flags |= capture.CWR
	}
	r.at[x] += s.SeqLen()
	r.i++
	return true
}

// reset is what next does of a RST.
func (r *tracer) reset(p *stroke) {
	s := &r.seg
	if s.Flags = capture.RST; p.frame&strokePush != 0 {
		s.Flags |= capture.ACK
	} else {
		s.Ack = 0
	}
	if r.i == 1 { // it refused the SYN
		r.at[s.Side]++
		s.Seq++
	}
	if p.frame&strokeTS != 0 {
		s.Opts = capture.OptTS
	}
}

// stroke is the one that is read next.
func (r *tracer) stroke() *stroke {
	if r.i < sketchInline {
		return &r.strokes[r.i]
	}
	i := (r.i - sketchInline) % strokesMore
	switch {
	case r.leaf == nil:
		r.leaf = r.of.more.at(r.more - 1)
	case i == 0:
		r.leaf = r.of.more.at(r.leaf.next - 1)
	}
	return &r.leaf.s[i]
}

// rtt is Endpoint.rtt of the side x of k: of all that was sent towards it and is waited
// for, one at a time, the smallest time to its acknowledgment.
func (t *Tracker) rtt(k *sketch, x uint8) (least int64) {
	now, nxt := k.begun, k.iss
	var at int64 // 0: nothing is waited for
	var until uint32
	r := tracer{sketch: k, of: &t.table.sketches}
	for ; r.i < int(k.n); r.i++ {
		p := r.stroke()
		y := uint8(p.frame & strokeSide)
		now += p.since()
		if p.frame&strokeRst != 0 {
			break // its life ends
		}
		end := nxt[y] + uint32(p.len) + p.frame/strokeFin&1
		if r.i < 2 {
			end++
		}
		switch {
		case r.i == 0: // who answers begins with that
		case y != x && end != nxt[y] && at == 0:
			at, until = now, end
		case y == x && at != 0 && int32(nxt[x^1]-uint32(p.lag)-until) >= 0:
			if d := now - at; d > 0 && (least == 0 || d < least) {
				least = d
			}
			at = 0
		}
		nxt[y] = end
	}
	return least
}

// replay makes of an entry that is zero what it would be, had it been given the
// segments of k. Nobody is told but noted, if it is not nil, of each segment. It returns
// in what the connection counts.
func (t *Tracker) replay(e *entry, k *sketch, noted func(*Conn, *capture.Segment, reassembly.Class, *prior)) (in counted) {
	r := t.trace(k)
	c := &e.conn
	e.hash, c.Key, c.id, c.continues = k.hash, r.seg.Key, k.id, -1
	quiet := sink{cfg: &t.cfg}
	for r.next() {
		s := &r.seg
		if r.i == 1 {
			e.stream, e.whole = OpenStream(s), OpenCompleteness(s)
		} else {
			e.stream.learn(s)
			e.whole.Apply(s)
		}
		quiet.moved = false
		if k.fired != 0 {
			c.expire(&quiet, min(s.Time, k.fired))
		}
		if noted == nil {
			c.apply(&quiet, s)
		} else {
			was := c.prior(s)
			noted(c, s, c.apply(&quiet, s), &was)
		}
		if t.obs.Zeek {
			e.zeek.apply(s, &t.spill)
		}
		if quiet.moved {
			in = c.counts(in)
		}
	}
	if k.fired != 0 {
		quiet.moved = false
		if c.expire(&quiet, k.fired); quiet.moved {
			in = c.counts(in)
		}
	}
	e.held = k.held()
	if c.over() {
		c.mode |= ended
		e.endAt, e.endFr = k.ended()
	}
	return in
}

// elaborate makes an entry of the sketch at r, and returns its slot.
func (t *Tracker) elaborate(r ref) uint32 {
	t.spare()
	i := r&indexMask - 1
	k := t.table.sketches.at(i)
	slot := t.full(k)
	e := t.table.at(slot)
	t.table.move(k.hash, r, slot+1)
	d := e.conn.due()
	if e.conn.mode&ended != 0 {
		if leave := e.endAt + int64(t.cfg.Linger); d == 0 || leave < d {
			d = leave
		}
	}
	if e.queued = d; d != 0 {
		t.alarms.add(d, k.id, slot+1)
		t.nextAlarm = min(t.nextAlarm, d)
	}
	if e.foldAt = k.foldAt; e.foldAt != 0 {
		t.folds.add(e.foldAt, k.id, slot+1)
	}
	t.discard(i)
	return slot
}

// full fills an entry, which the table does not know yet, with what k would be.
func (t *Tracker) full(k *sketch) (slot uint32) {
	slot = t.table.entries.take()
	if t.obs.Case == nil {
		t.replay(t.table.at(slot), k, nil)
		return slot
	}
	n := t.books.at(slot)
	t.replay(t.table.at(slot), k, func(c *Conn, s *capture.Segment, class reassembly.Class, was *prior) { t.write(n, c, s, class, was) })
	return slot
}

// discard gives back a sketch that the table does not know any more.
func (t *Tracker) discard(i uint32) {
	if k := t.table.sketches.at(i); k.bits&sketchV6 != 0 {
		t.table.wide.put(k.name.a)
	}
	t.table.sketches.drop(i)
}

// touch reads the lines of a sketch that a segment touches. What it returns means
// nothing.
func (p *sketches) touch(i uint32) uint64 {
	k := p.at(i)
	return uint64(k.hash) + uint64(k.due) + uint64(k.vlan) + uint64(k.strokes[3].gap)
}

// touchAll reads the rest of them, too.
func (p *sketches) touchAll(i uint32) uint64 {
	k := p.at(i)
	return p.touch(i) + uint64(k.strokes[0].gap) + uint64(k.strokes[sketchInline-1].gap)
}
