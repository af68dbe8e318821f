package main

import (
	"io"
	"math/rand/v2"
	"slices"
	"unsafe"

	"tcpstate/capture"
)

// churn makes the segments of a busy place as they would pass an interface: so many
// connections begin in each second, live for some seconds, and end in all the ways in
// which connections do. Nothing of it repeats, however long it goes on.
type churn struct {
	rate  float64    // connections that begin, a second
	mean  float64    // seconds that one lives
	left  int        // connections that have not begun yet
	next  int64      // when the next begins, ns
	rnd   *rand.Rand // seeded
	queue []churning // a heap: whose turn comes first
	frame uint64
	began int
	of    int
	clock int64
	stats capture.Stats
	free  []int
	all   []talker
}

// churning is a connection and when it goes on.
type churning struct {
	at int64
	of int
}

// talker is a connection on its way.
type talker struct {
	key  capture.Key
	hash uint32
	side uint8 // the client's
	seq  [2]uint32
	id   [2]uint16
	acts []act // that are left
	last capture.Segment
}

// act is one segment: who sends it, after which part of the churned, and what it is.
type act struct {
	by    uint8 // 0 the client
	flags uint8
	len   uint16
	after float32 // of the churned's mean length; below 0: ns
	how   how
}

type how uint8

const (
	once    how = iota
	lost        // after the vantage point: it is sent again
	missed      // nobody captured it
	again       // the same segment as the one before, sent again
	foreign     // its number lies a little beyond what was sent
)

const (
	churnStart   = int64(1_700_000_000e9)
	churnServers = 200
	churnRegular = 3000 // clients that come back
)

const (
	sa = capture.SYN | capture.ACK
	fa = capture.FIN | capture.ACK
	pa = capture.PSH | capture.ACK
)

// opens is how an ordinary one begins, asks the way it goes on.
var (
	opens = []act{{0, capture.SYN, 0, 0, once}, {1, sa, 0, -20e6, once}, {0, capture.ACK, 0, -100e3, once}}
	asks  = []act{{0, pa, 300, -50e3, once}, {1, pa, 1400, -30e6, once}, {1, pa, 900, -100e3, once}, {0, capture.ACK, 0, -20e6, once}}
	pause = []act{{0, pa, 120, 1, once}, {1, pa, 700, -30e6, once}, {0, capture.ACK, 0, -20e6, once}}
	byCli = []act{{0, fa, 0, 0.1, once}, {1, fa, 0, -20e6, once}, {0, capture.ACK, 0, -20e6, once}}
	bySrv = []act{{1, fa, 0, 0.1, once}, {0, fa, 0, -20e6, once}, {1, capture.ACK, 0, -20e6, once}}
)

