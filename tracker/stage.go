package tracker

import "tcpstate/capture"

// A stage is how far an ordinary life has come: all that Conn.apply goes by, but
// for numbers and times. The stages are not written down anywhere. They are
// learnt: the first life that takes a turn is replayed, Conn.apply says what becomes
// of it, and that holds for all lives of the same stage and the same kind of
// segment. What apply compares of numbers and times is either part of that kind
// (the codes), the same for all that draw lets through, or without effect on states.

// stages are those that were met. The first two are no stages: see unknown, departs.
type stages struct {
	all    []*stage
	index  map[stageKey]uint16
	begin  [2][2]turn // by the side of the client, and whether its SYN offers a window scale
	moves  transcript // of the segment that is being learnt
	quiet  *Tracker   // writes them there
	census census
}

const (
	unknown = 0 // nobody took the turn yet
	departs = 1 // the life is not ordinary any more

	// maxStages bounds the stages. There are some hundreds.
	maxStages = 1 << 12
	maxMoves  = 5
)

// turn is what a segment does to a life of a stage.
type turn struct {
	next  uint16 // stage
	n     uint8
	moves [maxMoves][2]step8 // of the census
}

// stage is how far a life has come.
type stage struct {
	turns  [numCodes]turn
	tardy  [numCodes]turn // by a FIN that acknowledges the other end's, too late (Conn.plain)
	answer [2]turn        // by a SYN,ACK, and whether it offers a window scale
	elapse turn           // by its timer

	timers  [2]timerKind
	una     [2]bool // the other end acknowledged something of it
	fin     [2]bool // it sent FIN
	took    [2]bool // it acknowledged the other end's
	spoke   bool    // both ends spoke
	settled bool
	over    bool // both ends are CLOSED
	dead    bool // by a RST
	waits   bool // see Conn.waits, as unheard
	unheard bool
	in      counted
	finSide uint8
	reset   ResetClass // of the RST

	outline outline
}

// stageKey is what makes stages differ.
type stageKey struct {
	ends     [2]stageEnd
	whole    Completeness
	mode     connFact
	client   uint8
	roles    RoleReason
	answered bool // notes
	done     bool
	fins     uint8
	finSide  uint8
	crossed  bool
	in       counted
	// Of a RST:
	rst         bool
	rstSide     uint8
	gave        bool
	class, last ResetClass
	what        What
}

// stageEnd is one end of it.
type stageEnd struct {
	path            [pathLen]step8
	depth           uint8
	timer           timerKind
	has             fact
	known, iss, una bool
	wnd, fin, acked bool
}

// ordinaryFacts are what may be seen of an end in an ordinary life.
const ordinaryFacts = sentSyn | sentSynAck | spoke | sentData | ackedFin | finHeard | finTaken | finCarried | provoked | scaled | finAlone | sentRst | gotRst | timedOut | cookie

// stageOf is the key of what an entry has come to, if its life is ordinary.
func stageOf(e *entry, in counted) (k stageKey, ok bool) {
	c := &e.conn
	o := &c.notes
	k = stageKey{whole: e.whole, mode: c.mode, client: c.client, roles: c.roles, answered: o.answeredAt != 0, done: o.doneAt != 0,
		finSide: o.finSide, crossed: o.crossed, in: in,
		rst: o.rstAt != 0, rstSide: o.rstSide, gave: o.gave, class: o.class, last: o.lastClass, what: o.lastWhat}
	if o.firstFin != 0 {
		k.fins++
	}
	if o.secondFin != 0 {
		k.fins++
	}
	if c.mode&^(begun|rolesFixed) != 0 || o.unanswered != [2]uint16{} || o.lastClass != NoReset && !c.over() {
		return k, false
	}
	for i := range c.ends {
		x := &c.ends[i]
		n := &x.count
		k.ends[i] = stageEnd{path: x.path, depth: x.depth, timer: x.timer, has: x.has, known: x.sp.Known, iss: x.sp.HasISS, una: x.sp.HasUna,
			wnd: x.sp.HasWnd, fin: x.sp.HasFin, acked: x.ackAt[0] != 0}
		clear(k.ends[i].path[x.depth:])
		if o.lastClass != NoReset && x.passed(TimeWait) {
			return k, false // it did not run out by itself
		}
		if x.has&^ordinaryFacts != 0 || x.sp.Holes() || x.timer == timerFin || x.deaf != 0 ||
			n.retransmissions|n.outOfOrder|n.keepalives|n.zeroWnd != 0 || n.syns+n.synAcks > 1 {
			return k, false
		}
	}
	return k, true
}

