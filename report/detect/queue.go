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
	slips [waiting]slip
	n     int
	whole []whole // those of which a slip does not say all, in order
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
}

// flush hands on all lives that wait.
func (g *Engine) flush() {
	q := &g.queue
	lives := q.slips[:q.n]
	sh := g.shared
	for i := range lives {
		l := &lives[i]
		l.server, l.nth = sh.services.of(l.host[tracker.Server], &l.listener), uint8(i)
	}
	g.touched += sh.services.fetch(lives)
	sh.services.add(lives)
	sh.tries.told = [waiting]bool{}
	shown := q.restore()
	for i := range g.at {
		at := &g.at[i]
		if at.fetch != nil {
			g.touched += at.fetch.fetch(lives)
		}
		switch {
		case at.batch != nil:
			from := 0
			for k := range q.whole {
				w := &q.whole[k]
				if from < w.nth {
					at.batch.slips(lives[from:w.nth])
				}
				from = w.nth + 1
				g.hand(at, w)
			}
			if from < len(lives) {
				at.batch.slips(lives[from:])
			}
		case at.Signs&shown != 0:
			for k := range q.whole {
				g.hand(at, &q.whole[k])
			}
		}
	}
	q.clear()
}

// hand hands a whole life to a detector that asks for it.
func (g *Engine) hand(at *station, w *whole) {
	if at.Signs&w.Signs != 0 {
		g.shared.slip, g.shared.trail = &g.queue.slips[w.nth], &w.trail
		g.shared.met = g.shared.slip.met
		at.w.Case(&w.Case)
	}
}
