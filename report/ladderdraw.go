package report

import (
	"slices"
	"strconv"
	"strings"

	"tcpstate/capture"
	"tcpstate/reassembly"
	"tcpstate/tracker"
)

// Drawing is the ladder of one life in the making, from what a tracker tells of its 4-tuple
// while the life lasts.
type Drawing struct {
	pen   ladderPen
	opts  DrawOptions
	begun bool
	// ISN of each side of the key, from its own segments, and from what acknowledges them.
	own, acked [2]base
	stretch    int // where the row at which the latest stretch began lies in Rows, or -1
}

// base is what the sequence numbers of one side are relative to.
type base struct {
	isn   uint32
	known bool
}

// DrawOptions say how much a Drawing keeps.
type DrawOptions struct {
	// Full keeps a row for each segment. Else those that change nothing are folded where
	// there are many in a row, and there are never many more rows than ladderMost.
	Full bool
	// Marks are what findings say of frames.
	Marks map[uint64][]string
}

// Of a stretch of ordinary segments the first and last are rows of their own; those
// between are folded if they are more than a few.
const (
	stretchHead = 3
	stretchTail = 2
	foldLeast   = 4
)

// ladderMost bounds the rows of a ladder that is not full. Where there are more, those in
// the middle are folded, whatever they are; ladderEdge are kept at either end.
const (
	ladderMost = 480
	ladderEdge = 160
)

// NewDrawing begins the ladder of a life, which is over: its client is on the left.
func NewDrawing(life *tracker.Life, o DrawOptions) *Drawing {
	l := &Ladder{Stream: life.ID, Incarnation: life.Incarnation, Start: life.Start, Note: lifeNote(life), TimeWait: -1, FinTimeout: -1}
	l.Left, l.Right = life.Ends[tracker.Client].Addr, life.Ends[tracker.Server].Addr
	return &Drawing{pen: ladderPen{l: l, left: life.Client}, opts: o, stretch: -1}
}

// Step adds what a segment did. Timers have been told by Timer.
func (d *Drawing) Step(s *tracker.Step) {
	d.before(s)
	d.bases(s)
	x := *s
	x.Timers = nil
	d.pen.l.Sparse = s.Sparse
	d.pen.step(&x)
	d.row(len(s.Changes) == 0 && s.Before == s.After && ordinary(s))
}

// Quote adds an ICMP error that quotes a segment.
func (d *Drawing) Quote(s *tracker.Step, q *capture.Quote) {
	d.before(s)
	x := *s
	x.Timers, x.Segment.Len = nil, 0
	d.pen.step(&x)
	quote := *q
	d.last().Quote = &quote
	d.row(false)
}

// Timer adds a timer that ran out.
func (d *Drawing) Timer(t *tracker.Transition) {
	if !d.begun {
		return
	}
	d.stretch = -1
	d.pen.timer(t)
	d.bound()
}

// before sees to what comes before a step.
func (d *Drawing) before(s *tracker.Step) {
	if !d.begun {
		d.begun = true
		d.pen.start = s.Segment.Time
	}
	if n := len(d.pen.l.Rows); n > 0 && d.last().Timer() {
		d.pen.now = s.Before // what a revocation goes back to is known now
		d.last().States = d.pen.states()
	}
}

// bases notes what numbers are relative to: see baseNumbers.
func (d *Drawing) bases(s *tracker.Step) {
	side := s.Segment.Side
	if !d.own[side].known {
		d.own[side] = base{s.Segment.Seq - s.RelSeq, true}
	}
	if s.Segment.Has(capture.ACK) && !d.acked[side^1].known {
		d.acked[side^1] = base{s.Segment.Ack - s.RelAck, true}
	}
}

func (d *Drawing) last() *LadderRow { return &d.pen.l.Rows[len(d.pen.l.Rows)-1] }

// row takes the row that was added last. plain: it may be folded.
func (d *Drawing) row(plain bool) {
	rows := d.pen.l.Rows
	r := d.last()
	r.Marks = d.opts.Marks[r.Segment.Frame]
	if d.opts.Full {
		return
	}
	if !plain || len(r.Marks) > 0 {
		d.stretch = -1
		d.bound()
		return
	}
	if d.stretch < 0 || rows[d.stretch].States != r.States {
		d.stretch = len(rows) - 1
	}
	at := d.stretch + stretchHead // the folded row, if there is one
	switch tail := len(rows) - at; {
	case tail <= stretchTail:
	case rows[at].Folded != nil && tail > 1+stretchTail:
		d.left().join(&rows[at], &rows[at+1])
		d.pen.l.Rows = slices.Delete(rows, at+1, at+2)
	case rows[at].Folded == nil && tail > foldLeast+stretchTail:
		n := tail - stretchTail
		for i := 1; i < n; i++ {
			d.left().join(&rows[at], &rows[at+i])
		}
		d.pen.l.Rows = slices.Delete(rows, at+1, at+n)
	}
	d.bound()
}

// left is the side of the key that is drawn on the left.
func (d *Drawing) left() leftSide { return leftSide(d.pen.left) }

type leftSide uint8

