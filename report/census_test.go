package report

import (
	"encoding/json"
	"strings"
	"testing"
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
