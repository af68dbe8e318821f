package policy

import (
	"fmt"
	"math"
	"net/netip"
	"slices"

	"github.com/expr-lang/expr"
)

// The aggregates skip what is not known (NaN), and are NaN of nothing: then every
// comparison with them is false. Those of the library would not.
var aggregates = map[string]func([]float64) float64{
	"min": func(v []float64) float64 {
		if len(v) == 0 {
			return math.NaN()
		}
		return slices.Min(v)
	},
	"max": func(v []float64) float64 {
		if len(v) == 0 {
			return math.NaN()
		}
		return slices.Max(v)
	},
	"mean":   func(v []float64) float64 { return total(v) / float64(len(v)) },
	"median": func(v []float64) float64 { return quantile(v, 0.5) },
	"sum":    total,
}

func total(v []float64) (sum float64) {
	for _, x := range v {
		sum += x
	}
	return sum
}

// quantile is the value below which the share q of all lies, between the two nearest in
// proportion (type 7 of Hyndman and Fan, "Sample Quantiles in Statistical Packages"). v
// is sorted by it.
func quantile(v []float64, q float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	slices.Sort(v)
	at := q * float64(len(v)-1)
	i := int(math.Floor(at))
	if i+1 >= len(v) {
		return v[len(v)-1]
	}
	return v[i] + (at-float64(i))*(v[i+1]-v[i])
}

// inNet reports whether an address, as records have it, lies in a network: in_net(client.addr,
// "10.0.0.0/8").
func inNet(addr, network string) (bool, error) {
	n, err := netip.ParsePrefix(network)
	if err != nil {
		return false, fmt.Errorf("in_net: %q is no network; give it as 10.0.0.0/8", network)
	}
	a, err := netip.ParseAddr(addr)
	return err == nil && n.Contains(a), nil
}

// ours reports whether a function is one that functions adds.
func ours(name string) bool { return aggregates[name] != nil || name == "quantile" || name == "in_net" }

// functions are what expressions may call beside the library's own.
func functions() []expr.Option {
	var o []expr.Option
	o = append(o, expr.Function("in_net", func(params ...any) (any, error) {
		return inNet(params[0].(string), params[1].(string))
	}, new(func(string, string) bool)))
	for name, f := range aggregates {
		o = append(o, expr.DisableBuiltin(name), expr.Function(name, func(params ...any) (any, error) {
			v, err := numbers(params)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			return f(v), nil
		}, new(func([]any) float64), new(func([]float64) float64), new(func([]int) float64), new(func(float64, float64) float64), new(func(...float64) float64)))
	}
	o = append(o, expr.Function("quantile", func(params ...any) (any, error) {
		q, ok := number(params[0])
		if !ok || q < 0 || q > 1 {
			return nil, fmt.Errorf("quantile: the share is a number from 0 to 1, not %v", params[0])
		}
		v, err := numbers(params[1:])
		if err != nil {
			return nil, fmt.Errorf("quantile: %w", err)
		}
		return quantile(v, q), nil
	}, new(func(float64, []any) float64), new(func(float64, []float64) float64), new(func(int, []any) float64), new(func(int, []float64) float64)))
	return o
}

// numbers are those that are known, of one list or several arguments.
func numbers(params []any) (out []float64, err error) {
	add := func(x any) error {
		v, ok := number(x)
		switch {
		case !ok:
			return fmt.Errorf("%v is not a number", x)
		case !math.IsNaN(v):
			out = append(out, v)
		}
		return nil
	}
	for _, p := range params {
		switch l := p.(type) {
		case []float64:
			out = slices.Grow(out, len(l))
			for _, x := range l {
				if !math.IsNaN(x) {
					out = append(out, x)
				}
			}
		case []int:
			for _, x := range l {
				out = append(out, float64(x))
			}
		case []any:
			out = slices.Grow(out, len(l))
			for _, x := range l {
				if err := add(x); err != nil {
					return nil, err
				}
			}
		default:
			if err := add(p); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func number(x any) (float64, bool) {
	switch v := x.(type) {
	case float64:
		return v, true
	case int:
		return float64(v), true
	}
	return 0, false
}
