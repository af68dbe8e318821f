package report

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tcpstate/tracker"
)

const handshakeLadder = `# three-way handshake, a request, an abort; the grammar in one ladder
config time-wait 30s
stream 3   10.0.0.1:40022 → 10.0.0.2:80   client closed first
isn 1000 4294967000
frame time client server why
    1   0.000000   SYN-SENT       ── SYN 0 win 64240 mss 1460 ws 7 sackok ts 7 0 ─▶  LISTEN?       syn
    2   0.000081   ESTABLISHED?   <- SYN,ACK 0 ack 1 mss 1460 --  SYN-RECEIVED?    syn-ack,syn-ack-delivered
        0.000100   ESTABLISHED    -- ACK 1 ack 1 ->               *
    7   0.000100123   ESTABLISHED    -- PSH,ACK 1:101(100) ack 1 ttl 63 id 9 vlan 7 ->   ESTABLISHED?   - (new)
    8   1.5   ESTABLISHED    -- ACK -1(1) ack 1 ->   ESTABLISHED?   late,revoked (keepalive)
    9   2     CLOSED         -- RST 101 acknum 77 ->  CLOSED?
       62.0   CLOSED         -- timer --  CLOSED~   time-wait-elapsed
`

func parseOne(t *testing.T, text string) *Ladder {
	t.Helper()
	all, err := ParseLadders(strings.NewReader(text))
	if err != nil || len(all) != 1 {
		t.Fatalf("%d ladders, error %v", len(all), err)
	}
	return all[0]
}

func printLadder(l *Ladder, full bool) string {
	var b strings.Builder
	l.Print(&b, LadderStyle{Full: full})
	return b.String()
}

var sameLadder = cmp.Options{cmpopts.EquateComparable(Ladder{}.Left, Ladder{}.Left.Addr())}

func TestLadderReadsAndPrints(t *testing.T) {
	l := parseOne(t, handshakeLadder)
	if len(l.Rows) != 7 || l.Rows[2].Segment.Frame != 3 || l.Rows[3].Segment.Len != 100 || l.Rows[0].Segment.Seq != 1000 {
		t.Fatalf("read wrongly: %+v", l)
	}
	if s := l.Rows[4].Segment; s.Seq != 999 || s.Len != 1 {
		t.Errorf("a byte below the start: %+v", s)
	}
	text := printLadder(l, true)
	back := parseOne(t, text)
	if d := cmp.Diff(l, back, sameLadder); d != "" {
		t.Errorf("printed and read again (-first +second):\n%s\n%s", d, text)
	}
	if again := printLadder(back, true); again != text {
		t.Errorf("prints differently the second time:\n%s\n%s", text, again)
	}
}

