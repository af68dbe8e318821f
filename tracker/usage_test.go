package tracker

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"tcpstate/capture"
)

// talker writes the segments of one connection, with numbers as TCP has them.
type talker struct {
	key  capture.Key
	side uint8 // of the client
	nxt  [2]uint32
	out  *[]capture.Segment
}

func newTalker(out *[]capture.Segment, client, server netip.AddrPort, isn uint32) *talker {
	k := capture.Key{LoPort: client.Port(), HiPort: server.Port()}
	c, s := client.Addr().As4(), server.Addr().As4()
	copy(k.Lo[:], c[:])
	copy(k.Hi[:], s[:])
	t := &talker{key: k, nxt: [2]uint32{isn, isn + 7e6}, out: out}
	if client.Compare(server) > 0 {
		t.key = capture.Key{Lo: k.Hi, LoPort: k.HiPort, Hi: k.Lo, HiPort: k.LoPort}
		t.side = 1
	}
	return t
}

// say sends a segment of the client (0) or the server (1).
func (t *talker) say(at int64, who int, flags uint8, n uint32) {
	s := capture.Segment{Time: at, Key: t.key, Side: t.side ^ uint8(who), Hash: t.key.Hash(), Flags: flags,
		Seq: t.nxt[who], Len: n, Window: 502, TTL: 64, VLAN: capture.NoVLAN, WScale: capture.NoWScale}
	if flags&capture.ACK != 0 {
		s.Ack = t.nxt[who^1]
	}
	t.nxt[who] += s.SeqLen()
	*t.out = append(*t.out, s)
}

// run sends segments, in order of time, through a tracker; end is when the
// capture ends.
func run(segs []capture.Segment, end int64, obs Observer) *Tracker {
	slices.SortStableFunc(segs, func(a, b capture.Segment) int { return cmp.Compare(a.Time, b.Time) })
	for i := range segs {
		segs[i].Frame, segs[i].IPID = uint64(i+1), uint16(i+1)
	}
	t := New(DefaultConfig(), obs)
	for _, b := range batches(segs) {
		t.Process(b)
	}
	t.Process(&capture.Batch{Now: end})
	t.Finish()
	return t
}

const (
	fS, fA, fF, fR, fP = capture.SYN, capture.ACK, capture.FIN, capture.RST, capture.PSH
	timeWait           = 60 * second
)

// interval is for how long something is counted: by which connection, and when
// its SYN, or its own FIN, was sent.
type interval struct {
	from, to int64
	began    int64
	client   netip.AddrPort
}

// model is what a connection is to be counted in.
type model struct {
	pair, service                        string
	used, wait, held, attempts, answered []interval
	opened                               []int64
	capture                              []capture.Segment
	client, server                       netip.AddrPort
}

// randomConn makes one connection that begins at t, and says what is to be
// counted of it. Its shape is drawn from r.
func randomConn(r *rand.Rand, client, server netip.AddrPort, t, end int64) *model {
	m := &model{client: client, server: server, pair: fmt.Sprint(client.Addr(), " ", server), service: server.String()}
	k := newTalker(&m.capture, client, server, r.Uint32())
	step := func() int64 { t += 1 + r.Int64N(40*ms); return t }
	m.opens(r, k, &t, step, end)
	return m
}

