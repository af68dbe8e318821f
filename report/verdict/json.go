package verdict

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"io"
	"math"
	"strings"
	"time"

	"tcpstate/report"
)

// Schema names the form of the JSON document.
const Schema = "tcpstate/verdict/v1"

// SchemaJSON is its JSON Schema. The tests hold the output against it.
//
//go:embed verdict-v1.schema.json
var SchemaJSON []byte

// The document by the names of its fields. A word that is not known is null.
type (
	document struct {
		Schema   string      `json:"schema"`
		Command  string      `json:"command"`
		Policy   *text       `json:"policy"`
		FailOn   string      `json:"fail_on"`
		Baseline bool        `json:"baseline"`
		Status   string      `json:"status"`
		Checks   []jsonCheck `json:"checks"`
		Files    []jsonFile  `json:"files"`
	}
	jsonFile struct {
		Name        text        `json:"name"`
		Names       []text      `json:"names,omitempty"`
		Status      string      `json:"status"`
		Packets     uint64      `json:"packets"`
		Segments    uint64      `json:"segments"`
		Connections uint64      `json:"connections"`
		Start       *string     `json:"start"`
		Span        *float64    `json:"span"`
		Checks      []jsonCheck `json:"checks"`
		Tables      []jsonTable `json:"tables,omitempty"`
	}
	jsonCheck struct {
		Kind     string       `json:"kind"`
		Name     text         `json:"name"`
		Severity string       `json:"severity"`
		Status   string       `json:"status"`
		Text     *text        `json:"text"`
		Line     *int         `json:"line"`
		Results  []jsonResult `json:"results"`
		More     int          `json:"more"`
	}
	jsonResult struct {
		Status   string      `json:"status"`
		Severity string      `json:"severity"`
		Change   *text       `json:"change"`
		Subject  text        `json:"subject"`
		Count    int         `json:"count"`
		Text     *text       `json:"text"`
		Advice   *text       `json:"advice"`
		Reason   *text       `json:"reason"`
		Total    int         `json:"total"`
		Frames   []jsonFrame `json:"frames"`
	}
	jsonFrame struct {
		Connection *text  `json:"connection"`
		Frame      uint64 `json:"frame"`
		Text       *text  `json:"text"`
	}
	jsonTable struct {
		Title text     `json:"title"`
		Heads []text   `json:"heads"`
		Rows  [][]text `json:"rows"`
	}
)

// text is escaped so far that a terminal can show it.
type text = report.Text

func word(s string) *text {
	if s == "" {
		return nil
	}
	t := text(s)
	return &t
}

// writeJSON writes the document, each check on a line of its own.
func writeJSON(w io.Writer, r *Run, _ *Options) error {
	d := document{Schema: Schema, Command: r.Command, Policy: word(r.Policy), FailOn: r.FailOn, Baseline: r.Baseline,
		Status: r.Status().String(), Checks: jsonChecks(r.Checks), Files: []jsonFile{}}
	for i := range r.Files {
		f := &r.Files[i]
		x := jsonFile{Name: text(f.Name), Status: f.Status().String(), Packets: f.Facts.Packets, Segments: f.Facts.Segments,
			Connections: f.Facts.Connections, Checks: jsonChecks(f.Checks)}
		for _, n := range f.Names {
			x.Names = append(x.Names, text(n))
		}
		if !f.Facts.Start.IsZero() {
			s := f.Facts.Start.UTC().Format(time.RFC3339Nano)
			x.Start = &s
		}
		if v := f.Facts.Span; !math.IsNaN(v) && !math.IsInf(v, 0) {
			x.Span = &v
		}
		for j := range f.Tables {
			x.Tables = append(x.Tables, jsonTableOf(&f.Tables[j]))
		}
		d.Files = append(d.Files, x)
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

func jsonChecks(l []Check) []jsonCheck {
	out := []jsonCheck{}
	for i := range l {
		c := &l[i]
		x := jsonCheck{Kind: c.Kind.String(), Name: text(c.Name), Severity: c.Severity.String(), Status: c.Status.String(),
			Text: word(c.Text), Results: []jsonResult{}, More: c.More}
		if c.Line > 0 {
			x.Line = &c.Line
		}
		for j := range c.Results {
			y := &c.Results[j]
			z := jsonResult{Status: y.Status.String(), Severity: y.Severity.String(), Change: word(y.Change.String()), Subject: text(y.Subject),
				Count: y.Count, Text: word(y.Text), Advice: word(y.Advice), Reason: word(y.Reason), Total: y.Total, Frames: []jsonFrame{}}
			for _, f := range y.Frames {
				z.Frames = append(z.Frames, jsonFrame{word(f.Connection), f.Number, word(f.Text)})
			}
			x.Results = append(x.Results, z)
		}
		out = append(out, x)
	}
	return out
}

func jsonTableOf(t *Table) jsonTable {
	x := jsonTable{Title: text(t.Title), Heads: []text{}, Rows: [][]text{}}
	for _, h := range t.Heads {
		x.Heads = append(x.Heads, text(strings.TrimPrefix(h, ">")))
	}
	for _, r := range t.Rows {
		row := []text{}
		for _, c := range r {
			row = append(row, text(c))
		}
		x.Rows = append(x.Rows, row)
	}
	return x
}
