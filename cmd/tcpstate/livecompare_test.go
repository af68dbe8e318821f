//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// compare holds the report of the live capture against the analysis of the file, and
// against what the kernels said when it ended, idle after its last packet.
func (p *place) compare(t *testing.T, left map[socket]string, idle time.Duration) {
	b, err := os.ReadFile(p.json)
	if err != nil {
		t.Fatal(err)
	}
	live, file := readReport(t, b), readReport(t, output(t, exitOK, nil, "-o", "json", "--show", allParts, p.pcap))
	c := comparison{t: t, idle: idle}
	// They did not begin at once, but there were no TCP segments yet.
	if l, f := live["connections"].([]any), file["connections"].([]any); len(l) > 0 && len(f) > 0 {
		c.frames = intOf(f[0].(map[string]any)["first_frame"]) - intOf(l[0].(map[string]any)["first_frame"])
	}
	c.value("", map[string]any(live), map[string]any(file))
	if c.compared < 10000 {
		t.Errorf("only %d values compared", c.compared)
	}
	p.census(t, live, left)
	p.raised(t, live)
}

// census compares the ends of the connections, and how many the summary counts.
func (p *place) census(t *testing.T, live tree, left map[socket]string) {
	t.Helper()
	want, got := p.hears(left), map[socket]string{}
	for _, v := range live["connections"].([]any) {
		c := v.(map[string]any)
		a, b := c["client"].(map[string]any), c["server"].(map[string]any)
		for _, e := range [][2]map[string]any{{a, b}, {b, a}} {
			// Of several lives of a tuple, the last counts.
			if s := (socket{address(e[0]), address(e[1])}); e[0]["state"] == "CLOSED" {
				delete(got, s)
			} else {
				got[s] = e[0]["state"].(string)
			}
		}
	}
	for _, wrong := range differ("connections", got, want) {
		t.Error(wrong)
	}
	counts := countStates(want)
	for state := range live["summary"].(map[string]any)["states"].(map[string]any) {
		n := 0
		for _, certainty := range []string{"confirmed", "presumed", "elapsed"} {
			n += live.int("summary", "states", state, certainty)
		}
		if state != "CLOSED" && n != counts[state] {
			t.Errorf("the summary counts %d ends in %s, and the kernels %d", n, state, counts[state])
		}
	}
}

// raised compares what was told of findings on the way with what is told of them at
// the end: all of them hold still, in so short a time.
func (p *place) raised(t *testing.T, live tree) {
	t.Helper()
	p.follow(t)
	for _, v := range live["findings"].([]any) {
		f := v.(map[string]any)
		key := f["id"].(string) + " " + f["subject"].(string)
		if p.findings[key] == "" {
			t.Errorf("%s was not raised", key)
		}
		delete(p.findings, key)
	}
	for key := range p.findings {
		t.Errorf("%s was raised, not cleared, and is not told of at the end", key)
	}
}

// address of an end of a connection.
func address(end map[string]any) string {
	return net.JoinHostPort(end["addr"].(string), fmt.Sprint(end["port"]))
}

// tree is a report in JSON.
type tree map[string]any

func readReport(t *testing.T, b []byte) tree {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var m tree
	if err := d.Decode(&m); err != nil {
		t.Fatalf("%v: %.200s", err, b)
	}
	// Live, connections come as they end.
	if c, ok := m["connections"].([]any); ok {
		slices.SortStableFunc(c, func(a, b any) int {
			for _, k := range []string{"id", "incarnation"} {
				if d := intOf(a.(map[string]any)[k]) - intOf(b.(map[string]any)[k]); d != 0 {
					return d
				}
			}
			return 0
		})
	}
	return m
}

func (m tree) int(path ...string) int {
	var v any = map[string]any(m)
	for _, k := range path {
		v = v.(map[string]any)[k]
	}
	return intOf(v)
}

func intOf(v any) int {
	n, err := strconv.Atoi(string(v.(json.Number)))
	if err != nil {
		panic(err)
	}
	return n
}

// comparison compares two reports, value by value.
type comparison struct {
	t        *testing.T
	idle     time.Duration // at least that from the last packet to the end of the live capture
	frames   int           // that the file has before the first of the live capture
	compared int
	failed   int
}

// except is what may differ: where the packets came from, what live records alone
// say, and of frames other than TCP segments how many there were before and after
// all segments.
var except = regexp.MustCompile(`^/capture/|^/findings/\d+/event$|^/summary/packets$|^/summary/quality/(start|end|span)$`)

