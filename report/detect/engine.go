package detect

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// Options say what is looked for.
type Options struct {
	Values   Values
	Disabled map[string]bool // ids
	Min      Severity        // less is not told of
	OS       OS              // OSes["linux"] if empty
	TimeWait int64           // 2MSL, ns
}

// Engine hands cases to the detectors and gathers their findings.
type Engine struct {
	opts    Options
	at      []station
	slips   bool // all detectors are content with slips of ordinary lives
	most    int  // lives that wait together
	queue   queue
	touched uint64 // keeps what is fetched from being optimised away
	shared  *shared
	quality quality
	untold  missing
	of      *findingsOf
	hidden  []Finding
}

// station is a detector at work.
type station struct {
	*Detector
	w     Watcher
	batch batcher // w, or nil
	fetch fetcher // likewise
	hear  hearer  // likewise
}

// New sets the detectors to work that are not disabled.
func New(o Options) *Engine {
	if o.OS.Ports == 0 {
		o.OS = OSes["linux"]
	}
	g := &Engine{opts: o, shared: &shared{}, slips: true, most: waiting}
	g.queue.whole = make([]whole, 0, wholly)
	for _, d := range ordered(Catalogue) {
		if !o.Disabled[d.ID] {
			w := d.New(&Setup{detector: d, values: o.Values, OS: o.OS, TimeWait: o.TimeWait, shared: g.shared})
			b, ok := w.(batcher)
			f, _ := w.(fetcher)
			h, _ := w.(hearer)
			g.at = append(g.at, station{d, w, b, f, h})
			g.slips = g.slips && (ok || d.Signs&ordinary == 0)
		}
	}
	g.slips = g.slips && g.Trails()&ordinary == 0
	return g
}

// ordered sorts detectors so that those that swallow others come first, and
// otherwise as they are listed.
func ordered(all []*Detector) []*Detector {
	var out []*Detector
	done := map[string]bool{}
	for len(out) < len(all) {
		n := len(out)
	next:
		for _, d := range all {
			if done[d.ID] {
				continue
			}
			for _, other := range all {
				if !done[other.ID] && other != d && slices.Contains(other.Swallows, d.ID) {
					continue next
				}
			}
			done[d.ID] = true
			out = append(out, d)
		}
		if n == len(out) {
			panic("detect: detectors swallow each other in a circle")
		}
	}
	return out
}

// Case takes note of one life. It is what tracker.Observer.Case wants.
func (g *Engine) Case(c *tracker.Case) {
	q := &g.queue
	q.slips[q.n].fill(c)
	if g.slips && plain(c) {
		g.quality.addPlain(c)
	} else {
		g.quality.add(c)
		q.keep(c)
	}
	if c.Trail.Missing > 0 {
		g.untold.add(c)
	}
	if q.n++; q.n >= g.most || len(q.whole) == wholly {
		g.flush()
	}
}

// Trails are the signs of lives of which the trail is wanted: it may be left out
// of the case of a life that shows none of them.
func (g *Engine) Trails() tracker.Sign {
	s := ^(ordinary | tracker.SignStill)
	for i := range g.at {
		if w, ok := g.at[i].w.(interface{ trails() tracker.Sign }); ok {
			s |= w.trails()
		}
	}
	return s
}

// Context is what a detector knows when it raises its findings.
type Context struct {
	Stats  *capture.Stats
	Totals tracker.Totals
	Usage  *tracker.Usage
	// Doubts are what is doubtful about the whole capture.
	Doubts    Doubt
	engine    *Engine
	current   *Detector
	raised    []*Finding
	bySubject map[string]map[string]*Finding // the first that was raised, of the ids that were asked for
	swallows  map[string]*refSet             // by the id of whom it is taken from
	lost      map[string]int                 // by id: what its detector had no room for
}

// Start and End are the times of the capture's first and last packet.
func (x *Context) Start() int64 { return x.Stats.First }

// End is the counterpart of Start.
func (x *Context) End() int64 { return x.Stats.Last }

// Swallowed reports whether another finding tells of the connection in place
// of the detector's own.
func (x *Context) Swallowed(r Ref) bool { return x.swallows[x.current.ID].has(r) }

// crowded notes that the detector that is being asked had no room for so many connections,
// or events of them, of further subjects.
func (x *Context) crowded(n int) {
	if n == 0 {
		return
	}
	if x.lost == nil {
		x.lost = map[string]int{}
	}
	x.lost[x.current.ID] += n
}

