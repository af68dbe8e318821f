package tracker

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"tcpstate/capture"
)

// someTraffic is a capture of random connections between few hosts, with times
// that now and then run backwards.
func someTraffic(seed uint64, conns int) []capture.Segment {
	r := rand.New(rand.NewPCG(seed, 2))
	var segs []capture.Segment
	start := int64(1.7e18)
	for i := range conns {
		host := netip.AddrFrom4([4]byte{10, 0, 0, byte(1 + r.IntN(3)*40)})
		if r.IntN(4) == 0 {
			host = netip.AddrFrom4([4]byte{10, 0, byte(1 + i/250), byte(i % 250)})
		}
		m := randomConn(r, netip.AddrPortFrom(host, uint16(30000+i)), netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, 20}), uint16(80+r.IntN(2))),
			start+r.Int64N(30*second), start+200*second)
		segs = append(segs, m.capture...)
	}
	slices.SortStableFunc(segs, func(a, b capture.Segment) int { return cmp.Compare(a.Time, b.Time) })
	for i := range segs {
		s := &segs[i]
		s.Frame, s.IPID = uint64(i+1), uint16(i+1)
		if r.IntN(20) == 0 {
			s.Time -= r.Int64N(200 * ms)
		}
		if seed%2 == 1 && r.IntN(40) == 0 { // behind what timers wait for
			s.Time -= r.Int64N(8 * second)
		}
		if (s.Key.LoPort+s.Key.HiPort)%3 == 0 { // some of it is IPv6
			s.Key.V6 = true
		}
	}
	return segs
}

// deal follows a capture with several workers, each of which gets some of its
// connections, and merges what they write down. A life is named by the first frame of
// its number.
func deal(segs []capture.Segment, workers int, u *Usage) {
	all := make([]*Tracker, workers)
	logs := make([]*usageLog, workers)
	for i := range all {
		all[i] = New(DefaultConfig(), Observer{})
		all[i].usage.workers = uint32(workers)
		logs[i] = &all[i].usage.log
	}
	now := int64(0)
	clock := func(to int64) {
		for _, t := range all {
			t.now = to
			t.advance(to)
			t.usage.clock = to
		}
	}
	flush := func() {
		u.apply(logs...)
		for _, l := range logs {
			l.empty()
		}
	}
	for i := range segs {
		s := segs[i]
		if s.Time > now {
			now = s.Time
			clock(now)
		}
		t := all[int(s.Key.LoPort+s.Key.HiPort)/2%workers]
		t.totals.Streams = s.Frame
		t.segment(&s, 0)
		if i%97 == 0 {
			flush()
		}
	}
	clock(now + 30*second)
	flush()
}

// tell writes all that Usage says.
func tell(u *Usage) string {
	var b strings.Builder
	peak := func(p *Peak) {
		fmt.Fprint(&b, " [", p.Now, p.Max, p.At, p.Frame, p.First, p.Last, p.Samples())
		for _, share := range []float64{0.5, 0.8} {
			fmt.Fprint(&b, p.Growth(share), " ")
		}
		fmt.Fprint(&b, "]")
	}
	for p := range u.Pairs {
		fmt.Fprint(&b, p.Client, p.Server, " ", p.Opened, p.First, p.Last, p.LowPort, p.HighPort, p.UsedWaiting)
		peak(&p.Used)
		peak(&p.TimeWait)
		fmt.Fprintln(&b)
	}
	for s := range u.Services {
		fmt.Fprint(&b, s.Server)
		peak(&s.TimeWait)
		peak(&s.Attempts)
		peak(&s.Answered)
		fmt.Fprintln(&b)
	}
	fmt.Fprintln(&b, u.Lost)
	return b.String()
}

// However connections are dealt to workers, the counts are the same, and those
// of one tracker that knows the lives' numbers from the start.
func TestUsageIsDealt(t *testing.T) {
	for seed := range uint64(8) {
		segs := someTraffic(seed, 500)
		tr := New(DefaultConfig(), Observer{})
		numbers := map[uint64]uint64{}
		for i := range segs {
			before := tr.totals.Streams
			tr.Process(&capture.Batch{Segments: segs[i : i+1]})
			if tr.totals.Streams != before {
				numbers[segs[i].Frame] = before
			}
		}
		tr.Process(&capture.Batch{Now: tr.now + 30*second})
		want := tell(tr.Usage())
		if n := strings.Count(want, "\n"); n < 60 {
			t.Fatalf("seed %d: hardly any traffic, %d groups", seed, n)
		}
		for _, workers := range []int{1, 2, 7} {
			var u Usage
			deal(segs, workers, &u)
			u.resolve = func(name uint64) uint64 { return numbers[name] }
			if got := tell(&u); got != want {
				a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
				for i := range min(len(a), len(b)) {
					if a[i] != b[i] {
						t.Fatalf("seed %d, %d workers: line %d is\n%s\nnot\n%s", seed, workers, i, a[i], b[i])
					}
				}
				t.Fatalf("seed %d, %d workers: %d lines, not %d", seed, workers, len(a), len(b))
			}
		}
	}
}

// overfill fills a Usage with as many pairs as are told of whatever they hold.
func overfill(u *Usage) {
	l := usageLog{services: []listener{{port: 1}}}
	for i := range uint32(maxExact) {
		l.gains = append(l.gains, gain{time: 1.7e18, client: i, what: (gainMore | standing(inOpened)).of(1)})
	}
	u.apply(&usageLog{}, &l)
}

