package report

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"tcpstate/tracker"
)

// The JSON names, the names for --where and what the encoder writes are the same.
func TestRecordNames(t *testing.T) {
	var check func(reflect.Type)
	check = func(typ reflect.Type) {
		for _, f := range reflect.VisibleFields(typ) {
			if j, e := f.Tag.Get("json"), f.Tag.Get("expr"); j != e || j == "" {
				t.Errorf("%s.%s: json %q, expr %q", typ.Name(), f.Name, j, e)
			}
			if f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[time.Time]() {
				check(f.Type)
			}
		}
	}
	check(reflect.TypeFor[Record]())

	b := AppendConnection(nil, &tracker.Life{TimeWaitBy: tracker.ByBoth}, nil)
	got, want := keysInOrder(t, b)[2:], FieldNames() // without type and schema
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the encoder writes\n%s\nbut the fields are\n%s", strings.Join(got, " "), strings.Join(want, " "))
	}
}

// keysInOrder lists the dotted names of all values of a JSON object; an array
// counts as a value.
func keysInOrder(t *testing.T, b []byte) (names []string) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	var walk func(prefix string)
	walk = func(prefix string) {
		tok, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		switch tok {
		case json.Delim('{'):
			for d.More() {
				k, _ := d.Token()
				walk(prefix + "." + k.(string))
			}
			d.Token()
		case json.Delim('['):
			for d.More() {
				var skip any
				d.Decode(&skip)
			}
			d.Token()
			names = append(names, prefix[1:])
		default:
			names = append(names, prefix[1:])
		}
	}
	walk("")
	return names
}

func TestRecordValues(t *testing.T) {
	s := string(AppendConnection(nil, &tracker.Life{Continues: -1, HandshakeRTT: -1, VLAN: 0xffff, Start: playStart, End: playStart + 1_500_000_081,
		Ends: [2]tracker.End{{WScale: -1}, {WScale: 0, MSS: 1460, TTL: 3, Packets: 1}}}, nil))
	for _, want := range []string{
		`"continues":null`, `"vlan":null`, `"rtt":null`, `"time_wait":null`, `"by":null`, `"frame":null`, `"reset":null`,
		`"duration":1.500000081,`, `"start":"2026-01-02T03:04:05.000000006Z"`, `"half_closed_for":0,`, `"mss":null,"wscale":null`,
		`"mss":1460,"wscale":0`, `"ttl":3}`, `"findings":[]`,
	} {
		if !strings.Contains(s, want) {
			t.Errorf("no %s in\n%s", want, s)
		}
	}
}

// Where the capture's time runs back no duration is negative.
func TestRecordOfTimeRunningBack(t *testing.T) {
	var r Record
	r.Fill(&tracker.Life{Start: 5e9, End: 3e9, HalfClosedFor: -1})
	if r.Duration != 0 || r.HalfClosedFor != 0 {
		t.Errorf("duration %v, half closed for %v", r.Duration, r.HalfClosedFor)
	}
}
