package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"tcpstate/tracker"
)

// Grouping is the value of --group-by.
type Grouping uint8

const (
	GroupNone Grouping = iota
	GroupState
	GroupService // address and port of the server
	GroupHost    // address of the endpoint
)

var groupNames = []string{"", "state", "service", "host"}

func (g Grouping) String() string { return groupNames[g] }

// ParseGrouping reads the value of --group-by.
func ParseGrouping(s string) (Grouping, error) {
	if i := slices.Index(groupNames, s); i > 0 {
		return Grouping(i), nil
	}
	return 0, fmt.Errorf("%q: it is one of %s", s, strings.Join(groupNames[1:], ", "))
}

// InstantGroup counts endpoints that have a group and a state in common, and with
// GroupService the end, too.
type InstantGroup struct {
	Name     string // of the service or the host; "" with GroupState
	Endpoint string // client or server; "" but with GroupService
	State    tracker.State
	InstantCount
}

// Groups counts the endpoints that are not CLOSED. States stand in the order of the
// protocol; of services and hosts the one with the most endpoints comes first.
func (v *InstantView) Groups(by Grouping) []InstantGroup {
	type group struct {
		name  string
		total uint64
		n     [2][tracker.NumStates]InstantCount // clients, servers
	}
	all := map[string]*group{}
	v.eachEndpoint(func(s *spot, role int, e *spotEnd) {
		name, at := "", 0
		switch by {
		case GroupService:
			name, at = s.addr(1).String(), role
		case GroupHost:
			name = s.addr(role).Addr().String()
		}
		g := all[name]
		if g == nil {
			g = &group{name: name}
			all[name] = g
		}
		g.total++
		g.n[at][e.state].add(e.certainty)
	})
	order := make([]*group, 0, len(all))
	for _, g := range all {
		order = append(order, g)
	}
	slices.SortFunc(order, func(a, b *group) int { return cmp.Or(-cmp.Compare(a.total, b.total), cmp.Compare(a.name, b.name)) })
	var l []InstantGroup
	for _, g := range order {
		for role := range g.n {
			for s, n := range g.n[role] {
				if n.Sum() == 0 {
					continue
				}
				x := InstantGroup{Name: g.name, State: tracker.State(s), InstantCount: n}
				if by == GroupService {
					x.Endpoint = [...]string{"client", "server"}[role]
				}
				l = append(l, x)
			}
		}
	}
	return l
}
