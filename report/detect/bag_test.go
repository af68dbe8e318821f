package detect

import (
	"fmt"
	"math/bits"
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
	if doublings := bits.Len(maxItems / 2 / maxProven); asked != 2*maxProven*doublings {
		t.Errorf("%d proofs kept, of the first %d and in %d doublings", asked, maxProven, doublings-1)
	}
	gone := &refSet{}
	gone.add(Ref{0, 0})
	gone.add(Ref{2, 0})
	x := &Context{current: &Detector{}, swallows: map[string]*refSet{"": gone}}
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

// However many connections another finding swallows, what is left has evidence.
func TestBagSwallowed(t *testing.T) {
	const n = 3000
	for _, left := range []int{1, 2, 17, n / 2, n - 1} {
		var b Bag[int, int]
		c := life(0, 0)
		gone := &refSet{}
		for i := range n {
			c.Life.ID, c.Life.FirstFrame = uint64(i), uint64(10*i+1)
			b.Add(7, c, int64(i), int64(i), i, func() []Proof { return []Proof{{uint64(10*i + 2), fmt.Sprint(i)}} })
			if i < n-left {
				gone.add(Ref{uint64(i), 0})
			}
		}
		gs := b.Groups(&Context{current: &Detector{}, swallows: map[string]*refSet{"": gone}})
		f := gs[0].Finding("s")
		if f.Count != left || f.Evidence.Total != left || len(f.Evidence.Connections) == 0 || len(f.Evidence.Connections) > min(left, maxShown) {
			t.Fatalf("%d left: %+v", left, f)
		}
		for _, p := range f.Evidence.Connections {
			if own := p.Frames[0].Frame / 10; p.ID < n-uint64(left) || own != p.ID {
				t.Errorf("%d left: %+v", left, p)
			}
		}
		if left > n/2 && f.Evidence.Connections[0].Frames[0].Text == "" {
			t.Errorf("%d left: no proof", left)
		}
	}
}

// Subjects that begin with the same connection at the same time keep the order in
// which they came.
func TestBagOrder(t *testing.T) {
	for range 20 {
		var b Bag[string, int]
		c := life(3, 0)
		for _, key := range []string{"server", "client", "b", "a"} {
			b.Add(key, c, 5, 5, 0, nil)
		}
		var keys string
		for _, g := range b.Groups(&Context{current: &Detector{}}) {
			keys += g.Key + " "
		}
		if keys != "server client b a " {
			t.Fatal(keys)
		}
	}
}
