package compare

import (
	"math"
	"math/big"
	"testing"

	"tcpstate/report"
)

// Fisher's own example, the lady tasting tea: of four cups with the milk first she named
// three. Two textbook tables beside it.
func TestFisher(t *testing.T) {
	for _, x := range []struct {
		a, m, b, n uint64
		want       float64
	}{
		{3, 4, 1, 4, 34.0 / 70},
		{4, 4, 0, 4, 2.0 / 70},
		{1, 12, 9, 12, 0.0027594561}, // 1 of 12 against 9 of 12: scipy.stats.fisher_exact([[1, 11], [9, 3]])
		{0, 1, 0, 1000, 1},
		{5, 5, 7, 7, 1},
	} {
		if got := fisher(x.a, x.m, x.b, x.n); math.Abs(got-x.want) > 1e-9 {
			t.Errorf("%d of %d against %d of %d: %.10f, not %.10f", x.a, x.m, x.b, x.n, got, x.want)
		}
	}
}

// Both exact tests agree with exact arithmetic on all small tables.
func TestExactTests(t *testing.T) {
	c := func(n, k uint64) *big.Rat { return new(big.Rat).SetInt(new(big.Int).Binomial(int64(n), int64(k))) }
	of := func(n int, p func(k uint64) *big.Rat, k uint64) float64 {
		sum := new(big.Rat)
		for i := range uint64(n) + 1 {
			if q := p(i); q.Cmp(p(k)) <= 0 {
				sum.Add(sum, q)
			}
		}
		f, _ := sum.Float64()
		return f
	}
	for m := uint64(1); m <= 7; m++ {
		for n := uint64(1); n <= 7; n++ {
			for a := range m + 1 {
				for b := range n + 1 {
					hyper := func(k uint64) *big.Rat {
						if k > m || k > a+b || a+b-k > n {
							return new(big.Rat)
						}
						q := new(big.Rat).Mul(c(m, k), c(n, a+b-k))
						return q.Quo(q, c(m+n, a+b))
					}
					if got, want := fisher(a, m, b, n), of(int(min(m, a+b)), hyper, a); math.Abs(got-want) > 1e-6 {
						t.Errorf("fisher %d/%d %d/%d: %g, not %g", a, m, b, n, got, want)
					}
					p := big.NewRat(int64(m), int64(m+n))
					power := func(r *big.Rat, k uint64) *big.Rat {
						out := big.NewRat(1, 1)
						for range k {
							out.Mul(out, r)
						}
						return out
					}
					draw := func(k uint64) *big.Rat {
						q := new(big.Rat).Mul(c(a+b, k), power(p, k))
						return q.Mul(q, power(new(big.Rat).Sub(big.NewRat(1, 1), p), a+b-k))
					}
					f, _ := p.Float64()
					if got, want := binomial(a, a+b, f), of(int(a+b), draw, a); math.Abs(got-want) > 1e-6 {
						t.Errorf("binomial %d of %d, %v: %g, not %g", a, a+b, p, got, want)
					}
				}
			}
		}
	}
}

func TestShares(t *testing.T) {
	for _, x := range []struct {
		a, m, b, n uint64
		want       Odds
	}{
		{0, 0, 5, 10, Untested}, // nothing to compare with
		{11, 10, 5, 10, Untested},
		{0, 10, 0, 10, Chance},
		{10, 10, 10, 10, Chance},
		{1, 1, 0, 60, Chance},  // one in sixty-one is not rarer than one in a hundred
		{1, 1, 0, 120, Marked}, // one in 121 is
		{5, 10, 9, 10, Chance},
		{50, 100, 68, 100, Marked}, // z = 2.587
		{50, 100, 67, 100, Chance}, // z = 2.440
		{100, 1000, 137, 1000, Chance},
		{100, 1000, 140, 1000, Marked},
		{0, 1_000_000, 1_000_000, 1_000_000, Marked},
		{1, 1 << 41, 1, 1 << 41, Untested},
	} {
		for _, y := range []Odds{shares(x.a, x.m, x.b, x.n), shares(x.b, x.n, x.a, x.m)} {
			if y != x.want {
				t.Errorf("%d of %d against %d of %d: %d, not %d", x.a, x.m, x.b, x.n, y, x.want)
			}
		}
	}
}

