package policy

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// The library's virtual machine looks fields up by reflection and boxes each value, which
// for fifty assertions takes longer than to analyse the connection. So what people write
// most, fields compared with words and numbers, is made of closures, and the machine does
// what is left. Both come to the same; a test compares them.
//
// Expressions were compiled for the machine before: they are right, and have no name that
// does not exist. What is not known here makes compile give up, and never come to
// something else.

// kind is the type of a value.
type kind uint8

const (
	none kind = iota // it is not compiled
	kindBool
	kindInt
	kindFloat
	kindString
	kindList // of strings
)

// value is a term over one T: the function of its kind is set. lit: it is the same of all.
type value[T any] struct {
	kind kind
	lit  bool
	b    func(*T) bool
	i    func(*T) int
	f    func(*T) float64
	s    func(*T) string
	l    func(*T) []string
}

// scope is where names are looked up.
type scope[T any] struct {
	fields map[string]value[T] // by path: "server.port"
	// bare: names are fields of T, as in the assertions of each. Else they follow a point,
	// as in predicates: # is T, or what a map made of it.
	bare   bool
	mapped *value[T]
}

func constant[T any](n ast.Node) (v value[T]) {
	v.lit = true
	switch x := n.(type) {
	case *ast.BoolNode:
		v.kind, v.b = kindBool, func(*T) bool { return x.Value }
	case *ast.IntegerNode:
		v.kind, v.i = kindInt, func(*T) int { return x.Value }
	case *ast.FloatNode:
		v.kind, v.f = kindFloat, func(*T) float64 { return x.Value }
	case *ast.StringNode:
		v.kind, v.s = kindString, func(*T) string { return x.Value }
	}
	return v
}

// path is a chain of fields; ok is false if it is something else.
func (c *scope[T]) path(n ast.Node) (p string, ok bool) {
	switch x := n.(type) {
	case *ast.IdentifierNode:
		return x.Value, c.bare
	case *ast.MemberNode:
		name, word := x.Property.(*ast.StringNode)
		if !word || x.Optional || x.Method {
			return "", false
		}
		if at, pointer := x.Node.(*ast.PointerNode); pointer {
			return name.Value, !c.bare && at.Name == "" && c.mapped == nil
		}
		p, ok = c.path(x.Node)
		return p + "." + name.Value, ok
	}
	return "", false
}

// compile makes a value of a term; its kind is none if it cannot.
func (c *scope[T]) compile(n ast.Node) value[T] {
	switch x := n.(type) {
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.StringNode:
		return constant[T](n)
	case *ast.IdentifierNode, *ast.MemberNode:
		if p, ok := c.path(n); ok {
			return c.fields[p]
		}
	case *ast.PointerNode:
		if x.Name == "" && c.mapped != nil {
			return *c.mapped
		}
	case *ast.PredicateNode:
		return c.compile(x.Node)
	case *ast.UnaryNode:
		return c.unary(x)
	case *ast.BinaryNode:
		return c.binary(x)
	case *ast.ConditionalNode:
		return c.choice(x)
	case *ast.CallNode:
		return c.call(x)
	case *ast.BuiltinNode:
		if x.Name == "len" && len(x.Arguments) == 1 {
			if l := c.compile(x.Arguments[0]); l.kind == kindList {
				return value[T]{kind: kindInt, i: func(t *T) int { return len(l.l(t)) }}
			}
		}
	}
	return value[T]{}
}

// test is compile for what has to be true or false; nil if it cannot.
func (c *scope[T]) test(n ast.Node) func(*T) bool {
	if v := c.compile(n); v.kind == kindBool {
		return v.b
	}
	return nil
}

// call is in_net with a network that is written out.
func (c *scope[T]) call(n *ast.CallNode) (v value[T]) {
	name, ok := n.Callee.(*ast.IdentifierNode)
	if !ok || name.Value != "in_net" || len(n.Arguments) != 2 {
		return v
	}
	network, ok := n.Arguments[1].(*ast.StringNode)
	addr := c.compile(n.Arguments[0])
	if !ok || addr.kind != kindString {
		return v
	}
	prefix, err := netip.ParsePrefix(network.Value)
	if err != nil {
		return v // the machine says so
	}
	return truth(func(t *T) bool {
		a, err := netip.ParseAddr(addr.s(t))
		return err == nil && prefix.Contains(a)
	})
}

