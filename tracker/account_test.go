package tracker_test

import (
	"fmt"
	"strings"
	"testing"

	"tcpstate/capture"
	"tcpstate/report"
	"tcpstate/tracker"
)

// opened is a handshake over a path of 40 ms: 30 ms from the vantage point to
// the server and back, 10 ms to the client and back. stamped is the same with
// timestamps, in ms as Linux counts them.
const (
	opened = `
0        -- SYN 0 mss 1460 ->
0.030    <- SYN,ACK 0 ack 1 mss 1460 --
0.040    -- ACK 1 ack 1 ->
`
	stamped = `
0        -- SYN 0 mss 1460 ts 100 0 ->
0.030    <- SYN,ACK 0 ack 1 mss 1460 ts 500 100 --
0.040    -- ACK 1 ack 1 ts 140 500 ->
`
)

// caseOf is the case of the one life that rows show: "TIME -- SEGMENT ->" from
// the client, "TIME <- SEGMENT --" from the server.
func caseOf(t *testing.T, rows string) *tracker.Case {
	t.Helper()
	var text strings.Builder
	text.WriteString("stream 0 10.0.0.1:40000 -> 10.0.0.2:80\nisn 1000 5000\n")
	for line := range strings.Lines(rows) {
		line, _, _ = strings.Cut(line, "#")
		if w := strings.Fields(line); len(w) > 0 {
			fmt.Fprintf(&text, "%s * %s *\n", w[0], strings.Join(w[1:], " "))
		}
	}
	all, err := report.ParseLadders(strings.NewReader(text.String()))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text.String())
	}
	var got *tracker.Case
	tr := tracker.New(tracker.DefaultConfig(), tracker.Observer{Case: func(c *tracker.Case) {
		if got != nil {
			t.Fatal("more than one life")
		}
		k := *c
		life := *c.Life
		k.Life, k.Trail.Events = &life, append([]tracker.Event(nil), c.Trail.Events...)
		got = &k
	}})
	segs := all[0].Segments(capturedAt)
	for i := range segs {
		segs[i].Hash = segs[i].Key.Hash()
	}
	tr.Process(&capture.Batch{Segments: segs})
	tr.Finish()
	return got
}

// booked is a life and what is booked of it, in words.
type booked struct{ name, rows, want string }

func checkBooked(t *testing.T, all []booked, say func(c *tracker.Case) string) {
	t.Helper()
	for _, b := range all {
		t.Run(b.name, func(t *testing.T) {
			c := caseOf(t, b.rows)
			if got := say(c); got != b.want {
				t.Errorf("got  %s\nwant %s", got, b.want)
			}
		})
	}
}

