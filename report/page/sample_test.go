package page

import (
	"fmt"
	"time"
)

// sampleStart is when the sample's time begins.
var sampleStart = time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC).UnixNano()

// sample is a page with all that a page can have.
func sample() *Page {
	const second = int64(time.Second)
	at := func(s float64) int64 { return sampleStart + int64(s*float64(second)) }
	p := &Page{
		Title: "tcpstate: close-wait.pcap", Generator: "tcpstate 1.0", Start: "2026-03-01 09:30:00 UTC",
		Capture: []Fact{{"files", "close-wait.pcap"}, {"packets", "12,345"}, {"TCP segments", "12,001"}, {"from", "2026-03-01 09:30:00.000000 UTC"}, {"span", "2 min"}},
		Quality: []string{"3 % of the connections began before the capture.", "The source reported 12 dropped packets."},
		Summary: []Fact{{"connections", "40"}, {"began in the middle", "2"}},
		Closes:  []Count{{"graceful", 30}, {"reset", 4}, {"half-closed", 6}},
		First:   []Count{{"client", 20}, {"server", 14}, {"both", 0}, {"none", 6}},
		Resets:  []Count{{"abort", 3}, {"late-data", 1}},
		Services: []Service{{"10.0.0.2:8080", 36, "graceful 28, reset 4, half-closed 4", "CLOSE-WAIT 6, CLOSED 60", "abort 3", "0.4 ms", "3.1 ms"},
			{"[2001:db8::2]:443", 4, "graceful 2, half-closed 2", "CLOSED 8", "", "", ""}},
		Hidden: "2 notes are not shown",
		Left:   []string{"1,160 connections without a finding have no bar and no row.", "Ladders are cut after 500 rows."},
		Total:  1200,
		Rules:  []Rule{{"open-active", "RFC 9293 §3.10.7.3", "it sends SYN: active open", "RFC 9293 section 3.10.7.3"}, {"ack-of-fin", "RFC 9293 §3.10.7.4", "it acknowledges the FIN", "RFC 9293 section 3.10.7.4, fifth"}},
	}
	for i, n := range stateNames {
		p.States = append(p.States, StateCount{n, uint64(i * 3), uint64(i % 3), uint64(i % 2), uint64(i*3 + 2), "09:30:12.000000"})
	}
	p.Series = sampleSeries(p.States)
	for i := range 40 {
		start, end := at(float64(i)*2.1), at(float64(i)*2.1+4+float64(i%7)*5)
		c := Connection{ID: fmt.Sprint(i), Start: start, End: end, When: fmt.Sprintf("09:30:%02d.100000", i), Took: fmt.Sprintf("%d s", 4+i%7*5),
			Client: fmt.Sprintf("10.0.0.1:%d", 40000+i), Server: "10.0.0.2:8080", Close: "graceful", By: "client", Packets: uint64(10 + i*i), Bytes: uint64(100000 - 1000*i),
			Ends: [2]State{{"CLOSED", "elapsed"}, {"CLOSED", "presumed"}}}
		if i%6 == 0 {
			c.Close, c.Findings, c.Worst, c.Ladder = "half-closed", []string{"close-wait-buildup"}, "error", true
			c.Ends = [2]State{{"FIN-WAIT-2", "presumed"}, {"CLOSE-WAIT", "confirmed"}}
		}
		if i%10 == 1 {
			c.ID, c.Close, c.By, c.Findings, c.Ladder = c.ID+".1", "reset", "server", []string{"abortive-close", "refused"}, i == 1
			c.Server = "[2001:db8::2]:443"
		}
		mid := (start + end) / 2
		c.Bar[0] = []Span{{start, start + 1e8, State{"SYN-SENT", "confirmed"}}, {start + 1e8, mid, State{"ESTABLISHED", "confirmed"}}, {mid, mid + second/2, State{"FIN-WAIT-1", "confirmed"}}, {mid + second/2, end, State{"FIN-WAIT-2", "presumed"}}}
		c.Bar[1] = []Span{{start, start + 5e7, State{"LISTEN", "presumed"}}, {start + 5e7, start + 1e8, State{"SYN-RECEIVED", "presumed"}}, {start + 1e8, mid, State{"ESTABLISHED", "confirmed"}}, {mid, end, State{"CLOSE-WAIT", "confirmed"}}}
		p.Connections = append(p.Connections, c)
		if c.Ladder {
			p.Ladders = append(p.Ladders, sampleLadder(&c))
		}
	}
	p.Findings = []Finding{
		{ID: "close-wait-buildup", Severity: "error", Subject: "service 10.0.0.2:8080, server side", Count: 6, First: at(12), Last: at(80),
			When: "from 09:30:12 to 09:31:20 UTC", Blame: "server", SeenBy: []Fact{{"client", "nothing"}, {"server", "end of file, and no close"}},
			Explanation: "The peer closed, and the application that serves 10.0.0.2:8080 has not closed its side: 6 endpoints stay in CLOSE-WAIT, the oldest for 68 s. Each holds a socket and a file descriptor until the process ends.",
			Advice:      "Look in the server for a path on which a connection is not closed after read returned 0. No sysctl ends CLOSE-WAIT.",
			Wireshark:   "tcp.stream in {0 6 12 18 24}", Metrics: []Fact{{"peak", "6"}, {"oldest", "≥ 68 s"}, {"growth", "5.3 per minute"}},
			Evidence: []Evidence{{"0", true, []Frame{{4, "the client's FIN"}, {5, "acknowledged by the server, which is silent after it"}}}, {"6", true, []Frame{{4, "the client's FIN"}}}, {"38", false, []Frame{{4, "the client's FIN"}}}}, More: 3},
		{ID: "abortive-close", Severity: "warning", Subject: "service [2001:db8::2]:443, server side", Count: 4, First: at(13), Last: at(70), When: "from 09:30:13 to 09:31:10 UTC", Blame: "server",
			Explanation: "The server resets connections without a FIN.", Advice: "Look for SO_LINGER with a time of 0.", Wireshark: "tcp.stream in {1 11 21 31}", SeenBy: []Fact{{"client", "ECONNRESET"}},
			Evidence: []Evidence{{"1.1", true, []Frame{{2, "the reset"}}}}},
		{ID: "half-close", Severity: "note", Subject: "connection 18", Count: 1, First: at(60), Last: at(62), When: "at 09:31:00 UTC", Blame: "unknown", Explanation: "Data flowed toward the side that had closed.", Evidence: []Evidence{{"18", true, []Frame{{3, "data after the FIN"}}}}},
	}
	return p
}