// Of pairs drawn from the same, no more are marked than is said; of pairs that differ
// much, nearly all.
func TestMarksAreAsRareAsIsSaid(t *testing.T) {
	draw := uint64(1)
	random := func() float64 {
		draw = draw*6364136223846793005 + 1442695040888963407
		return float64(draw>>11) / (1 << 53)
	}
	of := func(n uint64, p float64) (hits uint64) {
		for range n {
			if random() < p {
				hits++
			}
		}
		return hits
	}
	const pairs = 4000
	for _, x := range []struct {
		m, n uint64
		p, q float64
		most float64 // share of marks, or at least if p and q differ
	}{
		{200, 300, 0.5, 0.5, 0.02}, {30, 30, 0.02, 0.02, 0.02}, {1000, 50, 0.9, 0.9, 0.02}, {200, 200, 0.2, 0.6, 0.95},
	} {
		marks := 0
		for range pairs {
			if shares(of(x.m, x.p), x.m, of(x.n, x.q), x.n) == Marked {
				marks++
			}
		}
		if share := float64(marks) / pairs; (x.p == x.q) != (share <= x.most) {
			t.Errorf("%v: %.3f are marked", x, share)
		}
	}
}

func TestRates(t *testing.T) {
	for _, x := range []struct {
		a, m, b, n uint64
		want       Odds
	}{
		{3, 0, 5, 10, Untested},
		{20, 10, 21, 10, Chance},
		{20, 10, 45, 10, Marked}, // z = 3.10
		{20, 10, 45, 22, Chance}, // as many for each connection
		{1, 10, 5, 10, Chance},
		{0, 10, 9, 10, Marked}, // 2 · 2^-9
		{0, 10, 7, 10, Chance}, // 2 · 2^-7
	} {
		for _, y := range []Odds{rates(x.a, x.m, x.b, x.n), rates(x.b, x.n, x.a, x.m)} {
			if y != x.want {
				t.Errorf("%d among %d against %d among %d: %d, not %d", x.a, x.m, x.b, x.n, y, x.want)
			}
		}
	}
}

// times are n handshakes that take from, from+step, ... ns.
func times(n, from, step int64) Times {
	t := &report.Times{}
	for i := range n {
		t.Add(from + i*step)
	}
	return newTimes(t)
}

func TestQuantiles(t *testing.T) {
	for _, x := range []struct {
		p    float64
		a, b Times
		want Odds
	}{
		{0.5, times(50, 1e6, 1e3), times(50, 2e6, 1e3), Marked},
		{0.5, times(50, 1e6, 1e5), times(50, 2e6, 1e5), Chance}, // they overlap
		{0.5, times(7, 1e6, 1e3), times(7, 9e6, 1e3), Chance},   // too few for an interval: 2 · 2^-7 > 0.01
		{0.5, times(8, 1e6, 1e3), times(8, 9e6, 1e3), Marked},   // the first to the last of eight hold it with 99.2 %
		{0.5, times(0, 0, 0), times(50, 1e6, 1e3), Untested},
		{0.5, Times{N: 50, P50: 1, P99: 1}, times(50, 1e6, 1e3), Untested}, // only the quantiles are known
		{0.99, times(50, 1e6, 1e3), times(50, 2e6, 1e3), Chance},           // the 99th of fifty is the last
		{0.99, times(2000, 1e6, 1e3), times(2000, 9e6, 1e3), Marked},
		{0.5, times(2000, 1e6, 10), times(2000, 1e6, 11), Chance},
	} {
		if a, b := quantile(x.p, x.a, x.b), quantile(x.p, x.b, x.a); a != x.want || b != x.want {
			t.Errorf("%g of %v and %v: %d and %d, not %d", x.p, x.a, x.b, a, b, x.want)
		}
	}
}

// The intervals hold the quantile of what was drawn from as often as is said, exact and
// not.
func TestIntervalsHold(t *testing.T) {
	draw := uint64(7)
	for _, n := range []int64{8, 30, 200, 201, 1000} {
		for _, p := range []float64{0.5, 0.99} {
			const runs = 2000
			held := 0
			for range runs {
				all := &report.Times{}
				for range n {
					draw = draw*6364136223846793005 + 1442695040888963407
					all.Add(int64(draw >> 34)) // up to 2^30, all alike
				}
				lo, hi := interval(p, newTimes(all))
				if q := p * (1 << 30) / 1e9; lo <= q*17/16 && q <= hi*17/16 { // many are counted in buckets
					held++
				}
			}
			if share := float64(held) / runs; share < 0.985 {
				t.Errorf("%d, %g: %.4f of the intervals hold it", n, p, share)
			}
		}
	}
	if lo, hi := interval(0.5, times(8, 1, 1)); lo != 1e-9 || hi != 8e-9 {
		t.Errorf("of eight: %g to %g", lo, hi)
	}
	if _, hi := interval(0.99, times(300, 1, 1)); !math.IsInf(hi, 1) {
		t.Errorf("the 99th of 300 may lie beyond the last: %g", hi)
	}
}
