package capture

import (
	"math"
	"math/big"
	"testing"
)

// exact is the time in unbounded numbers.
func exact(resol uint8, ts uint64, offset int64) *big.Int {
	unit := big.NewInt(10)
	if resol&0x80 != 0 {
		unit = big.NewInt(2)
	}
	unit.Exp(unit, big.NewInt(int64(resol&0x7f)), nil)
	n := new(big.Int).Mul(new(big.Int).SetUint64(ts), big.NewInt(1e9))
	n.Div(n, unit)
	return n.Add(n, new(big.Int).Mul(big.NewInt(offset), big.NewInt(1e9)))
}

func TestClock(t *testing.T) {
	stamps := []uint64{0, 1, math.MaxInt64, 9_200_000_000e9, 9_200_000_000e9 + 1, 999, 1e6, 1e9, 1780000000, 1780000000e6, 1780000000e9, 1<<32 - 1, 1 << 32, 1<<62 + 12345, 1 << 63, 1<<64 - 1}
	offsets := []int64{0, 1, -1, 1780000000, -1780000000, 1 << 40, -1 << 40, math.MaxInt64, math.MinInt64}
	for resol := range 256 {
		for _, ts := range stamps {
			for _, off := range offsets {
				c := newClock(uint8(resol))
				c.offset = off
				got := c.nanos(ts)
				want := exact(uint8(resol), ts, off)
				if want.IsInt64() {
					if w := max(-lastTime, min(want.Int64(), lastTime)); got != w {
						t.Errorf("resolution %#x, %d, offset %d: %d, want %d", resol, ts, off, got, w)
					}
				} else if got != lastTime*int64(want.Sign()) {
					t.Errorf("resolution %#x, %d, offset %d: %d is not the end of time", resol, ts, off, got)
				}
			}
		}
	}
}
