package main

import (
	"cmp"
	"io"
	"slices"

	"tcpstate/capture"
	"tcpstate/report"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// chosen are the connections whose packets -w writes, where --stream, --where or
// --finding choose them. They are known when all is read; then the files are read
// again, and a frame is of a connection if its segment is of the 4-tuple and lies
// between the first and the last frame of the life.
type chosen struct {
	lives  []life // until settle
	of     map[capture.Key]*course
	frames []uint64 // of the batch at hand, those that are theirs
	at     int      // in frames
}

// life is a connection as the first reading leaves it.
type life struct {
	key         capture.Key
	ref         detect.Ref
	first, last uint64 // frames
}

// course is what the second reading has come to of one 4-tuple.
type course struct {
	lives []life // chosen ones, in order
	in    bool   // the latest segment was of one
}

// add takes a life that the report keeps.
func (c *chosen) add(l *tracker.Life) {
	c.lives = append(c.lives, life{l.Key, detect.Ref{ID: l.ID, Incarnation: l.Incarnation}, l.FirstFrame, l.LastFrame})
}

// settle leaves those that are part of a finding, if the id of one is given, and makes
// ready for the second reading.
func (c *chosen) settle(r *report.Report, finding string) {
	if finding != "" {
		refs := r.Concerned(finding)
		c.lives = slices.DeleteFunc(c.lives, func(l life) bool { return !refs[l.ref] })
	}
	slices.SortFunc(c.lives, func(a, b life) int { return cmp.Compare(a.first, b.first) })
	c.of = map[capture.Key]*course{}
	for _, l := range c.lives {
		x := c.of[l.key]
		if x == nil {
			x = new(course)
			c.of[l.key] = x
		}
		x.lives = append(x.lives, l)
	}
	c.lives = nil
}

// begin looks at the segments of a batch.
func (c *chosen) begin(b *capture.Batch) {
	c.frames, c.at = c.frames[:0], 0
	for i := range b.Segments {
		if s := &b.Segments[i]; c.segment(s) {
			c.frames = append(c.frames, s.Frame)
		}
	}
}

// takes reports whether a frame of the batch is of a connection that is chosen. It is
// asked of the frames in order.
func (c *chosen) takes(frame uint64) bool {
	for c.at < len(c.frames) && c.frames[c.at] < frame {
		c.at++
	}
	return c.at < len(c.frames) && c.frames[c.at] == frame
}

// segment reports whether a segment is of a life that is chosen. One that an ICMP error
// quotes, or that the tracker did not believe, is of the life that its 4-tuple is in.
func (c *chosen) segment(s *capture.Segment) bool {
	x := c.of[s.Key]
	if x == nil {
		return false
	}
	if s.Mark&(capture.Quoted|capture.BadChecksum|capture.Unselected) == 0 {
		for len(x.lives) > 0 && x.lives[0].last < s.Frame {
			x.lives = x.lives[1:]
		}
		x.in = len(x.lives) > 0 && x.lives[0].first <= s.Frame
	}
	return x.in
}

// narrows reports whether -w writes the packets of some connections only.
func (f *flags) narrows() bool {
	return f.write != "" && (f.report.Where != nil || f.report.Streams != nil || f.narrow != "")
}

// writeChosen reads the files again and writes the frames of the connections that are
// chosen.
func (c *cli) writeChosen(f *flags, rec *recorder, intr *interrupts) error {
	var t *tracker.Tracker
	if f.annotate {
		t = tracker.New(f.tracker, tracker.Observer{Step: rec.step})
	}
	return c.readAgain(f, c.inputOptions(f, intr, true), intr, func(b *capture.Batch, st *capture.Stats) error {
		rec.note(st)
		if b == nil {
			return nil
		}
		if t != nil {
			t.Process(b)
		}
		rec.batch(b)
		return rec.fault()
	})
}

// readAgain reads the files another time. each gets the batches with the statistics after
// them, nil with those at the end; its error ends the reading.
func (c *cli) readAgain(f *flags, o capture.Options, intr *interrupts, each func(*capture.Batch, *capture.Stats) error) error {
	src, err := openFiles(o, intr)
	if err != nil {
		return err
	}
	rd := startReader(src)
	defer rd.quit()
	bar := c.newProgress(f)
	defer bar.done()
	for {
		select {
		case <-intr.ended:
			return errInterrupted
		case m := <-rd.full:
			if m.err == io.EOF {
				return each(nil, &m.stats)
			} else if m.err != nil {
				return m.err
			}
			if err := each(m.batch, &m.stats); err != nil {
				return err
			}
			rd.giveBack(m.batch, false)
			bar.show(&m.stats)
		}
	}
}
