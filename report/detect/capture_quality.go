package detect

import "tcpstate/tracker"

// CaptureQuality says what is doubtful about the capture. The engine judges
// before all others and raises last: quality.go.
var CaptureQuality = &Detector{
	ID:      "capture-quality",
	Title:   "the capture does not show everything",
	Rule:    "TODO",
	Default: Note,
	Subject: WholeCapture,
	Blame:   "unknown",
	New:     func(*Setup) Watcher { return silent{} },
}

// silent is a watcher whose work is done elsewhere.
type silent struct{}

func (silent) Case(*tracker.Case) {}
func (silent) Findings(*Context)  {}
