package detect_test

import (
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"tcpstate/capture"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// ordinaryLife is what most connections look like: a request, an answer, FINs.
const ordinaryLife = `stream 0 10.0.0.1:40000 → 10.0.0.2:80
isn 1000 9000
0     -- SYN 0 mss 1460 ws 7 sackok ts 100 0 ->
0.01  <- SYN,ACK 0 ack 1 mss 1460 ws 7 sackok ts 900 100 --
0.02  -- ACK 1 ack 1 ts 110 900 ->
0.021 -- PSH,ACK 1:101(100) ack 1 ts 110 900 ->
0.03  <- PSH,ACK 1:1001(1000) ack 101 ts 910 110 --
0.04  -- FIN,ACK 101 ack 1001 ts 120 910 ->
0.05  <- FIN,ACK 1001 ack 102 ts 920 120 --
0.06  -- ACK 102 ack 1002 ts 130 920 ->
`

// resetLife ends by RST.
const resetLife = `stream 0 10.0.0.1:40000 → 10.0.0.2:80
0    -- SYN 0 mss 1460 ->
0.01 <- SYN,ACK 0 ack 1 mss 1460 --
0.02 -- ACK 1 ack 1 ->
0.03 -- PSH,ACK 1:101(100) ack 1 ->
0.04 <- PSH,ACK 1:201(200) ack 101 --
0.05 -- ACK 101 ack 201 ->
1    -- RST,ACK 101 ack 201 ->
`

// casesOf are the cases of a script's lives, to be kept.
func casesOf(t testing.TB, text string) (all []*tracker.Case) {
	t.Helper()
	s, err := parseScript(text)
	if err != nil {
		t.Fatal(err)
	}
	k := tracker.New(tracker.DefaultConfig(), tracker.Observer{Case: func(c *tracker.Case) {
		n, l := *c, *c.Life
		n.Life = &l
		n.Trail.Events = slices.Clone(c.Trail.Events)
		n.Trail.Quotes = slices.Clone(c.Trail.Quotes)
		all = append(all, &n)
	}})
	b := &capture.Batch{Segments: s.segments, Now: s.segments[len(s.segments)-1].Time}
	k.Process(b)
	k.Process(&capture.Batch{Now: b.Now + int64(10*time.Minute)})
	k.Finish()
	return all
}

// variety makes many lives of one: of other hosts and endpoints, later and
// later.
type variety struct {
	c                *tracker.Case
	clients, servers uint32
	ports            uint32
	every            int64
	n                uint32
}

// next is the next of them.
func (v *variety) next() *tracker.Case {
	v.n++
	// Bijections of 32 bits, so that hosts come in no order.
	x := v.n * 2654435761
	h := x % v.clients
	y := (x ^ x>>15) * 2246822519
	s := y % v.servers
	l := v.c.Life
	l.ID++
	l.Ends[0].Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(h >> 16), byte(h >> 8), byte(h)}), uint16(32768+x>>17))
	l.Ends[1].Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{172, 16, byte(s >> 8), byte(s)}), uint16(80+y>>16%v.ports))
	l.Start += v.every
	l.End += v.every
	l.AnsweredAt += v.every
	l.DoneAt += v.every
	l.FirstFrame += 8
	l.LastFrame += 8
	l.CloseAt += 8
	v.c.Now += v.every
	for i := range v.c.Ends {
		a := &v.c.Ends[i]
		a.SpokeAt += v.every
		a.SpokeFrame += 8
		a.FirstDataAt += v.every
		a.LastDataAt += v.every
		a.LastDataFrame += 8
		a.LastAt += v.every
		a.LastFrame += 8
	}
	for i := range v.c.Trail.Events {
		v.c.Trail.Events[i].Time += v.every
		v.c.Trail.Events[i].Frame += 8
	}
	return v.c
}

// BenchmarkOrdinaryLives is what an ordinary life costs, when a million pairs of
// hosts have met.
func BenchmarkOrdinaryLives(b *testing.B) {
	v := variety{c: casesOf(b, ordinaryLife)[0], clients: 1 << 18, servers: 200, ports: 17, every: 90e3}
	g := detect.New(detect.Options{TimeWait: 60e9})
	for range 1 << 18 {
		g.Case(v.next())
	}
	b.ReportAllocs()
	for b.Loop() {
		g.Case(v.next())
	}
}

