package report

import (
	"bufio"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"tcpstate/tracker"
)

func TestQuantiles(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 63, 64, 65, 200, 5000} {
		values := make([]int64, n)
		var whole, left, right quantiles
		for i := range values {
			values[i] = int64(math.Exp(rng.Float64()*20) * 1000)
			whole.add(values[i])
			if i%3 == 0 {
				left.add(values[i])
			} else {
				right.add(values[i])
			}
		}
		left.merge(&right)
		slices.Sort(values)
		for _, p := range []float64{0.5, 0.9, 0.99, 1} {
			want := seconds(values[max(int(math.Ceil(p*float64(n)))-1, 0)])
			got := whole.at(p)
			if math.Abs(got-want) > want/16 || n <= exactValues && got != want {
				t.Errorf("%d values, quantile %g: %g, not %g", n, p, got, want)
			}
			if m := left.at(p); m != got {
				t.Errorf("%d values, quantile %g: merged %g, together %g", n, p, m, got)
			}
		}
	}
	var none quantiles
	if !math.IsNaN(none.at(0.5)) {
		t.Errorf("no values have a median of %g", none.at(0.5))
	}
	for _, ns := range []int64{-5, 0, 1, 1<<bucketFirst - 1, 1 << bucketFirst, 12345678, 1 << bucketLast, math.MaxInt64} {
		if b := bucket(ns); b < 0 || b >= numBuckets {
			t.Errorf("%d ns fall into bucket %d", ns, b)
		}
	}
}

// Services split over two tables and merged are those of one table.
func TestServicesMerge(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	whole, a, b := newServices(), newServices(), newServices()
	for i := range 1000 {
		l := &tracker.Life{Close: tracker.CloseKind(rng.IntN(int(tracker.NumCloseKinds))), HandshakeRTT: rng.Int64N(1e9) - 1e8,
			ResetAs: tracker.ResetClass(rng.IntN(int(tracker.NumResetClasses))), Midstream: i%7 == 0}
		l.Ends[0].State, l.Ends[1].State = tracker.State(rng.IntN(int(tracker.NumStates))), tracker.State(rng.IntN(int(tracker.NumStates)))
		l.Key.Hi, l.Key.HiPort = [16]byte{10, 0, 0, byte(rng.IntN(3))}, uint16(80+rng.IntN(3))
		if l.Client = uint8(i % 2); l.Client != 0 {
			l.Key.Lo, l.Key.LoPort, l.Key.Hi, l.Key.HiPort = l.Key.Hi, l.Key.HiPort, l.Key.Lo, l.Key.LoPort
		}
		whole.add(l)
		[]*services{a, b}[i%2].add(l)
	}
	a.merge(b)
	text := func(s *services) string {
		var out strings.Builder
		w := bufio.NewWriter(&out)
		s.list().write(w, nil)
		w.Flush()
		return out.String()
	}
	if got, want := text(a), text(whole); got != want {
		t.Errorf("merged\n%s\ntogether\n%s", got, want)
	}
}

func TestServicesAreBounded(t *testing.T) {
	s := newServices()
	l := &tracker.Life{HandshakeRTT: -1}
	for i := range maxServices + 10 {
		l.Key.Hi = [16]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}
		s.add(l)
	}
	list := s.list()
	if last := list.At(list.Len() - 1); list.Len() != maxServices+1 || last.Name() != "others" || last.Connections != 10 {
		t.Errorf("%d services, the last %s with %d", list.Len(), last.Name(), last.Connections)
	}
}

func TestSorting(t *testing.T) {
	k, err := ParseSort("-client.mss")
	if err != nil {
		t.Fatal(err)
	}
	first := best[keyed]{n: 3, cmp: k.by()}
	for i, mss := range []float64{nan, 1400, 536, nan, 1460} {
		var r Record
		r.Client.MSS = mss
		first.offer(&keyed{row{id: uint64(i)}, k.value(&r)})
	}
	var got []uint64
	for _, x := range first.sorted() {
		got = append(got, x.id)
	}
	if !slices.Equal(got, []uint64{4, 1, 2}) {
		t.Errorf("kept %v", got)
	}
	for _, name := range FieldNames() {
		k, err := ParseSort(name)
		if name == "findings" {
			continue
		}
		if a, b := k.value(&Record{}), k.value(&Record{}); err != nil || k.compare(&a, &b) != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, bad := range []string{"", "-", "client", "findings", "client.foo", "start.x", "id.x"} {
		if _, err := ParseSort(bad); err == nil {
			t.Errorf("sorts by %q", bad)
		}
	}
	k, _ = ParseSort("start")
	sooner := keyed{row{id: 9}, k.value(&Record{Start: time.Unix(0, 1767323045_000000001)})}
	if k.by()(&sooner, &keyed{value: k.value(&Record{Start: time.Unix(0, 1767323045_000000002)})}) >= 0 {
		t.Errorf("a nanosecond is lost in sorting")
	}
}

func TestTexts(t *testing.T) {
	for in, want := range map[string]string{
		"plain":         "plain",
		"a\x1b[31mb":    `a\x1b[31mb`,
		"tab\there\x00": `tab\x09here\x00`,
		"bad\xff":       `bad\xff`,
		"grün ✓":        "grün ✓",
		"\u202eabc":     `\u202eabc`,
		"\u009b31m":     `\u009b31m`,
	} {
		if got := Printable(in); got != want || Printable(got) != got {
			t.Errorf("Printable(%q) = %q, not %q", in, got, want)
		}
	}
	for f, want := range map[float64]string{0: "0", 1: "1", 1.5: "1.5", 0.000000001: "0.000000001", 1e-12: "0", -1e-12: "0", nan: "null", 1767323045.25: "1767323045.25"} {
		if got := string(appendSeconds(nil, f)); got != want {
			t.Errorf("appendSeconds(%g) = %s, not %s", f, got, want)
		}
	}
	for ns, want := range map[int64]string{0: "0.000000000", -1: "-0.000000001", 1767323045_000000006: "1767323045.000000006", math.MinInt64: "-9223372036.854775808"} {
		if got := string(appendEpoch(nil, ns)); got != want {
			t.Errorf("appendEpoch(%d) = %s, not %s", ns, got, want)
		}
	}
	for f, want := range map[float64]string{0: "0 s", 81e-6: "81.0 µs", 0.1234: "123 ms", 1.21: "1.21 s", 99.99: "100 s", 245: "4m05s", 7380: "2h03m", nan: "-"} {
		if got := showSpan(f); got != want {
			t.Errorf("showSpan(%g) = %s, not %s", f, got, want)
		}
	}
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := showCount(n); got != want {
			t.Errorf("showCount(%d) = %s, not %s", n, got, want)
		}
	}
	if got := string(appendString(nil, "a\"\\\n\x01\u202e\U000e0001é")); got != `"a\"\\\n\u0001\u202e\udb40\udc01é"` {
		t.Errorf("appendString gives %s", got)
	}
	if got := string(appendString(nil, "\xff")); strings.ContainsRune(got, 0xff) {
		t.Errorf("appendString gives %q", got)
	}
}
