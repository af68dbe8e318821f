package capture

import (
	"crypto/rand"
	"encoding/binary"
	"math/bits"
)

// hashSeed makes the hash of a key different in each process, so that nobody
// can prepare addresses and ports that fall into one slot of a table.
var hashSeed = randomSeed()

func randomSeed() (s [4]uint64) {
	var b [32]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	for i := range s {
		s[i] = binary.LittleEndian.Uint64(b[8*i:]) | 1
	}
	return s
}

// SeedHash fixes the seed of Key.Hash, for tests that pin an order or a
// collision. It must be called before any Source is opened and any hash taken.
func SeedHash(seed uint64) {
	for i := range hashSeed {
		seed += 0x9e3779b97f4a7c15 // splitmix64
		z := (seed ^ seed>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		hashSeed[i] = (z ^ z>>31) | 1
	}
}

// mix folds the 128-bit product of two words: each input bit reaches all of
// the result, which is what a table needs of a hash and about all it costs is
// one multiplication.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// Hash is the value of Segment.Hash: seeded per process and the same for both
// directions, because a Key has none.
func (k *Key) Hash() uint32 {
	ports := uint64(k.LoPort)<<16 | uint64(k.HiPort)
	if !k.V6 {
		lo, hi := binary.BigEndian.Uint32(k.Lo[:]), binary.BigEndian.Uint32(k.Hi[:])
		return hash4(lo, hi, ports)
	}
	return hash6(binary.BigEndian.Uint64(k.Lo[:]), binary.BigEndian.Uint64(k.Lo[8:]),
		binary.BigEndian.Uint64(k.Hi[:]), binary.BigEndian.Uint64(k.Hi[8:]), ports)
}

func hash4(lo, hi uint32, ports uint64) uint32 {
	h := mix(uint64(lo)<<32|uint64(hi)^hashSeed[0], ports^hashSeed[1])
	h = mix(h^hashSeed[2], hashSeed[3])
	return uint32(h >> 32)
}

func hash6(a, b, c, d, ports uint64) uint32 {
	h := mix(a^hashSeed[0], b^hashSeed[1])
	h = mix(h^c, d^hashSeed[2])
	h = mix(h^hashSeed[3], ports^hashSeed[1])
	// Of one product, the ports of two hosts would show their order under
	// some seeds.
	h = mix(h^hashSeed[2], hashSeed[0])
	return uint32(h >> 32)
}

// ends writes the key, the side of src and the hash of a segment. src and dst
// have four octets or both sixteen.
func (s *Segment) ends(src, dst []byte, sport, dport uint16) {
	if len(src) == 4 {
		s.ends4(binary.BigEndian.Uint32(src), binary.BigEndian.Uint32(dst), sport, dport)
		return
	}
	s.ends6((*[16]byte)(src), (*[16]byte)(dst), sport, dport)
}
