package capture

import (
	"math"
	"math/bits"
)

// clock turns the timestamps of one pcapng interface into nanoseconds since
// 1970 (draft-ietf-opsawg-pcapng, options if_tsresol and if_tsoffset).
type clock struct {
	exp    uint8  // negative exponent
	binary bool   // of base 2, else of base 10
	mul    uint64 // base 10, up to 9 digits: nanoseconds per unit
	plain  uint64 // below this many units, without an offset, nothing but mul is needed
	offset int64  // seconds to add
}

// microseconds is the resolution of an interface that states none.
var microseconds = newClock(6)

// newClock reads the octet of if_tsresol: the top bit chooses base 2.
func newClock(resol uint8) clock {
	c := clock{exp: resol & 0x7f, binary: resol&0x80 != 0}
	if !c.binary && c.exp <= 9 {
		c.mul = 1
		for range 9 - c.exp {
			c.mul *= 10
		}
		c.plain = uint64(lastTime)/c.mul + 1
	}
	return c
}

// lastTime bounds times on both sides of 1970. 64 bits of nanoseconds hold
// some months more, which are left for timers that begin there.
const lastTime = 9_200_000_000 * int64(1e9)

// nanos never fails: a time beyond lastTime (about 1678 to 2261) becomes the
// nearest that is not.
func (c *clock) nanos(ts uint64) int64 {
	if ts < c.plain && c.offset == 0 {
		return int64(ts * c.mul)
	}
	return c.odd(ts)
}

// odd is nanos for the resolutions and times that hardly anybody has.
func (c *clock) odd(ts uint64) int64 {
	var sec, ns uint64
	switch {
	case !c.binary && c.exp <= 19:
		p := uint64(1)
		for range c.exp {
			p *= 10
		}
		sec = ts / p
		if c.exp <= 9 {
			ns = ts % p * c.mul
		} else {
			ns = ts % p / (p / 1e9)
		}
	case !c.binary:
		// Units below 10^-19 s: all of ts is less than two seconds.
		d := uint64(1)
		for range min(int(c.exp)-9, 20) {
			if d > math.MaxUint64/10 {
				d = 0
				break
			}
			d *= 10
		}
		if d != 0 {
			ns = ts / d
		}
	case c.exp < 64:
		sec = ts >> c.exp
		hi, lo := bits.Mul64(ts&(1<<c.exp-1), 1e9)
		ns = hi<<(64-c.exp) | lo>>c.exp
		if c.exp == 0 {
			ns = 0
		}
	default: // 2^-64 s and finer
		hi, _ := bits.Mul64(ts, 1e9)
		if s := c.exp - 64; s < 64 {
			ns = hi >> s
		}
	}
	const most = math.MaxInt64/1_000_000_000 - 1
	var s int64
	if away := uint64(-c.offset); c.offset < 0 && sec < away { // two's complement: right for the smallest, too
		s = -int64(min(away-sec, most))
	} else if c.offset < 0 {
		s = int64(min(sec-away, most))
	} else {
		sum, over := bits.Add64(sec, uint64(c.offset), 0)
		if over != 0 {
			sum = most
		}
		s = int64(min(sum, most))
	}
	return max(-lastTime, min(s*1e9+int64(ns), lastTime))
}