// What was repeated, lost, needless, overtaken on the way, and missed by the capture.
func TestAccountOfLoss(t *testing.T) {
	checkBooked(t, []booked{
		{"nothing", opened + `
0.100  -- PSH,ACK 1:1001(1000) ack 1 ->
0.130  <- ACK 1 ack 1001 --`, "data 1, repeated 0, spurious 0, lost 0, out of order 0, unseen 0"},
		{"repeated after the RTO", opened + `
0.100  -- PSH,ACK 1:1001(1000) ack 1 ->
0.400  -- PSH,ACK 1:1001(1000) ack 1 ->
0.430  <- ACK 1 ack 1001 --`, "data 2, repeated 1, spurious 0, lost 1, out of order 0, unseen 0"},
		{"repeated after its acknowledgment", opened + `
0.100  -- PSH,ACK 1:1001(1000) ack 1 ->
0.130  <- ACK 1 ack 1001 --
0.400  -- PSH,ACK 1:1001(1000) ack 1 ->
0.430  <- ACK 1 ack 1001 dsack --`, "data 2, repeated 1, spurious 1, lost 0, out of order 0, unseen 0"},
		{"tail loss probe that the peer had twice", opened + `
0.100  -- PSH,ACK 1:1001(1000) ack 1 ->
0.185  -- PSH,ACK 1:1001(1000) ack 1 ->
0.200  <- ACK 1 ack 1001 --
0.215  <- ACK 1 ack 1001 dsack --`, "data 2, repeated 1, spurious 1, lost 0, out of order 0, unseen 0"},
		{"a repeated SYN,ACK that the client had twice is no repeated payload", `
0        -- SYN 0 mss 1460 ->
0.030    <- SYN,ACK 0 ack 1 mss 1460 --
0.040    -- ACK 1 ack 1 ->
1.030    <- SYN,ACK 0 ack 1 mss 1460 --
1.040    -- ACK 1 ack 1 dsack ->
1.100    <- PSH,ACK 1:101(100) ack 1 --
1.400    <- PSH,ACK 1:101(100) ack 1 --
1.410    -- ACK 1 ack 101 ->`, "data 0, repeated 0, spurious 0, lost 0, out of order 0, unseen 0; server data 2, repeated 1, spurious 0, lost 1, out of order 0, unseen 0"},
		{"a repeated FIN that the peer had twice is no repeated payload", opened + `
0.100  -- PSH,ACK 1:1001(1000) ack 1 ->
0.400  -- PSH,ACK 1:1001(1000) ack 1 ->
0.430  <- ACK 1 ack 1001 --
0.500  -- FIN,ACK 1001 ack 1 ->
0.800  -- FIN,ACK 1001 ack 1 ->
0.810  <- ACK 1 ack 1002 --
0.830  <- ACK 1 ack 1002 dsack --`, "data 2, repeated 1, spurious 0, lost 1, out of order 0, unseen 0"},
		{"a hole that is filled late: lost before it came here", opened + `
0.100  -- ACK 1:1001(1000) ack 1 ->
0.1001 -- PSH,ACK 2001:3001(1000) ack 1 ->
0.130  <- ACK 1 ack 1001 --
0.1301 <- ACK 1 ack 1001 sack --
0.141  -- ACK 1001:2001(1000) ack 1 ->
0.171  <- ACK 1 ack 3001 --`, "data 3, repeated 1, spurious 0, lost 1, out of order 0, unseen 0"},
		{"a hole that is filled at once: overtaken", opened + `
0.100  -- ACK 1:1001(1000) ack 1 ->
0.1001 -- PSH,ACK 2001:3001(1000) ack 1 ->
0.1002 -- ACK 1001:2001(1000) ack 1 ->
0.130  <- ACK 1 ack 3001 --`, "data 3, repeated 0, spurious 0, lost 0, out of order 1, unseen 0"},
		{"filled within a stream of others, but a round trip after the hole: lost", opened + `
0.100  -- ACK 1:1001(1000) ack 1 ->
0.1001 -- ACK 2001:3001(1000) ack 1 ->
0.130  <- ACK 1 ack 1001 --
0.1301 <- ACK 1 ack 1001 sack --
0.1409 -- ACK 3001:4001(1000) ack 1 ->
0.1410 -- ACK 1001:2001(1000) ack 1 ->
0.171  <- ACK 1 ack 4001 --`, "data 4, repeated 1, spurious 0, lost 1, out of order 0, unseen 0"},
		{"the same, by timestamps", stamped + `
0.100  -- ACK 1:1001(1000) ack 1 ts 200 500 ->
0.1001 -- ACK 2001:3001(1000) ack 1 ts 200 500 ->
0.1201 -- ACK 3001:4001(1000) ack 1 ts 220 500 ->
0.1202 -- ACK 1001:2001(1000) ack 1 ts 220 500 ->`, "data 4, repeated 1, spurious 0, lost 1, out of order 0, unseen 0"},
		{"overtaken by 20 ms, as its timestamp says", stamped + `
0.100  -- ACK 1:1001(1000) ack 1 ts 200 500 ->
0.1001 -- ACK 2001:3001(1000) ack 1 ts 201 500 ->
0.120  -- ACK 1001:2001(1000) ack 1 ts 200 500 ->
0.150  <- ACK 1 ack 3001 ts 620 201 --`, "data 3, repeated 0, spurious 0, lost 0, out of order 1, unseen 0"},
		{"overtaken by 20 ms in one burst, as its timestamp says", stamped + `
0.100  -- ACK 1:1001(1000) ack 1 ts 200 500 ->
0.1001 -- ACK 2001:3001(1000) ack 1 ts 200 500 ->
0.120  -- ACK 1001:2001(1000) ack 1 ts 200 500 ->
0.150  <- ACK 1 ack 3001 ts 620 200 --`, "data 3, repeated 0, spurious 0, lost 0, out of order 1, unseen 0"},
		{"doubled on the way, as its timestamp says", stamped + `
0.100  -- ACK 1:1001(1000) ack 1 ts 200 500 ->
0.101  -- ACK 1001:2001(1000) ack 1 ts 201 500 ->
0.120  -- ACK 1:1001(1000) ack 1 ts 200 500 ->
0.150  <- ACK 1 ack 2001 ts 620 201 --`, "data 3, repeated 0, spurious 0, lost 0, out of order 1, unseen 0"},
		{"overtaken by 20 ms, as its IP identification says", opened + `
0.100  -- ACK 1:1001(1000) ack 1 id 7 ->
0.1001 -- ACK 2001:3001(1000) ack 1 id 9 ->
0.120  -- ACK 1001:2001(1000) ack 1 id 8 ->
0.150  <- ACK 1 ack 3001 --`, "data 3, repeated 0, spurious 0, lost 0, out of order 1, unseen 0"},
		{"filled at once, but its IP identification says that it was sent later", opened + `
0.100  -- ACK 1:1001(1000) ack 1 id 7 ->
0.1001 -- ACK 2001:3001(1000) ack 1 id 9 ->
0.1003 -- ACK 1001:2001(1000) ack 1 id 10 ->
0.150  <- ACK 1 ack 3001 --`, "data 3, repeated 1, spurious 0, lost 1, out of order 0, unseen 0"},
		{"IP identifications that are random say nothing", opened + `
0.100  -- ACK 1:1001(1000) ack 1 id 700 ->
0.1001 -- ACK 2001:3001(1000) ack 1 id 60000 ->
0.1003 -- ACK 1001:2001(1000) ack 1 id 12345 ->
0.150  <- ACK 1 ack 3001 --`, "data 3, repeated 0, spurious 0, lost 0, out of order 1, unseen 0"},
		{"the capture missed what was acknowledged", opened + `
0.100  -- ACK 1:1001(1000) ack 1 ->
0.101  -- ACK 2001:3001(1000) ack 1 ->
0.130  <- ACK 1 ack 3001 --`, "data 2, repeated 0, spurious 0, lost 0, out of order 0, unseen 1000"},
		{"keepalive probes with an octet of garbage", opened + `
0.100  -- PSH,ACK 1:1001(1000) ack 1 ->
0.130  <- ACK 1 ack 1001 --
60     -- ACK 1000:1001(1) ack 1 ->
60.030 <- ACK 1 ack 1001 dsack --`, "data 1, repeated 0, spurious 0, lost 0, out of order 0, unseen 0"},
		{"repeated against a closed window", opened + `
0.100  -- PSH,ACK 1:1001(1000) ack 1 ->
0.130  <- ACK 1 ack 1001 win 0 --
0.400  -- PSH,ACK 1001:1101(100) ack 1 ->
0.430  <- ACK 1 ack 1001 win 0 --
0.900  -- PSH,ACK 1001:1101(100) ack 1 ->
0.930  <- ACK 1 ack 1001 win 0 --`, "data 3, repeated 1, spurious 0, lost 0, out of order 0, unseen 0"},
	}, func(c *tracker.Case) string {
		say := func(a *tracker.Account) string {
			return fmt.Sprintf("data %d, repeated %d, spurious %d, lost %d, out of order %d, unseen %d",
				a.DataSegments, a.Repeated, a.Spurious, a.Lost, a.OutOfOrder, a.Unseen)
		}
		s := say(&c.Ends[tracker.Client])
		if c.Ends[tracker.Server].DataSegments > 0 {
			s += "; server " + say(&c.Ends[tracker.Server])
		}
		return s
	})
}

