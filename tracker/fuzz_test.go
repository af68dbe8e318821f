package tracker

import (
	"encoding/binary"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tcpstate/capture"
	"tcpstate/reassembly"
)

// fuzzRecord is how many octets of input make one segment.
const fuzzRecord = 6

// fuzzKeys are the 4-tuples that a fuzzed capture uses: two usual ones and a
// connection to itself.
var fuzzKeys = [...]capture.Key{
	{Lo: [16]byte{10, 0, 0, 1}, Hi: [16]byte{10, 0, 0, 2}, LoPort: 40022, HiPort: 80},
	{Lo: [16]byte{10, 0, 0, 1}, Hi: [16]byte{10, 0, 0, 2}, LoPort: 40022, HiPort: 8080},
	{Lo: [16]byte{127, 0, 0, 1}, Hi: [16]byte{127, 0, 0, 1}, LoPort: 5000, HiPort: 5000},
}

var fuzzFlags = [...]uint8{
	capture.ACK, capture.ACK, capture.PSH | capture.ACK, capture.SYN, capture.SYN | capture.ACK,
	capture.FIN | capture.ACK, capture.FIN | capture.ACK, capture.RST, capture.RST | capture.ACK,
	capture.SYN | capture.FIN, 0, capture.FIN, capture.SYN | capture.RST, capture.FIN | capture.RST | capture.ACK,
	capture.SYN | capture.ECE | capture.CWR, 0xff,
}

// fuzzDelays are times between segments: from a copy's to a keepalive's.
var fuzzDelays = [...]int64{0, 1, 10_000, ms, 4 * ms, 20 * ms, 36 * ms, 100 * ms, 200 * ms, 600 * ms, second, 2 * second, 4 * second, 59 * second, 61 * second, 8000 * second}

// fuzzSegments makes segments of any octets. Numbers are mostly those that a
// TCP would send next, and sometimes not, so that conversations come about;
// time never runs back.
func fuzzSegments(data []byte) []capture.Segment {
	var segs []capture.Segment
	var next [len(fuzzKeys)][2]uint32
	for i := range next {
		next[i] = [2]uint32{0xfffffff0, 1000}
	}
	now := int64(1e18)
	for ; len(data) >= fuzzRecord; data = data[fuzzRecord:] {
		b := data[:fuzzRecord]
		k := int(b[0]>>1) % len(fuzzKeys)
		side := b[0] & 1
		if fuzzKeys[k].Self() {
			side = 0
		}
		now += fuzzDelays[b[5]&15]
		s := capture.Segment{Time: now, Frame: uint64(len(segs) + 1), Key: fuzzKeys[k], Side: side, Hash: uint32(k) * 77,
			Flags: fuzzFlags[b[1]&15], Window: 0xffff, TTL: 64, VLAN: capture.NoVLAN, WScale: capture.NoWScale}
		peer := side ^ 1
		if fuzzKeys[k].Self() {
			peer = side
		}
		s.Seq, s.Ack = fuzzNumber(next[k][side], b[2]), fuzzNumber(next[k][peer], b[3])
		if s.Flags&(capture.SYN|capture.RST) == 0 || b[1]&0x80 != 0 {
			s.Len = uint32(b[4] & 15)
		}
		if b[4]&0x10 != 0 {
			s.Window = 0
		}
		if b[4]&0x20 != 0 {
			s.IPID = uint16(len(segs))
		}
		switch b[4] >> 6 {
		case 1:
			if b[5]&0xf0 == 0xf0 {
				s.Mark = 1 << (b[4] & 7)
				if s.Mark&capture.Quoted != 0 {
					s.Len = 0
				}
			}
		case 2:
			s.Opts |= capture.OptWScale
			s.WScale = b[4] & 15
		}
		if end := s.Seq + s.SeqLen(); b[2] < 0xc0 {
			next[k][side] = end
		}
		segs = append(segs, s)
	}
	return segs
}

// fuzzNumber is the expected number, or one near or far from it.
func fuzzNumber(next uint32, b byte) uint32 {
	switch {
	case b < 0x80:
		return next
	case b < 0xf0:
		return next + uint32(int32(int8(b<<1))/8)
	case b < 0xf8:
		return next + uint32(b)<<12 // another ISN, newer
	default:
		return next - uint32(b)<<12 // older
	}
}

// mirror follows one endpoint by what is told of it.
type mirror struct {
	path []EndState
}

func (m *mirror) top() EndState {
	if len(m.path) == 0 {
		return EndState{Closed, Presumed}
	}
	return m.path[len(m.path)-1]
}

// watcher checks what an Observer is told.
type watcher struct {
	t       *testing.T
	ends    map[capture.Key]*[2]mirror
	after   map[capture.Key][2]EndState // of the latest Step
	all     []Transition
	lives   []Life
	lastAt  int64
	reports map[[2]uint64]bool
	cases   map[[2]uint64]bool
	done    bool // all cases were told
}

