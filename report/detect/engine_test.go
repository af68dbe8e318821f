package detect

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// fake is a detector that finds something in every life that shows a sign.
func fake(id string, sign tracker.Sign, s Severity) *Detector {
	return &Detector{ID: id, Subject: "server A:P", Advice: "Do it.", Signs: sign,
		New: func(set *Setup) Watcher { return &fakeWatcher{severity: s} }}
}

type fakeWatcher struct {
	severity Severity
	bag      Bag[netip.AddrPort, int]
}

func (w *fakeWatcher) Case(c *tracker.Case) {
	w.bag.Add(c.Addr(tracker.Server), c, c.Life.Start, c.Life.End, 0, func() []Proof { return []Proof{{c.Life.FirstFrame, "it"}} })
}

func (w *fakeWatcher) Findings(x *Context) {
	for _, g := range w.bag.Groups(x) {
		f := g.Finding(Server(g.Key))
		f.Severity, f.Blame, f.Explanation = w.severity, BlameServer, "It is so."
		x.Raise(f)
	}
}

var fakeServer = netip.MustParseAddrPort("10.0.0.2:80")

// life is a case of one life.
func life(id uint64, signs tracker.Sign) *tracker.Case {
	l := &tracker.Life{ID: id, Start: int64(id) * 1e9, End: int64(id)*1e9 + 5e8, FirstFrame: id + 1, Continues: -1}
	l.Ends[tracker.Client].Addr = netip.MustParseAddrPort("10.0.0.1:40022")
	l.Ends[tracker.Server].Addr = fakeServer
	return &tracker.Case{Life: l, Signs: signs | tracker.SignLife}
}

// found runs an engine with these detectors over cases, and returns what it
// found as "severity id count".
func found(t *testing.T, o Options, st capture.Stats, catalogue []*Detector, cases ...*tracker.Case) (g *Engine, all []Finding, short []string) {
	t.Helper()
	was := Catalogue
	Catalogue = append(catalogue, CaptureQuality)
	defer func() { Catalogue = was }()
	g = New(o)
	for _, c := range cases {
		g.Case(c)
	}
	all = g.Told(Ending{Stats: &st, Usage: &tracker.Usage{}})
	for i := range all {
		short = append(short, fmt.Sprintf("%s %s %d", all[i].Severity, all[i].ID, all[i].Count))
	}
	return g, all, short
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got %q, not %q", got, want)
	}
}

func TestOrdered(t *testing.T) {
	a, b, c, d := &Detector{ID: "a"}, &Detector{ID: "b"}, &Detector{ID: "c"}, &Detector{ID: "d"}
	c.Swallows, d.Swallows = []string{"a"}, []string{"c", "nobody"}
	var ids []string
	for _, x := range ordered([]*Detector{a, b, c, d}) {
		ids = append(ids, x.ID)
	}
	same(t, ids, "b", "d", "c", "a")
	a.Swallows = []string{"d"}
	defer func() {
		if recover() == nil {
			t.Error("a circle passes")
		}
	}()
	ordered([]*Detector{a, b, c, d})
}

func TestSwallowing(t *testing.T) {
	small, big := fake("small", tracker.SignLife, Warning), fake("big", tracker.SignRst, Error)
	big.Swallows = []string{"small"}
	all := []*Detector{small, big}
	cases := []*tracker.Case{life(0, 0), life(1, tracker.SignRst), life(2, 0)}
	g, _, short := found(t, Options{}, capture.Stats{}, all, cases...)
	same(t, short, "error big 1", "warning small 2")
	same(t, g.Of(Ref{1, 0}), "big")
	same(t, g.Of(Ref{2, 0}), "small")
	same(t, g.Of(Ref{3, 0}))

	_, _, short = found(t, Options{}, capture.Stats{}, all, life(1, tracker.SignRst))
	same(t, short, "error big 1") // nothing is left of small
	_, _, short = found(t, Options{Disabled: map[string]bool{"big": true}}, capture.Stats{}, all, cases...)
	same(t, short, "warning small 3") // who is not at work swallows nothing

	// Who swallows is asked first, and what was swallowed swallows no more.
	smaller := fake("smaller", tracker.SignLife, Note)
	small.Swallows = []string{"smaller"}
	_, _, short = found(t, Options{}, capture.Stats{}, []*Detector{smaller, small, big}, cases...)
	same(t, short, "error big 1", "warning small 2", "note smaller 1")

	// What was withheld swallows nothing either.
	big.Withheld = Missed
	_, _, short = found(t, Options{}, capture.Stats{Dropped: 1}, []*Detector{small, big}, cases...)
	same(t, short, "warning capture-quality 1", "warning small 3")
}