// opens plays one life, and tells when the server answered its SYN; 0 if not.
func (m *model) opens(r *rand.Rand, k *talker, t *int64, step func() int64, end int64) int64 {
	syn := *t
	k.say(syn, 0, fS, 0)
	switch r.IntN(8) {
	case 0: // nobody answers, it gives up
		m.attempts = append(m.attempts, interval{syn, syn + late(second), syn, m.client})
		return 0
	case 1: // refused
		rst := step()
		k.nxt[1] = 0
		k.say(rst, 1, fR|fA, 0)
		m.attempts = append(m.attempts, interval{syn, rst, syn, m.client})
		return 0 // not of the end that holds TIME-WAIT
	case 2: // answered, and abandoned in silence: given up with the SYN,ACK's timer
		sa := step()
		k.say(sa, 1, fS|fA, 0)
		m.attempts = append(m.attempts, interval{syn, sa + late(second), syn, m.client})
		m.answered = append(m.answered, interval{sa, sa + late(second), syn, m.client})
		return sa
	}
	sa := step()
	k.say(sa, 1, fS|fA, 0)
	done := step()
	k.say(done, 0, fA, 0)
	m.attempts = append(m.attempts, interval{syn, done, syn, m.client})
	m.answered = append(m.answered, interval{sa, done, syn, m.client})
	m.opened = append(m.opened, done)
	for range r.IntN(3) {
		k.say(step(), 0, fP|fA, 100)
		k.say(step(), 1, fP|fA, 1000)
		k.say(step(), 0, fA, 0)
	}
	k.say(step(), 1, fA, 0)
	var over int64 // 2MSL since the last FIN
	var free int64 // or the 4-tuple was taken before
	var ack, closed int64
	byServer := false
	switch r.IntN(5) {
	case 0: // left open
		m.used = append(m.used, interval{done, end + 1, syn, m.client})
		return sa
	case 1: // the client aborts
		over = step()
		k.say(over, 0, fR|fA, 0)
		m.used = append(m.used, interval{done, over, syn, m.client})
		return sa
	case 2, 3: // the client closes first
		closed = step()
		k.say(closed, 0, fF|fA, 0)
		if r.IntN(2) == 0 {
			k.say(step(), 1, fA, 0)
		}
		fin := step()
		k.say(fin, 1, fF|fA, 0)
		ack = step()
		k.say(ack, 0, fA, 0)
		over = fin + timeWait
		free = m.again(r, k, t, ack, over)
		m.wait = append(m.wait, interval{ack, free, closed, m.client})
		m.used = append(m.used, interval{done, free, syn, m.client})
	default: // the server closes first
		closed = step()
		k.say(closed, 1, fF|fA, 0)
		fin := step()
		k.say(fin, 0, fF|fA, 0)
		ack = step()
		k.say(ack, 1, fA, 0)
		over = fin + timeWait
		free = m.again(r, k, t, ack, over)
		m.used = append(m.used, interval{done, ack, syn, m.client})
		byServer = true
	}
	if free < over {
		k.nxt[0] += 100_000 // above what it sent before: a new life
		k.nxt[1] += 900_000
		free = m.opens(r, k, t, step, end)
		if free == 0 || free > over {
			free = over // the server's end heard of nothing
		}
	}
	if byServer {
		m.held = append(m.held, interval{ack, free, closed, m.client})
	}
	return sa
}

// again decides whether the 4-tuple is taken again while it is in TIME-WAIT,
// sets the time to that, and says when TIME-WAIT ends.
func (m *model) again(r *rand.Rand, k *talker, t *int64, ack, over int64) int64 {
	if r.IntN(3) > 0 {
		return over
	}
	*t = ack + second + r.Int64N(20*second)
	return *t
}

// slowPeak is the highest number of intervals that hold at one time, and when it
// is first reached: looked for at every beginning.
func slowPeak(all []interval, end int64) (top int, at int64) {
	slices.SortFunc(all, func(a, b interval) int { return cmp.Compare(a.from, b.from) })
	for i := range all {
		t := all[i].from
		if t > end {
			break
		}
		n := 0
		for _, x := range all[:i+1] {
			if x.from <= t && t < x.to {
				n++
			}
		}
		if n > top {
			top, at = n, t
		}
	}
	return top, at
}

