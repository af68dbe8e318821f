package report

import (
	"strings"
	"testing"
	"unicode/utf8"

	"tcpstate/capture"
	"tcpstate/reassembly"
	"tcpstate/tracker"
)

// However long a connection, its ladder is not; and all its segments are counted.
func TestDrawingIsBounded(t *testing.T) {
	for _, class := range []reassembly.Class{reassembly.New, reassembly.Retransmission} {
		life := &tracker.Life{Continues: -1}
		d := NewDrawing(life, DrawOptions{Marks: map[uint64][]string{5000: {"proof"}}})
		const n = 20_000
		for i := range uint64(n) {
			s := &tracker.Step{Class: class, Segment: capture.Segment{Frame: i + 1, Time: int64(i), Flags: capture.ACK, Len: 10, Window: 1}}
			for side := range s.After {
				s.After[side] = tracker.EndState{State: tracker.Established, Certainty: tracker.Confirmed}
			}
			s.Before = s.After
			d.Step(s)
			if len(d.pen.l.Rows) > ladderMost+1 {
				t.Fatalf("%v: %d rows", class, len(d.pen.l.Rows))
			}
		}
		count, proven := uint64(0), false
		for _, r := range d.Done(life).Rows {
			if f := r.Folded; f != nil {
				count += f.Data + f.Acks + f.Other
			} else {
				count++
			}
			proven = proven || len(r.Marks) > 0 && r.Segment.Frame == 5000
		}
		if count != n || !proven {
			t.Errorf("%v: %d segments, proof %v", class, count, proven)
		}
	}
}

// No text ends a statement of a diagram or is markup in it.
func TestMermaidText(t *testing.T) {
	got := mermaidText("a;b#c<br/>\n`%%{x}\x1b[1m")
	if strings.ContainsAny(got, "<>\n`%{}\x1b") || strings.Contains(got, "a;") {
		t.Errorf("%q", got)
	}
}

// A window is scaled where both SYNs say by how much, and else as it was sent: with ? where
// nobody saw both. That of a SYN never is.
func TestWindowsAreScaled(t *testing.T) {
	const head = "stream 0 10.0.0.1:40000 -> 10.0.0.2:80\n"
	open := func(client, server string) string {
		return head + "1 0 * -- SYN 0 win 1000" + client + " -> *\n2 0.1 * <- SYN,ACK 0 ack 1 win 2000" + server + " -- *\n" +
			"3 0.2 * -- ACK 1 ack 1 win 3 -> *\n4 0.3 * <- PSH,ACK 1:11(10) ack 1 win 5 -- *\n5 0.4 * -- RST 1 win 7 -> *\n"
	}
	for _, x := range []struct{ text, want string }{
		{open(" ws 3", " ws 14"), "1000 2000 24 81920 -"},
		{open(" ws 3", " ws 15"), "1000 2000 24 81920 -"}, // 14 is the most (RFC 7323 section 2.3)
		{open(" ws 3", ""), "1000 2000 3 5 -"},
		{open("", " ws 3"), "1000 2000 3 5 -"},
		{head + "1 0 * -- ACK 1 ack 1 win 3 -> *\n", "3?"},
		{head + "1 0 * -- SYN 0 win 9 ws 3 -> *\n2 0.1 * -- ACK 1 ack 1 win 3 -> *\n", "9 3?"},
		{head + "1 0 * -- SYN 0 win 9 ws 3 -> *\n2 0.1 * <- ACK 5 ack 7 win 3 -- *\n", "9 3?"},
		{head + "1 0 * -- SYN 0 win 9 -> *\n2 0.1 * -- ACK 1 ack 1 win 3 -> *\n", "9 3"},
	} {
		l := parseOne(t, x.text).Replay(tracker.DefaultConfig())
		var got []string
		for i := range l.Rows {
			_, w, ok := strings.Cut(l.rowText(&l.Rows[i]), windowKey)
			if w, _, _ = strings.Cut(w, " "); !ok {
				w = "-"
			}
			got = append(got, w)
		}
		if g := strings.Join(got, " "); g != x.want {
			t.Errorf("%sshows %s, want %s", x.text, g, x.want)
		}
	}
}

// What does not fit is left out by what it is worth: where payload ends, then a window that
// is not zero.
func TestLaddersAreBriefWhereNarrow(t *testing.T) {
	l := parseOne(t, "stream 0 10.0.0.1:40000 -> 10.0.0.2:80\n1 0 ESTABLISHED -- ACK 100001:101449(1448) ack 1 win 64256 -> ESTABLISHED\n"+
		"2 0.1 ESTABLISHED <- ACK 1 ack 101449 win 64256 -- ESTABLISHED\n3 0.2 ESTABLISHED <- PSH,ACK 1:11(10) ack 101449 win 0 -- ESTABLISHED\n")
	for _, x := range []struct {
		width int
		clock Clock
		want  []string
	}{
		{100, ClockRelative, []string{"ACK 100001:101449(1448) ack 1 win 64256", "ACK 1 ack 101449 win 64256", "PSH,ACK 1:11(10) ack 101449 win 0"}},
		{84, ClockRelative, []string{"ACK 100001(1448) ack 1 win 64256", "ACK 1 ack 101449 win 64256", "PSH,ACK 1(10) ack 101449 win 0"}},
		{80, ClockRelative, []string{"ACK 100001(1448) ack 1", "ACK 1 ack 101449 win 64256", "PSH,ACK 1(10) ack 101449 win 0"}},
		{80, ClockUTC, []string{"ACK 100001(1448) ack 1", "ACK 1 ack 101449", "PSH,ACK 1(10) ack… win 0"}},
	} {
		width, want := x.width, x.want
		var b strings.Builder
		if err := (&LadderSheet{Style: Style{Clock: x.clock}, Width: width, Ladders: []*Told{{Ladder: l}}}).Table(&b); err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(strings.TrimSpace(b.String()), "\n")[2:5] {
			if got := strings.Trim(line[strings.IndexAny(line, "─◀"):strings.LastIndex(line, "  E")], "─◀▶ "); got != want[i] {
				t.Errorf("of %d columns: %q, want %q", width, got, want[i])
			}
			if n := utf8.RuneCountInString(line); n > width {
				t.Errorf("a line of %d columns: %s", n, line)
			}
		}
	}
}
