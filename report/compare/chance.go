package compare

import "math"

// Two runs of the same thing never count the same. What is marked differs by more than
// chance explains: if both sides drew from the same, one in a hundred pairs would be as
// far apart. It is not reckoned with how many rows there are, so of a hundred that chance
// alone moves, one is marked.
//
// Connections are taken for independent draws. Where they hang together (one accident
// that resets a hundred of them), chance explains more than is reckoned here.

// level is the probability of a mark where nothing changed, and z99 the deviation of a
// normal distribution that it goes with, on both sides.
const (
	level = 0.01
	z99   = 2.5758293035489004
)

// leastExpected is how many are expected in each cell before the normal distribution
// stands for the exact one (Cochran, Some methods for strengthening the common χ² tests,
// Biometrics 10 (1954), section 3).
const leastExpected = 5

// mostCounted is how far the logarithms of factorials are exact enough.
const mostCounted = 1 << 40

// Odds say what is known of a difference.
type Odds uint8

const (
	Untested Odds = iota // there is no test for it, or not enough is known
	Chance               // chance explains it
	Marked               // it does not
)

func odds(marked bool) Odds {
	if marked {
		return Marked
	}
	return Chance
}

// shares compares a of m with b of n: the two-proportion z-test with pooled variance
// (NIST/SEMATECH e-Handbook of Statistical Methods, section 7.3.3), and Fisher's exact
// test where a cell expects too few.
func shares(a, m, b, n uint64) Odds {
	if m == 0 || n == 0 || a > m || b > n || max(m, n) > mostCounted {
		return Untested
	}
	x, y, M, N := float64(a), float64(b), float64(m), float64(n)
	p := (x + y) / (M + N)
	if min(p, 1-p)*min(M, N) < leastExpected {
		return odds(fisher(a, m, b, n) < level)
	}
	z := (x/M - y/N) / math.Sqrt(p*(1-p)*(1/M+1/N))
	return odds(math.Abs(z) > z99)
}

// fisher is the probability, with all margins as they are, of a table that is no more
// likely than this one (Fisher, Statistical Methods for Research Workers, section 21.02).
func fisher(a, m, b, n uint64) float64 {
	hits := a + b
	least, most := uint64(0), min(hits, m)
	if hits > n {
		least = hits - n
	}
	all := choose(m+n, hits)
	of := func(k uint64) float64 { return choose(m, k) + choose(n, hits-k) - all }
	mode := uint64((float64(hits) + 1) * (float64(m) + 1) / (float64(m) + float64(n) + 2))
	return unlikely(of, a, min(max(mode, least), most), least, most)
}

// unlikely is the probability of the values from least to most that are no more likely
// than k. of is the logarithm of that of one, which falls on both sides of mode; the sum
// ends where nothing is left to add.
func unlikely(of func(uint64) float64, k, mode, least, most uint64) (sum float64) {
	here := of(k)
	add := func(i uint64) bool {
		l := of(i)
		if l <= here+1e-7 {
			sum += math.Exp(l)
		}
		return l > -60 // e^-60 is nothing
	}
	for i := mode; add(i) && i > least; i-- {
	}
	for i := mode + 1; i <= most && add(i); i++ {
	}
	return sum
}

// choose is the logarithm of n over k.
func choose(n, k uint64) float64 {
	return factorial(n) - factorial(k) - factorial(n-k)
}

func factorial(n uint64) float64 {
	v, _ := math.Lgamma(float64(n) + 1)
	return v
}

// rates compares a events among m with b among n, of which each may have had several: given
// their sum, a is binomial (Przyborowski and Wilenski, Biometrika 31 (1940)).
func rates(a, m, b, n uint64) Odds {
	if m == 0 || n == 0 || max(a, b, m, n) > mostCounted {
		return Untested
	}
	p := float64(m) / (float64(m) + float64(n))
	sum := float64(a) + float64(b)
	if sum*min(p, 1-p) >= leastExpected {
		z := (float64(a) - sum*p) / math.Sqrt(sum*p*(1-p))
		return odds(math.Abs(z) > z99)
	}
	return odds(binomial(a, a+b, p) < level)
}

// binomial is the probability of a count of n draws that is no more likely than k.
func binomial(k, n uint64, p float64) float64 {
	of := func(k uint64) float64 {
		return choose(n, k) + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p)
	}
	return unlikely(of, k, min(uint64((float64(n)+1)*p), n), 0, n)
}

// quantile compares the same quantile of two samples: whether the intervals that hold it
// with 99 % each lie apart. These are between two ranks, whatever the distribution (David
// and Nagaraja, Order Statistics, section 7.1), and have no end where the sample is too
// small for one; that they lie apart is rarer by chance than one in a hundred.
func quantile(p float64, a, b Times) Odds {
	if a.All == nil || b.All == nil || a.N == 0 || b.N == 0 {
		return Untested
	}
	loA, hiA := interval(p, a)
	loB, hiB := interval(p, b)
	return odds(hiA < loB || hiB < loA)
}

// interval holds the quantile p with 99 %. What lies below it is binomial, which for many
// is as good as normal.
func interval(p float64, t Times) (lo, hi float64) {
	n := float64(t.N)
	half := z99 * math.Sqrt(n*p*(1-p))
	from, to := math.Floor(n*p-half), math.Ceil(n*p+half)+1
	if t.N <= 200 {
		from, to = n-rankAbove(t.N, 1-p), rankAbove(t.N, p)+1
	}
	lo, hi = math.Inf(-1), math.Inf(1)
	if from >= 1 {
		lo = t.All.At((from - 0.5) / n)
	}
	if to <= n {
		hi = t.All.At((to - 0.5) / n)
	}
	return lo, hi
}

// rankAbove is the least k that more than k of n draws exceed with half of level at most.
func rankAbove(n uint64, p float64) float64 {
	var above float64
	for k := n; ; k-- {
		above += math.Exp(choose(n, k) + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
		if above > level/2 || k == 0 {
			return float64(k)
		}
	}
}
