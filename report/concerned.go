package report

import (
	"math/bits"

	"tcpstate/report/detect"
)

// concerned says of most connections that they are part of no finding, by a bit
// for each stream number: of a capture's millions few are part of one, and those
// alone are looked up.
type concerned []uint64

// concernedMost bounds it to 2 MiB: beyond that, stream numbers share bits.
const concernedMost = 1 << 18

func newConcerned(all []detect.Finding) concerned {
	last, none := uint64(0), true
	for i := range all {
		for _, r := range all[i].Refs() {
			last, none = max(last, r.ID), false
		}
	}
	if none {
		return nil
	}
	c := make(concerned, min(1<<bits.Len64(last/64), concernedMost))
	for i := range all {
		for _, r := range all[i].Refs() {
			c[c.word(r.ID)] |= 1 << (r.ID % 64)
		}
	}
	return c
}

// word is where the bit of a stream number lies. There is a power of two of them.
func (c concerned) word(id uint64) uint64 { return id / 64 & uint64(len(c)-1) }

// may reports whether the connection may be part of a finding.
func (c concerned) may(id uint64) bool { return len(c) > 0 && c[c.word(id)]>>(id%64)&1 != 0 }
