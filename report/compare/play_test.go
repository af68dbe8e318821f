package compare

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"tcpstate/capture"
	"tcpstate/report"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// analyse reads a capture of testdata, and returns it as a side and as -o json writes it.
func analyse(t testing.TB, name string) (*Side, []byte) {
	t.Helper()
	src, err := capture.Open(capture.Options{Paths: []string{filepath.Join("..", "..", "testdata", "pcaps", name)}})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var s *Side
	var text bytes.Buffer
	f, j := Format(func(x *Side) { s = x }), report.FindFormat("json")
	r := report.New(report.Options{Detect: detect.Options{TimeWait: 60e9}, Outputs: []report.Output{
		{Format: f, Parts: f.Parts, W: io.Discard}, {Format: j, Parts: j.Parts, W: &text}}})
	tr := tracker.New(tracker.DefaultConfig(), r.Observer())
	for b, begun := new(capture.Batch), false; err == nil; {
		if err = src.Next(b); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		st := src.Stats()
		if !begun {
			begun = true
			r.Begin(&st)
		}
		tr.Process(b)
	}
	st := src.Stats()
	r.Ending(&st, tr.Totals(), tr.Usage())
	tr.Finish()
	if err := r.End(&st, tr.Totals(), tr.Census()); err != nil {
		t.Fatal(err)
	}
	s.Name = name
	return s, text.Bytes()
}

// captures are those of testdata that have something to compare.
var captures = []string{
	"close-wait-leak.pcap", "server-closes-first.pcap", "refused.pcap", "syn-flood.pcap", "port-scan.pcap", "half-open-path-dies.pcap",
	"simultaneous-close.pcap", "ipv6.pcap", "midstream.pcap", "icmp-unreachable.pcap", "empty.pcap", "no-tcp.pcap", "forged-resets.pcap",
}

// written is the difference in both forms that this package has, with all there is.
func written(t testing.TB, r *Result) (table, json string) {
	t.Helper()
	var a, b strings.Builder
	if err := errors.Join(r.WriteTable(&a, &report.Style{Limit: 1000, Verbose: true}), r.WriteJSON(&b)); err != nil {
		t.Fatal(err)
	}
	return a.String(), b.String()
}
