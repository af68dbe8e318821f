package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// Every flag is on the page under its name and short form, and the page names
// no other.
func TestUsageNamesAllFlags(t *testing.T) {
	text := usage()
	known := map[string]bool{}
	define(&flags{}, &raw{}).VisitAll(func(f *pflag.Flag) {
		known["--"+f.Name] = true
		want := "      --" + f.Name
		if f.Shorthand != "" {
			want = "  -" + f.Shorthand + ", --" + f.Name
		}
		if f.Name == "until" {
			want = "--since T, --until T"
		}
		if !regexp.MustCompile(`(?m)^.*` + regexp.QuoteMeta(want) + `\b`).MatchString(text) {
			t.Errorf("the page lacks %q", want)
		}
	})
	for _, f := range regexp.MustCompile(`--[a-z][a-z-]+`).FindAllString(text, -1) {
		if !known[f] {
			t.Errorf("the page names %s, which is no flag", f)
		}
	}
	for i, line := range strings.Split(text, "\n") {
		if len([]rune(line)) > 86 {
			t.Errorf("line %d is %d wide", i+1, len(line))
		}
	}
}