// find returns the stage of a key, which a life in e has come to.
func (g *stages) find(k *stageKey, e *entry) uint16 {
	if i, ok := g.index[*k]; ok {
		return i
	}
	if g.index == nil {
		g.index = map[stageKey]uint16{}
		g.all = make([]*stage, departs+1, 64)
	}
	if len(g.all) == maxStages {
		return departs
	}
	i := uint16(len(g.all))
	g.index[*k] = i
	c := &e.conn
	a, b := &c.ends[0], &c.ends[1]
	g.all = append(g.all, &stage{timers: [2]timerKind{a.timer, b.timer}, una: [2]bool{a.sp.HasUna, b.sp.HasUna}, fin: [2]bool{a.sp.HasFin, b.sp.HasFin}, took: [2]bool{a.is(ackedFin), b.is(ackedFin)},
		spoke: a.is(spoke) && b.is(spoke), settled: c.settled(), over: c.over(), dead: k.last != NoReset, reset: k.last,
		waits: c.waits(), unheard: c.unheard(), in: k.in, finSide: c.notes.finSide})
	return i
}

// learnBegin learns what a first SYN does.
func (t *Tracker) learnBegin(to *turn, s *capture.Segment) {
	e := &t.scratch
	*e = entry{}
	e.conn.Key, e.conn.continues = s.Key, -1
	e.stream, e.whole = OpenStream(s), OpenCompleteness(s)
	*to = t.lesson(e, s, 0)
}

// learnt is what the segment s does to the life k.
func (t *Tracker) learnt(k *sketch, s *capture.Segment) turn {
	e := &t.scratch
	*e = entry{}
	in := t.replay(e, k, nil)
	e.zeek.release(&t.spill)
	e.stream.learn(s)
	e.whole.Apply(s)
	return t.lesson(e, s, in)
}

// learnElapse is what the timer of k does that is due now.
func (t *Tracker) learnElapse(k *sketch, now int64) turn {
	e := &t.scratch
	*e = entry{}
	in := t.replay(e, k, nil)
	e.zeek.release(&t.spill)
	if e.conn.due() != now {
		return turn{next: departs}
	}
	return t.lesson(e, nil, in)
}

// lesson applies s to e, whose life counts as in; or without s, lets its timer run out.
func (t *Tracker) lesson(e *entry, s *capture.Segment, in counted) turn {
	g := &t.stages
	if g.quiet == nil {
		g.quiet = &Tracker{log: &g.moves}
		g.census.t = g.quiet
	}
	g.moves.moves = g.moves.moves[:0]
	k := sink{cfg: &t.cfg, census: &g.census}
	strange, over := false, e.conn.over()
	if s == nil {
		e.conn.expire(&k, e.conn.due())
	} else {
		strange = e.conn.apply(&k, s) != usual(s.Flags, s.Len) || s.Flags&capture.RST == 0 && !over && e.conn.over()
	}
	if k.moved {
		in = e.conn.counts(in)
	}
	e.conn.mode &^= ended // it is what replay makes of it
	key, ok := stageOf(e, in)
	if !ok || strange || len(g.moves.moves) > maxMoves {
		return turn{next: departs}
	}
	to := turn{next: g.find(&key, e), n: uint8(len(g.moves.moves))}
	for i, m := range g.moves.moves {
		to.moves[i] = [2]step8{m.from, m.to}
	}
	return to
}