// courses are the ways of connections, with how often they are taken, in thousandths.
var courses = inARow([]churnCourse{
	{740, [][]act{opens, asks, pause, byCli}, nil},
	{100, [][]act{opens, asks, pause, bySrv}, nil},
	// Both close at once: both are in TIME-WAIT.
	{10, [][]act{opens, asks, pause, {{0, fa, 0, 0, once}, {1, fa, 0, -100, foreign}, {0, capture.ACK, 0, -20e6, once}, {1, capture.ACK, 0, -20e6, once}}}, nil},
	// Segments that are sent again, and that nobody captured.
	{40, [][]act{opens, {{0, pa, 300, -50e3, lost}, {0, pa, 300, -300e6, again}, {1, pa, 1400, -30e6, once}, {0, capture.ACK, 0, -20e6, once}}, pause, byCli}, nil},
	{10, [][]act{opens, {{0, pa, 300, -50e3, once}, {1, pa, 1400, -30e6, missed}, {1, pa, 900, -20e6, once}, {0, capture.ACK, 0, -20e6, once}}, pause, byCli}, nil},
	{10, [][]act{opens, asks, pause, {{0, fa, 0, 0, once}, {0, fa, 0, -250e6, again}, {1, fa, 0, -20e6, once}, {0, capture.ACK, 0, -20e6, once}}}, nil},
	// Resets: of either end, refused, with payload unread, and by nobody who asks.
	{20, [][]act{opens, asks, pause, {{0, capture.RST | capture.ACK, 0, 0, once}}}, nil},
	{15, [][]act{opens, asks, {{1, capture.RST, 0, 1, once}}}, nil},
	{25, [][]act{{{0, capture.SYN, 0, 0, once}, {1, capture.RST | capture.ACK, 0, -20e6, once}}}, nil},
	// Nobody answers, with and without another try, and the handshake is given up.
	{6, [][]act{{{0, capture.SYN, 0, 0, once}, {0, capture.SYN, 0, -1000e6, again}, {0, capture.SYN, 0, -2000e6, again}}}, nil},
	{6, [][]act{{{0, capture.SYN, 0, 0, once}}}, nil},
	{4, [][]act{{{0, capture.SYN, 0, 0, once}, {1, sa, 0, -20e6, once}, {0, capture.RST, 0, -100e3, once}}}, nil},
	// Half-closed: the other end goes on for a while, or is reset, or never closes.
	{8, [][]act{opens, asks, {{0, fa, 0, 0, once}, {1, capture.ACK, 0, -20e6, once}}, {{1, pa, 700, 1, once}, {0, capture.ACK, 0, -20e6, once}, {1, fa, 0, 0.5, once}, {0, capture.ACK, 0, -20e6, once}}}, nil},
	{2, [][]act{opens, asks, {{1, fa, 0, 0, once}, {0, capture.ACK, 0, -20e6, once}, {0, pa, 200, 1, once}, {1, capture.RST, 0, -20e6, once}}}, nil},
	// It began before the capture, and it lacks its beginning.
	{3, [][]act{asks, pause, byCli}, nil},
	// Probes of an idle one.
	{1, [][]act{opens, asks, {{0, capture.ACK, 0, 2, foreign}, {1, capture.ACK, 0, -20e6, once}, {0, capture.ACK, 0, 2, foreign}, {1, capture.ACK, 0, -20e6, once}}, byCli}, nil},
})

// churnCourse is one way.
type churnCourse struct {
	share int
	acts  [][]act
	all   []act // the acts in a row
}

func inARow(all []churnCourse) []churnCourse {
	for i := range all {
		all[i].all = slices.Concat(all[i].acts...)
	}
	return all
}

// newChurn makes n connections in all, rate a second, of which open live at a time.
func newChurn(n int, rate, open float64) *churn {
	c := &churn{rate: rate, mean: open / rate, left: n, of: n, rnd: rand.New(rand.NewPCG(1, 2)), next: churnStart, clock: churnStart}
	return c
}

// Next fills a batch, as capture.Source does.
func (c *churn) Next(b *capture.Batch) error {
	b.Reset()
	b.Start = c.clock
	for len(b.Segments) < capture.BatchSize {
		switch {
		case c.left > 0 && (len(c.queue) == 0 || c.next <= c.queue[0].at):
			c.begin()
		case len(c.queue) > 0:
			c.act(b)
		default:
			return c.done(b, io.EOF)
		}
	}
	return c.done(b, nil)
}

func (c *churn) done(b *capture.Batch, err error) error {
	b.Now, b.Clock = c.clock, c.clock
	c.stats.Packets, c.stats.Segments, c.stats.Selected = c.frame, c.frame, c.frame
	c.stats.First, c.stats.Last = churnStart, c.clock
	return err
}

// begin begins a connection.
func (c *churn) begin() {
	c.left--
	c.began++
	if len(c.free) == 0 {
		c.free = append(c.free, len(c.all))
		c.all = append(c.all, talker{})
	}
	i := c.free[len(c.free)-1]
	c.free = c.free[:len(c.free)-1]
	l := &c.all[i]
	*l = talker{seq: [2]uint32{c.rnd.Uint32(), c.rnd.Uint32()}, id: [2]uint16{uint16(c.rnd.Uint32()), uint16(c.rnd.Uint32())}}
	at := c.rnd.IntN(1000)
	for i := range courses {
		if at -= courses[i].share; at < 0 {
			l.acts = courses[i].all
			break
		}
	}
	c.name(l)
	c.push(churning{c.next, i})
	c.next += int64(c.rnd.ExpFloat64() / c.rate * 1e9)
}

