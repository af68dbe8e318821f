package report

import (
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// trailOf plays a ladder, and returns the case of its last life, and the ladder as explain
// draws it. A case is asked for when all segments have come: with the states of then.
func trailOf(t *testing.T, l *Ladder) (cases []*tracker.Case, drawn *Ladder) {
	t.Helper()
	cfg := tracker.DefaultConfig()
	if l.TimeWait >= 0 {
		cfg.TimeWait = l.TimeWait
	}
	if l.FinTimeout >= 0 {
		cfg.FinTimeout = l.FinTimeout
	}
	tr := tracker.New(cfg, tracker.Observer{Case: func(c *tracker.Case) {
		x, life := *c, *c.Life
		x.Life = &life
		x.Trail.Events = append([]tracker.Event(nil), c.Trail.Events...)
		x.Trail.Quotes = append([]capture.Quote(nil), c.Trail.Quotes...)
		cases = append(cases, &x)
	}})
	for i := range l.Rows {
		r := &l.Rows[i]
		b := &capture.Batch{Now: replayStart + r.Segment.Time}
		if !r.Timer() {
			s := r.Segment
			s.Time += replayStart
			s.Hash = s.Key.Hash()
			b.Segments = []capture.Segment{s}
		}
		tr.Process(b)
	}
	tr.Finish()
	return cases, l.Replay(tracker.DefaultConfig())
}

func ladderFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../tracker/testdata/ladders/*.ladder")
	if err != nil || len(files) < 100 {
		t.Fatal(len(files), err)
	}
	return files
}

// What the screen draws from a trail is what explain draws from the segments: the same
// states after each, the same words.
func TestTrailIsDrawnAsItsLadder(t *testing.T) {
	rungs := 0
	for _, file := range ladderFiles(t) {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		all, err := ParseLadders(f)
		f.Close()
		if err != nil {
			t.Fatal(file, err)
		}
		for _, l := range all {
			cases, drawn := trailOf(t, l)
			texts, _, _ := drawn.cells(LadderStyle{})
			for _, c := range cases {
				flip := c.Life.Ends[tracker.Client].Addr != drawn.Left
				for _, r := range TrailRungs(c) {
					for i := range drawn.Rows {
						w := &drawn.Rows[i]
						if r.Gap || w.Timer() || w.Segment.Frame != r.Frame {
							continue
						}
						states := w.States
						if flip {
							states[0], states[1] = states[1], states[0]
						}
						if r.States != states {
							t.Errorf("%s: frame %d: %v, not %v", filepath.Base(file), r.Frame, r.States, states)
						}
						rungs++
						if !otherBase.MatchString(file) && r.Text != texts[i] {
							t.Errorf("%s: frame %d: %q, not %q", filepath.Base(file), r.Frame, r.Text, texts[i])
						}
					}
				}
			}
		}
	}
	if rungs < 1000 {
		t.Errorf("only %d rungs", rungs)
	}
}

// otherBase are ladders of several lives, or of one whose beginning is not there: their
// numbers are those of the file, and relative to each life in a trail.
var otherBase = regexp.MustCompile(`/(mid_stream|lone_|odd_flags|reboot|refused_then|reuse_|incarnation|syn_ack_|syn_crossing|time_wait_|abort_in_syn_sent)`)

// rungTexts writes rungs in short: an arrow and what is said, or what is missing.
func rungTexts(rungs []Rung) (texts []string) {
	for i := range rungs {
		r := &rungs[i]
		text := r.States[0].String() + " " + r.Arrow(r.Text, 0) + " " + r.States[1].String()
		if r.Why != "" {
			text += " (" + r.Why + ")"
		}
		texts = append(texts, text)
	}
	return texts
}

func TestTrailGaps(t *testing.T) {
	all, err := ParseLadders(strings.NewReader(`
stream 0   10.0.0.1:40022 → 10.0.0.2:80
config time-wait 30s
1 0       * -- SYN 0 win 64240 mss 1460 ->  *
2 0.02    * <- SYN,ACK 0 ack 1 --           *
3 0.03    * -- ACK 1 ack 1 ->               *
4 0.1     * -- PSH,ACK 1:101(100) ack 1 ->  *
5 0.2     * <- PSH,ACK 1:101(100) ack 101 --  *
6 0.3     * -- PSH,ACK 101:201(100) ack 101 ->  *
7 0.4     * <- PSH,ACK 101:201(100) ack 201 --  *
8 0.5     * -- PSH,ACK 201:301(100) ack 201 ->  *
9 0.6     * <- PSH,ACK 201:301(100) ack 301 --  *
10 0.7    * -- PSH,ACK 301:401(100) ack 301 ->  *
11 0.8    * <- PSH,ACK 301:401(100) ack 401 --  *
12 1      * -- FIN,ACK 401 ack 401 ->        *
13 1.1    * <- FIN,ACK 401 ack 402 --        *
14 1.2    * -- ACK 402 ack 402 ->            *
   40     * ------ timer ------              *
`))
	if err != nil {
		t.Fatal(err)
	}
	cases, _ := trailOf(t, all[0])
	want := []string{
		"SYN-SENT ── SYN 0 win 64240 mss 1460 ─▶ LISTEN?",
		"ESTABLISHED? ◀─ SYN,ACK 0 ack 1 ── SYN-RECEIVED?",
		"ESTABLISHED ── ACK 1 ack 1 ─▶ ESTABLISHED?",
		"ESTABLISHED ── PSH,ACK 1:101(100) ack 1 ─▶ ESTABLISHED?",
		"ESTABLISHED ◀─ PSH,ACK 1:101(100) ack 101 ── ESTABLISHED",
		"ESTABLISHED … ESTABLISHED",
		"ESTABLISHED ── PSH,ACK 301:401(100) ack 301 ─▶ ESTABLISHED",
		"ESTABLISHED ◀─ PSH,ACK 301:401(100) ack 401 ── ESTABLISHED",
		"FIN-WAIT-1 ── FIN,ACK 401 ack 401 ─▶ CLOSE-WAIT?",
		"TIME-WAIT? ◀─ FIN,ACK 401 ack 402 ── LAST-ACK",
		"TIME-WAIT ── ACK 402 ack 402 ─▶ CLOSED?",
		"CLOSED~ timer CLOSED?",
	}
	if d := cmp.Diff(want, rungTexts(TrailRungs(cases[0]))); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}

	// Events that had no room, and an ICMP error.
	c := *cases[0]
	c.Trail.Missing = 1234
	c.Trail.Quotes = []capture.Quote{{From: netip.MustParseAddr("10.0.0.9"), Type: 3, Code: 1}}
	c.Trail.Events = append([]tracker.Event(nil), c.Trail.Events...)
	c.Trail.Events[8].What |= tracker.Holed
	c.Trail.Events[1].What |= tracker.Quoted
	c.Trail.Events[1].From, c.Trail.Events[1].Seq = tracker.Client, c.Trail.Events[0].Seq
	got := rungTexts(TrailRungs(&c))
	if want := "ESTABLISHED? ◀─ ICMP 3/1 from 10.0.0.9 quotes 0 ── SYN-RECEIVED?"; got[1] != want {
		t.Errorf("%q, not %q", got[1], want)
	}
	if want := "FIN-WAIT-1 … 1,234 segments not kept CLOSE-WAIT?"; got[9] != want {
		t.Errorf("%q, not %q", got[9], want)
	}
	if got := TrailRungs(&tracker.Case{Life: &tracker.Life{}}); got != nil {
		t.Errorf("%v of nothing", got)
	}
}
