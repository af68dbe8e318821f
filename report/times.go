package report

// Times holds durations for their quantiles, in bounded memory: up to 64 as they are,
// more to within 1/16. The same durations in any order make the same quantiles.
type Times struct{ of quantiles }

// Add takes one, ns.
func (t *Times) Add(ns int64) { t.of.add(ns) }

// Merge adds what o holds, which stays as it is.
func (t *Times) Merge(o *Times) { t.of.merge(&o.of) }

// N is how many there are.
func (t *Times) N() uint64 { return t.of.n }

// At is the duration below which the share p of them lies (nearest rank), seconds; NaN
// where there are none.
func (t *Times) At(p float64) float64 { return t.of.at(p) }

// Handshakes are those of the service At(i).
func (l *Services) Handshakes(i int) *Times {
	t := &Times{}
	if n := l.all[i]; n.rtt != 0 {
		t.of.merge(&l.from.rtts[n.rtt-1])
	}
	return t
}