// Segmentation offload: how many segments were on the wire.
func TestAccountOfOffload(t *testing.T) {
	c := caseOf(t, opened+`
0.100  -- ACK 1:1461(1460) ack 1 ->
0.101  -- ACK 1461:4381(2920) ack 1 ->
0.102  -- PSH,ACK 4381:7302(2921) ack 1 ->`)
	if a := &c.Ends[tracker.Client]; a.DataSegments != 3 || a.Oversized != 2 || a.Joined != 3 {
		t.Errorf("%d segments, %d oversized with %d joined", a.DataSegments, a.Oversized, a.Joined)
	}
}

// Windows of zero while the peer had more to send.
func TestAccountOfStalls(t *testing.T) {
	full := opened + `
0.100  -- PSH,ACK 1:1001(1000) ack 1 ->    # 4
0.130  <- ACK 1 ack 1001 win 0 --          # 5
`
	checkBooked(t, []booked{
		{"probed, as Linux does (oracle 28_zero_window)", full + `
0.400  -- ACK 1000 ack 1 ->
0.430  <- ACK 1 ack 1001 win 0 --
0.900  -- ACK 1000 ack 1 ->
0.930  <- ACK 1 ack 1001 win 0 --
3.130  <- ACK 1 ack 1001 win 8000 --
3.140  -- PSH,ACK 1001:2001(1000) ack 1 ->`, "1 stall, 3s, longest 3s, frames [5 6 10], open false"},
		{"probed with an octet of the data", full + `
0.400  -- ACK 1001:1002(1) ack 1 ->
2.130  <- ACK 1 ack 1002 win 8000 --`, "1 stall, 2s, longest 2s, frames [5 6 7], open false"},
		{"probed below what is outstanding (tcp_xmit_probe_skb: SND.UNA-1)", opened + `
0.100  -- ACK 1:1001(1000) ack 1 ->
0.101  -- PSH,ACK 1001:1501(500) ack 1 ->
0.130  <- ACK 1 ack 1001 win 0 --
0.400  -- ACK 1000 ack 1 ->
2.130  <- ACK 1 ack 1501 win 8000 --`, "1 stall, 2s, longest 2s, frames [6 6 8], open false"},
		{"acknowledged in part", opened + `
0.100  -- ACK 1:1001(1000) ack 1 ->
0.101  -- PSH,ACK 1001:1501(500) ack 1 ->
0.130  <- ACK 1 ack 1001 win 0 --
2.130  <- ACK 1 ack 1501 win 8000 --`, "1 stall, 2s, longest 2s, frames [6 6 7], open false"},
		{"nothing waits: the FIN alone is left out", opened + `
0.100  -- FIN,PSH,ACK 1:1001(1000) ack 1 ->
0.130  <- ACK 1 ack 1001 win 0 --
2.130  <- ACK 1 ack 1002 win 8000 --`, "0 stalls, 0s, longest 0s, frames [0 0 0], open false"},
		{"nothing shows that the peer waited", full + `
2.130  <- ACK 1 ack 1001 win 8000 --
4      -- PSH,ACK 1001:2001(1000) ack 1 ->`, "0 stalls, 0s, longest 0s, frames [0 0 0], open false"},
		{"the peer goes on at once", full + `
2.130  <- ACK 1 ack 1001 win 8000 --
2.140  -- PSH,ACK 1001:2001(1000) ack 1 ->`, "1 stall, 2s, longest 2s, frames [5 0 6], open false"},
		{"the peer goes on, but with an answer to what came after the window opened", full + `
2.130  <- ACK 1 ack 1001 win 8000 --
2.131  <- PSH,ACK 1:101(100) ack 1001 win 8000 --
2.140  -- PSH,ACK 1001:2001(1000) ack 101 ->`, "0 stalls, 0s, longest 0s, frames [0 0 0], open false"},
		{"the peer goes on, but with an answer to what opened the window", full + `
2.130  <- PSH,ACK 1:101(100) ack 1001 win 8000 --
2.140  -- PSH,ACK 1001:2001(1000) ack 101 ->`, "0 stalls, 0s, longest 0s, frames [0 0 0], open false"},
		{"a late copy does not show that more waits", full + `
0.150  -- PSH,ACK 1:1001(1000) ack 1 ->
2.130  <- ACK 1 ack 1001 win 8000 --`, "0 stalls, 0s, longest 0s, frames [0 0 0], open false"},
		{"two stalls", full + `
0.400  -- ACK 1000 ack 1 ->
1.130  <- ACK 1 ack 1001 win 1000 --
1.140  -- PSH,ACK 1001:2001(1000) ack 1 ->
1.170  <- ACK 1 ack 2001 win 0 --
1.400  -- ACK 2000 ack 1 ->
4.170  <- ACK 1 ack 2001 win 8000 --`, "2 stalls, 4s, longest 3s, frames [9 10 11], open false"},
		{"opened and closed again before the peer said anything", full + `
1.130  <- ACK 1 ack 1001 win 1000 --
1.230  <- ACK 1 ack 1001 win 0 --
1.400  -- ACK 1000 ack 1 ->
2.230  <- ACK 1 ack 1001 win 8000 --`, "1 stall, 1s, longest 1s, frames [7 8 9], open false"},
		{"never opened", full + `
0.400  -- ACK 1000 ack 1 ->
0.430  <- ACK 1 ack 1001 win 0 --
5.130  -- ACK 1000 ack 1 ->`, "1 stall, 5s, longest 5s, frames [5 6 0], open true"},
		{"a RST offers no window", opened + `
0.100  -- PSH,ACK 1:1001(1000) ack 1 ->
0.130  <- RST,ACK 1 ack 1001 win 0 --
0.131  -- PSH,ACK 1001:2001(1000) ack 1 ->`, "0 stalls, 0s, longest 0s, frames [0 0 0], open false"},
	}, func(c *tracker.Case) string {
		a := &c.Ends[tracker.Server]
		n := "stalls"
		if a.Stalls == 1 {
			n = "stall"
		}
		return fmt.Sprintf("%d %s, %gs, longest %gs, frames %d, open %v", a.Stalls, n, float64(a.Stalled)/1e9, float64(a.LongestStall)/1e9, a.StallFrames, a.StallOpen)
	})
}

