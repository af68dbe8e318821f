package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tcpstate/capture"
)

// The judge of the states is a kernel. Beside a capture of testdata/pcaps may
// lie NAME.truth.jsonl: what the kernels at both ends said of each of their
// sockets while the capture ran. README.md there describes the file.

// slack is how far the record's clock and a packet's time may lie apart, and
// how short a state may last without anybody having to notice it.
const slack = 200_000 // ns

// atLeast is what was reached for each capture; no change may fall below it.
// What is missing here is told by no packet.
var atLeast = []floor{
	{"abort-linger-zero", 42, 42, 42, 480, 479, 94},
	{"abort-on-overflow", 16, 16, 16, 76, 73, 26},
	{"accept-queue-overflow", 16, 16, 16, 136, 126, 29},
	{"any-cooked-v2", 6, 6, 6, 48, 48, 11},
	{"client-closes-first", 2, 2, 2, 42, 42, 7},
	{"close-wait-leak", 120, 120, 80, 1160, 1140, 320},
	{"close-with-unread-data", 12, 12, 12, 150, 150, 27},
	{"duplicates", 10, 10, 10, 296, 296, 26},
	{"fast-open", 6, 6, 6, 56, 56, 23},
	{"half-close", 2, 2, 2, 76, 76, 6},
	{"half-open-path-dies", 4, 4, 4, 76, 76, 6},
	{"ipv6", 12, 12, 12, 84, 84, 21},
	{"keepalive-answered", 2, 2, 2, 50, 50, 6},
	{"keepalive-dead", 2, 2, 2, 34, 33, 4},
	{"loss", 16, 16, 16, 4676, 4674, 48},
	{"lost-last-ack", 2, 2, 2, 30, 29, 7},
	{"midstream", 10, 10, 10, 56, 48, 7},
	{"odd-flags", 22, 22, 22, 34, 32, 2},
	{"port-scan", 400, 400, 400, 818, 818, 209},
	{"refused", 120, 120, 120, 240, 240, 60},
	{"self-connect", 23, 23, 23, 87, 87, 25},
	{"server-closes-first", 2, 2, 2, 40, 40, 6},
	{"simultaneous-close", 4, 4, 4, 60, 56, 12},
	{"simultaneous-open", 2, 2, 2, 40, 40, 10},
	{"syn-blackhole", 6, 6, 6, 18, 18, 3},
	{"syn-cookies", 160, 43, 43, 413, 296, 53},
	{"syn-flood", 260, 260, 260, 408, 408, 59},
	{"time-wait-reuse", 8, 8, 8, 156, 154, 36},
	{"zero-window", 2, 2, 2, 298, 298, 6},
}

type floor struct {
	name           string
	ends           int // endpoints with a packet in the capture
	seq            int // of them, with the kernel's sequence of states
	final          int // of them, with the kernel's state at the end
	packets, agree int // pairs of a packet and one of its ends; of them, with the kernel's state
	confirmed      int // transitions said to be confirmed; of them, none wrong
}

// A change is one step of a socket: from then on it is in that state.
type change struct {
	time   int64
	state  string
	silent bool // no packet within a millisecond: a timer, or a call that sends nothing
}

// A socket is one end of a connection, as "address:port" of itself and of its peer.
type socket struct{ local, remote string }

// history is the changes of one socket in their order.
type history []change

// at is the state at t: CLOSED before the first change.
func (h history) at(t int64) string {
	i, _ := slices.BinarySearchFunc(h, t+1, func(c change, t int64) int {
		if c.time < t {
			return -1
		}
		return 1
	})
	if i == 0 {
		return "CLOSED"
	}
	return h[i-1].state
}

// within reports whether the socket was in the state at any time from a to b.
func (h history) within(state string, a, b int64) bool {
	if h.at(a) == state {
		return true
	}
	return slices.ContainsFunc(h, func(c change) bool { return a < c.time && c.time <= b && c.state == state })
}

// kernel is a truth file.
type kernel struct {
	Side      string              // where the capture was taken
	Delay     float64             `json:"one_way_delay"` // s, between the ends
	Start     json.Number         // when the capture began
	End       json.Number         // when the record ends
	Addresses map[string][]string // by side
	Loopback  bool                // both ends are on one host
	Forged    string              // local ends matching it were packets without a socket

	sockets map[socket]history
}

func readKernel(t *testing.T, file string) *kernel {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := json.NewDecoder(f)
	k := &kernel{sockets: map[socket]history{}}
	if err := d.Decode(k); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for {
		var row struct {
			Time                 json.Number
			Local, Remote, State string
			Silent               bool
		}
		if err := d.Decode(&row); err == io.EOF {
			return k
		} else if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		s := socket{row.Local, row.Remote}
		k.sockets[s] = append(k.sockets[s], change{nanos(t, row.Time), row.State, row.Silent})
	}
}

