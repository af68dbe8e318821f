package report

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"tcpstate/tracker"
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
func (k *SortKey) compare(a, b *sortValue) int {
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

// keyed is a row with the value that it is sorted by.
type keyed struct {
	row
	value sortValue
}

// by orders by the key, then by number.
func (k *SortKey) by() func(a, b *keyed) int {
	return func(a, b *keyed) int {
		if c := k.compare(&a.value, &b.value); c != 0 {
			return c
		}
		return byID(&a.row, &b.row)
	}
}

// sortedLives keeps all connections until they can be sorted.
type sortedLives struct {
	key    *SortKey
	values []sortValue
	pieces [][]tracker.Life // of livesPiece: lives are not moved as more come
}

const livesPiece = 256

func (s *sortedLives) add(k *SortKey, c *Conn) {
	s.key = k
	if len(s.values)%livesPiece == 0 {
		s.pieces = append(s.pieces, make([]tracker.Life, 0, livesPiece))
	}
	s.values = append(s.values, k.value(c.Record()))
	last := &s.pieces[len(s.pieces)-1]
	*last = append(*last, *c.Life)
}

func (s *sortedLives) at(i int) *tracker.Life { return &s.pieces[i/livesPiece][i%livesPiece] }

// each calls f for all in order.
func (s *sortedLives) each(f func(*tracker.Life)) {
	order := make([]int, len(s.values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		if c := s.key.compare(&s.values[a], &s.values[b]); c != 0 {
			return c
		}
		x, y := s.at(a), s.at(b)
		return cmp.Or(cmp.Compare(x.ID, y.ID), cmp.Compare(x.Incarnation, y.Incarnation))
	})
	for _, i := range order {
		f(s.at(i))
	}
}
