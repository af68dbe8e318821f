package detect

import (
	"fmt"
	"net/netip"

	"tcpstate/tracker"
)

// ZeroWindowStall: an application that does not read.
var ZeroWindowStall = &Detector{
	ID:    "zero-window-stall",
	Title: "an application does not read, and its peer has to wait",
	Rule: "An endpoint offers a window of zero for at least the age while its peer has more to send: the peer probes the window or sends against it, " +
		"octets that have come stay unacknowledged, or the peer goes on within a round trip and 50 ms when the window opens, without having been sent anything in between.",
	Default: Warning,
	Levels:  "error where one stall lasts for error or more",
	Subject: "endpoint A:P",
	Blame:   "the side whose window is closed: its application",
	Params: []Param{
		{"age", Span, 1, "how long a window is closed to be a stall", "below, a buffer that is full for a moment is ordinary flow control (oracle 28_zero_window: 2.9 s)"},
		{"error", Span, 10, "how long one stall is to be an error", "about when people take a connection for hung"},
	},
	Example: `stream 0 10.0.0.1:40000 → 10.0.0.2:80
isn 1000 9000
0      -- SYN 0 mss 1460 ->
0.001  <- SYN,ACK 0 ack 1 win 1000 mss 1460 --
0.002  -- ACK 1 ack 1 ->
0.003  -- PSH,ACK 1:1001(1000) ack 1 ->
0.004  <- ACK 1 ack 1001 win 0 --
0.3    -- ACK 1000 ack 1 ->
0.301  <- ACK 1 ack 1001 win 0 --
3.1    <- ACK 1 ack 1001 win 1000 --
3.101  -- PSH,ACK 1001:2001(1000) ack 1 ->`,
	Advice: "Look at the application behind the closed window: it does not call read (ss -tmp shows it with a full Recv-Q). It is busy, blocked or paused; " +
		"where it pauses on purpose (a player with a full buffer, a terminal stopped by Ctrl-S) nothing is wrong. " +
		"A larger receive buffer (net.ipv4.tcp_rmem, SO_RCVBUF) only puts off when the window closes.",
	Sources: []string{"RFC 9293 section 3.8.6.1", "RFC 1122 section 4.2.2.17", "Linux tcp_probe_timer, tcp_xmit_probe_skb", "oracle 28_zero_window"},
	Signs:   tracker.SignZero,
	Lowered: Missed | Backwards,
	New: func(s *Setup) Watcher {
		return &zeroWindowStall{age: s.Span("age"), error: s.Span("error")}
	},
}

type zeroWindowStall struct {
	age, error int64
	bag        Bag[netip.AddrPort, stalls]
}

// stalls are those of one end of one life.
type stalls struct {
	side           int
	longest, total int64
	n              uint32
	open           bool // the longest was not over at the last segment
}

func (w *zeroWindowStall) Case(c *tracker.Case) {
	if c.Has(tracker.SignSelf) {
		return
	}
	for x := range c.Ends {
		a := &c.Ends[x]
		if a.LongestStall < w.age || a.StallFrames[0] == 0 {
			continue
		}
		v := stalls{x, a.LongestStall, a.Stalled, a.Stalls, a.StallFrames[2] == 0}
		from, to := c.Life.Start, a.LastAt
		if e := eventOf(c, a.StallFrames[0]); e != nil {
			from, to = e.Time, e.Time+a.LongestStall
		}
		w.bag.Add(c.Addr(x), c, from, to, v, func() []Proof { return stallProof(c, x, a) })
	}
}

// stallProof shows the longest stall.
func stallProof(c *tracker.Case, x int, a *tracker.Account) []Proof {
	zero, probe, opened := a.StallFrames[0], a.StallFrames[1], a.StallFrames[2]
	p := []frame{{zero, fmt.Sprintf("window 0: the %s has no room", sideNames[x])}}
	if probe == zero {
		p[0].text = fmt.Sprintf("window 0: the %s has no room, and octets that have come stay unacknowledged", sideNames[x])
	}
	for i := range c.Trail.Events {
		e := &c.Trail.Events[i]
		switch {
		case !own(e):
		case e.Frame == probe && probe != zero && e.Len <= 1:
			p = append(p, frame{probe, fmt.Sprintf("zero window probe: the %s has more to send", sideNames[x^1])})
		case e.Frame == probe && probe != zero:
			p = append(p, frame{probe, fmt.Sprintf("%d octets against the closed window: the %s has more to send", e.Len, sideNames[x^1])})
		case e.Frame == opened:
			p = append(p, frame{opened, fmt.Sprintf("the window opens after %s", span(a.LongestStall))})
		case probe == 0 && int(e.From) != x && e.Frame > opened && opened != 0 && e.Len > 0 && len(p) == 2:
			p = append(p, frame{e.Frame, fmt.Sprintf("at once %d octets: the %s had more to send", e.Len, sideNames[x^1])})
		}
	}
	if opened == 0 {
		p = append(p, frame{c.Life.LastFrame, fmt.Sprintf("the last segment; the window was still closed, after %s", span(a.LongestStall))})
	}
	return proofOf(p...)
}

func (w *zeroWindowStall) Findings(x *Context) {
	for _, g := range w.bag.Groups(x) {
		longest := &g.Items[0].V
		total, n, open := int64(0), 0, 0
		for i := range g.Items {
			v := &g.Items[i].V
			total += v.total
			n += int(v.n)
			if v.open {
				open++
			}
			if v.longest > longest.longest {
				longest = v
			}
		}
		f := g.Finding(Endpoint(g.Key))
		f.Severity, f.Blame = Warning, blameOf(longest.side)
		if longest.longest >= w.error {
			f.Severity = Error
		}
		f.Metrics = Metrics{{"longest_seconds", seconds(longest.longest)}, {"total_seconds", seconds(total)}, {"stalls", float64(n)}, {"open_at_end", float64(open)}}
		least := ""
		if longest.open {
			least = "at least "
		}
		f.Explanation = fmt.Sprintf("%s kept its window at zero for %s%s while its peer had more to send: its application did not read.",
			g.Key, least, span(longest.longest))
		if n > 1 {
			f.Explanation += fmt.Sprintf(" In all there were %s in %s, %s together.", plural(n, "stall"), plural(g.Count(), "connection"), span(total))
		}
		x.Raise(f)
	}
}
