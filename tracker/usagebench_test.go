package tracker

import (
	"runtime"
	"testing"
	"unsafe"

	"tcpstate/capture"
)

// There is one held in each entry of the table, a heldBrief in what is left of a
// life, a pairCell for each pair; and several gains for each life.
func TestUsageSizes(t *testing.T) {
	for _, x := range []struct {
		name      string
		size, max uintptr
	}{{"held", unsafe.Sizeof(held{}), 16}, {"heldBrief", unsafe.Sizeof(heldBrief{}), 12}, {"pairCell", unsafe.Sizeof(pairCell{}), 16}, {"gain", unsafe.Sizeof(gain{}), 40}} {
		if x.size != x.max {
			t.Errorf("%s has %d octets, not %d", x.name, x.size, x.max)
		}
	}
}

// stood plays what a connection that its client closes comes to hold into a
// journal: five moments, of which the last is the end of TIME-WAIT.
type stood struct {
	c Conn
	h held
}

func (s *stood) moment(j *journal, k *sink, n int) {
	c := &s.c
	cl, sv := &c.ends[0], &c.ends[1]
	switch n {
	case 0:
		c.roles, cl.has, cl.synAt = RoleSyn, sentSyn, k.now
		cl.push(SynSent, Confirmed)
	case 1:
		sv.push(SynReceived, Confirmed)
	case 2:
		c.notes.doneAt = k.now
		cl.push(Established, Confirmed)
		sv.push(Established, Confirmed)
	case 3:
		cl.push(TimeWait, Confirmed)
	case 4:
		cl.push(Closed, Elapsed)
	}
	j.follow(c, &s.h, k)
}

// What a connection leaves and what it enters at the same moment is one gain: there
// is one for each moment of a life.
func TestUsageGains(t *testing.T) {
	var (
		j journal
		k sink
		s stood
	)
	s.c.Key = capture.Key{Lo: [16]byte{10}, Hi: [16]byte{198}, LoPort: 20_000, HiPort: 443}
	s.c.firstFrame = 1
	for n, want := range []struct{ in, out counted }{{inAttempts, 0}, {inAnswered, 0}, {inUsed | inOpened, inAttempts | inAnswered}, {inWait, 0}, {0, inUsed | inWait}} {
		k.now, k.frame = int64(n+1), uint64(n+1)
		s.moment(&j, &k, n)
		if len(j.log.gains) != n+1 {
			t.Fatalf("%d gains after moment %d", len(j.log.gains), n)
		}
		g := &j.log.gains[n]
		if g.in() != want.in || g.out() != want.out || g.frame() != k.frame || g.port() != 20_000 {
			t.Errorf("moment %d: in %b, out %b, frame %d, port %d; want %b, %b", n, g.in(), g.out(), g.frame(), g.port(), want.in, want.out)
		}
	}
}

// BenchmarkUsage follows whole lives and applies what that comes to: of ever
// new pairs, 60 s in TIME-WAIT as in a capture before a busy balancer, and of one.
// An op is a life; MiB is what counting them takes.
func BenchmarkUsage(b *testing.B) {
	for _, bb := range []struct {
		name  string
		lives int
		one   bool
	}{{"1M pairs", 1_000_000, false}, {"one pair", 20_000, true}} {
		b.Run(bb.name, func(b *testing.B) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			var u *Usage
			for i := 0; i < b.N; i += bb.lives {
				u = playUsage(bb.lives, bb.one)
			}
			b.StopTimer()
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric((float64(after.HeapAlloc)-float64(before.HeapAlloc))/(1<<20), "MiB")
			if u.Lost > 0 {
				b.Errorf("%d lost", u.Lost)
			}
		})
	}
}

// playUsage has lives begin 92 µs apart, each with its moments.
func playUsage(lives int, one bool) *Usage {
	const gap = 92_000 // ns
	at := [5]int{0, 1, 2, 50, 652_000}
	if one {
		at[4] = 10_000
	}
	var (
		u    Usage
		j    journal
		open = make([]stood, 64)
		left = make([]heldBrief, min(lives, 1<<20))
		k    sink
	)
	for i := 0; i < lives+at[4]; i++ {
		for n, d := range at {
			l := i - d
			if l < 0 || l >= lives {
				continue
			}
			k.now, k.frame = int64(i)*gap+int64(n), uint64(5*i+n+1)
			s := &open[l%len(open)]
			switch n {
			case 0:
				*s = stood{}
				s.c.Key = capture.Key{Lo: [16]byte{10, byte(l >> 16), byte(l >> 8), byte(l)}, Hi: [16]byte{198, 51, 100, byte(l % 200)}, LoPort: uint16(20_000 + l%40_000), HiPort: 443}
				if one {
					s.c.Key.Lo, s.c.Key.Hi = [16]byte{10}, [16]byte{198}
				}
				s.c.id, s.c.firstFrame = uint64(l), k.frame
			case 3:
				s.moment(&j, &k, n)
				left[l%len(left)] = s.h.heldBrief
				continue
			case 4:
				j.out(&left[l%len(left)], &moment{time: k.now, timer: gainTimer}, inUsed|inWait)
				continue
			}
			s.moment(&j, &k, n)
		}
		if j.full() {
			u.apply(&j.log)
			j.log.empty()
		}
	}
	u.apply(&j.log)
	return &u
}
