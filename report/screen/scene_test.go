package screen

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"tcpstate/capture"
	"tcpstate/report"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// dialogue is what the connections of the scene said.
const dialogue = `
stream 0   10.0.0.1:40022 → 10.0.0.2:80
1 0         * -- SYN 0 win 64240 mss 1460 ws 7 ->        *
2 0.000081  * <- SYN,ACK 0 ack 1 mss 1460 ws 7 --        *
3 0.000100  * -- ACK 1 ack 1 win 502 ->                  *
4 0.5       * -- PSH,ACK 1:101(100) ack 1 win 502 ->     *
5 0.7       * -- PSH,ACK 1:101(100) ack 1 win 502 ->     *
6 0.7001    * <- PSH,ACK 1:1001(1000) ack 101 win 501 -- *
7 0.8       * -- ACK 101 ack 1001 win 502 ->             *
8 1         * -- PSH,ACK 101:201(100) ack 1001 win 502 -> *
9 1.1       * <- ACK 1001 ack 201 win 501 --             *
10 1.2      * -- PSH,ACK 201:301(100) ack 1001 win 502 -> *
11 1.3      * <- ACK 1001 ack 301 win 501 --             *
12 1.4      * -- PSH,ACK 301:401(100) ack 1001 win 502 -> *
13 1.5      * <- ACK 1001 ack 401 win 501 --             *
14 2        * <- FIN,ACK 1001 ack 401 win 501 --         *
15 2.04     * -- ACK 401 ack 1002 win 502 ->             *

stream 1 [2001:db8::1]:40023 → [2001:db8::2]:8080
16 3        * -- SYN 0 ->                                *
17 3.0001   * <- RST,ACK 0 ack 1 --                      *

stream 2 10.0.0.1:40024 → 10.0.0.2:443
18 4        * -- SYN 0 ->                                *
19 4.0001   * <- SYN,ACK 0 ack 1 --                      *
20 4.0002   * -- ACK 1 ack 1 ->                          *
21 4.5      * -- PSH,ACK 1:70001(70000) ack 1 ->         *
22 4.5001   * <- ACK 1 ack 70001 --                      *

stream 3 10.0.0.3:40025 → 10.0.0.2:80
23 5        * -- SYN 0 ->                                *
24 6        * -- SYN 0 ->                                *
`

// sceneStart is when the scene begins: 2026-01-02 03:04:05 UTC.
const sceneStart = 1767323045_000000000

// failer is a test, or a program that plays the scene.
type failer interface {
	Helper()
	Fatal(...any)
}

