package main

import (
	"bytes"
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"tcpstate/report"
)

// records are the packets of a pcap file of little endian, each with its header.
func records(t *testing.T, file string) (head []byte, l [][]byte) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, b = b[:24], b[24:]
	for len(b) > 0 {
		n := 16 + binary.LittleEndian.Uint32(b[8:])
		l = append(l, b[:n])
		b = b[n:]
	}
	return head, l
}

// perSecond is how many units of time a file's second has.
func perSecond(head []byte) int64 {
	if binary.LittleEndian.Uint32(head) == 0xa1b23c4d {
		return 1e9
	}
	return 1e6
}

// timeOf is a record's time, ns.
func timeOf(rec []byte, unit int64) int64 {
	return int64(binary.LittleEndian.Uint32(rec))*1e9 + int64(binary.LittleEndian.Uint32(rec[4:]))*(1e9/unit)
}

// onward is a record with another time, by so many ns.
func onward(rec []byte, unit, by int64) []byte {
	rec = bytes.Clone(rec)
	at := timeOf(rec, unit) + by
	binary.LittleEndian.PutUint32(rec, uint32(at/1e9))
	binary.LittleEndian.PutUint32(rec[4:], uint32(at%1e9/(1e9/unit)))
	return rec
}

// Where frames are dated back an instant is still the fold of what is dated up to it,
// whatever came first; and so it is after a clock that was set back, if it was before.
func TestAtWhereTimeRunsBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	head, l := records(t, leak)
	unit := perSecond(head)
	jitter := bytes.Clone(head)
	for _, r := range l {
		jitter = append(jitter, onward(r, unit, rng.Int64N(45e6))...)
	}
	steps := bytes.Clone(head)
	var stepped int64 // when it is set back for the first time
	for i, r := range l {
		by := int64(0)
		if i == len(l)/4 {
			stepped = timeOf(r, unit)
		}
		if i > len(l)/4 {
			by = -300e6
		}
		if i > len(l)/2 {
			by = -600e6
		}
		steps = append(steps, onward(r, unit, by)...)
	}
	for name, b := range map[string][]byte{"jitter": jitter, "steps": steps} {
		file := filepath.Join(t.TempDir(), name+".pcap")
		if err := os.WriteFile(file, b, 0o666); err != nil {
			t.Fatal(err)
		}
		all := transitionsOf(t, file)
		high, back := int64(0), false
		for _, x := range all {
			back = back || x.at < high
			high = max(high, x.at)
		}
		if !back {
			t.Fatalf("%s: time does not run back", name)
		}
		for _, at := range instantsOf(all, 60, rng) {
			if name == "steps" && at < stepped {
				continue // before the clock was set back, who knows that it will be
			}
			d, text := atInstant(t, seconds9(at), "-o", "json", "--workers", "1", file)
			if got, want := d.states(t), fold(all, at); !maps.Equal(got, want) {
				t.Fatalf("%s at %s (-the transitions make, +it says):\n%s", name, seconds9(at), cmp.Diff(want, got))
			}
			if _, other := atInstant(t, seconds9(at), "-o", "json", "--workers", "2", file); other != text {
				t.Fatalf("%s at %s: two workers say something else:\n%s", name, seconds9(at), cmp.Diff(text, other))
			}
		}
	}
}

// endless is a capture that goes on for ever, the same connections again every ten seconds.
type endless struct {
	recs [][]byte
	unit int64
	i    int    // records handed out
	rest []byte // of the latest; at first the file's head
}

