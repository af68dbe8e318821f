package detect

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
)

// What is written is read back, whatever the numbers.
func TestShorthand(t *testing.T) {
	type all struct {
		a, b uint64
		c, d int64
		e    uint32
		f    uint8
		g, h bool
	}
	fields := func(s *shorthand, v *all) {
		s.unsigned(&v.a)
		s.frame(&v.b)
		s.signed(&v.c)
		s.moment(&v.d)
		s.count(&v.e)
		s.octet(&v.f)
		s.flags(&v.g, &v.h)
	}
	for _, want := range []all{
		{},
		{1, 1, 1, 1, 1, 1, true, false},
		{math.MaxUint64, math.MaxInt64, math.MinInt64, math.MaxInt64, math.MaxUint32, math.MaxUint8, false, true},
		{300, 999, -1, 1e18, 200, 200, true, true},
		{127, 1000, 63, -1e18, 128, 0, false, false},
	} {
		s := shorthand{begins: 1000, at: 1e18}
		v := want
		if fields(&s, &v); v != want {
			t.Errorf("writing makes %+v of %+v", v, want)
		}
		s.reading = true
		var got all
		if fields(&s, &got); got != want || len(s.b) != 0 {
			t.Errorf("%+v is read as %+v, and %d octets are left", want, got, len(s.b))
		}
	}
}

// Groups have the same connections whether these waited as octets or not.
func TestBagNotes(t *testing.T) {
	words := func(key int, it *Item[[12]uint64]) []Proof {
		return []Proof{{it.begins - 1, fmt.Sprint(key, it.V)}, {it.begins, "it begins"}}
	}
	plain := Bag[int, [12]uint64]{words: words}
	noted := Bag[int, [12]uint64]{words: words, note: func(s *shorthand, v *[12]uint64) {
		for i := range v {
			s.unsigned(&v[i])
		}
	}}
	r := rand.New(rand.NewPCG(1, 2))
	gone := &refSet{}
	c := life(0, 0)
	for range 5000 {
		c.Life.ID, c.Life.Incarnation, c.Life.FirstFrame = r.Uint64N(1e6), r.Uint32N(3), r.Uint64N(1e7)
		at, lasted, v := r.Int64N(1e18), r.Int64N(1e12)-1e9, [12]uint64{r.Uint64N(5), r.Uint64(), 11: r.Uint64()}
		place, key := r.Uint32N(20), 0
		if key = int(place); place == 0 {
			key = 100 + r.IntN(9)
		}
		var proof func() []Proof
		if key%4 == 0 {
			proof = func() []Proof { return []Proof{{c.Life.FirstFrame, "x"}} }
		}
		if r.IntN(3) == 0 {
			gone.add(RefOf(c))
		}
		for _, b := range []*Bag[int, [12]uint64]{&plain, &noted} {
			b.AddAt(place, key, c, at, at+lasted, v, proof)
		}
	}
	if noted.all[0].Items != nil || len(noted.octets.pieces) < 2 {
		t.Fatalf("%d pieces", len(noted.octets.pieces))
	}
	x := &Context{current: &Detector{}, swallows: map[string]*refSet{"": gone}}
	want, got := plain.Groups(x), noted.Groups(x)
	if len(want) != 28 || len(got) != len(want) {
		t.Fatalf("%d groups and %d", len(got), len(want))
	}
	waiting := 0
	for i := range want {
		f := got[i].Finding("s")
		if f.later != nil {
			if waiting++; f.Evidence.Connections != nil {
				t.Errorf("group %d: its evidence is here and waits", i)
			}
			f = *f.Worded()
		}
		w := want[i].Finding("s")
		if w.Wireshark = filter(w.Evidence.Connections, w.beyond); f.Wireshark == "" {
			f.Wireshark = w.Wireshark
		}
		if got[i].Key != want[i].Key || !reflect.DeepEqual(f, w) {
			t.Errorf("group %d: %+v, not %+v", i, f, w)
		}
		for k := range want[i].Items {
			if g, w := got[i].Items[k], want[i].Items[k]; g.V != w.V || g.Ref != w.Ref || g.At != w.At || g.Last != w.Last || g.proven != w.proven {
				t.Errorf("group %d: %+v, not %+v", i, g, w)
				break
			}
		}
	}
	if waiting < 10 || waiting == len(want) {
		t.Errorf("the evidence of %d groups waits", waiting)
	}
}
