package reassembly

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// opened is a space after a SYN at iss: octets stand at iss+1 and on.
func opened(iss Seq) *Space {
	s := &Space{}
	s.Open(iss, 0)
	return s
}

// A SYN takes one sequence number, a FIN another one.
func TestSpaceCountsSynAndFin(t *testing.T) {
	for _, iss := range []Seq{0, 1000, 0xffffffff, 0xffffff9b} { // the last two wrap at the SYN and in the data
		s := opened(iss)
		if !s.Known || !s.HasISS || s.SynAcked() {
			t.Fatalf("after the SYN: %+v", s)
		}
		s.Acked(iss + 1)
		if !s.SynAcked() {
			t.Errorf("iss %d: the SYN's ACK was not taken", iss)
		}
		s.Send(iss+1, iss+101, false)
		s.Send(iss+101, iss+102, true)
		if s.Fin != iss+101 || s.Nxt != iss+102 || !s.FinInOrder() || s.FinAcked() {
			t.Errorf("iss %d: after the FIN: %+v", iss, s)
		}
		if s.Acked(iss + 101); s.FinAcked() {
			t.Errorf("iss %d: an ACK of the data acknowledges the FIN", iss)
		}
		if s.Acked(iss + 102); !s.FinAcked() {
			t.Errorf("iss %d: the FIN's ACK was not taken", iss)
		}
	}
}

// Data in the SYN follow it (RFC 7413).
func TestSpaceFastOpen(t *testing.T) {
	s := &Space{}
	s.Open(1000, 100)
	if s.Nxt != 1101 || s.Edge != 1101 || s.Una != 1000 {
		t.Errorf("%+v", s)
	}
}

// A hole keeps the edge back until it is filled, from whichever side.
func TestSpaceHoles(t *testing.T) {
	type span struct{ from, to Seq }
	for _, tt := range []struct {
		name  string
		sent  []span // relative to the first octet
		edge  Seq
		nxt   Seq
		holes bool
	}{
		{"in order", []span{{0, 10}, {10, 20}}, 20, 20, false},
		{"a hole", []span{{0, 10}, {20, 30}}, 10, 30, true},
		{"filled", []span{{0, 10}, {20, 30}, {10, 20}}, 30, 30, false},
		{"filled with more than fits", []span{{0, 10}, {20, 30}, {5, 40}}, 40, 40, false},
		{"filled in part from below", []span{{0, 10}, {20, 30}, {10, 15}}, 15, 30, true},
		{"filled in part from above", []span{{0, 10}, {20, 30}, {15, 20}}, 10, 30, true},
		{"filled from both sides", []span{{0, 10}, {20, 30}, {15, 20}, {10, 15}}, 30, 30, false},
		{"two holes, the first one filled", []span{{10, 20}, {30, 40}, {0, 10}}, 20, 40, true},
		{"neighbours join", []span{{10, 20}, {30, 40}, {20, 30}, {0, 10}}, 40, 40, false},
		{"sent again below the edge", []span{{0, 10}, {0, 10}, {2, 5}}, 10, 10, false},
		{"sent again beyond a hole", []span{{0, 10}, {20, 30}, {20, 30}, {22, 25}}, 10, 30, true},
		{"overlapping what is beyond a hole", []span{{20, 30}, {25, 35}, {15, 22}}, 0, 35, true},
		{"three isles are remembered", []span{{10, 11}, {20, 21}, {30, 31}, {0, 10}, {11, 20}, {21, 30}}, 31, 31, false},
		{"three isles, found out of order", []span{{30, 31}, {10, 11}, {20, 21}, {0, 10}, {11, 20}}, 21, 31, true},
		// A fourth is merged with a neighbour: the hole between them is
		// forgotten, but nothing beyond Nxt is made up.
		{"four isles, the farthest last", []span{{10, 11}, {20, 21}, {30, 31}, {40, 41}, {0, 10}, {11, 20}, {21, 30}}, 41, 41, false},
		{"four isles, the nearest last", []span{{20, 21}, {30, 31}, {40, 41}, {10, 11}, {0, 10}}, 21, 41, true},
	} {
		for _, iss := range []Seq{7, 0xffffffff, 0xfffffff0, 0x7ffffff0} {
			s, first := opened(iss), iss+1
			for _, p := range tt.sent {
				s.Send(first+p.from, first+p.to, false)
			}
			if s.Edge-first != tt.edge || s.Nxt-first != tt.nxt || s.Holes() != tt.holes {
				t.Errorf("%s, from %d: edge %d, next %d, holes %v; not %d, %d, %v",
					tt.name, first, s.Edge-first, s.Nxt-first, s.Holes(), tt.edge, tt.nxt, tt.holes)
			}
		}
	}
}