func (c *scope[T]) unary(n *ast.UnaryNode) (v value[T]) {
	x := c.compile(n.Node)
	switch op := n.Operator; {
	case (op == "not" || op == "!") && x.kind == kindBool:
		v.kind, v.b = kindBool, func(t *T) bool { return !x.b(t) }
	case op == "-" && x.kind == kindInt:
		v.kind, v.i = kindInt, func(t *T) int { return -x.i(t) }
	case op == "-" && x.kind == kindFloat:
		v.kind, v.f = kindFloat, func(t *T) float64 { return -x.f(t) }
	case op == "+" && (x.kind == kindInt || x.kind == kindFloat):
		return x
	}
	return v
}

func (c *scope[T]) choice(n *ast.ConditionalNode) (v value[T]) {
	test, x, y := c.test(n.Cond), c.compile(n.Exp1), c.compile(n.Exp2)
	if test == nil || x.kind != y.kind {
		return v
	}
	switch v.kind = x.kind; x.kind {
	case kindBool:
		v.b = func(t *T) bool {
			if test(t) {
				return x.b(t)
			}
			return y.b(t)
		}
	case kindInt:
		v.i = func(t *T) int {
			if test(t) {
				return x.i(t)
			}
			return y.i(t)
		}
	case kindFloat:
		v.f = func(t *T) float64 {
			if test(t) {
				return x.f(t)
			}
			return y.f(t)
		}
	case kindString:
		v.s = func(t *T) string {
			if test(t) {
				return x.s(t)
			}
			return y.s(t)
		}
	default:
		v.kind = none
	}
	return v
}

func (c *scope[T]) binary(n *ast.BinaryNode) value[T] {
	switch n.Operator {
	case "and", "&&", "or", "||":
		x, y := c.test(n.Left), c.test(n.Right)
		switch {
		case x == nil || y == nil:
			return value[T]{}
		case n.Operator == "and" || n.Operator == "&&":
			return truth(func(t *T) bool { return x(t) && y(t) })
		}
		return truth(func(t *T) bool { return x(t) || y(t) })
	case "in":
		return c.in(n)
	case "==", "!=":
		if v := c.absent(n); v.kind != none {
			return v
		}
	}
	x, y := c.compile(n.Left), c.compile(n.Right)
	switch {
	case x.kind == kindString && y.kind == kindString:
		return words(n.Operator, x, y)
	case x.kind == kindInt && y.kind == kindInt:
		return compared(n.Operator, x.i, y.i, func(f func(*T) int) value[T] { return value[T]{kind: kindInt, i: f} })
	case x.kind == kindBool && y.kind == kindBool:
		switch n.Operator {
		case "==":
			return truth(func(t *T) bool { return x.b(t) == y.b(t) })
		case "!=":
			return truth(func(t *T) bool { return x.b(t) != y.b(t) })
		}
	}
	if a, b := x.float(), y.float(); a != nil && b != nil {
		return compared(n.Operator, a, b, func(f func(*T) float64) value[T] { return value[T]{kind: kindFloat, f: f} })
	}
	return value[T]{}
}

func truth[T any](f func(*T) bool) value[T] { return value[T]{kind: kindBool, b: f} }

// float is the value as a float; nil if it is no number.
func (v value[T]) float() func(*T) float64 {
	switch v.kind {
	case kindFloat:
		return v.f
	case kindInt:
		if v.lit {
			x := float64(v.i(nil))
			return func(*T) float64 { return x }
		}
		return func(t *T) float64 { return float64(v.i(t)) }
	}
	return nil
}

// absent is == nil and != nil, in the sense that report.CompileExpr gives them.
func (c *scope[T]) absent(n *ast.BinaryNode) (v value[T]) {
	of := n.Left
	if _, ok := of.(*ast.NilNode); ok {
		of = n.Right
	} else if _, ok := n.Right.(*ast.NilNode); !ok {
		return v
	}
	is := n.Operator == "=="
	if p, ok := c.path(of); ok && c.fields[p].kind == none {
		// An object is absent where the word in it is.
		if p != "time_wait" {
			return v
		}
		x := c.fields[p+".endpoint"]
		return truth(func(t *T) bool { return (x.s(t) == "") == is })
	}
	switch x := c.compile(of); x.kind {
	case kindString:
		return truth(func(t *T) bool { return (x.s(t) == "") == is })
	case kindFloat:
		return truth(func(t *T) bool { f := x.f(t); return (f != f) == is })
	}
	return v
}

