package report

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// rebooted is a 4-tuple whose client begins anew in the middle: the second
// number carries on the first's server, and there are two endpoints in all.
const rebooted = `
stream 0 10.0.0.1:40022 → 10.0.0.2:80
1 0         * -- SYN 0 ->                                     *
2 0.0001    * <- SYN,ACK 0 ack 1 --                           *
3 0.0002    * -- ACK 1 ack 1 ->                               *
4 0.0003    * <- PSH,ACK 1:11(10) ack 1 --                    *

stream 1 10.0.0.1:40022 → 10.0.0.2:80
5 9         * -- SYN 500000 ->                                *
6 9.0001    * <- ACK 500011 ack 400001 --                     *
`

func census4(t *testing.T, text string, sel Selection) map[string]StateCensus {
	t.Helper()
	out := play(t, text, Options{Selection: sel}, PartSummary, "ndjson")[0]
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var s struct{ States map[string]StateCensus }
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &s); err != nil {
		t.Fatal(err)
	}
	return s.States
}

// An endpoint that goes on under another number is counted once, and no peak
// is below what stands at the end.
func TestCensusOfContinuedLife(t *testing.T) {
	w, err := ParseWhere("true")
	if err != nil {
		t.Fatal(err)
	}
	var n uint64
	for state, c := range census4(t, rebooted, Selection{Where: w}) {
		now := c.Confirmed + c.Presumed + c.Elapsed
		n += now
		if c.Peak < now {
			t.Errorf("%s: %d endpoints, peak %d", state, now, c.Peak)
		}
	}
	if n != 2 {
		t.Errorf("%d endpoints, not 2", n)
	}
}

// A window begins with what stands when it begins, since states are built
// from the start.
func TestCensusOfWindow(t *testing.T) {
	for _, since := range []string{"+0s", "+6.05s", "+7s"} {
		m, err := ParseMoment(since)
		if err != nil {
			t.Fatal(err)
		}
		// Connection 3 of lives and one more are established at +6.05s.
		text := lives + `
stream 4 10.0.0.1:40026 → 10.0.0.2:80
22 6.01     * -- SYN 0 ->                                     *
23 6.02     * <- SYN,ACK 0 ack 1 --                           *
24 6.03     * -- ACK 1 ack 1 ->                               *
25 8        * <- PSH,ACK 1:11(10) ack 1 --                    *
`
		if got := census4(t, text, Selection{Since: m})["ESTABLISHED"].Peak; got != 4 {
			t.Errorf("since %s: peak %d, not 4", since, got)
		}
	}
}

// What a live capture remembers for it is bounded, and nothing is counted less for that.
func TestCensusIsBounded(t *testing.T) {
	for _, open := range []int{0, 1, 2} { // of each two
		c := census{most: 100}
		for i := range 1001 {
			l := &tracker.Life{Key: capture.Key{LoPort: uint16(i), HiPort: 80}}
			l.Ends[0].State, l.Ends[1].State = tracker.Closed, tracker.Closed
			if i%2 < open {
				l.Ends[0].State = tracker.FinWait2
			}
			c.life(l)
			c.life(l)
			if len(c.ends) > c.most {
				t.Fatalf("%d are remembered", len(c.ends))
			}
		}
		counts := c.final(window{since: math.MinInt64, until: math.MaxInt64}, 1)
		sum := func(s tracker.State) uint64 { return counts[s].Confirmed + counts[s].Presumed + counts[s].Elapsed }
		over, half := sum(tracker.Closed), sum(tracker.FinWait2)
		if want := uint64(501*open - open*(open-1)/2); half < want || over+half < 2002 || over+half > 2002+2*20 {
			t.Errorf("%d are CLOSED, and %d of %d in FIN-WAIT-2", over, half, want)
		}
	}
}
