package detect_test

import (
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"

	"tcpstate/capture"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// kindsOfLives are lives that go well, and such that do not.
var kindsOfLives = []string{
	ordinaryLife, ordinaryLife, ordinaryLife, ordinaryLife, resetLife,
	"stream 0 10.0.0.1:40000 → 10.0.0.2:80\n0 -- SYN 0 ->\n",
	"stream 0 10.0.0.1:40000 → 10.0.0.2:80\n0 -- SYN 0 ->\n1 -- SYN 0 ->\n3 -- SYN 0 ->\n",
	"stream 0 10.0.0.1:40000 → 10.0.0.2:80\n0 -- SYN 0 ->\n0.001 <- RST,ACK 0 ack 1 win 0 --\n",
	`stream 0 10.0.0.1:40000 → 10.0.0.2:80
0    -- SYN 0 mss 1460 ->
0.01 <- SYN,ACK 0 ack 1 mss 1460 --
0.02 -- ACK 1 ack 1 ->
0.03 -- PSH,ACK 1:101(100) ack 1 ->
0.33 -- PSH,ACK 1:101(100) ack 1 ->
0.34 <- PSH,ACK 1:201(200) ack 101 --
0.35 -- FIN,ACK 101 ack 201 ->
0.36 <- ACK 201 ack 102 --
`,
}

// What is found does not depend on whether ordinary lives come in batches and without
// their trails, or one by one with all that belongs to them.
func TestBatchesFindTheSame(t *testing.T) {
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(1, seed))
		var kinds []variety
		for i, text := range kindsOfLives {
			kinds = append(kinds, variety{c: casesOf(t, text)[0], clients: 40, servers: 3, ports: 2, every: 7e6, n: uint32(1000 * i)})
		}
		o := detect.Options{TimeWait: 60e9, Values: detect.Values{"connection-churn.rate": 1, "abortive-close.count": 2, "host-sweep.hosts": 2}}
		batches, single := detect.New(o), detect.New(o)
		single.OneByOne()
		trails := batches.Trails()
		var last int64
		for range 6000 {
			v := &kinds[r.IntN(len(kinds))]
			c := v.next()
			// Each of its own number.
			c.Life.ID = c.Life.ID*uint64(len(kinds)) + uint64(c.Signs)%64
			last = max(last, c.Life.End)
			single.Case(c)
			without := *c
			if c.Signs&trails == 0 {
				without.Trail = tracker.Trail{}
			}
			batches.Case(&without)
		}
		st := capture.Stats{First: playStart, Last: last, Packets: 60000}
		e := detect.Ending{Stats: &st, Usage: &tracker.Usage{}}
		want, got := single.Told(e), batches.Told(e)
		if len(want) < 10 {
			t.Fatalf("%d findings say little", len(want))
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("in batches:\n%s", difference((&played{stats: st, findings: want}).describe(""), (&played{stats: st, findings: got}).describe("")))
		}
	}
}

// Of ordinary lives the detectors keep the same either way, of IPv6 too.
func TestSlipsKeepTheSame(t *testing.T) {
	batches, single := detect.New(detect.Options{TimeWait: 60e9}), detect.New(detect.Options{TimeWait: 60e9})
	single.OneByOne()
	c := casesOf(t, ordinaryLife)[0]
	v := variety{c: c, clients: 900, servers: 3, ports: 2, every: 7e6}
	const lives = 30_000 // more than wait in any line
	for i := range lives {
		c := v.next()
		c.Ends[i%2].DataSegments = uint64(1 + i%5)
		c.Ends[tracker.Client].Joined = uint64(i % 3)
		if i%4 == 0 {
			for end := range c.Life.Ends {
				a := &c.Life.Ends[end].Addr
				*a = netip.AddrPortFrom(netip.AddrFrom16(a.Addr().As16()), a.Port())
			}
		}
		single.Case(c)
		batches.Case(c)
	}
	want, got := single.Kept(), batches.Kept()
	if len(want) != 11 {
		t.Errorf("%d are compared", len(want))
	}
	for name := range want {
		if !reflect.DeepEqual(got[name], want[name]) {
			t.Errorf("%s: something else is kept", name)
		}
	}
}

