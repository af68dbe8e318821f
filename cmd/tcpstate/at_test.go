package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// atCaptures are further captures for TestAtIsTheFold, as a pattern of names: by default
// it takes those of testdata/pcaps that a kernel was asked about.
var atCaptures = flag.String("at-captures", "", "further captures whose states at instants are compared with their transitions")

// told is a line of -o ndjson --show transitions.
type told struct {
	Time                    string
	Local, Remote, From, To string
	at                      int64
}

// transitionsOf are all transitions of a capture, in the order in which they are told.
func transitionsOf(t *testing.T, args ...string) (l []told) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	run(append([]string{"-o", "ndjson", "--show", "transitions"}, args...), nil, &stdout, &stderr)
	for _, line := range strings.Split(stdout.String(), "\n") {
		if !strings.HasPrefix(line, `{"type":"transition"`) {
			continue
		}
		var x told
		if err := json.Unmarshal([]byte(line), &x); err != nil {
			t.Fatal(err)
		}
		whole, frac, _ := strings.Cut(x.Time, ".")
		sec, err := strconv.ParseInt(whole, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		ns, err := strconv.ParseInt(frac, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		x.at = sec*1e9 + ns
		l = append(l, x)
	}
	return l
}

// fold is the state of every endpoint that is not CLOSED, by "local remote".
func fold(l []told, at int64) map[string]string {
	states := map[string]string{}
	for _, x := range l {
		if x.at > at {
			continue
		}
		if k := x.Local + " " + x.Remote; x.To == "CLOSED" {
			delete(states, k)
		} else {
			states[k] = x.To
		}
	}
	return states
}

// instantsOf are the instants to look at: n at random, and before, at and after some
// transitions, the first and the last among them.
func instantsOf(l []told, n int, rng *rand.Rand) (at []int64) {
	first, last := l[0].at, l[0].at
	for _, x := range l {
		first, last = min(first, x.at), max(last, x.at)
	}
	for range n {
		at = append(at, first-1e9+rng.Int64N(last-first+2e9))
	}
	for i := range 8 {
		x := l[rng.IntN(len(l))].at
		if i == 0 {
			x = first
		} else if i == 1 {
			x = last
		}
		at = append(at, x-1, x, x+1)
	}
	return append(at, first-3600e9, last+3600e9)
}

// document is what at says.
type document struct {
	At          string `json:"at"`
	Connections []struct {
		ID             int
		Client, Server struct {
			Addr, State, Certainty string
			Port                   int
		}
	}
	States map[string]struct{ Confirmed, Presumed, Elapsed int }
}

// states are those of all endpoints that are not CLOSED, by "local remote".
func (d *document) states(t *testing.T) map[string]string {
	t.Helper()
	states, counts := map[string]string{}, map[string]int{}
	for _, c := range d.Connections {
		name := func(addr string, port int) string {
			if strings.Contains(addr, ":") {
				addr = "[" + addr + "]"
			}
			return addr + ":" + strconv.Itoa(port)
		}
		a, b := name(c.Client.Addr, c.Client.Port), name(c.Server.Addr, c.Server.Port)
		if c.Client.State == "CLOSED" && c.Server.State == "CLOSED" {
			t.Errorf("connection %d is listed, and is over", c.ID)
		}
		for _, e := range []struct{ k, state string }{{a + " " + b, c.Client.State}, {b + " " + a, c.Server.State}} {
			if was, ok := states[e.k]; ok && was == e.state && a == b {
				continue // it is both ends
			} else if ok {
				t.Errorf("%s is listed twice", e.k)
			}
			if e.state != "CLOSED" {
				states[e.k] = e.state
				counts[e.state]++
			}
		}
	}
	sums := map[string]int{}
	for s, n := range d.States {
		sums[s] = n.Confirmed + n.Presumed + n.Elapsed
	}
	if !maps.Equal(counts, sums) {
		t.Errorf("the counts are %v, the list has %v", sums, counts)
	}
	return states
}

// atInstant is what the program says of an instant, and the bytes that it says.
func atInstant(t *testing.T, args ...string) (*document, string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(append([]string{"at"}, args...), nil, &stdout, &stderr); code != exitOK {
		t.Fatalf("at %s: exit status %d: %s", args, code, &stderr)
	}
	var d document
	if err := json.Unmarshal(stdout.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	return &d, stdout.String()
}

// seconds9 is an instant as TIME takes it.
func seconds9(ns int64) string { return fmt.Sprintf("%d.%09d", ns/1e9, ns%1e9) }

// At any instant each endpoint is in the state that the transitions up to then make, with
// any number of workers.
func TestAtIsTheFold(t *testing.T) {
	truths, err := filepath.Glob(filepath.Join(pcaps, "*.truth.jsonl"))
	if err != nil || len(truths) < 25 {
		t.Fatalf("%d captures: %v", len(truths), err)
	}
	var files []string
	for _, f := range truths {
		files = append(files, strings.TrimSuffix(f, ".truth.jsonl")+".pcap")
	}
	n := 200
	if testing.Short() {
		n = 20
	}
	if *atCaptures != "" {
		more, err := filepath.Glob(*atCaptures)
		if err != nil || len(more) == 0 {
			t.Fatalf("-at-captures %s: %d files, %v", *atCaptures, len(more), err)
		}
		files = append(files, more...)
	}
	for i, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			t.Parallel()
			l := transitionsOf(t, f)
			if len(l) == 0 {
				t.Skip("nothing moves")
			}
			rng := rand.New(rand.NewPCG(4711, uint64(i)))
			held := 0
			for j, at := range instantsOf(l, n, rng) {
				args := []string{seconds9(at), "-o", "json", "--workers", "1", f}
				d, text := atInstant(t, args...)
				got, want := d.states(t), fold(l, at)
				if !maps.Equal(got, want) {
					t.Fatalf("at %s (-the transitions make, +it says):\n%s", seconds9(at), cmp.Diff(want, got))
				}
				held += len(got)
				if j%8 == 0 {
					args[4] = "3"
					if _, other := atInstant(t, args...); other != text {
						t.Fatalf("at %s: three workers say something else:\n%s", seconds9(at), cmp.Diff(text, other))
					}
				}
			}
			if held == 0 && len(l) > 2 {
				t.Errorf("no endpoint had a state at any instant")
			}
			d, _ := atInstant(t, atEnd, "-o", "json", f)
			if got, want := d.states(t), fold(l, 1<<62); !maps.Equal(got, want) {
				t.Errorf("at the end: %s", cmp.Diff(want, got))
			}
		})
	}
	slices.Sort(files)
	if len(slices.Compact(files)) != len(files) {
		t.Errorf("a capture is given twice")
	}
}