// compared are the operators on two numbers of one kind.
func compared[T any, N int | float64](op string, x, y func(*T) N, number func(func(*T) N) value[T]) value[T] {
	switch op {
	case "==":
		return truth(func(t *T) bool { return x(t) == y(t) })
	case "!=":
		return truth(func(t *T) bool { return x(t) != y(t) })
	case "<":
		return truth(func(t *T) bool { return x(t) < y(t) })
	case "<=":
		return truth(func(t *T) bool { return x(t) <= y(t) })
	case ">":
		return truth(func(t *T) bool { return x(t) > y(t) })
	case ">=":
		return truth(func(t *T) bool { return x(t) >= y(t) })
	case "+":
		return number(func(t *T) N { return x(t) + y(t) })
	case "-":
		return number(func(t *T) N { return x(t) - y(t) })
	case "*":
		return number(func(t *T) N { return x(t) * y(t) })
	case "/":
		return value[T]{kind: kindFloat, f: func(t *T) float64 { return float64(x(t)) / float64(y(t)) }}
	}
	return value[T]{}
}

// words are the operators on two strings.
func words[T any](op string, x, y value[T]) value[T] {
	a, b := x.s, y.s
	switch op {
	case "==":
		if y.lit { // by far the most frequent
			w := b(nil)
			return truth(func(t *T) bool { return a(t) == w })
		}
		return truth(func(t *T) bool { return a(t) == b(t) })
	case "!=":
		return truth(func(t *T) bool { return a(t) != b(t) })
	case "<":
		return truth(func(t *T) bool { return a(t) < b(t) })
	case "<=":
		return truth(func(t *T) bool { return a(t) <= b(t) })
	case ">":
		return truth(func(t *T) bool { return a(t) > b(t) })
	case ">=":
		return truth(func(t *T) bool { return a(t) >= b(t) })
	case "startsWith":
		return truth(func(t *T) bool { return strings.HasPrefix(a(t), b(t)) })
	case "endsWith":
		return truth(func(t *T) bool { return strings.HasSuffix(a(t), b(t)) })
	case "contains":
		return truth(func(t *T) bool { return strings.Contains(a(t), b(t)) })
	case "matches":
		if y.lit {
			if re, err := regexp.Compile(b(nil)); err == nil {
				return truth(func(t *T) bool { return re.MatchString(a(t)) })
			}
		}
	}
	return value[T]{}
}

// in is a word or a whole number in a list of such, a number in a range, or a word in a
// field that is a list.
func (c *scope[T]) in(n *ast.BinaryNode) value[T] {
	x := c.compile(n.Left)
	switch l := n.Right.(type) {
	case *ast.ArrayNode:
		var strs []string
		var ints []int
		for _, e := range l.Nodes {
			switch v := e.(type) {
			case *ast.StringNode:
				strs = append(strs, v.Value)
			case *ast.IntegerNode:
				ints = append(ints, v.Value)
			default:
				return value[T]{}
			}
		}
		switch {
		case x.kind == kindString && len(strs) == len(l.Nodes):
			return truth(func(t *T) bool { return slices.Contains(strs, x.s(t)) })
		case x.kind == kindInt && len(ints) == len(l.Nodes):
			return truth(func(t *T) bool { return slices.Contains(ints, x.i(t)) })
		}
	case *ast.BinaryNode:
		lo, ok := l.Left.(*ast.IntegerNode)
		hi, ok2 := l.Right.(*ast.IntegerNode)
		if l.Operator == ".." && ok && ok2 && x.kind == kindInt {
			return truth(func(t *T) bool { v := x.i(t); return lo.Value <= v && v <= hi.Value })
		}
	default:
		if v := c.compile(n.Right); v.kind == kindList && x.kind == kindString {
			return truth(func(t *T) bool { return slices.Contains(v.l(t), x.s(t)) })
		}
	}
	return value[T]{}
}
