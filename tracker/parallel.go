package tracker

import (
	"slices"

	"tcpstate/capture"
)

// Parallel follows the connections of one capture with as many workers as
// processors are to be kept busy. What they find is told from the goroutine that calls
// Parallel's methods, and is the same, to the octet, for any number of them.
//
// One is a tracker in the caller's goroutine. Of two, one is a tracker in a goroutine
// of its own, and the caller works out what the lives come to that are over (drawn.go),
// counts and tells: neither does anything that the other does, too. Of more, all but the
// caller are trackers, each of which has the connections that their hash gives it,
// with a table of its own; what they find is put in order again.
//
// All trackers go through all segments of a batch, and leave out those of other
// trackers' connections: so each knows the time, and what the capture as a whole
// shows, as of each segment.
type Parallel struct {
	obs     Observer
	workers []*worker        // the trackers
	flight  []*capture.Batch // handed to the workers, the oldest first
	ready   []*transcript    // of the batch in hand, by worker
	closed  bool
	alone   bool     // one tracker, in the caller's goroutine
	teller  *Tracker // of what is drawn, where there is one tracker in its own
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
	quit chan struct{} // closed where nobody tells any more
	done chan struct{}
}

// InFlight is how many batches the workers may have at a time, the one that
// is being told of included: they need not keep step.
const InFlight = 6

// NewParallel makes n workers that report to obs. With Observer.Step or Config.Forget
// there is one.
func NewParallel(cfg Config, n int, obs Observer) *Parallel {
	p := &Parallel{obs: obs}
	if n < 1 || obs.Step != nil || cfg.Forget > 0 {
		n = 1
	}
	if n == 1 {
		p.alone = true
		p.workers = []*worker{{Tracker: New(cfg, obs)}}
		return p
	}
	n--
	if n == 1 {
		p.teller = newTeller(cfg, obs)
	} else {
		p.usage.resolve = p.numbers.of
	}
	for i := range n {
		w := &worker{Tracker: New(cfg, obs), in: make(chan *capture.Batch, InFlight), out: make(chan *transcript, InFlight),
			free: make(chan *transcript, InFlight), quit: make(chan struct{}), done: make(chan struct{})}
		w.shard(uint32(i), uint32(n), obs)
		if n == 1 {
			w.part = w.handOver
		}
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
		w.take()
		w.Process(b)
		w.log.last = true
		w.give()
	}
}

// take gets a transcript to write into.
func (w *worker) take() {
	select {
	case w.log = <-w.free:
		w.log.reset()
	case <-w.quit:
		w.log = new(transcript)
	}
}

// give hands the transcript on to who tells.
func (w *worker) give() {
	j := w.log
	j.gains, w.usage.log = w.usage.log, j.gains
	select {
	case w.out <- j:
	case <-w.quit:
	}
}

// handOver gives what is written down so far of the batch in hand, if it is much: all
// timers of a flood may run out at once, and transcripts are no part of what lives may
// take. It waits until an earlier one was told.
func (w *worker) handOver() {
	if len(w.log.items) >= partItems {
		w.give()
		w.take()
	}
}

// partItems is how much is much. It is looked at after as many timers or folds again.
const partItems = 2 * capture.BatchSize

// Process hands a batch to the workers. It returns one that they are done with,
// of which everything was told, or nil: b itself where there is one worker.
func (p *Parallel) Process(b *capture.Batch) *capture.Batch {
	if p.alone {
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
	for last := false; !last; {
		p.ready = p.ready[:0]
		for _, w := range p.workers {
			p.ready = append(p.ready, <-w.out)
		}
		last = p.ready[0].last // others than one have no parts
		p.told(b)
	}
	return b
}

// told tells what the transcripts at hand say of b, and gives them back.
func (p *Parallel) told(b *capture.Batch) {
	if p.teller == nil {
		p.number()
	}
	p.count(b)
	p.gains = p.gains[:0]
	for _, j := range p.ready {
		p.gains = append(p.gains, &j.gains)
	}
	p.usage.apply(p.gains...)
	p.tell()
	for i, w := range p.workers {
		p.ready[i].shed()
		w.free <- p.ready[i]
	}
}

// Finish ends the capture, as Tracker.Finish does. All batches must have been
// waited for.
func (p *Parallel) Finish() {
	if p.alone {
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
	if p.closed || p.alone {
		return
	}
	p.closed = true
	for _, w := range p.workers {
		close(w.quit)
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
		s.ID = p.of(s.ID)
		tell(s)
	}
}

// of is the number of what a tracker names so. One that has no others gives the
// numbers itself.
func (p *Parallel) of(name uint64) uint64 {
	if len(p.workers) == 1 {
		return name
	}
	return p.numbers.of(name)
}

// rename gives a life the numbers in place of the names.
func (p *Parallel) rename(l *Life) {
	if len(p.workers) == 1 {
		return
	}
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

// Census counts endpoints by state. It may be called when Totals may.
func (p *Parallel) Census() [NumStates]StateCount {
	if p.counts() {
		return p.workers[0].Census()
	}
	return p.census.counts()
}

// counts reports that the only tracker counts endpoints itself.
func (p *Parallel) counts() bool { return len(p.workers) == 1 && p.workers[0].census.t == nil }

// Usage tells what was counted, as far as was told.
func (p *Parallel) Usage() *Usage {
	if p.alone {
		return p.workers[0].Usage()
	}
	return &p.usage
}
