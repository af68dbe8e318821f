package tracker

import "tcpstate/capture"

// transcript is what one worker has to say of one batch, in the order in which a
// single tracker would have come to it.
type transcript struct {
	items  []item
	moves  []move
	rung   []rung   // of the moves that no segment's arrival made
	opened []uint64 // frames at which streams began
	steps  []Transition
	lives  []Life
	cases  []Case // of the lives, where asked for; the trails lie in events and quotes
	trails []span
	silent []Silent // lives that are told as such
	drawn  []drawn  // lives that are told of by their segments
	leaves []strokes
	events []Event
	quotes []capture.Quote
	gains  usageLog
	last   bool // of the batch
}

// span is where a case's events and quotes begin.
type span struct{ event, quote int }

func (j *transcript) reset() {
	j.items, j.moves, j.opened, j.steps, j.lives = j.items[:0], j.moves[:0], j.opened[:0], j.steps[:0], j.lives[:0]
	j.rung, j.silent, j.drawn, j.leaves = j.rung[:0], j.silent[:0], j.drawn[:0], j.leaves[:0]
	j.cases, j.trails, j.events, j.quotes = j.cases[:0], j.trails[:0], j.events[:0], j.quotes[:0]
	j.gains.empty()
	j.last = false
}

const (
	// keepsLives is how many lives a transcript keeps room for: more than are folded at a
	// time while frames come one after the other.
	keepsLives = 8 * capture.BatchSize
	// keepsRest is the same of all else that it may have.
	keepsRest = 32 * capture.BatchSize
)

// shed gives back what was told, if it was far more than a batch has to say as a rule:
// all that is folded at once where the segment before it lies many frames back, or all
// timers of a long silence. There are several transcripts, and each would keep it.
func (j *transcript) shed() {
	lives := max(cap(j.lives), cap(j.cases), cap(j.silent), cap(j.drawn))
	rest := max(cap(j.items), cap(j.moves), cap(j.rung), cap(j.steps), cap(j.leaves), cap(j.events), cap(j.gains.gains))
	if lives > keepsLives || rest > keepsRest {
		*j = transcript{}
	}
}

// instant orders what happens within a batch: by the segment on whose arrival it
// happens. Before that segment itself comes what is folded then, and the timers
// that have run out.
type instant struct {
	at    int64  // of a fold the frame it was due at, of a timer its time
	id    uint64 // of the life, of these two
	pos   uint32 // of the segment in the batch
	phase phase
}

type phase int8

const (
	folding  phase = -2
	ringing  phase = -1
	arriving phase = 0
)

// before puts instants in order. Equal ones are one worker's.
func (m *instant) before(o *instant) bool {
	switch {
	case m.pos != o.pos:
		return m.pos < o.pos
	case m.phase != o.phase:
		return m.phase < o.phase
	case m.at != o.at:
		return m.at < o.at
	}
	return m.id < o.id
}

// item is one thing to be told.
type item struct {
	instant
	kind  itemKind
	index uint32
}

type itemKind uint8

const (
	itemTransition itemKind = iota
	itemLife
	itemSilent
	itemOpened
	itemDrawn
)

// move is one change of the census. An endpoint that is new has no from. There are
// many, and most are made by a segment's arrival: of these the place says when,
// and of the others a rung.
type move struct {
	pos      uint32
	from, to step8
	rings    bool // what a rung tells of, the next
}

// rung is when a move was made that is a timer's, or a fold's.
type rung struct {
	instant
	now int64
}

const noState step8 = 0xff

// shard makes t one of so many trackers, each in a goroutine of its own, which write
// down what they have to tell o; the caller of Parallel tells it.
func (t *Tracker) shard(index, of uint32, o Observer) {
	t.index, t.of = index, of
	t.bound.set(&t.cfg, int(of))
	t.obs.Transition, t.obs.Case, t.obs.Cases, t.obs.SilentCase, t.obs.SilentLife = nil, nil, nil, nil, nil
	t.census.t = t
	if of == 1 && o.Moved == nil {
		t.census.t = nil // nobody asks for the order of its moves and others
	}
	t.usage.workers, t.usage.most = of, 0
	t.usage.services.kept, t.usage.hosts.kept = false, false
	if o.Transition != nil {
		t.obs.Transition = func(x *Transition) {
			t.log.items = append(t.log.items, item{t.instant, itemTransition, uint32(len(t.log.steps))})
			t.log.steps = append(t.log.steps, *x)
		}
	}
	if o.Opened != nil {
		t.obs.Opened = func(x *Transition) {
			t.log.items = append(t.log.items, item{t.instant, itemOpened, uint32(len(t.log.steps))})
			t.log.steps = append(t.log.steps, *x)
		}
	}
	if o.Case != nil {
		t.obs.Case = func(c *Case) {
			j := t.log
			j.trails = append(j.trails, span{len(j.events), len(j.quotes)})
			j.events = append(j.events, c.Trail.Events...)
			j.quotes = append(j.quotes, c.Trail.Quotes...)
			j.cases = append(j.cases, *c)
		}
	}
	t.obs.Life = func(l *Life) {
		if o.Case != nil && len(t.log.cases) == len(t.log.lives) {
			// Nothing is known that findings could be looked for in.
			t.log.trails = append(t.log.trails, span{len(t.log.events), len(t.log.quotes)})
			t.log.cases = append(t.log.cases, Case{})
		}
		t.log.items = append(t.log.items, item{t.instant, itemLife, uint32(len(t.log.lives))})
		t.log.lives = append(t.log.lives, *l)
	}
	if (o.Case == nil || o.SilentCase != nil) && o.SilentLife != nil {
		t.obs.SilentCase = func(*Silent) {} // with its life
		t.obs.SilentLife = func(s *Silent) {
			t.log.items = append(t.log.items, item{t.instant, itemSilent, uint32(len(t.log.silent))})
			t.log.silent = append(t.log.silent, *s)
		}
	}
}

// mine reports whether a segment's connection is the worker's. The bits of the
// hash that decide are others than those the table goes by.
func (t *Tracker) mine(hash uint32) bool { return hash>>10&0xffff*t.of>>16 == t.index }
