package report

import (
	"container/heap"
	"slices"
)

// top keeps the first n records of an order, however many are offered.
type top struct {
	n     int
	cmp   order
	recs  []*Record // a heap with the last of them on top
	total uint64    // offered
}

func (t *top) Len() int           { return len(t.recs) }
func (t *top) Less(i, j int) bool { return t.cmp(t.recs[i], t.recs[j]) > 0 }
func (t *top) Swap(i, j int)      { t.recs[i], t.recs[j] = t.recs[j], t.recs[i] }
func (t *top) Push(x any)         { t.recs = append(t.recs, x.(*Record)) }
func (t *top) Pop() any {
	x := t.recs[len(t.recs)-1]
	t.recs = t.recs[:len(t.recs)-1]
	return x
}

// offer copies r if it is among the first n so far.
func (t *top) offer(r *Record) {
	t.total++
	if len(t.recs) < t.n {
		c := *r
		heap.Push(t, &c)
		return
	}
	if t.n > 0 && t.cmp(r, t.recs[0]) < 0 {
		*t.recs[0] = *r
		heap.Fix(t, 0)
	}
}

// sorted returns what was kept, in order.
func (t *top) sorted() []*Record {
	slices.SortFunc(t.recs, t.cmp)
	return t.recs
}

// marked is sorted, with the findings as they are known now.
func (t *top) marked(f *Final) []*Record {
	for _, r := range t.recs {
		f.Mark(r)
	}
	return t.sorted()
}
