package compare

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// A report that is read holds what the analysis does, handshakes included, whatever the
// order of its keys.
func TestReportsHoldWhatCapturesDo(t *testing.T) {
	for _, name := range captures {
		want, text := analyse(t, name)
		var all map[string]any
		if err := json.Unmarshal(text, &all); err != nil {
			t.Fatal(err)
		}
		sorted, err := json.MarshalIndent(all, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range [][]byte{text, append([]byte(" \n"), sorted...)} {
			got, err := Read(bytes.NewReader(text))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got.Name, got.Report = name, false
			if !want.Start.Equal(got.Start) {
				t.Errorf("%s: it begins %v, not %v", name, got.Start, want.Start)
			}
			got.Start = want.Start
			for _, s := range []*Side{got, want} {
				for _, v := range s.Services {
					if v.Handshake.All == nil {
						t.Errorf("%s: handshakes of %v are not known one by one", name, v.place())
					}
				}
			}
			a, b := told(t, got), told(t, want)
			if a != b {
				t.Errorf("%s: what is read differs: %s", name, firstDifference(a, b))
			}
		}
	}
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("line %d is %q, not %q", i+1, x[i], y[i])
		}
	}
	return "the length"
}

// told is a side beside nothing, in JSON with its keys sorted.
func told(t *testing.T, s *Side) string {
	t.Helper()
	_, text := written(t, Compare(side(0, ""), s, Options{}))
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	sorted, _ := json.MarshalIndent(v, "", " ")
	return string(sorted)
}

// Without its connections, a report has quantiles of handshakes, and nothing to reckon
// chance by.
func TestReportWithoutConnections(t *testing.T) {
	s, text := analyse(t, "close-wait-leak.pcap")
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	all["connections"] = json.RawMessage("[]")
	text, _ = json.Marshal(all)
	old, err := Read(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	v := Compare(old, s, Options{}).Services[0].Handshakes
	if v[1].Old != v[1].New || v[2].Old != v[2].New || v[1].Odds != Untested || v[1].Changed() {
		t.Errorf("%v", v)
	}
	if l := Compare(old, s, Options{}).tables(false, 10); len(l) > 0 {
		t.Errorf("what is not known differs: %v", l)
	}
	if old.Handshake.N != s.Handshake.N || old.Handshake.All != nil {
		t.Errorf("all handshakes: %v", old.Handshake)
	}
}

// What is no report, or one with something in it that no report has, is refused with a
// reason.
func TestReadRefuses(t *testing.T) {
	_, good := analyse(t, "close-wait-leak.pcap")
	if _, err := Read(bytes.NewReader(good)); err != nil {
		t.Fatal(err)
	}
	replace := func(old, new string) string {
		s := strings.Replace(string(good), old, new, 1)
		if s == string(good) {
			t.Fatalf("there is no %s", old)
		}
		return s
	}
	for text, want := range map[string]string{
		"":                             "cut short",
		"{":                            "cut short",
		string(good[:len(good)/2]):     "cut short",
		"[]":                           "expected",
		"{}":                           "no schema",
		`{"schema":"tcpstate/v2"}`:     "tcpstate/v2",
		`{"schema":"tcpstate/v1"}`:     "lacks summary and findings and services",
		`{"type":"capture"}`:           "NDJSON",
		string(good) + "{}":            "something comes after it",
		string(good[1:]):               "where { is expected",
		replace(`"services":`, `"x":`): "lacks services",
		replace(`"close-wait-buildup","severity"`, `"\u001b[m","severity"`):                               "a finding of it is none",
		replace(`"close-wait-buildup","severity"`, `"a b","severity"`):                                    "a finding of it is none",
		replace(`"blame":"server"`, `"blame":"x\"y"`):                                                     "a finding of it is none",
		replace(`"severity":"error"`, `"severity":"fatal"`):                                               "fatal",
		replace(`"addr":"10.99.0.2","port":8080,"connections"`, `"addr":"<b>","port":8080,"connections"`): "a service is at",
		replace(`"half-closed":40`, `"half<closed":40`):                                                   "no name",
		replace(`"half-closed":40`, `"half-closed":-40`):                                                  "is no number of things",
		replace(`"half-closed":40`, `"half-closed":999999999999999`):                                      "is no number of things",
		replace(`"summary":{`, `"summary":[{`):                                                            "",
		replace(`"summary":{`, `"summary":null,"x":{`):                                                    "lacks",
	} {
		s, err := Read(strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q...: %v, not %q", text, err, want)
		}
		if s != nil {
			t.Errorf("%.60q: there is a side", text)
		}
		if err != nil && !errors.Is(err, ErrNoReport) && !strings.Contains(err.Error(), "lacks") {
			t.Errorf("%.60q: %v is of another kind", text, err)
		}
	}
}

// No text at all stops the program, and what is read can be compared and told.
func FuzzRead(f *testing.F) {
	for _, name := range []string{"close-wait-leak.pcap", "ipv6.pcap", "empty.pcap"} {
		_, text := analyse(f, name)
		var all map[string]json.RawMessage
		if err := json.Unmarshal(text, &all); err != nil {
			f.Fatal(err)
		}
		all["connections"] = json.RawMessage("[]")
		text, _ = json.Marshal(all)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		side, err := Read(bytes.NewReader(text))
		if err != nil {
			return
		}
		r := Compare(side, side, Options{})
		if l := r.tables(false, 10); len(l) > 0 {
			t.Errorf("it differs from itself: %v", l)
		}
		table, out := written(t, r)
		if strings.ContainsRune(table+out, '\x1b') {
			t.Error("an escape comes through")
		}
		if !json.Valid([]byte(out)) {
			t.Errorf("this is no JSON:\n%s", out)
		}
	})
}
