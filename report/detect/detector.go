package detect

import "tcpstate/tracker"

// Detector is one kind of finding: its documentation and its code.
type Detector struct {
	ID    string // stable, never renamed
	Title string // what it means in half a line, for lists: "nothing listens on the port"
	// Rule says in words when it is raised, clause by clause.
	Rule string
	// Default is the usual severity; Levels says when it is another one, ""
	// if never.
	Default Severity
	Levels  string
	Subject string // the form of its subjects: "server A:P"
	Blame   string // who must act, in words of the catalogue: "server", "network or server"
	Params  []Param
	// Example is a ladder (or several lines of one) that raises it.
	Example string
	// Advice is what the finding advises. A detector may advise more closely in
	// the finding itself.
	Advice  string
	Sources []string // RFC sections, kernel functions, papers

	// Signs: a life that shows one of them is handed to Watcher.Case. 0 for a
	// detector that works on usage and services alone.
	Signs tracker.Sign
	// Swallows names the detectors that must not report the connections that
	// this one reports: one event, one finding.
	Swallows []string
	// Withheld and Lowered are the doubts about the capture that take the
	// finding back, or lower it by one severity.
	Withheld, Lowered Doubt

	New func(*Setup) Watcher
}

// Watcher is a detector at work on one capture.
type Watcher interface {
	// Case takes note of one life. c and all it points to are valid during
	// the call. The trail of a life that shows none of Engine.Trails may be left out;
	// a watcher that wants it for others says so by a method trails. Who asks for a sign
	// that ordinary lives show has to be a batcher, or all lives take the long way; who
	// asks for one that a SYN without an answer shows has to be a hearer, or those do.
	Case(c *tracker.Case)
	// Findings raises what was found, by x.Raise. It is called once, at the end.
	Findings(x *Context)
}

// Find returns the detector of that id, or nil.
func Find(id string) *Detector {
	for _, d := range Catalogue {
		if d.ID == id {
			return d
		}
	}
	return nil
}
