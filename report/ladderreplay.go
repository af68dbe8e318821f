package report

import (
	"fmt"
	"slices"
	"strings"

	"tcpstate/tracker"
)

// replayStart is when a replayed ladder begins, ns. Any time does.
const replayStart = 1_000_000_000_000

// Replay sends the ladder's segments through a tracker, with the ladder's
// timers, and returns what the tracker makes of them: the same ladder, if it
// expects what is. A timer's line lets time pass until then.
func (l *Ladder) Replay(cfg tracker.Config) *Ladder { return ReplayLadders([]*Ladder{l}, cfg)[0] }

// CloneStep copies a step with what it points to, to be kept.
func CloneStep(s *tracker.Step) tracker.Step {
	c := *s
	c.Rules, c.Timers, c.Changes = slices.Clone(s.Rules), slices.Clone(s.Timers), slices.Clone(s.Changes)
	return c
}

// Diff says where got is not what l expects, line by line; "" if nowhere. What
// l leaves open (a state *, no rules, no class) is not compared.
func (l *Ladder) Diff(got *Ladder) string {
	var b strings.Builder
	for i := range max(len(l.Rows), len(got.Rows)) {
		switch {
		case i >= len(got.Rows):
			fmt.Fprintf(&b, "%s: expected, but did not happen\n", l.Rows[i].place())
		case i >= len(l.Rows):
			fmt.Fprintf(&b, "%s: happened, but was not expected: %s\n", got.Rows[i].place(), got.Rows[i].outcome())
		default:
			if w, g := &l.Rows[i], &got.Rows[i]; !w.allows(g) {
				fmt.Fprintf(&b, "%s\n  want %s\n  got  %s\n", w.place(), w.outcome(), g.outcome())
			}
		}
	}
	return b.String()
}

// allows reports whether got is what r expects.
func (r *LadderRow) allows(got *LadderRow) bool {
	if r.Segment.Frame != got.Segment.Frame || r.Segment.Time != got.Segment.Time {
		return false
	}
	for i, s := range r.States {
		if !s.Any && s != got.States[i] {
			return false
		}
	}
	if r.Rules != nil && (!slices.Equal(r.Rules, got.Rules) || r.Revoked != got.Revoked) {
		return false
	}
	return r.Class == "" || r.Class == got.Class
}

func (r *LadderRow) place() string {
	if r.Timer() {
		return "timer at " + ladderTime(r.Segment.Time)
	}
	return fmt.Sprintf("frame %d at %s", r.Segment.Frame, ladderTime(r.Segment.Time))
}

func (r *LadderRow) outcome() string {
	return strings.TrimSpace(r.States[0].String() + " / " + r.States[1].String() + "  " + r.why())
}
