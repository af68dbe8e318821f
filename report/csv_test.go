package report

import (
	"encoding/csv"
	"strings"
	"testing"
)

// Every row reads back with as many cells as the header has, and says what
// the JSON says.
func TestCSV(t *testing.T) {
	k, err := ParseSort("-id")
	if err != nil {
		t.Fatal(err)
	}
	rows := func(text string) [][]string {
		r, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	conns := rows(play(t, lives, Options{Style: Style{Sort: k}}, PartConnections, "csv")[0])
	if len(conns) != 5 || strings.Join(conns[0], " ") != strings.Join(FieldNames(), " ") {
		t.Fatalf("%d rows, the first %v", len(conns), conns[0])
	}
	cell := map[string]string{}
	for i, name := range conns[0] {
		cell[name] = conns[4][i] // connection 0 comes last
	}
	for name, want := range map[string]string{
		"id": "0", "continues": "", "start": "2026-01-02T03:04:05.000000006Z", "duration": "2.0002", "client.addr": "10.0.0.1",
		"server.mss": "1400", "close.kind": "graceful", "close.reset": "", "midstream": "false", "time_wait.endpoint": "client", "findings": "slow-connect",
	} {
		if cell[name] != want {
			t.Errorf("%s is %q, not %q", name, cell[name], want)
		}
	}
	if got := rows(play(t, lives, Options{}, PartTransitions, "csv")[0]); len(got) < 10 || len(got[1]) != 10 {
		t.Errorf("transitions: %v", got)
	}
	if got := rows(play(t, lives, Options{}, PartServices, "csv")[0]); len(got) != 3 || got[1][0] != "10.0.0.2" || got[1][2] != "3" {
		t.Errorf("services: %v", got)
	}
}
