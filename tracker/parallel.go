package tracker

import (
	"slices"

	"tcpstate/capture"
)

// Parallel follows the connections of one capture with several trackers, each
// of which has the connections that their hash gives it, with a table of its
// own. What they find is put in order again and told from the goroutine that
// calls Parallel's methods. It is the same, to the octet, for any number of
// them; one works in the caller's goroutine and needs no putting in order.
//
// All workers go through all segments of a batch, and leave out those of other
// workers' connections: so each knows the time, and what the capture as a whole
// shows, as of each segment.
type Parallel struct {
	obs     Observer
	workers []*worker
	flight  []*capture.Batch // handed to the workers, the oldest first
	ready   []*transcript    // of the batch in hand, by worker
	closed  bool
	numbers numbers
	census  census
	usage   Usage
	gains   []*usageLog // of the batch in hand
}

// worker is a tracker in its own goroutine.
type worker struct {
	*Tracker
	in   chan *capture.Batch
	out  chan *transcript
	free chan *transcript
	done chan struct{}
}

// InFlight is how many batches the workers may have at a time, the one that
// is being told of included: they need not keep step.
const InFlight = 6

// NewParallel makes n trackers that report to obs. With Observer.Step there is
// only one.
func NewParallel(cfg Config, n int, obs Observer) *Parallel {
	p := &Parallel{obs: obs}
	if n < 1 || obs.Step != nil {
		n = 1
	}
	if n == 1 {
		p.workers = []*worker{{Tracker: New(cfg, obs)}}
		return p
	}
	p.usage.resolve = p.numbers.of
	for i := range n {
		w := &worker{Tracker: New(cfg, obs), in: make(chan *capture.Batch, InFlight), out: make(chan *transcript, InFlight),
			free: make(chan *transcript, InFlight), done: make(chan struct{})}
		w.shard(uint32(i), uint32(n), obs)
		for range InFlight {
			w.free <- new(transcript)
		}
		p.workers = append(p.workers, w)
		go w.run()
	}
	return p
}

func (w *worker) run() {
	defer close(w.done)
	for b := range w.in {
		j := <-w.free
		j.reset()
		w.log = j
		w.Process(b)
		j.gains, w.usage.log = w.usage.log, j.gains
		w.out <- j
	}
}

// Process hands a batch to the workers. It returns one that they are done with,
// of which everything was told, or nil: b itself where there is one worker.
func (p *Parallel) Process(b *capture.Batch) *capture.Batch {
	if len(p.workers) == 1 {
		p.workers[0].Process(b)
		return b
	}
	for _, w := range p.workers {
		w.in <- b
	}
	p.flight = append(p.flight, b)
	if len(p.flight) < InFlight {
		return nil
	}
	return p.Wait()
}

// Wait waits until everything of the oldest batch that the workers have was
// told, and returns it; nil if they have none.
func (p *Parallel) Wait() *capture.Batch {
	if len(p.flight) == 0 {
		return nil
	}
	b := p.flight[0]
	p.flight = slices.Delete(p.flight, 0, 1)
	p.ready = p.ready[:0]
	for _, w := range p.workers {
		p.ready = append(p.ready, <-w.out)
	}
	p.number()
	p.count(b)
	p.gains = p.gains[:0]
	for _, j := range p.ready {
		p.gains = append(p.gains, &j.gains)
	}
	p.usage.apply(p.gains...)
	p.tell()
	for i, w := range p.workers {
		w.free <- p.ready[i]
	}
	return b
}

// Finish ends the capture, as Tracker.Finish does. All batches must have been
// waited for.
func (p *Parallel) Finish() {
	if len(p.workers) == 1 {
		p.workers[0].Finish()
		return
	}
	p.Close()
	n := 0
	for _, w := range p.workers {
		<-w.done
		n += w.leave()
	}
	order := make([]leftover, 0, n)
	for i, w := range p.workers {
		order = w.left(order, i)
		w.close()
	}
	sortLeft(order)
	o := p.obs
	if o.Case != nil {
		o.Case = p.tellCase
	}
	if o.Life != nil {
		o.Life = func(l *Life) {
			p.rename(l)
			p.obs.Life(l)
		}
	}
	o.SilentCase, o.SilentLife = p.renamed(o.SilentCase), p.renamed(o.SilentLife)
	for _, x := range order {
		p.workers[x.worker].tellLeft(x, true, o)
	}
	if p.obs.Cases != nil {
		p.obs.Cases()
	}
	for _, x := range order {
		p.workers[x.worker].tellLeft(x, false, o)
	}
}

// Close lets the workers end, where Finish is not to be called or was.
func (p *Parallel) Close() {
	if p.closed || len(p.workers) == 1 {
		return
	}
	p.closed = true
	for _, w := range p.workers {
		close(w.in)
	}
}

// tellCase tells of a case whose life still has a worker's names.
func (p *Parallel) tellCase(c *Case) {
	l := *c.Life
	p.rename(&l)
	c.Life = &l
	p.obs.Case(c)
}

// renamed gives those that it tells of the numbers in place of the names.
func (p *Parallel) renamed(tell func(*Silent)) func(*Silent) {
	if tell == nil {
		return nil
	}
	return func(s *Silent) {
		s.ID = p.numbers.of(s.ID)
		tell(s)
	}
}

// rename gives a life the numbers in place of the names.
func (p *Parallel) rename(l *Life) {
	l.ID = p.numbers.of(l.ID)
	if l.Continues >= 0 {
		l.Continues = int64(p.numbers.of(uint64(l.Continues)))
	}
}

// Totals counts over all workers. Between batches it may be called at any time
// when none are in flight.
func (p *Parallel) Totals() Totals {
	var sum Totals
	for _, w := range p.workers {
		n := w.Totals()
		sum.add(&n)
	}
	return sum
}

// Census counts endpoints by state, as far as was told.
func (p *Parallel) Census() [NumStates]StateCount {
	if len(p.workers) == 1 {
		return p.workers[0].Census()
	}
	return p.census.counts()
}

// Usage tells what was counted, as far as was told.
func (p *Parallel) Usage() *Usage {
	if len(p.workers) == 1 {
		return p.workers[0].Usage()
	}
	return &p.usage
}