// Of pairs that come when there are many, less is remembered, but what they hold
// is counted as ever.
func TestUsageBeyondExact(t *testing.T) {
	segs := someTraffic(1, 500)
	var all, late Usage
	overfill(&late)
	// The last worker is the one that had the pairs before.
	deal(segs, 1, &all)
	deal(segs, 1, &late)
	found := map[string]*Pair{}
	for p := range late.Pairs {
		found[fmt.Sprint(p.Client, p.Server)] = p
	}
	alone := 0
	for p := range all.Pairs {
		q := found[fmt.Sprint(p.Client, p.Server)]
		if q == nil {
			if p.Used.Max > 1 || p.TimeWait.Max > 1 || p.Opened > 1 {
				t.Errorf("%v %v has %d: not told", p.Client, p.Server, p.Opened)
			}
			alone++
			continue
		}
		for _, x := range []struct {
			what string
			a, b *Peak
		}{{"used", &p.Used, &q.Used}, {"wait", &p.TimeWait, &q.TimeWait}} {
			a, b := *x.a, *x.b
			if a.Now != b.Now || a.Max != b.Max || a.At != b.At || a.First != b.First || a.Last != b.Last || a.Growth(0.5) != b.Growth(0.5) {
				t.Errorf("%v %v: %s %+v, want %+v", p.Client, p.Server, x.what, b, a)
			}
			if s := a.Samples(); a.Max >= Few && fmt.Sprint(s) != fmt.Sprint(b.Samples()) {
				t.Errorf("%v %v: %s of %v, want %v", p.Client, p.Server, x.what, b.Samples(), s)
			}
		}
		if p.Opened != q.Opened || p.LowPort != q.LowPort || p.HighPort != q.HighPort || p.UsedWaiting != q.UsedWaiting || p.Last != q.Last && p.Opened > 1 {
			t.Errorf("%+v, want %+v", q, p)
		}
	}
	if alone < 20 || len(found) < maxExact+4 {
		t.Errorf("%d pairs with one connection, %d told of", alone, len(found))
	}
}

// A table that is full forgets pairs that hold nothing, and only them: as many as
// it has cells for can hold something at a time.
func TestPairsAreBounded(t *testing.T) {
	var u Usage
	overfill(&u)
	l := usageLog{services: []listener{{port: 2}}}
	put := func(i int, more standing, bits counted) {
		l.gains = append(l.gains, gain{time: 1.7e18 + int64(i), client: uint32(i), what: (more | standing(bits)).of(1)})
		if len(l.gains) == 4096 {
			u.apply(&l)
			l.empty()
		}
	}
	const holding, passing = 600_000, 400_000
	for i := range holding {
		put(i, gainMore, inOpened|inUsed)
	}
	for i := range passing {
		put(holding+i, gainMore, inOpened|inUsed)
		put(holding+i, 0, inUsed)
	}
	if u.Lost != 0 || len(u.pairs.cells) != maxCells || u.pairs.n > maxCells {
		t.Errorf("%d lost; %d cells in use of %d", u.Lost, u.pairs.n, len(u.pairs.cells))
	}
	for i := range holding {
		put(i, gainMore, inWait)
	}
	u.apply(&l)
	l.empty()
	n := 0
	for _, c := range u.pairs.cells {
		if c.what.service() == 2 && c.what.in() == inUsed|inWait|inOpened {
			n++
		}
	}
	if n != holding || u.Lost != 0 {
		t.Errorf("%d pairs hold something, not %d; %d lost", n, holding, u.Lost)
	}
	for i := range maxCells - holding + 10_000 {
		put(holding+passing+i, gainMore, inOpened|inUsed)
	}
	u.apply(&l)
	if u.Lost == 0 || u.pairs.n > maxCells {
		t.Errorf("%d lost; %d cells in use of %d", u.Lost, u.pairs.n, len(u.pairs.cells))
	}
}

// A sample is found again though its connection goes on to count as another
// life.
func TestUsageRenames(t *testing.T) {
	var u Usage
	var g tally
	for _, x := range []gain{
		{what: gainMore, name: 1, life: lifeID(10, 0)}, {what: gainMore, name: 2, life: lifeID(20, 3)},
		{what: gainRenamed, name: 7, from: 1}, {name: 7}, {what: gainMore, name: 3, life: lifeID(30, 0)}, {what: gainMore, name: 4, life: lifeID(40, 0)},
	} {
		if x.what == 0 {
			u.less(&g, &x)
			continue
		}
		u.count(&g, 0, 1, &x)
	}
	p := u.peak(&g)
	if got := fmt.Sprint(p.Max, p.Samples()); got != "3 [{20 3 0 0} {40 0 0 0}]" {
		t.Error(got)
	}
}

// A timer that time ran back behind is overdue when it is set: it runs out when the clock
// goes on, whoever has it.
func TestUsageOfOverdueTimers(t *testing.T) {
	var want string
	for _, workers := range []int{1, 2, 3, 5, 8} {
		c := &crowd{p: NewParallel(DefaultConfig(), workers, Observer{Life: func(*Life) {}}), at: 1e18}
		for _, back := range []int64{5 * second, second + 1, late(second), late(second) - 1} {
			c.at += 20 * second
			now := c.at
			for i := range 64 {
				c.at = now
				c.say(i, 0, capture.SYN, 1, 0, 0)
				c.at = now - back
				c.say(100+i, 0, capture.SYN, 1, 0, 0)
			}
			c.at = now + second
			c.say(900, 0, capture.SYN, 1, 0, 0)
		}
		c.flush()
		got := tell(c.p.Usage())
		if want == "" {
			want = got
		} else if got != want {
			t.Errorf("%d workers:\n%s\nnot\n%s", workers, got, want)
		}
		c.p.Finish()
	}
}
