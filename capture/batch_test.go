package capture

import (
	"bytes"
	"io"
	"math"
	"math/rand"
	"testing"
)

// clocks reads a source whose frames have the given times, in the order of
// their numbers, and compares what each batch tells of time with them.
func clocks(t *testing.T, what string, s Source, times []int64) (monotone, back int) {
	t.Helper()
	defer s.Close()
	var b Batch
	high, at := int64(math.MinInt64), 0
	for {
		err := s.Next(&b)
		to := int(s.Stats().Packets)
		want := Batch{Start: high, Monotone: true}
		for _, now := range times[at:to] {
			want.Monotone = want.Monotone && now >= high
			high = max(high, now)
		}
		want.Clock = high
		if b.Start != want.Start || b.Clock != want.Clock && err == nil || b.Monotone != want.Monotone {
			t.Fatalf("%s, frames %d to %d: from %d to %d, monotone %t; want %d, %d, %t", what, at+1, to,
				b.Start, b.Clock, b.Monotone, want.Start, want.Clock, want.Monotone)
		}
		// What it is for: whether the segments can be taken as they come.
		now := b.Start
		for i := range b.Segments {
			if b.Monotone && b.Segments[i].Time < now || b.Segments[i].Time > b.Clock {
				t.Fatalf("%s, frame %d: its time %d is not between %d and %d", what, b.Segments[i].Frame, b.Segments[i].Time, now, b.Clock)
			}
			now = b.Segments[i].Time
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		at = to
		if b.Monotone {
			monotone++
		} else {
			back++
		}
	}
	if at != len(times) {
		t.Errorf("%s: %d frames of %d", what, at, len(times))
	}
	return monotone, back
}

// Time that runs backwards, between segments, between other frames, and across
// the edge of batches.
func TestBatchClock(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	for _, c := range []struct {
		what   string
		jump   func(i int) int64 // from the frame before
		back   bool              // some batch is not monotone
		always bool              // none is
	}{
		{"forward", func(int) int64 { return 10 }, false, false},
		{"still", func(int) int64 { return 0 }, false, false},
		{"one step back", func(i int) int64 { return []int64{10, -1}[min(i/5000, 1)&(1-min(i%5000, 1))] }, true, false},
		{"at the edge of a batch", func(i int) int64 { return []int64{10, -25}[(1-min(i%BatchSize, 1))&min(i/BatchSize, 1)] }, true, false},
		{"jitter", func(int) int64 { return rng.Int63n(40) - 15 }, true, true},
		{"long ago", func(i int) int64 { return []int64{1, -1e6}[min(i/3000, 1)&(1-min(i%3000, 1))] }, true, false},
	} {
		var rs []rec
		var times []int64
		n := ng{}
		blocks := cat(n.section(), n.iface(linkEthernet, 0, n.option(9, []byte{9})))
		var ngTimes []int64
		now := int64(1e9)
		for i := range 6 * BatchSize {
			now += c.jump(i)
			f := plainFrame(plainSeg)
			switch rng.Intn(20) {
			case 0:
				f = eth(0x806, make([]byte, 28))
			case 1:
				f = eth(etherVLAN, vlan(1, etherIPv4, ip4("1.1.1.1", "2.2.2.2", protoTCP, plainSeg.bytes())))
			}
			rs, times = append(rs, rec{ns: now, data: f}), append(times, now)
			if i%100 == 1 { // without a time: that of the frame before
				blocks = append(blocks, n.simple(len(f), f)...)
				now -= c.jump(i)
				ngTimes = append(ngTimes, ngTimes[i-1])
			} else {
				blocks = append(blocks, n.packet(0, uint64(now), f)...)
				ngTimes = append(ngTimes, now)
			}
		}
		for _, k := range []struct {
			format string
			file   []byte
			times  []int64
		}{{"pcap", pcapFile(linkEthernet, rs...), times}, {"pcapng", blocks, ngTimes}} {
			s, err := Open(Options{Paths: []string{"-"}, Stdin: bytes.NewReader(k.file)})
			if err != nil {
				t.Fatal(err)
			}
			mono, back := clocks(t, k.format+" "+c.what, s, k.times)
			if (back > 0) != c.back || (mono == 0) != c.always {
				t.Errorf("%s %s: %d batches monotone, %d not", k.format, c.what, mono, back)
			}
		}
	}
}

// A frame without a time has the time 0 as a segment, which may be before or
// behind those that have one.
func TestBatchClockUntimed(t *testing.T) {
	n := ng{}
	f := plainFrame(plainSeg)
	file := cat(n.section(), n.iface(linkEthernet, 0, n.option(14, le64(^uint64(9)))), // ten seconds before 1970
		n.simple(len(f), f), n.packet(0, 1, f), n.packet(0, 2, f))
	s, err := Open(Options{Paths: []string{"-"}, Stdin: bytes.NewReader(file)})
	if err != nil {
		t.Fatal(err)
	}
	clocks(t, "untimed", s, []int64{0, -10e9 + 1e3, -10e9 + 2e3})
	if st := s.Stats(); st.First != -10e9+1e3 || st.Last != -10e9+2e3 || st.TimeBack != 0 {
		t.Errorf("first %d, last %d, %d back", st.First, st.Last, st.TimeBack)
	}
}
