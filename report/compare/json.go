package compare

import (
	"bufio"
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/netip"
	"strings"

	"tcpstate/report"
)

// Schema names the form of the JSON document.
const Schema = "tcpstate/diff/v1"

// SchemaJSON is its JSON Schema. The tests hold the output against it.
//
//go:embed diff-v1.schema.json
var SchemaJSON []byte

// The parts of the document by the names of their fields. What is not known is null;
// `significant` is null where there is no test for it.
type (
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

// keys are the names of numbers as keys, those of the JSON records, where they differ. In
// all others _ stands for blanks.
var keys = map[string]string{
	measured: "n", p50: "p50", p99: "p99", withRST: "rst_segments",
	qualityDropped: "dropped", qualityIfDropped: "if_dropped", qualityDamage: "damage", qualitySkipped: "skipped", qualityCopies: "copies",
	qualityBack: "time_back", qualityMidstream: "midstream", qualityFolded: "folded", qualityEvicted: "evicted",
}

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

// WriteJSON writes all that was compared as one object, also what is the same, a line for
// each part, finding and service. Findings below Options.Min are left out.
func (r *Result) WriteJSON(w io.Writer) error {
	warnings := []text{}
	for _, s := range r.Warnings {
		warnings = append(warnings, text(s))
	}
	var findings []jsonChange
	for i := range r.Findings {
		c := &r.Findings[i]
		findings = append(findings, jsonChange{Change: c.Kind.String(), Significant: c.Odds.json(), ID: text(c.ID),
			Severity: c.part().Severity.String(), Subject: text(c.Subject), Old: c.Old.json(), New: c.New.json()})
	}
	o := &object{Writer: bufio.NewWriter(w)}
	o.put("schema", Schema)
	o.put("old", jsonSideOf(r.Old))
	o.put("new", jsonSideOf(r.New))
	o.put("warnings", warnings)
	list(o, "findings", len(findings), func(i int) any { return findings[i] })
	o.put("traffic", numbers(r.Traffic))
	o.put("close", numbers(r.Close))
	o.put("closed_first", numbers(r.ClosedFirst))
	o.put("resets", numbers(r.Resets))
	o.put("states", numbers(r.States))
	o.put("handshake", numbers(r.Handshake))
	o.put("quality", numbers(r.Quality))
	list(o, "services", len(r.Services), func(i int) any { return r.Services[i].json() })
	o.WriteString("}\n")
	return errors.Join(o.err, o.Flush())
}

// object is written key by key.
type object struct {
	*bufio.Writer
	begun bool
	err   error // of marshalling
}

func (o *object) key(k string) {
	if o.begun {
		o.WriteString(",\n")
	} else {
		o.WriteString("{")
	}
	o.begun = true
	o.WriteString(`"` + k + `":`)
}

func (o *object) put(k string, v any) {
	o.key(k)
	o.value(v)
}

// value writes one without the escaping that HTML would need.
func (o *object) value(v any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		o.err = err
	}
	o.Write(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

func list(o *object, k string, n int, of func(i int) any) {
	o.key(k)
	o.WriteString("[")
	for i := range n {
		if i > 0 {
			o.WriteString(",")
		}
		o.WriteString("\n")
		o.value(of(i))
	}
	o.WriteString("]")
}

func (s *ServiceChange) json() jsonServed {
	x := jsonServed{Connections: s.Connections.json(), Close: s.Close, Resets: s.Resets, Server: s.Server, Client: s.Client, Handshake: s.Handshakes}
	for _, side := range []struct {
		to **text
		at netip.AddrPort
	}{{&x.Old, s.Old}, {&x.New, s.New}} {
		switch t := text("others"); {
		case s.Others():
			*side.to = &t
		case side.at.IsValid():
			t = text(side.at.String())
			*side.to = &t
		}
	}
	return x
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
