package report

import (
	"strings"
	"testing"

	"tcpstate/capture"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// comments are those of a ladder's segments.
func comments(t *testing.T, text string) (lines []string) {
	t.Helper()
	l := parseOne(t, text)
	tr := tracker.New(tracker.DefaultConfig(), tracker.Observer{Step: func(s *tracker.Step) {
		lines = append(lines, string(AppendComment(nil, s)))
	}})
	segs := l.Segments(playStart)
	for i := range segs {
		segs[i].Hash = segs[i].Key.Hash()
	}
	tr.Process(&capture.Batch{Segments: segs})
	return lines
}

func TestComments(t *testing.T) {
	got := comments(t, `
stream 0 10.0.0.1:40022 → 10.0.0.2:80
1 0         * -- SYN 0 ->                          *
2 0.000081  * <- SYN,ACK 0 ack 1 --                *
3 0.000100  * -- ACK 1 ack 1 ->                    *
4 0.5       * -- PSH,ACK 1:101(100) ack 1 ->       *
5 0.8       * -- PSH,ACK 1:101(100) ack 1 ->       *
6 1         * <- ACK 1 ack 101 --                  *
7 2         * -- FIN,ACK 101 ack 1 ->              *
8 2.0001    * <- FIN,ACK 1 ack 102 --              *
9 2.0002    * -- ACK 102 ack 2 ->                  *
10 90       * -- SYN 5000 ->                       *
`)
	want := `client SYN-SENT (CLOSED -> SYN-SENT: syn), server LISTEN?
client ESTABLISHED? (SYN-SENT -> ESTABLISHED?: syn-ack-delivered), server SYN-RECEIVED? (CLOSED -> SYN-RECEIVED?: syn-ack)
client ESTABLISHED (confirmed: spoke), server ESTABLISHED? (SYN-RECEIVED -> ESTABLISHED?: ack-of-syn)
client ESTABLISHED, server ESTABLISHED?
client ESTABLISHED, server ESTABLISHED?, retransmission
client ESTABLISHED, server ESTABLISHED (confirmed: spoke)
client FIN-WAIT-1 (ESTABLISHED -> FIN-WAIT-1: fin), server CLOSE-WAIT? (ESTABLISHED -> CLOSE-WAIT?: fin-delivered)
client TIME-WAIT? (FIN-WAIT-1 -> FIN-WAIT-2?: ack-of-fin; FIN-WAIT-2 -> TIME-WAIT?: fin-delivered), server LAST-ACK (CLOSE-WAIT -> LAST-ACK: fin-last-ack)
client TIME-WAIT (confirmed: ack-fin-time-wait), server CLOSED? (LAST-ACK -> CLOSED?: ack-of-fin)
client SYN-SENT (TIME-WAIT -> CLOSED~: time-wait-elapsed; CLOSED -> SYN-SENT: syn), server CLOSED?
`
	if g := strings.Join(got, "\n") + "\n"; g != want {
		t.Errorf("comments are\n%s", g)
	}
}

// What was presumed and is taken back is said.
func TestCommentOfRevoked(t *testing.T) {
	s := &tracker.Step{Client: 1, Changes: []tracker.Transition{
		{Side: 0, From: tracker.CloseWait, To: tracker.Established, Certainty: tracker.Revoked, Rule: tracker.RuleFinUnheard},
		{Side: 0, From: tracker.Established, To: tracker.LastAck, Certainty: tracker.Confirmed, Rule: tracker.RuleFinLastAck},
	}}
	s.After = [2]tracker.EndState{{State: tracker.LastAck, Certainty: tracker.Confirmed}, {State: tracker.TimeWait, Certainty: tracker.Elapsed}}
	want := "client TIME-WAIT~, server LAST-ACK (CLOSE-WAIT? revoked -> ESTABLISHED: fin-unheard; ESTABLISHED -> LAST-ACK: fin-last-ack)"
	if got := string(AppendComment(nil, s)); got != want {
		t.Errorf("the comment is %q", got)
	}
}

// Chosen is told the lives that are reported, and Concerned knows those of a finding.
func TestChosenAndConcerned(t *testing.T) {
	where, err := ParseWhere(`close.kind != "graceful"`)
	if err != nil {
		t.Fatal(err)
	}
	inFinding, err := ParseWhere(`"refused" in findings`)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		sel  Selection
		want []uint64
	}{
		{"all", Selection{}, []uint64{0, 1, 2, 3}}, {"streams", Selection{Streams: map[uint64]bool{2: true, 9: true}}, []uint64{2}},
		{"where", Selection{Where: where}, []uint64{1, 2, 3}}, {"where of findings", Selection{Where: inFinding}, []uint64{1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			told := map[uint64]int{}
			opts := Options{Selection: c.sel, Judge: true, Chosen: func(l *tracker.Life) { told[l.ID]++ }}
			r, _ := playReport(t, lives, opts, PartSummary, "table")
			for _, id := range c.want {
				if told[id] != 1 {
					t.Errorf("connection %d: told %d times", id, told[id])
				}
			}
			if len(told) != len(c.want) {
				t.Errorf("chosen are %v, not %v", told, c.want)
			}
			refused := r.Concerned("refused")
			if _, has := told[1]; has != refused[detect.Ref{ID: 1}] || len(refused) > 1 {
				t.Errorf("concerned are %v", refused)
			}
		})
	}
}