// name gives it its addresses and ports.
func (c *churn) name(l *talker) {
	client, server := c.rnd.Uint32(), c.rnd.Uint32N(churnServers)
	if client&1 == 0 {
		client %= churnRegular // the others never come back
	}
	sport, dport := uint16(32768+c.rnd.Uint32N(28000)), [...]uint16{443, 443, 80, 5432, 22}[server%5]
	if c.rnd.Uint32N(500) == 0 {
		dport = uint16(1 + c.rnd.Uint32N(30000)) // somebody looks for what there is
	}
	from, to := [16]byte{byte(client >> 24), byte(client >> 16), byte(client >> 8), byte(client)}, [16]byte{198, 18, byte(server >> 8), byte(server)}
	if l.key.V6 = client%10 == 3; l.key.V6 {
		from = [16]byte{0x20, 1, 0xd, 0xb8, 1, 12: byte(client >> 24), 13: byte(client >> 16), 14: byte(client >> 8), 15: byte(client)}
		to = [16]byte{0x20, 1, 0xd, 0xb8, 2, 15: byte(server)}
	}
	l.key.Lo, l.key.Hi, l.key.LoPort, l.key.HiPort = from, to, sport, dport
	if string(from[:]) > string(to[:]) {
		l.key.Lo, l.key.Hi, l.key.LoPort, l.key.HiPort, l.side = to, from, dport, sport, 1
	}
	l.hash = l.key.Hash()
}

// act lets whose turn it is send a segment.
func (c *churn) act(b *capture.Batch) {
	x := c.queue[0]
	l := &c.all[x.of]
	a := l.acts[0]
	l.acts = l.acts[1:]
	c.clock = x.at
	s := capture.Segment{Key: l.key, Hash: l.hash, Side: a.by ^ l.side, Flags: a.flags, Len: uint32(a.len), Window: 502,
		TTL: 64 - 7*a.by, VLAN: capture.NoVLAN, WScale: capture.NoWScale, HdrLen: 66}
	s.Seq, s.Ack = l.seq[a.by], l.seq[a.by^1]
	switch {
	case a.how == again:
		s = l.last
	case a.how == foreign && a.flags&capture.FIN != 0:
		s.Ack-- // it crosses the other's FIN
	case a.how == foreign:
		s.Seq--
	case a.flags&capture.RST != 0 && a.flags&capture.ACK == 0 && a.by == 0:
		s.Ack = 0
	}
	if a.flags&capture.ACK == 0 {
		s.Ack = 0
	}
	if a.flags&capture.SYN != 0 {
		s.Opts, s.MSS, s.WScale = capture.OptMSS|capture.OptWScale|capture.OptSACKOK, 1460, 7
	}
	if a.flags&capture.RST == 0 {
		s.Opts |= capture.OptTS
		s.TSVal = uint32(x.at/1e6) + uint32(l.hash)
		if a.flags&capture.ACK != 0 {
			s.TSEcr = uint32(x.at/1e6) + uint32(l.hash)
		}
	}
	if a.how != again {
		l.last = s
		if a.how != foreign || a.flags&capture.FIN != 0 {
			l.seq[a.by] += s.SeqLen()
		}
	}
	l.id[a.by]++
	s.IPID = l.id[a.by]
	c.frame++
	s.Time, s.Frame = x.at, c.frame
	if a.how != missed {
		b.Segments = append(b.Segments, s)
	}
	if len(l.acts) == 0 {
		c.free = append(c.free, x.of)
		c.pop()
		return
	}
	if d := float64(l.acts[0].after); d < 0 {
		x.at += int64(-d)
	} else {
		x.at += int64(d * c.mean * c.rnd.ExpFloat64() * 1e9)
	}
	c.queue[0] = x
	c.sink()
}

