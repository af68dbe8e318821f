package report

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// SortKey orders records by one field.
type SortKey struct {
	name  string
	path  []int // of struct fields
	down  bool
	field reflect.Type
}

// ParseSort reads a field name of the record, such as duration or
// client.bytes; with - before it the largest comes first.
func ParseSort(s string) (*SortKey, error) {
	k := &SortKey{}
	k.name, k.down = strings.CutPrefix(s, "-")
	t := reflect.TypeFor[Record]()
	for _, part := range strings.Split(k.name, ".") {
		i := -1
		if t.Kind() == reflect.Struct {
			i = slices.IndexFunc(reflect.VisibleFields(t), func(f reflect.StructField) bool { return f.Tag.Get("json") == part })
		}
		if i < 0 {
			return nil, fmt.Errorf("no field %q: it is one of %s", k.name, strings.Join(FieldNames(), ", "))
		}
		k.path = append(k.path, i)
		t = t.Field(i).Type
	}
	if t.Kind() == reflect.Slice || t.Kind() == reflect.Struct && t != reflect.TypeFor[time.Time]() {
		return nil, fmt.Errorf("field %q has no order: name one inside it", k.name)
	}
	k.field = t
	return k, nil
}

// FieldNames lists the fields of a record by their dotted names, in order.
func FieldNames() []string {
	var names []string
	walkFields(reflect.TypeFor[Record](), "", func(name string, _ []int, _ reflect.Type) { names = append(names, name) })
	return names
}

// walkFields calls f for each field of t that is no struct of ours.
func walkFields(t reflect.Type, prefix string, f func(name string, path []int, t reflect.Type)) {
	for _, sf := range reflect.VisibleFields(t) {
		name := prefix + sf.Tag.Get("json")
		if sf.Type.Kind() == reflect.Struct && sf.Type != reflect.TypeFor[time.Time]() {
			walkFields(sf.Type, name+".", func(n string, p []int, t reflect.Type) { f(n, append(slices.Clone(sf.Index), p...), t) })
			continue
		}
		f(name, sf.Index, sf.Type)
	}
}

// sortValue is the value of a record's sort field. One of the three is used.
type sortValue struct {
	n    int64
	f    float64
	s    string
	none bool // not known
}

func (k *SortKey) value(r *Record) (v sortValue) {
	x := reflect.ValueOf(r).Elem().FieldByIndex(k.path)
	switch y := x.Interface().(type) {
	case time.Time:
		v.none = y.IsZero()
		if !v.none {
			v.n = y.UnixNano()
		}
	case int:
		v.n = int64(y)
	case bool:
		if y {
			v.n = 1
		}
	case float64:
		v.f, v.none = y, y != y
	case string:
		v.s, v.none = y, y == ""
	}
	return v
}

// compare orders two values; what is not known comes last either way.
func (k *SortKey) compare(a, b sortValue) int {
	if a.none || b.none {
		return cmp.Compare(b2i(a.none), b2i(b.none))
	}
	c := cmp.Or(cmp.Compare(a.n, b.n), cmp.Compare(a.f, b.f), cmp.Compare(a.s, b.s))
	if k.down {
		return -c
	}
	return c
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// order compares records for a table.
type order func(a, b *Record) int

// byID is the order of connection numbers.
func byID(a, b *Record) int {
	return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Incarnation, b.Incarnation))
}

// by orders by the key, then by number.
func (k *SortKey) by() order {
	return func(a, b *Record) int { return cmp.Or(k.compare(k.value(a), k.value(b)), byID(a, b)) }
}

// interest ranks the ways to end by how much they ask to be looked at.
var interest = map[string]int{"timed-out": 0, "half-closed": 1, "reset": 2, "aborted-handshake": 3, "refused": 4, "unanswered": 5, "open": 6, "graceful": 7}

// byInterest is the order of the table's top connections: those with findings
// first, then by kind of close (timed-out, half-closed, reset,
// aborted-handshake, refused, unanswered, open, graceful), the longest first.
func byInterest(a, b *Record) int {
	return cmp.Or(
		cmp.Compare(len(b.Findings), len(a.Findings)),
		cmp.Compare(interest[a.Close.Kind], interest[b.Close.Kind]),
		cmp.Compare(b.Duration, a.Duration),
		byID(a, b),
	)
}
