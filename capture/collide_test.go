package capture

import "testing"

// Tuples that were made to fall on one cell of a table under one seed are spread by any
// other: nobody can prepare them for a process whose seed is not known.
func TestTuplesCollideUnderOneSeedOnly(t *testing.T) {
	old := hashSeed
	defer func() { hashSeed = old }()
	for _, v6 := range []bool{false, true} {
		SeedHash(1)
		const n, cell = 64, 1<<14 - 1
		var keys []Key
		for i := uint32(0); len(keys) < n; i++ {
			k := Key{Lo: [16]byte{10, byte(i >> 24)}, Hi: [16]byte{192, 0, 2, 1}, LoPort: uint16(i), HiPort: 443, V6: v6}
			k.Lo[3] = byte(i >> 16)
			if k.Hash()&cell == 5 {
				keys = append(keys, k)
			}
		}
		for seed := uint64(2); seed < 12; seed++ {
			SeedHash(seed)
			at, most := map[uint32]int{}, 0
			for i := range keys {
				c := keys[i].Hash() & cell
				at[c]++
				most = max(most, at[c])
			}
			if most > 4 {
				t.Errorf("v6 %v, seed %d: %d of %d tuples share a cell", v6, seed, most, n)
			}
		}
	}
}

// Two processes do not have the same seed.
func TestSeedsDiffer(t *testing.T) {
	if a, b := randomSeed(), randomSeed(); a == b {
		t.Errorf("%x twice", a)
	}
}
