package policy

import (
	"testing"
	"time"

	"tcpstate/report/detect"
)

// A subject is exact, or has * in it.
func TestAllowMatches(t *testing.T) {
	for _, x := range []struct {
		pattern, subject string
		want             bool
	}{
		{"server 10.0.0.9:80", "server 10.0.0.9:80", true},
		{"server 10.0.0.9:80", "server 10.0.0.9:8080", false},
		{"server 10.0.0.9:*", "server 10.0.0.9:8080", true},
		{"*:80", "server 10.0.0.9:8080", false},
		{"*", "capture", true},
		{"server *:8*80", "server 10.0.0.9:8080", true},
		{"server *:8*80", "server 10.0.0.9:80", false},
		{"a*a", "a", false},
		{"**", "", true},
		{"a*b*c", "a-b-b-c", true},
	} {
		a := &Allow{ID: "refused", Subject: x.pattern}
		if got := a.Matches(&detect.Finding{ID: "refused", Subject: x.subject}); got != x.want {
			t.Errorf("%q matches %q: %v", x.pattern, x.subject, got)
		}
		if a.Matches(&detect.Finding{ID: "half-open", Subject: x.subject}) {
			t.Errorf("it accepts another finding")
		}
	}
}

// The day of until is the last one.
func TestAllowExpires(t *testing.T) {
	day := time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)
	a := &Allow{Until: day}
	if a.Expired(day) || !a.Expired(day.AddDate(0, 0, 1)) || (&Allow{}).Expired(day) {
		t.Error("it ends on another day")
	}
}

// A policy is understood or refused with a place, whatever it is.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"version: 1\nallow: &a\n  - *a\n", "version: 1\nset: { <<: { refused.count: 1 } }\n", "version: 1\nassert:\n  - name: a\n    expect: |\n\n     1 ==\n",
		"version: 1\nassert:\n  - name: a\n    each: findings\n    where: >-\n      count\n      > 3\n    expect: \"metrics['x'] > 1\"\n", "&a : *a", "? version\n: 1",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Parse("p.yaml", text)
		if err == nil {
			p.NewRun(&Terms{}, 1).Stop()
			return
		}
		if _, ok := err.(*Error); !ok || err.Error() == "" {
			t.Errorf("%T: %v", err, err)
		}
	})
}
