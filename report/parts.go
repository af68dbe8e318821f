package report

import (
	"fmt"
	"strings"
)

// Parts is a set of what an output may show.
type Parts uint8

// The parts, by the names that --show takes.
const (
	PartSummary Parts = 1 << iota
	PartFindings
	PartConnections
	PartTransitions
	PartStates // endpoints in each state over time
	PartServices
	PartTop // tables only: the connections of most interest
)

var partNames = []string{"summary", "findings", "connections", "transitions", "states", "services", "top"}

// ParseParts reads a comma-separated list of parts.
func ParseParts(s string) (p Parts, err error) {
next:
	for _, w := range strings.Split(s, ",") {
		for i, n := range partNames {
			if strings.TrimSpace(w) == n {
				p |= 1 << i
				continue next
			}
		}
		return 0, fmt.Errorf("unknown part %q: it is one of %s", w, strings.Join(partNames, ", "))
	}
	return p, nil
}

// Has reports whether p holds all of q.
func (p Parts) Has(q Parts) bool { return p&q == q }

// String lists the names, comma-separated.
func (p Parts) String() string {
	var l []string
	for i, n := range partNames {
		if p&(1<<i) != 0 {
			l = append(l, n)
		}
	}
	return strings.Join(l, ",")
}