// Raise takes a finding of the detector that is being asked. Subject, Count,
// First, Last and Evidence come from Group.Finding; ID and, where they are left
// out, Advice and Wireshark are filled in.
func (x *Context) Raise(f Finding) {
	d := x.current
	f.ID = d.ID
	if f.Advice == "" {
		f.Advice = d.Advice
	}
	if f.Wireshark == "" && f.later == nil {
		f.Wireshark = filter(f.Evidence.Connections, f.beyond)
	}
	q := &x.engine.quality
	if x.Doubts&d.Withheld != 0 {
		q.withheld = append(q.withheld, d.ID)
		return
	}
	if why := x.Doubts & d.Lowered; why != 0 && f.Severity > Note {
		q.lowered = append(q.lowered, d.ID)
		f.Explanation += fmt.Sprintf(" Lowered from %s: %s.", f.Severity, why.words())
		f.Severity = f.Severity.lower()
	}
	x.raised = append(x.raised, &f)
	told := f.refs
	if f.inPlace != nil {
		told = *f.inPlace
	}
	for _, id := range d.Swallows {
		if x.swallows[id] == nil {
			x.swallows[id] = &refSet{}
		}
		for _, r := range told {
			x.swallows[id].add(r)
		}
	}
}

// Ending is what is known when the capture is over.
type Ending struct {
	Stats  *capture.Stats
	Totals tracker.Totals
	Usage  *tracker.Usage
}

// Findings asks all detectors, and returns what they found: most severe first,
// then by id and subject. It is called once. What is shown of them has to be Worded.
func (g *Engine) Findings(e Ending) []Finding {
	g.flush()
	x := &Context{Stats: e.Stats, Totals: e.Totals, Usage: e.Usage, engine: g, bySubject: map[string]map[string]*Finding{}, swallows: map[string]*refSet{}}
	g.quality.judge(x)
	x.Doubts = g.quality.doubts
	for i := range g.at {
		x.current = g.at[i].Detector
		if x.current != CaptureQuality {
			g.at[i].w.Findings(x)
		}
		g.at[i] = station{} // what it kept is of no use any more
	}
	// Last, for it tells what was withheld; its judgement came first.
	if !g.opts.Disabled[CaptureQuality.ID] {
		x.current = CaptureQuality
		g.quality.raise(x)
	}
	g.at, g.shared = nil, nil
	var shown []*Finding // there may be tens of thousands, and they are large
	for _, f := range x.raised {
		f.untold = g.untold
		if f.Severity < g.opts.Min {
			g.hidden = append(g.hidden, *f)
		} else {
			shown = append(shown, f)
		}
	}
	slices.SortStableFunc(shown, func(a, b *Finding) int {
		return cmp.Or(-cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Subject, b.Subject))
	})
	var out []Finding
	if len(shown) > 0 {
		out = make([]Finding, len(shown))
	}
	for i, f := range shown {
		out[i] = *f
	}
	g.of = newFindingsOf(out)
	return out
}

// Hidden returns the findings below Options.Min, once Findings was called.
func (g *Engine) Hidden() []Finding { return g.hidden }

// Of returns the ids of the findings that a life is part of, once Findings
// was called.
func (g *Engine) Of(r Ref) []string { return g.of.ids(r) }

// filter selects the connections in Wireshark.
func filter(shown []Proven, beyond []uint64) string {
	var ids, frames []string
	for i := range shown {
		if id := strconv.FormatUint(shown[i].ID, 10); !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	for _, n := range beyond {
		frames = append(frames, strconv.FormatUint(n, 10))
	}
	if len(ids) == 0 {
		return ""
	}
	text := among("tcp.stream", ids)
	if len(frames) > 0 {
		text += " or " + among("frame.number", frames)
	}
	return text
}

// among is a display filter for a field that has one of the values.
func among(field string, values []string) string {
	if len(values) == 1 {
		return field + " == " + values[0]
	}
	return field + " in {" + strings.Join(values, ", ") + "}"
}

// instant is a packet time.
func instant(ns int64) time.Time { return time.Unix(0, ns).UTC() }

// seconds is a duration for a metric.
func seconds(ns int64) float64 { return float64(ns) / 1e9 }
