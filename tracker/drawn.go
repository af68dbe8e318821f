package tracker

import "tcpstate/capture"

// drawn is a life that is over and was ordinary to its end, as a tracker that works
// for itself leaves it to who tells: its segments. What they come to, that is its
// accounts and its trail, is worked out there, so that two processors have about as
// much to do.
type drawn struct {
	sketch sketch
	key    capture.Key
	now    int64 // as of when it is told
	leaf   int   // where its further leaves begin in transcript.leaves
}

// leaveDrawn writes down k to be told.
func (t *Tracker) leaveDrawn(k *sketch) {
	j := t.log
	j.items = append(j.items, item{t.instant, itemDrawn, uint32(len(j.drawn))})
	j.drawn = append(j.drawn, drawn{sketch: *k, now: t.now, leaf: len(j.leaves)})
	t.table.putKey(&j.drawn[len(j.drawn)-1].key, &k.name, k.bits&sketchV6 != 0)
	for m := k.more; m != 0; {
		s := t.table.sketches.more.at(m - 1)
		j.leaves = append(j.leaves, *s)
		m = s.next
	}
}

// newTeller makes a tracker that follows nothing: it tells obs of what another one has
// drawn. What it knows of a stage is its outline.
func newTeller(cfg Config, obs Observer) *Tracker {
	return New(cfg, Observer{Life: obs.Life, Case: obs.Case, Trails: obs.Trails, Zeek: obs.Zeek})
}

// tellDrawn tells of d, whose further leaves are the first of leaves.
func (t *Tracker) tellDrawn(d *drawn, leaves []strokes) {
	k, more := &d.sketch, &t.table.sketches.more
	k.name = t.table.named(&d.key)
	for at, n := &k.more, 0; *at != 0; n++ {
		i := more.take()
		*at = i + 1
		s := more.at(i)
		*s = leaves[n]
		at = &s.next
	}
	for len(t.stages.all) <= int(k.stage) {
		t.stages.all = append(t.stages.all, new(stage))
	}
	t.now = d.now
	if t.account(k) {
		t.tellSketch(k, t.obs)
	} else {
		t.recount(k, t.obs)
	}
	for m := k.more; m != 0; {
		next := more.at(m - 1).next
		more.put(m - 1)
		m = next
	}
	if k.bits&sketchV6 != 0 {
		t.table.wide.put(k.name.a)
	}
}
