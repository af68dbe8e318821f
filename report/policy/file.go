package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"tcpstate/report/detect"
)

// Policy is a policy file that was understood.
type Policy struct {
	FailOn   detect.Severity // findings of at least this severity fail
	Never    bool            // fail_on: never
	Given    bool            // fail_on is in the file
	Disabled map[string]bool
	Values   detect.Values
	Allow    []*Allow
	Assert   []*Assertion
	file     *source
}

// Allow accepts findings that are known.
type Allow struct {
	ID, Subject, Reason string
	Until               time.Time // the last day on which it holds, 00:00 UTC; zero: for ever
	Line                int
}

// Matches reports whether the finding is accepted. Subject is exact or has * in it.
func (a *Allow) Matches(f *detect.Finding) bool {
	return a.ID == f.ID && matches(a.Subject, f.Subject)
}

// Expired reports whether it has come to its end by a day.
func (a *Allow) Expired(today time.Time) bool { return !a.Until.IsZero() && today.After(a.Until) }

// matches is whether text is pattern, in which * stands for any characters.
func matches(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	text, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(text, p)
		if i < 0 {
			return false
		}
		text = text[i+len(p):]
	}
	return strings.HasSuffix(text, parts[len(parts)-1])
}

// Each is what an assertion is asked of one by one.
type Each uint8

const (
	Once        Each = iota // of the capture as a whole
	Connections             // of each connection
	Findings                // of each finding
)

var eachNames = map[string]Each{"connections": Connections, "findings": Findings}

// Assertion is something that has to hold.
type Assertion struct {
	Name    string
	Each    Each
	Where   string // "" for all
	Expect  string
	AtLeast int // of Each: so many have to match Where
	Line    int

	where, expect place
	program       *program
}

// Error is a policy that is not understood. Its text points at the place.
type Error struct {
	File         string
	Line, Column int // from 1; 0 if not known
	Reason       string
	text         string // the line
}

func (e *Error) Error() string {
	where := e.File
	if e.Line > 0 {
		where += ":" + strconv.Itoa(e.Line)
	}
	if e.Line > 0 && e.Column > 0 {
		where += ":" + strconv.Itoa(e.Column)
	}
	s := where + ": " + e.Reason
	if e.text != "" && e.Column > 0 {
		s += "\n  " + e.text + "\n  " + strings.Repeat(" ", e.Column-1) + "^"
	}
	return s
}

// source is the text of a policy.
type source struct {
	name  string
	lines []string
}

// place is where something stands in it.
type place struct {
	node *yaml.Node
}

// at makes an error at a line and column.
func (s *source) at(line, column int, format string, a ...any) *Error {
	e := &Error{File: s.name, Line: line, Column: column, Reason: fmt.Sprintf(format, a...)}
	if line > 0 && line <= len(s.lines) {
		e.text = strings.ReplaceAll(strings.TrimRight(s.lines[line-1], "\r"), "\t", " ")
	}
	return e
}

func (s *source) of(n *yaml.Node, format string, a ...any) *Error {
	return s.at(n.Line, n.Column, format, a...)
}

// within is the place of a column (and line) of a scalar's text.
func (s *source) within(n *yaml.Node, line, column int) (int, int) {
	switch n.Style {
	case yaml.LiteralStyle, yaml.FoldedStyle:
		l := n.Line + line // the text begins on the line after
		if l <= len(s.lines) && n.Style == yaml.LiteralStyle {
			text := s.lines[l-1]
			return l, len(text) - len(strings.TrimLeft(text, " ")) + column
		}
	case yaml.DoubleQuotedStyle, yaml.SingleQuotedStyle:
		if line == 1 {
			return n.Line, n.Column + column
		}
	default:
		if line == 1 && n.Line <= len(s.lines) && strings.Contains(s.lines[n.Line-1], n.Value) {
			return n.Line, n.Column + column - 1
		}
	}
	return n.Line, n.Column
}

