package detect

import (
	"regexp"
	"strings"
	"testing"
)

var plainID = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// The catalogue is complete in words, and names nothing twice.
func TestCatalogue(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range Catalogue {
		if !plainID.MatchString(d.ID) || seen[d.ID] {
			t.Errorf("id %q", d.ID)
		}
		seen[d.ID] = true
		for what, text := range map[string]string{"title": d.Title, "rule": d.Rule, "subject": d.Subject, "blame": d.Blame, "example": d.Example,
			"advice": d.Advice, "sources": strings.Join(d.Sources, "")} {
			if text == "" {
				t.Errorf("%s: no %s", d.ID, what)
			}
		}
		if strings.HasSuffix(d.Title, ".") || d.Title != "" && strings.ToUpper(d.Title[:1]) == d.Title[:1] && !acronym(d.Title) {
			t.Errorf("%s: the title is no sentence: %q", d.ID, d.Title)
		}
		for what, text := range map[string]string{"rule": d.Rule, "advice": d.Advice} {
			if text != "" && !strings.HasSuffix(text, ".") {
				t.Errorf("%s: the %s ends without a full stop: %q", d.ID, what, text)
			}
		}
		if strings.Contains(d.Advice+d.Rule, "tcp_tw_recycle") {
			t.Errorf("%s names tcp_tw_recycle", d.ID)
		}
		params := map[string]bool{}
		for _, p := range d.Params {
			if !plainID.MatchString(p.Name) || params[p.Name] || p.Doc == "" || p.Source == "" {
				t.Errorf("%s: parameter %+v", d.ID, p)
			}
			params[p.Name] = true
			if got, err := p.parse(p.Text(p.Default)); err != nil || got != p.Default {
				t.Errorf("%s.%s: the default reads as %v: %v", d.ID, p.Name, got, err)
			}
		}
		for _, other := range d.Swallows {
			if other == d.ID || !plainID.MatchString(other) {
				t.Errorf("%s swallows %q", d.ID, other)
			}
		}
		if d.Withheld&d.Lowered != 0 {
			t.Errorf("%s: %v both withhold and lower it", d.ID, (d.Withheld & d.Lowered).Reasons())
		}
		if d.New == nil || d.New(&Setup{shared: &shared{}, detector: d, OS: OSes["linux"], TimeWait: 60e9}) == nil {
			t.Errorf("%s watches nothing", d.ID)
		}
		if Find(d.ID) != d {
			t.Errorf("%s is not found", d.ID)
		}
	}
	ordered(Catalogue) // no circles
	if Find("nothing") != nil {
		t.Error("found nothing")
	}
}

// acronym reports a title that begins with a name in capitals: SYN, RST.
func acronym(title string) bool {
	w, _, _ := strings.Cut(title, " ")
	return len(w) > 1 && strings.ToUpper(w) == w
}
