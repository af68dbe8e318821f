package page

import (
	"bufio"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
)

//go:embed page.html
var layout string

//go:embed page.css
var style string

//go:embed head.js
var head string

//go:embed page.js
var script string

// policy allows the page its own style and scripts, by their hashes, and nothing else: no
// request leaves it, whatever it shows.
var policy = "default-src 'none'; style-src " + hash(style) + "; script-src " + hash(head) + " " + hash(script) +
	"; img-src data:; base-uri 'none'; form-action 'none'"

// hash names an inline style or script in a content security policy (CSP level 3, section 2.3.1).
func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

var layoutTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"number": count,
	"unit":   unit,
	"class":  stateClass,
	"add":    func(a, b int) int { return a + b },
	"sub":    func(a, b int) int { return a - b },
	"size":   func(n int) uint64 { return uint64(n) },
	"counts": func(title string, l []Count) countTable { return countTable{title, l} },
}).Parse(layout))

// countTable is a table of names with numbers.
type countTable struct {
	Title  string
	Counts []Count
}

// Write writes p as one file of HTML. The only errors are those of w.
func Write(w io.Writer, p *Page) error {
	b := bufio.NewWriterSize(w, 1<<16)
	v := newView(cleaned(p))
	v.Policy, v.Style, v.Head, v.Script = policy, template.CSS(style), template.JS(head), template.JS(script)
	if err := layoutTemplate.Execute(b, v); err != nil {
		return err
	}
	return b.Flush()
}
