package reassembly

import (
	"bytes"
	"math/rand"
	"testing"
)

func frag(off, n int, more bool) *Fragment {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(off + i)
	}
	return &Fragment{Offset: off, Len: n, Data: b, More: more, Frame: 1, Proto: 6}
}

func whole(n int) []byte { return frag(0, n, false).Data }

func TestFragmentsAnyOrder(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	for _, v6 := range []bool{false, true} {
		table := NewFragments(FragmentLimits{})
		for round := range 500 {
			n := 9 + rng.Intn(3000)
			var fs []*Fragment
			for at := 0; at < n; {
				size := min(n-at, 8*(1+rng.Intn(40)))
				fs = append(fs, frag(at, size, at+size < n))
				at += size
			}
			if len(fs) > MaxPieces {
				continue
			}
			rng.Shuffle(len(fs), func(i, j int) { fs[i], fs[j] = fs[j], fs[i] })
			if rng.Intn(2) == 0 && len(fs) > 1 { // a copy of one that is not the last to come
				i := rng.Intn(len(fs) - 1)
				fs = append(fs[:i+1], append([]*Fragment{fs[i]}, fs[i+1:]...)...)
			}
			k := FragmentKey{ID: uint32(round), V6: v6}
			for i, f := range fs {
				j, ok := table.Add(&k, f)
				if ok != (i == len(fs)-1) {
					t.Fatalf("round %d: fragment %d of %d completes: %v", round, i, len(fs), ok)
				}
				if ok && (j.Len != n || !bytes.Equal(j.Head, whole(n)[:min(n, HeadLen)]) || j.Proto != 6) {
					t.Fatalf("round %d: length %d, want %d", round, j.Len, n)
				}
			}
		}
		if table.Held() != 0 || table.Incomplete().Fragments != 0 || table.Overlapping().Fragments != 0 || table.Misfit().Fragments != 0 {
			t.Errorf("left: %d, %+v, %+v, %+v", table.Held(), table.Incomplete(), table.Overlapping(), table.Misfit())
		}
	}
}

// add enters fragments and returns the datagram, if one came of them.
func add(table *Fragments, k FragmentKey, fs ...*Fragment) (j Joined, ok bool) {
	for _, f := range fs {
		if got, done := table.Add(&k, f); done {
			got.Head = bytes.Clone(got.Head)
			j, ok = got, true
		}
	}
	return j, ok
}

func TestFragmentsOverlap(t *testing.T) {
	other := frag(8, 24, true)
	for i := range other.Data {
		other.Data[i] = 0xee
	}
	four, six := FragmentKey{ID: 1}, FragmentKey{ID: 1, V6: true}
	for _, c := range []struct {
		name string
		key  FragmentKey
		in   []*Fragment
		why  death // why it is not joined
	}{
		{"first-comer-wins", four, []*Fragment{frag(0, 16, true), other, frag(32, 10, false)}, alive},
		{"fills-around", four, []*Fragment{frag(16, 8, true), frag(0, 40, true), frag(40, 2, false)}, alive},
		{"six-refuses", six, []*Fragment{frag(0, 16, true), other, frag(32, 10, false)}, overlapping},
		{"six-refuses-containment", six, []*Fragment{frag(0, 32, true), frag(8, 8, true), frag(32, 10, false)}, overlapping},
		{"six-takes-a-copy", six, []*Fragment{frag(0, 32, true), frag(0, 32, true), frag(32, 10, false)}, alive},
		{"two-ends", four, []*Fragment{frag(32, 10, false), frag(40, 10, false), frag(0, 40, true)}, misfit},
		{"beyond-the-end", four, []*Fragment{frag(32, 10, false), frag(0, 32, true), frag(48, 8, true)}, alive},
		{"beyond-the-end-in-both", four, []*Fragment{frag(32, 10, false), frag(40, 8, true), frag(0, 40, true)}, misfit},
		{"end-inside", four, []*Fragment{frag(48, 8, true), frag(32, 10, false), frag(0, 32, true)}, misfit},
		{"late-after-refusal", six, []*Fragment{frag(0, 16, true), frag(8, 16, true), frag(0, 32, true), frag(32, 1, false)}, overlapping},
	} {
		table := NewFragments(FragmentLimits{})
		j, ok := add(table, c.key, c.in...)
		if ok != (c.why == alive) {
			t.Errorf("%s: joined %v", c.name, ok)
			continue
		}
		if !ok {
			var want [numDeaths]Lost
			want[c.why] = Lost{uint64(len(c.in)), 1}
			if l := [numDeaths]Lost{table.Incomplete(), table.Overlapping(), table.Misfit(), table.Evicted()}; l != want {
				t.Errorf("%s: %+v", c.name, l)
			}
		} else if c.name == "first-comer-wins" {
			want := append(whole(16), bytes.Repeat([]byte{0xee}, 16)...)
			want = append(want, whole(42)[32:]...)
			if !bytes.Equal(j.Head, want) {
				t.Errorf("%s: %x, want %x", c.name, j.Head, want)
			}
		} else if !bytes.Equal(j.Head, whole(42)) {
			t.Errorf("%s: %x", c.name, j.Head)
		}
	}
}

