package report

import (
	"io"
	"strings"
	"testing"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// lives holds a short life of each kind, for tests that need records of them: a
// graceful one with a retransmitted SYN, a refused one over IPv6, one that is
// reset, one still open when the capture ends.
const lives = `
stream 0 10.0.0.1:40022 → 10.0.0.2:80
1 0         * -- SYN 0 mss 1460 ws 7 sackok ->                *
2 1.0       * -- SYN 0 mss 1460 ws 7 sackok ->                *
3 1.000081  * <- SYN,ACK 0 ack 1 mss 1400 ws 10 sackok --     *
4 1.000100  * -- ACK 1 ack 1 ->                               *
5 1.5       * -- PSH,ACK 1:101(100) ack 1 ->                  *
6 1.5001    * <- PSH,ACK 1:1001(1000) ack 101 --              *
7 2         * -- FIN,ACK 101 ack 1001 ->                      *
8 2.0001    * <- FIN,ACK 1001 ack 102 --                      *
9 2.0002    * -- ACK 102 ack 1002 ->                          *

stream 1 [2001:db8::1]:40023 → [2001:db8::2]:81
10 3        * -- SYN 0 ->                                     *
11 3.0001   * <- RST,ACK 0 ack 1 --                           *

stream 2 10.0.0.1:40024 → 10.0.0.2:80
12 4        * -- SYN 0 ->                                     *
13 4.0001   * <- SYN,ACK 0 ack 1 --                           *
14 4.0002   * -- ACK 1 ack 1 ->                               *
15 4.5      * -- PSH,ACK 1:11(10) ack 1 ->                    *
16 4.5001   * <- ACK 1 ack 11 --                              *
17 5        * -- RST,ACK 11 ack 1 ->                          *

stream 3 10.0.0.1:40025 → 10.0.0.2:80
18 6        * -- SYN 0 ->                                     *
19 6.0001   * <- SYN,ACK 0 ack 1 --                           *
20 6.0002   * -- ACK 1 ack 1 ->                               *
21 6.1      * <- PSH,ACK 1:11(10) ack 1 --                    *
`

// playStart is when the played capture begins: 2026-01-02 03:04:05.000000006 UTC.
const playStart = 1767323045_000000006

// play sends the ladders of text through a tracker and a report with these
// options, whose outputs are the formats named; it returns what they wrote.
func play(t *testing.T, text string, opts Options, parts Parts, formats ...string) []string {
	t.Helper()
	_, out := playReport(t, text, opts, parts, formats...)
	return out
}

// playReport is play, and returns the report, too.
func playReport(t *testing.T, text string, opts Options, parts Parts, formats ...string) (*Report, []string) {
	t.Helper()
	all, err := ParseLadders(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	b := &capture.Batch{}
	for _, l := range all {
		for _, s := range l.Segments(playStart) {
			s.Hash = s.Key.Hash()
			b.Segments = append(b.Segments, s)
		}
	}
	n := uint64(len(b.Segments))
	st := capture.Stats{Packets: n, Segments: n, Selected: n, First: playStart, TotalBytes: -1,
		Files: []capture.FileStats{{Name: "a\x1b[31m.pcap", Format: "pcap", LinkTypes: []string{"EN10MB"}, Packets: n, SnapLen: 256}}}
	for _, s := range b.Segments {
		st.Last = max(st.Last, s.Time)
	}
	b.Now = st.Last
	writers := make([]strings.Builder, len(formats))
	for i, name := range formats {
		f := FindFormat(name)
		p := f.Parts
		if parts != 0 {
			p = parts & f.Can
		}
		opts.Outputs = append(opts.Outputs, Output{Format: f, Parts: p, W: &writers[i]})
	}
	if opts.Limit == 0 {
		opts.Limit = 20
	}
	r := New(opts)
	obs := r.Observer()
	cfg := tracker.DefaultConfig()
	tr := tracker.New(cfg, obs)
	r.Begin(&st)
	tr.Process(b)
	r.Batch(b)
	r.Ending(&st, tr.Totals(), tr.Usage())
	tr.Finish()
	if err := r.End(&st, tr.Totals(), tr.Census()); err != nil {
		t.Fatal(err)
	}
	var out []string
	for i := range writers {
		out = append(out, writers[i].String())
	}
	return r, out
}

const allParts = PartSummary | PartFindings | PartConnections | PartTransitions | PartStates | PartServices | PartTop

// A report with several outputs gives each what it would get alone.
func TestOutputsAreIndependent(t *testing.T) {
	names := []string{"table", "json", "ndjson", "zeek"}
	together := play(t, lives, Options{}, 0, names...)
	for i, n := range names {
		if alone := play(t, lives, Options{}, 0, n)[0]; alone != together[i] {
			t.Errorf("%s alone:\n%s\ntogether:\n%s", n, alone, together[i])
		}
		if strings.Contains(together[i], "\x1b") {
			t.Errorf("%s passes an escape from a file's name on", n)
		}
	}
}

// brokenPipe fails as a closed pipe does.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestReportTellsOfWriteErrors(t *testing.T) {
	r := New(Options{Outputs: []Output{{Format: ndjsonFormat, Parts: ndjsonFormat.Parts, W: brokenPipe{}}}})
	r.Begin(&capture.Stats{})
	if err := r.Flush(); err != io.ErrClosedPipe {
		t.Errorf("Flush gives %v", err)
	}
	if err := r.Err(); err != io.ErrClosedPipe {
		t.Errorf("Err gives %v", err)
	}
}
