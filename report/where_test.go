package report

import (
	"strings"
	"testing"
	"time"
)

// What is null in JSON is nil in an expression, whatever holds its place here.
func TestWhereNil(t *testing.T) {
	at := time.Unix(1, 0)
	bare := Record{Continues: nan, VLAN: nan, Handshake: HandshakeRecord{RTT: nan}}
	full := Record{Continues: 3, VLAN: 7, Handshake: HandshakeRecord{RTT: 0.1}, Close: CloseRecord{By: "client", Reset: "abort"},
		TimeWait: TimeWaitRecord{Endpoint: "client", Since: at, Until: at}}
	for _, field := range []string{"continues", "vlan", "handshake.rtt", "close.by", "close.reset", "time_wait", "time_wait.since"} {
		for _, src := range []string{field + " == nil", "nil == " + field, "not (" + field + " != nil)"} {
			w, err := ParseWhere(src)
			if err != nil {
				t.Errorf("%s: %v", src, err)
				continue
			}
			for _, c := range []struct {
				r    *Record
				want bool
			}{{&bare, true}, {&full, false}} {
				if got, err := w.Match(c.r); got != c.want || err != nil {
					t.Errorf("%s: %v (%v), want %v", src, got, err, c.want)
				}
			}
		}
	}
}

// Words of the expression stand in messages as they were written.
func TestWhereMessages(t *testing.T) {
	for src, want := range map[string]string{
		"print(3)":         "unknown name print",
		"1 % 0 == 1":       "integer divide by zero",
		"client.state > 3": "mismatched types string and number",
		"client.colour":    "an endpoint has no field colour",
		"start > duration": "mismatched types time and number",
	} {
		if _, err := ParseWhere(src); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", src, err, want)
		}
	}
}
