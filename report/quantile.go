package report

import (
	"math"
	"math/bits"
	"slices"
)

// exactValues is how many values a quantiles keeps as they are. Most services
// of a capture have fewer connections; beyond it values are counted in
// buckets of at most 1/16 relative width.
const exactValues = 64

// Buckets: 16 for each power of two of nanoseconds from 2^10 (1 µs) up to
// 2^42 (73 min); what lies outside counts in the first or the last.
const (
	bucketBits  = 4
	bucketFirst = 10
	bucketLast  = 42
	numBuckets  = (bucketLast - bucketFirst) << bucketBits
)

// quantiles holds times in nanoseconds for their quantiles, in bounded
// memory. The result does not depend on the order of the values, nor on how
// they were split among several before merge.
type quantiles struct {
	n      uint64
	values []int64 // all of them while n <= exactValues; else those that are not counted yet
	// counts are those of the buckets from first on, whole powers of two and no
	// more of them than were met: the handshakes of a service are much alike.
	// They lie far from each other, so that many values are counted at a time.
	counts []uint32
	first  int
}

func (q *quantiles) add(ns int64) {
	q.n++
	if len(q.values) == exactValues {
		q.spill()
	}
	q.values = append(q.values, ns)
}

// spill turns the values into counts.
func (q *quantiles) spill() {
	if q.counts == nil {
		q.counts = []uint32{} // there may be no values
	}
	for _, v := range q.values {
		q.count(bucket(v), 1)
	}
	q.values = q.values[:0]
}

func (q *quantiles) count(i int, n uint32) {
	if at := i - q.first; at < 0 || at >= len(q.counts) {
		q.widen(i)
	}
	count(&q.counts[i-q.first], n)
}

// widen makes room for bucket i.
func (q *quantiles) widen(i int) {
	const power = 1 << bucketBits
	first, end := i&^(power-1), (i|(power-1))+1
	if len(q.counts) > 0 {
		first, end = min(first, q.first), max(end, q.first+len(q.counts))
	}
	wider := make([]uint32, end-first)
	if len(q.counts) > 0 {
		copy(wider[q.first-first:], q.counts)
	}
	q.counts, q.first = wider, first
}

// merge adds what o holds.
func (q *quantiles) merge(o *quantiles) {
	for _, v := range o.values {
		q.add(v)
	}
	if o.counts == nil {
		return
	}
	if q.counts == nil {
		q.spill()
	}
	q.n += o.n - uint64(len(o.values))
	for i, c := range o.counts {
		if c > 0 {
			q.count(o.first+i, c)
		}
	}
}

// at is the value below which the share p lies (nearest rank), in seconds;
// NaN if there are no values.
func (q *quantiles) at(p float64) float64 {
	if q.n == 0 {
		return nan
	}
	rank := max(uint64(math.Ceil(p*float64(q.n))), 1)
	if q.counts == nil {
		v := slices.Clone(q.values)
		slices.Sort(v)
		return seconds(v[rank-1])
	}
	q.spill()
	for i, c := range q.counts {
		if uint64(c) >= rank {
			return seconds(bucketMiddle(q.first + i))
		}
		rank -= uint64(c)
	}
	return seconds(bucketMiddle(numBuckets - 1))
}

func bucket(ns int64) int {
	if ns < 1<<bucketFirst {
		return 0
	}
	e := bits.Len64(uint64(ns)) - 1
	if e >= bucketLast {
		return numBuckets - 1
	}
	return (e-bucketFirst)<<bucketBits | int(ns>>(e-bucketBits))&(1<<bucketBits-1)
}

func bucketMiddle(i int) int64 {
	e := i>>bucketBits + bucketFirst
	width := int64(1) << (e - bucketBits)
	return int64(1)<<e + int64(i&(1<<bucketBits-1))*width + width/2
}