func TestWithheldAndLowered(t *testing.T) {
	sure, unsure, lost := fake("sure", tracker.SignLife, Error), fake("unsure", tracker.SignLife, Error), fake("lost", tracker.SignRst, Warning)
	minor := fake("minor", tracker.SignLife, Note)
	unsure.Lowered, minor.Lowered, lost.Withheld = Missed|Backwards, Missed, Missed|Damaged
	sure.Withheld, sure.Lowered = Damaged, OneDirection
	all := []*Detector{sure, unsure, lost, minor}
	cases := []*tracker.Case{life(0, 0), life(1, tracker.SignRst)}

	_, _, short := found(t, Options{}, capture.Stats{}, all, cases...)
	same(t, short, "error sure 2", "error unsure 2", "warning lost 1", "note minor 2")

	_, fs, short := found(t, Options{}, capture.Stats{IfDropped: 7, Packets: 93}, all, cases...)
	same(t, short, "error sure 2", "warning capture-quality 1", "warning unsure 2", "note minor 2")
	if want := "It is so. Lowered from error: the capture lost packets."; fs[2].Explanation != want {
		t.Errorf("explains %q, not %q", fs[2].Explanation, want)
	}
	q := fs[1]
	if want := "The capturing side dropped 7 frames (7 % of all). It cost 1 finding withheld (lost), 1 finding lowered (unsure)."; q.Explanation != want {
		t.Errorf("explains %q, not %q", q.Explanation, want)
	}
	for name, want := range map[string]float64{"withheld": 1, "lowered": 1, "dropped_by_interface": 7} {
		if got, ok := q.Metrics.Get(name); !ok || got != want {
			t.Errorf("%s is %v", name, got)
		}
	}

	// With nothing to withhold it is a note; disabled, it still judges.
	_, _, short = found(t, Options{}, capture.Stats{Dropped: 1}, []*Detector{lost}, life(0, 0))
	same(t, short, "note capture-quality 1")
	_, _, short = found(t, Options{Disabled: map[string]bool{"capture-quality": true}}, capture.Stats{Dropped: 1}, []*Detector{lost}, cases...)
	same(t, short)
}

// What cost findings is told first, whatever weighs more otherwise.
func TestQualityTellsTheGuiltyFirst(t *testing.T) {
	late := fake("late", tracker.SignLife, Warning)
	late.Withheld = Late
	c := life(0, 0)
	c.Life.Midstream = true
	_, fs, short := found(t, Options{}, capture.Stats{Dropped: 1, Packets: 9}, []*Detector{late}, c)
	same(t, short, "warning capture-quality 2")
	if want := "100 % of the connections (1 of 1) began before the capture. The capturing side dropped 1 frame"; !strings.HasPrefix(fs[0].Explanation, want) {
		t.Errorf("explains %q", fs[0].Explanation)
	}
}

func TestMinSeverity(t *testing.T) {
	all := []*Detector{fake("a", tracker.SignLife, Note), fake("b", tracker.SignLife, Error)}
	g, _, short := found(t, Options{Min: Warning}, capture.Stats{}, all, life(0, 0))
	same(t, short, "error b 1")
	same(t, g.Of(Ref{0, 0}), "b")
}

// A detector is shown the lives that show one of its signs, and no others.
func TestSigns(t *testing.T) {
	all := []*Detector{fake("either", tracker.SignRst|tracker.SignFin, Note), fake("none", 0, Note)}
	_, _, short := found(t, Options{}, capture.Stats{}, all, life(0, tracker.SignRst), life(1, tracker.SignFin|tracker.SignRst), life(2, tracker.SignSyn))
	same(t, short, "note either 2")
}