// Keepalive probes (RFC 9293 section 3.8.4).
func TestAccountOfProbes(t *testing.T) {
	idle := opened + `
0.100  -- PSH,ACK 1:1001(1000) ack 1 ->
0.130  <- ACK 1 ack 1001 --
`
	checkBooked(t, []booked{
		{"none", idle, "0 probes, 0 answered, idle 0s, interval 0s, frames [0 0]"},
		{"answered (oracle 14_keepalive_ok)", idle + `
60.130  -- ACK 1000 ack 1 ->
60.160  <- ACK 1 ack 1001 --
120.160 -- ACK 1000 ack 1 ->
120.190 <- ACK 1 ack 1001 --`, "2 probes, 2 answered, idle 60s, interval 60.03s, frames [6 8]"},
		{"no longer answered (oracle 15_keepalive_dead)", idle + `
60.130  -- ACK 1000 ack 1 ->
60.160  <- ACK 1 ack 1001 --
120.160 -- ACK 1000 ack 1 ->
130.160 -- ACK 1000 ack 1 ->
140.160 -- RST,ACK 1001 ack 1 ->`, "3 probes, 1 answered, idle 60s, interval 10s, frames [6 9]"},
		{"a RST is no answer", idle + `
60.130  -- ACK 1000 ack 1 ->
60.160  <- RST 1 --`, "1 probes, 0 answered, idle 60s, interval 0s, frames [6 6]"},
		{"payload begins another row", idle + `
60.130  -- ACK 1000 ack 1 ->
60.160  <- ACK 1 ack 1001 --
70      -- PSH,ACK 1001:1101(100) ack 1 ->
70.030  <- ACK 1 ack 1101 --
160.030 -- ACK 1100 ack 1 ->`, "2 probes, 1 answered, idle 90s, interval 0s, frames [10 10]"},
		{"a probe of a closed window is another thing", opened + `
0.100  -- PSH,ACK 1:1001(1000) ack 1 ->
0.130  <- ACK 1 ack 1001 win 0 --
60.130 -- ACK 1000 ack 1 ->`, "0 probes, 0 answered, idle 0s, interval 0s, frames [0 0]"},
	}, func(c *tracker.Case) string {
		a := &c.Ends[tracker.Client]
		return fmt.Sprintf("%d probes, %d answered, idle %gs, interval %gs, frames %d", a.Probes, a.Answered, float64(a.ProbeIdle)/1e9, float64(a.ProbeInterval)/1e9, a.ProbeFrames)
	})
}