// Where a range has no room, it is joined with its neighbour, and that is said.
func TestSpaceSaysWhatItJoins(t *testing.T) {
	s := opened(0)
	send := func(lo, hi Seq, want bool) {
		t.Helper()
		if got := s.Send(lo, hi, false); got != want {
			t.Errorf("%d to %d: joined %v", lo, hi, got)
		}
	}
	for i := range Seq(maxIsles) {
		send(100*(i+1), 100*(i+1)+10, false)
	}
	send(110, 120, false) // goes on with one
	send(900, 910, true)  // beyond all
	send(150, 160, true)  // between two
	send(1, 100, false)   // fills the first hole
	if s.Edge != 120 || s.n != maxIsles-1 {
		t.Errorf("edge %d, %d ranges", s.Edge, s.n)
	}
	send(130, 135, false) // there is room again
}

// A FIN is in order when nothing before it is missing; the peer's ACK says so
// as well, where the capture missed segments.
func TestSpaceFinInOrder(t *testing.T) {
	s := opened(0)
	s.Send(101, 102, true)
	if s.FinInOrder() {
		t.Error("in order with 100 octets missing before it")
	}
	s.Send(1, 51, false)
	if s.FinInOrder() {
		t.Error("in order with 50 octets missing before it")
	}
	filled := *s
	filled.Send(51, 101, false)
	if !filled.FinInOrder() {
		t.Error("not in order with all before it seen")
	}
	if s.Acked(101); s.FinInOrder() != true {
		t.Error("not in order though the peer has all before it")
	}
}

// An ACK that is not new changes nothing; one beyond what was seen shows that
// the capture missed segments, and the space follows it.
func TestSpaceAcked(t *testing.T) {
	s := opened(0)
	s.Send(1, 101, false)
	for _, tt := range []struct {
		ack           Seq
		fresh         bool
		una, nxt, edg Seq
	}{
		{1, true, 1, 101, 101},
		{51, true, 51, 101, 101},
		{51, false, 51, 101, 101},
		{1, false, 51, 101, 101}, // an old one, overtaken
		{101, true, 101, 101, 101},
		{201, true, 201, 201, 201}, // of octets never seen
	} {
		if got := s.Acked(tt.ack); got != tt.fresh || s.Una != tt.una || s.Nxt != tt.nxt || s.Edge != tt.edg {
			t.Errorf("ack %d: %v, una %d, next %d, edge %d; not %v, %d, %d, %d",
				tt.ack, got, s.Una, s.Nxt, s.Edge, tt.fresh, tt.una, tt.nxt, tt.edg)
		}
	}
	// It fills a hole, and the edge moves over what lies beyond.
	s = opened(0)
	s.Send(21, 31, false)
	if isle, ok := s.RightmostIsle(); !ok || isle != 31 {
		t.Errorf("the rightmost isle ends at %d, %v", isle, ok)
	}
	if s.Acked(21); s.Edge != 31 || s.Holes() {
		t.Errorf("the edge is %d", s.Edge)
	}
	if _, ok := s.RightmostIsle(); ok {
		t.Error("an isle where nothing is missing")
	}
}

// In mid-stream the space begins with the first segment, or with what the peer
// acknowledges; that is a lower bound until something is sent.
func TestSpaceMidStream(t *testing.T) {
	var s Space
	s.Send(5000, 5100, false)
	if !s.Known || s.HasISS || s.Nxt != 5100 || s.Edge != 5100 || s.SynAcked() {
		t.Errorf("from a segment: %+v", s)
	}

	s = Space{}
	if !s.Acked(9000) || s.Nxt != 9000 || s.Edge != 9000 || !s.HasUna || s.HasISS {
		t.Errorf("from an ACK: %+v", s)
	}
	s.Send(9200, 9300, false) // 9000 to 9200 were on their way when the capture began
	if s.Holes() || s.Edge != 9300 || s.Nxt != 9300 {
		t.Errorf("what was sent before the capture is taken for a hole: %+v", s)
	}
	s.Send(9400, 9500, false)
	if !s.Holes() || s.Edge != 9300 {
		t.Errorf("a hole after that is none: %+v", s)
	}
}

// model is a slow Space: a bit for each octet, relative to the SYN.
type model struct {
	sent     []bool
	nxt, una int
	fin      int
	most     int // isles there ever were at a time
}

func (m *model) send(lo, hi int) {
	for i := lo; i < hi; i++ {
		m.sent[i] = true
	}
	m.nxt = max(m.nxt, hi)
	m.most = max(m.most, len(m.isles()))
}

func (m *model) ack(to int) {
	if to > m.una {
		m.una = to
		m.send(0, to)
	}
}

func (m *model) edge() int {
	for i, ok := range m.sent {
		if !ok {
			return i
		}
	}
	return len(m.sent)
}

// isles are the runs of octets beyond the edge.
func (m *model) isles() (runs [][2]int) {
	for i := m.edge(); i < len(m.sent); i++ {
		switch {
		case !m.sent[i]:
		case len(runs) > 0 && runs[len(runs)-1][1] == i:
			runs[len(runs)-1][1]++
		default:
			runs = append(runs, [2]int{i, i + 1})
		}
	}
	return runs
}

