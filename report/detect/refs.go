package detect

import (
	"cmp"
	"math"
	"slices"
)

// refSet is a set of lives. There may be as many as a flood has attempts.
type refSet struct{ table[struct{}] }

// key is the key of a life in a table: its own as long as there are fewer than 2^40
// streams that live again less than 2^24 times.
func (r Ref) key() uint64 {
	if r.ID < 1<<40 && r.Incarnation < 1<<24 {
		return r.ID<<24 | uint64(r.Incarnation)
	}
	return mix(r.ID, uint64(r.Incarnation))
}

func (s *refSet) add(r Ref) {
	s.most = math.MaxInt
	s.at(r.key())
}

func (s *refSet) has(r Ref) bool { return s != nil && s.find(r.key()) != nil }

// findingsOf are the findings that lives are part of.
type findingsOf struct {
	links []findingLink // by life, and of each by finding
	id    []string      // of a finding
}

// findingLink says that a life is part of a finding, by the key of the one and the index
// of the other.
type findingLink struct {
	life    uint64
	finding uint32
}

func newFindingsOf(all []Finding) *findingsOf {
	n := 0
	for i := range all {
		n += len(all[i].refs)
	}
	f := &findingsOf{id: make([]string, len(all)), links: make([]findingLink, 0, n)}
	for i := range all {
		f.id[i] = all[i].ID
		for _, r := range all[i].refs {
			f.links = append(f.links, findingLink{r.key(), uint32(i)})
		}
	}
	slices.SortFunc(f.links, func(a, b findingLink) int {
		return cmp.Or(cmp.Compare(a.life, b.life), cmp.Compare(a.finding, b.finding))
	})
	return f
}

// ids are the ids of a life's findings, in their order.
func (f *findingsOf) ids(r Ref) (ids []string) {
	if f == nil {
		return nil
	}
	k := r.key()
	i, _ := slices.BinarySearchFunc(f.links, k, func(l findingLink, k uint64) int { return cmp.Compare(l.life, k) })
	for ; i < len(f.links) && f.links[i].life == k; i++ {
		if id := f.id[f.links[i].finding]; !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}