func TestFragmentsRefused(t *testing.T) {
	table := NewFragments(FragmentLimits{})
	for _, f := range []*Fragment{
		{Offset: 0, Len: 0, More: true}, {Offset: 8, Len: 0}, {Offset: 0, Len: 12, More: true}, {Offset: 65528, Len: 8, More: true}, {Offset: 65528, Len: 8}, {Offset: -8, Len: 8}, {Offset: 0, Len: -1},
	} {
		f.Frame = 9
		if _, ok := table.Add(&FragmentKey{}, f); ok || table.Held() != 0 {
			t.Errorf("%+v taken", f)
		}
	}
	if l := table.Misfit(); l != (Lost{7, 9}) || table.Overlapping() != (Lost{}) {
		t.Errorf("%+v, %+v overlapping", l, table.Overlapping())
	}
	// The longest datagram there can be.
	if j, ok := add(table, FragmentKey{}, frag(0, 65528, true), frag(65528, 7, false)); !ok || j.Len != 65535 {
		t.Errorf("longest: %v %d", ok, j.Len)
	}
}

// What was not captured is not in the head; the length is right all the same.
func TestFragmentsCut(t *testing.T) {
	table := NewFragments(FragmentLimits{})
	a, b := frag(0, 80, true), frag(80, 80, false)
	a.Data = a.Data[:60]
	if j, ok := add(table, FragmentKey{}, a, b); !ok || j.Len != 160 || !bytes.Equal(j.Head, whole(60)) {
		t.Errorf("%v %d %x", ok, j.Len, j.Head)
	}
	a.Data = nil
	if j, ok := add(table, FragmentKey{}, b, a); !ok || j.Len != 160 || len(j.Head) != 0 {
		t.Errorf("%v %d %x", ok, j.Len, j.Head)
	}
}

func TestFragmentsBounds(t *testing.T) {
	table := NewFragments(FragmentLimits{Datagrams: 10, Age: 100})
	start := func(id int, at int64) {
		f := frag(0, 8, true)
		f.Time, f.Frame = at, uint64(id)
		table.Add(&FragmentKey{ID: uint32(id)}, f)
	}
	for id := 1; id <= 25; id++ {
		start(id, 0)
	}
	if table.Held() != 10 || table.Evicted() != (Lost{15, 1}) || table.Incomplete() != (Lost{10, 16}) {
		t.Errorf("%d held, %+v evicted, %+v incomplete", table.Held(), table.Evicted(), table.Incomplete())
	}
	start(26, 100)
	if table.Held() != 10 || table.Evicted().Fragments != 16 {
		t.Errorf("at the age limit: %d held", table.Held())
	}
	start(27, 101)
	if table.Held() != 2 || table.Incomplete() != (Lost{11, 17}) {
		t.Errorf("beyond it: %d held, %+v", table.Held(), table.Incomplete())
	}
	start(28, -1e18) // time that jumps back expires nothing
	if table.Held() != 3 {
		t.Errorf("%d held", table.Held())
	}
	// Too many pieces: given up, whatever else comes.
	k := FragmentKey{ID: 99}
	for i := range MaxPieces + 1 {
		table.Add(&k, frag(16*i, 8, true))
	}
	// That is the bound's doing and no fault of the fragments, while the datagram is
	// held and after it has aged out.
	for _, at := range []int64{-1e18, 1e6} {
		start(29, at)
		if table.Overlapping() != (Lost{}) || table.Misfit() != (Lost{}) || table.Evicted() != (Lost{16 + MaxPieces + 1, 1}) {
			t.Errorf("%+v overlapping, %+v evicted", table.Overlapping(), table.Evicted())
		}
	}
}

func TestFragmentsNoGarbage(t *testing.T) {
	table := NewFragments(FragmentLimits{})
	a, b := frag(0, 800, true), frag(800, 80, false)
	k := FragmentKey{ID: 7}
	run := func() {
		table.Add(&k, a)
		if _, ok := table.Add(&k, b); !ok {
			t.Fatal("not joined")
		}
	}
	run()
	if n := testing.AllocsPerRun(1000, run); n != 0 {
		t.Errorf("%v allocations a datagram", n)
	}
}

// FuzzFragments feeds a table with fragments read from the input and checks
// what it may never do: hold more than its bounds, or join what is not whole.
func FuzzFragments(f *testing.F) {
	f.Add([]byte{0, 2, 1, 0, 2, 1, 0, 0})
	f.Add([]byte{0, 2, 1, 1, 1, 9, 2, 1, 0, 0x80, 4, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		table := NewFragments(FragmentLimits{Datagrams: 3, Age: 50})
		var added, joined uint64
		for i := 0; i+4 <= len(in); i += 4 {
			n := int(in[i+1])
			if in[i+2]&1 != 0 {
				n *= 8
			}
			fr := frag(int(in[i])*8, n, in[i+2]&1 != 0)
			fr.Data = fr.Data[:min(n, 8*int(in[i+2]>>1))]
			fr.Time, fr.Frame = int64(i)*int64(int8(in[i+3]))/16, uint64(i/4+1)
			k := FragmentKey{ID: uint32(in[i+3] & 7), V6: in[i+3]&8 != 0}
			added++
			j, ok := table.Add(&k, fr)
			if ok {
				if j.Len <= 0 || j.Len > maxDatagram || len(j.Head) > min(j.Len, HeadLen) {
					t.Fatalf("joined %d octets, head of %d", j.Len, len(j.Head))
				}
				for at, b := range j.Head {
					if b != byte(at) {
						t.Fatalf("octet %d of the head is %d", at, b)
					}
				}
				joined++
			}
			if table.Held() > 3 {
				t.Fatalf("%d held", table.Held())
			}
		}
		lost := table.Incomplete().Fragments + table.Overlapping().Fragments + table.Misfit().Fragments + table.Evicted().Fragments
		if lost > added || joined+lost > added {
			t.Fatalf("%d added, %d joined, %d lost", added, joined, lost)
		}
	})
}
