package detect

import (
	"math"
	"strings"
	"testing"
)

func TestParams(t *testing.T) {
	for _, c := range []struct {
		kind Kind
		text string
		want float64 // negative: an error
	}{
		{Count, "10", 10}, {Count, "0", 0}, {Count, "1.5", -1}, {Count, "-1", -1}, {Count, "ten", -1}, {Count, "", -1},
		{Span, "90s", 90}, {Span, "10m", 600}, {Span, "1500ms", 1.5}, {Span, "10", -1}, {Span, "-1s", -1},
		{Share, "0.5", 0.5}, {Share, "1", 1}, {Share, "1.01", -1}, {Share, "50%", -1},
		{Rate, "0.5", 0.5}, {Rate, "0", -1}, {Factor, "0", 0}, {Factor, "1.3", 1.3}, {Factor, "NaN", -1}, {Factor, "Inf", -1}, {Factor, "1e999", -1},
	} {
		p := Param{Kind: c.kind}
		got, err := p.parse(c.text)
		if err != nil {
			got = -1
		}
		if got != c.want {
			t.Errorf("kind %d, %q: %v, not %v", c.kind, c.text, got, c.want)
		}
		if err == nil {
			if again, err := p.parse(p.Text(got)); err != nil || again != got {
				t.Errorf("kind %d: %q reads as %v", c.kind, p.Text(got), again)
			}
		}
	}
}

func TestValues(t *testing.T) {
	was := Catalogue
	defer func() { Catalogue = was }()
	d := fake("some-thing", 0, Note)
	d.Params = []Param{{"count", Count, 5, "", ""}, {"age", Span, 60, "", ""}}
	Catalogue = []*Detector{d, fake("plain-thing", 0, Note)}
	v := Values{}
	for _, s := range []string{"some-thing.age=10m", "some-thing.count=1", "some-thing.count=7"} {
		if err := v.Set(s); err != nil {
			t.Error(err)
		}
	}
	s := &Setup{detector: d, values: v}
	if s.Count("count") != 7 || s.Span("age") != 600e9 || s.Value("age") != 600 {
		t.Errorf("values %v", v)
	}
	if s.values = nil; s.Count("count") != 5 || s.Span("age") != 60e9 {
		t.Error("not the defaults")
	}
	if s.values = (Values{"some-thing.age": 1e300, "some-thing.count": 1e300}); s.Span("age") <= 0 || s.Count("count") != math.MaxInt32 {
		t.Errorf("what is huge overflows: %d, %d", s.Span("age"), s.Count("count"))
	}
	for text, want := range map[string]string{
		"some-thing.count":     "give it as ID.PARAM=VALUE",
		"count=5":              "give it as ID.PARAM=VALUE",
		"other.count=5":        `there is no finding "other"`,
		"some-thing.warn=5":    `no parameter "warn", but count, age`,
		"plain-thing.x=5":      "has no parameters",
		"some-thing.count=x":   `some-thing.count: "x" is not a number`,
		"some-thing.age=1":     `some-thing.age: "1" is not a duration`,
		"some-thing.count=1.5": "not a whole number",
	} {
		if err := v.Set(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a parameter that is not there")
		}
	}()
	s.Value("nothing")
}
