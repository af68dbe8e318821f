package detect

import (
	"tcpstate/capture"
	"tcpstate/tracker"
)

// queue holds the latest lives that were told of, until they are handed to the
// detectors together: to one detector after the other. So what one of them keeps, and
// its code, comes into the processor's caches once for many lives, and the places of
// many are fetched at the same time. Each detector gets the lives in their order.
type queue struct {
	slips   [waiting]slip
	n       int
	silent  [waiting / 64]uint64 // which are silent lives
	silents int                  // how many
	whole   []whole              // those of which a slip does not say all, in order
	// events and quotes are those of their trails.
	events []tracker.Event
	quotes []capture.Quote
}

const (
	// waiting is how many lives wait at the most, wholly how many of which all is kept:
	// they have to stay in the second cache, and leave room there.
	waiting = 128
	wholly  = 32
)

// whole is a life of which all is kept.
type whole struct {
	tracker.Case
	life           tracker.Life
	nth            int // index of its slip
	trail          outline
	events, quotes int // where those of its trail end
}

// batcher is a watcher that is content with slips of ordinary lives.
type batcher interface {
	// slips takes note of lives, in their order, by what Watcher.Case would note of them.
	// It gets all ordinary lives, whatever signs they show.
	slips(lives []slip)
}

// fetcher is a watcher that keeps something for each life in a large table.
type fetcher interface {
	// fetch reads from where it will be kept, and nothing else: what follows from what is
	// there could not be foretold, so that the processor would wait for one place after
	// the other.
	fetch(lives []slip) uint64
}

// keep keeps all of a case.
func (q *queue) keep(c *tracker.Case) {
	if len(q.whole) == cap(q.whole) {
		q.whole = append(q.whole, whole{})
	} else {
		q.whole = q.whole[:len(q.whole)+1]
	}
	w := &q.whole[len(q.whole)-1]
	w.Case, w.life, w.nth = *c, *c.Life, q.n
	q.events = append(q.events, c.Trail.Events...)
	q.quotes = append(q.quotes, c.Trail.Quotes...)
	w.events, w.quotes = len(q.events), len(q.quotes)
}

// restore gives the cases back what they point to.
func (q *queue) restore() (shown tracker.Sign) {
	events, quotes := 0, 0
	for i := range q.whole {
		w := &q.whole[i]
		w.Life = &w.life
		w.Trail.Events, w.Trail.Quotes = q.events[events:w.events:w.events], q.quotes[quotes:w.quotes:w.quotes]
		events, quotes = w.events, w.quotes
		shown |= w.Signs
		if w.Signs&outlined != 0 {
			w.trail.draw(w.Trail.Events)
		}
	}
	return shown
}

// clear empties it.
func (q *queue) clear() {
	q.n, q.whole, q.events, q.quotes = 0, q.whole[:0], q.events[:0], q.quotes[:0]
	q.silent, q.silents = [waiting / 64]uint64{}, 0
}

// flush hands on all lives that wait.
func (g *Engine) flush() {
	q := &g.queue
	lives := q.slips[:q.n]
	sh := g.shared
	for i := range lives {
		l := &lives[i]
		if l.nth = uint8(i); i > 0 && l.port == lives[i-1].port && l.host[tracker.Server] == lives[i-1].host[tracker.Server] {
			l.server = lives[i-1].server
			continue
		}
		l.server = sh.services.of(l.host[tracker.Server], &l.listener)
	}
	g.touched += sh.services.fetch(lives)
	sh.services.add(lives)
	sh.tries.told = [waiting]bool{}
	shown := q.restore()
	switch q.silents {
	case 0:
		g.handOn(lives, q.whole, shown)
	case q.n:
		g.handSilents(lives)
	default:
		g.handMixed(lives, q.whole, shown)
	}
	q.clear()
}

// handOn hands lives to the detectors of which none is silent, one detector after the
// other.
func (g *Engine) handOn(lives []slip, all []whole, shown tracker.Sign) {
	for i := range g.at {
		at := &g.at[i]
		if at.fetch != nil {
			g.touched += at.fetch.fetch(lives)
		}
		switch {
		case at.batch != nil:
			g.inOrder(at, lives, all)
		case at.Signs&shown != 0:
			for k := range all {
				g.hand(at, &all[k])
			}
		}
	}
}

// inOrder hands lives, of which none is silent, to a detector that is content with slips.
func (g *Engine) inOrder(at *station, lives []slip, all []whole) {
	if len(lives) == 0 {
		return
	}
	first := lives[0].nth
	from := 0
	for k := range all {
		w := &all[k]
		nth := w.nth - int(first)
		if from < nth {
			at.batch.slips(lives[from:nth])
		}
		from = nth + 1
		g.hand(at, w)
	}
	if from < len(lives) {
		at.batch.slips(lives[from:])
	}
}

// handSilents hands on silent lives.
func (g *Engine) handSilents(lives []slip) {
	for i := range g.at {
		if h := g.at[i].hear; h != nil {
			h.silents(lives)
		}
	}
}

// handMixed hands on lives of which some are silent: each detector gets one run of
// either kind after the other.
func (g *Engine) handMixed(lives []slip, all []whole, shown tracker.Sign) {
	q := &g.queue
	for i := range g.at {
		at := &g.at[i]
		left := all
		for from := 0; from < len(lives); {
			n, silent := q.run(from)
			part := lives[from : from+n]
			from += n
			if silent {
				if at.hear != nil {
					at.hear.silents(part)
				}
				continue
			}
			k := 0
			for k < len(left) && left[k].nth < from {
				k++
			}
			if at.fetch != nil {
				g.touched += at.fetch.fetch(part)
			}
			switch {
			case at.batch != nil:
				g.inOrder(at, part, left[:k])
			case at.Signs&shown != 0:
				for j := range left[:k] {
					g.hand(at, &left[j])
				}
			}
			left = left[k:]
		}
	}
}

// hand hands a whole life to a detector that asks for it.
func (g *Engine) hand(at *station, w *whole) {
	if at.Signs&w.Signs != 0 {
		g.shared.slip, g.shared.trail = &g.queue.slips[w.nth], &w.trail
		g.shared.met = g.shared.slip.met
		at.w.Case(&w.Case)
	}
}