// trace analyses ladders, and returns what is known of each connection in the end.
func trace(t failer, text string) []report.Detail {
	t.Helper()
	all, err := report.ParseLadders(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var details []report.Detail
	tr := tracker.New(tracker.DefaultConfig(), tracker.Observer{Case: func(c *tracker.Case) {
		d := report.Detail{Row: report.Row{Life: *c.Life}, Case: *c}
		d.Case.Trail.Events, d.Case.Trail.Quotes = slices.Clone(c.Trail.Events), slices.Clone(c.Trail.Quotes)
		details = append(details, d)
	}})
	b := &capture.Batch{}
	for _, l := range all {
		for _, s := range l.Segments(sceneStart) {
			s.Hash = s.Key.Hash()
			b.Segments = append(b.Segments, s)
			b.Now = max(b.Now, s.Time)
		}
	}
	tr.Process(b)
	tr.Finish()
	slices.SortFunc(details, func(a, b report.Detail) int { return cmp.Compare(a.ID, b.ID) })
	for i := range details {
		details[i].Case.Life = &details[i].Life
	}
	return details
}

// stage is a Feed with a scene that is always the same, but answers what it is asked.
type stage struct {
	mu      sync.Mutex
	base    report.Snapshot
	details []report.Detail
	query   report.Query
	asked   int
	fixed   *report.Snapshot // shown whatever is asked
}

// newStage is the scene with n connections more, which are much alike.
func newStage(t failer, n int) *stage {
	s := &stage{details: trace(t, dialogue)}
	s.details[0].Findings, s.details[0].Worst = []string{"close-wait-stay"}, 1+uint8(detect.Warning)
	s.details[1].Findings, s.details[1].Worst = []string{"refused"}, 1+uint8(detect.Error)
	for i := range n {
		d := s.details[2]
		d.ID = uint64(100 + i)
		d.Ends[0].Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i / 250), byte(i % 250)}), uint16(30000+i))
		d.Ends[0].Bytes = uint64(1000 * i)
		d.Case.Life = &d.Life
		s.details = append(s.details, d)
	}
	start := time.Unix(0, sceneStart).UTC()
	at := func(sec float64) time.Time { return start.Add(time.Duration(sec * 1e9)) }
	b := &s.base
	*b = report.Snapshot{Source: "eth0", Filter: "tcp port 80 or tcp port 443", Began: start, Now: at(62), Packets: 1234567, Segments: 1200000,
		Selected: 1200000, Dropped: 321, IfDropped: 21, Skipped: []capture.Skip{{Reason: "no TCP", N: 34567}},
		Lost: report.Lost{Lines: 12}, Step: 2 * time.Second, Open: 3, Opened: 3411, Evicted: 7}
	for i := range 60 {
		var h [tracker.NumStates]uint64
		h[tracker.Established] = uint64(i * i)
		h[tracker.TimeWait] = uint64(60 - i)
		h[tracker.CloseWait] = uint64(i % 2)
		b.History = append(b.History, h)
	}
	b.States[tracker.Established] = tracker.StateCount{Confirmed: 3000, Presumed: 480, Peak: 3481}
	b.States[tracker.TimeWait] = tracker.StateCount{Confirmed: 1, Peak: 60}
	b.States[tracker.CloseWait] = tracker.StateCount{Confirmed: 1, Peak: 1}
	b.States[tracker.SynSent] = tracker.StateCount{Confirmed: 1, Peak: 3}
	b.States[tracker.Closed] = tracker.StateCount{Presumed: 2, Elapsed: 40, Peak: 42}
	b.Closed[tracker.Graceful], b.Closed[tracker.Reset], b.Closed[tracker.Refused] = 3000, 20, 388
	b.Resets[tracker.ResetRefused], b.Resets[tracker.ResetAbort] = 388, 20
	b.Findings = []report.ActiveFinding{
		{Finding: detect.Finding{ID: "refused", Severity: detect.Error, Subject: "server [2001:db8::2]:8080", Count: 388, First: at(3), Last: at(3),
			Explanation: "Nothing listens on [2001:db8::2]:8080: each SYN was answered by RST,ACK at once.",
			Advice:      "Start the service, or correct the port that clients were given.", Blame: detect.BlameServer,
			SeenBy: detect.SeenBy{Client: detect.SawRefused}, Metrics: detect.Metrics{{Name: "attempts", Value: 388}}, Wireshark: "tcp.stream == 1",
			Evidence: detect.Evidence{Total: 3, Connections: []detect.Proven{{ID: 1, Frames: []detect.Proof{{Frame: 16, Text: "SYN"}, {Frame: 17, Text: "RST,ACK in answer to it"}}}}}},
			Since: at(3), Updated: at(30)},
		{Finding: detect.Finding{ID: "close-wait-stay", Severity: detect.Warning, Subject: "10.0.0.1", Count: 1}, Since: at(32), Updated: at(32)},
	}
	b.Cleared = []report.ActiveFinding{{Finding: detect.Finding{ID: "packet-loss", Severity: detect.Note, Subject: "10.0.0.1 → 10.0.0.2", Count: 4},
		Since: at(10), Updated: at(12), Over: at(50)}}
	return s
}

func (s *stage) Ask(q report.Query) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.query = q
	s.asked++
}

// Snapshot answers the latest question. Each is another one.
func (s *stage) Snapshot() *report.Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fixed != nil {
		return s.fixed
	}
	b := s.base
	q := s.query
	b.Query = q
	cond, err := whereOf(q.Where)
	if err != nil {
		b.QueryError = err.Error()
	}
	for i := range s.details {
		d := &s.details[i]
		if q.Detail != nil && *q.Detail == d.Ref() {
			b.Detail = d
		}
		rec := report.Record{Findings: d.Findings}
		rec.Fill(&d.Life)
		rec.Findings = d.Findings
		if !strings.Contains(fmt.Sprint(d.Ends, d.Close, d.Findings), q.Text) {
			continue
		}
		if cond != nil {
			if ok, err := cond.Match(&rec); err != nil || !ok {
				continue
			}
		}
		b.Connections = append(b.Connections, d.Row)
	}
	by := map[string]func(r *report.Row) int{
		"":              func(r *report.Row) int { return -int(r.Worst) },
		"-start":        func(r *report.Row) int { return -int(r.Start) },
		"start":         func(r *report.Row) int { return int(r.Start) },
		"-client.bytes": func(r *report.Row) int { return -int(r.Ends[0].Bytes) },
		"client.bytes":  func(r *report.Row) int { return int(r.Ends[0].Bytes) },
	}[q.Sort]
	if by != nil {
		slices.SortStableFunc(b.Connections, func(x, y report.Row) int { return cmp.Compare(by(&x), by(&y)) })
	}
	b.Matched = len(b.Connections)
	b.Connections = b.Connections[:min(len(b.Connections), q.Limit)]
	return &b
}

// pass lets time go by.
func (s *stage) pass(d time.Duration, packets uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.base.Now = s.base.Now.Add(d)
	s.base.Packets += packets
}

func whereOf(expr string) (*report.Where, error) {
	if expr == "" {
		return nil, nil
	}
	return report.ParseWhere(expr)
}
