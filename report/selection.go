package report

import (
	"math"

	"tcpstate/tracker"
)

// Selection says which connections are reported. States are built from
// everything; a Selection only chooses among the results.
type Selection struct {
	Where        *Where          // nil: all
	Streams      map[uint64]bool // by id; nil: all
	Since, Until Moment          // the report window
}

// Active reports whether anything is left out.
func (s *Selection) Active() bool {
	return s.Where != nil || s.Streams != nil || s.Since.Set() || s.Until.Set()
}

// window is the report window once the capture's first frame is known.
type window struct{ since, until int64 }

func (s *Selection) window(first int64) window {
	w := window{math.MinInt64, math.MaxInt64}
	if s.Since.Set() {
		w.since = s.Since.At(first)
	}
	if s.Until.Set() {
		w.until = s.Until.At(first)
	}
	return w
}

// stream reports whether the connection's number is among those asked for.
func (s *Selection) stream(id uint64) bool { return s.Streams == nil || s.Streams[id] }

// has reports whether the time lies in the window, its edges included.
func (w window) has(ns int64) bool { return w.since <= ns && ns <= w.until }

// overlaps reports whether the span of a life touches the window. One of which
// an end is still to close goes on after its last segment, however silent.
func (w window) overlaps(l *tracker.Life) bool {
	if l.Start > w.until {
		return false
	}
	for i := range l.Ends {
		if s := l.Ends[i].State; s != tracker.Closed && s != tracker.TimeWait {
			return true
		}
	}
	return l.End >= w.since
}

// lies reports whether l is among the streams asked for and in the window. What
// --where says comes on top of that.
func (s *Selection) lies(w window, l *tracker.Life) bool { return s.stream(l.ID) && w.overlaps(l) }
