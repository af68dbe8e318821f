package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What --show states says, against a model that knows nothing but the transitions.

// statesOverTime is the key states of -o json.
type statesOverTime struct {
	Start, End  *time.Time
	Step, Asked float64
	States      map[string]*struct {
		Peak       uint64
		PeakTime   time.Time `json:"peak_time"`
		Last, Most []uint64
	}
}

// statesOf runs the program; text is what it says of states, to compare.
func statesOf(t *testing.T, file string, args ...string) (s statesOverTime, summary map[string]map[string]any, text string) {
	t.Helper()
	b := output(t, exitOf(file), nil, append([]string{"-o", "json", "--show", "states,summary", file}, args...)...)
	var doc struct {
		States  json.RawMessage
		Summary struct{ States map[string]map[string]any }
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if err := json.Unmarshal(doc.States, &s); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return s, doc.Summary.States, fmt.Sprintf("%s %v", doc.States, doc.Summary.States)
}

// moved is what the model knows: an endpoint came from a state ("" for nowhere) to one.
type moved struct {
	from, to string
	ns       int64
	frame    uint64
}

// movesOf are the moves of a capture in their order: its transitions, and where a pair of
// endpoints is new, two that are CLOSED.
func movesOf(t *testing.T, file string) (all []moved) {
	t.Helper()
	type opening struct {
		ns    int64
		frame uint64
		n     int
	}
	opened := map[string]opening{}
	for line := range strings.Lines(string(output(t, exitOf(file), nil, "-o", "ndjson", "--show", "transitions,connections", file))) {
		var l struct {
			Type, Time, From, To string
			Frame                uint64
			Start                time.Time
			FirstFrame           uint64 `json:"first_frame"`
			Client, Server       struct {
				Addr string
				Port int
			}
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil && l.Type != "capture" {
			t.Fatalf("%s: %v: %s", file, err, line)
		}
		switch l.Type {
		case "transition":
			sec, frac, _ := strings.Cut(l.Time, ".")
			s, _ := strconv.ParseInt(sec, 10, 64)
			n, _ := strconv.ParseInt(frac, 10, 64)
			all = append(all, moved{l.From, l.To, s*1e9 + n, l.Frame})
		case "connection":
			ends := []string{fmt.Sprint(l.Client), fmt.Sprint(l.Server)}
			slices.Sort(ends)
			o := opening{l.Start.UnixNano(), l.FirstFrame, 2}
			if ends[0] == ends[1] {
				o.n = 1
			}
			key := strings.Join(ends, " ")
			if was, ok := opened[key]; !ok || o.frame < was.frame {
				opened[key] = o
			}
		}
	}
	var openings []opening
	for _, o := range opened {
		openings = append(openings, o)
	}
	slices.SortFunc(openings, func(a, b opening) int { return int(a.frame) - int(b.frame) })
	for _, o := range openings {
		i := slices.IndexFunc(all, func(m moved) bool { return m.frame >= o.frame })
		if i < 0 {
			i = len(all)
		}
		for i > 0 && all[i-1].frame == 0 && all[i-1].ns > o.ns {
			i-- // a timer that rang later
		}
		for range o.n {
			all = slices.Insert(all, i, moved{"", "CLOSED", o.ns, o.frame})
		}
	}
	return all
}

// model counts by hand: for each step and state how many at its end, and the most.
func model(moves []moved, start, step int64, points int) (last, most map[string][]uint64) {
	last, most = map[string][]uint64{}, map[string][]uint64{}
	now := map[string]uint64{}
	k, latest := 0, start
	for i := range points {
		high := map[string]uint64{}
		for st, n := range now {
			high[st] = n
		}
		for ; k < len(moves); k++ {
			m := moves[k]
			if latest = max(latest, m.ns); latest >= start+int64(i+1)*step {
				break
			}
			if m.from == m.to {
				continue
			}
			if m.from != "" {
				now[m.from]--
			}
			now[m.to]++
			high[m.to] = max(high[m.to], now[m.to])
		}
		for st := range high {
			for _, of := range []map[string][]uint64{last, most} {
				of[st] = append(of[st], make([]uint64, i+1-len(of[st]))...)
			}
			last[st][i], most[st][i] = now[st], high[st]
		}
	}
	return last, most
}

func TestSeriesIsFoldOfTransitions(t *testing.T) {
	stepped := 0
	for _, file := range captureFiles(t) {
		moves := movesOf(t, file)
		auto, _, _ := statesOf(t, file)
		for _, args := range [][]string{{}, {"--step", "7ms"}, {"--step", "1h"}, {"--workers", "3"}} {
			s, summary, text := statesOf(t, file, args...)
			if _, _, other := statesOf(t, file, append(args, "--where", "true")...); other != text {
				t.Errorf("%s %v: --where true makes something else:\n%s", file, args, firstDifference(other, text))
			}
			if s.Start == nil {
				if len(moves) > 0 {
					t.Errorf("%s: no steps", file)
				}
				continue
			}
			if auto.Start.Before(*s.Start) || s.Asked != 0 && args[1] != "7ms" {
				t.Errorf("%s %v: begins at %v, asked %v", file, args, s.Start, s.Asked)
			}
			step := int64(s.Step*1e9 + 0.5)
			points := int(s.End.Sub(*s.Start)/time.Duration(step)) + 1
			stepped += points
			last, most := model(moves, s.Start.UnixNano(), step, points)
			for st, x := range s.States {
				if !slices.Equal(x.Last, last[st]) || !slices.Equal(x.Most, most[st]) {
					t.Errorf("%s %v: %s:\n%v\n%v\nnot\n%v\n%v", file, args, st, x.Last, x.Most, last[st], most[st])
				}
				if c := summary[st]; float64(x.Peak) != c["peak"] || x.PeakTime.Format("2006-01-02T15:04:05.000000000Z") != c["peak_time"] || slices.Max(x.Most) != x.Peak {
					t.Errorf("%s %v: %s: peak %d at %v, the summary has %v at %v, the steps %v", file, args, st, x.Peak, x.PeakTime, c["peak"], c["peak_time"], slices.Max(x.Most))
				}
			}
			for st := range last {
				if s.States[st] == nil && slices.Max(most[st]) > 0 {
					t.Errorf("%s %v: nothing of %s", file, args, st)
				}
			}
		}
	}
	if stepped < 1000 {
		t.Errorf("only %d steps", stepped)
	}
}

// A report window shows what the whole shows of it, but for what was CLOSED before.
func TestSeriesOfWindow(t *testing.T) {
	file := filepath.Join(pcaps, "time-wait-reuse.pcap")
	whole, _, _ := statesOf(t, file, "--step", "50ms")
	const from, to = 7, 35
	part, _, _ := statesOf(t, file, "--step", "50ms", "--since", "+350ms", "--until", "+1749.999999ms")
	if want := whole.Start.Add(from * 50 * time.Millisecond); !part.Start.Equal(want) {
		t.Errorf("begins at %v, not %v", part.Start, want)
	}
	for st, x := range whole.States {
		if st == "CLOSED" {
			continue
		}
		p := part.States[st]
		if p == nil || !slices.Equal(p.Last, x.Last[from:to]) || !slices.Equal(p.Most, x.Most[from:to]) {
			t.Errorf("%s: %+v\nnot %v\n%v", st, p, x.Last[from:to], x.Most[from:to])
		}
	}
}