// Payload towards a side that has sent FIN.
func TestAccountOfLatePayload(t *testing.T) {
	checkBooked(t, []booked{
		{"in the segment that acknowledges the FIN, and later (oracle 05_half_close)", opened + `
0.100  -- FIN,ACK 1 ack 1 ->
0.130  <- PSH,ACK 1:1001(1000) ack 2 --
0.630  <- PSH,ACK 1001:1501(500) ack 2 --
0.640  -- ACK 2 ack 1501 ->`, "1500 octets in 0.5s, frames [5 6]"},
		{"in flight when the FIN came", opened + `
0.100  -- FIN,ACK 1 ack 1 ->
0.110  <- PSH,ACK 1:1001(1000) ack 1 --
0.130  <- ACK 1001 ack 2 --`, "0 octets in 0s, frames [0 0]"},
		{"repeats count once", opened + `
0.100  -- FIN,ACK 1 ack 1 ->
0.130  <- PSH,ACK 1:1001(1000) ack 2 --
0.430  <- PSH,ACK 1:1001(1000) ack 2 --`, "1000 octets in 0s, frames [5 5]"},
		{"probes are no payload", opened + `
0.100  <- PSH,ACK 1:101(100) ack 1 --
0.110  -- ACK 1 ack 101 ->
0.200  -- FIN,ACK 1 ack 101 ->
0.230  <- ACK 101 ack 2 --
60     <- ACK 100:101(1) ack 2 --`, "0 octets in 0s, frames [0 0]"},
	}, func(c *tracker.Case) string {
		a := &c.Ends[tracker.Server]
		return fmt.Sprintf("%d octets in %gs, frames %d", a.LateOctets, float64(a.LateTo-a.LateFrom)/1e9, a.LateFrames)
	})
}

