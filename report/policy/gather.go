package policy

import (
	"fmt"
	"reflect"
)

// gathered is what the pieces of a part came to.
type gathered struct {
	sum     float64
	is      bool
	floats  []float64
	ints    []int
	others  []any
	another bool // not all are numbers of one kind
}

func (g *gathered) begin(k partKind) { g.is = k == partAll }

// tally takes what closures made of a piece.
func (g *gathered) tally(k partKind, t *tally) {
	switch k {
	case partSum:
		g.sum += t.sum + float64(t.n)
	case partAll:
		g.is = g.is && t.is
	case partAny:
		g.is = g.is || t.is
	case partList: // of one kind: it is never mixed with what the machine makes
		g.floats = append(g.floats, t.floats...)
		g.ints = append(g.ints, t.ints...)
	}
}

// add takes what the machine made of a piece.
func (g *gathered) add(k partKind, v any) error {
	switch k {
	case partSum:
		x, ok := number(v)
		if !ok {
			return fmt.Errorf("%v is not a number", v)
		}
		g.sum += x
		return nil
	case partAll, partAny:
		x, _ := v.(bool)
		if k == partAll {
			g.is = g.is && x
		} else {
			g.is = g.is || x
		}
		return nil
	}
	l := reflect.ValueOf(v)
	for i := range l.Len() {
		g.append(l.Index(i).Interface())
	}
	return nil
}

func (g *gathered) append(v any) {
	switch x := v.(type) {
	case float64:
		if !g.another && g.ints == nil {
			g.floats = append(g.floats, x)
			return
		}
	case int:
		if !g.another && g.floats == nil {
			g.ints = append(g.ints, x)
			return
		}
	}
	if !g.another {
		g.another = true
		for _, x := range g.floats {
			g.others = append(g.others, x)
		}
		for _, x := range g.ints {
			g.others = append(g.others, x)
		}
		g.floats, g.ints = nil, nil
	}
	g.others = append(g.others, v)
}

func (g *gathered) value(x *part) any {
	switch {
	case x.whole():
		return int(g.sum)
	case x.kind == partSum:
		return g.sum
	case x.kind != partList:
		return g.is
	case g.floats != nil:
		return g.floats
	case g.ints != nil:
		return g.ints
	}
	if g.others == nil {
		return []any{}
	}
	return g.others
}