// Parse reads a policy. name is what errors call it. The error is an *Error.
func Parse(name string, text []byte) (*Policy, error) {
	s := &source{name: name, lines: strings.Split(string(text), "\n")}
	d := yaml.NewDecoder(bytes.NewReader(text))
	var doc yaml.Node
	if err := d.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, s.at(0, 0, "the policy is empty")
		}
		return nil, s.syntax(err)
	}
	var more yaml.Node
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		if err != nil {
			return nil, s.syntax(err)
		}
		return nil, s.of(&more, "a policy is one document; here begins another")
	}
	p := &Policy{FailOn: detect.Error, Disabled: map[string]bool{}, Values: detect.Values{}, file: s}
	if err := p.read(doc.Content[0]); err != nil {
		return nil, err
	}
	return p, nil
}

// syntax is an error of the YAML parser, which names a line.
func (s *source) syntax(err error) *Error {
	msg := strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(msg, "line "); ok {
		n, reason, _ := strings.Cut(rest, ": ")
		if line, err := strconv.Atoi(n); err == nil {
			return s.at(line, 1, "%s", reason)
		}
	}
	return s.at(0, 0, "%s", msg)
}

// fields calls f for each key of a mapping, which must have no other and none twice.
func (s *source) fields(n *yaml.Node, what string, known map[string]func(*yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return s.of(n, "%s is a list of keys and values", what)
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		read := known[k.Value]
		switch {
		case read == nil:
			return s.of(k, "%s has no key %q: it is one of %s", what, k.Value, keys(known))
		case seen[k.Value]:
			return s.of(k, "%q is there twice", k.Value)
		}
		seen[k.Value] = true
		if v.Kind == yaml.AliasNode {
			v = v.Alias
		}
		if err := read(v); err != nil {
			return err
		}
	}
	return nil
}

// text reads a word or a sentence. What YAML takes for something else is one if it is among
// other.
func (s *source) text(to *string, what string, other ...string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		if tag := n.ShortTag(); n.Kind != yaml.ScalarNode || tag != "!!str" && !slices.Contains(other, tag) {
			return s.of(n, "%s is a text; set it in quotes", what)
		}
		if *to = n.Value; strings.TrimSpace(n.Value) == "" {
			return s.of(n, "%s is empty", what)
		}
		return nil
	}
}

// items calls f for each item of a list.
func (s *source) items(what string, f func(*yaml.Node) error) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.SequenceNode {
			return s.of(n, "%s is a list", what)
		}
		for _, x := range n.Content {
			if x.Kind == yaml.AliasNode {
				x = x.Alias
			}
			if err := f(x); err != nil {
				return err
			}
		}
		return nil
	}
}

func (p *Policy) read(n *yaml.Node) error {
	s := p.file
	version := false
	err := s.fields(n, "the policy", map[string]func(*yaml.Node) error{
		"version": func(n *yaml.Node) error {
			if version = n.Value == "1" && n.ShortTag() == "!!int"; !version {
				return s.of(n, "this program knows version 1 of policies")
			}
			return nil
		},
		"fail_on": func(n *yaml.Node) error {
			p.Given = true
			if p.Never = n.Value == "never"; p.Never {
				return nil
			}
			if err := p.FailOn.UnmarshalText([]byte(n.Value)); err != nil {
				return s.of(n, "fail_on is one of note, warning, error, never")
			}
			return nil
		},
		"disable": s.items("disable", func(n *yaml.Node) error {
			if detect.Find(n.Value) == nil {
				return s.of(n, `there is no finding %q; "tcpstate findings" lists them`, n.Value)
			}
			p.Disabled[n.Value] = true
			return nil
		}),
		"set":    p.set,
		"allow":  s.items("allow", p.allow),
		"assert": s.items("assert", p.assertion),
	})
	if err != nil {
		return err
	}
	if !version {
		return s.of(n, "the policy does not say its version: version: 1")
	}
	names := map[string]bool{}
	for _, a := range p.Assert {
		if names[a.Name] {
			return s.at(a.Line, 1, "there are two assertions %q", a.Name)
		}
		names[a.Name] = true
	}
	return nil
}

