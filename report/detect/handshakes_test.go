package detect

import (
	"reflect"
	"testing"
)

func TestTimesNext(t *testing.T) {
	var x Times
	if _, ok := x.Next(0); ok {
		t.Error("there is none")
	}
	for _, at := range []int64{5e8, 7e8, 9e8, 20e9, 3e9, -4e9} {
		x.Add(at)
	}
	for _, c := range []struct {
		after, want int64
		ok          bool
	}{
		{-5e9, -4e9, true}, {-4e9, 5e8, true}, {0, 5e8, true}, {9e8, 3e9, true}, {3e9, 20e9, true}, {19e9, 20e9, true}, {20e9, 0, false}, {30e9, 0, false},
		{6e8, 9e8, true}, // in its own second the last may stand for the next
	} {
		if got, ok := x.Next(c.after); got != c.want || ok != c.ok {
			t.Errorf("after %d: %d %v, want %d %v", c.after, got, ok, c.want, c.ok)
		}
	}
}

func TestProofOf(t *testing.T) {
	got := proofOf(frame{9, "c"}, frame{3, "a"}, frame{0, "none"}, frame{5, "b"}, frame{3, "a again"})
	if want := []Proof{{3, "a"}, {5, "b"}, {9, "c"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := proofOf(frame{}); got != nil {
		t.Errorf("%v", got)
	}
}