// Requests and answers, and the longest silence.
func TestAccountOfTurns(t *testing.T) {
	checkBooked(t, []booked{
		{"two exchanges", opened + `
0.100  -- PSH,ACK 1:101(100) ack 1 ->
0.130  <- ACK 1:1001(1000) ack 101 --
0.131  <- PSH,ACK 1001:1501(500) ack 101 --
0.141  -- ACK 101 ack 1501 ->
40.141 -- PSH,ACK 101:201(100) ack 1501 ->
40.171 <- PSH,ACK 1501:1601(100) ack 201 --`, "client 2, server 2, idle 40s in [7 8], before the last request 40s"},
		{"a repeat is no request", opened + `
0.100  -- PSH,ACK 1:101(100) ack 1 ->
0.130  <- PSH,ACK 1:1001(1000) ack 101 --
0.400  -- PSH,ACK 1:101(100) ack 1 ->
0.430  <- PSH,ACK 1:1001(1000) ack 101 --`, "client 1, server 1, idle 0.27s in [5 6], before the last request 0.06s"},
		{"a second silence, shorter than the first", opened + `
50.040 -- PSH,ACK 1:101(100) ack 1 ->
50.070 <- PSH,ACK 1:1001(1000) ack 101 --
50.080 -- ACK 101 ack 1001 ->
90.080 -- PSH,ACK 101:201(100) ack 1001 ->
90.380 -- PSH,ACK 101:201(100) ack 1001 ->`, "client 2, server 1, idle 50s in [3 4], before the last request 40s"},
	}, func(c *tracker.Case) string {
		last := uint32(0)
		for _, e := range c.Trail.Events {
			if e.From == tracker.Client && e.Len > 0 && !e.Again() {
				last = e.Idle
			}
		}
		return fmt.Sprintf("client %d, server %d, idle %gs in %d, before the last request %gs",
			c.Ends[0].Turns, c.Ends[1].Turns, float64(c.Idle)/1e9, c.IdleFrames, float64(last)/1e3)
	})
}

