package report

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tcpstate/report/detect"
)

func foundAt(id, subject string, s detect.Severity, count int, from, to int64) detect.Finding {
	return detect.Finding{ID: id, Subject: subject, Severity: s, Count: count, First: time.Unix(from, 0).UTC(), Last: time.Unix(to, 0).UTC(), Explanation: "So it is."}
}

// Of each kind and subject the worst is told, with the times of all.
func TestTermsAreJoined(t *testing.T) {
	tm := terms{first: true}
	for _, x := range []detect.Finding{
		foundAt("refused", "server A", detect.Warning, 3, 10, 20),
		foundAt("refused", "server A", detect.Error, 9, 30, 40),
		foundAt("refused", "server A", detect.Note, 99, 50, 60),
		foundAt("refused", "server B", detect.Note, 1, 15, 15),
		foundAt("port-exhaustion", "host C", detect.Warning, 5, 12, 18),
	} {
		tm.keep(&x)
	}
	all, less := tm.with([]detect.Finding{
		foundAt("port-exhaustion", "host C", detect.Warning, 5, 12, 18), // what was counted once, seen again
		foundAt("refused", "server D", detect.Warning, 2, 70, 71),
	}, nil, detect.Warning)
	var got []string
	for _, f := range all {
		got = append(got, fmt.Sprint(f.ID, " ", f.Subject, " ", f.Severity, " ", f.Count, " ", f.First.Unix(), "-", f.Last.Unix(), " ", strings.Contains(f.Explanation, "2 times more")))
	}
	want := "refused server A error 9 10-60 true\nport-exhaustion host C warning 5 12-18 false\nrefused server D warning 2 70-71 false"
	if s := strings.Join(got, "\n"); s != want {
		t.Errorf("got\n%s\nwant\n%s", s, want)
	}
	if len(less) != 1 || less[0].Subject != "server B" {
		t.Errorf("below the least: %v", less)
	}
}

// However many there are, the worst are kept, and the others counted.
func TestTermsAreBounded(t *testing.T) {
	tm := terms{first: true}
	for i := range mostPast + 50 {
		s := detect.Note
		if i < 10 {
			s = detect.Error
		}
		x := foundAt("refused", fmt.Sprint("server ", i), s, 1, int64(i), int64(i))
		tm.keep(&x)
	}
	tm.bound()
	all, _ := tm.with(nil, nil, detect.Note)
	if len(all) != mostPast || tm.lost != 50 {
		t.Errorf("%d are kept, %d lost", len(all), tm.lost)
	}
	for i := range 10 {
		if all[i].Severity != detect.Error {
			t.Fatal("an error had to go before a note")
		}
	}
}
