package reassembly

// Seq is a TCP sequence number. Its order is modular (RFC 9293 section 3.4):
// a number is before another if the distance forward is less than 2^31.
type Seq uint32

// Less reports whether s comes before t in sequence space.
func (s Seq) Less(t Seq) bool { return int32(s-t) < 0 }

// LessEq reports whether s comes before t or is t.
func (s Seq) LessEq(t Seq) bool { return int32(s-t) <= 0 }

// Diff is the signed distance from t to s: positive when s is after t.
func (s Seq) Diff(t Seq) int32 { return int32(s - t) }

// Add moves s forward by n octets of sequence space.
func (s Seq) Add(n uint32) Seq { return s + Seq(n) }

// Max returns the later one of two sequence numbers.
func (s Seq) Max(t Seq) Seq {
	if s.Less(t) {
		return t
	}
	return s
}

// In reports whether s lies in [lo, hi) of sequence space.
func (s Seq) In(lo, hi Seq) bool { return uint32(s-lo) < uint32(hi-lo) }
