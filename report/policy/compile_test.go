package policy

import (
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
)

// leaves lists the fields of a type by the names of expressions.
func leaves(t reflect.Type, prefix string, into map[string][]int, at []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		index := append(append([]int{}, at...), i)
		name := prefix + f.Tag.Get("expr")
		if f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[time.Time]() {
			leaves(f.Type, name+".", into, index)
			continue
		}
		into[name] = index
	}
}

// Closures know all fields but times, and read what is there.
func TestFieldsAreThoseOfRecords(t *testing.T) {
	fieldsAgree(t, connectionFields)
	fieldsAgree(t, transitionFields)
}

func fieldsAgree[T any](t *testing.T, fields map[string]value[T]) {
	all := map[string][]int{}
	leaves(reflect.TypeFor[T](), "", all, nil)
	rnd := rand.New(rand.NewPCG(1, 2))
	for name, index := range all {
		v, known := fields[name]
		if is := reflect.TypeFor[T]().FieldByIndex(index).Type == reflect.TypeFor[time.Time](); is == known {
			t.Errorf("%s: known %v", name, known)
			continue
		}
		for range 3 {
			x := random[T](rnd)
			var got any
			switch v.kind {
			case kindBool:
				got = v.b(x)
			case kindInt:
				got = v.i(x)
			case kindFloat:
				got = v.f(x)
			case kindString:
				got = v.s(x)
			case kindList:
				got = v.l(x)
			default:
				continue
			}
			want := reflect.ValueOf(x).Elem().FieldByIndex(index).Interface()
			if f, ok := want.(float64); ok && math.IsNaN(f) && math.IsNaN(got.(float64)) {
				continue
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %v, not %v", name, got, want)
			}
		}
	}
	for name := range fields {
		if all[name] == nil {
			t.Errorf("there is no field %s", name)
		}
	}
}

var (
	someWords   = []string{"", "graceful", "reset", "client", "server", "CLOSE-WAIT", "TIME-WAIT", "10.0.0.1", "10.0.0.23", "refused", "S0"}
	someNumbers = []int{0, 1, 2, 5, 80, 443, 8080, -1}
	someFloats  = []float64{math.NaN(), 0, 0.05, 1, 60, 443.5}
)

func one[E any](rnd *rand.Rand, l []E) E { return l[rnd.IntN(len(l))] }

// random fills a record with values that expressions ask for.
func random[T any](rnd *rand.Rand) *T {
	x := new(T)
	var fill func(reflect.Value)
	fill = func(v reflect.Value) {
		switch {
		case v.Type() == reflect.TypeFor[time.Time]():
			if rnd.IntN(2) == 0 {
				v.Set(reflect.ValueOf(time.Unix(int64(rnd.IntN(3)), 0).UTC()))
			}
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				fill(v.Field(i))
			}
		case v.Kind() == reflect.String:
			v.SetString(one(rnd, someWords))
		case v.Kind() == reflect.Int:
			v.SetInt(int64(one(rnd, someNumbers)))
		case v.Kind() == reflect.Float64:
			v.SetFloat(one(rnd, someFloats))
		case v.Kind() == reflect.Bool:
			v.SetBool(rnd.IntN(2) == 0)
		case v.Kind() == reflect.Slice:
			var l []string
			for range rnd.IntN(3) {
				l = append(l, one(rnd, someWords))
			}
			v.Set(reflect.ValueOf(l))
		}
	}
	fill(reflect.ValueOf(x).Elem())
	return x
}

// writer makes expressions.
type writer struct {
	rnd    *rand.Rand
	dot    string // before the names of fields
	fields map[kind][]string
}

func newWriter(rnd *rand.Rand, dot string) *writer {
	w := &writer{rnd, dot, map[kind][]string{}}
	all := map[string][]int{}
	leaves(reflect.TypeFor[connection](), "", all, nil)
	for name, v := range connectionFields {
		w.fields[v.kind] = append(w.fields[v.kind], name)
	}
	for _, l := range w.fields { // maps have no order
		for i := range l {
			for j := i; j > 0 && l[j] < l[j-1]; j-- {
				l[j], l[j-1] = l[j-1], l[j]
			}
		}
	}
	return w
}

func (w *writer) pick(l ...string) string { return one(w.rnd, l) }

func (w *writer) field(k kind) string { return w.dot + one(w.rnd, w.fields[k]) }

func (w *writer) test(depth int) string {
	if depth > 0 && w.rnd.IntN(3) > 0 {
		switch w.rnd.IntN(5) {
		case 0:
			return w.pick("not (", "!(") + w.test(depth-1) + ")"
		case 1:
			return "(" + w.test(depth-1) + " ? " + w.test(depth-1) + " : " + w.test(depth-1) + ")"
		}
		return "(" + w.test(depth-1) + w.pick(" and ", " && ", " or ", " || ") + w.test(depth-1) + ")"
	}
	order := w.pick(" == ", " != ", " < ", " <= ", " > ", " >= ")
	switch w.rnd.IntN(9) {
	case 0:
		return w.field(kindBool)
	case 1, 2:
		return w.number(1) + order + w.number(1)
	case 3, 4:
		return w.text() + order + w.text()
	case 5:
		return w.text() + w.pick(" startsWith ", " endsWith ", " contains ") + w.text()
	case 6:
		return w.pick(w.field(kindString)+w.pick(" in ", " not in ")+`["graceful", "reset", ""]`, w.field(kindInt)+` in [80, 443]`,
			w.field(kindInt)+" in 1..443", w.text()+" in "+w.field(kindList), w.field(kindString)+` matches "^1.*2?3$"`)
	case 7:
		return w.pick(w.field(kindString), w.field(kindFloat), w.dot+"time_wait") + w.pick(" == nil", " != nil")
	}
	if w.rnd.IntN(3) == 0 {
		return "in_net(" + w.text() + `, "10.0.0.0/28")`
	}
	return "len(" + w.field(kindList) + ")" + order + w.pick("0", "1")
}

