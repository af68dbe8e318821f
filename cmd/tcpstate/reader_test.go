package main

import (
	"io"
	"slices"
	"testing"
	"time"

	"tcpstate/capture"
)

// counting is a source of so many empty batches, whose statistics are numbers
// of the batch.
type counting struct {
	n, most uint64
	files   int
	pipe    bool
}

func (c *counting) Next(b *capture.Batch) error {
	b.Reset()
	if c.n == c.most {
		return io.EOF
	}
	c.n++
	return nil
}

func (c *counting) Stats() (st capture.Stats) {
	c.StatsInto(&st)
	return st
}

func (c *counting) StatsInto(st *capture.Stats) {
	files := st.Files[:0]
	for range c.files {
		files = append(files, capture.FileStats{Packets: c.n})
	}
	*st = capture.Stats{Packets: c.n, Files: files}
	if c.pipe {
		st.TotalBytes = -1
	}
}

func (c *counting) Close() error { return nil }

// The statistics of a batch stay as they are while all others are read.
func TestStatisticsHold(t *testing.T) {
	rd := startReader(&counting{most: 50, files: 2})
	for i := uint64(1); ; i++ {
		m := <-rd.full
		if m.err != nil {
			break
		}
		rd.giveBack(m.batch, true)
		for deadline := time.Now().Add(5 * time.Second); len(rd.full) < batchesInFlight && i+batchesInFlight <= 50 && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		for _, f := range m.stats.Files {
			if m.stats.Packets != i || f.Packets != i {
				t.Fatalf("batch %d: %+v", i, m.stats)
			}
		}
	}
}

// Statistics come with each batch, but of many files only now and then, with
// the first and with the last.
func TestStatisticsCome(t *testing.T) {
	for _, c := range []struct {
		files int
		pipe  bool
		each  bool
	}{{1, false, true}, {manyFiles, false, true}, {manyFiles + 1, false, false}, {manyFiles + 1, true, true}} {
		src := &counting{most: 200, files: c.files, pipe: c.pipe}
		a := account{src: src}
		var seen []uint64
		for {
			err := src.Next(new(capture.Batch))
			seen = append(seen, a.after(err).Packets)
			if err != nil {
				break
			}
		}
		all := len(slices.Compact(slices.Clone(seen))) == 200
		if last := seen[len(seen)-1]; seen[0] != 1 || last != 200 || all != c.each || seen[150] < 150-everyBatch {
			t.Errorf("%+v: %d", c, seen)
		}
		if n := testing.AllocsPerRun(100, func() { a.after(nil) }); n != 0 {
			t.Errorf("%+v: %v allocations", c, n)
		}
	}
}
