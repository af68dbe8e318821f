package main

import (
	"cmp"
	"errors"
	"io"
	"math"
	"strings"
	"time"

	"tcpstate/capture"
	"tcpstate/report"
	"tcpstate/tracker"
)

// sniff captures from an interface until it is told to end, and tells how it goes
// meanwhile: on a screen, at intervals, to who scrapes metrics.
func (c *cli) sniff(f *flags) error {
	intr := watchSignals()
	defer intr.stop()
	s := &sniffer{cli: c, f: f, intr: intr}
	if err := s.open(); err != nil {
		s.abandon()
		return err
	}
	return s.run()
}

// sniffer is one live capture.
type sniffer struct {
	*cli
	f       *flags
	intr    *interrupts
	src     capture.Source
	outs    []*liveOutput
	report  *report.Report
	tracker *tracker.Parallel
	feed    feed // for the screen and the metrics
	keeper  *keeper
	metrics *metricsServer
	rec     *recorder // -w; nil without
	failed  bool      // and nothing is written any more
	screen  *shown
	curtain curtain // before standard output

	now      int64 // packet time; math.MinInt64 before there is any
	stats    capture.Stats
	looks    pace
	shows    pace
	interval pace
	begun    bool
}

const (
	// lookEvery is how often it is asked what is wrong, if that does not take long.
	lookEvery = time.Second
	// showEvery is how often the screen gets something new, and metricsEvery the metrics.
	showEvery    = 250 * time.Millisecond
	metricsEvery = time.Second
	// beat is how often the loop looks around while nothing is captured.
	beat = 50 * time.Millisecond
	// liveGrace is how long what the kernel has captured may take to be followed.
	liveGrace = 10 * time.Second
	// A look, or what is shown, takes at most this share of the time.
	lookShare, showShare = 20, 10
)

// pace spaces out what takes time: it comes every so often, and less often if it takes
// more than a share of that.
type pace struct{ next time.Time }

func (p *pace) due(now time.Time) bool { return !now.Before(p.next) }

// done says that it began at a time and has ended, and comes again every d.
func (p *pace) done(began time.Time, d time.Duration, share int) {
	p.next = began.Add(max(d, time.Duration(share)*time.Since(began)))
}

// open opens everything that needs rights or may fail.
func (s *sniffer) open() (err error) {
	who, err := s.checkUser(s.f)
	if err != nil {
		return err
	}
	if s.src, err = s.openLive(s.f); err != nil {
		return err
	}
	if s.outs, err = s.openLiveOutputs(s.f); err != nil {
		return err
	}
	if s.rec, err = s.newRecorder(s.f, true); err != nil {
		return err
	}
	if s.metrics, err = s.serveMetrics(s.f.metrics, s.feed.Snapshot); err != nil {
		return err
	}
	if s.metrics != nil {
		s.feed.every = metricsEvery
	}
	// All is open.
	var keep remains
	for _, o := range s.outs {
		if o.file != nil {
			keep.files = append(keep.files, o.file)
		}
	}
	keep.packets(s.rec)
	holds, err := s.confine(who, keep)
	if err != nil {
		return err
	}
	if s.f.verbose {
		s.complain("%s", strings.Join(holds, "; "))
	}
	o := s.f.report
	o.Zone, o.MaxMemory = time.Local, s.f.tracker.MaxMemory
	o.Live = &report.LiveOptions{Interface: s.f.iface, Filter: s.f.selection.Filter, Interval: s.f.interval,
		Term: termOf(s.f.tracker.MaxMemory)}
	for _, x := range s.outs {
		if x.file == nil {
			s.curtain.w, x.W = x.W, &s.curtain
		}
		o.Outputs = append(o.Outputs, x.Output)
	}
	s.report = report.New(o)
	obs := s.report.Observer()
	if s.f.annotate {
		obs.Step = s.rec.step
	}
	if s.wantScreen(s.f) {
		obs.Trails = 0 // of all: somebody may ask for a connection's ladder
	}
	s.tracker = tracker.NewParallel(s.f.lives(s.report), s.f.workers, obs)
	s.now = math.MinInt64
	return nil
}

// abandon closes what was opened, where not all could be.
func (s *sniffer) abandon() {
	if s.src != nil {
		s.src.Close()
	}
	for _, o := range s.outs {
		o.close()
	}
	s.rec.discard()
	s.metrics.close()
}

// run captures and reports.
func (s *sniffer) run() error {
	s.keeper = keep(s.f.tracker.MaxMemory)
	defer sparing(s.f.tracker.MaxMemory, s.keeper.limit)()
	defer s.tracker.Close()
	s.metrics.start()
	defer s.metrics.close()
	s.screen = s.show()
	defer s.screen.close() // also when a mistake of ours ends the program
	e, err := s.follow()
	if failed := s.screen.close(); failed != nil {
		s.complain("%v", failed)
	}
	if err == nil {
		err = s.finish(&e)
	}
	switch written := quiet(s.rec.close()); {
	case written == nil || s.failed:
	case s.alone():
		err = cmp.Or(err, written)
	default:
		s.failed = true
		s.complain("%v", written)
	}
	for _, o := range s.outs {
		if closed := o.close(); err == nil {
			err = closed
		}
	}
	if n := s.lost().Lines; n > 0 {
		s.complain("%d lines of output were dropped: who reads them was too slow", n)
	}
	if errors.Is(err, errUnread) {
		s.complain("%v", err)
		err = nil
	}
	if err == nil {
		s.sayStep(s.report)
		err = s.verdict(s.f, e)
	} else if err = quiet(err); err != nil {
		return err
	}
	// Who closed our output has seen enough, but not what the findings come to.
	if failed := s.fail(s.f, s.report); err == nil {
		err = failed
	}
	if s.failed { // it was told of: the packets are not all there
		err = statusError{code: exitUsage}
	}
	return err
}

