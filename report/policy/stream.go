package policy

import (
	"math"

	"github.com/expr-lang/expr/ast"
)

// stream is a part that closures work out, one connection or transition after the other.
type stream[T any] struct {
	keep []func(*T) bool // all have to hold
	take func(*T, *tally)
}

// tally is what a part comes to over one piece.
type tally struct {
	n      int
	sum    float64
	is     bool
	floats []float64
	ints   []int
}

func (s *tally) begin(k partKind) {
	*s = tally{is: k == partAll, floats: s.floats[:0], ints: s.ints[:0]}
}

// each takes one.
func (s *stream[T]) each(t *T, to *tally) {
	for _, ok := range s.keep {
		if !ok(t) {
			return
		}
	}
	s.take(t, to)
}

// streamOf makes closures of a part; nil if they cannot do it.
func streamOf[T any](x *part, fields map[string]value[T]) *stream[T] {
	b, ok := x.node.(*ast.BuiltinNode)
	if !ok {
		return nil
	}
	s := &stream[T]{}
	c := &scope[T]{fields: fields}
	switch b.Name {
	case "map", "filter":
		if !s.chain(c, b) || c.mapped == nil {
			return nil // a list of T itself
		}
		switch v := *c.mapped; v.kind {
		case kindFloat:
			s.take = func(t *T, to *tally) { to.floats = append(to.floats, v.f(t)) }
		case kindInt:
			s.take = func(t *T, to *tally) { to.ints = append(to.ints, v.i(t)) }
		default:
			return nil
		}
		return s
	}
	if !s.chain(c, b.Arguments[0]) {
		return nil
	}
	if b.Name == "len" || b.Name == "sum" {
		return s.counted(c, b)
	}
	var holds func(*T) bool
	switch {
	case len(b.Arguments) == 2:
		holds = c.test(b.Arguments[1])
	case b.Name == "count" && c.mapped != nil && c.mapped.kind == kindBool:
		holds = c.mapped.b
	}
	if holds == nil {
		return nil
	}
	switch b.Name {
	case "count":
		s.take = func(t *T, to *tally) {
			if holds(t) {
				to.n++
			}
		}
	case "all":
		s.take = func(t *T, to *tally) { to.is = to.is && holds(t) }
	case "none":
		s.take = func(t *T, to *tally) { to.is = to.is && !holds(t) }
	case "any":
		s.take = func(t *T, to *tally) { to.is = to.is || holds(t) }
	default:
		return nil
	}
	return s
}

// counted is len and sum.
func (s *stream[T]) counted(c *scope[T], b *ast.BuiltinNode) *stream[T] {
	if b.Name == "len" {
		s.take = func(_ *T, to *tally) { to.n++ }
		return s
	}
	if len(b.Arguments) != 1 || c.mapped == nil {
		return nil
	}
	f := c.mapped.float()
	if f == nil {
		return nil
	}
	s.take = func(t *T, to *tally) {
		if v := f(t); !math.IsNaN(v) {
			to.sum += v
		}
	}
	return s
}

// chain goes through the list that a part is about: connections, or what filter and map
// make of them. c is then the scope of what follows.
func (s *stream[T]) chain(c *scope[T], n ast.Node) bool {
	switch x := n.(type) {
	case *ast.IdentifierNode:
		return x.Value == "connections" || x.Value == "transitions"
	case *ast.BuiltinNode:
		if len(x.Arguments) != 2 || !s.chain(c, x.Arguments[0]) {
			return false
		}
		switch x.Name {
		case "filter":
			ok := c.test(x.Arguments[1])
			s.keep = append(s.keep, ok)
			return ok != nil
		case "map":
			v := c.compile(x.Arguments[1])
			c.mapped = &v
			return v.kind != none && v.kind != kindList
		}
	}
	return false
}