func TestLadderLooks(t *testing.T) {
	want := `stream 3   10.0.0.1:40022 → 10.0.0.2:80   client closed first
config time-wait 30s
frame   time          client         10.0.0.1:40022         10.0.0.2:80  server          why
    1   0.000000      SYN-SENT       ── SYN 0 win 64240 mss 1460 ─────▶  LISTEN?         syn
    2   0.000081      ESTABLISHED?   ◀────────────── SYN,ACK 0 ack 1 ──  SYN-RECEIVED?   syn-ack,syn-ack-delivered
    3   0.000100      ESTABLISHED    ── ACK 1 ack 1 ──────────────────▶  *
    7   0.000100123   ESTABLISHED    ── PSH,ACK 1:101(100) ack 1 ─────▶  ESTABLISHED?    - (new)
    8   1.500000      ESTABLISHED    ── ACK -1:0(1) ack 1 ────────────▶  ESTABLISHED?    late,revoked (keepalive)
    9   2.000000      CLOSED         ── RST 101 ──────────────────────▶  CLOSED?
        62.000000     CLOSED         ───────────── timer ─────────────   CLOSED~         time-wait-elapsed
`
	if d := cmp.Diff(want, printLadder(parseOne(t, handshakeLadder), false)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestLadderErrors(t *testing.T) {
	head := "stream 0 10.0.0.1:1 → 10.0.0.2:2\n"
	for text, want := range map[string]string{
		"1 0 CLOSED -- SYN 0 -> CLOSED":                   "line 1: a ladder begins with its head",
		"stream x a b c":                                  "line 1: the head is",
		"stream 0 10.0.0.1:1 → [::1]:2":                   "line 1: one end is IPv4",
		head + "1 0 CLOSED -- SYN 0 -> NOWHERE":           `line 2: "NOWHERE" is no state`,
		head + "1 0 CLOSED -- SYN 0 -- CLOSED":            "line 2: an arrow has one head",
		head + "1 0 CLOSED <- SYN 0 -> CLOSED":            "line 2: an arrow has one head",
		head + "1 0 CLOSED -- SYM 0 -> CLOSED":            `line 2: "SYM" is no flag`,
		head + "1 0 CLOSED -- ACK 0 -> CLOSED":            "line 2: a segment with ACK needs its number",
		head + "1 0 CLOSED -- ACK 1:9(9) ack 1 -> LISTEN": "line 2: \"1:9(9)\": 9 octets from 1 do not end at 9",
		head + "1 x CLOSED -- SYN 0 -> CLOSED":            `line 2: "x" is no time`,
		head + "1 0 CLOSED -- SYN 0 -> CLOSED a, b":       "line 2: \"a, b\": rules are separated",
		head + "1 0 CLOSED -- SYN 0 -> CLOSED -,(new)":    "line 2: \"(new)\" is no rule's name",
		head + "1 0 CLOSED -- timer -- CLOSED":            "line 2: an arrow has one head",
		head + "1 0 CLOSED -- SYN 0 ->":                   "line 2: after the segment",
		head + "config time-wait x":                       "line 2: config: time: invalid duration",
		head + "isn 1":                                    "line 2: the line is: isn",
	} {
		_, err := ParseLadders(strings.NewReader(text))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s\n  gives %v\n  not   %s", text, err, want)
		}
	}
}

// A ladder that the tracker made is read back as it was, and replays to itself.
func TestLadderReplays(t *testing.T) {
	l := parseOne(t, `config time-wait 30s
stream 0 10.0.0.1:40022 → 10.0.0.2:80
1 0         SYN-SENT     -- SYN 0 mss 1460 ->           LISTEN?
2 0.000081  *            <- SYN,ACK 0 ack 1 mss 1460 -- *
3 0.000100  ESTABLISHED  -- ACK 1 ack 1 ->              ESTABLISHED?
4 1         FIN-WAIT-1   -- FIN,ACK 1 ack 1 ->          CLOSE-WAIT?
5 1.0001    *            <- FIN,ACK 1 ack 2 --          LAST-ACK
6 1.0002    TIME-WAIT    -- ACK 2 ack 2 ->              CLOSED?
`)
	got := l.Replay(tracker.DefaultConfig())
	if d := l.Diff(got); d != "" {
		t.Errorf("%s%s", d, printLadder(got, true))
	}
	back := parseOne(t, printLadder(got, true))
	if d := cmp.Diff(got, back, sameLadder); d != "" {
		t.Errorf("printed and read again (-first +second):\n%s", d)
	}
	if d := back.Diff(back.Replay(tracker.DefaultConfig())); d != "" {
		t.Errorf("replayed again:\n%s", d)
	}
}

func FuzzLadder(f *testing.F) {
	f.Add(handshakeLadder)
	f.Add("stream 0 10.0.0.1:1 -> 10.0.0.2:2\n1 0 CLOSED -- SYN 0 icmp 3 4 10.0.0.9 mtu 1400 -> CLOSED\n")
	f.Add("stream 0 [::1]:1 -> [::1]:1\n1 0 CLOSED -- NULL 0 -> CLOSED -,revoked\n")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := ParseLadders(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, l := range all {
			text := printLadder(l, true)
			back, err := ParseLadders(strings.NewReader(text))
			if err != nil || len(back) != 1 {
				t.Fatalf("printed, but cannot be read: %v\n%s", err, text)
			}
			if d := cmp.Diff(l, back[0], sameLadder); d != "" {
				t.Fatalf("printed and read again (-first +second):\n%s\n%s", d, text)
			}
			if again := printLadder(back[0], true); again != text {
				t.Fatalf("printed differently the second time:\n%s\n%s", text, again)
			}
			l.Diff(l.Replay(tracker.DefaultConfig())) // it need not be what a tracker finds
		}
	})
}