// join folds the row next to, and after, r into it.
func (left leftSide) join(r, next *LadderRow) {
	if r.Folded == nil {
		f := &Folded{Since: r.Segment.Time}
		left.count(f, r)
		r.Folded, r.Class, r.Rules, r.Revoked, r.Quote, r.Marks = f, "", nil, false, nil, nil
	}
	left.count(r.Folded, next)
	if !next.Timer() {
		r.Segment = next.Segment
	} else {
		r.Segment.Time = next.Segment.Time
	}
	if r.States != next.States {
		r.States = next.States
		r.Folded.Changes++
	}
}

// count counts a row as part of what is folded.
func (left leftSide) count(f *Folded, r *LadderRow) {
	side := r.Segment.Side ^ uint8(left)
	switch {
	case r.Folded != nil:
		f.Data += r.Folded.Data
		f.Acks += r.Folded.Acks
		f.Other += r.Folded.Other
		f.Changes += r.Folded.Changes
		f.Bytes[0] += r.Folded.Bytes[0]
		f.Bytes[1] += r.Folded.Bytes[1]
	case r.Timer():
	case r.Quote != nil || r.Class != "" || r.Segment.Flags&(capture.SYN|capture.FIN|capture.RST) != 0:
		f.Other++
	case r.Segment.Len > 0:
		f.Data++
		f.Bytes[side] += uint64(r.Segment.Len)
	default:
		f.Acks++
	}
}

// bound folds rows in the middle where there are too many: first those that change no
// state, and if that is not enough, all but those that prove something.
func (d *Drawing) bound() {
	if d.opts.Full || len(d.pen.l.Rows) <= ladderMost {
		return
	}
	d.squeeze(func(r, before *LadderRow) bool {
		return !r.Timer() && len(r.Marks) == 0 && r.States == before.States && r.Quote == nil
	})
	if len(d.pen.l.Rows) > ladderMost*3/4 {
		d.squeeze(func(r, before *LadderRow) bool { return len(r.Marks) == 0 })
	}
	if len(d.pen.l.Rows) > ladderMost*3/4 {
		d.squeeze(func(r, before *LadderRow) bool { return true })
	}
}

// squeeze joins rows in the middle that may be folded.
func (d *Drawing) squeeze(may func(r, before *LadderRow) bool) {
	rows := d.pen.l.Rows
	kept := ladderEdge
	joins := false // the row before kept may be joined
	end := len(rows) - ladderEdge
	for i := ladderEdge; i < end; i++ {
		ok := may(&rows[i], &rows[i-1])
		if ok && joins {
			d.left().join(&rows[kept-1], &rows[i])
			continue
		}
		joins = ok
		rows[kept] = rows[i]
		kept++
	}
	d.pen.l.Rows = slices.Delete(rows, kept, end)
	d.stretch = -1
}

// ordinary reports a segment that is one of many: new data, or the acknowledgment of it.
func ordinary(s *tracker.Step) bool {
	g := &s.Segment
	if g.Flags&(capture.SYN|capture.FIN|capture.RST|capture.URG) != 0 || !g.Has(capture.ACK) || g.Window == 0 {
		return false
	}
	return s.Class == reassembly.New || s.Class == reassembly.PureAck || s.Class == reassembly.WindowUpdate
}

// Done returns the ladder. life is that of NewDrawing: what a revocation that came last
// goes back to is what it ended in.
func (d *Drawing) Done(life *tracker.Life) *Ladder {
	l := d.pen.l
	for i := range l.ISN {
		side := uint8(i) ^ d.pen.left
		if l.ISN[i] = d.own[side].isn; !d.own[side].known {
			l.ISN[i] = d.acked[side].isn
		}
	}
	d.ended(life)
	return l
}

// ended sets right what a revocation that came last goes back to.
func (d *Drawing) ended(life *tracker.Life) {
	if n := len(d.pen.l.Rows); n > 0 && d.last().Timer() && d.last().Revoked {
		for i := range life.Ends {
			if e := &life.Ends[i]; e.State == d.last().States[i].State {
				d.last().States[i].Certainty = e.Certainty
			}
		}
	}
}

// lifeNote says in a few words how a life went: who closed first, how, how long.
func lifeNote(l *tracker.Life) string {
	how := l.Close.String()
	if l.ResetAs != tracker.NoReset && l.ResetAs.String() != how {
		how += " (" + l.ResetAs.String() + ")"
	}
	var words []string
	switch l.ClosedBy {
	case tracker.ByClient:
		words = append(words, "client closed first")
	case tracker.ByServer:
		words = append(words, "server closed first")
	case tracker.ByBoth:
		words = append(words, "both closed at once")
	}
	words = append(words, how, showSpan(float64(l.End-l.Start)/1e9))
	switch {
	case l.Continues >= 0:
		words = append(words, "carries on stream "+strconv.FormatInt(l.Continues, 10))
	case l.Midstream:
		words = append(words, "begun before the capture")
	}
	if l.Roles == tracker.RoleGuess && !l.Key.Self() {
		words = append(words, "who is client is guessed")
	}
	if l.Incarnation > 0 {
		words = append(words, "incarnation "+strconv.Itoa(int(l.Incarnation)))
	}
	return strings.Join(words, ", ")
}
