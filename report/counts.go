package report

import "strconv"

// Count is one named number.
type Count struct {
	Name string
	N    uint64
}

// Counts is an object of numbers whose keys keep their order.
type Counts []Count

// MarshalJSON writes {"name":n,...} in order.
func (c Counts) MarshalJSON() ([]byte, error) { return c.appendJSON(nil), nil }

func (c Counts) appendJSON(b []byte) []byte {
	b = append(b, '{')
	for i, x := range c {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, x.Name)
		b = append(b, ':')
		b = strconv.AppendUint(b, x.N, 10)
	}
	return append(b, '}')
}

// Get is the number under that name, 0 if there is none.
func (c Counts) Get(name string) uint64 {
	for _, x := range c {
		if x.Name == name {
			return x.N
		}
	}
	return 0
}

// Sum is the total.
func (c Counts) Sum() (n uint64) {
	for _, x := range c {
		n += x.N
	}
	return n
}
