package main

import (
	"io"
	"path/filepath"
	"strings"
	"testing"

	"tcpstate/capture"
	"tcpstate/report"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// eachBatch reads a capture.
func eachBatch(t *testing.T, path string, f func(*capture.Batch)) {
	t.Helper()
	src, err := capture.Open(capture.Options{Paths: []string{path}})
	if err != nil {
		t.Skip(err)
	}
	defer src.Close()
	var b capture.Batch
	for {
		if err := src.Next(&b); err == io.EOF {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		f(&b)
	}
}

// when is a segment, or a timer, of one life.
type when struct {
	of    detect.Ref
	frame uint64
	time  int64 // of a timer
}

// The ladders of a second reading show, segment by segment and timer by timer, what the
// transitions of the first add up to: all lives drawn at once, and each alone.
func TestLaddersAreTheTransitions(t *testing.T) {
	files := captureFiles(t)
	checked := 0
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var lives []*tracker.Life
			var all []tracker.Transition
			tr := tracker.NewParallel(tracker.DefaultConfig(), 2, tracker.Observer{
				Life:       func(l *tracker.Life) { x := *l; lives = append(lives, &x) },
				Transition: func(x *tracker.Transition) { all = append(all, *x) },
			})
			eachBatch(t, file, func(b *capture.Batch) {
				x := *b
				x.Segments = append([]capture.Segment(nil), b.Segments...)
				x.Quotes = append([]capture.Quote(nil), b.Quotes...)
				tr.Process(&x)
			})
			for tr.Wait() != nil {
			}
			tr.Finish()
			draw := func(lives []*tracker.Life, o report.DrawOptions) map[detect.Ref]*report.Ladder {
				d := newRedraw(lives, o)
				again := tracker.New(tracker.DefaultConfig(), d.observer())
				eachBatch(t, file, again.Process)
				return d.ladders()
			}
			full := draw(lives, report.DrawOptions{Full: true})
			checked += compareStates(t, lives, all, full)
			folded := draw(lives, report.DrawOptions{})
			for i, l := range lives {
				ref := detect.Ref{ID: l.ID, Incarnation: l.Incarnation}
				compareFolded(t, full[ref], folded[ref])
				if i%(1+len(lives)/20) != 0 {
					continue
				}
				one := []*tracker.Life{l}
				alone := draw(one, report.DrawOptions{Full: true})
				if len(alone) != 1 || plainText(alone[ref]) != plainText(full[ref]) {
					t.Errorf("%v alone:\n%s\namong others:\n%s", ref, plainText(alone[ref]), plainText(full[ref]))
				}
			}
		})
	}
	if checked < 5000 {
		t.Errorf("only %d rows", checked)
	}
}

func plainText(l *report.Ladder) string {
	if l == nil {
		return ""
	}
	var b strings.Builder
	l.Print(&b, report.LadderStyle{Full: true})
	return b.String()
}

// compareStates folds the transitions of each life, and looks at the rows after each.
func compareStates(t *testing.T, lives []*tracker.Life, all []tracker.Transition, ladders map[detect.Ref]*report.Ladder) (rows int) {
	byID := map[uint64][]*tracker.Life{}
	for _, l := range lives {
		byID[l.ID] = append(byID[l.ID], l)
	}
	after := map[when][2]tracker.State{}
	changed := map[when]bool{}
	now := map[capture.Key][2]tracker.State{}
	last := map[capture.Key]detect.Ref{} // whose life it is
	for i := range all {
		x := &all[i]
		ref := last[x.Key]
		for _, l := range byID[x.ID] {
			if x.Frame >= l.FirstFrame && x.Frame <= l.LastFrame {
				ref = detect.Ref{ID: l.ID, Incarnation: l.Incarnation}
			}
		}
		last[x.Key] = ref
		s := now[x.Key]
		s[x.Side] = x.To
		if x.Key.Self() {
			s[x.Side^1] = x.To
		}
		now[x.Key] = s
		w := when{of: ref, frame: x.Frame}
		if x.Frame == 0 {
			w.time = x.Time
		}
		after[w], changed[w] = s, true
	}
	for _, l := range lives {
		ref := detect.Ref{ID: l.ID, Incarnation: l.Incarnation}
		d := ladders[ref]
		if d == nil {
			t.Errorf("%v has no ladder", ref)
			continue
		}
		if d.Left != l.Ends[tracker.Client].Addr {
			t.Errorf("%v: left is %v", ref, d.Left)
		}
		seen := map[when][2]tracker.State{}
		var s [2]tracker.State
		segments := uint64(0)
		for i := range d.Rows {
			r := &d.Rows[i]
			w := when{of: ref, frame: r.Segment.Frame}
			if r.Timer() {
				w.time = r.Segment.Time + d.Start
			} else if r.Quote == nil {
				segments++
			}
			for side := range s {
				if st := r.States[uint8(side)^l.Client].State; st != tracker.Listen {
					s[side] = st
				} else {
					s[side] = tracker.Closed
				}
			}
			seen[w] = s
			delete(changed, w)
			rows++
		}
		if n := l.Ends[0].Packets + l.Ends[1].Packets; segments != n && !(l.Key.Self() && 2*segments == n) {
			t.Errorf("%v: %d rows of %d segments", ref, segments, n)
		}
		for w, got := range seen {
			if want, ok := after[w]; ok && want != got {
				t.Errorf("%v frame %d, time %d: %v, not %v\n%s", ref, w.frame, w.time, got, want, plainText(d))
			}
		}
	}
	for w := range changed {
		t.Errorf("not drawn: %+v", w)
	}
	return rows
}

// compareFolded holds a folded ladder against the full one: it tells of the same segments,
// octets and states.
func compareFolded(t *testing.T, full, folded *report.Ladder) {
	t.Helper()
	var n, bytes [2]uint64
	at := 0
	for i := range folded.Rows {
		r := &folded.Rows[i]
		n[1]++
		if f := r.Folded; f != nil {
			n[1] += f.Data + f.Acks + f.Other - 1
			bytes[1] += f.Bytes[0] + f.Bytes[1]
		} else {
			bytes[1] += uint64(r.Segment.Len)
		}
		for at < len(full.Rows) && (full.Rows[at].Segment.Frame != r.Segment.Frame || full.Rows[at].Segment.Time != r.Segment.Time) {
			at++
		}
		if at == len(full.Rows) || full.Rows[at].States != r.States {
			t.Errorf("stream %d: row %d folded differs\n%s", full.Stream, i, plainText(full))
			return
		}
	}
	for i := range full.Rows {
		n[0]++
		bytes[0] += uint64(full.Rows[i].Segment.Len)
	}
	if n[0] != n[1] || bytes[0] != bytes[1] {
		t.Errorf("stream %d: %d rows and %d octets folded, %d and %d full", full.Stream, n[1], bytes[1], n[0], bytes[0])
	}
}