// follow goes on until the capture ends, by itself or because somebody wants it to.
// Its error is that of an output.
func (s *sniffer) follow() (ending, error) {
	rd := startReader(s.src)
	defer rd.quit()
	heart := time.NewTicker(beat)
	defer heart.Stop()
	var (
		e     ending
		grace <-chan time.Time // until the source has to have ended
		over  <-chan time.Time // --duration
	)
	if s.f.duration > 0 {
		over = time.After(s.f.duration)
	}
	end := func() {
		if grace == nil {
			s.src.(capture.Stopper).Stop() // what is in the kernel is still read
			grace = time.After(liveGrace)
		}
	}
	interim, stop := watchInterim()
	defer stop()
	sig, left := s.intr.c, s.screen.left()
	start := time.Now()
	s.interval.next, s.looks.next = start.Add(s.f.interval), start.Add(lookEvery)
	for e.err == nil {
		select {
		case m := <-rd.full:
			e.stats, e.err = m.stats, m.err
			s.take(&m)
			rd.giveBack(m.batch, true)
		case <-left:
			left = nil
			end()
		case <-heart.C:
		case <-interim:
			if s.begun {
				s.look()
				s.report.Interim(s.standing())
			}
		case <-sig:
			e.interrupted, sig = true, nil
			s.screen.leave() // a second one ends the program as it is
			end()
		case <-over:
			over = nil
			end()
		case <-grace:
			e.err = io.EOF
		}
		s.meanwhile(time.Now())
		if err := s.report.Err(); err != nil {
			return e, err
		}
		if err := s.rec.fault(); err != nil && s.alone() {
			return e, err
		}
	}
	if errors.Is(e.err, io.EOF) {
		e.err = nil
	}
	return e, nil
}

// take follows a batch.
func (s *sniffer) take(m *filled) {
	if news := linkNews(s.f.iface, s.stats.Link, m.stats.Link); news != "" {
		s.complain("%s", news)
	}
	s.stats = m.stats
	b := m.batch
	if b.Clock > s.now {
		s.now = b.Clock
	}
	if !s.begun && m.stats.Packets > 0 {
		s.begun = true
		s.report.Begin(&s.stats)
	}
	s.rec.note(&s.stats)
	if len(b.Segments) == 0 && b.Now == 0 && len(b.Frames) == 0 {
		return
	}
	done := s.tracker.Process(b)
	for done == nil {
		done = s.tracker.Wait()
	}
	s.report.Batch(b)
	s.rec.batch(b)
	if err := s.rec.fault(); err != nil && !s.failed && !s.alone() {
		s.failed = true
		if quiet(err) != nil {
			s.complain("%v; the capture goes on without", err)
		}
	}
}

// alone reports whether nobody sees anything but the packets: when they can be written no
// more, the capture is over.
func (s *sniffer) alone() bool { return len(s.outs) == 0 && s.metrics == nil }

// standing is what the report looks at.
func (s *sniffer) standing() *report.Standing {
	return &report.Standing{Now: s.now, Stats: &s.stats, Tracker: s.tracker, Lost: s.lost()}
}

// lost is what slow outputs cost so far.
func (s *sniffer) lost() (n report.Lost) {
	for _, o := range s.outs {
		n.Lines += o.lost()
	}
	n.Packets = s.rec.lost()
	return n
}

func (s *sniffer) look() {
	began := time.Now()
	s.report.Look(s.standing())
	s.looks.done(began, lookEvery, lookShare)
}

// meanwhile does what is to be done from time to time.
func (s *sniffer) meanwhile(now time.Time) {
	defer s.report.Flush()
	s.keeper.watch(now, s.tracker)
	if !s.begun {
		return
	}
	if s.looks.due(now) {
		s.look()
	}
	if s.interval.due(now) {
		s.report.Interval(s.standing())
		s.interval.done(now, s.f.interval, showShare)
	}
	if s.shows.due(now) && s.feed.wanted() {
		s.feed.put(s.report.Snapshot(s.standing(), s.feed.query()))
		s.shows.done(now, s.feed.every, showShare)
	}
}

// finish writes the report at the end.
func (s *sniffer) finish(e *ending) error {
	for _, o := range s.outs {
		o.last()
	}
	for s.tracker.Wait() != nil {
	}
	s.report.Ending(&e.stats, s.tracker.Totals(), s.tracker.Usage())
	s.tracker.Finish()
	return s.report.End(&e.stats, s.tracker.Totals(), s.tracker.Census())
}
