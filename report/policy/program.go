package policy

import (
	"errors"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"tcpstate/report"
)

// program is an assertion that is ready to run.
type program struct {
	where, expect *vm.Program // of each; where is nil for all
	whole         *vm.Program // of the whole: over vars
	parts         []*part     // by number; nil for those that are a part of others
	// What of a capture it needs beside the parts: all of it, at the end.
	connections, transitions bool
	byFinding                bool // it asks a connection for its findings
	changes                  bool // it asks for transitions
	// The same as closures, where these can do it: see compile.go. Where meant is nil,
	// all are.
	meant, held func(*connection) bool
}

// fast reports whether closures judge each connection.
func (x *program) fast() bool { return x.held != nil }

// A capture has millions of connections, and an expression on the whole names them all. What
// it does with each of them is done as they come, and only what that comes to is kept: the
// terms over one of these lists that can be worked out piece by piece are cut out of the
// expression, and what they come to stands in their place.
//
//	quantile(0.99, map(filter(connections, .server.port == 443), .handshake.rtt)) < 0.05
//
// becomes quantile(0.99, parts[0]) < 0.05, and that is a list that grows with each piece.
type part struct {
	number  int
	kind    partKind
	program *vm.Program // over a piece
	node    ast.Node
	over    string // connections or transitions
	used    bool   // it is not a part of another
	// The same as closures, where these can do it.
	lives   *stream[connection]
	changes *stream[transition]
}

// fast reports whether closures work it out.
func (x *part) fast() bool { return x.lives != nil || x.changes != nil }

// partKind says how what pieces come to is put together.
type partKind uint8

const (
	partList partKind = iota // one after the other
	partSum                  // added up
	partAll                  // all of them
	partAny                  // any of them
)

// partKinds are the functions over a list that can be worked out piece by piece.
var partKinds = map[string]partKind{
	"map": partList, "filter": partList, "count": partSum, "len": partSum, "sum": partSum,
	"all": partAll, "none": partAll, "any": partAny,
}

// piece is what parts are worked out over.
type piece struct {
	Connections []*connection `expr:"connections"`
	Transitions []*transition `expr:"transitions"`
}

// all is what an expression on the whole sees.
type all struct {
	Connections []*connection `expr:"connections"`
	Findings    []*finding    `expr:"findings"`
	Transitions []*transition `expr:"transitions"`
	Capture     *whole        `expr:"capture"`
	Summary     *whole        `expr:"summary"`
}

// cut is what it sees once parts were cut out of it.
type cut struct {
	all
	Parts []any `expr:"parts"` // by their numbers
}

// compile makes the assertion ready. The error is an *Error, at the place in the file.
func (a *Assertion) compile(s *source) error {
	a.program = &program{}
	if a.Each == Once {
		return a.compileWhole(s)
	}
	var of any = connection{}
	if a.Each == Findings {
		of = finding{}
	}
	for _, x := range []struct {
		at  place
		src string
		to  **vm.Program
	}{{a.where, a.Where, &a.program.where}, {a.expect, a.Expect, &a.program.expect}} {
		if x.src == "" {
			continue
		}
		var m mention
		p, err := compileExpr(x.src, expr.Env(of), expr.AsBool(), expr.Patch(&m))
		if err == nil {
			err = checkWords(x.src)
		}
		if err != nil {
			return s.inExpr(x.at, err)
		}
		*x.to = p
		a.program.byFinding = a.program.byFinding || a.Each == Connections && m.names["findings"]
	}
	if a.Each == Connections {
		a.program.meant, a.program.held = closures(a.Where, a.Expect)
	}
	return nil
}

// closures are the expressions of an assertion on each connection; held is nil if they
// cannot be made of both.
func closures(where, expect string) (meant, held func(*connection) bool) {
	c := &scope[connection]{fields: connectionFields, bare: true}
	if where != "" {
		t, err := parser.Parse(where)
		if err != nil {
			return nil, nil
		}
		if meant = c.test(t.Node); meant == nil {
			return nil, nil
		}
	}
	t, err := parser.Parse(expect)
	if err != nil {
		return nil, nil
	}
	return meant, c.test(t.Node)
}

func compileExpr(src string, options ...expr.Option) (*vm.Program, error) {
	return report.CompileExpr(src, append(options, functions()...)...)
}

// inExpr puts an error of an expression at its place in the file.
func (s *source) inExpr(at place, err error) error {
	var x *report.ExprError
	if !errors.As(err, &x) || x.Line == 0 {
		return s.of(at.node, "%s", err)
	}
	line, column := s.within(at.node, x.Line, x.Column)
	return s.at(line, column, "%s", x.Reason)
}

