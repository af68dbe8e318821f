package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"tcpstate/capture"
	"tcpstate/report"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// redraw draws lives by reading the capture again: the segments of their 4-tuples go
// through a tracker, the others only tell it the time, and what the capture as a whole
// shows. So the states are those of the first reading. Lives that gave way there for want
// of room go on here.
type redraw struct {
	of   map[capture.Key]*route
	may  hashes // of those keys
	opts report.DrawOptions
	done map[detect.Ref]*report.Ladder
}

// route is what the second reading has come to of one 4-tuple.
type route struct {
	lives []*tracker.Life // that are drawn and not over, in order
	now   *report.Drawing // of lives[0]; nil between two of them
}

// hashes is a set of hashes of keys, with some others.
type hashes [1 << 10]uint64

func (h *hashes) add(x uint32)      { h[x>>6%uint32(len(h))] |= 1 << (x % 64) }
func (h *hashes) has(x uint32) bool { return h[x>>6%uint32(len(h))]>>(x%64)&1 != 0 }

func newRedraw(lives []*tracker.Life, o report.DrawOptions) *redraw {
	d := &redraw{of: map[capture.Key]*route{}, opts: o, done: make(map[detect.Ref]*report.Ladder, len(lives))}
	lives = slices.Clone(lives)
	slices.SortFunc(lives, func(a, b *tracker.Life) int { return cmp.Compare(a.FirstFrame, b.FirstFrame) })
	for _, l := range lives {
		r := d.of[l.Key]
		if r == nil {
			r = new(route)
			d.of[l.Key] = r
			d.may.add(l.Key.Hash())
		}
		r.lives = append(r.lives, l)
	}
	return d
}

func (d *redraw) observer() tracker.Observer {
	return tracker.Observer{Only: d.only, Step: d.step, Quote: d.quote, Transition: d.transition}
}

func (d *redraw) only(s *capture.Segment) bool {
	return d.may.has(s.Hash) && d.of[s.Key] != nil
}

// step takes a segment. What comes after the last of a life, timers and ICMP errors, is
// part of it until the next begins.
func (d *redraw) step(s *tracker.Step) {
	r := d.of[s.Segment.Key]
	for len(r.lives) > 0 && r.lives[0].LastFrame < s.Segment.Frame {
		d.leave(r)
	}
	if len(r.lives) == 0 || s.Segment.Frame < r.lives[0].FirstFrame {
		return
	}
	if r.now == nil {
		r.now = report.NewDrawing(r.lives[0], d.opts)
	}
	r.now.Step(s)
}

func (d *redraw) quote(s *tracker.Step, q *capture.Quote) {
	if r := d.of[s.Segment.Key]; r.now != nil {
		r.now.Quote(s, q)
	}
}

func (d *redraw) transition(t *tracker.Transition) {
	if r := d.of[t.Key]; r.now != nil && t.Frame == 0 {
		r.now.Timer(t)
	}
}

// leave ends the first life of those left.
func (d *redraw) leave(r *route) {
	l := r.lives[0]
	if r.now != nil {
		d.done[detect.Ref{ID: l.ID, Incarnation: l.Incarnation}] = r.now.Done(l)
	}
	r.lives, r.now = r.lives[1:], nil
}

// ladders are those drawn so far.
func (d *redraw) ladders() map[detect.Ref]*report.Ladder {
	for _, r := range d.of {
		for len(r.lives) > 0 {
			d.leave(r)
		}
	}
	return d.done
}

// twice is an input that can be read twice. Of standard input a copy is kept in a file
// that has no name.
type twice struct {
	c    *cli
	f    *flags
	intr *interrupts
	copy *os.File // nil where standard input is not read
	err  error    // of writing it
	// frames are those of the first reading, 0 if nobody counted them; read are those of
	// the second so far. partial: the first did not come to the end.
	frames, read uint64
	partial      bool
}

// readsTwice makes ready to read the input twice, from standard input only if need be. It
// returns nil if that cannot be.
func (c *cli) readsTwice(f *flags, intr *interrupts, need bool) (*twice, error) {
	t := &twice{c: c, f: f, intr: intr}
	switch {
	case f.iface != "" || slices.ContainsFunc(f.paths, irregular):
		return nil, nil
	case !f.waits():
		return t, nil
	case !need:
		return nil, nil
	}
	var err error
	if t.copy, err = os.CreateTemp("", "tcpstate-"); err != nil {
		return nil, fmt.Errorf("no place for a copy of standard input, which is read twice: %w", err)
	}
	os.Remove(t.copy.Name())
	return t, nil
}

// spooling is standard input of which a copy is kept.
type spooling struct {
	io.Reader
	t *twice
}

func (s spooling) Read(b []byte) (int, error) {
	n, err := s.Reader.Read(b)
	if n > 0 && s.t.err == nil {
		_, s.t.err = s.t.copy.Write(b[:n])
	}
	return n, err
}

// first changes the options of the first reading.
func (t *twice) first(o *capture.Options) {
	if t != nil && t.copy != nil {
		o.Stdin = spooling{o.Stdin, t}
	}
}

func (t *twice) close() {
	if t != nil && t.copy != nil {
		t.copy.Close()
	}
}

// draw reads again and draws these lives. Where it does not come to the end, or finds
// another capture than before, it returns what was drawn, too. A file that has grown, as
// one that is still being written, is read as far as before.
func (t *twice) draw(lives []*tracker.Life, opts report.DrawOptions) (map[detect.Ref]*report.Ladder, error) {
	if len(lives) == 0 {
		return nil, nil
	}
	o := t.c.inputOptions(t.f, t.intr, false)
	if t.frames > 0 && (t.partial || len(o.Paths) == 1) {
		o.MaxPackets = t.frames
	}
	if t.copy != nil {
		if t.err == nil {
			_, t.err = t.copy.Seek(0, io.SeekStart)
		}
		if t.err != nil {
			return nil, fmt.Errorf("the copy of standard input, which is read twice: %w", t.err)
		}
		o.Stdin = t.copy
	}
	d := newRedraw(lives, opts)
	cfg := t.f.tracker
	cfg.MaxConnections, cfg.MaxMemory, cfg.Unpacked = 0, 0, 0
	tr := tracker.New(cfg, d.observer())
	err := t.c.readAgain(t.f, o, t.intr, func(b *capture.Batch, st *capture.Stats) error {
		t.read = st.Packets
		if b != nil {
			tr.Process(b)
		}
		return nil
	})
	var unread *capture.UnreadableError
	if errors.As(err, &unread) {
		err = statusError{exitDamaged, fmt.Errorf("reading again: %w", err)}
	}
	drawn := d.ladders()
	if err == nil {
		err = t.changed(lives, drawn)
	}
	return drawn, err
}

// changed is an error where the second reading shows that it was of another capture.
func (t *twice) changed(lives []*tracker.Life, drawn map[detect.Ref]*report.Ladder) error {
	if t.frames > 0 && t.read != t.frames {
		return statusError{exitDamaged, fmt.Errorf("the capture changed while it was read: %d packets, and then %d", t.frames, t.read)}
	}
	for _, l := range lives {
		d := drawn[detect.Ref{ID: l.ID, Incarnation: l.Incarnation}]
		if d == nil || len(d.Rows) == 0 || d.Rows[0].Segment.Frame != l.FirstFrame {
			return statusError{exitDamaged, fmt.Errorf("the capture changed while it was read: connection %d was in it, and then was not", l.ID)}
		}
	}
	return nil
}
