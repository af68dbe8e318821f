package tracker

import "tcpstate/capture"

// In a flood nearly every life is a SYN and nothing more. What they have in common
// is worked out of the first of them (Tracker.expireEmbryo), the rest is told from
// the SYN itself.

// silence is what all lives of one SYN that nobody answered have in common: by the
// client's side, whether it offered a window scale, and whether it is IPv6.
type silence [2][2][2]alike

type alike struct {
	shape uint32 // of the stub; 0: none came yet
	signs Sign
	life  Life
}

func (a *silence) of(x *embryo) *alike {
	return &a[x.side&1][x.opts/capture.OptWScale&1][b2i(x.v6)]
}

// unanswered ends the embryo at r, of which such a life came before, as the other
// way of expireEmbryo does. It reports whether it could.
func (t *Tracker) unanswered(r ref, hash uint32, due int64) bool {
	x := t.table.embryos.at(r&indexMask - 1)
	if !t.draws || !t.flooded || t.obs.Zeek || x.id > idMask {
		return false
	}
	o := t.silence.of(x)
	if o.shape == 0 {
		return false
	}
	t.census.move(SynSent, Confirmed, Closed, Elapsed, due)
	m := moment{time: due, where: x.frame<<portBits | uint64(x.name.port(x.side)), life: lifeID(x.id, 0), timer: gainTimer}
	t.usage.out(&x.held, &m, x.held.what.in())
	if t.log == nil && t.usage.full() {
		t.count()
	}
	if t.obs.Case != nil || t.obs.Life != nil {
		t.hear(o, x)
		t.tellSilent(x, true, true, &t.obs)
	}
	t.table.move(hash, r, t.stub(stub{uint64(o.shape)<<idBits | x.id, x.name, x.seq}, x.time))
	t.table.embryos.put(r&indexMask - 1)
	return true
}

// event is the SYN on the trail of its life.
func (x *embryo) event() Event {
	e := Event{Time: x.time, Frame: x.frame, Seq: x.seq, Ack: x.ack, TSVal: x.tsVal, TSEcr: x.tsEcr, Window: x.window, IPID: x.ipID,
		From: Client, Flags: x.flags, TTL: x.ttl, Opts: x.opts, WScale: x.wScale, Class: usual(x.flags, 0)}
	closed := mk(Closed, Presumed)
	e.before = [2]step8{closed, closed}
	e.after = [2]step8{mk(SynSent, Confirmed), closed}
	return e
}

// hush notes what e, of which the SYN x ran out and that is about to be folded as
// it is, has in common with its like.
func (t *Tracker) hush(e *entry, x *embryo) {
	o := t.silence.of(x)
	if o.shape != 0 {
		return
	}
	y := e.foldShape()
	i, ok := t.table.shapes.find(&y)
	if !ok || !y.stub {
		return
	}
	o.shape, o.life = i, t.life(e)
	o.signs = SignLife | e.conn.signs(&o.life)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