func newWatcher(t *testing.T) *watcher {
	return &watcher{t: t, ends: map[capture.Key]*[2]mirror{}, after: map[capture.Key][2]EndState{}, reports: map[[2]uint64]bool{}, cases: map[[2]uint64]bool{}}
}

func (w *watcher) observer() Observer {
	return Observer{Transition: w.transition, Life: w.life, Step: w.step, Case: w.judge, Cases: func() { w.done = true }}
}

func (w *watcher) transition(x *Transition) {
	w.all = append(w.all, *x)
	if x.Time < w.lastAt {
		w.t.Errorf("time runs back from %d to %d: %+v", w.lastAt, x.Time, *x)
	}
	w.lastAt = x.Time
	if w.ends[x.Key] == nil {
		w.ends[x.Key] = &[2]mirror{}
	}
	side := x.Side
	if x.Key.Self() {
		side = 0
	}
	m := &w.ends[x.Key][side]
	was := m.top()
	if x.From != was.State {
		w.t.Errorf("it was in %v: %+v", was.State, *x)
	}
	if x.Rule == RuleNone || x.Rule >= NumRules {
		w.t.Errorf("no rule: %+v", *x)
	}
	switch {
	case x.Certainty == Revoked:
		// Confirmed states do not fall, but for a RST that was forged.
		own := x.Rule == RuleTalksAfterOwnRst
		for first := true; len(m.path) > 0 && (first || m.top().State != x.To); first = false {
			if m.top().Certainty == Confirmed && !own {
				w.t.Errorf("%v was confirmed: %+v", m.top().State, *x)
			}
			own = false
			m.path = m.path[:len(m.path)-1]
		}
		if m.top().State != x.To {
			w.t.Errorf("revoked to %v, where it never was: %+v", x.To, *x)
		}
	case x.From == x.To && len(m.path) > 0:
		// The same state is told again when it is confirmed, or when a new
		// life begins in it.
		if x.Certainty == Presumed && x.Rule != RuleSyn && x.Rule != RuleSynAck && x.Rule != RuleSynUnseen {
			w.t.Errorf("no change: %+v", *x)
		}
		m.path[len(m.path)-1].Certainty = x.Certainty
	default:
		switch x.Rule {
		case RuleSyn, RuleSynAck, RuleSynUnseen:
			m.path = m.path[:0] // a new life
		}
		m.path = append(m.path, EndState{x.To, x.Certainty})
		if len(m.path) > pathLen {
			m.path = m.path[1:]
		}
	}
}

func (w *watcher) life(l *Life) {
	id := [2]uint64{l.ID, uint64(l.Incarnation)}
	if w.reports[id] {
		w.t.Errorf("life %v is reported twice", id)
	}
	if !w.cases[id] {
		w.t.Errorf("life %v was no case before", id)
	}
	w.reports[id] = true
	w.lives = append(w.lives, *l)
	if l.Start > l.End || l.FirstFrame > l.LastFrame || l.HalfClosedFor < 0 || l.Close >= NumCloseKinds || l.ResetAs >= NumResetClasses {
		w.t.Errorf("%+v", *l)
	}
}

// judge checks a case: one for each life, its trail in order and within bounds.
func (w *watcher) judge(c *Case) {
	id := [2]uint64{c.Life.ID, uint64(c.Life.Incarnation)}
	if w.cases[id] || w.done {
		w.t.Errorf("case %v is told twice, or too late", id)
	}
	w.cases[id] = true
	if n := len(c.Trail.Events); n > trailBlocks*blockLen {
		w.t.Errorf("%d events", n)
	}
	last := uint64(0)
	for i := range c.Trail.Events {
		e := &c.Trail.Events[i]
		if e.Frame <= last || e.Frame > c.Life.LastFrame && !e.Is(Quoted) || (e.Frame < c.Life.FirstFrame) != e.Is(Earlier) {
			w.t.Errorf("case %v, frame %d after %d: %+v", id, e.Frame, last, *e)
		}
		last = e.Frame
		if e.From > 1 || e.Is(Quoted) && int(e.Quote) >= len(c.Trail.Quotes) {
			w.t.Errorf("%+v", *e)
		}
	}
	for i := range c.Ends {
		a := &c.Ends[i]
		if a.Repeated > a.DataSegments || a.Spurious > a.Repeated || a.DataSegments > a.Segments || a.Answered > c.Ends[0].Probes+c.Ends[1].Probes ||
			a.LongestStall > a.Stalled || a.LongestStall < 0 || uint64(a.TTLSeen) > a.Segments {
			w.t.Errorf("%+v", *a)
		}
	}
}

func (w *watcher) step(s *Step) {
	if was, ok := w.after[s.Segment.Key]; ok && len(s.Timers) == 0 && was != s.Before {
		w.t.Errorf("frame %d: %v before it, %v after the one before", s.Segment.Frame, s.Before, was)
	}
	w.after[s.Segment.Key] = s.After
	if s.Class >= reassembly.NumClasses {
		w.t.Errorf("class %d", s.Class)
	}
}