// BenchmarkOrdinaryLivesCold is the same where the tracker has had the processor's caches
// for itself since the latest lives: what is needed of them comes from far.
func BenchmarkOrdinaryLivesCold(b *testing.B) { benchmarkCold(b, ordinaryLife) }

// BenchmarkResetLivesCold is that of lives of which all is kept.
func BenchmarkResetLivesCold(b *testing.B) { benchmarkCold(b, resetLife) }

func benchmarkCold(b *testing.B, text string) {
	v := variety{c: casesOf(b, text)[0], clients: 1 << 18, servers: 200, ports: 17, every: 90e3}
	g := detect.New(detect.Options{TimeWait: 60e9})
	for range 1 << 18 {
		g.Case(v.next())
	}
	const together = 64
	others := make([]uint64, 1<<20) // 8 MiB
	var sum uint64
	var spent time.Duration
	lives := 0
	for b.Loop() {
		for i := 0; i < len(others); i += 8 {
			sum += others[i]
			others[i] = sum
		}
		began := time.Now()
		for range together {
			g.Case(v.next())
		}
		spent += time.Since(began)
		lives += together
	}
	b.ReportMetric(float64(spent.Nanoseconds())/float64(lives), "ns/life")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkMakingLives is what the benchmark's own part of that is.
func BenchmarkMakingLives(b *testing.B) {
	v := variety{c: casesOf(b, ordinaryLife)[0], clients: 1 << 18, servers: 200, ports: 17, every: 90e3}
	for b.Loop() {
		v.next()
	}
}

// BenchmarkFlood is what an attempt costs that one of millions of sources made.
func BenchmarkFlood(b *testing.B) {
	c := casesOf(b, "stream 0 10.0.0.1:40000 → 10.0.0.2:80\n0 -- SYN 0 ->\n")[0]
	v := variety{c: c, clients: 1 << 24, servers: 1, ports: 1, every: 10e3}
	g := detect.New(detect.Options{TimeWait: 60e9})
	for range 1 << 19 {
		g.Case(v.next())
	}
	b.ReportAllocs()
	for b.Loop() {
		g.Case(v.next())
	}
}

// held is the memory of an engine after so many lives.
func held(v *variety, lives int) float64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	g := detect.New(detect.Options{TimeWait: 60e9})
	for range lives {
		g.Case(v.next())
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(g)
	return float64(int64(after.HeapAlloc)-int64(before.HeapAlloc)) / (1 << 20)
}

// However many hosts there are, what is kept of them is bounded.
func TestEngineIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second")
	}
	for _, x := range []struct {
		name string
		text string
		v    variety
		most float64 // MiB
	}{
		{"ordinary", ordinaryLife, variety{clients: 1 << 18, servers: 200, ports: 17, every: 90e3}, 20},
		{"ordinary, many servers", ordinaryLife, variety{clients: 1 << 18, servers: 1 << 16, ports: 17, every: 90e3}, 20},
		{"flood", "stream 0 10.0.0.1:40000 → 10.0.0.2:80\n0 -- SYN 0 ->\n", variety{clients: 1 << 24, servers: 1, ports: 1, every: 10e3}, 12},
		{"half-open flood", "stream 0 10.0.0.1:40000 → 10.0.0.2:80\n0 -- SYN 0 ->\n0.01 <- SYN,ACK 0 ack 1 --\n1.01 <- SYN,ACK 0 ack 1 --\n", variety{clients: 1 << 24, servers: 1, ports: 1, every: 10e3}, 12},
	} {
		x.v.c = casesOf(t, x.text)[0]
		mib := held(&x.v, 600_000)
		t.Logf("%s: %.1f MiB", x.name, mib)
		if mib > x.most {
			t.Errorf("%s: more than %v MiB", x.name, x.most)
		}
	}
}

// An ordinary life is diagnosed without its trail.
func TestOrdinaryLifeHasNoTrail(t *testing.T) {
	for _, c := range casesOf(t, ordinaryLife) {
		if c.Signs&detect.New(detect.Options{}).Trails() != 0 {
			t.Errorf("it shows signs %b", c.Signs)
		}
	}
}
