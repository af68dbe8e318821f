package detect

import (
	"testing"

	"tcpstate/tracker"
)

// The system's range holds as long as no port outside of it was seen.
func TestPortRange(t *testing.T) {
	for _, x := range []struct {
		os   string
		low  uint16
		high uint16
		want int
	}{
		{"linux", 32768, 60999, 28232},
		{"linux", 40000, 40100, 28232},
		{"linux", 1024, 60999, 59976},
		{"linux", 50000, 65535, 28232}, // outside, but no more than it would have
		{"linux", 1024, 2000, 28232},
		{"windows", 49152, 65535, 16384},
		{"windows", 32768, 60999, 28232},
		{"macos", 49152, 65535, 16384},
		{"freebsd", 10000, 65535, 55536},
		{"freebsd", 1024, 65535, 64512},
	} {
		s := Setup{OS: OSes[x.os]}
		if got := s.ports().of(&tracker.Pair{Opened: 10, LowPort: x.low, HighPort: x.high}); got.n != x.want {
			t.Errorf("%s, ports from %d to %d: %d, want %d", x.os, x.low, x.high, got.n, x.want)
		}
	}
	for name, os := range OSes {
		s := Setup{OS: os}
		if r := s.ports(); int(r.hi)-int(r.lo)+1 != r.n {
			t.Errorf("%s: %s is not %d ports", name, os.Range, r.n)
		}
	}
	if r := (&Setup{OS: OS{Ports: 100}}).ports(); r.n != 100 || r.of(&tracker.Pair{Opened: 1, LowPort: 1, HighPort: 65535}).n != 100 {
		t.Errorf("a range that is not told: %+v", r)
	}
}

// What --ports says holds though single ports outside of it were used, but not
// against more of them than it has.
func TestPortRangeTold(t *testing.T) {
	os := OSes["linux"]
	os.Ports, os.Range = 500, "40000-40499"
	s := Setup{OS: os}
	for used, want := range map[int]int{450: 500, 500: 500, 501: 20001} {
		p := &tracker.Pair{Opened: 600, LowPort: 30000, HighPort: 50000, Used: tracker.Peak{Max: used}}
		if got := s.ports().of(p); got.n != want {
			t.Errorf("%d used: a range of %d, want %d", used, got.n, want)
		}
	}
}