// settle checks the insides of a tracker against what was told.
func (w *watcher) settle(t *Tracker) {
	var want [NumStates][3]uint64
	for slot := range t.table.entries.n {
		c := &t.table.at(slot).conn
		for side := range c.ends {
			if side == 1 && c.Key.Self() {
				continue
			}
			e := &c.ends[side]
			if e.depth > pathLen {
				w.t.Fatalf("depth %d", e.depth)
			}
			for i, p := range e.path[:e.depth] {
				if p.state() >= NumStates || p.state() == Listen || p.certainty() > Elapsed || i > 0 && p.state() == e.path[i-1].state() {
					w.t.Errorf("path %v", e.path[:e.depth])
				}
			}
			if (e.timer == timerNone) != (e.due == 0) {
				w.t.Errorf("timer %d is due at %d", e.timer, e.due)
			}
			if c.mode&(begun|carried) == 0 {
				continue
			}
			want[e.state()][e.certainty()]++
			if m := w.ends[c.Key]; m != nil && m[side].top().State != e.state() {
				w.t.Errorf("side %d of %d is in %v, and %v was told last", side, c.id, e.state(), m[side].top().State)
			}
		}
	}
	for s, n := range t.Census() {
		if got := [3]uint64{n.Presumed, n.Confirmed, n.Elapsed}; got != want[s] {
			w.t.Errorf("census of %v is %v, and %v are", State(s), got, want[s])
		}
		if n.Presumed+n.Confirmed+n.Elapsed > n.Peak {
			w.t.Errorf("more in %v than at its peak: %+v", State(s), n)
		}
	}
}

// watch sends segments through a tracker, in batches of that size, and checks.
func watch(t *testing.T, segs []capture.Segment, size int) *watcher {
	t.Helper()
	w := newWatcher(t)
	tr := New(DefaultConfig(), w.observer())
	for b := range slices.Chunk(segs, size) {
		tr.Process(&capture.Batch{Segments: slices.Clone(b)})
		w.settle(tr)
	}
	tr.Finish()
	if n := tr.Totals().Lives; n != uint64(len(w.lives)) {
		t.Errorf("%d lives, %d reported", n, len(w.lives))
	}
	return w
}

// Whatever the segments: no panic, and what is told of them hangs together.
func FuzzTracker(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(randomRecords(seed, 40))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		segs := fuzzSegments(data[:min(len(data), 400*fuzzRecord)])
		w := watch(t, segs, 1)
		whole := watch(t, segs, len(segs)+1)
		if !slices.Equal(w.all, whole.all) { // Diff is slow
			t.Errorf("one by one and in one batch differ:\n%s", cmp.Diff(w.all, whole.all))
		}
		if !reflect.DeepEqual(w.lives, whole.lives) {
			t.Errorf("one by one and in one batch differ:\n%s", cmp.Diff(w.lives, whole.lives, sameAddr))
		}
		// A segment changes nothing that was told before it.
		half := watch(t, segs[:len(segs)/2], 1)
		if n := len(half.all); n > len(w.all) || !slices.Equal(half.all, w.all[:n]) {
			t.Errorf("half the segments give other transitions:\n%s", cmp.Diff(half.all, w.all[:min(n, len(w.all))]))
		}
	})
}

var sameAddr = cmp.Comparer(func(a, b End) bool { return a == b })

// randomRecords are records for fuzzSegments, mostly well behaved.
func randomRecords(seed uint64, n int) []byte {
	rng := rand.New(rand.NewPCG(seed, 1))
	var data []byte
	for range n {
		var r [8]byte
		binary.LittleEndian.PutUint64(r[:], rng.Uint64())
		if rng.IntN(4) > 0 {
			r[0] &= 1
			r[2] &= 0x7f
			r[3] &= 0x7f
			r[5] &= 7
		}
		data = append(data, r[:fuzzRecord]...)
	}
	return data
}

// The same for many seeds, without a fuzzer.
func TestTrackerAnySegments(t *testing.T) {
	n := uint64(500)
	if testing.Short() {
		n = 50
	}
	for seed := range n {
		w := watch(t, fuzzSegments(randomRecords(seed, 60)), 1)
		if t.Failed() {
			t.Fatalf("seed %d, %d transitions", seed, len(w.all))
		}
	}
}

// A Conn, too, takes any segments; it finds what the Tracker finds until the
// 4-tuple lives again.
func FuzzConn(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(randomRecords(seed, 20))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var c Conn
		for _, s := range fuzzSegments(data[:min(len(data), 400*fuzzRecord)]) {
			if s.Key != fuzzKeys[0] || s.Mark&(capture.Quoted|capture.Unselected) != 0 {
				continue
			}
			step := c.Apply(&s)
			for side := range uint8(2) {
				if got := c.End(side); got != step.After[side] {
					t.Errorf("frame %d: side %d is in %v after the step and in %v", s.Frame, side, step.After[side], got)
				}
			}
		}
		if l := c.Life(); l.Close >= NumCloseKinds {
			t.Errorf("%+v", l)
		}
	})
}