// set reads thresholds: those of a finding by id.param.
func (p *Policy) set(n *yaml.Node) error {
	s := p.file
	if n.Kind != yaml.MappingNode {
		return s.of(n, "set is a list of thresholds, as in close-wait-buildup.count: 5")
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if _, twice := p.Values[k.Value]; twice {
			return s.of(k, "%q is there twice", k.Value)
		}
		if v.Kind != yaml.ScalarNode {
			return s.of(v, "a threshold is a number or a duration")
		}
		if err := p.Values.Set(k.Value + "=" + v.Value); err != nil {
			return s.of(k, "%s", err)
		}
	}
	return nil
}

func (p *Policy) allow(n *yaml.Node) error {
	s, a := p.file, &Allow{Line: n.Line}
	err := s.fields(n, "an entry of allow", map[string]func(*yaml.Node) error{
		"id":      s.text(&a.ID, "id"),
		"subject": s.text(&a.Subject, "subject"),
		"reason":  s.text(&a.Reason, "reason"),
		"until": func(n *yaml.Node) (err error) {
			if a.Until, err = time.Parse(time.DateOnly, n.Value); err != nil {
				return s.of(n, "until is a day, as in 2027-01-31")
			}
			return nil
		},
	})
	switch {
	case err != nil:
		return err
	case detect.Find(a.ID) == nil:
		return s.of(n, `allow: there is no finding %q; "tcpstate findings" lists them`, a.ID)
	case a.Subject == "":
		return s.of(n, "allow: it does not say its subject (* for any)")
	case a.Reason == "":
		return s.of(n, "allow: it does not say its reason")
	}
	p.Allow = append(p.Allow, a)
	return nil
}

func (p *Policy) assertion(n *yaml.Node) error {
	s, a := p.file, &Assertion{AtLeast: 1, Line: n.Line}
	atLeast := (*yaml.Node)(nil)
	err := s.fields(n, "an entry of assert", map[string]func(*yaml.Node) error{
		"name": s.text(&a.Name, "name"),
		"each": func(n *yaml.Node) error {
			e, ok := eachNames[n.Value]
			if !ok {
				return s.of(n, "each is connections or findings; an assertion on the whole has none")
			}
			a.Each = e
			return nil
		},
		"where":  a.where.expression(s, &a.Where, "where"),
		"expect": a.expect.expression(s, &a.Expect, "expect"),
		"at_least": func(n *yaml.Node) (err error) {
			atLeast = n
			if a.AtLeast, err = strconv.Atoi(n.Value); err != nil || a.AtLeast < 0 || n.ShortTag() != "!!int" {
				return s.of(n, "at_least is a number from 0 up")
			}
			return nil
		},
	})
	switch {
	case err != nil:
		return err
	case a.Name == "":
		return s.of(n, "an assertion has a name")
	case a.Expect == "":
		return s.of(n, "assertion %q does not say what it expects", a.Name)
	case a.Each == Once && a.Where != "":
		return s.of(a.where.node, "where chooses among connections or findings: say which with each")
	case a.Each == Once && atLeast != nil:
		return s.of(atLeast, "at_least counts connections or findings: say which with each")
	}
	p.Assert = append(p.Assert, a)
	return a.compile(s)
}

// expression reads the text of an expression and keeps where it stands.
func (p *place) expression(s *source, to *string, what string) func(*yaml.Node) error {
	read := s.text(to, what, "!!bool")
	return func(n *yaml.Node) error {
		p.node = n
		return read(n)
	}
}

// keys lists the keys of a mapping in a fixed order.
func keys(known map[string]func(*yaml.Node) error) string {
	order := []string{"version", "fail_on", "disable", "set", "allow", "assert", "id", "subject", "reason", "until", "name", "each", "where", "expect", "at_least"}
	var l []string
	for _, k := range order {
		if known[k] != nil {
			l = append(l, k)
		}
	}
	return strings.Join(l, ", ")
}