// framed are numbers of frames, 0 for none.
var framed = regexp.MustCompile(`/(frame|first_frame|last_frame)$`)

// clocked are times and what is reckoned from them: both captures have their own
// clock readings of one packet.
var clocked = regexp.MustCompile(`/(time|start|end|duration|since|until|peak_time|half_closed_for|rtt|p50|p99)$`)

// lasting are times of findings, and what is reckoned from them. A live capture's
// clock goes on after its last packet, and so does what still holds.
var lasting = regexp.MustCompile(`^/findings/\d+/(first|last|explanation|evidence/.*/text|metrics/\w+)$`)

// apart is how far two readings of one packet's time may lie apart: the kernel has
// both in one go, unless something takes the processor away.
const apart = 50 * time.Millisecond

func (c *comparison) value(at string, live, file any) {
	c.t.Helper()
	switch l := live.(type) {
	case map[string]any:
		f, ok := file.(map[string]any)
		if !ok {
			c.fail(at, live, file)
			return
		}
		for k := range f {
			if _, ok := l[k]; !ok && !except.MatchString(at+"/"+k) {
				c.fail(at+"/"+k, nil, f[k])
			}
		}
		for k := range l {
			c.value(at+"/"+k, l[k], f[k])
		}
		return
	case []any:
		f, ok := file.([]any)
		if !ok || len(l) != len(f) {
			c.fail(at, live, file)
			return
		}
		for i := range l {
			c.value(fmt.Sprintf("%s/%d", at, i), l[i], f[i])
		}
		return
	}
	c.compared++
	same := live == file || except.MatchString(at)
	if !same && live != nil && file != nil {
		l, f := fmt.Sprint(live), fmt.Sprint(file)
		switch {
		case framed.MatchString(at):
			same = l != "0" && f != "0" && intOf(file)-intOf(live) == c.frames
		case clocked.MatchString(at):
			same = near(l, f, apart)
		case lasting.MatchString(at):
			same = near(l, f, c.idle+apart) || c.words(c.shift(l), f)
		}
	} else if same && c.frames != 0 && framed.MatchString(at) {
		same = live == nil || fmt.Sprint(live) == "0"
	}
	if !same {
		c.fail(at, live, file)
	}
}

// shift gives frames that a text names the numbers that they have in the file.
func (c *comparison) shift(s string) string {
	return named.ReplaceAllStringFunc(s, func(s string) string {
		n, err := strconv.Atoi(strings.TrimPrefix(s, "frame "))
		if err != nil {
			panic(err)
		}
		return fmt.Sprintf("frame %d", n+c.frames)
	})
}

var named = regexp.MustCompile(`\bframe \d+`)

// spans are durations in a text.
var spans = regexp.MustCompile(`(\d+(?:\.\d+)?) (ns|µs|ms|s|min)\b`)

// words reports whether two texts say the same but for how long it took.
func (c *comparison) words(a, b string) bool {
	return spans.ReplaceAllString(a, "#") == spans.ReplaceAllString(b, "#") &&
		slices.EqualFunc(spans.FindAllStringSubmatch(a, -1), spans.FindAllStringSubmatch(b, -1), func(x, y []string) bool {
			i, err1 := time.ParseDuration(x[1] + strings.TrimSuffix(x[2], "in"))
			j, err2 := time.ParseDuration(y[1] + strings.TrimSuffix(y[2], "in"))
			// They are rounded: to a tenth of a second, or more where they are longer.
			return err1 == nil && err2 == nil && (i-j).Abs() <= c.idle+apart+max(i, j)/20+time.Second/10
		})
}

// near reports whether two times, or two numbers of seconds, are next to the same.
func near(a, b string, apart time.Duration) bool {
	if x, err := time.Parse(time.RFC3339Nano, a); err == nil {
		y, err := time.Parse(time.RFC3339Nano, b)
		return err == nil && x.Sub(y).Abs() <= apart
	}
	x, err1 := strconv.ParseFloat(a, 64)
	y, err2 := strconv.ParseFloat(b, 64)
	return err1 == nil && err2 == nil && math.Abs(x-y) <= apart.Seconds()
}

func (c *comparison) fail(at string, live, file any) {
	c.t.Helper()
	if c.failed++; c.failed <= 20 {
		c.t.Errorf("%s: live %s, from the file %s", at, excerpt(live), excerpt(file))
	}
}

func excerpt(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	if len(b) > 300 {
		b = append(b[:300], "..."...)
	}
	return string(b)
}
