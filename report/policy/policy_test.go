package policy

import (
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tcpstate/capture"
	"tcpstate/report"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

var today = time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)

// judged judges a capture of testdata.
func judged(t testing.TB, name, text string, terms *Terms, workers int) (*Verdict, error) {
	t.Helper()
	p, err := Parse("policy.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if terms == nil {
		terms = &Terms{Today: today}
	}
	src, err := capture.Open(capture.Options{Paths: []string{filepath.Join("..", "..", "testdata", "pcaps", name)}})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var v *Verdict
	var failed error
	run := p.NewRun(terms, workers)
	f := run.Format(func(_ *report.Final, x *Verdict, err error) { v, failed = x, err })
	r := report.New(report.Options{Outputs: []report.Output{{Format: f, Parts: f.Parts, W: io.Discard}},
		Detect: detect.Options{Values: p.Values, Disabled: p.Disabled, TimeWait: 60e9}})
	tr := tracker.New(tracker.DefaultConfig(), r.Observer())
	begun := false
	for b := new(capture.Batch); err == nil; {
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
	return v, failed
}

// Each assertion says in its name whether it holds of close-wait-leak.pcap.
func TestAssertions(t *testing.T) {
	const text = `version: 1
fail_on: never
assert:
  - { name: "holds: a server", each: connections, where: server.port == 8080, expect: client.port > 1023 }
  - { name: "fails: all are graceful", each: connections, expect: close.kind == "graceful" }
  - { name: "fails: nothing matches", each: connections, where: server.port == 1, expect: "true" }
  - { name: "holds: nothing need match", each: connections, where: server.port == 1, expect: "false", at_least: 0 }
  - { name: "fails: too few match", each: connections, where: server.port == 8080, expect: "true", at_least: 100000 }
  - { name: "fails: findings are mild", each: findings, expect: severity != "error" }
  - { name: "holds: findings have a count", each: findings, expect: count > 0 && metrics != nil }
  - { name: "holds: quantile", expect: "quantile(0.99, map(connections, .handshake.rtt)) < 0.05" }
  - { name: "fails: quantile", expect: "quantile(0.5, map(connections, .handshake.rtt)) > 1" }
  - { name: "holds: filter and map", expect: "max(map(filter(connections, .server.port == 8080), .duration)) > 1" }
  - { name: "fails: of nothing", expect: "max(map(filter(connections, .server.port == 1), .duration)) < 1" }
  - { name: "holds: count", expect: "count(connections, .close.kind == 'half-closed') > 3" }
  - { name: "holds: len", expect: "len(filter(connections, .close.kind == 'half-closed')) == count(connections, .close.kind == 'half-closed')" }
  - { name: "holds: all", expect: "all(connections, .server.port == 8080)" }
  - { name: "fails: any", expect: "any(connections, .server.port == 1)" }
  - { name: "holds: none", expect: "none(connections, .server.port == 1)" }
  - { name: "holds: pipe", expect: "connections | filter(.server.port == 8080) | map(.client.bytes) | mean() > 0" }
  - { name: "holds: the first", expect: "connections[0].server.port == 8080" }
  - { name: "holds: summary", expect: "summary.close['half-closed'] > 3 && capture.quality.dropped == 0" }
  - { name: "holds: census", expect: "summary.states['CLOSE-WAIT'].confirmed > 3" }
  - { name: "holds: transitions", expect: "count(transitions, .to == 'CLOSE-WAIT' && .certainty == 'confirmed') > 3" }
  - { name: "holds: findings of the whole", expect: "any(findings, .id == 'close-wait-buildup' && .metrics.peak > 3)" }
  - { name: "holds: findings of connections", each: connections, where: "'close-wait-buildup' in findings", expect: "server.state == 'CLOSE-WAIT'" }
  - { name: "holds: beside the summary", expect: "count(connections, .close.kind == 'half-closed') == summary.close['half-closed']" }
  - { name: "holds: a predicate that looks outside", expect: "count(connections, .duration <= capture.quality.span) == len(connections)" }
  - { name: "holds: sum", expect: "sum(map(connections, .client.bytes)) > 0 and sum(map(connections, .client.bytes)) == len(connections) * mean(map(connections, .client.bytes))" }
  - { name: "holds: ports", expect: "all(map(connections, .server.port), # == 8080)" }
  - { name: "holds: networks", each: connections, expect: "in_net(client.addr, '10.99.0.0/24') and not in_net(server.addr, '10.99.0.2/31')  or server.addr == '10.99.0.2'" }
  - { name: "holds: networks of the whole", expect: "count(connections, in_net(.client.addr, '10.99.0.0/24')) == len(connections)" }
  - { name: "holds: two lists", expect: "max(map(connections, .server.bytes)) >= median(map(connections, .server.bytes))" }
`
	var one *Verdict
	for _, workers := range []int{1, 3} {
		v, err := judged(t, "close-wait-leak.pcap", text, nil, workers)
		if err != nil {
			t.Fatal(err)
		}
		for i := range v.Assertions {
			a := &v.Assertions[i]
			if want := strings.HasPrefix(a.Name, "holds: "); a.Passed != want {
				t.Errorf("%s: passed %v, %s", a.Name, a.Passed, a.Reason)
			}
			if !a.Passed && a.Reason == "" {
				t.Errorf("%s gives no reason", a.Name)
			}
		}
		if one == nil {
			one = v
		}
		for i := range v.Assertions {
			if a, b := &one.Assertions[i], &v.Assertions[i]; a.Matched != b.Matched || a.Failed != b.Failed || len(a.Failing) != len(b.Failing) {
				t.Errorf("%s: %d goroutines: %d of %d failed", a.Name, workers, b.Failed, b.Matched)
			}
		}
	}
}

// What is wrong with a policy is said with its place.
func TestPolicyErrors(t *testing.T) {
	for _, x := range []struct{ text, want string }{
		{"", "p.yaml: the policy is empty"},
		{"version: 2\n", "p.yaml:1:10: this program knows version 1 of policies\n  version: 2\n           ^"},
		{"assert: []\n", "p.yaml:1:1: the policy does not say its version: version: 1\n  assert: []\n  ^"},
		{"version: 1\nassertions: []\n", "p.yaml:2:1: the policy has no key \"assertions\": it is one of version, fail_on, disable, set, allow, assert\n  assertions: []\n  ^"},
		{"version: 1\nversion: 1\n", "p.yaml:2:1: \"version\" is there twice\n  version: 1\n  ^"},
		{"version: 1\nfail_on: fatal\n", "p.yaml:2:10: fail_on is one of note, warning, error, never\n  fail_on: fatal\n           ^"},
		{"version: 1\ndisable: [nothing]\n", "p.yaml:2:11: there is no finding \"nothing\"; \"tcpstate findings\" lists them\n  disable: [nothing]\n            ^"},
		{"version: 1\nset: { close-wait-buildup.count: many }\n", "p.yaml:2:8: close-wait-buildup.count: \"many\" is not a number from 0 up\n  set: { close-wait-buildup.count: many }\n         ^"},
		{"version: 1\nallow:\n  - { id: refused, subject: x }\n", "p.yaml:3:5: allow: it does not say its reason\n    - { id: refused, subject: x }\n      ^"},
		{"version: 1\nallow:\n  - { id: refused, subject: x, reason: y, until: soon }\n", "p.yaml:3:50: until is a day, as in 2027-01-31\n    - { id: refused, subject: x, reason: y, until: soon }\n                                                   ^"},
		{"version: 1\nassert:\n  - name: a\n    each: connections\n    where: server.prot == 8080\n    expect: midstream\n",
			"p.yaml:5:19: an endpoint has no field prot\n      where: server.prot == 8080\n                    ^"},
		{"version: 1\nassert:\n  - name: a\n    expect: |\n      1 == 1 and\n      count(connections, .nothing) > 1\n", "p.yaml:6:27: a connection has no field nothing"},
		{"version: 1\nassert:\n  - { name: a, each: connections, expect: \"duration\" }\n", "p.yaml:3:43: expected bool, but got number"},
		{"version: 1\nassert:\n  - { name: a, where: midstream, expect: \"true\" }\n", "p.yaml:3:23: where chooses among connections or findings"},
		{"version: 1\nassert:\n  - { name: a, expect: parts != nil }\n", "p.yaml:3:24: unknown name parts"},
		{"version: 1\nassert:\n  - name: a\n    each: connections\n    expect: client.state != \"CLOSE_WAIT\"\n",
			"p.yaml:5:29: \"CLOSE_WAIT\" is not a state, which is one of CLOSED, "},
		{"version: 1\nassert:\n  - { name: a, each: connections, where: \"close.reset in ['abort', 'linger']\", expect: midstream }\n", "p.yaml:3:68: \"linger\" is not a class of reset"},
		{"version: 1\nassert:\n  - { name: a, each: connections, expect: \"'refusd' in findings\" }\n", "p.yaml:3:44: \"refusd\" is not a finding"},
		{"version: 1\nassert:\n  - { name: a, expect: \"summary.close['half_closed'] == 0\" }\n", "p.yaml:3:39: \"half_closed\" is not a kind of close"},
		{"version: 1\nassert:\n  - { name: a, expect: summary.findings.errors == 0 }\n", "p.yaml:3:41: \"errors\" is not a severity"},
		{"version: 1\nassert:\n  - { name: a, expect: \"none(connections, 'graceful' != .close.kind or .close.kind == 'Graceful')\" }\n", "p.yaml:3:87: \"Graceful\" is not a kind of close"},
		{"version: 1\nassert:\n  - { name: a, expect: \"any(findings, .id == 'refuse')\" }\n", "p.yaml:3:46: \"refuse\" is not a finding"},
		{"version: 1\nassert:\n  - { name: a, each: findings, expect: severity != 'fatal' }\n", "p.yaml:3:52: \"fatal\" is not a severity"},
		{"version: 1\nassert:\n  - { name: a, expect: \"all(connections, in_net(.client.addr, '10.0.0'))\" }\n", "p.yaml:3:63: in_net: \"10.0.0\" is no network"},
		{"version: 1\nassert: [\n", "p.yaml:2:1: did not find"},
		{"version: 1\n---\nversion: 1\n", "p.yaml:2:1: a policy is one document; here begins another"},
	} {
		_, err := Parse("p.yaml", []byte(x.text))
		if err == nil {
			t.Errorf("%q is understood", x.text)
			continue
		}
		if !strings.HasPrefix(err.Error(), x.want) {
			t.Errorf("%q:\n%s\nwant:\n%s", x.text, err, x.want)
		}
	}
}