// nanos reads seconds with up to nine decimals, exactly.
func nanos(t *testing.T, n json.Number) int64 {
	t.Helper()
	whole, frac, _ := strings.Cut(n.String(), ".")
	v, err := json.Number(whole + (frac + "000000000")[:9]).Int64()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// side of an address, or "" if it belongs to neither end.
func (k *kernel) side(local string) string {
	host := strings.Trim(local[:strings.LastIndexByte(local, ':')], "[]")
	for side, addrs := range k.Addresses {
		if slices.Contains(addrs, host) {
			return side
		}
	}
	return ""
}

// instants are the times of the packets of each socket of the capture.
func instants(t *testing.T, file string) map[socket][]int64 {
	t.Helper()
	src, err := capture.Open(capture.Options{Paths: []string{file}})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	m := map[socket][]int64{}
	for b := new(capture.Batch); ; {
		if err := src.Next(b); err == io.EOF {
			return m
		} else if err != nil {
			t.Fatal(err)
		}
		for i := range b.Segments {
			s := &b.Segments[i]
			from, to := s.Src().String(), s.Dst().String()
			m[socket{from, to}] = append(m[socket{from, to}], s.Time)
			if from != to {
				m[socket{to, from}] = append(m[socket{to, from}], s.Time)
			}
		}
	}
}

// belief is one transition line of the program.
type belief struct {
	change
	certainty string
}

// beliefs runs the program and reads its transitions.
func beliefs(t *testing.T, file string) map[socket][]belief {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run([]string{"-o", "ndjson", "--show", "transitions", file}, nil, &stdout, &stderr); code != exitOK {
		t.Fatalf("exit status %d: %s", code, &stderr)
	}
	m := map[socket][]belief{}
	for in := bufio.NewScanner(&stdout); in.Scan(); {
		var row struct {
			Type, Local, Remote, To, Certainty string
			Time                               json.Number
		}
		if err := json.Unmarshal(in.Bytes(), &row); err != nil && strings.Contains(in.Text(), `"transition"`) {
			t.Fatalf("%s: %v", in.Text(), err)
		}
		if row.Type == "transition" {
			s := socket{row.Local, row.Remote}
			m[s] = append(m[s], belief{change{nanos(t, row.Time), row.To, false}, row.Certainty})
		}
	}
	return m
}

// score is how well the beliefs agree with the record.
type score struct{ ends, seq, final, packets, agree, confirmed, wrong int }

func TestKernelRecord(t *testing.T) {
	files, err := filepath.Glob("../../testdata/pcaps/*.truth.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatal("no truth files", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".truth.jsonl")
		t.Run(name, func(t *testing.T) {
			got := judge(t, readKernel(t, file), strings.TrimSuffix(file, ".truth.jsonl")+".pcap")
			if got.wrong > 0 {
				t.Errorf("%d of %d confirmed states are wrong", got.wrong, got.confirmed)
			}
			i := slices.IndexFunc(atLeast, func(a floor) bool { return a.name == name })
			if i < 0 {
				t.Fatalf("not in the list: {%q, %d, %d, %d, %d, %d, %d}", name, got.ends, got.seq, got.final, got.packets, got.agree, got.confirmed)
			}
			want := atLeast[i]
			if got.ends != want.ends || got.packets != want.packets {
				t.Errorf("%d endpoints and %d packets to judge, not %d and %d", got.ends, got.packets, want.ends, want.packets)
			}
			for _, f := range []struct {
				what      string
				got, want int
			}{{"sequences", got.seq, want.seq}, {"final states", got.final, want.final}, {"packets", got.agree, want.agree}, {"confirmed transitions", got.confirmed, want.confirmed}} {
				switch {
				case f.got < f.want:
					t.Errorf("%s: %d agree with the kernel; they were %d", f.what, f.got, f.want)
				case f.got > f.want:
					t.Logf("%s: %d agree with the kernel, which is better than the %d in the list", f.what, f.got, f.want)
				}
			}
		})
	}
	if len(files) != len(atLeast) {
		t.Errorf("%d captures have a record, the list has %d", len(files), len(atLeast))
	}
}

// judge compares what the program says of a capture with the kernel's record.
func judge(t *testing.T, k *kernel, file string) (sc score) {
	t.Helper()
	seen, said := instants(t, file), beliefs(t, file)
	start, end := nanos(t, k.Start), nanos(t, k.End)
	var last int64
	for _, ts := range seen {
		for _, p := range ts {
			if p <= end {
				last = max(last, p)
			}
		}
	}
	forged := regexp.MustCompile("^(" + k.Forged + ")$")
	for s, ts := range seen {
		side := k.side(s.local)
		if side == "" || k.Forged != "" && forged.MatchString(s.local) {
			continue
		}
		// The far end's changes reach the vantage point a flight later, and
		// what was sent to it takes effect a flight later.
		before, after := int64(0), int64(slack)
		if side != k.Side && !k.Loopback {
			after += int64(2 * k.Delay * 1e9)
			before = after
		}
		truth := k.sockets[s]
		var path, guess history // without what was revoked; with it
		var sure []bool         // of path
		for _, b := range said[s] {
			guess = append(guess, b.change)
			if b.time > end {
				continue
			}
			if b.certainty == "revoked" && (b.state == "CLOSED" || slices.ContainsFunc(path, func(c change) bool { return c.state == b.state })) {
				for len(path) > 0 && path[len(path)-1].state != b.state {
					if sure[len(path)-1] {
						t.Logf("%v: %s was confirmed and then revoked", s, path[len(path)-1].state)
						sc.wrong++
					}
					path, sure = path[:len(path)-1], sure[:len(path)-1]
				}
				continue
			}
			path, sure = append(path, b.change), append(sure, b.certainty == "confirmed")
			if b.certainty == "confirmed" {
				sc.confirmed++
				if !truth.within(b.state, b.time-max(before, slack), b.time+after) {
					t.Logf("%v at %d: %s confirmed, but the kernel was not in it", s, b.time, b.state)
					sc.wrong++
				}
			}
		}
		sc.ends++
		if explains(path.states(), truth.steps(start, end)) {
			sc.seq++
		}
		if truth.within(guess.at(end), last, end) {
			sc.final++
		}
		for _, p := range ts {
			if p <= end {
				sc.packets++
				if truth.within(guess.at(p), p-before, p+after) {
					sc.agree++
				}
			}
		}
	}
	return sc
}

// states is the sequence of states, without the leading CLOSED and repeats.
func (h history) states() []string {
	var out []string
	for _, c := range h {
		if len(out) == 0 && c.state == "CLOSED" || len(out) > 0 && out[len(out)-1] == c.state {
			continue
		}
		out = append(out, c.state)
	}
	return out
}

// step is one state of the kernel's sequence. One that lasted too short, or
// came without a packet, need not be noticed.
type step struct {
	state    string
	optional bool
}

func (h history) steps(start, end int64) []step {
	out := []step{{state: h.at(start)}}
	if out[0].state == "CLOSED" {
		out = nil
	}
	for i, c := range h {
		if c.time <= start || c.time > end {
			continue
		}
		until := end
		if i+1 < len(h) {
			until = min(until, h[i+1].time)
		}
		s := step{c.state, c.silent || until-c.time < slack}
		switch n := len(out); {
		case n == 0 && s.state == "CLOSED":
		case n > 0 && out[n-1].state == s.state:
			out[n-1].optional = out[n-1].optional && s.optional
		default:
			out = append(out, s)
		}
	}
	return out
}

// explains reports whether the kernel's steps, some of the optional ones left
// out and equal neighbours then made one, are the states that were seen.
func explains(seen []string, steps []step) bool {
	// ok[i]: the steps from j on explain seen[i:], after seen[:i] was explained.
	ok := make([]bool, len(seen)+1)
	ok[len(seen)] = true
	for j := len(steps) - 1; j >= 0; j-- {
		s, next := steps[j], make([]bool, len(seen)+1)
		for i := range next {
			next[i] = s.optional && ok[i] ||
				i < len(seen) && seen[i] == s.state && ok[i+1] ||
				i > 0 && seen[i-1] == s.state && ok[i]
		}
		ok = next
	}
	return ok[0]
}

func TestExplains(t *testing.T) {
	kernel := []step{{"SYN-SENT", false}, {"ESTABLISHED", false}, {"FIN-WAIT-1", true}, {"ESTABLISHED", true}, {"CLOSED", true}}
	for _, c := range []struct {
		seen string
		want bool
	}{
		{"SYN-SENT ESTABLISHED FIN-WAIT-1 ESTABLISHED CLOSED", true},
		{"SYN-SENT ESTABLISHED", true},
		{"SYN-SENT ESTABLISHED CLOSED", true},
		{"SYN-SENT ESTABLISHED FIN-WAIT-1", true},
		{"ESTABLISHED CLOSED", false},
		{"SYN-SENT ESTABLISHED LAST-ACK", false},
		{"SYN-SENT ESTABLISHED CLOSED ESTABLISHED", false},
		{"SYN-SENT", false},
	} {
		if got := explains(strings.Fields(c.seen), kernel); got != c.want {
			t.Errorf("%s: %v", c.seen, got)
		}
	}
}
