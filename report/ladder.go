package report

import (
	"net/netip"
	"slices"
	"time"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// Ladder is one connection drawn segment by segment, with both ends' states
// after each. It is what explain prints, and what the tests of the tracker
// are written in; ladderprint.go and ladderparse.go are the two directions of
// one grammar, described in ladderparse.go.
type Ladder struct {
	Stream uint64
	// Incarnation is that of the life that is drawn; 0 where a ladder was read.
	Incarnation uint32
	// Left is the client, Right the server.
	Left, Right netip.AddrPort
	Note        string // rest of the head line: who closed first, how, how long
	// Start is when the first segment was seen, ns since 1970; 0 where the ladder does not
	// say. The times of the rows are since then.
	Start int64
	// Sparse: up to the ladder's last segment a filter seems to have kept nothing but SYN,
	// FIN and RST of the capture.
	Sparse bool
	// ISN are the numbers that sequence numbers are relative to, left and right.
	ISN [2]uint32
	// TimeWait and FinTimeout are the timers where the ladder names them, else negative.
	TimeWait, FinTimeout time.Duration
	Rows                 []LadderRow
}

// LadderRow is one line: a segment, or a timer that ran out.
type LadderRow struct {
	// Segment is what was sent. Its Time is in ns since the ladder's first
	// segment, its Hash is left to whom it concerns. Frame is 0 and all but
	// Time is meaningless for a timer.
	Segment capture.Segment
	// States are those of the left and the right end after it.
	States [2]LadderState
	// Rules are the names of the rules that applied, in order; empty and not
	// nil where the ladder says that none did, nil where it does not say.
	Rules []string
	// Revoked: a presumption was taken back.
	Revoked bool
	// Class is the name of the segment's class, where it is worth a word.
	Class string
	// Scale is by how many bits the segment's window is shifted, -1 where that is not known.
	// It is for people: the ladder grammar has windows as they were sent.
	Scale int8
	// Quote is the ICMP error that quotes Segment; nil for a segment on its way.
	Quote *capture.Quote
	// Folded: the row stands for this many ordinary segments, of which Segment is the
	// last; nil for a row of its own.
	Folded *Folded
	// Marks are what findings say of the segment: the clauses that it proves.
	Marks []string
}

// Folded is a stretch of segments that changed no state and are all of the same kind:
// new data and the acknowledgments of it. In a ladder that would be far too long it may
// hold anything.
type Folded struct {
	Data    uint64    // segments with new data
	Acks    uint64    // without
	Bytes   [2]uint64 // octets of new data that the left and the right end sent
	Other   uint64    // segments of any other kind
	Changes uint64    // how often the states changed
	Since   int64     // when it begins, as Segment.Time of the row says when it ends
}

// Timer reports whether the row is a timer's.
func (r *LadderRow) Timer() bool { return r.Segment.Frame == 0 && r.Folded == nil }

// LadderState is a state as a ladder shows it.
type LadderState struct {
	tracker.EndState
	// Any: not looked at (written *).
	Any bool
}

// NewLadder draws the steps of one connection. timers are what elapsed after
// the last of them.
func NewLadder(steps []tracker.Step, timers []tracker.Transition) *Ladder {
	l := &Ladder{TimeWait: -1, FinTimeout: -1}
	if len(steps) == 0 {
		return l
	}
	first, last := &steps[0], &steps[len(steps)-1]
	l.Stream = first.ID
	left := last.Client // the client as known in the end
	key := first.Segment.Key
	l.Left, l.Right = key.End(left), key.End(left^1)
	l.ISN = baseNumbers(steps, left)
	draw := ladderPen{l: l, left: left, start: first.Segment.Time, now: first.Before}
	for i := range steps {
		draw.step(&steps[i])
	}
	for i := range timers {
		draw.timer(&timers[i])
	}
	return l
}

// baseNumbers finds what sequence numbers are relative to: of each side, from
// its first segment, or from the peer's first acknowledgment if it sent none.
func baseNumbers(steps []tracker.Step, left uint8) (isn [2]uint32) {
	var known [2]bool
	for _, acks := range [...]bool{false, true} {
		for i := range steps {
			s := &steps[i]
			side := s.Segment.Side ^ left
			base := s.Segment.Seq - s.RelSeq
			if acks {
				side, base = side^1, s.Segment.Ack-s.RelAck
				if !s.Segment.Has(capture.ACK) {
					continue
				}
			}
			if !known[side] {
				known[side], isn[side] = true, base
			}
		}
	}
	return isn
}

// ladderPen adds rows to a ladder.
type ladderPen struct {
	l     *Ladder
	left  uint8 // side of Key that is drawn on the left
	start int64
	now   [2]tracker.EndState // by side of Key
}

func (p *ladderPen) states() [2]LadderState {
	return [2]LadderState{{EndState: p.now[p.left]}, {EndState: p.now[p.left^1]}}
}

func (p *ladderPen) timer(t *tracker.Transition) {
	p.now[t.Side] = tracker.EndState{State: t.To, Certainty: t.Certainty}
	if t.Key.Self() {
		p.now[t.Side^1] = p.now[t.Side]
	}
	r := LadderRow{Segment: capture.Segment{Time: t.Time - p.start}, Revoked: t.Certainty == tracker.Revoked}
	if r.Revoked {
		p.now[t.Side].Certainty = tracker.Presumed // the step that follows knows better
	}
	r.States = p.states()
	if n := t.Rule.Name(); n != "" {
		r.Rules = []string{n}
	}
	p.l.Rows = append(p.l.Rows, r)
}

func (p *ladderPen) step(s *tracker.Step) {
	for i := range s.Timers {
		p.timer(&s.Timers[i])
	}
	if n := len(s.Timers); n > 0 {
		p.now = s.Before
		p.l.Rows[len(p.l.Rows)-1].States = p.states()
	}
	p.now = s.After
	r := LadderRow{Segment: s.Segment, States: p.states(), Scale: s.Scale}
	r.Segment.Time -= p.start
	r.Segment.Hash = 0
	for _, x := range s.Rules {
		if n := x.Name(); n != "" {
			r.Rules = append(r.Rules, n)
		}
	}
	r.Revoked = slices.ContainsFunc(s.Changes, func(t tracker.Transition) bool { return t.Certainty == tracker.Revoked })
	if worthAWord(s.Class) {
		r.Class = s.Class.String()
	}
	p.l.Rows = append(p.l.Rows, r)
}

// SetTimers names the timers that are others than a reader of the ladder assumes.
func (l *Ladder) SetTimers(cfg tracker.Config) {
	usual := tracker.DefaultConfig()
	if cfg.TimeWait != usual.TimeWait {
		l.TimeWait = cfg.TimeWait
	}
	if cfg.FinTimeout != usual.FinTimeout {
		l.FinTimeout = cfg.FinTimeout
	}
}

// Segments returns the segments in order, with times counted from start (ns).
func (l *Ladder) Segments(start int64) []capture.Segment {
	var segs []capture.Segment
	for i := range l.Rows {
		if r := &l.Rows[i]; !r.Timer() {
			s := r.Segment
			s.Time += start
			segs = append(segs, s)
		}
	}
	return segs
}

// key is the key of the ladder's connection, and the side of its left end.
func (l *Ladder) key() (k capture.Key, left uint8) {
	a, b := l.Left, l.Right
	k.V6 = a.Addr().Is6() // an IPv4-mapped address is IPv6 on the wire
	lo, hi := octets(a.Addr()), octets(b.Addr())
	if c := compareEnds(lo, hi, a.Port(), b.Port()); c > 0 {
		lo, hi, a, b, left = hi, lo, b, a, 1
	}
	k.Lo, k.Hi, k.LoPort, k.HiPort = lo, hi, a.Port(), b.Port()
	return k, left
}

func octets(a netip.Addr) (o [16]byte) {
	if a.Is4() {
		b := a.As4()
		copy(o[:], b[:])
		return o
	}
	return a.As16()
}

func compareEnds(a, b [16]byte, ap, bp uint16) int {
	if c := slices.Compare(a[:], b[:]); c != 0 {
		return c
	}
	return int(ap) - int(bp)
}