func (a *Assertion) compileWhole(s *source) error {
	var m mention
	if _, err := compileExpr(a.Expect, expr.Env(all{}), expr.AsBool(), expr.Patch(&m)); err != nil {
		return s.inExpr(a.expect, err)
	}
	if err := checkWords(a.Expect); err != nil {
		return s.inExpr(a.expect, err)
	}
	p := a.program
	p.byFinding = m.fields["findings"]
	p.changes = m.names["transitions"]
	tree, err := parser.Parse(a.Expect)
	if err != nil {
		return s.inExpr(a.expect, err)
	}
	c := &cutter{}
	ast.Walk(&tree.Node, c)
	for _, x := range c.parts {
		if !x.used {
			p.parts = append(p.parts, nil) // it belongs to another
			continue
		}
		// The text again: it was right within the whole.
		if x.program, err = compileExpr(x.node.String(), expr.Env(piece{})); err != nil {
			return s.inExpr(a.expect, err)
		}
		if x.over == "connections" {
			x.lives = streamOf(x, connectionFields)
		} else {
			x.changes = streamOf(x, transitionFields)
		}
		p.parts = append(p.parts, x)
	}
	var left mention
	if p.whole, err = compileExpr(tree.Node.String(), expr.Env(cut{}), expr.AsBool(), expr.Patch(&left)); err != nil {
		return s.inExpr(a.expect, err)
	}
	p.connections, p.transitions = left.names["connections"], left.names["transitions"]
	return nil
}

// whole reports whether the part is a whole number.
func (x *part) whole() bool { return x.kind == partSum && x.node.(*ast.BuiltinNode).Name != "sum" }

// cutter cuts parts out of an expression, the inner ones first.
type cutter struct{ parts []*part }

func (c *cutter) Visit(n *ast.Node) {
	b, ok := (*n).(*ast.BuiltinNode)
	if !ok || len(b.Arguments) == 0 {
		return
	}
	kind, ok := partKinds[b.Name]
	if !ok {
		return
	}
	of, over := c.list(b.Arguments[0])
	if over == "" {
		return
	}
	for _, x := range b.Arguments[1:] {
		if !pure(x) {
			return
		}
	}
	whole := *b
	if of != nil {
		whole.Arguments = append([]ast.Node{of.node}, b.Arguments[1:]...)
		of.used = false
	}
	x := &part{number: len(c.parts), kind: kind, node: &whole, over: over, used: true}
	c.parts = append(c.parts, x)
	*n = &ast.MemberNode{Node: &ast.IdentifierNode{Value: "parts"}, Property: &ast.IntegerNode{Value: x.number}}
}

// list is the part that a node stands for, if it is a list, and over what; or the name of what
// comes in pieces.
func (c *cutter) list(n ast.Node) (of *part, over string) {
	switch x := n.(type) {
	case *ast.IdentifierNode:
		if x.Value == "connections" || x.Value == "transitions" {
			return nil, x.Value
		}
	case *ast.MemberNode:
		id, _ := x.Node.(*ast.IdentifierNode)
		i, ok := x.Property.(*ast.IntegerNode)
		if ok && id != nil && id.Value == "parts" && c.parts[i.Value].kind == partList {
			return c.parts[i.Value], c.parts[i.Value].over
		}
	}
	return nil, ""
}

// pure reports whether a predicate names nothing but its element: so it means the same of
// a piece as of the whole.
func pure(n ast.Node) bool {
	p := &purity{pure: true}
	ast.Walk(&n, p)
	return p.pure
}

type purity struct{ pure bool }

func (p *purity) Visit(n *ast.Node) {
	switch x := (*n).(type) {
	case *ast.IdentifierNode:
		p.pure = p.pure && ours(x.Value)
	case *ast.VariableDeclaratorNode:
		p.pure = false
	case *ast.PointerNode:
		p.pure = p.pure && x.Name == "" // not #index, which counts from the first piece on
	}
}

// mention notes what an expression names, as a word and as a field.
type mention struct{ names, fields map[string]bool }

func (m *mention) Visit(n *ast.Node) {
	if m.names == nil {
		m.names, m.fields = map[string]bool{}, map[string]bool{}
	}
	switch x := (*n).(type) {
	case *ast.IdentifierNode:
		m.names[x.Value] = true
		if x.Value == "$env" {
			m.names["findings"], m.names["connections"], m.names["transitions"] = true, true, true
		}
	case *ast.MemberNode:
		if p, ok := x.Property.(*ast.StringNode); ok {
			m.fields[p.Value] = true
		}
	}
}
