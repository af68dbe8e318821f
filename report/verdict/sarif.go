package verdict

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/url"
	"path"
	"strings"

	"tcpstate/report"
	"tcpstate/report/detect"
)

// SARIF 2.1.0 (OASIS), the part of it that code scanning reads. A rule is a finding of
// the catalogue or an assertion; a result is a finding of one subject or an assertion
// that does not hold.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Automation  sarifAutomation   `json:"automationDetails"`
		Invocations []sarifInvocation `json:"invocations"`
		Artifacts   []sarifArtifact   `json:"artifacts"`
		Results     []sarifResult     `json:"results"`
		// What the specification takes for given, for readers that do not.
		Language string   `json:"language"`
		Newlines []string `json:"newlineSequences"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name     string      `json:"name"`
		Version  string      `json:"version,omitempty"`
		Language string      `json:"language"`
		Rules    []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID      string       `json:"id"`
		Name    string       `json:"name"`
		Short   sarifText    `json:"shortDescription"`
		Full    sarifText    `json:"fullDescription"`
		Help    *sarifText   `json:"help,omitempty"`
		Default sarifDefault `json:"defaultConfiguration"`
		Props   *sarifTags   `json:"properties,omitempty"`
	}
	sarifText struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifDefault struct {
		Level string `json:"level"`
	}
	sarifTags struct {
		Tags []string `json:"tags"`
	}
	sarifAutomation struct {
		ID string `json:"id"`
	}
	sarifInvocation struct {
		Successful    bool          `json:"executionSuccessful"`
		ExitCode      int           `json:"exitCode"`
		Notifications []sarifNotice `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotice struct {
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations,omitempty"`
	}
	sarifArtifact struct {
		Location sarifURI `json:"location"`
	}
	sarifURI struct {
		URI   string `json:"uri"`
		Index *int   `json:"index,omitempty"`
	}
	sarifLocation struct {
		ID       *int          `json:"id,omitempty"`
		Physical sarifPhysical `json:"physicalLocation"`
		Message  *sarifText    `json:"message,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifURI     `json:"artifactLocation"`
		Region   *sarifRegion `json:"region,omitempty"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Status        string `json:"status"`
		Justification string `json:"justification,omitempty"`
	}
	sarifResult struct {
		RuleID       string             `json:"ruleId"`
		RuleIndex    int                `json:"ruleIndex"`
		Level        string             `json:"level"`
		Message      sarifText          `json:"message"`
		Locations    []sarifLocation    `json:"locations"`
		Related      []sarifLocation    `json:"relatedLocations,omitempty"`
		Fingerprints map[string]string  `json:"partialFingerprints"`
		Baseline     string             `json:"baselineState,omitempty"`
		Suppressions []sarifSuppression `json:"suppressions,omitempty"`
		Props        *sarifProps        `json:"properties,omitempty"`
	}
	sarifProps struct {
		Subject string   `json:"subject"`
		Count   int      `json:"count"`
		Frames  []uint64 `json:"frames"`
	}
)

const (
	sarifSchema   = "https://json.schemastore.org/sarif-2.1.0.json"
	sarifLanguage = "en-US"
	// fingerprint names the way that fingerprints are made: from the capture's name without
	// its folder, the rule and the subject, so that it is the same when frames move.
	fingerprint = "captureRuleSubject/v1"
	// ruleAsked and ruleAllowed begin the ids of rules that are not the catalogue's.
	ruleAsked   = "policy/assert/"
	ruleAllowed = "policy/allow"
)

func writeSARIF(w io.Writer, r *Run, o *Options) error {
	run := sarifRun{Tool: sarifTool{sarifDriver{Name: "tcpstate", Version: o.Version, Language: sarifLanguage}}, Automation: sarifAutomation{"tcpstate/" + r.Command + "/"},
		Artifacts: []sarifArtifact{}, Results: []sarifResult{}, Language: sarifLanguage, Newlines: []string{"\r\n", "\n"}}
	x := &sarifWriter{run: &run, r: r, o: o, rules: map[string]int{}}
	x.rule()
	inv := sarifInvocation{Successful: true}
	switch r.Status() {
	case Broken:
		inv.Successful, inv.ExitCode = false, 3
	case Fail:
		inv.ExitCode = 1
	}
	r.each(func(f *File, c *Check) {
		switch at := x.place(f); {
		case c.Kind == Input && c.Text != "":
			level := "warning"
			if c.Status == Broken {
				level = "error"
			}
			inv.Notifications = append(inv.Notifications, sarifNotice{level, sarifText{Text: report.Printable(c.Text)}, at})
		case c.Kind == Asked && c.Status.Failed():
			x.whole(f, c, at, ruleAsked+c.Name)
		case c.Kind == Allowed && c.Status.Failed():
			x.whole(f, c, at, ruleAllowed)
		case c.Kind == Found:
			for i := range c.Results {
				x.result(f, c, &c.Results[i], at)
			}
		}
	})
	run.Invocations = []sarifInvocation{inv}
	b := bufio.NewWriter(w)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(&sarifLog{sarifSchema, "2.1.0", []sarifRun{run}}); err != nil {
		return err
	}
	return b.Flush()
}

type sarifWriter struct {
	run   *sarifRun
	r     *Run
	o     *Options
	rules map[string]int
}

