package report

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"
)

// Where is an expression over the fields of a Record, such as
//
//	client.state == "CLOSE-WAIT" && server.port == 443 && duration > 60
//
// The names are those of the JSON record. A number that is not known is NaN:
// every comparison with it is false, except !=. A word that is not known is "".
// Both are null in JSON, and == nil and != nil ask for that.
type Where struct {
	prog *vm.Program
	vm   vm.VM
	src  string
	// findings: it may ask for the findings of a connection, which are known
	// only when the capture is over.
	findings bool
}

// whereEnv is a Record without its methods, which would be callable.
type whereEnv Record

// plain replaces the names of Go types in a message. What the message quotes
// from the expression may hold the same letters, inside longer words.
func plain(msg string) string {
	return typeNames.ReplaceAllStringFunc(msg, func(s string) string { return typeWords[s] })
}

var (
	typeWords = map[string]string{
		"report.whereEnv": "a connection", "report.EndRecord": "an endpoint", "report.CloseRecord": "close",
		"report.HandshakeRecord": "handshake", "report.TimeWaitRecord": "time_wait", "report.ZeekRecord": "zeek",
		"policy.connection": "a connection", "policy.finding": "a finding", "policy.transition": "a transition", "policy.whole": "the capture",
		"type ": "", "time.Time": "time", "float64": "number", "int": "number",
	}
	typeNames = regexp.MustCompile(`\b(?:report\.\w+Env|report\.\w+Record|policy\.\w+|type |time\.Time|float64|int)\b`)
)

// absence gives == nil and != nil the sense that null has in JSON, for those
// values that say "not known" in another way. Else the comparison would be
// legal and never true.
type absence struct{}

func (absence) Visit(n *ast.Node) {
	b, ok := (*n).(*ast.BinaryNode)
	if !ok || b.Operator != "==" && b.Operator != "!=" {
		return
	}
	x := b.Left
	if _, ok := x.(*ast.NilNode); ok {
		x = b.Right
	} else if _, ok := b.Right.(*ast.NilNode); !ok {
		return
	}
	none, differ := "==", "!="
	if b.Operator == "!=" {
		none, differ = differ, none
	}
	switch t := x.Type(); {
	case t == nil:
	case t == reflect.TypeFor[TimeWaitRecord]():
		x = &ast.MemberNode{Node: x, Property: &ast.StringNode{Value: "endpoint"}}
		ast.Patch(n, &ast.BinaryNode{Operator: none, Left: x, Right: &ast.StringNode{}})
	case t == reflect.TypeFor[time.Time]():
		zero := &ast.CallNode{Callee: &ast.MemberNode{Node: x, Property: &ast.StringNode{Value: "IsZero"}, Method: true}}
		ast.Patch(n, &ast.BinaryNode{Operator: none, Left: zero, Right: &ast.BoolNode{Value: true}})
	case t.Kind() == reflect.String:
		ast.Patch(n, &ast.BinaryNode{Operator: none, Left: x, Right: &ast.StringNode{}})
	case t.Kind() == reflect.Float64:
		ast.Patch(n, &ast.BinaryNode{Operator: differ, Left: x, Right: x}) // only NaN differs from itself
	}
}

// mention looks for the field findings, under whatever way of writing it.
type mention struct{ found bool }

func (m *mention) Visit(n *ast.Node) {
	switch x := (*n).(type) {
	case *ast.IdentifierNode:
		m.found = m.found || x.Value == "findings" || x.Value == "$env"
	}
}

// ParseWhere compiles an expression, in which a field that has but certain words is compared
// with no other. The error is an *ExprError.
func ParseWhere(src string) (*Where, error) {
	var m mention
	p, err := CompileExpr(src, expr.Env(whereEnv{}), expr.AsBool(), expr.Patch(&m))
	if err == nil {
		err = CheckWords(src, nil)
	}
	if err != nil {
		return nil, err
	}
	return &Where{prog: p, src: src, findings: m.found}, nil
}

// MaxExpr is how long an expression may be, in octets. The library's parser calls itself for
// each parenthesis, and a stack that is used up would be the end of the program.
const MaxExpr = 64 << 10

// CompileExpr compiles an expression in which == nil and != nil have the sense that null has
// in JSON. The error is an *ExprError.
func CompileExpr(src string, options ...expr.Option) (*vm.Program, error) {
	if len(src) > MaxExpr {
		return nil, &ExprError{Expr: src, Reason: fmt.Sprintf("an expression has at most %d octets, and this one %d", MaxExpr, len(src))}
	}
	if strings.TrimSpace(src) == "" { // as a script's unset variable gives it
		return nil, &ExprError{Expr: src, Reason: "the expression is empty"}
	}
	p, err := expr.Compile(src, append(options, expr.Patch(absence{}))...)
	if err == nil {
		return p, nil
	}
	x := &ExprError{Expr: src, Reason: upTo(plain(err.Error()), reasonMost)}
	var fe *file.Error
	if errors.As(err, &fe) {
		x.Reason = upTo(plain(fe.Message), reasonMost)
		lines := strings.Split(src, "\n")
		if fe.Line >= 1 && fe.Line <= len(lines) && fe.Column >= 0 && fe.Column <= utf8.RuneCountInString(lines[fe.Line-1]) {
			x.Line, x.Column = fe.Line, fe.Column+1
		}
	}
	return nil, x
}

// Clone returns the same expression for another goroutine.
func (w *Where) Clone() *Where { return &Where{prog: w.prog, src: w.src, findings: w.findings} }

// Match evaluates the expression. One goroutine at a time may call it.
func (w *Where) Match(r *Record) (bool, error) {
	v, err := w.vm.Run(w.prog, (*whereEnv)(r))
	if err != nil {
		return false, &ExprError{Expr: w.src, Reason: upTo(plain(firstLine(err.Error())), reasonMost)}
	}
	ok, _ := v.(bool)
	return ok, nil
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}