// Peaks are the true maxima of what random connections hold, found by a count
// that looks at every instant.
func TestUsagePeaks(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		var segs []capture.Segment
		pairs, services := map[string]*model{}, map[string]*model{}
		start := int64(1.7e18)
		end := start + 200*second
		for i := range 120 {
			client := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(1 + r.IntN(2)*40)}), uint16(40000+i))
			server := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, 20}), uint16(80+r.IntN(2)))
			m := randomConn(r, client, server, start+r.Int64N(100*second), end)
			segs = append(segs, m.capture...)
			p, s := pairs[m.pair], services[m.service]
			if p == nil {
				p = &model{}
				pairs[m.pair] = p
			}
			if s == nil {
				s = &model{}
				services[m.service] = s
			}
			p.used, p.wait, p.opened = append(p.used, m.used...), append(p.wait, m.wait...), append(p.opened, m.opened...)
			s.held, s.attempts, s.answered = append(s.held, m.held...), append(s.attempts, m.attempts...), append(s.answered, m.answered...)
		}
		clients := map[[2]uint64]netip.AddrPort{}
		u := run(segs, end, Observer{Life: func(l *Life) {
			clients[[2]uint64{l.ID, uint64(l.Incarnation)}] = l.Ends[Client].Addr
		}}).Usage()
		check := func(what string, p *Peak, all []interval, detail int) {
			t.Helper()
			n, at := slowPeak(all, end)
			now := 0
			for _, x := range all {
				if x.from <= end && end < x.to {
					now++
				}
			}
			if n < detail {
				at = 0
			}
			if p.Max != n || p.At != at || p.Now != now {
				t.Errorf("seed %d, %s: peak %d at %d, now %d; want %d at %d, now %d", seed, what, p.Max, p.At-start, p.Now, n, at-start, now)
			}
			if len(p.Samples()) > maxSamples || (len(p.Samples()) == 0) != (n < detail) {
				t.Errorf("seed %d, %s: %d samples of %d", seed, what, len(p.Samples()), n)
			}
			for _, x := range p.Samples() {
				c, f := clients[[2]uint64{x.ID, uint64(x.Incarnation)}], segs[x.Frame-1].Time
				if !slices.ContainsFunc(all, func(i interval) bool {
					return i.client == c && i.from == f && i.from <= p.At && p.At < i.to && x.From != 0 && segs[x.From-1].Time == i.began
				}) {
					t.Errorf("seed %d, %s: %+v is no sample", seed, what, x)
				}
			}
		}
		n := 0
		for p := range u.Pairs {
			m := pairs[fmt.Sprint(p.Client, " ", p.Server)]
			check("used "+fmt.Sprint(p.Client, p.Server), &p.Used, m.used, Few)
			check("wait "+fmt.Sprint(p.Client, p.Server), &p.TimeWait, m.wait, 1)
			if p.Opened != len(m.opened) || p.First != slices.Min(m.opened) || p.Last != slices.Max(m.opened) {
				t.Errorf("seed %d: opened %d from %d to %d, want %d", seed, p.Opened, p.First, p.Last, len(m.opened))
			}
			n++
		}
		for s := range u.Services {
			m := services[s.Server.String()]
			check("held "+s.Server.String(), &s.TimeWait, m.held, 1)
			check("attempts "+s.Server.String(), &s.Attempts, m.attempts, Few)
			check("answered "+s.Server.String(), &s.Answered, m.answered, Few)
			n++
		}
		if n != len(pairs)+len(services) {
			t.Errorf("seed %d: %d groups, want %d", seed, n, len(pairs)+len(services))
		}
		if t.Failed() {
			return
		}
	}
}

