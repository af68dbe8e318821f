package compare

import (
	"bufio"
	"cmp"
	_ "embed"
	"encoding/json"
	"io"
	"math"
	"strings"

	"tcpstate/report"
)

// Schema names the form of the JSON document.
const Schema = "tcpstate/diff/v1"

// SchemaJSON is its JSON Schema. The tests hold the output against it.
//
//go:embed diff-v1.schema.json
var SchemaJSON []byte

// The document by the names of its fields. What is not known is null; `significant` is
// null where there is no test for it.
type (
	difference struct {
		Schema   string       `json:"schema"`
		Old      jsonSide     `json:"old"`
		New      jsonSide     `json:"new"`
		Warnings []text       `json:"warnings"`
		Findings []jsonChange `json:"findings"`
		Traffic  numbers      `json:"traffic"`
		Close    numbers      `json:"close"`
		First    numbers      `json:"closed_first"`
		Resets   numbers      `json:"resets"`
		States   numbers      `json:"states"`
		Shake    numbers      `json:"handshake"`
		Quality  numbers      `json:"quality"`
		Services []jsonServed `json:"services"`
	}
	jsonSide struct {
		Name        text    `json:"name"`
		Source      string  `json:"source"` // capture or report
		Packets     uint64  `json:"packets"`
		Segments    uint64  `json:"segments"`
		Connections uint64  `json:"connections"`
		Span        seconds `json:"span"`
	}
	jsonChange struct {
		Change      string    `json:"change"`
		Significant *bool     `json:"significant"`
		ID          text      `json:"id"`
		Severity    string    `json:"severity"`
		Subject     text      `json:"subject"`
		Old         *jsonPart `json:"old"`
		New         *jsonPart `json:"new"`
	}
	jsonPart struct {
		Findings int             `json:"findings"`
		Count    uint64          `json:"count"`
		Severity string          `json:"severity"`
		Worst    json.RawMessage `json:"worst"` // a finding as -o json writes it
	}
	jsonServed struct {
		Old         *text      `json:"old"` // where it was and is: ip:port; "others" for those without room
		New         *text      `json:"new"`
		Connections jsonNumber `json:"connections"`
		Close       numbers    `json:"close"`
		Resets      numbers    `json:"resets"`
		Server      numbers    `json:"server"`
		Client      numbers    `json:"client"`
		Handshake   numbers    `json:"handshake"`
	}
	jsonNumber struct {
		Old         seconds  `json:"old"`
		New         seconds  `json:"new"`
		OldShare    *seconds `json:"old_share,omitempty"` // of a part of a whole
		NewShare    *seconds `json:"new_share,omitempty"`
		Significant *bool    `json:"significant"`
	}
)

// text is escaped so far that a terminal can show it.
type text = report.Text

// seconds is a number with nine decimals at most, null for NaN.
type seconds float64

func (v seconds) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
		return []byte("null"), nil
	}
	if v != seconds(math.Trunc(float64(v))) {
		v = seconds(math.Round(float64(v)*1e9) / 1e9)
	}
	return json.Marshal(float64(v))
}

// numbers is an object in its order.
type numbers []Number

// keys are names of numbers as keys, where these are others. All others have _ for blanks.
var keys = map[string]string{measured: "n", p50: "p50", p99: "p99"}

// MarshalJSON uses the names.
func (l numbers) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i := range l {
		if i > 0 {
			b = append(b, ',')
		}
		key, err := json.Marshal(text(cmp.Or(keys[l[i].Name], strings.ReplaceAll(l[i].Name, " ", "_"))))
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(l[i].json())
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, key...), ':'), value...)
	}
	return append(b, '}'), nil
}

func (n *Number) json() jsonNumber {
	x := jsonNumber{Old: seconds(n.Old), New: seconds(n.New), Significant: n.Odds.json()}
	if !math.IsNaN(n.OldShare) || !math.IsNaN(n.NewShare) {
		a, b := seconds(n.OldShare), seconds(n.NewShare)
		x.OldShare, x.NewShare = &a, &b
	}
	return x
}

func (o Odds) json() *bool {
	if o == Untested {
		return nil
	}
	b := o == Marked
	return &b
}

// WriteJSON writes all that was compared as one object, also what is the same. Findings
// below Options.Min are left out.
func (r *Result) WriteJSON(w io.Writer) error {
	d := difference{Schema: Schema, Old: jsonSideOf(r.Old), New: jsonSideOf(r.New), Warnings: []text{}, Findings: []jsonChange{},
		Traffic: r.Traffic, Close: r.Close, First: r.ClosedFirst, Resets: r.Resets, States: r.States, Shake: r.Handshake,
		Quality: r.Quality, Services: []jsonServed{}}
	for _, s := range r.Warnings {
		d.Warnings = append(d.Warnings, text(s))
	}
	for i := range r.Findings {
		c := &r.Findings[i]
		d.Findings = append(d.Findings, jsonChange{Change: c.Kind.String(), Significant: c.Odds.json(), ID: text(c.ID),
			Severity: c.part().Severity.String(), Subject: text(c.Subject), Old: c.Old.json(), New: c.New.json()})
	}
	for i := range r.Services {
		s := &r.Services[i]
		x := jsonServed{Connections: s.Connections.json(), Close: s.Close, Resets: s.Resets, Server: s.Server, Client: s.Client, Handshake: s.Handshakes}
		if s.Others() {
			t := text("others")
			x.Old, x.New = &t, &t
		}
		if s.Old.IsValid() {
			t := text(s.Old.String())
			x.Old = &t
		}
		if s.New.IsValid() {
			t := text(s.New.String())
			x.New = &t
		}
		d.Services = append(d.Services, x)
	}
	b := bufio.NewWriter(w)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(&d); err != nil {
		return err
	}
	return b.Flush()
}

func jsonSideOf(s *Side) jsonSide {
	x := jsonSide{Name: text(s.Name), Source: "capture", Packets: s.Packets, Segments: s.Segments, Connections: s.Connections, Span: seconds(s.Span)}
	if s.Report {
		x.Source = "report"
	}
	return x
}

func (p *Part) json() *jsonPart {
	if p.Findings == 0 {
		return nil
	}
	return &jsonPart{Findings: p.Findings, Count: p.Count, Severity: p.Severity.String(), Worst: report.AppendFinding(nil, p.Worst, "")}
}