// The signs of lives that are worth a look, and what of an ordinary life's opening is
// in its accounts.
func TestSignsWorthALook(t *testing.T) {
	const exchange = `
0.100  -- PSH,ACK 1:101(100) ack 1 ->
0.130  <- PSH,ACK 1:1001(1000) ack 101 --
`
	const closes = `
0.200  -- FIN,ACK 101 ack 1001 ->
0.230  <- FIN,ACK 1001 ack 102 --
0.240  -- ACK 102 ack 1002 ->
`
	checkBooked(t, []booked{
		{"ordinary", opened + exchange + closes, "none; client speaks in 3, server in 5"},
		{"nothing but SYN, FIN and RST", `
0      -- SYN 0 mss 1460 ->
0.030  <- SYN,ACK 0 ack 1 mss 1460 --
0.200  -- FIN,ACK 1 ack 1 ->
0.230  <- FIN,ACK 1 ack 2 --`, "bare; client speaks in 3, server in 4"},
		{"the server never speaks", opened, "bare; client speaks in 3, server in 0"},
		{"the SYN comes after the SYN,ACK", `
0      <- SYN,ACK 0 ack 1 mss 1460 --
0.001  -- SYN 0 mss 1460 ->
0.040  -- ACK 1 ack 1 ->` + exchange + closes, "opening; client speaks in 3, server in 5"},
		{"the SYN,ACK leaves options out", `
0      -- SYN 0 mss 1460 ws 7 sackok ->
0.030  <- SYN,ACK 0 ack 1 mss 1460 ws 7 --
0.040  -- ACK 1 ack 1 ->` + exchange + closes, "opening; client speaks in 3, server in 5"},
		{"the FIN comes after a silence", opened + exchange + `
1.930  -- FIN,ACK 101 ack 1001 ->
1.960  <- FIN,ACK 1001 ack 102 --`, "still; client speaks in 3, server in 5"},
		{"and after a shorter one", opened + exchange + `
1.929  -- FIN,ACK 101 ack 1001 ->
1.960  <- FIN,ACK 1001 ack 102 --`, "none; client speaks in 3, server in 5"},
		{"half-closed for long", opened + exchange + `
0.200  -- FIN,ACK 101 ack 1001 ->
0.230  <- ACK 1001 ack 102 --
2.200  <- FIN,ACK 1001 ack 102 --`, "closing; client speaks in 3, server in 5"},
		{"FINs that cross", opened + exchange + `
0.200  -- FIN,ACK 101 ack 1001 ->
0.201  <- FIN,ACK 1001 ack 101 --`, "closing; client speaks in 3, server in 5"},
		{"payload after the FIN", opened + exchange + `
0.200  -- FIN,ACK 101 ack 1001 ->
0.201  <- PSH,ACK 1001:1101(100) ack 101 --
0.202  <- FIN,ACK 1101 ack 102 --`, "closing; client speaks in 3, server in 5"},
		{"payload that is lost", opened + exchange + `
0.430  <- PSH,ACK 1:1001(1000) ack 101 --
0.440  -- ACK 101 ack 1001 ->
0.500  -- FIN,ACK 101 ack 1001 ->
0.530  <- FIN,ACK 1001 ack 102 --`, "lost; client speaks in 3, server in 5"},
	}, func(c *tracker.Case) string {
		var signs []string
		for _, s := range []struct {
			tracker.Sign
			name string
		}{{tracker.SignLost, "lost"}, {tracker.SignBare, "bare"}, {tracker.SignOpening, "opening"}, {tracker.SignClosing, "closing"}, {tracker.SignStill, "still"}} {
			if c.Has(s.Sign) {
				signs = append(signs, s.name)
			}
		}
		if signs == nil {
			signs = []string{"none"}
		}
		return fmt.Sprintf("%s; client speaks in %d, server in %d", strings.Join(signs, ", "), c.Ends[0].SpokeFrame, c.Ends[1].SpokeFrame)
	})
	c := caseOf(t, stamped)
	if a, b := &c.Ends[0], &c.Ends[1]; a.SynOpts != capture.OptMSS|capture.OptTS || a.SynTSVal != 100 || b.SynTSVal != 500 || a.SpokeAt != c.Life.Start+40e6 {
		t.Errorf("client %+v, server %+v", a, b)
	}
}