// The marks tell when a count had reached a part of its peak.
func TestPeakReached(t *testing.T) {
	var u Usage
	var g tally
	for i := range int64(1000) { // one a second
		u.count(&g, 0, 1, &gain{time: (i + 1) * second, what: gainMore, name: uint32(i + 1)})
	}
	p := u.peak(&g)
	for _, level := range []int{250, 251, 500, 640, 900, 999} {
		n, at := p.Reached(level)
		if n < level || n > level+level/10 || at != int64(n)*second {
			t.Errorf("%d: %d at %d s", level, n, at/second)
		}
	}
	if n, at := p.Reached(1000); n != 1000 || at != 1000*second {
		t.Errorf("1000: %d at %d s", n, at/second)
	}
	if n, _ := p.Reached(10); n < 225 || n > 275 {
		t.Errorf("10: %d, and only the latest quarter is remembered", n)
	}
	for _, share := range []float64{0.25, 0.5, 0.9} {
		if v := p.Growth(share); v != 1 {
			t.Errorf("growth from %v: %v/s", share, v)
		}
	}
	if v := p.Growth(1); v != 0 {
		t.Errorf("growth from the peak: %v/s", v)
	}
	for i := range int64(1000) {
		u.less(&g, &gain{time: (2000 + i) * second, name: uint32(i + 1)})
	}
	if q := u.peak(&g); q.Now != 0 || q.Max != 1000 || q.At != p.At || len(q.Samples()) != maxSamples || q.Samples()[4] != p.Samples()[4] {
		t.Errorf("all gone: %+v", q)
	}
}

// What comes beyond the bound has no group, and what came before keeps its.
func TestGroupsAreBounded(t *testing.T) {
	var s index[listener]
	find := func(i int) uint32 {
		l := listener{addr: [16]byte{byte(i), byte(i >> 8), byte(i >> 16)}, port: uint16(i % 3)}
		n, _ := s.find(l, l.hash(), maxGroups)
		return n
	}
	for i := range maxGroups {
		if n := find(i); n != uint32(i+1) {
			t.Fatalf("group %d is %d", i, n)
		}
	}
	for i := range 100 {
		if n := find(maxGroups + i); n != 0 {
			t.Fatalf("beyond the bound: %d", n)
		}
		if n := find(i * 1000); n != uint32(i*1000+1) {
			t.Fatalf("group %d is %d", i*1000, n)
		}
	}
}

// TIME-WAIT that is presumed counts from its confirmation, and not at all
// before.
func TestUsagePresumed(t *testing.T) {
	var segs []capture.Segment
	k := newTalker(&segs, netip.MustParseAddrPort("10.0.0.1:40000"), netip.MustParseAddrPort("10.0.0.2:80"), 1000)
	at := func(n int64) int64 { return 1.7e18 + n*100*ms }
	k.say(at(0), 0, fS, 0)
	k.say(at(1), 1, fS|fA, 0)
	k.say(at(2), 0, fA, 0)
	k.say(at(3), 0, fF|fA, 0)
	k.say(at(4), 1, fF|fA, 0)
	for _, x := range []struct {
		name string
		more func()
		max  int
	}{
		{"the peer's FIN is on its way", func() {}, 0},
		{"it is acknowledged", func() { k.say(at(5), 0, fA, 0) }, 1},
	} {
		x.more()
		for p := range run(slices.Clone(segs), at(60), Observer{}).Usage().Pairs {
			if p.TimeWait.Max != x.max || p.Used.Max != 1 || p.Opened != 1 || p.LowPort != 40000 || p.HighPort != 40000 {
				t.Errorf("%s: %+v", x.name, p)
			}
		}
	}
}

// Nothing is counted of connections whose roles are guessed.
func TestUsageNeedsRoles(t *testing.T) {
	var segs []capture.Segment
	at := func(n int64) int64 { return 1.7e18 + n*100*ms }
	k := newTalker(&segs, netip.MustParseAddrPort("10.0.0.1:40000"), netip.MustParseAddrPort("10.0.0.2:80"), 1000)
	k.say(at(0), 0, fP|fA, 10)
	k.say(at(1), 1, fP|fA, 10)
	k.say(at(2), 0, fF|fA, 0)
	k.say(at(3), 1, fF|fA, 0)
	k.say(at(4), 0, fA, 0)
	u := run(segs, at(5), Observer{}).Usage()
	for p := range u.Pairs {
		t.Errorf("%+v", p)
	}
	for s := range u.Services {
		t.Errorf("%+v", s)
	}
}