func (w *writer) text() string {
	return w.pick(w.field(kindString), w.field(kindString), `"`+one(w.rnd, someWords)+`"`)
}

func (w *writer) number(depth int) string {
	switch w.rnd.IntN(6) {
	case 0:
		return w.pick("0", "1", "443", "8080", "0.05", "60", "-1", "443.5")
	case 1, 2:
		return w.field(kindFloat)
	case 3:
		if depth > 0 {
			return "(" + w.number(depth-1) + w.pick(" + ", " - ", " * ", " / ") + w.number(depth-1) + ")"
		}
	case 4:
		return "-" + w.field(w.kindOf())
	}
	return w.field(kindInt)
}

func (w *writer) kindOf() kind { return one(w.rnd, []kind{kindInt, kindFloat}) }

// Closures come to what the library's machine does, for whatever expression they can do
// and whatever connection.
func TestClosuresAgreeWithTheMachine(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	w := newWriter(rnd, "")
	var m vm.VM
	closures, trues := 0, 0
	const n = 6000
	for range n {
		src := w.test(3)
		p, err := compileExpr(src, expr.Env(connection{}), expr.AsBool())
		if err != nil {
			continue // what the language does not have, a number against a word
		}
		tree, err := parser.Parse(src)
		if err != nil {
			t.Fatal(err)
		}
		f := (&scope[connection]{fields: connectionFields, bare: true}).test(tree.Node)
		if f == nil {
			t.Logf("left to the machine: %s", src)
			continue
		}
		closures++
		for range 8 {
			c := random[connection](rnd)
			want, err := m.Run(p, c)
			if err != nil {
				t.Fatalf("%s: %v", src, err)
			}
			if got := f(c); got != want {
				t.Fatalf("%s: %v, the machine says %v, of\n%+v", src, got, want, *c)
			} else if got {
				trues++
			}
		}
	}
	if closures < n*9/10 {
		t.Errorf("only %d of %d are made of closures", closures, n)
	}
	if trues < closures || trues > 7*closures {
		t.Errorf("%d of %d are true", trues, 8*closures)
	}
}

// Parts of an expression on the whole come to the same, whoever works them out.
func TestStreamsAgreeWithTheMachine(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	w := newWriter(rnd, ".")
	var m vm.VM
	fast := 0
	const n = 3000
	for range n {
		list := "connections"
		for range rnd.IntN(3) {
			list = "filter(" + list + ", " + w.test(1) + ")"
		}
		number := "map(" + list + ", " + w.number(1) + ")"
		src := w.pick("sum("+number+") > 1", "quantile(0.5, "+number+") > 1", "len("+list+") > 2", "count("+list+", "+w.test(1)+") == 3",
			"all("+list+", "+w.test(1)+")", "none("+list+", "+w.test(1)+")", "any("+list+", "+w.test(1)+")", "any("+number+", # == 443)",
			"count(map("+list+", "+w.test(1)+"), not #) > 3", "max("+number+") >= median("+number+")", "sum(filter("+number+", # > 1)) > 500")
		a := &Assertion{Name: "x", Expect: src, expect: place{}}
		if _, err := compileExpr(src, expr.Env(all{}), expr.AsBool()); err != nil || checkWords(src) != nil {
			continue // what no policy can say
		}
		if err := a.compile(&source{}); err != nil {
			t.Fatalf("%s: %v", src, err)
		}
		var p piece
		for range 10 {
			p.Connections = append(p.Connections, random[connection](rnd))
		}
		for _, x := range a.program.parts {
			if x == nil || !x.fast() {
				continue
			}
			fast++
			want, err := m.Run(x.program, p)
			if err != nil {
				t.Fatalf("%s: %v", src, err)
			}
			var of tally
			of.begin(x.kind)
			for _, c := range p.Connections {
				x.lives.each(c, &of)
			}
			var g, h gathered
			g.begin(x.kind)
			h.begin(x.kind)
			g.tally(x.kind, &of)
			if err := h.add(x.kind, want); err != nil {
				t.Fatal(err)
			}
			if a, b := g.value(x), h.value(x); !same(a, b) {
				t.Fatalf("%s, part %s: %v, the machine says %v", src, x.node, a, b)
			}
		}
	}
	if fast < n/2 {
		t.Errorf("only %d parts are made of closures", fast)
	}
}

// same compares lists whose numbers may be unknown.
func same(a, b any) bool {
	x, err := numbers([]any{a})
	y, err2 := numbers([]any{b})
	if err != nil || err2 != nil {
		return reflect.DeepEqual(a, b)
	}
	return len(x) == len(y) && (len(x) == 0 || reflect.DeepEqual(x, y)) && length(a) == length(b)
}

func length(a any) int {
	if v := reflect.ValueOf(a); v.Kind() == reflect.Slice {
		return v.Len()
	}
	return -1
}

// What people write is made of closures, not left to the machine.
func TestCommonShapesAreFast(t *testing.T) {
	p, err := Parse("fifty.yaml", []byte(fifty()))
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Assert) != 50 {
		t.Errorf("%d assertions", len(p.Assert))
	}
	for _, a := range p.Assert {
		if a.Each == Connections && !a.program.fast() {
			t.Errorf("%s, %s: left to the machine", a.Where, a.Expect)
		}
		for _, x := range a.program.parts {
			if x != nil && !x.fast() {
				t.Errorf("%s: %s is left to the machine", a.Expect, x.node)
			}
		}
	}
	if strings.Contains(fifty(), "\t") {
		t.Error("YAML knows no tabs")
	}
}
