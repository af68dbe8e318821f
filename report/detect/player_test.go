package detect_test

import (
	"fmt"
	"strings"
	"testing"

	"tcpstate/capture"
	"tcpstate/report/detect"
)

// The example of a detector raises it, where it is a whole ladder.
func TestExamples(t *testing.T) {
	for _, d := range detect.Catalogue {
		s, err := parseScript(d.Example)
		if err != nil {
			if strings.HasPrefix(d.Example, "stream ") || strings.Contains(d.Example, "\nstream ") {
				t.Errorf("%s: %v", d.ID, err)
			}
			continue
		}
		if p := s.play(len(s.segments), 1000, 0); len(p.only(d.ID)) == 0 {
			t.Errorf("%s is not raised by its example:\n%s\nbut:\n%s", d.ID, d.Example, p.describe(""))
		}
	}
}

// The player does what ladders_test.go says of it.
func TestPlayer(t *testing.T) {
	s, err := parseScript(`
#! repeat 3 every 1s port server-addr
stream 0 10.0.0.1:40022 → 10.0.0.9:80
isn 100 200
0    -- SYN 0 ->   # a comment
0.5  <- RST,ACK 0 ack 1 --
#! quote 10.0.0.254 3 4 1400
#! at 250ms
stream 7 [2001:db8::1]:5 → [2001:db8::2]:6
1    -- SYN 7 quoted ->
#! at 3s
#! repeat 2 every 10ms same
stream 0 10.0.0.1:1 → 10.0.0.2:2
frame time client server
  4  0   SYN-SENT ── SYN 5 ─▶ LISTEN?
#! end 9s
`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range s.segments {
		x := &s.segments[i]
		got = append(got, fmt.Sprintf("%d %d %v>%v %d", x.Frame, (x.Time-playStart)/1e6, x.Src(), x.Dst(), x.Seq))
	}
	want := `1 0 10.0.0.1:40022>10.0.0.9:80 100
2 500 10.0.0.9:80>10.0.0.1:40022 200
3 1000 10.0.0.1:40023>10.0.0.10:80 100
4 1250 [2001:db8::1]:5>[2001:db8::2]:6 7
5 1500 10.0.0.10:80>10.0.0.1:40023 200
6 2000 10.0.0.1:40024>10.0.0.11:80 100
7 2500 10.0.0.11:80>10.0.0.1:40024 200
8 3000 10.0.0.1:1>10.0.0.2:2 5
9 3010 10.0.0.1:1>10.0.0.2:2 1000005`
	if g := strings.Join(got, "\n"); g != want {
		t.Errorf("plays (-want +got):\n%s", difference(want, g))
	}
	if q := s.segments[3]; q.Mark&capture.Quoted == 0 || s.quotes[q.Len].MTU != 1400 || s.quotes[q.Len].From.String() != "10.0.0.254" {
		t.Errorf("quotes %+v", s.quotes)
	}
	if p := s.play(len(s.segments), 2, 0); p.stats.Last != playStart+9e9 || p.stats.Segments != 8 || p.stats.Quotes != 1 {
		t.Errorf("stats %+v", p.stats)
	}
}

func TestPlayerErrors(t *testing.T) {
	const head = "stream 0 10.0.0.1:1 → 10.0.0.2:2\n0 -- SYN 0 ->\n"
	for text, want := range map[string]string{
		"":                                   "no segments",
		"#! repeat 3\n" + head:               "line 1: it is: repeat N every",
		"#! repeat 3 every 1s foot\n" + head: `"foot" does not count up`,
		"#! os plan9\n" + head:               "line 1: os",
		"\n#! sing\n" + head:                 "line 2: #! sing",
		"#! set refused.count=1\n" + head:    "line 1: ",
		head + "1 -- SYM 0 ->\n":             `line 3: "SYM" is no flag`,
		head + "1 -- SYN 0 quoted ->\n":      "line 3: a quoted row needs",
		"config time-wait 1s\n" + head:       "line 1: config",
		"#! stats lost=1\n" + head:           `line 1: stats: there is no "lost"`,
		"#! repeat 70000 every 1ms\n" + head: "the port went past 65535",
		"#! quote here 3 4\n" + head:         "line 1: ParseAddr",
		"0 -- SYN 0 ->\n":                    "line 1: a ladder begins with its head",
		"#! end soon\n" + head:               "line 1: time: invalid duration",
	} {
		if _, err := parseScript(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, not %q", text, err, want)
		}
	}
}