func sampleSeries(states []StateCount) *Series {
	s := &Series{Start: sampleStart, Step: int64(500 * time.Millisecond)}
	for i := range states {
		s.States = append(s.States, states[i].State)
		var last, most []uint64
		for j := range 240 {
			n := uint64(0)
			if i > 1 {
				n = uint64((j*(i+3)/17 + j*j/(400*i)) % (7 + 5*i))
			}
			last, most = append(last, n), append(most, n+uint64(i%3)*min(n, 1))
		}
		s.Last, s.Most = append(s.Last, last), append(s.Most, most)
	}
	return s
}

func sampleLadder(c *Connection) Ladder {
	ends := func(a, ac, b, bc string) [2]State { return [2]State{{a, ac}, {b, bc}} }
	return Ladder{ID: c.ID, Left: c.Client, Right: c.Server, Note: "client closed first, half-closed, 4 s", Missing: 12, Rows: []Row{
		{Kind: ToRight, Frame: 1, Time: "0.000000", States: ends("SYN-SENT", "confirmed", "LISTEN", "presumed"), Text: "SYN 0 win 64240 mss 1460", Rules: []string{"open-active"}},
		{Kind: ToLeft, Frame: 2, Time: "0.000081", States: ends("ESTABLISHED", "presumed", "SYN-RECEIVED", "presumed"), Text: "SYN,ACK 0 ack 1", Rules: []string{"open-passive"}},
		{Kind: ToRight, Frame: 3, Time: "0.000102", States: ends("ESTABLISHED", "confirmed", "ESTABLISHED", "presumed"), Text: "ACK 1 ack 1", Rules: []string{"third-ack"}},
		{Kind: Folded, Time: "1.200000", States: ends("ESTABLISHED", "confirmed", "ESTABLISHED", "confirmed"), Text: "… 812 data segments, 1.1 MB"},
		{Kind: ToRight, Frame: 4, Time: "2.000102", States: ends("FIN-WAIT-1", "confirmed", "CLOSE-WAIT", "presumed"), Text: "FIN,ACK 1 ack 1", Rules: []string{"close-active"}, Marks: []Mark{{"close-wait-buildup", "the client's FIN"}}},
		{Kind: ToLeft, Frame: 5, Time: "2.040102", States: ends("FIN-WAIT-2", "presumed", "CLOSE-WAIT", "confirmed"), Text: "ACK 1 ack 2", Class: "keepalive", Rules: []string{"ack-of-fin"}, Marks: []Mark{{"close-wait-buildup", "acknowledged by the server, which is silent after it"}}},
		{Kind: ToLeft, Frame: 6, Time: "2.140102", States: ends("FIN-WAIT-1", "confirmed", "CLOSE-WAIT", "confirmed"), Text: "ACK 1 ack 1", Class: "retransmission", Revoked: true, Rules: []string{"fin-not-acked"}},
		{Kind: Timer, Time: "62.040102", States: ends("CLOSED", "elapsed", "CLOSE-WAIT", "confirmed"), Text: "timer: 60 s in FIN-WAIT-2", Rules: []string{"fin-timeout"}},
	}}
}
