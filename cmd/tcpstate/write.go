package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"runtime"
	"time"

	"tcpstate/capture"
	"tcpstate/report"
	"tcpstate/tracker"
)

// recorder is -w: it turns frames into blocks and hands them to a spool. It is used by
// one goroutine. A nil recorder writes nothing.
type recorder struct {
	enc    capture.Encoder
	spool  *spool
	now    *blocks
	eager  bool    // what there is is written soon, for somebody may follow the file
	chosen *chosen // nil: all

	notes []note // of the frames of the next batch, in order
	text  []byte // of notes

	since, until report.Moment
	window       [2]int64 // ns, once the first frame is known
	begun        bool
}

// note is the comment of a frame: text as far as to, from where the note before ends.
type note struct {
	frame uint64
	to    int
}

// newRecorder opens what -w names, and returns nil without -w. A live one never waits
// for the disk: what does not fit into the queue is dropped and counted.
func (c *cli) newRecorder(f *flags, live bool) (*recorder, error) {
	if f.write == "" {
		return nil, nil
	}
	if f.write == "-" && isTerminal(c.stdout) {
		return nil, usageError(errors.New("-w -: standard output is a terminal"))
	}
	s := &spool{
		files: packetFiles{name: f.write, limit: int64(f.writeMB) * 1e6, ring: f.writeFiles, inPlace: live, inputs: f.reads(), stdout: c.stdout},
		waits: !live, patience: stalled,
	}
	s.section = capture.Section{Hardware: runtime.GOARCH, OS: runtime.GOOS, Application: "tcpstate " + programVersion()}
	if err := s.files.next(); err != nil {
		return nil, statusError{exitUsage, fmt.Errorf("cannot write: %w", err)}
	}
	s.start()
	r := &recorder{spool: s, eager: f.waits(), since: f.report.Since, until: f.report.Until, window: [2]int64{math.MinInt64, math.MaxInt64}}
	r.enc.Interface = f.iface
	return r, nil
}

// note takes the source's statistics, before the batch that comes with them is handed
// to batch: of them are the beginning of the window and the counts of lost frames.
func (r *recorder) note(st *capture.Stats) {
	if r == nil {
		return
	}
	if !r.begun && st.Packets > 0 {
		r.begun = true
		if r.since.Set() {
			r.window[0] = r.since.At(st.First)
		}
		if r.until.Set() {
			r.window[1] = r.until.At(st.First)
		}
	}
	r.spool.dropped.Store(st.Dropped)
	r.spool.ifDropped.Store(st.IfDropped)
}

// step remembers the comment of a frame: it is Observer.Step with --annotate.
func (r *recorder) step(s *tracker.Step) {
	r.text = report.AppendComment(r.text, s)
	r.notes = append(r.notes, note{s.Segment.Frame, len(r.text)})
}

// batch writes the frames of a batch that the tracker is done with.
func (r *recorder) batch(b *capture.Batch) {
	if r == nil {
		return
	}
	if r.spool.fault() != nil {
		r.spool.lost.Add(uint64(len(b.Frames)))
		r.notes, r.text = r.notes[:0], r.text[:0]
		return
	}
	if r.chosen != nil {
		r.chosen.begin(b)
	}
	at, from := 0, 0
	for i := range b.Frames {
		f := &b.Frames[i]
		for at < len(r.notes) && r.notes[at].frame < f.Number {
			at, from = at+1, r.notes[at].to
		}
		if f.Time < r.window[0] || f.Time > r.window[1] || r.chosen != nil && !r.chosen.takes(f.Number) {
			continue
		}
		var comment []byte
		if at < len(r.notes) && r.notes[at].frame == f.Number {
			comment = r.text[from:r.notes[at].to]
		}
		r.frame(f, comment)
	}
	r.notes, r.text = r.notes[:0], r.text[:0]
	if r.eager && r.now != nil && r.spool.idle() {
		r.handOver()
	}
}

// blocksSize is how much is written at a time, and aroundFrame what a frame's block and
// that of its interface take besides the frame and its comment, at the most.
const (
	blocksSize  = 512 << 10
	aroundFrame = 512
)

func (r *recorder) frame(f *capture.Frame, comment []byte) {
	if r.now != nil && len(r.now.b)+len(f.Data)+len(comment)+aroundFrame > blocksSize && r.now.frames > 0 {
		r.handOver()
	}
	if r.now == nil {
		if r.now = r.spool.take(); r.now == nil {
			r.spool.lost.Add(1)
			return
		}
	}
	r.now.b = r.enc.Append(r.now.b, f, comment)
	r.now.frames++
}

func (r *recorder) handOver() {
	r.spool.full <- r.now // has room for all there are
	r.now = nil
}

// lost is how many packets were dropped, whole, because the disk was too slow, or
// because writing had failed.
func (r *recorder) lost() uint64 {
	if r == nil {
		return 0
	}
	return r.spool.lost.Load()
}

// fault is what ended writing, if something did.
func (r *recorder) fault() error {
	if r == nil {
		return nil
	}
	return r.spool.fault()
}

// close writes what is left, and puts the file into its place. Its error is that of
// fault.
func (r *recorder) close() error {
	if r == nil {
		return nil
	}
	if r.now != nil {
		r.handOver()
	}
	return r.spool.end(true)
}

// discard removes what was written, but for files that were complete.
func (r *recorder) discard() {
	if r != nil {
		r.spool.end(false)
	}
}

// writeError says what could not be written, by the name that the user knows.
func writeError(name string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	if name == "-" {
		name = "standard output"
	}
	return fmt.Errorf("-w: cannot write %s: %w", name, err)
}

// stalled is a spool's patience.
const stalled = 5 * time.Second

var errStalled = errors.New("it takes nothing")
