package detect_test

import (
	"time"

	"tcpstate/capture"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// played is a capture after its analysis.
type played struct {
	stats    capture.Stats
	findings []detect.Finding
	frames   map[uint64]capture.Key     // all frames
	lives    map[detect.Ref]capture.Key // all lives
	engine   *detect.Engine
	bare     []detect.Finding // what is found without the trails that are not wanted, and of lives in batches
}

// play analyses the first n segments, in batches of size; their hashes are
// mixed with salt.
func (s *script) play(n, size int, salt uint32) *played {
	p := &played{stats: s.stats}
	a := newAnalysis(p, detect.Options{Values: s.values, OS: s.os}, s.timeWait)
	st := &p.stats
	st.Packets, st.TotalBytes = uint64(n), -1
	for i := range s.segments[:n] {
		x := &s.segments[i]
		if i == 0 {
			st.First, st.Last = x.Time, x.Time
		}
		st.Last = max(st.Last, x.Time)
		if x.Mark&capture.Quoted != 0 {
			st.Quotes++
		} else {
			st.Segments++
			st.Selected++
		}
		if x.Mark&capture.TimeBack != 0 {
			st.TimeBack++
			st.BackBy = max(st.BackBy, s.segments[i-1].Time-x.Time)
		}
	}
	b := &capture.Batch{}
	for rest := s.segments[:n]; len(rest) > 0; {
		k := min(size, len(rest))
		b.Reset()
		for _, x := range rest[:k] {
			x.Hash ^= salt
			if x.Mark&capture.Quoted != 0 {
				b.Quotes = append(b.Quotes, s.quotes[x.Len])
				x.Len = uint32(len(b.Quotes) - 1)
			}
			b.Segments = append(b.Segments, x)
			b.Now = max(b.Now, x.Time)
		}
		a.batch(b)
		rest = rest[k:]
	}
	if end := playStart + int64(s.end); n == len(s.segments) && end > st.Last {
		st.Last = end
		b.Reset()
		b.Now = end
		a.batch(b)
	}
	a.end()
	return p
}

// analysis is the way from segments to findings, as the program goes it.
type analysis struct {
	*played
	tracker *tracker.Tracker
	bare    *detect.Engine
}

func newAnalysis(p *played, o detect.Options, timeWait time.Duration) *analysis {
	p.frames, p.lives = map[uint64]capture.Key{}, map[detect.Ref]capture.Key{}
	cfg := tracker.DefaultConfig()
	cfg.TimeWait = timeWait
	o.TimeWait = int64(timeWait)
	p.engine = detect.New(o)
	p.engine.OneByOne()
	bare := detect.New(o)
	trails := bare.Trails()
	return &analysis{p, tracker.New(cfg, tracker.Observer{Case: func(c *tracker.Case) {
		p.lives[detect.RefOf(c)] = c.Life.Key
		p.engine.Case(c)
		without := *c
		if c.Signs&trails == 0 {
			without.Trail = tracker.Trail{}
		}
		bare.Case(&without)
	}}), bare}
}

func (a *analysis) batch(b *capture.Batch) {
	for i := range b.Segments {
		if s := &b.Segments[i]; s.Mark&capture.Unselected == 0 {
			a.frames[s.Frame] = s.Key
		}
	}
	a.tracker.Process(b)
}

func (a *analysis) end() {
	a.tracker.Finish()
	e := detect.Ending{Stats: &a.stats, Totals: a.tracker.Totals(), Usage: a.tracker.Usage()}
	a.findings = a.engine.Told(e)
	a.played.bare = a.bare.Told(e)
}

// only returns the findings of one id.
func (p *played) only(id string) (out []detect.Finding) {
	for _, f := range p.findings {
		if f.ID == id {
			out = append(out, f)
		}
	}
	return out
}