func (e *endless) Read(p []byte) (int, error) {
	if len(e.rest) == 0 {
		e.rest = onward(e.recs[e.i%len(e.recs)], e.unit, int64(e.i/len(e.recs))*10e9)
		e.i++
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

// A pipe is read up to the instant and no further: it need not end. What is said is what a
// file says that has nothing but what was read.
func TestAtStopsReading(t *testing.T) {
	head, recs := records(t, filepath.Join(pcaps, "half-close.pcap"))
	unit := perSecond(head)
	whole := bytes.Clone(head)
	for i := range 60 {
		for _, r := range recs {
			whole = append(whole, onward(r, unit, int64(i)*10e9)...)
		}
	}
	file := filepath.Join(t.TempDir(), "whole.pcap")
	if err := os.WriteFile(file, whole, 0o666); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	code := run([]string{"at", "+570.5s", "-o", "csv", "--workers", "1", file}, nil, &stdout, &stderr)
	if code != exitOK || stderr.Len() > 0 {
		t.Fatalf("exit status %d: %s", code, &stderr)
	}
	want := stdout.String()
	stdout.Reset()
	code = run([]string{"at", "+570.5s", "-o", "csv", "-"}, &endless{recs: recs, unit: unit, rest: head}, &stdout, &stderr)
	if code != exitOK || stderr.Len() > 0 || stdout.String() != want {
		t.Errorf("exit status %d: %s%s", code, &stderr, cmp.Diff(want, stdout.String()))
	}
	if n := strings.Count(want, "\n"); n < 2 {
		t.Errorf("the list has %d lines", n)
	}
}

// An interrupt before the instant has come tells what is known.
func TestAtInterrupted(t *testing.T) {
	r := interruptedPipe(t, leak)
	var stdout, stderr bytes.Buffer
	if code := run([]string{"at", "+1h", "-"}, r, &stdout, &stderr); code != exitInterrupted || stderr.Len() > 0 {
		t.Errorf("exit status %d: %s", code, &stderr)
	}
	if !strings.Contains(stdout.String(), "40 connections, 20 over by then\ninterrupted at 2026-11-20 21:24:19.205356 UTC") {
		t.Errorf("it says:\n%.300s", &stdout)
	}
}

// A cut tail is no fault of an instant that lies before it.
func TestAtBeforeDamage(t *testing.T) {
	cut := filepath.Join(damaged, "cut-short.pcap")
	for when, want := range map[string]int{"+0.001s": exitOK, "+1h": exitDamaged, atEnd: exitDamaged} {
		var stdout, stderr bytes.Buffer
		if code := run([]string{"at", when, cut}, nil, &stdout, &stderr); code != want || (stderr.Len() > 0) != (want != exitOK) {
			t.Errorf("at %s: exit status %d: %s", when, code, &stderr)
		}
		if !strings.Contains(stdout.String(), "1 connection, 0 over by then") {
			t.Errorf("at %s: it says\n%s", when, &stdout)
		}
	}
}

// What is said as JSON is as the schema says, and the schema says something.
func TestAtFollowsItsSchema(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(report.InstantSchemaJSON))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("mem:///at.json", doc); err != nil {
		t.Fatal(err)
	}
	document, line := c.MustCompile("mem:///at.json#/$defs/document"), c.MustCompile("mem:///at.json#/$defs/line")
	check := func(s *jsonschema.Schema, text, what string) {
		t.Helper()
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err == nil {
			err = s.Validate(v)
		}
		if err != nil {
			t.Errorf("%s: %v\n%.400s", what, err, text)
		}
	}
	for _, f := range captureFiles(t) {
		for _, args := range [][]string{{"+0.01s"}, {atEnd}, {atEnd, "--group-by", "service"}, {"+0.01s", "--group-by", "state"}, {"2001-01-01", "--group-by", "host"}} {
			args = append([]string{"at"}, append(args, f, "-o")...)
			var stdout, stderr bytes.Buffer
			if run(append(args, "json"), nil, &stdout, &stderr); stdout.Len() > 0 {
				check(document, stdout.String(), f)
			}
			stdout.Reset()
			run(append(args, "ndjson"), nil, &stdout, &stderr)
			for l := range strings.Lines(stdout.String()) {
				check(line, l, f)
			}
		}
	}
	for _, text := range []string{`{}`, `{"type":"at","schema":"tcpstate/v1"}`, `{"type":"connection","schema":"tcpstate/v1"}`,
		`{"type":"at-summary","schema":"tcpstate/v1","connections":1,"states":{"CLOSED":{"confirmed":1,"presumed":0,"elapsed":0}},"not_begun":0,"over":0}`} {
		v, _ := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if line.Validate(v) == nil || document.Validate(v) == nil {
			t.Errorf("allows %s", text)
		}
	}
}

// The columns are those of ss -tan and netstat -tan, so that scripts for these find what
// they look for.
func TestAtLooksLikeSS(t *testing.T) {
	list := func(style string) (lines [][]string) {
		var stdout, stderr bytes.Buffer
		if code := run([]string{"at", atEnd, "--style", style, leak}, nil, &stdout, &stderr); code != exitOK || stderr.Len() > 0 {
			t.Fatalf("exit status %d: %s", code, &stderr)
		}
		for l := range strings.Lines(stdout.String()) {
			lines = append(lines, strings.Fields(l))
		}
		return lines
	}
	ss := list("ss")
	if h := strings.Join(ss[0], " "); h != "State Recv-Q Send-Q Local Address:Port Peer Address:Port Certainty" {
		t.Errorf("ss begins with %q", h)
	}
	n := map[string]int{}
	for _, f := range ss[1:] {
		if n[f[0]]++; f[0] == "CLOSE-WAIT" && (len(f) != 5 || f[3] != "10.99.0.2:8080") || f[0] == "FIN-WAIT-2" && (len(f) != 6 || f[4] != "10.99.0.2:8080" || f[5] != "?") {
			t.Errorf("ss has %q", f)
		}
	}
	if len(n) != 2 || n["CLOSE-WAIT"] != 40 || n["FIN-WAIT-2"] != 40 {
		t.Errorf("ss has %v", n)
	}
	netstat := list("netstat")
	if h := strings.Join(netstat[1], " "); h != "Proto Recv-Q Send-Q Local Address Foreign Address State Certainty" {
		t.Errorf("netstat begins with %q", h)
	}
	clear(n)
	for _, f := range netstat[2:] {
		if n[f[5]]++; f[0] != "tcp" {
			t.Errorf("netstat has %q", f)
		}
	}
	if len(n) != 2 || n["CLOSE_WAIT"] != 40 || n["FIN_WAIT2"] != 40 {
		t.Errorf("netstat has %v", n)
	}
}
