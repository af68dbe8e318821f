package detect

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
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
	opts     Options
	at       []station
	bySign   [signs]stations // who asked for lives that show it
	touchers []toucher
	touched  uint64 // keeps touch from being optimised away
	shared   *shared
	quality  quality
	of       *findingsOf
	hidden   []Finding
}

// signs is how many there may be.
const signs = 32

// stations is a set of indices of Engine.at.
type stations [2]uint64

// station is a detector at work.
type station struct {
	*Detector
	w Watcher
}

// New sets the detectors to work that are not disabled.
func New(o Options) *Engine {
	if o.OS.Ports == 0 {
		o.OS = OSes["linux"]
	}
	g := &Engine{opts: o, shared: &shared{}}
	for _, d := range ordered(Catalogue) {
		if !o.Disabled[d.ID] {
			n := len(g.at)
			g.at = append(g.at, station{d, d.New(&Setup{detector: d, values: o.Values, OS: o.OS, TimeWait: o.TimeWait, shared: g.shared})})
			if w, ok := g.at[n].w.(toucher); ok {
				g.touchers = append(g.touchers, w)
			}
			for i := range g.bySign {
				if d.Signs>>i&1 != 0 {
					g.bySign[i][n/64] |= 1 << (n % 64)
				}
			}
		}
	}
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
	g.shared.meet(c)
	g.touch(c)
	g.shared.services.add(c, g.shared.server)
	g.quality.add(c)
	var ask stations
	for s := c.Signs; s != 0; s &= s - 1 {
		b := &g.bySign[bits.TrailingZeros32(uint32(s))]
		ask[0] |= b[0]
		ask[1] |= b[1]
	}
	for k, set := range ask {
		for ; set != 0; set &= set - 1 {
			g.at[64*k+bits.TrailingZeros64(set)].w.Case(c)
		}
	}
}

// toucher is a watcher that keeps something for each life in a large table.
type toucher interface {
	// touch reads from where it will be kept.
	touch(c *tracker.Case) uint64
}

// touch looks at all the places in memory to which the case will be noted, before
// it is. They are not in the processor's caches, for millions of segments of others
// came since; asked for together they come at the same time, and not one after the
// other.
func (g *Engine) touch(c *tracker.Case) {
	n := g.shared.services.touch(g.shared.server)
	for _, w := range g.touchers {
		n += w.touch(c)
	}
	g.touched = n
}

// ordinary are the signs of lives in which everything goes well: they are
// diagnosed by what is in the life and its ends' accounts.
const ordinary = tracker.SignLife | tracker.SignSyn | tracker.SignDone | tracker.SignFin

// Trails are the signs of lives of which the trail is wanted: it may be left out
// of the case of a life that shows none of them.
func (g *Engine) Trails() tracker.Sign {
	s := ^ordinary
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
	Doubts   Doubt
	engine   *Engine
	current  *Detector
	raised   []Finding
	swallows map[string]*refSet // by the id of whom it is taken from
}

// Start and End are the times of the capture's first and last packet.
func (x *Context) Start() int64 { return x.Stats.First }

// End is the counterpart of Start.
func (x *Context) End() int64 { return x.Stats.Last }

// Swallowed reports whether another finding tells of the connection in place
// of the detector's own.
func (x *Context) Swallowed(r Ref) bool { return x.swallows[x.current.ID].has(r) }

// Raise takes a finding of the detector that is being asked. Subject, Count,
// First, Last and Evidence come from Group.Finding; ID and, where they are left
// out, Advice and Wireshark are filled in.
func (x *Context) Raise(f Finding) {
	d := x.current
	f.ID = d.ID
	if f.Advice == "" {
		f.Advice = d.Advice
	}
	if f.Wireshark == "" {
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
	x.raised = append(x.raised, f)
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
// then by id and subject. It is called once.
func (g *Engine) Findings(e Ending) []Finding {
	x := &Context{Stats: e.Stats, Totals: e.Totals, Usage: e.Usage, engine: g, swallows: map[string]*refSet{}}
	g.quality.judge(x)
	x.Doubts = g.quality.doubts
	for i := range g.at {
		x.current = g.at[i].Detector
		if x.current != CaptureQuality {
			g.at[i].w.Findings(x)
		}
	}
	// Last, for it tells what was withheld; its judgement came first.
	if !g.opts.Disabled[CaptureQuality.ID] {
		x.current = CaptureQuality
		g.quality.raise(x)
	}
	var out []Finding
	for _, f := range x.raised {
		if f.Severity < g.opts.Min {
			g.hidden = append(g.hidden, f)
		} else {
			out = append(out, f)
		}
	}
	slices.SortStableFunc(out, func(a, b Finding) int {
		return cmp.Or(-cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Subject, b.Subject))
	})
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
		if id := fmt.Sprint(shown[i].ID); !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	for _, n := range beyond {
		frames = append(frames, fmt.Sprint(n))
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