// A Space says what the model says, wherever on the ring it stands. Where it
// had to forget a hole it errs to one side: the edge may be too far, never
// beyond the highest octet sent.
func TestSpaceLikeModel(t *testing.T) {
	const size = 200
	rapid.Check(t, func(t *rapid.T) {
		iss := Seq(rapid.OneOf(rapid.Uint32(), rapid.Uint32Range(0xffffff00, 0xffffffff)).Draw(t, "iss"))
		s := opened(iss)
		m := &model{sent: make([]bool, size+1), fin: -1}
		m.send(0, 1)
		for range rapid.IntRange(1, 40).Draw(t, "segments") {
			if rapid.IntRange(0, 4).Draw(t, "kind") == 0 {
				to := rapid.IntRange(0, size).Draw(t, "ack")
				fresh := to > m.una || !s.HasUna
				m.ack(to)
				if got := s.Acked(iss.Add(uint32(to))); got != fresh {
					t.Fatalf("ack %d is new: %v", to, got)
				}
			} else {
				lo := rapid.IntRange(1, size-1).Draw(t, "seq")
				hi := min(size, lo+rapid.IntRange(0, 30).Draw(t, "len"))
				fin := hi == size && hi > lo
				m.send(lo, hi)
				if fin {
					m.fin = hi - 1
				}
				s.Send(iss.Add(uint32(lo)), iss.Add(uint32(hi)), fin)
			}
			compare(t, s, m)
		}
	})
}

func compare(t interface{ Fatalf(string, ...any) }, s *Space, m *model) {
	at := func(q Seq) int { return int(q - s.ISS) }
	if at(s.Nxt) != m.nxt || at(s.Una) != m.una || s.HasFin != (m.fin >= 0) || s.HasFin && at(s.Fin) != m.fin {
		t.Fatalf("next %d, una %d, FIN %v at %d; not %d, %d, %d", at(s.Nxt), at(s.Una), s.HasFin, at(s.Fin), m.nxt, m.una, m.fin)
	}
	last := s.Edge
	for _, p := range s.isles[:s.n] {
		if !last.Less(p.lo) || !p.lo.Less(p.hi) || s.Nxt.Less(p.hi) {
			t.Fatalf("isles %v after edge %d and up to %d are not in order", s.isles[:s.n], s.Edge, s.Nxt)
		}
		last = p.hi
	}
	if s.Nxt.Less(s.Edge) || at(s.Edge) < m.edge() {
		t.Fatalf("the edge is %d: not between %d and %d", at(s.Edge), m.edge(), m.nxt)
	}
	if m.most > maxIsles {
		return // some hole was forgotten
	}
	var got [][2]int
	for _, p := range s.isles[:s.n] {
		got = append(got, [2]int{at(p.lo), at(p.hi)})
	}
	if want := m.isles(); at(s.Edge) != m.edge() || fmt.Sprint(got) != fmt.Sprint(want) || s.Holes() != (len(want) > 0) {
		t.Fatalf("edge %d, isles %v; not %d, %v", at(s.Edge), got, m.edge(), want)
	}
	if s.FinInOrder() != (m.fin >= 0 && m.fin < m.edge()) || s.FinAcked() != (m.fin >= 0 && m.fin < m.una) {
		t.Fatalf("FIN in order %v, acknowledged %v", s.FinInOrder(), s.FinAcked())
	}
	for lo := 1; lo < m.nxt; lo += 7 {
		for hi := lo + 1; hi <= m.nxt; hi += 5 {
			want := true
			for _, ok := range m.sent[lo:hi] {
				want = want && ok
			}
			if got := s.seen(s.ISS.Add(uint32(lo)), s.ISS.Add(uint32(hi))); got != want {
				t.Fatalf("%d to %d was seen: %v", lo, hi, got)
			}
		}
	}
}

// FuzzSpace does what TestSpaceLikeModel does with what a fuzzer finds: four octets are a
// segment, or an acknowledgment.
func FuzzSpace(f *testing.F) {
	f.Add(uint32(0xfffffff0), []byte{1, 10, 10, 0, 1, 30, 10, 0, 0, 20, 0, 0, 1, 20, 10, 0})
	f.Add(uint32(7), []byte{1, 10, 1, 0, 1, 20, 1, 0, 1, 30, 1, 0, 1, 40, 1, 0, 1, 50, 1, 0, 1, 1, 60, 0, 2, 60, 140, 0, 0, 200, 0, 0})
	f.Fuzz(func(t *testing.T, start uint32, plan []byte) {
		const size = 200
		iss := Seq(start)
		s := opened(iss)
		m := &model{sent: make([]bool, size+1), fin: -1}
		m.send(0, 1)
		for ; len(plan) >= 4; plan = plan[4:] {
			if plan[0]&3 == 0 {
				to := int(plan[1]) % (size + 1)
				fresh := to > m.una || !s.HasUna
				m.ack(to)
				if got := s.Acked(iss.Add(uint32(to))); got != fresh {
					t.Fatalf("ack %d is new: %v", to, got)
				}
			} else {
				lo := 1 + int(plan[1])%(size-1)
				hi := min(size, lo+int(plan[2])%(size/2))
				fin := hi == size && hi > lo
				m.send(lo, hi)
				if fin {
					m.fin = hi - 1
				}
				s.Send(iss.Add(uint32(lo)), iss.Add(uint32(hi)), fin)
			}
			compare(t, s, m)
		}
	})
}
