package report

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

// ids plays the lives and returns the ids of the connections reported, and of
// the transitions, in their order.
func ids(t *testing.T, sel Selection) (conns []int, lines string) {
	t.Helper()
	out := play(t, lives, Options{Selection: sel}, PartConnections|PartTransitions|PartSummary, "ndjson")[0]
	for _, l := range strings.Split(strings.TrimSpace(out), "\n") {
		var x struct {
			Type string
			ID   int
		}
		if err := json.Unmarshal([]byte(l), &x); err != nil {
			t.Fatal(err)
		}
		if x.Type == "connection" {
			conns = append(conns, x.ID)
		}
	}
	return conns, out
}

func TestSelections(t *testing.T) {
	for _, c := range []struct {
		name string
		sel  Selection
		want map[int]bool
	}{
		{"everything", Selection{}, map[int]bool{0: true, 1: true, 2: true, 3: true}},
		{"refused", selecting(t, `close.kind == "refused"`), map[int]bool{1: true}},
		{"both fields", selecting(t, `server.port == 80 && duration > 0.5`), map[int]bool{0: true, 2: true}},
		{"unknown numbers compare false", selecting(t, `server.mss < 100000 || server.mss >= 0`), map[int]bool{0: true}},
		{"a list", selecting(t, `close.kind in ["open", "reset"]`), map[int]bool{2: true, 3: true}},
		{"times", selecting(t, `start > date("2026-01-02T03:04:08Z")`), map[int]bool{1: true, 2: true, 3: true}},
		{"streams", Selection{Streams: map[uint64]bool{3: true, 9: true}}, map[int]bool{3: true}},
		{"since", Selection{Since: moment(t, "+4.6s")}, map[int]bool{2: true, 3: true}},
		{"until", Selection{Until: moment(t, "03:04:08")}, map[int]bool{0: true}},
		{"window", Selection{Since: moment(t, "2026-01-02 03:04:08"), Until: moment(t, "1767323048.5")}, map[int]bool{1: true}},
	} {
		got, out := ids(t, c.sel)
		if len(got) != len(c.want) {
			t.Errorf("%s: connections %v, not %v", c.name, got, c.want)
		}
		for _, id := range got {
			if !c.want[id] {
				t.Errorf("%s: connections %v, not %v", c.name, got, c.want)
			}
		}
		for _, l := range strings.Split(out, "\n") {
			var x struct {
				Type string
				ID   int
				Time string
			}
			json.Unmarshal([]byte(l), &x)
			if x.Type == "transition" && !c.want[x.ID] {
				t.Errorf("%s: a transition of connection %d: %s", c.name, x.ID, l)
			}
		}
	}
}

// --where keeps the lines that are there without it, in the same order.
func TestWhereKeepsOrder(t *testing.T) {
	w, err := ParseWhere(`id != 1`)
	if err != nil {
		t.Fatal(err)
	}
	_, all := ids(t, Selection{})
	_, some := ids(t, Selection{Where: w})
	var want []string
	for _, l := range strings.Split(all, "\n") {
		if !strings.Contains(l, `"id":1,`) && !strings.Contains(l, `"type":"summary"`) {
			want = append(want, l)
		}
	}
	var got []string
	for _, l := range strings.Split(some, "\n") {
		if !strings.Contains(l, `"type":"summary"`) {
			got = append(got, l)
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A selection of everything counts states as the tracker does, but for the
// peak of CLOSED, where every endpoint begins.
func TestCensusOfSelection(t *testing.T) {
	w, err := ParseWhere(`id >= 0`)
	if err != nil {
		t.Fatal(err)
	}
	census := func(sel Selection) map[string]map[string]any {
		_, out := ids(t, sel)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		var s struct{ States map[string]map[string]any }
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &s); err != nil {
			t.Fatal(err)
		}
		delete(s.States, "CLOSED")
		return s.States
	}
	all, sel := census(Selection{}), census(Selection{Where: w})
	for state, c := range all {
		for k, v := range c {
			if sel[state][k] != v {
				t.Errorf("%s.%s is %v, with a selection %v", state, k, v, sel[state][k])
			}
		}
	}
}

func TestWhereErrors(t *testing.T) {
	for src, want := range map[string]string{
		`foo == 1`:            "unknown name foo\n  foo == 1\n  ^",
		`client.foo == 1`:     "an endpoint has no field foo\n  client.foo == 1\n         ^",
		`client.state == 1`:   "invalid operation: == (mismatched types string and number)\n  client.state == 1\n               ^",
		`duration`:            "expected bool, but got number",
		`Fill(1)`:             "unknown name Fill\n  Fill(1)\n  ^",
		"id == 1 &&\n\x1b ==": "",
		``:                    "the expression is empty",
	} {
		_, err := ParseWhere(src)
		if err == nil || want != "" && err.Error() != want {
			t.Errorf("%q gives\n%v\nnot\n%s", src, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%q: the message holds an escape", src)
		}
	}
}

func TestMoments(t *testing.T) {
	const first = int64(1767323045_500000000) // 2026-01-02 03:04:05.5
	for s, want := range map[string]int64{
		"+90s":                      first + 90e9,
		"03:04:06":                  1767323046e9,
		"2026-01-02":                1767312000e9,
		"2026-01-02T03:04:05+01:00": 1767319445e9,
		"2026-01-02 03:04:05.25":    1767323045_250000000,
		"1767323045.123456789":      1767323045_123456789,
		"1767323045":                1767323045e9,
	} {
		m, err := ParseMoment(s)
		if err != nil || m.At(first) != want {
			t.Errorf("%s: %d %v, not %d", s, m.At(first), err, want)
		}
	}
	for _, s := range []string{"", "+", "+x", "yesterday", "25:00:00", "1.1234567890", "-5", "99999999999999999999"} {
		if _, err := ParseMoment(s); err == nil {
			t.Errorf("%q is taken for a time", s)
		}
	}
	w := (&Selection{}).window(first)
	if !w.has(math.MinInt64) || !w.has(math.MaxInt64) {
		t.Errorf("no window leaves something out")
	}
}

// selecting is the selection of --where.
func selecting(t *testing.T, expression string) Selection {
	t.Helper()
	w, err := ParseWhere(expression)
	if err != nil {
		t.Fatal(err)
	}
	return Selection{Where: w}
}

// moment is the time that --since and --until read.
func moment(t *testing.T, text string) Moment {
	t.Helper()
	m, err := ParseMoment(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
