package main

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"tcpstate/report"
	"tcpstate/report/detect"
)

// promised are the ids that findings may have. They are a contract: none is
// renamed, and there is no other.
var promised = strings.Fields(`
	refused syn-unanswered slow-connect unreachable path-mtu syn-queue-overflow syn-flood odd-flags accept-queue-overflow
	reset-after-accept stale-syn port-scan host-sweep self-connect simultaneous-open port-reuse-in-time-wait syncookies-active
	half-open idle-timeout keepalive-race middlebox-state-expired keepalive-too-slow no-keepalive zero-window-stall rst-injected
	tcpkill-like service-died packet-loss challenge-ack
	close-wait-buildup fin-wait-2-buildup time-wait-buildup port-exhaustion connection-churn fin-unacked last-ack-stuck
	abortive-close close-with-unread-data reset-late-data time-wait-assassination simultaneous-close half-close
	capture-quality`)

// myths are advice that does harm or nothing.
var myths = regexp.MustCompile(`tcp_tw_recycle|lower(ing)? (net\.ipv4\.)?tcp_fin_timeout|half-open \(FIN-WAIT-2\)`)

// What a detector says of itself is whole: it is all that "tcpstate findings",
// the README and the outputs know.
func TestDetectorsAreDocumented(t *testing.T) {
	seen := map[string]bool{}
	subjects := strings.Fields("server client host endpoint service router connection capture")
	for _, d := range detect.Catalogue {
		complain := func(format string, a ...any) { t.Helper(); t.Errorf(d.ID+": "+format, a...) }
		if !slices.Contains(promised, d.ID) || seen[d.ID] {
			complain("not an id of the contract, or there twice")
		}
		seen[d.ID] = true
		texts := map[string]string{"Title": d.Title, "Rule": d.Rule, "Subject": d.Subject, "Blame": d.Blame, "Example": d.Example, "Advice": d.Advice}
		for i := range d.Params {
			p := &d.Params[i]
			texts["Param.Name"], texts[p.Name+".Doc"], texts[p.Name+".Source"] = p.Name, p.Doc, p.Source
			v := detect.Values{}
			if err := v.Set(d.ID + "." + p.Name + "=" + p.Text(p.Default)); err != nil || v[d.ID+"."+p.Name] != p.Default {
				complain("the default of %s: %v, %v", p.Name, v, err)
			}
			if strings.Count(joined(d.Params), " "+p.Name+" ") != 1 {
				complain("the parameter %s is there twice", p.Name)
			}
		}
		for i, s := range d.Sources {
			texts["Sources["+string(rune('0'+i))+"]"] = s
		}
		if len(d.Sources) == 0 {
			complain("no Sources")
		}
		for name, text := range texts {
			switch {
			case strings.TrimSpace(text) == "":
				complain("%s is empty", name)
			case strings.Contains(text, "TODO"):
				complain("%s is to do", name)
			case name != "Example" && report.Printable(text) != text:
				complain("%s is not one line of text: %q", name, text)
			case myths.MatchString(text):
				complain("%s: bad advice %q", name, myths.FindString(text))
			}
		}
		if strings.HasSuffix(d.Title, ".") || len([]rune(d.Title)) > 80 {
			complain("the title is half a line: %q", d.Title)
		}
		if !strings.HasSuffix(d.Advice, ".") || !strings.HasSuffix(strings.TrimRight(d.Rule, "\")"), ".") {
			complain("rule and advice are sentences")
		}
		if first, _, _ := strings.Cut(d.Subject, " "); !slices.Contains(subjects, strings.TrimRight(first, ",")) {
			complain("the subject %q has none of the forms", d.Subject)
		}
		if strings.Contains(d.Levels, d.Default.String()+" ") && !regexp.MustCompile(`note|warning|error`).MatchString(strings.ReplaceAll(d.Levels, d.Default.String(), "")) {
			complain("the levels name no other severity than the default: %q", d.Levels)
		}
		for _, id := range d.Swallows {
			if !slices.Contains(promised, id) || id == d.ID {
				complain("swallows %q", id)
			}
		}
		if d.New == nil {
			complain("has no code")
		}
	}
}

// joined are the names with blanks around each.
func joined(params []detect.Param) string {
	s := " "
	for i := range params {
		s += params[i].Name + "  "
	}
	return s
}

// The list and each page say what the detectors say, and fit on a screen.
func TestCatalogueShowsAll(t *testing.T) {
	list := runOK(t, "findings")
	for _, d := range detect.Catalogue {
		if !regexp.MustCompile(`(?m)^` + d.ID + ` +` + d.Default.String() + ` +` + regexp.QuoteMeta(d.Title) + `$`).MatchString(list) {
			t.Errorf("the list lacks %s", d.ID)
		}
		page := runOK(t, "findings", d.ID)
		words := strings.Join(strings.Fields(page), " ")
		for _, text := range append([]string{d.Title, d.Rule, d.Levels, d.Example, d.Advice, strings.Join(d.Swallows, ", ")}, d.Sources...) {
			if !strings.Contains(words, strings.Join(strings.Fields(text), " ")) {
				t.Errorf("the page of %s lacks %q", d.ID, text)
			}
		}
		for i := range d.Params {
			if p := &d.Params[i]; !strings.Contains(words, d.ID+"."+p.Name+" "+p.Text(p.Default)+" ") {
				t.Errorf("the page of %s lacks %s", d.ID, p.Name)
			}
		}
	}
	for _, args := range [][]string{{"findings", "-o", "json"}, {"findings", "-o", "json", "refused"}} {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(runOK(t, args...)))
		if err == nil {
			err = reportSchema(t).Validate(v)
		}
		if err != nil && !strings.Contains(err.Error(), "minLength") { // what is missing, the test above says
			t.Errorf("%v: %v", args, err)
		}
	}
}

func runOK(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(args, nil, &stdout, &stderr); code != exitOK || stderr.Len() > 0 {
		t.Errorf("%v: exit status %d: %s", args, code, &stderr)
	}
	return stdout.String()
}

func TestNearest(t *testing.T) {
	for word, want := range map[string]string{
		"refuse": "refused", "Refused": "refused", "refsued": "refused", "capture_quality": "capture-quality", "quality": "capture-quality",
		"x": "", "": "", "something else": "",
	} {
		if got := nearest(word); got != want {
			t.Errorf("%q is near %q, not %q", word, got, want)
		}
	}
	if n := distance("kitten", "sitting"); n != 3 {
		t.Errorf("the distance is %d", n)
	}
}