func (c *churn) push(x churning) {
	c.queue = append(c.queue, x)
	for i := len(c.queue) - 1; i > 0 && c.queue[i].at < c.queue[(i-1)/2].at; i = (i - 1) / 2 {
		c.queue[i], c.queue[(i-1)/2] = c.queue[(i-1)/2], c.queue[i]
	}
}

func (c *churn) pop() {
	n := len(c.queue) - 1
	c.queue[0] = c.queue[n]
	c.queue = c.queue[:n]
	c.sink()
}

// sink puts the first where it belongs.
func (c *churn) sink() {
	for i := 0; ; {
		k := 2*i + 1
		if k+1 < len(c.queue) && c.queue[k+1].at < c.queue[k].at {
			k++
		}
		if k >= len(c.queue) || c.queue[i].at <= c.queue[k].at {
			return
		}
		c.queue[i], c.queue[k] = c.queue[k], c.queue[i]
		i = k
	}
}

func (c *churn) progress() (done, of int, clock int64, st *capture.Stats) {
	return c.began, c.of, c.clock, &c.stats
}

// reserve makes room for so many connections at a time, and has it in memory.
func (c *churn) reserve(n int) {
	c.queue, c.free = make([]churning, n), make([]int, n)
	c.all = make([]talker, n)
	for i := range c.all {
		c.queue[i].of, c.all[i].side, c.free[i] = 1, 1, 1
	}
	c.queue, c.all, c.free = c.queue[:0], c.all[:0], c.free[:0]
}

// deluge is a flood of SYNs, each of another address, at one port of one server.
type deluge struct {
	n, of int
	every int64 // ns from one to the next
	rnd   *rand.Rand
	stats capture.Stats
}

func newDeluge(n int, rate float64) *deluge {
	return &deluge{of: n, every: int64(1e9 / rate), rnd: rand.New(rand.NewPCG(3, 4))}
}

func (d *deluge) progress() (done, of int, clock int64, st *capture.Stats) {
	return d.n, d.of, churnStart + int64(d.n)*d.every, &d.stats
}

func (d *deluge) Next(b *capture.Batch) error {
	b.Reset()
	for len(b.Segments) < capture.BatchSize && d.n < d.of {
		d.n++
		s := capture.Segment{Time: churnStart + int64(d.n)*d.every, Frame: uint64(d.n), Flags: capture.SYN, Seq: d.rnd.Uint32(), Window: 64240,
			TTL: uint8(40 + d.n%20), VLAN: capture.NoVLAN, WScale: capture.NoWScale, HdrLen: 40}
		k, a := &s.Key, d.rnd.Uint64()
		k.Lo, k.Hi = [16]byte{byte(a >> 24 % 198), byte(a >> 16), byte(a >> 8), byte(a)}, [16]byte{198, 18, 0, 1}
		if a>>32%8 == 0 {
			k.V6 = true
			k.Lo = [16]byte{0x20, 1, 0xd, 0xb8, 1, 12: byte(a >> 24), 13: byte(a >> 16), 14: byte(a >> 8), 15: byte(a)}
			k.Hi = [16]byte{0x20, 1, 0xd, 0xb8, 2, 15: 1}
		}
		k.LoPort, k.HiPort = uint16(1024+a>>40%60000), 80
		s.Hash = k.Hash()
		b.Segments = append(b.Segments, s)
	}
	_, _, clock, st := d.progress()
	b.Now, b.Clock = clock, clock
	n := uint64(d.n)
	*st = capture.Stats{Packets: n, Segments: n, Selected: n, First: churnStart, Last: clock}
	if d.n == d.of {
		return io.EOF
	}
	return nil
}

func (d *deluge) weight() int64 { return 0 }

func (c *churn) weight() int64 {
	return int64(cap(c.free))*8 + int64(cap(c.all))*int64(unsafe.Sizeof(talker{})) + int64(cap(c.queue))*int64(unsafe.Sizeof(churning{}))
}
