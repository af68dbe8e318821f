package detect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// MarshalJSON makes one object of them, in their order.
func (m Metrics) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, x := range m {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendQuote(b, x.Name) // names are plain words
		b = append(b, ':')
		if math.IsNaN(x.Value) || math.IsInf(x.Value, 0) {
			b = append(b, "null"...)
			continue
		}
		b = append(b, Number(x.Value)...)
	}
	return append(b, '}'), nil
}

// UnmarshalJSON reads them back, in the order of the text.
func (m *Metrics) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("metrics are an object")
	}
	*m = Metrics{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var v *float64
		if err := d.Decode(&v); err != nil {
			return err
		}
		x := Metric{name.(string), math.NaN()}
		if v != nil {
			x.Value = *v
		}
		*m = append(*m, x)
	}
	return nil
}

// Number writes a metric's value: six digits after the point at most.
func Number(v float64) string {
	s := strconv.FormatFloat(v, 'f', 6, 64)
	for s[len(s)-1] == '0' {
		s = s[:len(s)-1]
	}
	if s[len(s)-1] == '.' {
		s = s[:len(s)-1]
	}
	if s == "-0" {
		return "0"
	}
	return s
}
