package reassembly

import (
	"testing"

	"pgregory.net/rapid"
)

// The order of sequence numbers is modular: what is less than half the space
// ahead comes later (RFC 9293 section 3.4).
func TestSeqOrder(t *testing.T) {
	const top = Seq(0xffffffff)
	for _, tt := range []struct {
		a, b Seq
		less bool
		diff int32 // of b from a
	}{
		{0, 0, false, 0},
		{0, 1, true, 1},
		{1, 0, false, -1},
		{top, 0, true, 1}, // over the wrap
		{0, top, false, -1},
		{top - 100, 100, true, 201},
		{0x7fffffff, 0x80000000, true, 1}, // the sign of int32 is nothing special
		{0, 0x7fffffff, true, 1<<31 - 1},  // the farthest that is still ahead
		{0x80000001, 0, true, 1<<31 - 1},
		{0, 0x80000001, false, -(1<<31 - 1)},
	} {
		if got := tt.a.Less(tt.b); got != tt.less {
			t.Errorf("%d < %d is %v", tt.a, tt.b, got)
		}
		if got := tt.a.LessEq(tt.b); got != (tt.less || tt.a == tt.b) {
			t.Errorf("%d <= %d is %v", tt.a, tt.b, got)
		}
		if got := tt.b.Diff(tt.a); got != tt.diff {
			t.Errorf("%d - %d is %d, not %d", tt.b, tt.a, got, tt.diff)
		}
		want := tt.a
		if tt.less {
			want = tt.b
		}
		if got := tt.a.Max(tt.b); got != want {
			t.Errorf("the later of %d and %d is %d", tt.a, tt.b, got)
		}
	}
	// Exactly half the space apart, each is before the other: no order.
	if a, b := Seq(5), Seq(5+1<<31); !a.Less(b) || !b.Less(a) {
		t.Errorf("%d and %d are half the space apart: %v, %v", a, b, a.Less(b), b.Less(a))
	}
}

func TestSeqIn(t *testing.T) {
	const top = Seq(0xffffffff)
	for _, tt := range []struct {
		s, lo, hi Seq
		want      bool
	}{
		{5, 5, 6, true},
		{6, 5, 6, false},
		{4, 5, 6, false},
		{5, 5, 5, false}, // empty
		{top, top - 1, 3, true},
		{0, top - 1, 3, true},
		{2, top - 1, 3, true},
		{3, top - 1, 3, false},
		{top - 2, top - 1, 3, false},
	} {
		if got := tt.s.In(tt.lo, tt.hi); got != tt.want {
			t.Errorf("%d in [%d, %d) is %v", tt.s, tt.lo, tt.hi, got)
		}
	}
}

// Where on the ring a pair stands does not matter, only how far apart it is.
func TestSeqTurned(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Seq(rapid.Uint32().Draw(t, "a"))
		n := rapid.Uint32Range(0, 1<<31-1).Draw(t, "n")
		turn := rapid.Uint32().Draw(t, "turn")
		b := a.Add(n)
		if a.Less(b) != a.Add(turn).Less(b.Add(turn)) || a.Less(b) != (n > 0) {
			t.Fatalf("%d < %d is %v, turned by %d it is not", a, b, a.Less(b), turn)
		}
		if b.Diff(a) != int32(n) || a.Diff(b) != -int32(n) {
			t.Fatalf("%d - %d is %d, not %d", b, a, b.Diff(a), n)
		}
	})
}