// rule lists all of them.
func (x *sarifWriter) rule() {
	add := func(r sarifRule) {
		x.rules[r.ID] = len(x.run.Tool.Driver.Rules)
		x.run.Tool.Driver.Rules = append(x.run.Tool.Driver.Rules, r)
	}
	for _, d := range detect.Catalogue {
		help := d.Advice
		markdown := "**Rule.** " + md(d.Rule) + "\n\n**Who must act.** " + md(d.Blame) + "\n\n**Advice.** " + md(d.Advice)
		if len(d.Sources) > 0 {
			help += "\nSources: " + strings.Join(d.Sources, "; ")
			markdown += "\n\n**Sources.** " + md(strings.Join(d.Sources, "; "))
		}
		add(sarifRule{ID: d.ID, Name: camel(d.ID), Short: sarifText{Text: d.Title}, Full: sarifText{Text: d.Rule},
			Help: &sarifText{help, markdown}, Default: sarifDefault{d.Default.String()}, Props: &sarifTags{[]string{"tcp", "network"}}})
	}
	for _, a := range x.r.Rules {
		name := report.Printable(a.Name)
		full := report.Printable(a.Expect)
		if full == "" {
			full = name
		}
		add(sarifRule{ID: ruleAsked + name, Name: camel(name), Short: sarifText{Text: name}, Full: sarifText{Text: full},
			Default: sarifDefault{"error"}, Props: &sarifTags{[]string{"tcp", "policy"}}})
	}
	add(sarifRule{ID: ruleAllowed, Name: "AllowExpired", Short: sarifText{Text: "an entry of allow has come to its end"},
		Full:    sarifText{Text: "The policy accepts findings until a day, and that day is over: mend what causes them, or say why they are still accepted."},
		Default: sarifDefault{"error"}, Props: &sarifTags{[]string{"policy"}}})
}

// place is where a file lies; of several that were joined, all of them.
func (x *sarifWriter) place(f *File) (l []sarifLocation) {
	names := []string{x.r.Policy}
	if f != nil {
		names = []string{f.Name}
		if len(f.Names) > 0 {
			names = f.Names
		}
	}
	// Code scanning wants a line, though a capture has none.
	first := &sarifRegion{1}
	for _, n := range names {
		u := fileURI(n)
		i := 0
		for i < len(x.run.Artifacts) && x.run.Artifacts[i].Location.URI != u {
			i++
		}
		if i == len(x.run.Artifacts) {
			x.run.Artifacts = append(x.run.Artifacts, sarifArtifact{sarifURI{URI: u}})
		}
		l = append(l, sarifLocation{Physical: sarifPhysical{Artifact: sarifURI{u, &i}, Region: first}})
	}
	return l
}

// whole is a check that failed, as one result.
func (x *sarifWriter) whole(f *File, c *Check, at []sarifLocation, rule string) {
	rule = report.Printable(rule)
	res := sarifResult{RuleID: rule, RuleIndex: x.rules[rule], Level: "error", Message: sarifText{Text: c.body(x.o, report.Printable)},
		Locations: at, Fingerprints: prints(f, rule, c.Name)}
	if res.Message.Text == "" {
		res.Message.Text = report.Printable(c.title())
	}
	if x.r.Baseline {
		res.Baseline = New.String()
		if len(c.Results) > 0 && c.Results[0].Change != NoBaseline {
			res.Baseline = c.Results[0].Change.String()
		}
	}
	if c.Line > 0 && x.r.Policy != "" {
		id := 1
		res.Related = []sarifLocation{{ID: &id, Physical: sarifPhysical{Artifact: sarifURI{URI: fileURI(x.r.Policy)}, Region: &sarifRegion{c.Line}},
			Message: &sarifText{Text: "the policy asks for it here"}}}
	}
	x.run.Results = append(x.run.Results, res)
}

// result is one finding.
func (x *sarifWriter) result(f *File, c *Check, y *Result, at []sarifLocation) {
	one := *c
	one.Text, one.Results, one.More = "", []Result{*y}, 0
	res := sarifResult{RuleID: c.Name, RuleIndex: x.rules[c.Name], Level: y.Severity.String(), Message: sarifText{Text: one.body(x.o, report.Printable)},
		Locations: at, Fingerprints: prints(f, c.Name, y.Subject), Baseline: y.Change.String(),
		Props: &sarifProps{Subject: report.Printable(y.Subject), Count: y.Count, Frames: []uint64{}}}
	for _, fr := range y.Frames {
		res.Props.Frames = append(res.Props.Frames, fr.Number)
	}
	if y.Status == Accepted || y.Status == Known {
		res.Suppressions = []sarifSuppression{{"external", "accepted", report.Printable(y.standing())}}
	}
	x.run.Results = append(x.run.Results, res)
}

func prints(f *File, rule, subject string) map[string]string {
	name := ""
	if f != nil {
		name = path.Base(f.Name)
	}
	h := sha256.Sum256([]byte(name + "\x00" + rule + "\x00" + subject))
	return map[string]string{fingerprint: hex.EncodeToString(h[:16])}
}

// fileURI is a file's name as a URI: relative to where the program ran, unless the name
// begins at the root.
func fileURI(name string) string {
	if name == "-" {
		return "stdin"
	}
	u := url.URL{Path: name}
	if strings.HasPrefix(name, "/") {
		u.Scheme = "file"
	}
	return u.String()
}

// camel is an id as SARIF likes names: CloseWaitBuildup.
func camel(id string) string {
	var b strings.Builder
	for _, w := range strings.FieldsFunc(id, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9')
	}) {
		b.WriteString(strings.ToUpper(w[:1]) + w[1:])
	}
	if b.Len() == 0 {
		return "Assertion"
	}
	return b.String()
}
