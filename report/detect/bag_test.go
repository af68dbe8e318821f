package detect

import (
	"testing"
)

func TestBagBounds(t *testing.T) {
	var b Bag[int, int]
	c := life(0, 0)
	asked := 0
	for i := range maxItems + 100 {
		c.Life.ID = uint64(i)
		b.Add(i%2, c, int64(maxItems-i), 0, i, func() []Proof { asked++; return []Proof{{1, "x"}} })
	}
	if asked != 2*maxProven {
		t.Errorf("%d proofs kept", asked)
	}
	x := &Context{current: &Detector{}, swallows: map[string]map[Ref]bool{"": {Ref{0, 0}: true, Ref{2, 0}: true}}}
	gs := b.Groups(x)
	if len(gs) != 2 || gs[0].Key != 1 || gs[0].Count() != maxItems/2+50 || gs[1].Count() != maxItems/2+48 || gs[1].More != 50 {
		t.Errorf("%d groups: %v", len(gs), gs)
	}
	f := gs[1].Finding("s")
	if f.Count != maxItems/2+48 || f.Evidence.Total != f.Count || len(f.Evidence.Connections) != maxShown || f.Evidence.Connections[0].ID != 4 {
		t.Errorf("%+v", f.Evidence)
	}
	if f.First.After(f.Last) || f.First.UnixNano() != 2 || f.Last.UnixNano() != maxItems-4 {
		t.Errorf("from %v to %v", f.First, f.Last)
	}
	gs[1].Keep(func(it *Item[int]) bool { return it.V < 10 })
	if n := len(gs[1].Items); n != 3 { // 4, 6, 8
		t.Errorf("%d kept", n)
	}

	var many Bag[int, struct{}]
	for i := range maxGroups + 3 {
		many.Add(i, c, 0, 0, struct{}{}, nil)
	}
	many.Add(0, c, 0, 0, struct{}{}, nil)
	if len(many.groups) != maxGroups || many.Lost != 3 || len(many.groups[0].Items) != 2 {
		t.Errorf("%d groups, %d lost", len(many.groups), many.Lost)
	}
}
