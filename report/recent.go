package report

import (
	"math"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// recent keeps the lives of a live capture that were told of lately, for what is looked
// for now. The most of two kinds are kept: of those that have something to show, and of
// the others, so that a crowd of the others does not drive them out.
type recent struct {
	odd, plain ring
}

// keptOf is one of how many lives of a term (LiveOptions.Term) are kept of each kind: 2 kB
// each at the most, but for long trails.
const keptOf = 16

// commonSigns are what lives show that have nothing to show.
const commonSigns = tracker.SignLife | tracker.SignSyn | tracker.SignDone | tracker.SignFin | tracker.SignBare

// ring holds the latest cases, at first all that come. A slot's memory is used again.
type ring struct {
	most int
	all  []keptCase
	next int   // the oldest, once it is full
	gone int64 // the end of the latest life that was dropped to make room
}

type keptCase struct {
	c      tracker.Case
	life   tracker.Life
	events []tracker.Event
	quotes []capture.Quote
}

func newRecent(most int) *recent {
	return &recent{ring{most: most, gone: math.MinInt64}, ring{most: most, gone: math.MinInt64}}
}

// add keeps a case and all that it points to.
func (r *recent) add(c *tracker.Case) {
	if c.Signs&^commonSigns == 0 {
		r.plain.add(c)
	} else {
		r.odd.add(c)
	}
}

func (r *ring) add(c *tracker.Case) {
	var k *keptCase
	if len(r.all) < r.most {
		r.all = append(r.all, keptCase{})
		k = &r.all[len(r.all)-1]
	} else {
		k = &r.all[r.next]
		r.next = (r.next + 1) % r.most
		r.gone = max(r.gone, k.life.End)
	}
	k.c, k.life = *c, *c.Life
	k.events = refill(k.events, c.Trail.Events)
	k.quotes = refill(k.quotes, c.Trail.Quotes)
}

// refill copies into memory that was used before, unless that is far more than it takes:
// or else every slot came to have what the longest trail of all took, in time.
func refill[T any](old, all []T) []T {
	if cap(old) > 2*len(all)+16 {
		old = make([]T, 0, len(all))
	}
	return append(old[:0], all...)
}

// each calls f for the lives with a segment at since or later, as they are at now.
func (r *recent) each(since, now int64, f func(*tracker.Case)) {
	for _, x := range []*ring{&r.plain, &r.odd} {
		for i := range x.all {
			k := &x.all[(x.next+i)%len(x.all)]
			if k.life.End < since {
				continue
			}
			c := &k.c
			c.Life, c.Now = &k.life, now
			c.Trail.Events, c.Trail.Quotes = k.events, k.quotes
			f(c)
		}
	}
}

// since is from when on all lives are kept, given that they are wanted since a time.
func (r *recent) since(at int64) int64 { return max(at, r.odd.gone, r.plain.gone) }
