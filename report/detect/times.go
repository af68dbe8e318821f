package detect

import (
	"slices"
	"sort"
)

// Times remembers when something happened, such that "was there any between a
// and b?" has an exact answer wherever a and b lie more than a second apart. It
// keeps the first and the last time of each second, or of longer parts, wherever
// there are too many: then a and b have to lie as far apart.
type Times struct {
	parts []part // by time
	from  int64  // where the latest part begins
	width int64  // of a part, ns; 0 for a second
	n     int
}

// part holds the first and the last time of a part.
type part struct{ first, last int64 }

const second = 1e9

// Add notes a time, ns.
func (t *Times) Add(at int64) {
	t.n++
	w := max(t.width, second)
	k := len(t.parts)
	switch {
	case k > 0 && at >= t.from && at-t.from < w:
		t.parts[k-1].add(part{at, at})
	case k == 0 || at > t.from:
		t.parts = append(t.parts, part{at, at})
		t.from = floor(at, w) * w
	default:
		// Of a life that ended long after this.
		begin := floor(at, w) * w
		i := t.since(begin)
		if t.parts[i].first-begin < w {
			t.parts[i].add(part{at, at})
		} else {
			t.parts = slices.Insert(t.parts, i, part{at, at})
		}
	}
}

func (p *part) add(o part) { p.first, p.last = min(p.first, o.first), max(p.last, o.last) }

// since is the index of the first part that has a time at or after a.
func (t *Times) since(a int64) int {
	return sort.Search(len(t.parts), func(i int) bool { return t.parts[i].last >= a })
}

// N is how many there were, First and Last when.
func (t *Times) N() int { return t.n }

func (t *Times) First() int64 {
	if t.n == 0 {
		return 0
	}
	return t.parts[0].first
}

func (t *Times) Last() int64 {
	if t.n == 0 {
		return 0
	}
	return t.parts[len(t.parts)-1].last
}

// Between reports whether there was one at or after a, and at or before b.
func (t *Times) Between(a, b int64) bool {
	for _, p := range t.parts[t.since(a):] {
		if p.first > b || b < a {
			return false
		}
		if p.first >= a || p.last <= b {
			return true
		}
	}
	return false
}

// Around reports whether there was one within w of the time at.
func (t *Times) Around(at, w int64) bool { return t.Between(at-w, at+w) }

// Next returns the first time after a; false where there is none. In a's own
// part it may be a later one of that part.
func (t *Times) Next(a int64) (int64, bool) {
	i := sort.Search(len(t.parts), func(i int) bool { return t.parts[i].last > a })
	switch {
	case i == len(t.parts):
		return 0, false
	case t.parts[i].first > a:
		return t.parts[i].first, true
	}
	return t.parts[i].last, true
}

func floorSecond(at int64) int64 { return floor(at, second) }

// floor is at/width, rounded down.
func floor(at, width int64) int64 {
	s := at / width
	if at%width < 0 {
		s--
	}
	return s
}

// coarsen joins the parts to such of that width, a multiple of theirs.
func (t *Times) coarsen(width int64) {
	t.width = width
	if len(t.parts) == 0 {
		return
	}
	joined := t.parts[:1]
	for _, p := range t.parts[1:] {
		if last := &joined[len(joined)-1]; floor(p.first, width) == floor(last.first, width) {
			last.add(p)
		} else {
			joined = append(joined, p)
		}
	}
	t.parts = joined
	t.from = floor(joined[len(joined)-1].first, width) * width
}
