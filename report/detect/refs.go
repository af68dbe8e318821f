package detect

import (
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

// findingsOf are the findings that lives are part of, by index.
type findingsOf struct {
	first table[uint32] // link of a life's first, plus one
	links []findingLink
	id    []string // of a finding
}

type findingLink struct{ finding, next uint32 }

func newFindingsOf(all []Finding) *findingsOf {
	n := 0
	for i := range all {
		n += len(all[i].refs)
	}
	f := &findingsOf{id: make([]string, len(all)), first: table[uint32]{most: math.MaxInt}, links: make([]findingLink, 0, n)}
	for i := len(all) - 1; i >= 0; i-- {
		f.id[i] = all[i].ID
		for _, r := range all[i].refs {
			head := f.first.at(r.key())
			f.links = append(f.links, findingLink{uint32(i), *head})
			*head = uint32(len(f.links))
		}
	}
	return f
}

// ids are the ids of a life's findings, in their order.
func (f *findingsOf) ids(r Ref) (ids []string) {
	if f == nil {
		return nil
	}
	head := f.first.find(r.key())
	if head == nil {
		return nil
	}
	for i := *head; i != 0; i = f.links[i-1].next {
		if id := f.id[f.links[i-1].finding]; !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}
