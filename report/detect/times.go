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
	from   int64 // where the latest part begins
	latest part
	n      int
	width  int64  // of a part, ns; 0 for a second
	parts  []part // those before, by time
}

// part holds the first and the last time of a part.
type part struct{ first, last int64 }

const second = 1e9

// Add notes a time, ns.
func (t *Times) Add(at int64) { t.add(at) }

// add reports whether there is one part more for it.
func (t *Times) add(at int64) bool {
	t.n++
	w := max(t.width, second)
	switch {
	case t.n > 1 && at >= t.from && at-t.from < w:
		t.latest.add(part{at, at})
		return false
	case t.n == 1 || at > t.from:
		if t.n > 1 {
			t.parts = append(snug(t.parts), t.latest)
		}
		t.latest = part{at, at}
		t.from = floor(at, w) * w
		return true
	}
	// Of a life that ended long after this.
	begin := floor(at, w) * w
	i := t.lately(begin)
	if i < len(t.parts) && t.parts[i].first-begin < w {
		t.parts[i].add(part{at, at})
		return false
	}
	t.parts = slices.Insert(t.parts, i, part{at, at})
	return true
}

// snug makes room for one part more and not many: there are as many lists of parts as
// services, and most of them are of the same length.
func snug(l []part) []part {
	if len(l) < cap(l) {
		return l
	}
	return append(make([]part, 0, len(l)+max(4, len(l)/4)), l...)
}

// kept is how many parts there are.
func (t *Times) kept() int { return len(t.parts) + min(t.n, 1) }

// at is a part, by its index.
func (t *Times) at(i int) part {
	if i == len(t.parts) {
		return t.latest
	}
	return t.parts[i]
}

func (p *part) add(o part) { p.first, p.last = min(p.first, o.first), max(p.last, o.last) }

// since is the index of the first part that has a time at or after a.
func (t *Times) since(a int64) int {
	return sort.Search(len(t.parts), func(i int) bool { return t.parts[i].last >= a })
}

// before reads the part before the latest, see fetcher.
func (t *Times) before() uint64 {
	if k := len(t.parts); k > 0 {
		return uint64(t.parts[k-1].last)
	}
	return 0
}

// lately is since for a time that most likely is not long ago.
func (t *Times) lately(a int64) int {
	i := len(t.parts)
	for range 8 {
		if i == 0 || t.parts[i-1].last < a {
			return i
		}
		i--
	}
	return sort.Search(i, func(k int) bool { return t.parts[k].last >= a })
}

// N is how many there were, First and Last when.
func (t *Times) N() int { return t.n }

func (t *Times) First() int64 {
	if t.n == 0 {
		return 0
	}
	return t.at(0).first
}

func (t *Times) Last() int64 {
	if t.n == 0 {
		return 0
	}
	return t.latest.last
}

// Between reports whether there was one at or after a, and at or before b.
func (t *Times) Between(a, b int64) bool {
	for i := t.since(a); i < t.kept() && b >= a; i++ {
		switch p := t.at(i); {
		case p.first > b:
			return false
		case p.first >= a, p.last <= b && p.last >= a:
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
	if t.n == 0 || t.latest.last <= a {
		return 0, false
	}
	p := t.at(t.since(a + 1))
	if p.first > a {
		return p.first, true
	}
	return p.last, true
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
	if t.n == 0 {
		return
	}
	all := append(t.parts, t.latest)
	joined := all[:1]
	for _, p := range all[1:] {
		if last := &joined[len(joined)-1]; floor(p.first, width) == floor(last.first, width) {
			last.add(p)
		} else {
			joined = append(joined, p)
		}
	}
	k := len(joined) - 1
	t.latest, t.parts = joined[k], joined[:k]
	t.from = floor(t.latest.first, width) * width
}
