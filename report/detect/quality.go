package detect

import "tcpstate/tracker"

// quality gathers what is doubtful about the capture, for CaptureQuality.
type quality struct {
	doubts            Doubt
	withheld, lowered []string // ids, one for each finding
}

func (q *quality) add(c *tracker.Case) {}

// judge finds the doubts.
func (q *quality) judge(x *Context) {}

// raise tells of them.
func (q *quality) raise(x *Context) {}