// silentCase is the case of a silent life.
func silentCase(s *tracker.Silent, syn tracker.Event) *tracker.Case {
	c, l := &tracker.Case{}, &tracker.Life{}
	s.Life(l)
	s.Case(c, l)
	syn.Time, syn.Frame, syn.Opts = s.Time, s.Frame, s.Opts
	c.Trail.Events = []tracker.Event{syn}
	return c
}

// Nor does it matter whether lives of one SYN that nobody answered come as cases.
func TestSilentsFindTheSame(t *testing.T) {
	like := casesOf(t, "stream 0 10.0.0.1:40000 → 10.0.0.2:80\n0 -- SYN 0 ->\n")[0]
	other := []variety{{c: casesOf(t, ordinaryLife)[0], clients: 40, servers: 3, ports: 2, every: 1e6, n: 1},
		{c: casesOf(t, resetLife)[0], clients: 40, servers: 3, ports: 2, every: 1e6, n: 5000}}
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(3, seed))
		o := detect.Options{TimeWait: 60e9, Values: detect.Values{"host-sweep.hosts": 3, "port-scan.ports": 3}}
		silents, single := detect.New(o), detect.New(o)
		single.OneByOne()
		if !silents.Hears() {
			t.Fatal("silent lives have to be told as cases")
		}
		const lives = 20_000
		now := int64(playStart)
		for i := range lives {
			now += 1e6
			if r.IntN(1<<(4*seed)) == 0 && seed > 0 {
				c := other[r.IntN(2)].next()
				c.Life.ID = uint64(i)
				single.Case(c)
				silents.Case(c)
				continue
			}
			s := tracker.Silent{ID: uint64(i), Client: uint8(r.IntN(2)), Time: now, Frame: uint64(1 + i), TTL: 64, VLAN: capture.NoVLAN,
				Now: now + int64(r.IntN(5))*1e9, Opts: uint8(r.IntN(2)) * capture.OptMSS, MSS: 1460, Signs: like.Signs, Alike: like.Life}
			k := &s.Key
			if k.V6 = r.IntN(4) == 0; k.V6 {
				k.Lo[0], k.Hi[0] = 0x20, 0x20
			}
			// Some sources come again.
			from, to := []byte{1, byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256) % (1 + r.IntN(256)))}, []byte{10, 0, 0, byte(r.IntN(5))}
			if r.IntN(8) == 0 {
				from[1], from[2] = 0, 0
			}
			if k.LoPort, k.HiPort = uint16(r.IntN(4)), uint16(80+r.IntN(2)); s.Client != 0 {
				from, to, k.LoPort, k.HiPort = to, from, k.HiPort, k.LoPort
			}
			copy(k.Lo[len(k.Lo)*b2i(k.V6)/2:], from)
			copy(k.Hi[len(k.Hi)*b2i(k.V6)/2:], to)
			single.Case(silentCase(&s, like.Trail.Events[0]))
			silents.Silent(&s)
		}
		want, got := single.Kept(), silents.Kept()
		for name := range want {
			if !reflect.DeepEqual(got[name], want[name]) {
				t.Errorf("seed %d: %s: something else is kept", seed, name)
			}
		}
		st := capture.Stats{First: playStart, Last: now + 5e9, Packets: 60000}
		e := detect.Ending{Stats: &st, Totals: tracker.Totals{Plain: 1}, Usage: &tracker.Usage{}}
		w, g := single.Told(e), silents.Told(e)
		ids := map[string]int{}
		for i := range w {
			ids[w[i].ID]++
		}
		if ids["host-sweep"] == 0 {
			t.Errorf("seed %d: nobody swept: %v", seed, ids)
		}
		if !reflect.DeepEqual(g, w) {
			t.Errorf("seed %d: something else is found", seed)
		}
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// No detector makes all lives take the long way.
func TestAllAreContentWithSlips(t *testing.T) {
	if !detect.New(detect.Options{}).Slips() {
		t.Error("ordinary lives are handed on as cases")
	}
	// Who wants to know of shorter times needs the trails.
	for _, v := range []string{"no-keepalive.age", "idle-timeout.floor", "close-wait-buildup.age", "middlebox-state-expired.idle"} {
		o := detect.Options{Values: detect.Values{v: 0.5}}
		if detect.New(o).Slips() {
			t.Errorf("%s: slips are enough", v)
		}
	}
}
